"""Lengths of rows' gradients by ghosts, and clipped sums, beside a gradient for each row."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, privacy
from tests.common.table import ROWS, arrays
from tests.parity.both import make
from tests.thinning import every

RANDOM = np.random.default_rng(0)
NUMBERS = RANDOM.normal(size=(5, 7, 4)).astype("float32")


def gradients(loss, params, *rows):
    """A tree of the gradients of rows, one after the other."""
    count = len(jax.tree_util.tree_leaves(rows)[0])
    slope = jax.jit(jax.grad(lambda params, row: loss(params, *row)))
    row = lambda i: jax.tree_util.tree_map(lambda v: v[i], rows)  # noqa: E731
    found = [slope(params, row(i)) for i in range(count)]
    return jax.tree_util.tree_map(lambda *leaves: np.stack(leaves), *found)


def lengths(tree):
    leaves = [np.float64(leaf).reshape(len(leaf), -1) for leaf in jax.tree_util.tree_leaves(tree)]
    return np.sqrt(sum((leaf**2).sum(1) for leaf in leaves))


def check(loss, params, x, y, norms="ghost"):
    """Sums and lengths as by definition, with a bound that some rows are below."""
    by_row = gradients(loss, params, x, y)
    wanted = lengths(by_row)
    clip = float(np.median(wanted))
    total, found = jax.jit(privacy.clipped_grad(loss, clip, norms=norms))(params, x, y)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7)
    factors = np.minimum(1, clip / np.maximum(wanted, 1e-30))
    for ours, rows in zip(*map(jax.tree_util.tree_leaves, (total, by_row))):
        expected = np.tensordot(factors, np.float64(rows), (0, 0))
        added = np.tensordot(factors, np.abs(np.float64(rows)), (0, 0)).max()
        # rows are clipped by lengths that have what rounding may hide added, so a little more
        np.testing.assert_allclose(ours, expected, rtol=0, atol=3e-6 * max(1, added))


@pytest.mark.promise("the gradients of its params are made by row")
@pytest.mark.promise("The length of a row's gradient")
@pytest.mark.promise("makes a gradient for each")
@pytest.mark.promise("and sums the rows, as they are scaled, from the same numbers")
@pytest.mark.parametrize("row", every(6, ROWS, slow=2), ids=lambda row: row.layer)
def test_every_layer(row):
    if row.texts:
        pytest.skip("texts stay on the host")
    layer = getattr(layers, row.layer)(**{k: make(jkeras, v) for k, v in row.kwargs.items()})
    inputs = arrays(row, row.inputs)
    params, state = layer.init(jax.random.key(1), *inputs)
    if not jax.tree_util.tree_leaves(params):
        pytest.skip("nothing to train")

    def loss(params, x, y):
        alone = jax.tree_util.tree_map(lambda v: v[None], x)
        outputs, _ = layer.apply(params, state, *alone, training=False)
        leaves = jax.tree_util.tree_leaves(outputs)
        reals = [v for v in leaves if jnp.issubdtype(v.dtype, jnp.floating)]
        return sum(jnp.sum(jnp.sin(v * (1 + i))) for i, v in enumerate(reals)) * y

    count = len(jax.tree_util.tree_leaves(inputs)[0])
    check(loss, params, inputs, np.arange(1.0, 1 + count, dtype="float32"))


def shared():
    tower = layers.Dense(4, activation="tanh")
    inputs = jkeras.Input((7, 4))
    return jkeras.Model(inputs, layers.Dense(3)(layers.Flatten()(tower(tower(inputs)))))


def tied():
    """One table at both ends."""
    inputs = jkeras.Input((7,))
    table = layers.ReversibleEmbedding(20, 6)
    return jkeras.Model(inputs, table(table(inputs), reverse=True))


def convolutional():
    return jkeras.Sequential(
        [
            jkeras.Input((9, 8, 3)),
            layers.Conv2D(5, 3, strides=2, activation="relu"),
            layers.Conv2D(4, (2, 1), padding="same", dilation_rate=2),
            layers.DepthwiseConv2D(2),
            layers.GroupNormalization(2),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, kernel_regularizer="l2"),
        ]
    )


def words():
    return jkeras.Sequential(
        [
            jkeras.Input((7,)),
            layers.Embedding(20, 8, mask_zero=True),
            layers.LayerNormalization(),
            layers.EinsumDense("abc,cde->abde", (7, 2, 3), bias_axes="d"),
            layers.Reshape((7, 6)),
            layers.LSTM(4),
            layers.Dense(3),
        ]
    )


@pytest.mark.promise("Where an operation has")
@pytest.mark.parametrize("norms", ["ghost", "vmap"])
@pytest.mark.parametrize(
    "build, x",
    [
        (shared, NUMBERS),
        (tied, RANDOM.integers(0, 20, (5, 7))),
        (convolutional, RANDOM.normal(size=(5, 9, 8, 3)).astype("float32")),
        (words, RANDOM.integers(0, 20, (5, 7))),
    ],
)
def test_models(build, x, norms):
    jkeras.utils.set_random_seed(0)
    model = build()

    def loss(params, x, y):
        outputs, _ = model.apply(params, model.state, x[None])
        penalty = 0.01 * sum(jnp.sum(v**2) for v in jax.tree_util.tree_leaves(params))
        return -jax.nn.log_softmax(outputs.reshape(-1))[y] + penalty

    check(loss, model.params, x, RANDOM.integers(0, 3, 5), norms)


def test_rows_out_of_a_table():
    """Indices that are not there have no gradient, or that of the last row."""
    table = RANDOM.normal(size=(6, 3)).astype("float32")
    x = np.array([[0, 5, 5, 9], [1, 1, 1, 1], [7, 8, 9, 10]])
    for mode in ("clip", "fill"):
        loss = lambda w, x, y, m=mode: jnp.sum(  # noqa: E731
            jnp.where(jnp.isnan(v := jnp.take(w, x, axis=0, mode=m)), 0, v) ** 2 * y
        )
        check(loss, table, x, np.array([1.0, 2.0, 3.0], "float32"))


@pytest.mark.promise("The length of a row's gradient does not take the gradient")
def test_memory_of_ghosts():
    """No array of rows by params."""
    wide = [layers.Dense(512, activation="relu") for _ in range(2)]
    model = jkeras.Sequential([jkeras.Input((784,)), *wide, layers.Dense(10)])
    params = model.params

    def loss(params, x, y):
        return -jax.nn.log_softmax(model.apply(params, {}, x[None])[0][0])[y]

    x, y = jnp.ones((256, 784)), jnp.zeros(256, int)

    def temporaries(function):
        compiled = jax.jit(function).lower(params, x, y).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    plain = temporaries(jax.grad(lambda p, x, y: jnp.mean(jax.vmap(loss, (None, 0, 0))(p, x, y))))
    assert temporaries(privacy.clipped_grad(loss)) <= 1.75 * plain
    assert temporaries(privacy.clipped_grad(loss, norms="vmap")) > 100 * plain
