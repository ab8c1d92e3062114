"""Places of extrema against numpy: ties, NaN, infinities, types, axes, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras.ops.kernels_extrema import FEWEST, place_of_largest, place_of_smallest

SIZES = FEWEST - 1, FEWEST, 3 * FEWEST


def values(size, dtype):
    """Rows with ties; of floats also with NaN, infinities, all alike, zeros of both signs."""
    rows = np.random.default_rng(size).integers(-3, 4, size=(12, size)).astype("float32")
    if dtype in ("float32", "bfloat16"):
        rows[0, [5, 9]] = np.nan
        rows[1, [7, 8]] = np.inf
        rows[2, 3] = -np.inf
        rows[3] = -np.inf
        rows[4] = np.nan
        rows[5] = 0.0
        rows[5, ::2] = -0.0
    return rows.astype(dtype)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32", "uint8", "bool"])
def test_places_beside_numpy(size, dtype):
    x = values(size, jnp.dtype(dtype))
    for place, numpys in ((place_of_largest, np.argmax), (place_of_smallest, np.argmin)):
        for axis in (-1, 0):
            given = x if axis else x.T.copy()
            found = place(jnp.asarray(given), axis)
            wanted = numpys(given.astype("float32"), axis)
            np.testing.assert_array_equal(found, wanted)
            assert found.dtype == jnp.argmax(jnp.zeros(1)).dtype
            mapped = jax.vmap(lambda row, place=place: place(row))(jnp.asarray(x))
            np.testing.assert_array_equal(mapped, numpys(x.astype("float32"), -1))


def test_derivatives_are_those_of_a_constant():
    x = jnp.sin(jnp.arange(2.0 * FEWEST))
    loss = lambda x: jnp.sum(x**2 * (place_of_largest(x) + 1))
    np.testing.assert_allclose(jax.grad(loss)(x), 2 * x * (jnp.argmax(x) + 1), rtol=1e-6)
    np.testing.assert_allclose(jax.jacfwd(loss)(x), jax.grad(loss)(x), rtol=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_ops_and_metrics(size):
    x = np.random.default_rng(0).integers(0, 9, size=(2, size, 3)).astype("float32")
    for name in ("argmax", "argmin"):
        op, numpys = getattr(jkeras.ops, name), getattr(np, name)
        for axis in (None, 1, -2):
            for keepdims in (False, True):
                wanted = numpys(x, axis, keepdims=keepdims)
                np.testing.assert_array_equal(op(x, axis, keepdims=keepdims), wanted)
    scores, labels = x[..., 0], np.array([3, int(x[1, :, 0].argmax())])
    hits = jkeras.metrics.sparse_categorical_accuracy(labels, scores)
    np.testing.assert_array_equal(hits, scores.argmax(-1) == labels)
