"""Dtype promotion: the rules of the lattice on random dtypes, and that the ops follow them; nothing
is computed.
"""

import itertools

import jax
import keras
import pytest
from hypothesis import strategies as st

import jkeras
from jkeras.backend import result_type
from tests.properties.tools import property_of
from tests.thinning import every

INTEGERS = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS = ["bfloat16", "float16", "float32", "float64"]
PYTHON = [int, float]
ARRAYS = [d for d in INTEGERS + FLOATS if "64" not in d]  # 64 bits are off
ANY = st.sampled_from([*INTEGERS, *FLOATS, *PYTHON, None])


def theirs(*dtypes):
    return keras.backend.result_type(*dtypes)


@property_of(300, dtypes=st.lists(ANY, max_size=4))
def test_as_in_keras(dtypes):
    assert result_type(*dtypes) == theirs(*dtypes)


@property_of(100, dtypes=st.lists(ANY, min_size=1, max_size=4), data=st.data())
def test_order_and_repetition_do_not_matter(dtypes, data):
    shuffled = data.draw(st.permutations(dtypes))
    assert result_type(*dtypes) == result_type(*shuffled) == result_type(*dtypes, dtypes[0])


@property_of(
    100,
    dtypes=st.lists(
        st.sampled_from(["bool", "int8", "int16", "int32", "float32", "bfloat16", "float16"]),
        min_size=3,
        max_size=3,
    ),
)
def test_associative_without_python_numbers(dtypes):
    """As far as the lattice is one: not with unsigned types (uint8 with int8 is int16 before it
    meets a float).
    """
    a, b, c = dtypes
    assert (
        result_type(result_type(a, b), c)
        == result_type(a, result_type(b, c))
        == result_type(a, b, c)
    )


@property_of(60, dtype=st.sampled_from(ARRAYS))
def test_laws(dtype):
    assert result_type(dtype) == result_type(dtype, dtype) == result_type(dtype, "bool") == dtype
    assert result_type(dtype, int) == (dtype if dtype != "bool" else "int32")
    assert result_type(dtype, float) == (dtype if dtype in FLOATS else "float32")


@property_of(
    40, dtypes=st.lists(ANY, max_size=3), floatx=st.sampled_from(["float16", "bfloat16", "float32"])
)
def test_follows_floatx(dtypes, floatx):
    for library in (jkeras, keras):
        library.config.set_floatx(floatx)
    try:
        assert result_type(*dtypes) == theirs(*dtypes)
    finally:
        for library in (jkeras, keras):
            library.config.set_floatx("float32")


# ---------------------------------------------------------------- ops

BINARY = {
    "where": lambda ops, a, b: ops.where(True, a, b),
    **{
        name: lambda ops, a, b, name=name: getattr(ops, name)([a, b])
        for name in ("concatenate", "stack", "vstack", "hstack")
    },
    "einsum": lambda ops, a, b: ops.einsum("ij,jk->ik", a, b),
    "tensordot": lambda ops, a, b: ops.tensordot(a, b, axes=1),
    "digitize": lambda ops, a, b: ops.digitize(a, b[0]),
    **{
        name: lambda ops, a, b, name=name: getattr(ops, name)(a, b)
        for name in (
            "add",
            "subtract",
            "multiply",
            "maximum",
            "minimum",
            "append",
            "outer",
            "dot",
            "matmul",
            "inner",
            "vdot",
            "mod",
            "floor_divide",
            "power",
            "divide",
            "true_divide",
            "divide_no_nan",
            "arctan2",
            "cross",
            "equal",
            "less",
            "not_equal",
            "greater_equal",
            "logical_and",
            "logical_or",
            "logaddexp",
            "isclose",
            "kron",
            "hypot",
            "copysign",
            "squared_difference",
            "linspace",
            "correlate",
            "searchsorted",
            "isin",
            "fmod",
            "gcd",
            "lcm",
            "bitwise_and",
            "left_shift",
            "heaviside",
            "nextafter",
            "ldexp",
        )
        if hasattr(keras.ops, name)
    },
}
ONE_AXIS = {"cross": (3,), "correlate": (3,), "searchsorted": (3,)}
UNARY = [
    name
    for name in (
        "sum",
        "mean",
        "prod",
        "max",
        "min",
        "std",
        "var",
        "all",
        "any",
        "argmax",
        "count_nonzero",
        "cumsum",
        "cumprod",
        "median",
        "sqrt",
        "exp",
        "log",
        "sin",
        "tanh",
        "abs",
        "negative",
        "sign",
        "square",
        "floor",
        "ceil",
        "round",
        "reciprocal",
        "isnan",
        "isfinite",
        "logical_not",
        "sigmoid",
        "relu",
        "gelu",
        "softmax",
        "log_softmax",
        "logsumexp",
        "ones_like",
        "zeros_like",
        "sort",
        "argsort",
        "average",
        "trunc",
        "rsqrt",
        "erf",
        "expm1",
        "log1p",
        "diff",
        "trace",
        "nan_to_num",
        "silu",
        "softplus",
        "elu",
        "selu",
        "leaky_relu",
        "relu6",
        "hard_sigmoid",
        "angle",
        "real",
        "conj",
        "transpose",
        "ravel",
        "norm",
        "nanmean",
        "nansum",
        "ptp",
        "deg2rad",
        "exp2",
        "sinc",
        "cbrt",
        "l2_normalize",
        "normalize",
        "celu",
        "glu",
        "squareplus",
        "sparse_plus",
        "soft_shrink",
        "hard_tanh",
        "log_sigmoid",
        "mish",
    )
    if hasattr(keras.ops, name)
]


def outcome(function, ops, *arguments):
    """The dtype of what an op gives, found without computing; "refused" where it raises."""
    numbers = [a for a in arguments if isinstance(a, jax.ShapeDtypeStruct)]

    def call(*arrays):
        arrays = iter(arrays)
        return function(
            ops, *(next(arrays) if isinstance(a, jax.ShapeDtypeStruct) else a for a in arguments)
        )

    try:
        return str(jax.eval_shape(call, *numbers).dtype)
    except (TypeError, ValueError):
        return "refused"


def symbolic(function, *arguments):
    """The dtype that an op announces for symbolic tensors."""
    made = [
        jkeras.KerasTensor(a.shape, str(a.dtype)) if isinstance(a, jax.ShapeDtypeStruct) else a
        for a in arguments
    ]
    return str(function(jkeras.ops, *made).dtype)


def array(dtype, shape=(3, 3)):
    return jax.ShapeDtypeStruct(shape, dtype)


def of_one(name):
    return lambda ops, x: getattr(ops, name)(x)


@pytest.mark.parametrize("name", every(2, BINARY))
@property_of(25, a=st.sampled_from(ARRAYS), b=st.sampled_from(ARRAYS))
def test_binary_ops(name, a, b):
    function, shape = BINARY[name], ONE_AXIS.get(name, (3, 3))
    expected = outcome(function, keras.ops, array(a, shape), array(b, shape))
    assert outcome(function, jkeras.ops, array(a, shape), array(b, shape)) == expected
    if expected != "refused":
        assert symbolic(function, array(a, shape), array(b, shape)) == expected


@pytest.mark.parametrize("number", [True, 3, 2.5])
@property_of(
    60,
    dtype=st.sampled_from(ARRAYS),
    left=st.booleans(),
    name=st.sampled_from(
        [
            "add",
            "subtract",
            "multiply",
            "divide",
            "maximum",
            "minimum",
            "power",
            "floor_divide",
            "mod",
            "equal",
            "where",
        ]
    ),
)
def test_python_numbers(number, dtype, left, name):
    arguments = (number, array(dtype)) if left else (array(dtype), number)
    expected = outcome(BINARY[name], keras.ops, *arguments)
    assert outcome(BINARY[name], jkeras.ops, *arguments) == expected
    if expected != "refused":
        assert symbolic(BINARY[name], *arguments) == expected


# of JAX, about limits of integers
@pytest.mark.filterwarnings("ignore:.*encountered in cast:RuntimeWarning")
@pytest.mark.parametrize("name", UNARY)
def test_unary_ops(name):
    for dtype in ARRAYS:
        expected = outcome(of_one(name), keras.ops, array(dtype, (4, 4)))
        assert outcome(of_one(name), jkeras.ops, array(dtype, (4, 4))) == expected, dtype
        if expected != "refused":
            assert symbolic(of_one(name), array(dtype, (4, 4))) == expected, dtype


@pytest.mark.parametrize(
    "name",
    [
        "add",
        "subtract",
        "multiply",
        "maximum",
        "minimum",
        "where",
        "append",
        "concatenate",
        "stack",
        "outer",
        "dot",
    ],
)
def test_ops_follow_the_lattice(name):
    for a, b in itertools.combinations_with_replacement(ARRAYS, 2):
        if (name, a, b) != ("subtract", "bool", "bool"):  # numpy refuses
            assert outcome(BINARY[name], jkeras.ops, array(a), array(b)) == result_type(a, b), (
                a,
                b,
            )
