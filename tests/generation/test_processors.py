"""Processors and filters beside those of transformers, on recorded random logits, and beside the
definitions in numpy.
"""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import generation
from jkeras.generation import Generator, Sampler, SamplingParams, Text
from jkeras.generation.processors import init_all, process_all
from jkeras.generation.sampling_params import settings_of
from tests.generation.models import VOCABULARY, made
from tests.generation.record_processors import (
    BIAS,
    CASES,
    PATH,
    PROMPT,
    ROWS,
    SCALES,
    STOP,
    inputs,
)

RECORDED = np.load(PATH)
CHOOSES = "temperature", "top_k", "top_p", "min_p", "typical_p"


def params_of(name):
    """The settings of a case."""
    kind, _, value = name.partition(" ")
    if kind == "logit_bias":
        return SamplingParams(logit_bias=BIAS)
    number = float(value)
    if kind in ("no_repeat_ngram_size", "min_new_tokens", "top_k"):
        number = int(value)
    return SamplingParams(stop=STOP, **{kind: number})


def written(processors, tokens, prompt, logits):
    """The logits behind processors, for a text that was written token by token."""
    batch, length = tokens.shape
    buffer = np.full((batch, 20), 2)  # what is behind is no text
    buffer[:, :length] = tokens
    prompts = np.full(batch, prompt)
    states = init_all(processors, Text(buffer, prompts, prompts), logits.shape[-1])
    for end in range(prompt, length + 1):
        text = Text(jnp.asarray(buffer), jnp.full(batch, end), jnp.asarray(prompts))
        states, found = process_all(processors, states, text, jnp.asarray(logits))
    return np.asarray(found)


@pytest.mark.promise("are those of transformers, to rounding")
@pytest.mark.parametrize("scale", range(len(SCALES)))
@pytest.mark.parametrize("name", CASES)
def test_as_transformers(name, scale):
    """For logits of any scale, and beside rows that ask for nothing."""
    tokens, logits = inputs()
    expected, logits = RECORDED[name][scale], logits[scale]
    for rows in (ROWS, ROWS // 2):
        asked = [params_of(name)] * rows + [SamplingParams(stop=STOP)] * (ROWS - rows)
        settings = settings_of(asked)
        if name.split()[0] in CHOOSES:
            found = np.asarray(settings.choice.filtered(jnp.asarray(logits)))
        else:
            assert len(settings.processors) == 1
            found = written(settings.processors, tokens, PROMPT, logits)
        np.testing.assert_array_equal(found[rows:], logits[rows:])
        if name.startswith("typical_p") and SCALES[scale] == 1e-4:  # float32 orders them by chance
            kept, wanted = (np.isfinite(array[:rows]).sum(1) for array in (found, expected))
            assert (abs(kept - wanted) <= 2).all()
        else:
            np.testing.assert_allclose(found[:rows], expected[:rows], rtol=1e-6)


@pytest.mark.parametrize("name", [name for name in CASES if name.split()[0] in CHOOSES[:4]])
def test_samplers_are_the_same(name):
    logits = inputs()[1][0]
    kind, value = name.split()
    number = int(value) if kind == "top_k" else float(value)
    found = Sampler(**{kind: number}).filtered(jnp.asarray(logits))
    np.testing.assert_allclose(found, RECORDED[name][0], rtol=1e-6)


def test_presence_and_frequency():
    """As OpenAI's API says: of the tokens behind the prompt alone, by how often they are there."""
    tokens, (logits, *_) = inputs()
    processor = generation.OutputPenalties(presence=0.7, frequency=np.linspace(-1, 1, ROWS))
    found = written([processor], tokens, PROMPT, logits)
    for row, text, before, frequency in zip(found, tokens, logits, processor.frequency):
        counts = collections.Counter(text[PROMPT:].tolist())
        for token in range(len(row)):
            lower = 0.7 * (counts[token] > 0) + frequency * counts[token]
            np.testing.assert_allclose(row[token], before[token] - lower, rtol=1e-5, atol=1e-6)


def test_a_prompt_alone():
    """Its last token is one of it, for each kind of penalty."""
    text = Text(jnp.array([[4, 5, 0]]), jnp.array([2]), jnp.array([2]))
    logits = jnp.ones((1, 6))
    for processor, changed in (
        (generation.RepetitionPenalty(2.0), [4, 5]),
        (generation.OutputPenalties(1.0, 1.0), []),
        (generation.NoRepeatNGrams(1), [4, 5]),
    ):
        states = init_all([processor], text, 6)
        _, found = process_all([processor], states, text, logits)
        assert np.flatnonzero(np.asarray(found[0]) != 1).tolist() == changed


def test_large_top_k_and_vocabulary():
    """Beyond the number of the likeliest that are found without sorting all."""
    logits = np.random.default_rng(0).normal(size=(3, 500)).astype("float32")
    for counts in ((1, 64, 500), (65, 3, 499), (64, 600, 2)):
        settings = settings_of([SamplingParams(top_k=count) for count in counts])
        found = np.isfinite(settings.choice.filtered(jnp.asarray(logits)))
        assert found.sum(1).tolist() == [min(count, 500) for count in counts]
        for row, count, kept in zip(logits, counts, found):
            assert set(np.flatnonzero(kept)) == set(row.argsort()[-count:])


@pytest.mark.promise("texts are those of whole passes, processor by processor")
@pytest.mark.parametrize("name", ["grouped", "recurrent"])
def test_texts(name):
    """Greedy texts with penalties, token by token by hand; rows do not disturb each other."""
    model = made(name)
    given = [
        SamplingParams(temperature=0.0, repetition_penalty=1.8),
        SamplingParams(temperature=0.0, frequency_penalty=1.5, presence_penalty=0.5),
        SamplingParams(temperature=0.0, no_repeat_ngram_size=2),
        SamplingParams(temperature=0.0),
    ]
    prompts = [[3, 4, 5], [6], [7, 8], [9]]
    texts = model.generate(prompts, 16, given)
    run = jax.jit(lambda text: model.apply(model.params, model.state, text)[0])
    for prompt, params, found in zip(prompts, given, texts):
        text = list(prompt)
        processors = settings_of([params]).processors
        while len(text) < 16:
            logits = run(np.array([text + [0] * (16 - len(text))]))[:, len(text) - 1]
            row = np.array([text])
            changed = written(processors, row, len(prompt), np.asarray(logits, "float32"))
            text.append(int(changed[0].argmax()))
        assert found.tolist() == text


class Counted:
    """A processor of a user's own: it leaves out what is no multiple of a number, which grows."""

    def init(self, text, vocabulary):
        return jnp.full(len(text.lengths), 2)

    def __call__(self, state, text, logits):
        is_in = jnp.arange(logits.shape[-1]) % state[:, None] == 0
        return state + 1, jnp.where(is_in, logits, -jnp.inf)


@pytest.mark.promise("of your own are functions")
@pytest.mark.parametrize("name", ["grouped", "recurrent"])
def test_processors_of_ones_own(name):
    model = made(name)
    odd = lambda state, text, logits: (state, logits.at[:, ::2].add(-1e9))  # noqa: E731
    text = model.generate([2], 12, processors=[odd])
    assert (text[1:] % 2 == 1).all()
    text = model.generate([2], 12, Sampler(3.0), processors=[Counted()], rng=0)
    assert all(token % divisor == 0 for token, divisor in zip(text[1:].tolist(), range(2, 99)))
    bias = generation.LogitBias(np.array([7]), np.array([1e9]))
    generator = Generator(model, 8, processors=[bias])
    tokens, _ = generator(model.params, [[1], [2]])
    assert (np.asarray(tokens)[:, 1:] == 7).all()


def test_penalties_in_a_server():
    """A refilled slot begins with counts of its own."""
    model = made("grouped")
    params = SamplingParams(temperature=0.0, frequency_penalty=2.0, repetition_penalty=1.5)
    generator = Generator(model, 24, params)
    prompts = [[1, 2], [3], [4, 5, 6], [7]]
    texts = dict(generation.Server(generator, slots=2, steps=3)(model.params, prompts))
    for number, prompt in enumerate(prompts):
        np.testing.assert_array_equal(texts[number], generator(model.params, [prompt])[0][0])


@pytest.mark.promise("A text that no token may follow ends there")
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_text_that_no_token_may_follow(temperature):
    """No token is taken that is left out, with drafts neither."""
    model = made("grouped")
    params = SamplingParams(temperature=temperature, no_repeat_ngram_size=1)
    text, other = model.generate([[0], [1]], 40, [params, SamplingParams()], rng=0)
    assert sorted(text.tolist()) == list(range(VOCABULARY)) and len(other) == 40
    speculative = generation.SpeculativeGenerator(model, model, 40)
    found = speculative(model.params, model.params, [[0]], sampling=params)
    assert sorted(found.tokens[0, : int(found.lengths[0])].tolist()) == list(range(VOCABULARY))


@pytest.mark.parametrize(
    "wrong", [lambda s, x, logits: logits, lambda s, x, logits: (s, logits[0])]
)
def test_what_is_no_processor(wrong):
    with pytest.raises(ValueError, match=r"processor .* expected `\(state, logits\)`"):
        made("grouped").generate([1], 8, processors=[wrong])
