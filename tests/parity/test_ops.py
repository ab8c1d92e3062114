"""Ops on symbolic tensors with unknown sizes, and mistakes: what both libraries say."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jkeras
from tests.parity.both import LIBRARIES


class Sym:
    """A KerasTensor of a table."""

    def __init__(self, *shape, dtype="float32"):
        self.shape, self.dtype = shape, dtype

    def __repr__(self):
        return "x".join(map(str, self.shape)) + ("" if self.dtype == "float32" else self.dtype)


def make(library, value):
    """A value of a table for one library."""
    if isinstance(value, Sym):
        return library.KerasTensor(value.shape, dtype=value.dtype)
    return [make(library, v) for v in value] if type(value) is list else value


def call(library, name, args, kwargs):
    return getattr(library.ops, name)(*(make(library, a) for a in args), **kwargs)


def spec(outputs):
    """Shapes and dtypes."""
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return [(tuple(out.shape), str(out.dtype)) for out in outputs]


def ids(table):
    return [f"{name}-{i}" for i, (name, *_) in enumerate(table)]


IDS = Sym(None, dtype="int32")

SYMBOLIC = [
    ("append", (Sym(None, 3), Sym(2, 3)), dict(axis=-1)),
    ("append", (Sym(2, 3), Sym(None, 3)), dict(axis=-1)),
    ("append", (Sym(4, 3), Sym(2, 3)), {}),
    ("stack", ([Sym(None, 3), Sym(2, 3)],), {}),
    ("stack", ([Sym(2, None), Sym(2, 3)],), dict(axis=-1)),
    ("hstack", ([Sym(None, 3), Sym(2, 3)],), {}),
    ("vstack", ([Sym(2, None), Sym(2, 3)],), {}),
    ("vstack", ([Sym(None, 3), Sym(2, 3)],), {}),
    ("dstack", ([Sym(None, 3), Sym(2, 3)],), {}),
    ("dstack", ([Sym(None), Sym(3)],), {}),
    ("diagflat", (Sym(None, None, None),), dict(k=2)),
    ("diagflat", (Sym(None, 5),), {}),
    ("repeat", (Sym(None, 3), np.array([1, 2, 1])), dict(axis=0)),
    ("repeat", (Sym(None, 3), [1, 2, 1]), dict(axis=1)),
    ("unstack", (Sym(4, None),), dict(num=4, axis=-2)),
    ("unstack", (Sym(4, None),), dict(num=3, axis=1)),
    ("full_like", (Sym(None, 3), np.ones((2, 3))), {}),
    ("vdot", (Sym(None, 4), jnp.ones((3, 4))), {}),
    ("cdist", (Sym(None, 3, 4), jnp.ones((2, 5, 4))), {}),
    ("linspace", (Sym(None, 4), Sym(3, 4)), dict(num=3)),
    ("linspace", (Sym(None, None), jnp.ones((2, 3, 4))), dict(num=3, axis=1)),
    ("geomspace", (Sym(None), Sym(3)), {}),
    ("take_along_axis", (Sym(None, 5), jnp.zeros((3, 2), "int32")), dict(axis=1)),
    ("segment_sum", (Sym(None, 4), jnp.array([0, 1])), dict(num_segments=3)),
    ("segment_max", (Sym(2, 4), IDS), dict(num_segments=3)),
    (
        "scatter_update",
        (Sym(None, 4), [[0], [1]], Sym(None, 4, dtype="int32")),
        dict(reduction="ADD"),
    ),
    ("scatter_update", (Sym(None, None), Sym(None, None, dtype="int32"), IDS), {}),
    ("in_top_k", (IDS, jnp.ones((3, 4)), 1), {}),
    ("in_top_k", (jnp.array([0, 1, 0]), Sym(None, 4), 1), {}),
    ("cdist", (Sym(2, None, 4), Sym(None, 5, 4)), {}),
    ("cdist", (Sym(2, None, None), Sym(None, 5, 4)), {}),
    ("segment_sum", (Sym(None, 4), IDS), {}),
    ("segment_max", (Sym(6), IDS), {}),
    ("view_as_complex", (Sym(None, None),), {}),
    ("cholesky_inverse", (Sym(None, 3, 3),), {}),
    ("slice_update", (jnp.ones((3, 4)), (0, 0), Sym(None, 2)), {}),
    ("slice", (Sym(None, 4), IDS, (1, 2)), {}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), SYMBOLIC, ids=ids(SYMBOLIC))
def test_unknown_sizes(name, args, kwargs):
    mine, theirs = (call(k, name, args, kwargs) for k in LIBRARIES)
    assert spec(mine) == spec(theirs)


MISTAKES = [
    ("mean", (Sym(None, 3),), dict(axis=2)),
    ("var", (Sym(3),), dict(axis=-2)),
    ("swapaxes", (Sym(2, 3), 0, 2), {}),
    ("squeeze", (Sym(None, 3),), dict(axis=2)),
    ("unstack", (Sym(2, 3),), dict(axis=2)),
    ("expand_dims", (Sym(2), 5), {}),
    ("repeat", (Sym(2, 3), 2), dict(axis=3)),
    ("dsplit", (Sym(3, 4), 1), {}),
    ("matmul", (Sym(2, 3), Sym()), {}),
    ("split", (Sym(None, 3), 2), dict(axis=2)),
    ("unique", (Sym(2, 3),), dict(axis=2, size=2)),
    ("concatenate", ([Sym(None, 3), Sym(None, 3)],), dict(axis=2)),
    ("stack", ([Sym(None, 3), Sym(2, 4)],), {}),
    ("reshape", (Sym(2, 3), (0, -1)), {}),
    ("reshape", (Sym(2, 3), (4, -1)), {}),
    ("unstack", (Sym(None, 3),), {}),
    ("vsplit", (Sym(None), 2), {}),
    ("hsplit", (Sym(), 1), {}),
    ("scatter_update", (Sym(None, 4), [[0], [1]], Sym(2, 4)), dict(reduction="foo")),
    ("qr", (jnp.ones(3),), {}),
    ("zeros", (3,), dict(dtype="foo")),
    ("cast", (jnp.ones(3), "foo"), {}),
    ("linspace", (0, 1), dict(dtype="foo")),
    ("slice", (Sym(2, 3), IDS, (2,)), {}),
    ("stft", (jnp.ones(4), 2, 1, 8), dict(center=False)),
    ("cdist", (Sym(None, 4), Sym(2, 3)), {}),
    ("segment_sum", (jnp.ones(()), jnp.zeros((), "int32")), dict(num_segments=2)),
    ("conv", (Sym(None, 5, 3), jnp.ones((2, 3, 4))), dict(padding="foo")),
    ("depthwise_conv", (Sym(None, 5, 3), jnp.ones((2, 3, 1))), dict(padding="foo")),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), MISTAKES, ids=ids(MISTAKES))
def test_mistake(name, args, kwargs):
    with pytest.raises(Exception) as theirs:  # noqa: PT011  # it says which
        call(keras, name, args, kwargs)
    with pytest.raises(theirs.type):
        call(jkeras, name, args, kwargs)


def test_unstack_takes_all_slices():
    """`num` is for symbolic tensors; of an array there are as many slices as there are."""
    assert [len(k.ops.unstack(jnp.ones((4, 2)), num=3)) for k in LIBRARIES] == [4, 4]


def test_associative_scan_reversed_from_the_last_axis():
    x = np.arange(6.0, dtype="float32").reshape(2, 3)
    scanned = jkeras.ops.associative_scan(jnp.add, x, reverse=True, axis=-1)
    np.testing.assert_array_equal(scanned, np.cumsum(x[:, ::-1], axis=1)[:, ::-1])


CASTS = [
    (2**40, "float32"),
    (np.array([2**40, -(2**33)]), "float32"),
    (np.array([2**40, 3]), "bool"),
    ([1.7, -1.7], "int32"),
    (np.array([1.7, -1.7]), "int8"),
    (True, "float32"),
    (np.arange(3), None),
    ([[1, 2], [3, 4.5]], "bfloat16"),
    (jnp.array([2.5, -3.5]), "int32"),
    (7, "bool"),
]


@pytest.mark.parametrize(
    ("value", "dtype"), CASTS, ids=[f"{i}-{dtype}" for i, (_, dtype) in enumerate(CASTS)]
)
def test_cast_of_numbers_beyond_int32(value, dtype):
    for name in ("cast", "convert_to_tensor"):
        mine, theirs = (getattr(k.ops, name)(value, dtype) for k in LIBRARIES)
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("upper", [False, True])
def test_cholesky_inverse_of_a_stack(upper):
    """As documented; Keras on JAX takes single matrices only."""
    factors = jnp.tril(jnp.arange(18.0).reshape(2, 3, 3) + 1)
    factors = factors.mT if upper else factors
    each = jnp.stack([jkeras.ops.cholesky_inverse(f, upper) for f in factors])
    np.testing.assert_allclose(jkeras.ops.cholesky_inverse(factors, upper), each, rtol=1e-5)
