"""What is said of the rows of a batch is true: of each layer, and of functions that bring rows
together.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras.programs.batch_independence import are_independent
from tests.common.table import ROWS
from tests.common.test_layers import INFERENCE, Bench
from tests.thinning import every

X = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
TABLE = X[:3]


@pytest.mark.parametrize(
    "mix",
    [
        lambda x: x - x.mean(0),
        lambda x: x @ x.T,
        lambda x: x[::-1],
        lambda x: jnp.sort(x, 0),
        lambda x: jnp.cumsum(x, 0),
        lambda x: x / x.shape[0],
        lambda x: x[jnp.array([0, 0, 1, 2])],
        lambda x: jnp.roll(x, 1, 0),
        lambda x: x[:2],
        lambda x: jnp.concatenate([x, x]),
        lambda x: x.T,
        lambda x: x.sum(),
        lambda x: jnp.ones((3, 2)),
        lambda x: jax.lax.scan(lambda c, v: (c + v, c), x[0] * 0, x)[1],
        lambda x: x.reshape(-1),
        lambda x: jax.lax.fori_loop(0, 2, lambda i, v: v - v.max(0), x),
        lambda x: jnp.where(x.sum() > 0, x, -x),
        lambda x: jax.lax.cond(x[0, 0] > 0, lambda v: v, lambda v: -v, x),
        lambda x: x.at[0].set(0.0),
        lambda x: jax.lax.associative_scan(jnp.add, x),
        lambda x: x[:, None] * x[None],
        lambda x: TABLE @ x.T,
        lambda x: jnp.linalg.norm(x) * x,
        lambda x: jax.nn.softmax(x, axis=0),
        lambda x: x + x[:1],
        lambda x: jnp.tile(x, (2, 1)),
        lambda x: jnp.stack(jnp.unstack(x)[::-1]),
        lambda x: jnp.tile(x.reshape(-1, 1), (2, 1)).reshape(-1, 5),
    ],
)
def test_rows_that_come_together(mix):
    assert not are_independent(mix, batch=X)


@pytest.mark.parametrize(
    "single",
    [
        lambda x: x,
        lambda x: jax.nn.softmax(x @ TABLE.T),
        lambda x: jnp.sort(x, 1),
        lambda x: x[:, ::-1],
        lambda x: x.reshape(-1, 5, 1).transpose(0, 2, 1),
        lambda x: jnp.take(TABLE, x.astype(int) % 3, axis=0),
        lambda x: jnp.take_along_axis(x, jnp.argsort(x, 1), 1),
        lambda x: jnp.concatenate([x, x], 1),
        lambda x: x[:, 1:3],
        lambda x: jax.lax.scan(lambda c, v: (c + v, c * v), x[:, 0] * 0, x.T)[1].T,
        lambda x: x + jnp.arange(5),
        lambda x: jax.nn.relu(x),
        lambda x: jnp.where(x > 0, x, 0),
        lambda x: jnp.pad(x, ((0, 0), (1, 1))),
        lambda x: x[:, jnp.array([1, 1, 0])],
        lambda x: jnp.einsum("bi,bj->bij", x, x),
        lambda x: jax.lax.top_k(x, 2),
        lambda x: {"a": x.argmax(1), "b": [x.sum(1), x > 0]},
        lambda x: jnp.cumsum(x, 1),
        lambda x: jnp.split(x, [2], 1),
        lambda x: jnp.tile(x, (1, 2)),
        lambda x: jnp.unstack(x, axis=1),
        lambda x: jnp.unstack(x[None], axis=0)[0],
    ],
)
def test_rows_for_themselves(single):
    assert are_independent(single, batch=X)
    padded = jax.tree_util.tree_map(lambda v: v[:4], single(np.concatenate([X, X[:1] + 1])))
    jax.tree_util.tree_map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), padded, single(X)
    )


USUAL = {
    "Dense",
    "Conv2D",
    "MaxPooling2D",
    "LSTM",
    "GRU",
    "Embedding",
    "BatchNormalization",
    "LayerNormalization",
    "MultiHeadAttention",
    "Dropout",
    "Flatten",
    "Bidirectional",
    "TimeDistributed",
    "SeparableConv2D",
}


@pytest.mark.parametrize(
    "row", every(4, [row for row in ROWS if not row.texts], slow=2), ids=lambda row: row.layer
)
def test_layers(row):
    """Where a layer is said to keep rows apart, added rows change nothing; it is said of what
    models are made of.
    """
    bench = Bench(row)
    layer, params, state = bench.layer, bench.params, bench.state
    run = lambda params, x: layer.apply(params, state, *x, **INFERENCE)[0]
    said = are_independent(run, params, batch=bench.inputs)
    assert said or row.layer not in USUAL
    if said:
        more = jax.tree_util.tree_map(lambda v: np.concatenate([v, v[-1:], v[:1]]), bench.inputs)
        kept = jax.tree_util.tree_map(lambda v: v[:2], jax.jit(run)(params, more))
        jax.tree_util.tree_map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
            kept,
            jax.jit(run)(params, bench.inputs),
        )


@pytest.mark.parametrize(
    "shape, is_apart",
    [
        (lambda n: (n, 4), True),
        (lambda n: (n, 1), True),
        (lambda n: (4,), True),
        (lambda n: (1, n, 4), False),  # a number follows from its index among all
        (lambda n: (2, n, 4), False),
    ],
)
def test_what_is_drawn_stays_as_it_is_with_more_rows_where_they_come_first(shape, is_apart):
    def noisy(x):
        noise = jax.random.normal(jax.random.key(1), shape(len(x)))
        return x + noise.reshape(-1, *noise.shape[-2:]).sum(0) if noise.ndim == 3 else x + noise

    assert are_independent(noisy, batch=np.ones((5, 4), "float32")) == is_apart
