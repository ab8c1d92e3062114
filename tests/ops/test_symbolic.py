"""Symbolic calls whose shapes and dtypes follow from rules, as in Keras: values are looked at when
there are some.
"""

import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jkeras
from jkeras import Function, Input, KerasTensor, ops

FLOAT, INT = (None, 2), "int32"


@pytest.mark.parametrize(
    "name",
    ["bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "right_shift", "gcd", "lcm"],
)
def test_integers_are_asked_for_when_there_are_values(name):
    function = getattr(ops, name)
    assert function(KerasTensor((None, 3)), KerasTensor((2, 1))).shape == (2, 3)
    for dtypes, expected in {
        ("int8", "int16"): "int16",
        ("uint8", "int8"): "int16",
        ("bool", "int32"): "int32",
    }.items():
        x, y = (KerasTensor((3,), dtype) for dtype in dtypes)
        assert function(x, y).dtype == expected
    assert function(KerasTensor((3,), "int8"), 2).dtype == "int8"
    with pytest.raises((TypeError, ValueError)):
        function(jnp.ones(2), jnp.ones(2))


def test_ldexp():
    assert ops.ldexp(KerasTensor((2,)), KerasTensor((2,))).dtype == "float32"
    assert ops.ldexp(KerasTensor((2,), "bfloat16"), KerasTensor((2,), "int8")).dtype == "bfloat16"


def test_clip_by_arrays():
    x = KerasTensor((None, 3))
    assert ops.clip(x, np.zeros(3), 1.0).shape == (None, 3)
    assert ops.clip(KerasTensor((3,), "int32"), jnp.zeros(3), 1.0).dtype == "int32"
    assert ops.clip(KerasTensor((3,), "bool"), 0, 1).dtype == "int32"


@pytest.mark.parametrize("length, dtype", [(5, "int32"), (None, "int64")])
def test_searchsorted(length, dtype):
    places = ops.searchsorted(KerasTensor((length,)), KerasTensor((None, 2)))
    assert (places.shape, places.dtype) == ((None, 2), dtype)
    with pytest.raises(ValueError, match="only supports 1-D sorted sequences"):
        ops.searchsorted(KerasTensor((2, 2)), KerasTensor((2,)))


def test_take_by_floats():
    x = KerasTensor((None, 4, 5), "bfloat16")
    taken = ops.take(x, KerasTensor((2, None)), axis=1)
    assert (taken.shape, taken.dtype) == ((None, 2, None, 5), "bfloat16")
    assert ops.take(x, [0, 1]).shape == (2,)
    with pytest.raises(ValueError):
        ops.take(x, [0], axis=3)


def test_attention_of_sizes_that_meet_later():
    query, key = KerasTensor((None, None, 8, 16)), KerasTensor((None, None, 6, 16), "bfloat16")
    result = ops.dot_product_attention(query, key, key)
    assert (result.shape, result.dtype) == ((None, None, 8, 16), "float32")


@pytest.mark.parametrize("name", ["solve", "solve_triangular"])
def test_equations(name):
    function = getattr(ops, name)
    assert function(KerasTensor((None, 3, 3)), KerasTensor((None, 3))).shape == (None, 3)
    assert function(KerasTensor((None, None)), KerasTensor((None, 3))).shape == (None, 3)
    with pytest.raises(ValueError, match="square"):
        function(KerasTensor((2, 3)), KerasTensor((3,)))


@pytest.mark.parametrize("library", [keras, jkeras])
@pytest.mark.parametrize(
    "name, shapes",
    [
        ("solve", [(None, None), (3, None)]),
        ("solve", [(2, None, 3), (2, 3, 3)]),
        ("solve_triangular", [(None, 3), (3, 3)]),
        ("qr", [(None, 3)]),
        ("qr", [(2, 3, None)]),
    ],
)
def test_unknown_sizes_that_an_op_has_to_know(library, name, shapes):
    with pytest.raises(ValueError):
        getattr(library.ops.linalg, name)(*map(library.KerasTensor, shapes))


@pytest.mark.parametrize("library", [keras, jkeras])
@pytest.mark.parametrize(
    "name, shape", [("fft", (2, None)), ("fft2", (None, 3)), ("ifft2", (3, None))]
)
def test_transforms_along_axes_of_unknown_size(library, name, shape):
    pair = [library.KerasTensor(shape) for _ in range(2)]
    with pytest.raises(ValueError, match="fully-defined"):
        getattr(library.ops, name)(tuple(pair))


def test_scatter_and_slice():
    assert ops.scatter(KerasTensor((5, 2)), KerasTensor((5,)), (2, 3)).shape == (2, 3)
    x = KerasTensor((None, 3))
    assert ops.slice(x, (1, 1), (-1, -1)).shape == (None, 2)
    assert ops.slice(x, KerasTensor((2,), INT), (2, -1)).shape == (2, None)
    with pytest.raises(ValueError, match="dimensions in `inputs` must match.* in `shape`"):
        ops.slice(x, (1, 1), (2, 2, 2))
    with pytest.raises(ValueError, match="dimensions in `start_indices` must match.* `inputs`"):
        ops.slice(x, (1, 1, 1), (2, 2))


def test_loops_run_nothing():
    x = KerasTensor(FLOAT)
    assert ops.while_loop(lambda v: v < 10, lambda v: [v + 1], x).shape == FLOAT
    assert [v.shape for v in ops.while_loop(lambda a, b: a < b, None, (x, x))] == [FLOAT, FLOAT]
    assert ops.fori_loop(0, 10, lambda i, v: v + i, x).shape == FLOAT


def test_loops_that_return_lists_and_arrays_of_numpy():
    def body(i, x):
        return [i + 1, np.ones(2, "float32")]

    i, x = ops.while_loop(lambda i, x: i < 3, body, (0, np.zeros(2, "float32")))
    assert (int(i), x.tolist()) == (3, [1.0, 1.0])
    ones = ops.fori_loop(0, 2, lambda i, x: np.ones(2, "float32"), np.zeros(2, "float32"))
    assert ones.tolist() == [1.0, 1.0]


def test_switch_by_a_float():
    result = ops.switch(KerasTensor(()), [lambda x: (x[:, 0], x)], KerasTensor(FLOAT))
    assert [v.shape for v in result] == [(None,), FLOAT]


def test_function_over_intermediate_tensors():
    x = Input((3,))
    y = x * 2
    z = y + 1
    function = Function(y, z)
    assert [type(o.op).__name__ for o in function.operations] == ["Op"]
    assert function.operations[0].op.class_name == "Add"
    assert function(np.ones((2, 3))).tolist() == [[2.0] * 3] * 2
    with pytest.raises(ValueError, match="invalid input structure"):
        function([np.ones((2, 3))] * 2)
    with pytest.raises(ValueError, match="incompatible inputs"):
        function(np.ones((2, 4)))
    with pytest.raises(ValueError, match="`outputs` argument cannot be empty"):
        Function(y, [])
    with pytest.raises(ValueError, match="`inputs` argument cannot be empty"):
        Function([], z)
    with pytest.raises(ValueError, match="Output .* is not connected to `inputs`"):
        Function(Input((3,)), z)


@pytest.mark.parametrize("library", [jkeras, keras], ids=["jkeras", "keras"])
@pytest.mark.parametrize(
    "sides, wrong", [((-1, 0, 5), "top_cropping"), ((0, 0, -5), "target_height")], ids=str
)
def test_a_crop_of_images_of_unknown_size_by_less_than_nothing(library, sides, wrong):
    top, left, height = sides
    x = library.KerasTensor((None, None, 3))
    with pytest.raises(ValueError, match=f"{wrong} must be >= 0"):
        library.ops.image.crop_images(x, top, left, target_height=height, target_width=5)


def tensors(library, *shapes, dtype="float32"):
    return [library.KerasTensor(shape, dtype) for shape in shapes]


@pytest.mark.parametrize("library", [jkeras, keras], ids=["jkeras", "keras"])
@pytest.mark.parametrize(
    "equation, expected",
    [
        ("...,...j->...j", (None, 3, 4, 5)),
        ("i...,...j->i...j", (None, 3, 4, 5)),
        ("i...,...j", (3, 4, None, 5)),
        ("ijk,jkl->li", (5, None)),
    ],
)
def test_an_unknown_size_is_that_of_the_axis_it_meets(library, equation, expected):
    """Of a letter, and of the axes that "..." stands for."""
    operands = tensors(library, (None, 3, 4), (None, 4, 5))
    assert library.ops.einsum(equation, *operands).shape == expected


LOOKED_AT_LATER = {
    "shapes that differ": lambda k: k.ops.psnr(*tensors(k, (None, 2, 3), (5, 6, 7)), 1.0),
    "arrays of several axes": lambda k: k.ops.meshgrid(*tensors(k, (2, 3), (2, 3, 4), (None,))),
    "in the other order": lambda k: k.ops.meshgrid(*tensors(k, (2, 3), (4,)), indexing="ij"),
    "a place beyond the last": lambda k: k.ops.argpartition(*tensors(k, (None, 3)), 3),
    "bits of floats": lambda k: k.ops.bitwise_invert(*tensors(k, (None, 3))),
    "indices that are floats": lambda k: k.ops.take_along_axis(
        *tensors(k, (None, 3), (1, 3)), axis=1
    ),
    "one axis in a tuple": lambda k: k.ops.nancumsum(*tensors(k, (None, 3)), axis=(1,)),
    "no axis in a tuple": lambda k: k.ops.nancumprod(*tensors(k, (2, 3)), axis=()),
    "sizes that do not meet": lambda k: k.ops.tensordot(*tensors(k, (None, 3, 4), (3, 4)), axes=1),
    "a diagonal of no square": lambda k: k.ops.einsum("ii", *tensors(k, (2, 3))),
    "labels of classes": lambda k: k.ops.ctc_loss(
        *tensors(k, (10, 3, 4)), *tensors(k, (10, 3), (10,), (10,), dtype="int32")
    ),
}


@pytest.mark.parametrize("case", LOOKED_AT_LATER)
def test_what_is_looked_at_when_there_are_numbers(case):
    """A graph may be made of it, as in Keras: the same shapes and dtypes."""
    specs = []
    for library in (jkeras, keras):
        outputs = LOOKED_AT_LATER[case](library)
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        specs.append([(tuple(x.shape), x.dtype) for x in outputs])
    assert specs[0] == specs[1]


def test_angles_of_another_shape():
    """The dtype is that of the numbers; Keras's symbolic form says float32."""
    symbolic = ops.nn.polar(KerasTensor((1, 2)), KerasTensor((3, 4)))
    assert (symbolic.shape, symbolic.dtype) == ((1, 2), ops.nn.polar([1.0], [0.0]).dtype)


def test_a_place_that_is_no_number():
    with pytest.raises(ValueError, match="`kth` must be an integer"):
        ops.argpartition(KerasTensor((2, 3)), (1, 3))
