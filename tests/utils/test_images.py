"""Images as arrays and files; resizing against scipy-free closed forms."""

import numpy as np
import pytest

from jkeras import utils
from jkeras.preprocessing.image import smart_resize
from jkeras.utils.images import INTERPOLATIONS, resize_on_host, resize_weights


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_there_and_back(tmp_path, channels):
    pytest.importorskip("PIL")
    x = np.random.default_rng(0).integers(0, 256, (5, 7, channels)).astype("float32")
    utils.save_img(tmp_path / "a.png", x, scale=False)
    mode = {1: "grayscale", 3: "rgb", 4: "rgba"}[channels]
    np.testing.assert_array_equal(utils.img_to_array(utils.load_img(tmp_path / "a.png", mode)), x)
    small = utils.load_img(
        str(tmp_path / "a.png"),
        mode,
        target_size=(3, 2),
        interpolation="bilinear",
        keep_aspect_ratio=True,
    )
    assert small.size == (2, 3)
    assert utils.array_to_img(x.transpose(2, 0, 1), data_format="channels_first").size == (7, 5)


def test_wrong_arguments():
    pytest.importorskip("PIL")
    for x in (np.ones((2, 2)), np.ones((2, 2, 2))):
        with pytest.raises(ValueError):
            utils.array_to_img(x)
    with pytest.raises(ValueError):
        utils.img_to_array(np.ones(3))
    with pytest.raises(TypeError):
        utils.load_img(3)


@pytest.mark.parametrize("method", INTERPOLATIONS)
def test_resizing_keeps_constants_and_sizes(method):
    np.testing.assert_allclose(
        resize_on_host(np.full((7, 5, 2), 3.0), (11, 2), method), 3.0, rtol=1e-5
    )


def test_resize_weights():
    np.testing.assert_allclose(resize_weights(2, 4, "bilinear")[1], [0.75, 0.25])
    np.testing.assert_allclose(resize_weights(4, 2, "area"), [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    np.testing.assert_allclose(resize_weights(3, 2, "nearest"), [[1, 0, 0], [0, 0, 1]])
    jax = pytest.importorskip("jax")
    x = np.random.default_rng(0).random((6, 5, 2)).astype("float32")
    for ours, theirs in (
        ("bilinear", "linear"),
        ("bicubic", "cubic"),
        ("lanczos3", "lanczos3"),
        ("lanczos5", "lanczos5"),
    ):
        want = jax.image.resize(x, (4, 9, 2), theirs, antialias=False)
        np.testing.assert_allclose(resize_on_host(x, (4, 9), ours), want, rtol=1e-4, atol=1e-5)


def test_smart_resize_of_whole_numbers_and_lists():
    x = np.arange(32, dtype="uint8").reshape(4, 8, 1)
    assert (
        smart_resize(x, (2, 2)).dtype == "float32"
        and smart_resize(x, (2, 2), "nearest").dtype == "uint8"
    )
    np.testing.assert_array_equal(smart_resize(x.tolist(), (2, 2)), smart_resize(x, (2, 2)))


def test_smart_resize_cuts():
    x = np.zeros((4, 8, 1), "float32")
    x[:, 2:6] = 1
    assert smart_resize(x, (2, 2)).tolist() == np.ones((2, 2, 1)).tolist()
