"""Ops that Keras's development branch has: against numpy and closed forms."""

import numpy as np
import pytest

import jkeras
from jkeras import ops


def test_column_stack_is_numpys():
    vector, matrix = np.arange(3.0), np.arange(6.0).reshape(3, 2)
    for xs in ([vector, vector], [vector, matrix], [matrix, vector, matrix]):
        np.testing.assert_array_equal(ops.column_stack(xs), np.column_stack(xs))
    assert ops.numpy.column_stack is ops.column_stack


def test_column_stack_of_symbolic_tensors():
    x = jkeras.Input((2,), batch_size=None)
    assert ops.column_stack([x, x]).shape == (None, 4)


def test_gammainc_of_one_and_two_are_closed_forms():
    x = np.array([0.0, 0.5, 2.0], "float32")
    np.testing.assert_allclose(ops.gammainc(1.0, x), 1 - np.exp(-x), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(ops.gammainc(2.0, x), 1 - (1 + x) * np.exp(-x), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("n", [-2, 0, 1, 5])
def test_matrix_power_is_numpys(n):
    x = np.array([[[2.0, 1.0], [0.5, 1.0]], [[1.0, 0.0], [3.0, 2.0]]], "float32")
    np.testing.assert_allclose(ops.matrix_power(x, n), np.linalg.matrix_power(x, n), rtol=1e-4)
    assert ops.linalg.matrix_power is ops.matrix_power


def test_matrix_power_refuses_what_is_no_int_or_square():
    with pytest.raises(TypeError, match="n must be an integer"):
        ops.matrix_power(np.eye(2), 0.5)
    with pytest.raises(ValueError, match="square"):
        ops.matrix_power(np.ones((2, 3)), 2)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(
    ("space", "size", "padding"),
    [((4, 6), (2, 3), "valid"), ((5, 7), (2, 3), "same"), ((4, 4, 6), (2, 2, 3), "valid")],
)
def test_reconstructed_patches_are_the_images(space, size, padding, data_format):
    shape = (2, *space, 3) if data_format == "channels_last" else (2, 3, *space)
    images = np.random.default_rng(0).normal(size=shape).astype("float32")
    options = {"padding": padding, "data_format": data_format}
    patches = ops.image.extract_patches(images, size, **options)
    again = ops.image.reconstruct_patches(patches, size, output_size=space, **options)
    np.testing.assert_array_equal(again, images)
    one = ops.image.reconstruct_patches(patches[0], size, output_size=space, **options)
    np.testing.assert_array_equal(one, images[0])


def test_what_patches_do_not_say_is_asked_for():
    patches = np.ones((1, 2, 2, 4))
    assert ops.image.reconstruct_patches(patches, 2).shape == (1, 4, 4, 1)
    symbolic = jkeras.Input((2, 2, 4))
    assert ops.image.reconstruct_patches(symbolic, 2).shape == (None, 4, 4, 1)
    with pytest.raises(ValueError, match="output_size"):
        ops.image.reconstruct_patches(patches, 2, padding="same")
    with pytest.raises(ValueError, match="output_size"):
        ops.image.reconstruct_patches(patches, 2, output_size=(3, 4))
    with pytest.raises(NotImplementedError, match="overlap"):
        ops.image.reconstruct_patches(patches, 2, strides=1)
    with pytest.raises(ValueError, match="not divisible"):
        ops.image.reconstruct_patches(patches, 3)


def test_patches_of_which_it_is_not_known_how_many_there_are():
    """The size of the images is what is said, or not known."""
    patches = jkeras.KerasTensor((None, None, 3, 12))
    join = ops.image.reconstruct_patches
    assert join(patches, 2).shape == (None, None, 6, 3)
    assert join(patches, 2, output_size=(7, 5), padding="same").shape == (None, 7, 5, 3)
    first = jkeras.KerasTensor((12, None, None))
    assert join(first, 2, (4, 4), data_format="channels_first").shape == (3, 4, 4)
    with pytest.raises(ValueError, match="padding='same'.*width.* from 5 to 6"):
        join(patches, 2, output_size=(7, 7), padding="same")
    x = jkeras.Input((None, None, 12))
    model = jkeras.Model(x, join(x, 2, output_size=(3, 4), padding="same"))
    images = np.arange(36.0).reshape(1, 3, 4, 3)
    np.testing.assert_array_equal(
        model(ops.image.extract_patches(images, 2, padding="same")), images
    )


@pytest.mark.parametrize(
    ("said", "options"),
    [
        ("unexpected rank", {"patches": np.ones((2, 4))}),
        ("length 2", {"output_size": (4, 4, 4)}),
        ("'same' or 'valid'", {"padding": "reflect"}),
        (r"height.*size \* grid", {"output_size": (3, 4)}),
    ],
)
def test_what_patches_cannot_be_says_why(said, options):
    given = {"patches": np.ones((1, 2, 2, 4)), "size": 2, "output_size": (4, 4)} | options
    with pytest.raises(ValueError, match=said):
        ops.image.reconstruct_patches(**given)


def test_shapes_and_sizes_that_cannot_be():
    """In the words of Keras."""
    for shape, said in (
        ((-1, -1, 5), r"at most one unknown dimension.*newshape=\(-1, -1, 5\)"),
        ((-2, 5), r"non-negative integer.*-1.*newshape=\(-2, 5\)"),
    ):
        with pytest.raises(ValueError, match=said):
            ops.reshape(np.zeros(20), shape)
    images = np.zeros((2, 20, 20, 3))
    with pytest.raises(ValueError, match="Expected a tuple of length 2 or 3"):
        ops.image.extract_patches(images, (3, 3, 3, 3))
    with pytest.raises(TypeError, match="Expected an int or a tuple"):
        ops.image.extract_patches(images, "5")
