"""Padding a sequence, in front, behind or between, never changes what a mask lets through.

Sequences of 4 steps are spread over 7 with nonsense between: two shapes, so that each layer is
compiled twice.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

import jkeras
from jkeras import layers
from tests.parity.both import agree
from tests.properties.tools import KEY, SEEDS, insert, normal, property_of
from tests.thinning import every

BATCH, STEPS, LONG, SIZE = 2, 4, 7, 3
CLOSE = dict(rtol=2e-4, atol=2e-5)


class Decay(layers.Layer):
    """A cell of a user's own: a leaky sum. Its output is its state, or a function of it."""

    def __init__(self, units, output=lambda h: h):
        super().__init__()
        self.state_size, self.output_of = units, output

    def build(self, shape):
        self.kernel = self.add_weight((shape[-1], self.state_size), "glorot_uniform", name="kernel")

    def call(self, inputs, states):
        h = jnp.tanh(0.5 * states[0] + inputs @ self.kernel)
        return self.output_of(h), [h]


RECURRENT = {
    "SimpleRNN": lambda **flow: layers.SimpleRNN(3, **flow),
    "GRU": lambda **flow: layers.GRU(3, **flow),
    "GRU before": lambda **flow: layers.GRU(3, reset_after=False, **flow),
    "LSTM": lambda **flow: layers.LSTM(3, **flow),
    "stack": lambda **flow: layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)], **flow),
    "own cell": lambda **flow: layers.RNN(Decay(3), **flow),
}
BIDIRECTIONAL = {
    mode: functools.partial(
        lambda mode, **flow: layers.Bidirectional(layers.GRU(3, **flow), merge_mode=mode), mode
    )
    for mode in ("concat", "sum")
}


@functools.cache
def compiled(kind, make, **arguments):
    """(layer, params, state, jitted apply) for the layers of a test; `arguments` are static."""
    layer = make()
    params, state = layer.init(
        KEY, *(jnp.zeros((BATCH, STEPS, SIZE)),) * (2 if kind == "two" else 1)
    )
    return (
        params,
        state,
        jax.jit(lambda p, s, x, **more: layer.apply(p, s, *x, **arguments, **more)[0]),
    )


def run(kind, make, *inputs, more=None, **arguments):
    params, state, apply = compiled(kind, make, **arguments)
    return apply(params, state, inputs, **(more or {}))


FLOWS = [
    dict(),
    dict(go_backwards=True),
    dict(unroll=True),
    dict(return_state=True),
    dict(return_sequences=True),
]


@functools.cache
def recurrent(name, flow):
    return functools.partial((RECURRENT | BIDIRECTIONAL)[name], **FLOWS[flow])


@pytest.mark.parametrize(
    "name, flow",
    every(
        2, [(name, flow) for i, name in enumerate(RECURRENT | BIDIRECTIONAL) for flow in {4, i % 4}]
    ),
)
@property_of(5, seed=SEEDS)
def test_recurrent(name, flow, seed):
    x = normal(seed, BATCH, STEPS, SIZE)
    padded, mask, take = insert(seed, x, LONG)
    short = run("one", recurrent(name, flow), x)
    long = run("one", recurrent(name, flow), padded, more=dict(mask=mask))
    agree(take(long) if flow == 4 else long, short, **CLOSE)


@property_of(5, seed=SEEDS)
def test_outputs_of_masked_steps_are_zero_or_those_before(seed):
    padded, mask, _ = insert(seed, normal(seed, BATCH, STEPS, SIZE), LONG)
    zero = run("one", zeroing, padded, more=dict(mask=mask))
    kept = np.asarray(run("one", recurrent("LSTM", 4), padded, more=dict(mask=mask)))
    assert not np.asarray(zero)[~mask].any()
    before = np.concatenate([np.zeros_like(kept[:, :1]), kept[:, :-1]], axis=1)
    np.testing.assert_array_equal(kept[~mask], before[~mask])


@pytest.mark.xfail(
    reason="as in Keras on JAX, the first state stands for the output of a masked step"
)
def test_cell_whose_output_is_not_its_state():
    x = normal(0, BATCH, STEPS, SIZE)
    padded, mask = np.pad(x, ((0, 0), (0, 3), (0, 0))), np.arange(LONG) < STEPS
    layer = layers.RNN(Decay(3, lambda h: 2 * h))
    agree(layer(padded, mask=np.stack([mask] * BATCH)), layer(x), **CLOSE)


def zeroing():
    return layers.LSTM(3, return_sequences=True, zero_output_for_mask=True)


ATTENTION = {
    "dot": lambda: layers.Attention(),
    "scaled": lambda: layers.Attention(use_scale=True, score_mode="concat"),
    "additive": lambda: layers.AdditiveAttention(),
}
HEADS = {
    "heads": lambda: layers.MultiHeadAttention(2, 3, value_dim=4),
    "groups": lambda: layers.GroupQueryAttention(3, 4, 2),
}


class Listed(layers.Layer):
    """An attention layer that takes lists, with the call of one that does not."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, query, value, query_mask=None, value_mask=None, use_causal_mask=False):
        masks = None if value_mask is None else [query_mask, value_mask]
        return self.inner([query, value], mask=masks, use_causal_mask=use_causal_mask)


@functools.cache
def attention(name):
    return HEADS[name] if name in HEADS else lambda: Listed(ATTENTION[name]())


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", every(2, ATTENTION | HEADS))
@property_of(5, seed=SEEDS)
def test_attention(name, causal, seed):
    """Among themselves: queries and values are padded at the same places, so that causal order
    stays.
    """
    x = normal(seed, BATCH, STEPS, SIZE)
    padded, mask, take = insert(seed, x, LONG, fill=5.0)
    short = run("two", attention(name), x, x, use_causal_mask=causal)
    long = run(
        "two",
        attention(name),
        padded,
        padded,
        use_causal_mask=causal,
        more=dict(query_mask=mask, value_mask=mask),
    )
    agree(take(long), short, **CLOSE)


@pytest.mark.parametrize("name", ["heads", "groups"])
@property_of(5, seed=SEEDS)
def test_attention_mask_alone(name, seed):
    x = normal(seed, BATCH, STEPS, SIZE)
    padded, mask, take = insert(seed, x, LONG, fill=5.0)
    long = run(
        "two",
        attention(name),
        padded,
        padded,
        more=dict(attention_mask=mask[:, None, :] & mask[:, :, None]),
    )
    agree(take(long), run("two", attention(name), x, x), **CLOSE)


SIMPLE = {
    "average": (lambda: layers.GlobalAveragePooling1D(), False),
    "time distributed": (lambda: layers.TimeDistributed(layers.Dense(2)), True),
    "masked normalization": (lambda: layers.BatchNormalization(momentum=0.5), True),
}


@pytest.mark.parametrize("name", SIMPLE)
@property_of(6, seed=SEEDS)
def test_layers_over_time(name, seed):
    make, sequence = SIMPLE[name]
    x = normal(seed, BATCH, STEPS, SIZE)
    padded, mask, take = insert(seed, x, LONG)
    long = run("one", make, padded, more=dict(mask=mask))
    agree(take(long) if sequence else long, run("one", make, x), **CLOSE)


@property_of(6, seed=SEEDS)
def test_statistics_of_a_batch_are_those_of_the_entries_that_count(seed):
    params, state, apply = normalizing()
    x = normal(seed, BATCH, STEPS, SIZE)
    padded, mask, take = insert(seed, x, LONG)
    long, moved = apply(params, state, padded, mask=mask)
    short, plain = apply(params, state, x)
    agree(take(long), short, rtol=1e-3, atol=1e-4)
    agree(moved, plain, rtol=1e-3, atol=1e-4)


@functools.cache
def normalizing():
    layer = layers.BatchNormalization(momentum=0.5)
    return *layer.init(KEY, jnp.zeros((BATCH, STEPS, SIZE))), jax.jit(
        functools.partial(layer.apply, training=True)
    )


@property_of(10, seed=SEEDS)
def test_softmax(seed):
    x = normal(seed, BATCH, STEPS)
    padded, mask, take = insert(seed, x, LONG, fill=5.0)
    long = np.asarray(layers.Softmax()(padded, mask=mask))
    agree(take(long), layers.Softmax()(x), **CLOSE)
    assert not long[~mask].any()


# ---------------------------------------------------------------- models: the mask is made and
# travels by itself


def last(k):
    return [k.layers.LSTM(3), k.layers.Dense(2)]


def pooled(k):
    return [
        k.layers.TimeDistributed(k.layers.Dense(4, activation="tanh")),
        k.layers.Dropout(0.3),
        k.layers.LayerNormalization(),
        k.layers.GlobalAveragePooling1D(),
    ]


def both_ways(k):
    return [
        k.layers.Bidirectional(k.layers.GRU(3, return_sequences=True)),
        k.layers.Activation("tanh"),
        k.layers.SimpleRNN(2),
    ]


def attending(k):
    class Block(k.layers.Layer):
        def __init__(self):
            super().__init__()
            self.attention, self.supports_masking = k.layers.MultiHeadAttention(2, 3), True

        def call(self, x):
            return x + self.attention(x, x)

    return [Block(), k.layers.GlobalAveragePooling1D()]


@functools.cache
def model_of(body, masking):
    first = (
        [jkeras.Input((None,), dtype="int32"), layers.Embedding(9, SIZE, mask_zero=True)]
        if masking == "embedding"
        else [jkeras.Input((None, SIZE)), layers.Masking(mask_value=-1.0)]
    )
    return jkeras.Sequential([*first, *body(jkeras)])


def masked_inputs(masking, seed):
    """A batch without padding and the same with it."""
    if masking == "embedding":
        x = np.random.default_rng(seed).integers(1, 9, (BATCH, STEPS)).astype("int32")
    else:
        x = normal(seed, BATCH, STEPS, SIZE)
    padded, mask, take = insert(seed, x, LONG)
    padded[~mask] = 0 if masking == "embedding" else -1.0
    return x, padded, take


@pytest.mark.parametrize("masking", ["embedding", "masking"])
@pytest.mark.parametrize("body", [last, pooled, both_ways, attending])
@property_of(4, seed=SEEDS)
def test_models(masking, body, seed):
    model = model_of(body, masking)
    x, padded, _ = masked_inputs(masking, seed)
    short, long = (model.predict(v, verbose=0) for v in (x, padded))
    agree(long, short, **CLOSE)


@functools.cache
def tagger():
    model = jkeras.Sequential(
        [
            jkeras.Input((None,), dtype="int32"),
            layers.Embedding(9, 4, mask_zero=True),
            layers.GRU(3, return_sequences=True),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        jkeras.optimizers.SGD(0.5),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        weighted_metrics=["sparse_categorical_crossentropy"],
    )
    return model, model.get_weights()


@property_of(5, seed=SEEDS)
def test_training_a_tagger(seed):
    """Loss, metrics and the step that training makes, with labels and weights for each step of a
    sequence.

    The metrics are those of a test: as in Keras on JAX, those gathered in training know no mask.
    """
    model, start = tagger()
    x, padded, take = masked_inputs("embedding", seed)
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, (BATCH, LONG)).astype("int32")
    w = rng.random((BATCH, LONG)).astype("float32")
    found = []
    for *batch, weights in ((x, take(y), take(w)), (padded, y, w)):
        model.set_weights(start)
        tested = model.test_on_batch(*batch, sample_weight=weights, return_dict=True)
        loss = model.train_on_batch(*batch, sample_weight=weights, return_dict=True)["loss"]
        found.append((tested, loss, model.get_weights()))
        model.reset_metrics()
    agree(found[1], found[0], dtypes=False, **CLOSE)


# ---------------------------------------------------------------- losses and metrics

LOSSES = [
    "MeanSquaredError",
    "MeanAbsoluteError",
    "Huber",
    "LogCosh",
    "Poisson",
    "CategoricalCrossentropy",
    "KLDivergence",
    "CosineSimilarity",
    "CategoricalHinge",
    "BinaryCrossentropy",
    "CategoricalFocalCrossentropy",
]


def positive(seed, *shape):
    x = 0.05 + np.random.default_rng(seed).random(shape).astype("float32")
    return x / x.sum(-1, keepdims=True)


@pytest.mark.parametrize("name", every(2, LOSSES))
@property_of(
    8,
    seed=SEEDS,
    weighted=st.booleans(),
    reduction=st.sampled_from(["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight"]),
)
def test_losses(name, seed, reduction, weighted):
    y, p, w = (positive(seed + i, BATCH, LONG, SIZE) for i in range(3))
    _, mask, take = insert(seed, np.zeros((BATCH, STEPS)), LONG)
    weight = (lambda of: dict(sample_weight=of(w[..., 0]))) if weighted else lambda of: {}
    loss = getattr(jkeras.losses, name)(reduction=reduction)
    agree(
        loss(y, p, mask=mask, **weight(lambda v: v)),
        loss(take(y), take(p), **weight(take)),
        **CLOSE,
    )


METRICS = [
    "MeanSquaredError",
    "MeanAbsoluteError",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "Poisson",
    "LogCoshError",
    "CosineSimilarity",
    "TopKCategoricalAccuracy",
    "BinaryAccuracy",
    "CategoricalHinge",
]


@pytest.mark.parametrize("name", every(2, METRICS))
@property_of(5, seed=SEEDS, weighted=st.booleans())
def test_metrics(name, seed, weighted):
    y, p, w = (positive(seed + i, BATCH, LONG, SIZE) for i in range(3))
    y = np.eye(SIZE, dtype="float32")[y.argmax(-1)] if "Accuracy" in name else y
    _, mask, take = insert(seed, np.zeros((BATCH, STEPS)), LONG)
    w = w[..., 0] if weighted else np.ones_like(w[..., 0])
    metric = getattr(jkeras.metrics, name)()
    long = metric.result_of(metric.update(metric.init(), y, p, w, mask=mask))
    short = metric.result_of(metric.update(metric.init(), take(y), take(p), take(w)))
    agree(long, short, **CLOSE)
