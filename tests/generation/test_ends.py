"""The logits behind prompts follow from the last positions alone, where the end of a model looks at
each position by itself.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import generation, layers
from tests.generation.models import CACHED, made

PROMPTS, LENGTHS = np.array([[3, 1, 4, 1, 5], [2, 7, 0, 0, 0], [6, 6, 6, 6, 0]]), [5, 2, 4]


def behind_attention(*end, dtype=None):
    """A language model with this end."""
    tokens = jkeras.Input((None,), dtype="int32")
    x = layers.Embedding(9, 8, dtype=dtype)(tokens)
    x = x + layers.MultiHeadAttention(2, 4, dtype=dtype)(x, x, use_causal_mask=True)
    for part in end:
        x = part(x)
    return jkeras.Model(tokens, x)


class Counting(layers.Layer):
    """Adds a number that differs from position to position."""

    supports_cache = True

    def call(self, x):
        return x + generation.positions(x)[..., None].astype(x.dtype)


def of_attention(**options):
    """Attention of a text to itself."""
    options = {"use_causal_mask": True, **options}
    return lambda x: x + layers.MultiHeadAttention(2, 4)(x, x, **options)


def residual(x):
    return x + layers.Dense(8)(x)


def without_average(x):
    return x - jkeras.ops.mean(x, axis=-1, keepdims=True)


class Looped(layers.Layer):
    """What no rule is known for."""

    supports_cache = True

    def call(self, x):
        return jax.lax.fori_loop(0, 3, lambda _, x: jnp.tanh(x), x)


class Flat(layers.Layer):
    """Rows and positions as one axis."""

    supports_cache = True

    def call(self, x):
        return jnp.tanh(x.reshape(-1, x.shape[-1])).reshape(x.shape)


ENDS = {
    "head": lambda: [layers.Dense(9)],
    "norm and head": lambda: [layers.RMSNormalization(), layers.Dense(9)],
    "operations": lambda: [layers.Dense(9), lambda x: x / 3, jkeras.ops.tanh],
    "over time": lambda: [layers.TimeDistributed(layers.Dense(5)), layers.Dense(9)],
    "dropout, softmax": lambda: [layers.Dense(9), layers.Dropout(0.5), layers.Softmax()],
    "a model": lambda: [jkeras.Sequential([layers.Dense(4, "relu"), layers.Dense(9)])],
    "counting": lambda: [Counting(), layers.Dense(9)],
    "counting behind": lambda: [layers.Dense(9), Counting()],
    "two ways": lambda: [residual, layers.Dense(9)],
    "features": lambda: [without_average, layers.LayerNormalization(), layers.Dense(9)],
    "attention": lambda: [of_attention(), layers.Dense(9)],
    "three of attention": lambda: [*[of_attention()] * 3, residual, layers.Dense(9)],
    "grouped attention": lambda: [
        lambda x: layers.GroupQueryAttention(4, 4, 2)(x, x, use_causal_mask=True),
        layers.Dense(9),
    ],
    "rotary": lambda: [layers.RotaryEmbedding(), of_attention(), layers.Dense(9)],
    "split and joined": lambda: [
        lambda x: jkeras.ops.concatenate(jkeras.ops.split(x, 2, axis=-1)[::-1], axis=-1),
        layers.Dense(9),
    ],
    "a loop": lambda: [Looped(), layers.Dense(9)],
    "flat": lambda: [Flat(), layers.Dense(9)],
    "a loop at the end": lambda: [layers.Dense(9), Looped()],
    "maxima": lambda: [layers.Dense(12), layers.Reshape((-1, 3, 4)), MaxOfLast(), Widened()],
}


class MaxOfLast(layers.Layer):
    supports_cache = True

    def call(self, x):
        return x.max(axis=2)


class Widened(layers.Layer):
    """Numbers and where they are the largest."""

    supports_cache = True

    def call(self, x):
        return jnp.concatenate([x, jax.nn.one_hot(x.argmax(-1), 5)], axis=-1)


def logits_of(model):
    """Those of a generator, and the same of the whole pass."""
    rows = generation.Generator(model, 12).begin(model.params, PROMPTS, np.array(LENGTHS))
    whole = np.asarray(model(PROMPTS))
    return rows, np.stack([whole[i, length - 1] for i, length in enumerate(LENGTHS)])


@pytest.mark.promise("The logits of a prompt are computed for its last token alone")
@pytest.mark.parametrize("name", ENDS)
def test_logits_are_those_of_the_whole_pass(name):
    model = behind_attention(*ENDS[name]())
    rows, expected = logits_of(model)
    assert rows.cache is not None
    np.testing.assert_allclose(rows.logits, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cache", [None, False])
@pytest.mark.parametrize("name", [*CACHED, "recurrent"])
def test_texts_are_those_of_whole_passes(name, cache):
    model = made(name)
    texts = np.asarray(generation.Generator(model, 12, cache=cache)(model.params, PROMPTS)[0])
    for length in range(PROMPTS.shape[1], 12):
        logits = np.asarray(model(texts[:, :length]))[:, -1]
        np.testing.assert_array_equal(logits.argmax(-1), texts[:, length])


@pytest.mark.parametrize("dtype", ["bfloat16", "mixed_bfloat16", "float16"])
def test_few_bits(dtype):
    model = behind_attention(layers.Dense(9, dtype=dtype), dtype=dtype)
    rows = generation.Generator(model, 12).begin(model.params, PROMPTS, np.array(LENGTHS))
    expected = np.asarray(model(PROMPTS).astype("float32"))[[0, 1, 2], np.array(LENGTHS) - 1]
    np.testing.assert_allclose(rows.logits.astype("float32"), expected, rtol=2e-2, atol=2e-2)


def test_no_product_of_all_positions_with_the_vocabulary():
    vocabulary = 77
    model = behind_attention(layers.Dense(vocabulary))
    generator = generation.Generator(model, 64)
    generator.begin(model.params, PROMPTS)
    given = generator.model.params, model.state

    def prefilled(tokens):
        asked = generation.Generator(model, 64)
        asked.limits = generator.limits
        return asked.begin(*given[:1], tokens).logits

    program = str(jax.make_jaxpr(prefilled)(jnp.asarray(PROMPTS)))
    assert f"f32[3,1,{vocabulary}]" in program
    assert f"f32[3,16,{vocabulary}]" not in program


@pytest.mark.parametrize("place", ["head", "norm"])
def test_steered_prompts_are_changed_at_all_positions(place):
    model = behind_attention(layers.RMSNormalization(name="norm"), layers.Dense(9, name="head"))
    seen = []

    def edit(x):
        seen.append(x.shape)
        return 2 * x

    generator = generation.Generator(model, 12).steered(edit={place: edit})
    rows = generator.begin(model.params, PROMPTS, np.array(LENGTHS))
    assert seen[0][:2] == (3, 12)
    plain = generation.Generator(model, 12).begin(model.params, PROMPTS, np.array(LENGTHS))
    assert np.abs(np.asarray(rows.logits) - np.asarray(plain.logits)).max() > 1e-3


class Counted(layers.Layer):
    """Notes each pass when it runs."""

    supports_cache = True
    passes: list = []

    def call(self, x):
        jax.debug.callback(lambda: self.passes.append(1))
        return x


@pytest.mark.promise("On CPUs no pass is made behind the last token")
@pytest.mark.parametrize("rows", [1, 3])
def test_passes_are_as_many_as_tokens(rows):
    model = behind_attention(Counted(), layers.Dense(9))
    expected = model.generate(PROMPTS[:rows].tolist(), max_new_tokens=4)
    Counted.passes.clear()
    texts = model.generate(PROMPTS[:rows].tolist(), max_new_tokens=4)
    jax.effects_barrier()
    assert len(Counted.passes) == 4  # one on the prompts, and one on each token but the last
    np.testing.assert_array_equal(texts, expected)


def test_a_text_that_was_cut_off_goes_on():
    """Where texts have not ended, the logits behind them are there."""
    model = behind_attention(layers.Dense(9))
    generator = generation.Generator(model, 12)
    whole = generator.go_on(model.params, generator.begin(model.params, PROMPTS))
    rows = generator.begin(model.params, PROMPTS)
    for steps in (1, 2, 4):
        rows = generator.go_on(model.params, rows, steps)
    np.testing.assert_array_equal(rows.tokens, whole.tokens)
