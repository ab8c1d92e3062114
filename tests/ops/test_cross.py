"""Cross products of vectors in the plane and in space, whatever the version of JAX takes."""

import jax
import numpy as np
import pytest

import jkeras
from jkeras import ops

RANDOM = np.random.default_rng(0)


def in_space(x):
    return np.concatenate([x, np.zeros((*x.shape[:-1], 3 - x.shape[-1]))], -1)


@pytest.mark.parametrize("sizes", [(2, 2), (2, 3), (3, 2), (3, 3)])
def test_components(sizes):
    x1, x2 = (RANDOM.normal(size=(4, size)).astype("float32") for size in sizes)
    wanted = np.cross(in_space(x1), in_space(x2))
    if sizes == (2, 2):
        wanted = wanted[:, 2]
    np.testing.assert_allclose(ops.cross(x1, x2), wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jax.jit(ops.cross)(x1, x2), wanted, rtol=1e-5, atol=1e-6)
    moved = ops.cross(x1.T, x2.T, axisa=0, axisb=0, axisc=-1)
    np.testing.assert_allclose(moved, wanted, rtol=1e-5, atol=1e-6)
    assert ops.cross(x1.T, x2.T, axis=0).shape == wanted.T.shape
    symbolic = ops.cross(jkeras.Input(sizes[:1]), jkeras.Input(sizes[1:]))
    assert symbolic.shape == (None, *wanted.shape[1:])
    assert ops.cross(x1[0], x2).shape == wanted.shape
    assert ops.cross(np.int32([1, 2][: sizes[0]]), np.float32([3, 4])).dtype == "float32"


def test_other_components():
    with pytest.raises(ValueError, match="cross: expected 2 or 3 components.*4"):
        ops.cross(np.ones((2, 4)), np.ones((2, 4)))
