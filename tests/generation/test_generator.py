"""Texts with a cache are those of passes over the whole text, token by token."""

import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import generation, layers
from jkeras.generation import Generator, Sampler, init_cache
from jkeras.generation.decoding import Decoding, forward
from tests.generation.models import CACHED, UNCACHED, VOCABULARY, WIDTH, Block, made

PROMPTS = np.random.default_rng(0).integers(0, VOCABULARY, (3, 7))
LENGTHS = np.array([7, 3, 5])


def by_hand(model, prompt, length):
    """The likeliest tokens, by a pass of the model over all of the text for each; what is behind
    the text has no part in it.
    """
    run = jax.jit(lambda text: model.apply(model.params, model.state, text, training=False)[0])
    text = list(prompt)
    while len(text) < length:
        row = text + [0] * (40 - len(text))
        text.append(int(np.argmax(run(np.array([row]))[0, len(text) - 1])))
    return text


@pytest.mark.promise("A layer of your own with attention in it says that")
@pytest.mark.promise("If it needs to know where its tokens are")
@pytest.mark.promise("`MultiHeadAttention` and `GroupQueryAttention`")
@pytest.mark.promise("`model.generate(prompts, max_length=200)` writes")
@pytest.mark.promise("`model.generate` takes prompts")
@pytest.mark.parametrize("name", [*CACHED, *UNCACHED])
def test_as_by_hand(name):
    model = made(name)
    generator = Generator(model, 16)
    tokens, lengths = generator(model.params, PROMPTS, LENGTHS)
    assert (generator.why_uncached is None) == (name in CACHED)
    for row, prompt, length in zip(np.asarray(tokens), PROMPTS, LENGTHS):
        assert row.tolist() == by_hand(model, prompt[:length], 16)
    assert lengths.tolist() == [16] * 3


@pytest.mark.promise("Keys and values of attention")
@pytest.mark.promise("which a pass takes and")
@pytest.mark.parametrize("name", CACHED)
def test_logits_are_those_without_a_cache(name):
    """Also for several new tokens at once, from another position on in each row."""
    model = made(name)
    tokens = np.random.default_rng(1).integers(0, VOCABULARY, (2, 30))
    whole = model.predict(tokens, verbose=0)

    @jax.jit
    def step(new, cache=None, position=None):
        decoding = Decoding(30, cache, position)
        logits, _ = forward(model, model.params, model.state, new, decoding)
        return logits, decoding.new

    first, cache = step(tokens[:, :9])
    np.testing.assert_allclose(first, whole[:, :9], atol=1e-5)
    position = np.array([9, 6])
    while position.max() + 3 <= 30:
        new = np.stack([row[at : at + 3] for row, at in zip(tokens, position)])
        logits, cache = step(new, cache, position)
        for row, at, found in zip(whole, position, np.asarray(logits)):
            np.testing.assert_allclose(found, row[at : at + 3], atol=1e-5)
        position = position + 3


@pytest.mark.promise("Without `rng` two calls sample different texts")
@pytest.mark.promise("`model.generate` with a sampler and without `rng`")
def test_a_seed_for_each_call():
    """Texts differ from call to call, and are the same again from a seed of any kind."""
    model = made("grouped")

    def texts(**options):
        found = model.generate([[1, 2]] * 2, 24, generation.Sampler(temperature=2.0), **options)
        return np.stack(found).tolist()

    assert texts() != texts()
    assert texts(rng=1) == texts(rng=1) == texts(rng=jax.random.key(1)) != texts(rng=2)
    runs = []
    for _ in range(2):
        jkeras.utils.set_random_seed(3)
        runs.append([texts(), texts()])
    assert runs[0] == runs[1] and runs[0][0] != runs[0][1]


def test_what_draws_nothing_moves_no_seed():
    model = made("grouped")
    random.seed(5)
    first = random.getstate()
    model.generate([1, 2], 12)
    sampler = generation.SamplingParams(seed=1)
    model.generate([1, 2], 12, sampler)
    model.generate([1, 2], 12, Sampler(), rng=0)
    assert random.getstate() == first


@pytest.mark.promise("Ten prompt lengths take")
def test_two_programs_for_all_prompts():
    model = made("grouped")
    generator = Generator(model, 24)
    for length in range(1, 11):
        generator(model.params, np.ones((2, length), "int32"))
    assert generator.programs() == {"prefill": 1, "decode": 1}


@pytest.mark.promise("A row samples the same whatever the other rows are")
def test_sampled_as_without_a_cache():
    """A row's tokens follow from the key and its number alone."""
    model = made("grouped")
    sampler = Sampler(0.9, top_k=9, repetition_penalty=1.2)
    mine = Generator(model, 16, sampler)(model.params, PROMPTS, LENGTHS, 3)[0]
    other = Generator(model, 16, sampler, cache=False)(model.params, PROMPTS, LENGTHS, 3)[0]
    np.testing.assert_array_equal(mine, other)
    first = Generator(model, 16, sampler)(model.params, PROMPTS[:1], LENGTHS[:1], 3)[0]
    np.testing.assert_array_equal(first[0], mine[0])
    assert (mine != Generator(model, 16, sampler)(model.params, PROMPTS, LENGTHS, 4)[0]).any()


@pytest.mark.promise("the same texts, which begin with their first token")
@pytest.mark.parametrize("name", ["grouped", "recurrent"])
def test_padded_on_the_left(name):
    """The texts of prompts that are padded on the right, bit by bit; of a width that is no bucket,
    and of one above the length of texts.
    """
    model, sampler = made(name), Sampler(0.9)
    expected = Generator(model, 16, sampler)(model.params, PROMPTS, LENGTHS, 3)
    generator = Generator(model, 16, sampler, padding_side="left")
    for width in (7, 20):
        left = np.zeros((3, width), int)
        for row, prompt, length in zip(left, PROMPTS, LENGTHS):
            row[width - length :] = prompt[:length]
        found = generator(model.params, left, LENGTHS, 3)
        jax.tree.map(np.testing.assert_array_equal, found, expected)
    options = {"sampler": sampler, "rng": 3, "prompt_lengths": LENGTHS, "padding_side": "left"}
    texts = model.generate(left, 16, **options)
    np.testing.assert_array_equal(texts, expected[0])


def test_the_logits_of_a_prompt_on_the_left():
    model = made("grouped")
    right = Generator(model, 16).begin(model.params, [[4, 5, 0]], [2])
    left = Generator(model, 16, padding_side="left").begin(model.params, [[0, 4, 5]], [2])
    for name in ("tokens", "lengths", "logits"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))


@pytest.mark.promise("`stop=[...]` or `stop=2`")
def test_stop_and_pad():
    model = made("stacked")
    whole = np.asarray(Generator(model, 20)(model.params, PROMPTS, LENGTHS)[0])
    stop = int(whole[0, 9])
    tokens, lengths = Generator(model, 20, stop=[stop], pad=-1)(model.params, PROMPTS, LENGTHS)
    for row, text, begin, end in zip(np.asarray(tokens), whole, LENGTHS, np.asarray(lengths)):
        np.testing.assert_array_equal(row[:end], text[:end])
        assert (row[end:] == -1).all() and stop not in text[begin : end - 1]
        assert end == 20 or row[end - 1] == stop


@pytest.mark.promise("`model.generate` takes prompts")
def test_streams():
    model = made("grouped")
    texts = model.generate([[3, 4, 5], [6]], max_length=9)
    assert [text[:3].tolist() for text in texts[:1]] == [[3, 4, 5]]
    steps = list(model.generate([[3, 4, 5], [6]], max_length=9, stream=True))
    assert len(steps) == 8
    np.testing.assert_array_equal([step[0] for step in steps[:6]], texts[0][3:])
    np.testing.assert_array_equal([step[1] for step in steps], texts[1][1:])
    assert [step[0] for step in steps[6:]] == [0, 0]
    one = model.generate([6], max_length=9, verbose=0)
    np.testing.assert_array_equal(one, texts[1])
    assert list(model.generate([6], max_length=9, stream=True)) == one[1:].tolist()


@pytest.mark.promise("`stop=[...]` or `stop=2`")
def test_progress(capsys):
    model = made("grouped")
    model.generate([[1, 2], [3]], max_length=40, verbose=1)
    assert "40/40" in capsys.readouterr().out


@pytest.mark.promise("The same as a pure function")
def test_several_models_at_once():
    """Under `jax.vmap` over their params, and under `jax.jit`."""
    model = made("grouped")
    generator = Generator(model, 12)
    both = jax.tree.map(lambda v: jnp.stack([v, -v]), model.params)
    tokens = jax.jit(jax.vmap(lambda params: generator(params, PROMPTS, LENGTHS)[0]))(both)
    for number, sign in enumerate((1, -1)):
        params = jax.tree.map(lambda v, sign=sign: sign * v, model.params)
        np.testing.assert_array_equal(tokens[number], generator(params, PROMPTS, LENGTHS)[0])


@pytest.mark.promise("generation: cache | 2 ×")
def test_in_half_precision():
    jkeras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = made("grouped")
        tokens, _ = Generator(model, 12)(model.params, PROMPTS, LENGTHS)
        cache = init_cache(model, 1, 12)
    finally:
        jkeras.config.set_dtype_policy("float32")
    assert {str(v.dtype) for v in jax.tree.leaves(cache)} == {"bfloat16"}
    assert (np.asarray(tokens) >= 0).all()


# ---------------------------------------------------------------- what has no cache


def counted(x):
    """Numbers by where they stand, which is elsewhere with a cache."""
    return x + np.arange(x.shape[1], dtype="float32")[:, None]


def model_of(operation):
    tokens = jkeras.Input((None,), dtype="int32")
    x = layers.Embedding(VOCABULARY, 8)(tokens)
    return jkeras.Model(tokens, layers.Dense(VOCABULARY)(operation(x)))


@pytest.mark.promise("2 × layers × rows × heads of keys × length × size of a head × 4 bytes")
@pytest.mark.parametrize("policy, size", [("float32", 4), ("mixed_bfloat16", 2)])
def test_bytes_of_a_cache(policy, size):
    jkeras.config.set_dtype_policy(policy)
    try:
        attention = [layers.GroupQueryAttention(5, 4, 2) for _ in range(3)]
        tokens = jkeras.Input((None,), dtype="int32")
        x = layers.Embedding(9, 8)(tokens)
        for attend in attention:
            x = attend(x, x, use_causal_mask=True)
        cache = init_cache(jkeras.Model(tokens, layers.Dense(9)(x)), 6, 7)
    finally:
        jkeras.config.set_dtype_policy("float32")
    found = sum(leaf.nbytes for leaf in jax.tree.leaves(cache))
    assert found == 2 * 3 * 6 * 2 * 7 * 5 * size  # 2 heads of keys of size 5


@pytest.mark.promise("`MultiHeadAttention` and `GroupQueryAttention`")
@pytest.mark.promise("`generator.why_uncached` names the")
@pytest.mark.promise("the same tokens, more slowly")
@pytest.mark.parametrize(
    "operation, why",
    [
        (lambda x: layers.MultiHeadAttention(1, 4)(x, x), "no `use_causal_mask=True`"),
        (lambda x: layers.Conv1D(8, 3, padding="causal")(x), "Conv1D"),
        (lambda x: x - jkeras.ops.cumsum(x, axis=1), "cumsum"),
        (lambda x: layers.UnitNormalization(axis=1)(x), "UnitNormalization"),
        (lambda x: jkeras.ops.softmax(x, axis=1), "softmax"),
        (lambda x: layers.Lambda(lambda x: x - jnp.roll(x, 1, 1))(x), "Lambda"),
        (lambda x: layers.Lambda(counted)(x), "Lambda"),
    ],
)
def test_why_there_is_no_cache(operation, why):
    model = model_of(operation)
    generator = Generator(model, 8)
    tokens = generator(model.params, [[1, 2]])[0]
    assert why in generator.why_uncached and tokens.shape == (1, 8)
    with pytest.raises(ValueError, match="a model that allows a cache"):
        Generator(model, 8, cache=True)(model.params, [[1, 2]])


class Scaled(layers.Layer):
    """A normalization of a user's own, which says nothing of caches."""

    def build(self, shape):
        self.scale = self.add_weight(shape=shape[-1:], initializer="ones", name="scale")

    def call(self, x):
        return x * self.scale / (1 + jkeras.ops.mean(x**2, axis=-1, keepdims=True))


def feed_forward(x):
    for layer in (layers.TernaryDense(8), layers.PReLU(shared_axes=[1]), Scaled()):
        x = layer(x)
    x = layers.Lambda(lambda x: 2 * x)(jkeras.ops.sin(x) + jkeras.ops.softmax(x))
    return layers.TimeDistributed(layers.Dense(8, activation=lambda x: x * jax.nn.sigmoid(x)))(x)


@pytest.mark.promise("seen in its program")
def test_what_looks_at_each_position_alone_needs_no_name():
    """Layers, operations and functions are known by what they compute."""
    attend = layers.MultiHeadAttention(1, 4)
    model = model_of(lambda x: feed_forward(x + attend(x, x, use_causal_mask=True)))
    generator = Generator(model, 12)
    tokens, _ = generator(model.params, PROMPTS[:1])
    assert generator.why_uncached is None
    assert np.asarray(tokens)[0].tolist() == by_hand(model, PROMPTS[0], 12)


class Undeclared(Block):
    supports_cache = False


@pytest.mark.promise("`model.generate` warns")
def test_a_block_that_may_be_cached_is_told_of():
    model = model_of(lambda x: Undeclared()(layers.Dense(WIDTH)(x)))
    with pytest.warns(UserWarning, match="set `supports_cache = True` on its class"):
        model.generate(PROMPTS, max_length=9)


class Convolved(Block):
    """A block that says that it looks at each position alone, with a layer in it that does not."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.convolution = layers.Conv1D(WIDTH, 3, padding="causal")

    def call(self, x):
        return self.convolution(super().call(x))


@pytest.mark.parametrize("around", [lambda block: block, lambda block: layers.Stack(block, 2)])
def test_what_looks_at_others_is_found_inside_of_blocks(around):
    model = model_of(lambda x: around(Convolved())(layers.Dense(WIDTH)(x)))
    generator = Generator(model, 8)
    generator(model.params, PROMPTS)
    assert "Conv1D" in generator.why_uncached


def test_attention_of_a_users_own():
    class Own(layers.MultiHeadAttention):
        pass

    attend = Own(1, 4)
    model = model_of(lambda x: attend(x, x, use_causal_mask=True))
    generator = Generator(model, 10)
    tokens, _ = generator(model.params, PROMPTS[:1])
    assert generator.why_uncached is None
    assert np.asarray(tokens)[0].tolist() == by_hand(model, PROMPTS[0], 10)


class Reversed(jkeras.Sequential):
    def call(self, x, training=None, mask=None):
        return jkeras.ops.flip(super().call(x, training=training), axis=1)


def test_a_class_of_a_users_own_does_not_inherit_what_ours_declares():
    inner = Reversed([layers.Dense(8)])
    generator = Generator(model_of(inner), 8)
    generator(generator.model.params, PROMPTS)
    assert "Reversed" in generator.why_uncached


@pytest.mark.promise("`generator.tap` writes a token more")
@pytest.mark.parametrize("name", CACHED)
def test_layers_can_be_looked_at_and_changed_while_a_text_is_written(name):
    """As in a pass over the whole text."""
    model = made(name)
    place = "stack/1/attend" if name != "grouped" else "grouped_query_attention"
    generator = Generator(model, 9)
    rows = generator.begin(model.params, PROMPTS)
    tap = jax.jit(lambda values, rows, add: generator.tap(values[0], rows, at=place, add=add))
    tap_whole = jax.jit(
        lambda values, text, add: model.tap(*values, text, training=False, at=place, add=add)
    )
    values = model.params, model.state
    after, seen = tap(values, rows, {})
    text = after.tokens[:, :8]
    assert after.tokens.tolist() == generator.go_on(model.params, rows, 1).tokens.tolist()
    whole, _, expected = tap_whole(values, text, {})
    np.testing.assert_allclose(seen[place], expected[place][:, 7:], atol=1e-5)
    np.testing.assert_allclose(after.logits, whole[:, 7], atol=1e-5)
    change = np.zeros(expected[place].shape, "float32")
    change[:, 7] = 2
    steered, _ = tap(values, rows, {place: change[:, 7:]})
    changed, _, _ = tap_whole(values, text, {place: change})
    np.testing.assert_allclose(steered.logits, changed[:, 7], atol=1e-5)
    assert not np.allclose(steered.logits, after.logits, atol=1e-3)


def test_without_a_cache_there_is_no_pass_on_new_tokens_to_look_at():
    model = made("recurrent")
    generator = Generator(model, 9)
    rows = generator.begin(model.params, PROMPTS)
    with pytest.raises(ValueError, match="a model that allows a cache.*lstm"):
        generator.tap(model.params, rows, at="lstm")


@pytest.mark.parametrize(
    "prompts, lengths, message",
    [
        (np.ones((2, 9), int), None, "a length from 1 to 8"),
        ([[1, 2]], [0], "a length from 1 to 2"),
        ([[1, 2]], [1, 1], "for each of 1 prompts"),
        ([[1.5]], None, "prompts of whole numbers"),
        ([1, 2], None, "prompts of whole numbers"),
    ],
)
def test_wrong_prompts(prompts, lengths, message):
    model = made("grouped")
    with pytest.raises(ValueError, match=message):
        Generator(model, 8)(model.params, prompts, lengths)
    with pytest.raises(ValueError, match="one token or more"):
        model.generate([[]], max_length=8)
    with pytest.raises(ValueError, match="`padding_side` 'left' or 'right', received 'middle'"):
        Generator(model, 8, padding_side="middle")
    with pytest.raises(ValueError, match="a number from 1 to time"):
        model.generate([[1, 2]], 8, prompt_lengths=[3])
    with pytest.raises(ValueError, match="at most 40"):
        Generator(made("fixed"), 50)
