"""Layers in which rows meet, or may, are refused with their name and that of the operation; no
other layer is.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, privacy
from jkeras.ops.kernels import traced_for
from jkeras.programs.batch_independence import SIZES, are_independent, check_apart
from jkeras.programs.walk import Unreadable
from tests.common.table import ROWS, arrays
from tests.parity.both import make
from tests.thinning import every

SIZE = 40
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(SIZE, 4)).astype("float32")
ORDER = RANDOM.permutation(11)


def scanned(x):
    """A running sum over the rows."""
    return jax.lax.scan(lambda total, row: (total + row, total + row), jnp.zeros(4), x)[1]


MIXERS = {
    "mixup": (lambda x: 0.7 * x + 0.3 * x[::-1], "rev"),
    "roll": (lambda x: jnp.roll(x, 1, 0), "slice|split|concatenate"),
    "first": (lambda x: x - x[:1], "slice"),
    "flip": (lambda x: x + jnp.flip(x, 0), "rev"),
    "halves": (lambda x: jnp.concatenate([x[5:], x[:5]]), "slice"),
    "order": (lambda x: x[jnp.arange(len(x))[::-1]], "gather|take"),
    "scan": (scanned, "scan"),
    "flat": (lambda x: jnp.roll(x.reshape(-1), 3).reshape(x.shape), "reshape"),
    "folded": (lambda x: jnp.roll(x.reshape(-1, 2), 1, 0).reshape(x.shape), "slice|split|conc"),
    "suffix": (lambda x: x - jnp.cumsum(jnp.flip(x, 0), 0), "rev"),
    "sum": (lambda x: x - x.sum(0), "reduce_sum"),
    "product": (lambda x: (x @ x.T) @ x, "dot_general"),
    "softmax": (lambda x: jax.nn.softmax(x, 0), "reduce_max"),
    "sort": (lambda x: jnp.sort(x, 0), "sort"),
    "update": (lambda x: x.at[0].set(x[1]), "slice|gather|scatter"),
    "size": (lambda x: x / len(x), "div|mul"),
    "slot": (lambda x: x + jax.lax.dynamic_slice(x, (0, 0), (1, 4)), "dynamic_slice"),
    "map": (
        lambda x: jax.lax.map(lambda i: x[i] + x[0], jnp.arange(len(x))),
        "dynamic_slice|gather",
    ),
    "while": (
        lambda x: jax.lax.while_loop(lambda v: v.max() < 9, lambda v: v * 2 + 1, jnp.abs(x)),
        "while",
    ),
    "inside": (jax.jit(lambda x: jnp.where(x.sum() > 0, x, -x)), "reduce_sum"),
    "unknown": (
        lambda x: jax.pure_callback(lambda v: v, jax.ShapeDtypeStruct(x.shape, x.dtype), x),
        "pure_callback",
    ),
}


class Mixer(layers.Layer):
    def __init__(self, mix, **options):
        super().__init__(**options)
        self.mix = mix

    def call(self, x):
        return self.mix(x)


@pytest.mark.promise("Layers in which rows meet**")
@pytest.mark.parametrize("name", MIXERS)
def test_mixers_are_refused(name):
    """By DPSGD as by what `predict` asks."""
    mix, operation = MIXERS[name]
    model = jkeras.Sequential([jkeras.Input((4,)), Mixer(mix, name="mine"), layers.Dense(3)])
    model.compile("sgd", "mse", privacy=privacy.DPSGD(1.0, 1.0, delta=1e-3))
    match = rf"layer 'mine' \(Mixer\), in which `({operation})\w*` brings the rows"
    with pytest.raises(ValueError, match=match):
        model.fit(X, X[:, :3], batch_size=8, verbose=0)
    assert not are_independent(mix, batch=X)


KEEPERS = {
    "folded": lambda x: jnp.tanh(x.reshape(-1, 2) @ jnp.ones((2, 2))).reshape(x.shape),
    "outer": lambda x: (x[:, :, None] * x[:, None]).reshape(-1, 4).reshape(len(x), 16),
    "time first": lambda x: jnp.stack([x, -x]).reshape(-1, 4).reshape(2, -1, 4).swapaxes(0, 1),
    "fft": lambda x: jnp.abs(jnp.fft.rfft(x)),
    "branches": lambda x: jax.lax.cond(jnp.ones(()) > 0, jnp.sin, jnp.cos, x),
    "flipped": lambda x: x[:, ::-1],
    "places": lambda x: x * (1 + jnp.arange(4)),
}


@pytest.mark.promise("A layer that is frozen")
@pytest.mark.parametrize("name", KEEPERS)
def test_keepers_are_taken(name):
    assert are_independent(KEEPERS[name], batch=X)
    assert first_meeting(KEEPERS[name], X) is None


FOLDS = {
    "other neighbours": lambda x: x.reshape(-1, 2) + jnp.stack([x[:, :2], x[:, 2:]]).reshape(-1, 2),
    "reduced": lambda x: x.reshape(-1, 2) - x.reshape(-1, 2).mean(0),
    "left folded": lambda x: x.reshape(-1, 2),
    "cut elsewhere": lambda x: x.reshape(4, -1).T,
}


@pytest.mark.parametrize("name", FOLDS)
def test_axes_that_became_one(name):
    assert not are_independent(FOLDS[name], batch=X)
    assert name == "left folded" or first_meeting(FOLDS[name], X) is not None


def first_meeting(function, *batch):
    """Where the rows of a function's outputs meet; None: nowhere."""

    def shapes(size):
        return jax.tree_util.tree_map(
            lambda v: jax.ShapeDtypeStruct((size, *v.shape[1:]), v.dtype), batch
        )

    with traced_for("plain"):
        closed = [jax.make_jaxpr(function)(*shapes(size)) for size in SIZES]
    count = len(closed[0].in_avals)
    outputs = len(closed[0].out_avals)
    try:
        check_apart([c.jaxpr for c in closed], slice(0, count), slice(0, outputs))
    except Unreadable as error:
        return error


# whose rows do meet: of the batch's mean, its largest number, its histogram or its other images
MEET = (
    "BatchNormalization",
    "MelSpectrogram",
    "AugMix",
    "Equalization",
    "RandAugment",
    "CutMix",
    "MixUp",
)


@pytest.mark.parametrize("row", every(12, ROWS, slow=2), ids=lambda row: row.layer)
def test_no_other_layer_is_refused(row):
    if row.texts or row.layer in MEET:
        pytest.skip("texts stay on the host, and rows of these meet")
    layer = getattr(layers, row.layer)(**{k: make(jkeras, v) for k, v in row.kwargs.items()})
    inputs = jax.tree_util.tree_map(jnp.asarray, arrays(row, row.inputs))
    params, state = layer.init(jax.random.key(1), *inputs)

    def run(*x):
        return layer.apply(params, state, *x, training=True, rng=jax.random.key(0))[0]

    assert first_meeting(run, *inputs) is None


def words(*parts, **options):
    embedding = layers.Embedding(9, 6, mask_zero=True)
    return jkeras.Sequential([jkeras.Input((5,), dtype="int32"), embedding, *parts])


def attentive(**options):
    inputs = jkeras.Input((5,), dtype="int32")
    x = layers.Embedding(9, 6, mask_zero=True)(inputs)
    x = x + layers.MultiHeadAttention(2, 3, dropout=0.1)(x, x, **options)
    x = layers.Dropout(0.1)(layers.LayerNormalization()(x))
    return jkeras.Model(inputs, layers.GlobalAveragePooling1D()(x))


MODELS = {
    "masked LSTM": lambda: words(layers.LSTM(4, return_sequences=True), layers.LSTM(3)),
    "unrolled GRU": lambda: words(layers.GRU(4, unroll=True, dropout=0.1, recurrent_dropout=0.1)),
    "backwards": lambda: words(layers.Bidirectional(layers.SimpleRNN(4))),
    "over time": lambda: words(layers.TimeDistributed(layers.Dense(3)), layers.Flatten()),
    "attention": attentive,
    "causal": lambda: attentive(use_causal_mask=True),
    "convolution": lambda: words(
        layers.Conv1D(4, 2, padding="causal"), layers.GlobalMaxPooling1D()
    ),
    "activity": lambda: words(layers.Dense(3, activity_regularizer="l2"), layers.Flatten()),
    "frozen": lambda: words(layers.BatchNormalization(trainable=False), layers.Flatten()),
}


@pytest.mark.filterwarnings("ignore::UserWarning")  # masks that end
@pytest.mark.parametrize("name", MODELS)
def test_ordinary_models_are_taken(name):
    model = MODELS[name]()
    x = jnp.zeros((SIZE, 5), int)
    params, state = model.init(jax.random.key(1), x)

    def run(x):
        return model.apply(params, state, x, training=True, rng=jax.random.key(0))[0]

    assert first_meeting(run, x) is None


class Watched(layers.Layer):
    """Keeps the mean of its activations, as docs/intermediate-values.md does."""

    def __init__(self, **options):
        super().__init__(**options)
        self.seen = jkeras.metrics.Mean(name="seen")

    def call(self, x):
        self.seen.update_state(x)
        return x


@pytest.mark.promise("Metrics that a layer keeps")
def test_metrics_of_activations():
    model = jkeras.Sequential([jkeras.Input((4,)), Watched(), layers.Dense(3)])
    model.compile("sgd", "mse", privacy=privacy.DPSGD(1.0, 1.0, delta=1e-3))
    with pytest.raises(ValueError, match="no metric of activations.*model.tap") as caught:
        model.fit(X, X[:, :3], verbose=0)
    assert not re.search("GroupNormalization|freeze", str(caught.value))
