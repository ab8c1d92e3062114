"""Random small models of language, with what such models are made of and with what no cache knows:
`generate` writes what passes over the whole text say, one for each token.

The seed of a model that fails is in the test's arguments.
"""

import jax
import numpy as np
from hypothesis import strategies as st

import jkeras
from jkeras import generation, layers, ops
import pytest

from tests.properties.tools import start_afresh, property_of

VOCABULARY, WIDTH, LENGTH = 17, 8, 10


class Backwards(layers.Layer):
    """A layer that nobody has seen, which looks at other positions."""

    def call(self, x):
        return x + 0.3 * x[:, ::-1]


class Halved(layers.Layer):
    """One that looks at each position alone."""

    def call(self, x):
        return 0.5 * x


class Summed(jkeras.Operation):
    """An operation that nobody has seen."""

    def call(self, x):
        return x + 0.1 * ops.cumsum(x, axis=1)

    def compute_output_spec(self, x):
        return jkeras.KerasTensor(x.shape, x.dtype)


def counted(x):
    """A function of a user's own that counts positions."""
    return x * np.arange(x.shape[1], dtype="float32")[:, None]


def first_mean(x):
    """A function of a user's own that brings positions together."""
    return x - 0.3 * ops.mean(x, axis=1, keepdims=True)


def pick(rng, *choices):
    """One of them."""
    return choices[int(rng.integers(len(choices)))]


def attention(rng):
    window = {"sliding_window": int(rng.integers(2, 6))} if rng.random() < 0.4 else {}
    if rng.random() < 0.5:
        layer = layers.GroupQueryAttention(4, 4, int(rng.choice([1, 2, 4])), **window)
    else:
        layer = layers.MultiHeadAttention(2, 4, value_dim=int(rng.choice([3, 4])))
    return lambda x: layer(x, x, use_causal_mask=True)


def normalized(rng):
    kinds = layers.LayerNormalization, layers.RMSNormalization, layers.UnitNormalization
    return pick(rng, *kinds, layers.BatchNormalization)()


def dense(rng):
    own = lambda x: ops.square(ops.relu(x))  # noqa: E731
    activation = pick(rng, "gelu", "relu", "softmax", "tanh", jax.nn.silu, own)
    if rng.random() < 0.5:
        return layers.Dense(WIDTH, activation)
    return layers.EinsumDense("btf,fg->btg", (None, WIDTH), activation=activation)


def operation(rng):
    return pick(
        rng,
        lambda x: ops.gelu(x) * 2.0,
        lambda x: ops.where(x > 0, x, 0.1 * x),
        lambda x: ops.softmax(x, axis=-1) - 0.1,
        layers.Dropout(0.5),
        layers.TimeDistributed(layers.Dense(WIDTH)),
        Halved(),
    )


def mixing(rng):
    """(what takes positions from one another, with which there is no cache, and the length that it
    needs).
    """
    parts = [
        (Backwards(), None),
        (Summed(), None),
        (layers.Dense(WIDTH, first_mean), None),
        (layers.Activation(first_mean), None),
        (layers.Lambda(counted), None),
        (layers.LSTM(WIDTH, return_sequences=True), None),
        (layers.Conv1D(WIDTH, 3, padding="causal"), None),
        (lambda x: ops.softmax(x, axis=1), None),
        (lambda x: x + ops.roll(x, 1, axis=1), None),
        (layers.EinsumDense("btf,tg->bgf", (LENGTH, WIDTH)), LENGTH),
        (layers.LayerNormalization(axis=(1, 2)), LENGTH),
    ]
    return parts[int(rng.integers(len(parts)))]


def random_model(seed, is_mixing):
    """A model."""
    rng = np.random.default_rng(seed)
    start_afresh(seed)
    mixed, length = mixing(rng) if is_mixing else (None, None)
    tokens = jkeras.Input((length,), dtype="int32")
    hide = bool(rng.random() < 0.3) and not is_mixing
    x = layers.Embedding(VOCABULARY, WIDTH, "normal", mask_zero=hide)(tokens)
    if rng.random() < 0.6:
        x = x + layers.PositionEmbedding(LENGTH, "normal")(x)
    parts = [attention(rng)]
    parts += [pick(rng, attention, dense, operation)(rng) for _ in range(int(rng.integers(1, 3)))]
    if is_mixing:
        parts.insert(int(rng.integers(len(parts) + 1)), mixed)
    for part in parts:
        x = x + part(normalized(rng)(x) if rng.random() < 0.6 else x)
    return jkeras.Model(tokens, layers.Dense(VOCABULARY, kernel_initializer="normal")(x))


def check(model, seed, cache=None):
    """`generate` beside a pass over the whole text for each token."""
    rng = np.random.default_rng(seed)
    lengths = np.array([1, int(rng.integers(2, LENGTH - 2))])
    prompts = rng.integers(0, VOCABULARY, (2, lengths.max())) * (
        np.arange(lengths.max()) < lengths[:, None]
    )
    generator = generation.Generator(model, LENGTH, cache=cache)
    found = np.asarray(generator(model.params, prompts, lengths)[0])
    whole = jax.jit(lambda tokens: model.apply(model.params, model.state, tokens)[0])
    for row, begin in enumerate(lengths):
        for place in range(begin, LENGTH):
            text = np.where(np.arange(LENGTH) < place, found[row], 0)[None]
            logits = np.asarray(whole(text))[0, place - 1]
            chosen = logits[found[row, place]]
            assert chosen >= logits.max() - 1e-3 * np.abs(logits).max(), (row, place)
    return generator


@property_of(2, seed=st.integers(0, 2**16))
def test_cached_is_uncached(seed):
    model = random_model(seed, is_mixing=False)
    why = check(model, seed).why_uncached
    if model.layers[1].mask_zero and why is not None:  # a mask that reaches attention
        assert "has masks or segments" in why
    else:
        assert why is None


@pytest.mark.promise("So does whatever counts positions")
@property_of(2, seed=st.integers(0, 2**16))
def test_what_is_not_known_takes_whole_passes(seed):
    assert check(random_model(seed, is_mixing=True), seed).why_uncached is not None
