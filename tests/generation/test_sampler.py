"""Samplers beside the formulas in numpy, and beside transformers where it is there."""

import jax
import numpy as np
import pytest
from scipy import stats

from jkeras.generation import Sampler

RNG = np.random.default_rng(0)
# coarse numbers, so that many are equal
ROWS = np.round(RNG.normal(size=(1000, 50)) * 2, 1).astype("float32")


def kept(sampler, rows=ROWS, seen=None):
    return np.isfinite(np.asarray(sampler.filtered(jax.numpy.asarray(rows), seen)))


def shares(rows):
    powers = np.exp(rows - rows.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def test_top_k_keeps_what_is_as_likely_as_the_last():
    least = np.sort(ROWS, axis=-1)[:, -7:-6]
    np.testing.assert_array_equal(kept(Sampler(top_k=7)), least <= ROWS)
    assert kept(Sampler(top_k=100)).all()


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_top_p_keeps_the_fewest(share):
    """What is kept has more than the share, and less without its least likely token."""
    is_kept, probabilities = kept(Sampler(top_p=share)), shares(ROWS)
    sums = (probabilities * is_kept).sum(-1)
    least = np.where(is_kept, probabilities, 2).min(-1)
    most_left_out = np.where(is_kept, 0, probabilities).max(-1)
    assert (sums >= share - 1e-5).all() and (sums - least <= share + 1e-5).all()
    assert (most_left_out <= least + 1e-7).all() and is_kept.any(-1).all()
    assert kept(Sampler(top_p=1.0)).all()


def test_min_p_keeps_a_share_of_the_likeliest():
    probabilities = shares(ROWS)
    ratio = probabilities / probabilities.max(-1, keepdims=True)
    is_kept = kept(Sampler(min_p=0.2))
    clear = abs(ratio - 0.2) > 1e-5
    np.testing.assert_array_equal(is_kept[clear], ratio[clear] >= 0.2)


def test_penalty():
    rows, seen = np.array([[2.0, -2.0, 1.0]]), np.array([[True, True, False]])
    found = Sampler(repetition_penalty=2.0).filtered(rows, seen)
    np.testing.assert_allclose(found, [[1.0, -4.0, 1.0]])


def test_frequencies():
    """100,000 tokens are as likely as the softmax of the logits says."""
    logits = np.array([0.3, -1.0, 2.0, 0.0, 1.1], "float32")
    sampler = Sampler(temperature=0.7)
    tokens = jax.vmap(lambda key: sampler(logits, key))(
        jax.random.split(jax.random.key(1), 100_000)
    )
    counts = np.bincount(np.asarray(tokens), minlength=5)
    expected = 100_000 * shares((logits / 0.7).astype("float64"))
    assert stats.chisquare(counts, expected).pvalue > 1e-3
    assert int(Sampler(temperature=0.0)(logits, None)) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        {"temperature": -1.0},
        {"top_k": 0},
        {"top_p": 0.0},
        {"min_p": 2.0},
        {"repetition_penalty": 0},
    ],
)
def test_wrong_arguments(arguments):
    with pytest.raises(ValueError, match=f"Sampler: expected `{next(iter(arguments))}` of"):
        Sampler(**arguments)


def test_as_transformers():
    """What is left out is the same, row by row, and so is the penalty."""
    torch = pytest.importorskip("torch")
    processors = pytest.importorskip("transformers.generation.logits_process")
    rows = torch.tensor(ROWS)
    pairs = {
        Sampler(top_k=5): processors.TopKLogitsWarper(5),
        Sampler(top_p=0.8): processors.TopPLogitsWarper(0.8),
        Sampler(min_p=0.1): processors.MinPLogitsWarper(0.1),
        Sampler(temperature=0.6): processors.TemperatureLogitsWarper(0.6),
    }
    for sampler, theirs in pairs.items():
        expected = theirs(None, rows.clone()).numpy()
        filtered = np.asarray(sampler.filtered(ROWS))
        # torch does not sort equal numbers in any order, so those of top_p may be others of them
        np.testing.assert_allclose(np.sort(filtered), np.sort(expected), rtol=1e-6)
        if sampler.top_p is None:
            np.testing.assert_array_equal(np.isfinite(filtered), np.isfinite(expected))
    texts = RNG.integers(0, 50, (1000, 9))
    seen = (texts[:, :, None] == np.arange(50)).any(1)
    theirs = processors.RepetitionPenaltyLogitsProcessor(1.3)(torch.tensor(texts), rows.clone())
    mine = Sampler(repetition_penalty=1.3).filtered(ROWS, seen)
    np.testing.assert_allclose(mine, theirs.numpy(), rtol=1e-6)
