"""Samples of rows by coins: how often, independently, and with places enough."""

import jax
import numpy as np
import pytest
from scipy import stats

from jkeras.privacy import cap_for, sample
from jkeras.privacy.sampling import overflow, sampled
from jkeras.training.data import ArraySource

SIZE, BATCH = 60, 12


def source(sampling="poisson", steps=100, multiple=1, **options):
    options = {"batch_size": BATCH, **options}
    return sampled(ArraySource(np.arange(SIZE), **options), sampling, steps, multiple)


def memberships(steps):
    """(steps, rows), whether a row is in a step."""
    found = np.zeros((len(steps), SIZE), bool)
    for row, chosen in zip(found, steps):
        row[chosen] = True
        assert len(set(chosen)) == len(chosen)
    return found


def of_source():
    ours = source()
    return memberships([rows for epoch in range(1000) for rows in ours.rows(7, epoch)])


def of_function():
    keys = jax.random.split(jax.random.key(3), 5000)
    draw = jax.jit(jax.vmap(lambda key: sample(key, SIZE, BATCH / SIZE, 40)))
    rows, valid = map(np.asarray, draw(keys))
    return memberships([r[v] for r, v in zip(rows, valid)])


@pytest.mark.promise("Each row is in a step by")
@pytest.mark.promise("So a batch has `batch_size`")
@pytest.mark.parametrize("made", [of_source, of_function])
def test_coins(made):
    """Each row as often as it should be, and pairs of rows, and of steps, as if independent."""
    found, q = made(), BATCH / SIZE
    steps = len(found)
    assert (
        stats.chisquare(
            [found.sum(), (~found).sum()], [q * found.size, (1 - q) * found.size]
        ).pvalue
        > 1e-3
    )
    each = found.sum(0)
    spread = ((each - steps * q) ** 2 / (steps * q * (1 - q))).sum()
    assert 1e-3 < stats.chi2.sf(spread, SIZE) < 1 - 1e-3
    # where a step had a fixed size, a pair would be together less often than q * q
    pairs = found.sum(1).astype(float) * (found.sum(1) - 1) / (SIZE * (SIZE - 1))
    assert abs(pairs.mean() - q * q) < 4 * pairs.std() / np.sqrt(steps)
    counts = found.sum(1)
    assert abs(counts.var() / (SIZE * q * (1 - q)) - 1) < 0.1
    after = (found[1:] & found[:-1]).mean()
    assert abs(after - q * q) < 4 * q * np.sqrt(1 / found.size)


@pytest.mark.promise("A compiled step has a fixed shape, so")
@pytest.mark.promise("too few with a probability of at most 1e-9")
@pytest.mark.parametrize("size, q, steps", [(60000, 256 / 60000, 3516), (1438, 0.178, 204)])
def test_places_are_enough(size, q, steps):
    cap = cap_for(size, q, steps)
    assert steps * stats.binom.sf(cap, size, q) <= 1e-9 < steps * stats.binom.sf(cap - 1, size, q)
    assert overflow(size, q, cap) == pytest.approx(stats.binom.sf(cap, size, q), rel=1e-6)


def test_all_rows_have_places():
    assert cap_for(10, 1.0, 5) == cap_for(10, 0.999, 10**6) == 10
    assert overflow(10, 1.0, 10) == 0.0


@pytest.mark.promise("Rows without a place are left out, with a warning")
def test_a_step_without_slots():
    ours = source()
    ours.full_size = 3
    with pytest.warns(UserWarning, match="has 3 slots, and some were left out"):
        assert max(map(len, ours.rows(0, 0))) == 3


def test_streams_differ():
    first, second = source(), source()
    second.stream = (1, 2, 3)
    assert any(
        len(a) != len(b) or np.any(a != b) for a, b in zip(first.rows(0, 0), second.rows(0, 0))
    )
    again = source()
    for a, b in zip(first.rows(0, 0), again.rows(0, 0)):
        np.testing.assert_array_equal(a, b)


@pytest.mark.promise("So a batch has `batch_size`")
@pytest.mark.promise("The account is of just")
def test_empty_steps_are_steps():
    ours = sampled(ArraySource(np.arange(5), batch_size=1), "poisson", 5, 1)
    sizes = [len(rows) for epoch in range(40) for rows in ours.rows(0, epoch)]
    assert len(sizes) == 200 and sizes.count(0) > 30
    order, rest = ours.steps(0, 0, ours.full_size)
    assert order.shape == (5, ours.full_size) and len(rest) == 0
    for places, rows in zip(order, ours.rows(0, 0)):
        np.testing.assert_array_equal(places[: len(rows)], rows)
        assert np.all(places[len(rows) :] == 5)


@pytest.mark.promise("takes all rows in turn")
def test_turns():
    ours = source("turns", shuffle=True, batch_size=16, multiple=8)
    assert ours.full_size == 16 and ours.num_batches == 4
    rows = np.concatenate(ours.rows(0, 3))
    assert sorted(rows) == list(range(SIZE)) and list(rows) != list(range(SIZE))


def test_places_for_devices():
    assert source(multiple=8).full_size % 8 == 0


def test_a_probability_below_the_digits_of_a_random_number():
    """Coins of 23 bits would come up 64 times as often."""
    size, q = 2**19, 2.0**-29
    draw = jax.jit(lambda key: sample(key, size, q, 8)[1].sum())
    assert sum(int(draw(jax.random.key(i))) for i in range(8)) == 0  # of 0.01, not 2
