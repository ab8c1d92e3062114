"""`model.generate(..., draft=small)`: the texts without it, in fewer passes of the model."""

import collections

import jax
import numpy as np
import pytest
from scipy import stats

import jkeras
from jkeras import layers
from jkeras.generation import Generator, OutputPenalties, Sampler, SamplingParams
from tests.generation.models import VOCABULARY, begin, ends, made
from tests.generation.test_beams import table
from tests.generation.test_generate import Letters
from tests.generation.test_speculative import nearly, probabilities

PROMPTS = [[3, 4, 5], [6], [7, 8]]


@pytest.fixture(scope="module")
def model():
    return made("grouped")


def draft_of(scale):
    """A model of the same form whose parameters are those of `model`, changed."""
    draft = made("grouped")
    draft.params = nearly(draft, scale)
    return draft


@pytest.fixture(scope="module")
def draft():
    return draft_of(0.1)


def alike(texts, others):
    return [text.tolist() for text in texts] == [text.tolist() for text in others]


@pytest.mark.promise("A greedy text is the same, to rounding")
@pytest.mark.promise("in fewer passes of the large model")
def test_the_same_texts_in_fewer_passes(model, draft):
    """By each draft's scale; the passes that a text took are counted."""
    plain = model.generate(PROMPTS, max_new_tokens=20)
    for scale, count in ((0.0, 4), (0.1, 3), (3.0, 4)):
        small = draft_of(scale)
        options = {"max_new_tokens": 20, "draft": small, "draft_tokens": count}
        assert alike(model.generate(PROMPTS, **options), plain)
        for found in model.generate(PROMPTS, logprobs=0, **options):
            # a pass gives a token beside the drafts that are kept; the last may be behind the end
            assert 19 <= found.passes - 1 + found.accepted <= 21
            assert found.drafted == count * (found.passes - 1)
            if scale == 0.0:
                assert found.passes == 1 + 4 and found.accepted == 16
    assert model.generate(PROMPTS[0], max_new_tokens=2, logprobs=0).passes is None


class CountedPasses(layers.Layer):
    """Counts how often it runs, on the host."""

    supports_cache = True
    passes = 0

    def call(self, x):
        jax.debug.callback(self.count)
        return x

    def count(self):
        CountedPasses.passes += 1


def without_positions(*between):
    """A model of texts of any length, with these layers before its last one."""
    tokens, x = begin()
    x = x + layers.MultiHeadAttention(2, 8)(x, x, use_causal_mask=True)
    for layer in between:
        x = layer(x)
    return ends(tokens, x)


def test_passes_are_those_that_run():
    large, small = without_positions(CountedPasses()), without_positions()
    small.set_weights(large.get_weights())
    CountedPasses.passes = 0
    found = large.generate([1, 2, 3], max_new_tokens=16, draft=small, logprobs=0)
    jax.effects_barrier()
    assert CountedPasses.passes == found.passes == 1 + 4


@pytest.mark.promise("sampled ones have the distribution of the large model")
def test_the_same_distribution():
    """Of 4,096 texts, by chi-square beside all texts there are; and they are not all the same."""
    (large, _), (small, _) = table(4, 0), table(4, 1)
    params = SamplingParams(temperature=1.3, top_p=0.9, max_new_tokens=3)
    count = 4096
    texts = large.generate([1, 1, 1], 6, params, n=count, rng=3, draft=small, draft_tokens=2)
    counts = collections.Counter(tuple(text[3:].tolist()) for text in texts)
    expected = probabilities(large, params)
    names = sorted(expected)
    found = np.array([counts[name] for name in names], "float64")
    assert found.sum() == count
    shares = count * np.array([expected[name] for name in names])
    likely = shares > 5
    pooled = [np.append(v[likely], v[~likely].sum() + 1e-9) for v in (found, shares)]
    pooled[1] *= pooled[0].sum() / pooled[1].sum()
    assert stats.chisquare(*pooled).pvalue > 1e-3


@pytest.mark.promise("processors, grammars and `stream` work with a draft")
def test_what_else_is_asked_for(model, draft):
    stop = model.generate(PROMPTS[0], 20)[6]
    each = [
        SamplingParams(temperature=0.0, repetition_penalty=1.4, max_new_tokens=12),
        SamplingParams(temperature=0.0, stop=int(stop)),
        SamplingParams(temperature=0.0, no_repeat_ngram_size=2, min_new_tokens=4, stop=2),
    ]
    options = {"sampler": each, "processors": [OutputPenalties(0.5, 0.5)]}
    with_draft = options | {"draft": draft}
    assert alike(model.generate(PROMPTS, 20, **options), model.generate(PROMPTS, 20, **with_draft))
    plain = model.generate(PROMPTS, 20, logprobs=3, **options)
    for one, other in zip(plain, model.generate(PROMPTS, 20, logprobs=3, **with_draft)):
        assert one.finish_reason == other.finish_reason
        np.testing.assert_allclose(other.logprobs, one.logprobs, atol=1e-4)
        np.testing.assert_allclose(other.top_logprobs, one.top_logprobs, atol=1e-4)
    three = model.generate(PROMPTS, 20, Sampler(2.0), n=3, rng=1, draft=draft)
    assert all(len({tuple(text) for text in texts}) == 3 for texts in three)
    again = model.generate(PROMPTS, 20, Sampler(2.0), n=3, rng=1, draft=draft)
    assert all(map(alike, three, again))


@pytest.mark.parametrize("scale", [0.0, 0.1])
def test_a_stream(model, scale):
    """Token by token, whatever a pass gives at once."""
    draft, stop = draft_of(scale), int(model.generate(PROMPTS[0], 20)[8])
    texts = model.generate(PROMPTS, 20, stop=stop)
    steps = list(model.generate(PROMPTS, 20, stop=stop, draft=draft, stream=True))
    assert len(steps) == max(len(t) - len(p) for t, p in zip(texts, PROMPTS))
    for row, (text, prompt) in enumerate(zip(texts, PROMPTS)):
        new = [int(step[row]) for step in steps]
        assert new[: len(text) - len(prompt)] == text[len(prompt) :].tolist()
        assert not any(new[len(text) - len(prompt) :])  # the padding
    one = list(model.generate(PROMPTS[0], 20, draft=draft, stream=True))
    assert one == model.generate(PROMPTS[0], 20)[3:].tolist()


def test_texts(model, draft):
    """With ends that are texts, in the middle of what a pass gives."""
    tokenizer = Letters()
    whole = model.generate("abc", 24, tokenizer=tokenizer)
    for stop in (whole[9:11], whole[5], whole[12:15]):
        options = {"tokenizer": tokenizer, "stop": stop}
        plain = model.generate(["abc", "d"], 24, **options)
        assert model.generate(["abc", "d"], 24, draft=draft, **options) == plain
        pieces = list(model.generate("abc", 24, draft=draft, stream=True, **options))
        assert "".join(pieces) == "".join(model.generate("abc", 24, stream=True, **options))


@pytest.mark.parametrize("name", ["stacked", "grouped"])
def test_up_to_the_last_position(name):
    """Drafts that reach beyond the buffer, and buffers of two lengths."""
    model, small = made(name), made("grouped")  # `grouped` has 64 positions
    for length in (2, 5, 63, 64):
        plain = model.generate([[1], [2, 2]], length)
        assert alike(model.generate([[1], [2, 2]], length, draft=small, draft_tokens=7), plain)
    assert len(model.generate([1, 2], 2, draft=small)) == 2


def test_a_grammar(model, draft):
    pytest.importorskip("llguidance")
    from tests.generation.test_grammar import SCHEMA, STOP, TOKENS, Grammar

    grammar = Grammar.json_schema(SCHEMA, TOKENS, STOP)
    options = {"processors": [grammar], "stop": STOP}
    for sampler in (None, SamplingParams(seed=1, temperature=2.0)):
        found = model.generate(PROMPTS, 50, sampler, draft=draft, logprobs=0, **options)
        for text, prompt in zip(found, PROMPTS):
            fits = grammar.allowed(text.tokens[None], [len(text.tokens)], [len(prompt)], VOCABULARY)
            assert fits.any()
    plain = model.generate(PROMPTS, 50, **options)
    assert alike(model.generate(PROMPTS, 50, draft=draft, **options), plain)


class Reversed(Letters):
    """Other tokens for the same letters."""

    words = Letters.words[::-1]


@pytest.mark.promise("A draft of other tokens, without a cache or with too few positions")
def test_wrong_drafts(model, draft):
    def refused(match, draft=draft, prompts=(1, 2), length=20, model=model, **options):
        with pytest.raises(ValueError, match=match):
            model.generate(list(prompts), length, draft=draft, **options)

    refused("as `draft` a built model of language", "small")
    refused("which was not built", jkeras.Sequential([layers.Embedding(VOCABULARY, 4)]))
    other = jkeras.Sequential([jkeras.Input((None,)), layers.Embedding(VOCABULARY, 5)])
    refused("two models of the same tokens.*23 and 5 tokens", other)
    few = jkeras.Sequential([jkeras.Input((None,)), layers.Embedding(9, VOCABULARY)])
    refused("knows the 23 tokens of the large one.*9", few)
    refused("a `draft` that allows a cache.*lstm", made("recurrent"))
    refused("with a `draft` a model that allows a cache.*lstm", model=made("recurrent"))
    long = {"model": without_positions(), "length": 70}
    refused("a `draft` that .* takes texts of 70 tokens.*at most 64 positions", **long)
    refused("a `draft` that .* positions for texts of 70 tokens.*64", made("stacked"), **long)
    refused("`draft_tokens` of 1 or more", draft_tokens=0)
    refused("`draft_tokens` of 1 or more", draft_tokens=2.5)
    refused("which say how likely a token is", sampler=lambda logits, rng: 0)
    draft.tokenizer = Reversed()
    with pytest.raises(ValueError, match="whose tokenizer reads"):
        model.generate("abc", 20, draft=draft, tokenizer=Letters())
    del draft.tokenizer


def test_without_a_draft_nothing_changes(model):
    tokens = Generator(model, 20)(model.params, [PROMPTS[0]])[0][0]
    assert model.generate(PROMPTS[0], 20).tolist() == tokens.tolist()
