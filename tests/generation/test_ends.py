"""The logits behind prompts follow from the last positions alone, where the end of a model looks at
each position by itself.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import generation, layers
from jkeras.core.graph.ends import end_of
from jkeras.generation.ends import length_of_end
from tests.generation.models import made

PROMPTS, LENGTHS = np.array([[3, 1, 4, 1, 5], [2, 7, 0, 0, 0], [6, 6, 6, 6, 0]]), [5, 2, 4]


def behind_attention(*end, dtype=None, mask_zero=False):
    """A language model with this end."""
    tokens = jkeras.Input((None,), dtype="int32")
    x = layers.Embedding(9, 8, mask_zero=mask_zero, dtype=dtype)(tokens)
    x = x + layers.MultiHeadAttention(2, 4, dtype=dtype)(x, x, use_causal_mask=True)
    for part in end:
        x = part(x)
    return jkeras.Model(tokens, x)


class Counting(layers.Layer):
    """Adds a number that differs from position to position."""

    supports_cache = True

    def call(self, x):
        return x + generation.positions(x)[..., None].astype(x.dtype)


ENDS = {
    "head": (1, lambda: [layers.Dense(9)]),
    "norm and head": (2, lambda: [layers.RMSNormalization(), layers.Dense(9)]),
    "operations": (3, lambda: [layers.Dense(9), lambda x: x / 3, jnp_tanh]),
    "over time": (2, lambda: [layers.TimeDistributed(layers.Dense(5)), layers.Dense(9)]),
    "dropout, softmax": (3, lambda: [layers.Dense(9), layers.Dropout(0.5), layers.Softmax()]),
    "a model": (1, lambda: [jkeras.Sequential([layers.Dense(4, "relu"), layers.Dense(9)])]),
    "counting": (1, lambda: [Counting(), layers.Dense(9)]),
    "nothing counted behind": (0, lambda: [layers.Dense(9), Counting()]),
    "two ways": (1, lambda: [lambda x: x + layers.Dense(8)(x), layers.Dense(9)]),
}


def jnp_tanh(x):
    return jkeras.ops.tanh(x)


@pytest.mark.promise("The logits of a prompt are computed for its last token alone")
@pytest.mark.parametrize("name", ENDS)
def test_logits_are_those_of_the_whole_pass(name):
    count, parts = ENDS[name]
    model = behind_attention(*parts())
    generator = generation.Generator(model, 12)
    rows = generator.begin(model.params, PROMPTS, np.array(LENGTHS))
    assert generator.limits.end == count
    whole = np.asarray(model(PROMPTS))
    expected = np.stack([whole[i, length - 1] for i, length in enumerate(LENGTHS)])
    np.testing.assert_allclose(rows.logits, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["bfloat16", "mixed_bfloat16", "float16"])
def test_few_bits(dtype):
    model = behind_attention(layers.Dense(9, dtype=dtype), dtype=dtype)
    rows = generation.Generator(model, 12).begin(model.params, PROMPTS, np.array(LENGTHS))
    expected = np.asarray(model(PROMPTS).astype("float32"))[[0, 1, 2], np.array(LENGTHS) - 1]
    np.testing.assert_allclose(rows.logits.astype("float32"), expected, rtol=2e-2, atol=2e-2)


def test_blocks_with_attention_are_no_end():
    model = made("stacked")
    count = length_of_end(model, model.params, model.state, 1)
    assert 0 < count < len(end_of(model))


def test_masks_end_there():
    model = behind_attention(layers.RMSNormalization(), layers.Dense(9), mask_zero=True)
    assert length_of_end(model, model.params, model.state, 2) == 2


@pytest.mark.parametrize("how", ["average", "softmax over time", "subclass"])
def test_what_looks_at_other_positions_is_no_end(how):
    head = layers.Dense(9)
    ends = {
        "average": [head, lambda x: x - jkeras.ops.mean(x, axis=1, keepdims=True)],
        "softmax over time": [head, layers.Softmax(axis=1)],
    }

    class Subclass(jkeras.Model):
        def __init__(self):
            super().__init__()
            self.head = layers.Dense(9)

        def call(self, x):
            return self.head(x)

    if how == "subclass":
        model = jkeras.Sequential([jkeras.Input((None, 4)), Subclass()])
        assert length_of_end(model.layers[0], {}, {}, 2) == 0
        return
    model = behind_attention(*ends[how])
    assert length_of_end(model, model.params, model.state, 2) == 0


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
