"""No row of any data moves the sum of clipped gradients of any model by more than the bound; and no
function is said to keep rows apart where a change of one row changes another.

`JKERAS_EXAMPLES=300` draws many others, and a failure shows the seed.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

import jkeras
from jkeras import layers, ops, privacy
from jkeras.ops.kernels import traced_for
from jkeras.programs.batch_independence import SIZES, are_independent, check_apart
from jkeras.programs.walk import Unreadable
from tests.properties.tools import SEEDS, start_afresh, property_of

ROWS, STEPS, SIZE = 4, 6, 8
# the flags of these tests have numbers that are used twice computed in two ways, which round
# differently: those of a length and of a sum, by 1e-4 where a normalization leaves few digits
AS_EVERYWHERE = {"xla_backend_optimization_level": 1}
SCALES = (1e-4, 1e-2, 1.0, 1e2, 1e4)


# ---------------------------------------------------------------- clipped gradients


def sequences(rng):
    """Layers from sequences to sequences."""
    return [
        lambda: layers.Dense(SIZE, activation=rng.choice(["relu", "tanh", "gelu"])),
        lambda: layers.Conv1D(SIZE, 3, padding="same", groups=int(rng.choice([1, 2]))),
        lambda: layers.DepthwiseConv1D(2, padding="same"),
        lambda: layers.LSTM(SIZE, return_sequences=True),
        lambda: layers.GRU(SIZE, return_sequences=True),
        lambda: layers.LayerNormalization(),
        lambda: layers.GroupNormalization(2),
        lambda: layers.EinsumDense("abc,cd->abd", (STEPS, SIZE), bias_axes="d"),
        lambda: layers.PReLU(),
        lambda: layers.SeparableConv1D(SIZE, 2, padding="same"),
        lambda: layers.Conv1DTranspose(SIZE, 2, padding="same"),
        lambda: layers.Bidirectional(layers.GRU(SIZE // 2, return_sequences=True)),
        lambda: layers.SimpleRNN(SIZE, return_sequences=True, unroll=bool(rng.integers(2))),
        lambda: layers.RMSNormalization(),
        lambda: layers.UnitNormalization(),
        lambda: layers.TimeDistributed(layers.Dense(SIZE, kernel_regularizer="l2")),
        lambda: layers.Dense(SIZE, dtype=rng.choice(["mixed_bfloat16", "bfloat16"])),
        lambda: layers.Dense(SIZE, "relu", trainable=False),
        lambda: layers.Lambda(lambda x: ops.gelu(x) / (1 + ops.square(x))),
        nested,
        by_frames,
        lambda: rng.choice([attends, divides, weighs])(),
    ]


def nested():
    """A model in a model, which calls one of its layers twice."""
    shared = layers.Dense(SIZE, "tanh")
    inputs = jkeras.Input((STEPS, SIZE))
    return jkeras.Model(inputs, shared(shared(inputs)) * 2.0)


def by_frames():
    """A sequence as frames of a film."""
    parts = [
        layers.Reshape((STEPS, 4, 2)),
        layers.ConvLSTM1D(2, 3, padding="same", return_sequences=True),
        layers.Reshape((STEPS, SIZE)),
    ]
    return jkeras.Sequential([jkeras.Input((STEPS, SIZE)), *parts])


def attends():
    layer = layers.GroupQueryAttention(4, 4, 2)
    return lambda x: layer(x, x, use_causal_mask=True)


def divides():
    one, other = layers.Dense(SIZE), layers.Dense(SIZE)
    return lambda x: one(x) / (1.0 + abs(other(x)))


def weighs():
    """A product of two sequences."""
    one, attention = layers.Dense(SIZE), layers.AdditiveAttention()
    return lambda x: ops.softmax(x @ ops.transpose(one(x), (0, 2, 1))) @ attention([x, one(x)])


def drawn_model(rng):
    """Two inputs, shared and several layers, masks, operators, and one of several ends."""
    numbers = jkeras.Input((STEPS, SIZE), name="numbers")
    words = jkeras.Input((STEPS,), dtype="int32", name="words")
    x = layers.Embedding(5, SIZE, mask_zero=bool(rng.integers(2)))(words)
    x = x + numbers if rng.integers(2) else layers.Concatenate()([x, numbers])
    for _ in range(rng.integers(1, 4)):
        choices = sequences(rng)
        if x.shape[-1] != SIZE:  # some are for this size alone
            x = layers.Dense(SIZE)(x)
        layer = choices[rng.integers(len(choices))]()
        before, x = x, layer(x)
        if rng.integers(4) == 0 and x.shape == before.shape:
            x = layer(x)  # shared
    if rng.integers(2):
        x = x - layers.MultiHeadAttention(2, 4)(x, x)
    end = rng.integers(3)
    if end == 0:  # a choice among places, whose slopes cancel
        return jkeras.Model([numbers, words], layers.Flatten()(layers.Dense(1)(x)))
    if end == 1:
        x = layers.GlobalAveragePooling1D()(x)
    return jkeras.Model([numbers, words], layers.Dense(STEPS)(layers.Flatten()(x)))


def drawn_images(rng):
    """Layers of two or three dimensions, with two outputs and dropout."""
    dimensions = int(rng.choice([2, 3]))

    def of(kind):
        return getattr(layers, kind.format(dimensions))

    def separable():
        return of("SeparableConv{}D" if dimensions == 2 else "Conv{}D")(SIZE, 2)

    choices = [
        lambda: of("Conv{}D")(SIZE, 3, padding="same", strides=int(rng.choice([1, 2]))),
        lambda: of("Conv{}D")(SIZE, 2, dilation_rate=2, padding="same", groups=2),
        lambda: of("Conv{}DTranspose")(SIZE, 2, padding=rng.choice(["same", "valid"])),
        separable,
        lambda: layers.DepthwiseConv2D(2) if dimensions == 2 else layers.UnitNormalization(),
        lambda: layers.GroupNormalization(2),
        lambda: layers.LayerNormalization(axis=list(range(1, dimensions + 2))),
        lambda: of("AveragePooling{}D")(2, padding="same"),
        lambda: of("MaxPooling{}D")(2, padding="same"),
        lambda: of("UpSampling{}D")(2),
        lambda: of("ZeroPadding{}D")(1),
        lambda: of("SpatialDropout{}D")(0.3),
        lambda: layers.Dropout(0.5),
        lambda: layers.GaussianNoise(0.5),
        lambda: layers.Dense(SIZE, "relu", dtype=rng.choice(["float16", "mixed_float16"])),
        lambda: layers.PReLU(shared_axes=list(range(1, dimensions + 1))),
    ]
    images = jkeras.Input((4,) * dimensions + (SIZE,))
    x = layers.Dense(SIZE)(images)
    for _ in range(rng.integers(1, 4)):
        x = choices[rng.integers(len(choices))]()(x)
    mean, rest = of("GlobalAveragePooling{}D")()(x), layers.Flatten()(x)
    head = layers.Dense(STEPS)
    return jkeras.Model([images], [head(mean) - head(mean * mean), layers.Dense(STEPS)(rest)])


def drawn_numbers(rng, *shape):
    """Numbers of some scale and distance from zero, some of it common to all places."""
    x = rng.choice(SCALES) * rng.normal(size=(ROWS, *shape))
    common = (1,) * (len(shape) - 1) + (int(rng.choice([1, SIZE])),)
    x += rng.choice([0, *SCALES]) * rng.normal(size=(ROWS, *common))
    return np.float32(x)


def drawn_inputs(rng, model):
    """Rows of numbers or ids for each input of a model."""
    return tuple(
        drawn_numbers(rng, *one.shape[1:])
        if one.dtype == "float32"
        else rng.integers(0, 5, (ROWS, *one.shape[1:]))
        for one in model.inputs
    )


def length(tree):
    leaves = jax.tree_util.tree_leaves(tree)
    return np.sqrt(sum((np.float64(leaf) ** 2).sum() for leaf in leaves))


@pytest.mark.filterwarnings("ignore::UserWarning")  # masks that end
@pytest.mark.parametrize("draw", [drawn_model, drawn_images])
@property_of(examples=2, seed=SEEDS, norms=st.sampled_from(["ghost", "ghost", "ghost", "vmap"]))
def test_no_row_moves_the_sum_by_more_than_the_bound(draw, seed, norms):
    rng = np.random.default_rng(seed)
    start_afresh(seed)
    model = draw(rng)
    clipping = rng.choice(["flat", "flat", "per_layer", "automatic"])
    how = {"training": True, "rng": jax.random.key(seed)} if draw is drawn_images else {}

    def loss(params, x, y):
        outputs, _ = model.apply(params, model.state, [v[None] for v in x], **how)
        logits = jnp.float32(jnp.concatenate(jax.tree_util.tree_leaves(outputs)))
        return -jax.nn.log_softmax(logits)[:, y].sum()

    summed = privacy.clipped_grad(loss, 1.0, clipping=clipping, norms=norms)
    summed = jax.jit(summed, compiler_options=AS_EVERYWHERE)
    for _ in range(6):
        x, y = drawn_inputs(rng, model), rng.integers(0, STEPS, ROWS)
        whole, _ = summed(model.params, x, y, np.ones(ROWS, bool))
        assert length(whole) < np.inf
        for row in range(ROWS):
            alone, _ = summed(model.params, x, y, np.arange(ROWS) == row)
            assert length(alone) <= 1 + 1e-6
            rest, _ = summed(model.params, x, y, np.arange(ROWS) != row)
            change = jax.tree_util.tree_map(lambda a, b: np.float64(a) - b, whole, rest)
            assert length(change) <= 1 + 1e-5  # the rounding of a sum of four


# ---------------------------------------------------------------- rows


def steps(rng):
    """Functions of (rows, 4, 3), most of which keep rows apart."""
    axis, places = int(rng.integers(3)), rng.permutation(4)
    weights = jnp.asarray(rng.normal(size=(3, 3)))
    return [
        jnp.tanh,
        lambda x: x @ weights,
        lambda x: x + jnp.arange(3.0),
        lambda x: jnp.flip(x, axis),
        lambda x: jnp.roll(x, 1, axis),
        lambda x: jnp.cumsum(x, axis),
        lambda x: jnp.sort(x, axis),
        lambda x: x - x.mean(axis, keepdims=True),
        lambda x: jax.nn.softmax(x, axis),
        lambda x: x[:, places],
        lambda x: x * x[:, :1],
        lambda x: x * x[:1],
        lambda x: jnp.where(x > 0, x, x.min(axis, keepdims=True)),
        lambda x: jnp.tanh(x.reshape(-1, 3)).reshape(-1, 4, 3),
        lambda x: x.reshape(-1, 3)[::-1].reshape(-1, 4, 3),
        lambda x: x.reshape(-1, 2, 6)[:, ::-1].reshape(-1, 4, 3),
        lambda x: x.reshape(4, -1, 3).swapaxes(0, 1),
        lambda x: x.transpose(1, 0, 2).reshape(-1, 3).reshape(4, -1, 3).transpose(1, 0, 2),
        lambda x: x.transpose(1, 0, 2).reshape(-1, 4, 3),
        lambda x: x + x.transpose(1, 0, 2).reshape(-1, 4, 3),
        lambda x: jnp.einsum("abc,adc->abd", x, x) @ jnp.ones((4, 3)),
        lambda x: jnp.einsum("abc,dbc->abc", x, x),
        lambda x: jnp.concatenate([x[:, 2:], x[:, :2]], 1),
        lambda x: jnp.concatenate([x[2:], x[:2]]),
        lambda x: jax.lax.scan(lambda c, v: (c + v, c * v), 0 * x[:, 0], x.swapaxes(0, 1))[
            1
        ].swapaxes(0, 1),
        lambda x: jax.lax.scan(lambda c, v: (c + v, c * v), jnp.zeros((4, 3)), x)[1],
        lambda x: jax.lax.fori_loop(0, 2, lambda i, v: v * 0.5 + jnp.flip(v, axis), x),
        lambda x: jnp.abs(jnp.fft.fft(x, axis=axis)),
        lambda x: jax.lax.cond(jnp.ones(()) > 0, jnp.sin, lambda v: jnp.flip(v, axis), x),
        lambda x: jax.lax.cond(x[0, 0, 0] > 0, jnp.sin, jnp.cos, x),
        lambda x: jnp.take_along_axis(x, jnp.argsort(x, axis), axis),
        lambda x: x.at[:, 0].set(1.0),
        lambda x: x.at[0].add(x[1]),
        lambda x: jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 1), (1, 1, 1), "SAME"),
        lambda x: jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (2, 1, 1), (1, 1, 1), "SAME"),
        lambda x: jnp.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1],
        lambda x: jnp.pad(x, ((1, 0), (0, 0), (0, 0)))[:-1],
        lambda x: jax.vmap(lambda row: row @ row.T @ row)(x),
        lambda x: x * jnp.linalg.norm(x, axis=axis, keepdims=True),
        lambda x: jnp.stack([x, 2 * x], axis).sum(axis),
        lambda x: jnp.repeat(x, 2, axis=1)[:, ::2],
        lambda x: jnp.repeat(x, 2, axis=0)[::2],
        lambda x: jnp.tile(x, (2, 1, 1))[len(x) :],
        lambda x: jax.lax.top_k(x, 3)[0],
        lambda x: x * jax.nn.one_hot(x.argmax(axis), x.shape[axis], axis=axis),
        lambda x: jax.lax.associative_scan(jnp.add, x, axis=axis),
        lambda x: jax.lax.dynamic_update_slice(x, x[:, :1] * 2, (0, 2, 0)),
        lambda x: jax.lax.dynamic_update_slice(x, x[:1] * 2, (2, 0, 0)),
        lambda x: x[jnp.arange(len(x))[:, None], places],
        lambda x: x[(jnp.arange(len(x)) + 1) % len(x)],
        lambda x: jnp.take(x, jnp.argmax(x[:, 0, 0]), axis=0) + x,
        lambda x: x + jnp.zeros_like(x).at[places % len(x)].add(1.0),
        lambda x: jax.ops.segment_sum(x, jnp.arange(len(x)) // 2, len(x)),
        lambda x: jax.checkpoint(lambda v: jnp.sin(v) @ weights)(x),
        lambda x: jax.grad(lambda v: jnp.sum(jnp.tanh(v) ** 2))(x),
        lambda x: jax.grad(lambda v: jnp.sum(v.sum(axis) ** 2))(x),
        lambda x: jax.vmap(lambda row: jnp.where(row[0, 0] > 0, row, row[::-1]))(x),
        lambda x: jax.lax.while_loop(lambda v: v.max() > 1, lambda v: v / 2, x),
        lambda x: jax.vmap(
            lambda row: jax.lax.while_loop(lambda v: v.max() > 1, lambda v: v / 2, row)
        )(x),
        lambda x: jax.lax.conv_general_dilated(
            x, jnp.ones((2, 3, 3)), (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC")
        ),
        lambda x: jnp.linalg.inv(jnp.eye(4) * 9 + jnp.tanh(x @ x.swapaxes(1, 2))) @ x,
        lambda x: jnp.triu(x) + jnp.tril(x.swapaxes(0, 1)[:, : len(x)].swapaxes(0, 1)),
        lambda x: (x.reshape(len(x), 12) @ jnp.ones((12, 12))).reshape(x.shape),
        lambda x: x.astype("bfloat16").astype("float32"),
        lambda x: x + jax.random.normal(jax.random.key(0), x.shape),
    ]


def drawn_function(rng):
    # both are drawn now, lest the function be another one at each call
    chosen = [rng.choice(steps(rng)) for _ in range(rng.integers(1, 5))]

    def function(x):
        for step in chosen:
            x = step(x)
        return x

    return function


def rows_meet(function, rng):
    """Whether a change of one row changes another one's output, or the first axis is not theirs."""
    x = np.float32(rng.normal(size=(11, 4, 3)))
    before = np.asarray(function(jnp.asarray(x)))
    for row in (0, 1, 5, 10):
        other = x.copy()
        other[row] = rng.normal(size=(4, 3)) * 3
        changed = np.asarray(function(jnp.asarray(other))) != before
        if np.any(np.delete(changed, row, 0)):
            return True
    return False


def said_to_meet(function):
    with traced_for("plain"):
        closed = [
            jax.make_jaxpr(function)(jax.ShapeDtypeStruct((n, 4, 3), "float32")) for n in SIZES
        ]
    try:
        check_apart([c.jaxpr for c in closed], slice(0, 1), slice(0, 1))
    except Unreadable:
        return True
    return False


@property_of(examples=40, seed=SEEDS)
def test_rows_that_are_said_to_be_apart_are(seed):
    function = drawn_function(np.random.default_rng(seed))
    apart = not said_to_meet(function)
    # one reading, but that the one looks at operations, too, of which nothing comes
    assert apart or not are_independent(function, batch=np.zeros((3, 4, 3), "float32"))
    if apart:
        assert not rows_meet(function, np.random.default_rng(seed))


def test_most_functions_that_keep_rows_apart_are_known():
    apart = known = 0
    for step in steps(np.random.default_rng(3))[::2]:
        if not rows_meet(step, np.random.default_rng(0)):
            apart += 1
            known += not said_to_meet(step)
    assert apart >= 20 and known >= 0.75 * apart
