"""Texts of a large model with the drafts of a small one: the same, in fewer passes."""

import collections

import jax
import numpy as np
import pytest
from scipy import stats

import jkeras
from jkeras import layers
from jkeras.generation import (
    Generator,
    OutputPenalties,
    Sampler,
    SamplingParams,
    SpeculativeGenerator,
)
from tests.generation.models import VOCABULARY, made
from tests.generation.test_beams import table

PROMPTS = np.random.default_rng(0).integers(0, VOCABULARY, (5, 7))
LENGTHS = np.array([7, 3, 5, 1, 6])


def nearly(model, scale):
    """Params beside those of a model, as of a small one that learnt from it."""
    keys = iter(jax.random.split(jax.random.key(0), 99))
    return jax.tree.map(lambda v: v + scale * jax.random.normal(next(keys), v.shape), model.params)


@pytest.mark.promise("A greedy text is the one of `Generator`")
@pytest.mark.parametrize("name, count", [("grouped", 3), ("grouped", 22), ("stacked", 4)])
def test_greedy(name, count):
    """With drafts that are kept and drafts that are not; each row ends where it ends."""
    model = made(name)
    plain = Generator(model, 24, stop=[3, 5])
    tokens, lengths = plain(model.params, PROMPTS, LENGTHS)
    generator = SpeculativeGenerator(model, model, 24, count, stop=[3, 5])
    written = int((np.asarray(lengths) - LENGTHS).max())
    for scale in (0.0, 0.1, 3.0):
        found = generator(model.params, nearly(model, scale), PROMPTS, LENGTHS)
        np.testing.assert_array_equal(found.lengths, lengths)
        np.testing.assert_array_equal(found.tokens, tokens)
        assert int(found.passes) <= written + 1
        if scale == 0.0:  # all drafts are kept
            assert int(found.passes) == 1 + -(-written // (count + 1))
    assert (np.asarray(found.accepted) < np.asarray(found.drafted)).all()  # hardly any of the last


@pytest.mark.promise("counts of passes and of drafts that were kept")
@pytest.mark.promise("Each pass gives one token more than it keeps drafts")
def test_counts():
    """Each pass of the large model gives one token, and those of the small one that are kept."""
    model = made("grouped")
    generator = SpeculativeGenerator(model, model, 30, 3)
    found = generator(model.params, nearly(model, 0.1), PROMPTS[:1])
    new, passes = 30 - 7, int(found.passes) - 1
    # the token of the last pass may be behind the end
    assert passes + int(found.accepted[0]) - new in (0, 1) and passes < new
    assert int(found.drafted[0]) == 3 * passes


def both(seed, **options):
    """Two tables of next tokens, and a generator for them."""
    models = [table(4, number)[0] for number in (seed, seed + 1)]
    return models, SpeculativeGenerator(*models, 6, 2, **options)


@pytest.mark.promise("Sampled texts have the distribution of the large model")
@pytest.mark.parametrize(
    "params",
    [
        SamplingParams(),
        pytest.param(SamplingParams(temperature=0.6), marks=pytest.mark.slow),
        pytest.param(SamplingParams(top_k=2), marks=pytest.mark.slow),
        SamplingParams(top_p=0.8, min_p=0.05, temperature=1.4),
        SamplingParams(repetition_penalty=1.7),
        pytest.param(SamplingParams(frequency_penalty=1.5), marks=pytest.mark.slow),
        pytest.param(SamplingParams(stop=2), marks=pytest.mark.slow),
        SamplingParams(no_repeat_ngram_size=2, min_new_tokens=2, stop=1),
    ],
)
def test_the_same_distribution(params):
    """Of 40,000 texts of three tokens, by chi-square, beside all texts there are."""
    (large, small), generator = both(0)
    count = 40_000
    given = {"prompts": np.ones((count, 3), "int32"), "rng": 5, "sampling": params}
    found = generator(large.params, small.params, **given)
    rows = zip(np.asarray(found.tokens).tolist(), found.lengths.tolist())
    texts = collections.Counter(tuple(row[3:end]) for row, end in rows)
    expected = probabilities(large, params)
    names = sorted(expected)
    counts = np.array([texts[name] for name in names], "float64")
    assert counts.sum() == count  # no text that cannot be
    shares = count * np.array([expected[name] for name in names])
    likely = shares > 5
    pooled = [np.append(v[likely], v[~likely].sum() + 1e-9) for v in (counts, shares)]
    pooled[1] *= pooled[0].sum() / pooled[1].sum()
    assert stats.chisquare(*pooled).pvalue > 1e-3
    assert 0 < int(found.accepted.sum()) < int(found.drafted.sum())


def probabilities(model, params):
    """{text: probability} of all texts of up to three tokens, token by token by `Generator`."""
    generator = Generator(model, 6, params)
    expected = {}
    texts = [((), 1.0)]
    for _ in range(3):
        longer = []
        tokens = np.array([[1, 1, 1, *text] for text, _ in texts])
        rows = generator.begin(model.params, tokens)
        rows = rows._replace(prompts=np.full(len(texts), 3))
        states = generator.begin(model.params, tokens[:, :3]).states
        for end in range(3, tokens.shape[1] + 1):
            text = rows._replace(lengths=np.full(len(texts), end))
            states, logits = generator.processed(rows.settings, states, text)
        shares = np.exp(np.asarray(rows.settings.choice.log_probabilities(logits), "float64"))
        for (text, share), row in zip(texts, shares):
            for token, one in enumerate(row / row.sum()):
                new = (*text, token)
                if len(new) == 3 or token in params.stop:
                    expected[new] = share * one
                elif one > 0:
                    longer.append((new, share * one))
        texts = longer
    return {text: share for text, share in expected.items() if share > 0}


def test_a_row_is_the_same_whatever_the_others_are():
    (large, small), generator = both(4, sampler=Sampler(1.3))
    prompts = np.array([[1, 2], [3, 0], [2, 2]])
    found = generator(large.params, small.params, prompts, [2, 1, 2], 7)
    alone = generator(large.params, small.params, prompts[:1], [2], 7)
    np.testing.assert_array_equal(found.tokens[:1], alone.tokens)
    each = [SamplingParams(temperature=1.3, seed=7), *[SamplingParams(top_k=2)] * 2]
    seeded = generator(large.params, small.params, prompts, [2, 1, 2], 3, sampling=each)
    np.testing.assert_array_equal(seeded.tokens[:1], alone.tokens)


def test_processors_see_the_drafts():
    """Greedy texts with penalties of ones own are those without drafts."""
    model = made("grouped")
    options = {"processors": [OutputPenalties(0.5, 1.0)], "stop": [3]}
    plain = Generator(model, 20, **options)(model.params, PROMPTS, LENGTHS)
    generator = SpeculativeGenerator(model, model, 20, 3, **options)
    for scale in (0.0, 0.3):
        found = generator(model.params, nearly(model, scale), PROMPTS, LENGTHS)
        np.testing.assert_array_equal(found.tokens, plain[0])


def test_prompts_on_the_left_and_whole_prompts():
    model = made("grouped")
    generator = SpeculativeGenerator(model, model, 8, padding_side="left")
    found = generator(model.params, model.params, [[0, 4, 5]], [2])
    plain = Generator(model, 8)(model.params, [[4, 5]])
    np.testing.assert_array_equal(found.tokens, plain[0])
    whole = generator(model.params, model.params, np.ones((2, 8), int))
    assert int(whole.passes) == 1 and whole.lengths.tolist() == [8, 8]


def test_wrong_arguments():
    model = made("grouped")
    for count in (0, 8, 1.5):
        with pytest.raises(ValueError, match="`draft_tokens` from 1 to 7"):
            SpeculativeGenerator(model, model, 8, count)
    with pytest.raises(ValueError, match="say how likely a token is"):
        SpeculativeGenerator(model, model, 8, sampler=lambda logits, rng: 0)
    other = jkeras.Sequential([jkeras.Input((None,)), layers.Embedding(VOCABULARY, 5)])
    generator = SpeculativeGenerator(model, other, 8)
    with pytest.raises(ValueError, match="two models of the same tokens"):
        generator(model.params, other.params, [[1, 2]])
    uncached = SpeculativeGenerator(model, made("recurrent"), 8)
    with pytest.raises(ValueError, match="a model that allows a cache"):
        uncached(model.params, uncached.small.model.params, [[1, 2]])
