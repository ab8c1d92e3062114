"""Layers of images on dicts of images, labels, boxes and masks: as in Keras, and where Keras errs,
as documented.
"""

import jax
import keras
import numpy as np
import pytest

import jkeras
from tests.thinning import every

HEIGHT, WIDTH = 12, 10
BOXES = np.array(
    [[[1, 2, 5, 6], [2, 3, 8, 9]], [[0, 0, 3, 3], [4, 4, 9, 11]], [[6, 7, 9, 9], [1, 1, 2, 3]]],
    "float32",
)
SEED = dict(seed=7)


def batch(boxes=True):
    rng = np.random.default_rng(0)
    data = {
        "images": rng.uniform(0, 255, (3, HEIGHT, WIDTH, 3)).astype("float32"),
        "labels": np.eye(3, 4, dtype="float32"),
        "segmentation_masks": rng.integers(0, 4, (3, HEIGHT, WIDTH, 1)).astype("float32"),
    }
    if boxes:
        data["bounding_boxes"] = {
            "boxes": BOXES.copy(),
            "labels": np.array([[1, 2], [3, 4], [5, 6]]),
        }
    return data


@pytest.mark.parametrize(
    "name, kwargs",
    every(
        6,
        [
            ("RandomFlip", SEED),
            ("RandAugment", SEED),
            ("RandomZoom", dict(height_factor=0.3, **SEED)),
            ("RandomTranslation", dict(height_factor=0.2, width_factor=(-0.3, 0.1), **SEED)),
            ("RandomPerspective", dict(scale=0.5, **SEED)),
            ("RandomBrightness", dict(factor=0.2, **SEED)),
            ("RandomRotation", dict(factor=0.2, **SEED)),
            ("CenterCrop", dict(height=4, width=3)),
            ("Resizing", dict(height=6, width=5)),
            ("Resizing", dict(height=5, width=4, crop_to_aspect_ratio=True)),
            ("Resizing", dict(height=24, width=25, pad_to_aspect_ratio=True)),
            ("MaxNumBoundingBoxes", dict(max_number=3)),
        ],
    ),
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_as_keras(name, kwargs):
    theirs, mine = (
        getattr(library.layers, name)(**kwargs, bounding_box_format="xyxy")(batch(), training=True)
        for library in (keras, jkeras)
    )
    jax.tree_util.tree_map(
        lambda a, b: np.testing.assert_allclose(b, a, rtol=1e-3, atol=2e-3), theirs, mine
    )


@pytest.mark.parametrize(
    "name, kwargs",
    [
        ("RandomBrightness", dict(factor=0.2)),
        ("RandomContrast", dict(factor=0.2)),
        ("RandomHue", dict(factor=0.2)),
        ("RandomSaturation", dict(factor=0.2)),
        ("RandomColorDegeneration", dict(factor=0.2)),
        ("RandomPosterization", dict(factor=2)),
        ("RandomInvert", {}),
        ("RandomGrayscale", {}),
        ("RandomColorJitter", {}),
        ("RandomSharpness", dict(factor=0.2)),
        ("RandomErasing", {}),
        ("Equalization", {}),
        ("MixUp", {}),
        ("CutMix", {}),
        ("RandomCrop", dict(height=4, width=4)),
        ("RandomFlip", {}),
        ("RandAugment", {}),
        ("Solarization", {}),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "float16"])
@pytest.mark.filterwarnings("ignore:.*Explicitly requested dtype")
def test_dtype_of_images_that_are_not_changed(name, kwargs, dtype):
    images = batch()["images"].astype(dtype)
    theirs, mine = (
        getattr(library.layers, name)(**kwargs)(images, training=False)
        for library in (keras, jkeras)
    )
    assert str(mine.dtype) == str(theirs.dtype)
    np.testing.assert_array_equal(mine, theirs)


def test_the_factor_of_gray_is_one_number():
    assert jkeras.layers.RandomGrayscale(np.float32(0.5)).get_config()["factor"] == 0.5
    for factor, error in (((0, 1), TypeError), (None, TypeError), (1.5, ValueError)):
        with pytest.raises(error, match="factor"):
            jkeras.layers.RandomGrayscale(factor)


def test_the_number_1_as_a_factor_of_zoom():
    assert jkeras.layers.RandomZoom(1).get_config()["height_factor"] == 1
    for factor in (-1, (-1, 0.5)):
        with pytest.raises(ValueError, match="above -1"):
            jkeras.layers.RandomZoom(factor)


def _center_of_bright(image):
    """The rectangle around what is bright."""
    rows, columns = (np.flatnonzero(image[..., 0].max(axis) > 100) for axis in (1, 0))
    return np.array([columns[0], rows[0], columns[-1], rows[-1]])


@pytest.mark.parametrize(
    "name, kwargs",
    [
        ("RandomFlip", {}),
        ("RandomRotation", dict(factor=0.1)),
        ("RandomShear", dict(x_factor=0.2, y_factor=0.1)),
        ("RandomZoom", dict(height_factor=0.2)),
        ("RandomTranslation", dict(height_factor=0.2, width_factor=0.2)),
        ("RandomPerspective", dict(scale=0.3)),
        ("RandomCrop", dict(height=30, width=34)),
    ],
    ids=lambda v: str(v)[:20],
)
def test_boxes_go_with_the_image(name, kwargs):
    images = np.zeros((4, 40, 48, 3), "float32")
    images[:, 14:25, 16:31] = 255
    boxes = np.array([[16, 14, 31, 25]] * 4, "float32")[:, None] / [48, 40, 48, 40]
    layer = getattr(jkeras.layers, name)(**kwargs, seed=3, bounding_box_format="rel_xyxy")
    moved = layer(
        {"images": images, "bounding_boxes": {"boxes": boxes, "labels": np.ones((4, 1), "int32")}}
    )
    height, width = moved["images"].shape[1:3]
    for image, box in zip(
        np.asarray(moved["images"]), np.asarray(moved["bounding_boxes"]["boxes"])[:, 0]
    ):
        found = _center_of_bright(image) + [0, 0, 1, 1]  # a pixel ends where the next one begins
        np.testing.assert_allclose(box * [width, height, width, height], found, atol=2.1)


def test_mixing_keeps_labels_and_boxes_together():
    data = batch()
    mixed = jkeras.layers.MixUp(seed=3, bounding_box_format="xyxy")(data, training=True)
    assert mixed["bounding_boxes"]["boxes"].shape == (3, 4, 4) and mixed["bounding_boxes"][
        "labels"
    ].shape == (3, 4)
    np.testing.assert_allclose(np.asarray(mixed["labels"]).sum(1), 1, rtol=1e-6)
    cut = jkeras.layers.CutMix(seed=3)(batch(boxes=False), training=True)
    np.testing.assert_allclose(np.asarray(cut["labels"]).sum(1), 1, rtol=1e-5)
    with pytest.raises(NotImplementedError, match="MixUp"):
        jkeras.layers.CutMix(bounding_box_format="xyxy")(data, training=True)


def test_one_image_other_entries_and_ragged_boxes():
    layer = jkeras.layers.RandomFlip(bounding_box_format="xyxy")
    one = jax.tree_util.tree_map(lambda v: v[0], batch())
    flipped = layer({**one, "id": np.array(5)}, training=True)
    assert flipped["images"].shape == (HEIGHT, WIDTH, 3) and flipped["id"] == 5
    assert flipped["bounding_boxes"]["boxes"].shape == (2, 4)
    ragged = {"boxes": [[[0, 0, 1, 1]], [], []], "labels": [[5], [], []]}
    flipped = layer({"images": batch()["images"], "bounding_boxes": ragged}, training=False)
    assert flipped["bounding_boxes"]["labels"].tolist() == [[5], [-1], [-1]]
    with pytest.raises(ValueError, match="bounding_box_format"):
        jkeras.layers.RandomFlip()(batch())


def test_pure_and_jitted():
    layer, data = jkeras.layers.RandAugment(bounding_box_format="xyxy"), batch()
    _, state = layer.init(0, data)

    def augment(key, data):
        return layer.apply({}, state, data, training=True, rng=key)[0]

    jitted = jax.jit(augment)
    one, same, other = (jitted(jax.random.key(k), data) for k in (1, 1, 2))
    jax.tree_util.tree_map(np.testing.assert_array_equal, one, same)
    assert not np.array_equal(one["images"], other["images"])
    jax.tree_util.tree_map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-2),
        one,
        augment(jax.random.key(1), data),
    )
