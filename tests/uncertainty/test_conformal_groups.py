"""Thresholds for each class and each group, intervals of time series, and risks that are kept."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from jkeras.uncertainty import conformal

ROWS, CLASSES, SPLITS, ALPHA = 200, 3, 400, 0.1


def rows_of(key):
    """(probabilities, labels, groups) of rows; some classes, and the groups, are harder."""
    keys = jax.random.split(key, 3)
    labels = jax.random.randint(keys[0], (2 * ROWS,), 0, CLASSES)
    groups = jax.random.randint(keys[1], (2 * ROWS,), 0, 2)
    sure = jnp.array([0.3, 1.5, 3.0])[labels] * (0.3 + groups)
    logits = jax.random.normal(keys[2], (2 * ROWS, CLASSES))
    return jax.nn.softmax(logits + sure[:, None] * jax.nn.one_hot(labels, CLASSES)), labels, groups


def shares(function, count):
    """The mean share of rows that are held over many splits: in each of some parts."""
    hits, sizes = jax.jit(jax.vmap(function))(jax.random.split(jax.random.key(0), SPLITS))
    return (np.asarray(hits) / np.asarray(sizes)).mean(axis=0)[:count]


def by_part(held, parts, count):
    return jax.ops.segment_sum(held.astype("float32"), parts, count), jnp.bincount(
        parts, length=count
    )


@pytest.mark.promise("hold the label of each class as often")
def test_each_class_is_held_as_often_as_promised():
    def of_split(key, groups):
        given, labels, _ = rows_of(key)
        fitted = conformal.fit(given[:ROWS], labels[:ROWS], ALPHA, groups=groups)
        sets = conformal.predict_sets(fitted, given[ROWS:])
        held = jnp.take_along_axis(sets, labels[ROWS:, None], axis=1)[:, 0]
        return by_part(held, labels[ROWS:], CLASSES)

    marginal = shares(lambda key: of_split(key, None), CLASSES)
    assert marginal.min() < 1 - ALPHA - 0.05  # what is to be repaired
    each = shares(lambda key: of_split(key, "classes"), CLASSES)
    assert (each > 1 - ALPHA - 0.01).all() and (each < 1 - ALPHA + 0.03).all()


@pytest.mark.promise("with the group of each row, integers")
@pytest.mark.parametrize("method", ["aps", "residual", "cqr"])
def test_each_group_is_held_as_often_as_promised(method):
    def of_split(key):
        given, labels, groups = rows_of(key)
        held_groups = conformal.Groups(groups[:ROWS], 2)
        targets = labels
        if method != "aps":
            targets = (1 + 3 * groups) * jax.random.normal(key, groups.shape)
            given = jnp.zeros(2 * ROWS) if method == "residual" else jnp.zeros((2 * ROWS, 2))
        options = {"rng": key} if method == "aps" else {}
        fitted = conformal.fit(
            given[:ROWS], targets[:ROWS], ALPHA, method=method, groups=held_groups, **options
        )
        if method == "aps":
            other = {"rng": jax.random.fold_in(key, 1)}
            sets = conformal.predict_sets(fitted, given[ROWS:], groups=groups[ROWS:], **other)
            held = jnp.take_along_axis(sets, targets[ROWS:, None], axis=1)[:, 0]
        else:
            found = conformal.predict_interval(fitted, given[ROWS:], groups=groups[ROWS:])
            held = (found.lower <= targets[ROWS:]) & (targets[ROWS:] <= found.upper)
        return by_part(held, groups[ROWS:], 2)

    each = shares(of_split, 2)
    assert (each > 1 - ALPHA - 0.01).all() and (each < 1 - ALPHA + 0.02).all()


@pytest.mark.parametrize("alpha", [0.1, 0.3])
def test_a_group_is_as_if_it_were_fitted_alone(alpha):
    given, labels, groups = rows_of(jax.random.key(3))
    by_group = conformal.fit(given, labels, alpha, groups=groups)
    by_class = conformal.fit(given, labels, alpha, groups="classes")
    for number in range(2):
        alone = conformal.fit(given[groups == number], labels[groups == number], alpha)
        assert by_group.threshold[number] == alone.threshold
    for label in range(CLASSES):
        alone = conformal.fit(given[labels == label], labels[labels == label], alpha)
        assert by_class.threshold[label] == alone.threshold


@pytest.mark.promise("A group of too few rows")
def test_a_group_of_too_few_rows_gets_everything():
    given, labels, _ = rows_of(jax.random.key(0))
    groups = np.array([0] * (2 * ROWS - 3) + [2] * 3)
    fitted = conformal.fit(given, labels, ALPHA, groups=groups)
    assert np.isinf(fitted.threshold).tolist() == [False, True, True]
    sets = conformal.predict_sets(fitted, given[:3], groups=np.array([0, 1, 2]))
    assert sets[1:].all() and not sets[0].all()


WRONG = {
    "no groups of rows": (None, np.zeros(8, int)),
    "one of 2 groups a row": (np.array([0, 1] * 4), None),
    "groups from 0 to 1": (np.array([0, 1] * 4), np.full(8, 2)),
    "integers of shape": (np.array([0.0, 1] * 4), None),
    "or 'classes'": ("labels", None),
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_groups(message):
    fit_by, predict_by = WRONG[message]
    with pytest.raises(ValueError, match=message):
        fitted = conformal.fit(np.zeros(8), np.ones(8), 0.5, method="residual", groups=fit_by)
        conformal.predict_interval(fitted, np.zeros(8), groups=predict_by)


def test_jackknife_has_no_groups():
    with pytest.raises(ValueError, match="'jackknife\\+'"):
        conformal.fit(np.zeros(4), np.ones(4), 0.5, method="jackknife+", groups=np.zeros(4, int))


# ---------------------------------------------------------------- time series


def series_of(rows=600, seed=0):
    """(predictions, targets) whose noise grows on the way."""
    rng = np.random.default_rng(seed)
    predictions = np.sin(np.arange(rows) / 20)
    scale = np.linspace(1, 4, rows)
    return predictions, predictions + scale * rng.normal(size=rows)


def by_hand(predictions, targets, begin, alpha, rate, slides):
    """Half of each width, as the papers say it, with numpy."""
    residuals = np.abs(targets - predictions)
    known, alpha_now, widths = list(residuals[:begin]), alpha, []
    for residual in residuals[begin:]:
        rank = math.ceil((len(known) + 1) * (1 - alpha_now) - 1e-6)
        width = np.inf if rank > len(known) else -np.inf
        if 1 <= rank <= len(known):
            width = np.sort(known)[rank - 1]
        widths.append(width)
        if slides:
            known = [*known[1:], residual]
        else:
            alpha_now += rate * (alpha - (residual > width))
    return np.array(widths)


@pytest.mark.promise("keeps the residuals, and moves the share")
@pytest.mark.promise("`fit_series` and `follow_series`")
@pytest.mark.parametrize("method, rate", [("enbpi", 0.01), ("aci", 0.013), ("aci", 0.5)])
def test_intervals_of_a_series_are_those_of_the_papers(method, rate):
    predictions, targets = series_of()
    series = conformal.fit_series(predictions[:99], targets[:99], 0.2, method=method, rate=rate)
    found, series = conformal.follow_series(series, predictions[99:], targets[99:])
    widths = by_hand(predictions, targets, 99, 0.2, rate, method == "enbpi")
    assert np.isinf(widths).any() == (method == "aci")
    np.testing.assert_allclose(found.upper, predictions[99:] + widths, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.lower, predictions[99:] - widths, rtol=1e-5, atol=1e-5)
    following = conformal.predict_interval(series, np.zeros(2))
    np.testing.assert_allclose(following.upper, series.width)


@pytest.mark.promise("hold their share of rows where")
@pytest.mark.parametrize("method", ["enbpi", "aci"])
def test_series_hold_their_share_where_the_noise_grows(method):
    predictions, targets = series_of(3000)
    series = conformal.fit_series(predictions[:200], targets[:200], 0.1, method=method, rate=0.02)
    found, _ = conformal.follow_series(series, predictions[200:], targets[200:])
    fixed = conformal.fit(predictions[:200], targets[:200], 0.1, method="residual")
    plain = conformal.predict_interval(fixed, predictions[200:])

    def held(interval):
        return np.mean((interval.lower <= targets[200:]) & (targets[200:] <= interval.upper))

    assert held(plain) < 0.75 and held(found) == pytest.approx(0.9, abs=0.03)


@pytest.mark.promise("comes near its share in the long run")
def test_adaptive_intervals_keep_their_bound_against_an_adversary():
    rng = np.random.default_rng(0)
    targets = np.concatenate([rng.normal(size=100), 100 * rng.normal(size=300), np.zeros(300)])
    series = conformal.fit_series(np.zeros(50), rng.normal(size=50), 0.1, method="aci", rate=0.05)
    found, _ = conformal.follow_series(series, np.zeros(700), targets)
    missed = 1 - ((found.lower <= targets) & (targets <= found.upper))
    for rows in (100, 400, 700):
        assert abs(missed[:rows].mean() - 0.1) <= 1.05 / (0.05 * rows)


def test_a_missed_row_with_empty_intervals_counts():
    series = conformal.fit_series(np.zeros(9), np.arange(9), 0.9, method="aci", rate=1.0)
    found, series = conformal.follow_series(series, np.zeros(3), np.zeros(3))
    assert found.lower[1] == np.inf and found.upper[1] == -np.inf  # aimed at 1.8
    np.testing.assert_allclose(series.alpha_now, 0.9 + 0.9 - 0.1 - 0.1, rtol=1e-5)


def test_wrong_series():
    with pytest.raises(ValueError, match="as many predictions as targets"):
        conformal.fit_series(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match="NaN"):
        conformal.fit_series(np.zeros(3), [0.0, np.nan, 1.0])
    with pytest.raises(ValueError, match="`rate` above 0"):
        conformal.fit_series(np.zeros(3), np.zeros(3), rate=0)
    with pytest.raises(ValueError, match="row 1, which all were trained on"):
        conformal.out_of_bag(np.zeros((2, 2)), np.array([[False, True], [True, True]]))


# ---------------------------------------------------------------- risks


def losses_of(key, rows=100):
    """Shares of missed labels of rows at 20 thresholds; they rise."""
    scores = jax.random.uniform(key, (rows, 4)) ** 0.5
    return (scores[:, None, :] < jnp.linspace(0, 1, 20)[:, None]).mean(-1)


TRUE_RISKS = np.linspace(0, 1, 20) ** 2


@pytest.mark.promise("keeps the expected loss of new rows")
def test_the_expected_risk_is_kept():
    keys = jax.random.split(jax.random.key(0), 2000)
    found = jax.jit(jax.vmap(lambda key: conformal.control_risk(losses_of(key), 0.2).index))(keys)
    risks = TRUE_RISKS[np.asarray(found)]
    assert risks.mean() <= 0.2 and risks.max() < TRUE_RISKS[np.searchsorted(TRUE_RISKS, 0.2) + 1]
    assert risks.mean() > 0.15  # a setting is 0.05 wide there


@pytest.mark.promise("with a probability of at least `1 - delta`")
def test_learn_then_test_keeps_its_promise():
    def index_of(key):
        losses = (jax.random.uniform(key, (300, 1)) < TRUE_RISKS).astype("float32")
        return conformal.control_risk(losses, 0.2, method="ltt", delta=0.2).index

    keys = jax.random.split(jax.random.key(0), 1000)
    found = np.asarray(jax.jit(jax.vmap(index_of))(keys))
    assert (TRUE_RISKS[found] > 0.2).mean() <= 0.2
    assert TRUE_RISKS[found].mean() > 0.1


def test_p_values_are_those_of_scipy():
    rng = np.random.default_rng(0)
    losses = rng.random((150, 9)) < np.linspace(0, 0.5, 9)
    found = conformal.control_risk(losses, 0.25, method="ltt")
    mean = losses.mean(0)
    capped = np.minimum(mean, 0.25)
    entropy = scipy.special.rel_entr(capped, 0.25) + scipy.special.rel_entr(1 - capped, 0.75)
    bentkus = math.e * scipy.stats.binom.cdf(losses.sum(0), 150, 0.25)
    wanted = np.minimum(np.exp(-150 * entropy), bentkus)
    np.testing.assert_allclose(found.bounds, wanted, rtol=2e-4)
    np.testing.assert_allclose(found.risks, mean, rtol=1e-6)


def test_p_values_of_many_rows_are_not_too_small():
    rng = np.random.default_rng(0)
    losses = rng.random((20_000, 3)) < np.array([0.095, 0.097, 0.1])
    found = conformal.control_risk(losses, 0.1, method="ltt").bounds
    wanted = math.e * scipy.stats.binom.cdf(losses.sum(0), 20_000, 0.1)
    assert (found >= np.minimum(wanted, 0.5)).all() and found[0] < 1.05 * wanted[0]


def test_larger_losses_are_the_same_in_another_unit():
    losses = losses_of(jax.random.key(0))
    for method in ("crc", "ltt"):
        one = conformal.control_risk(losses, 0.3, method=method)
        ten = conformal.control_risk(10 * losses, 3.0, method=method, largest=10.0)
        assert one.index == ten.index and one.index >= 0


def test_no_setting_may_be_safe():
    assert conformal.control_risk(np.ones((5, 3)), 0.1).index == -1
    assert conformal.control_risk(np.zeros((5, 3)), 0.1).index == -1  # 1 / 6 of 5 rows is above


@pytest.mark.parametrize(
    "losses, options, message",
    [
        ([[0.5, 0.2]], {}, "do not fall"),
        ([[0.5, 2.0]], {}, "at most 1"),
        ([[0.5, np.nan]], {}, "NaN"),
        ([[-0.5, 0.1]], {}, "0 or more"),
        ([0.5, 0.1], {}, "shape \\(rows, settings\\)"),
        ([[0.1, 0.5]], {"alpha": 2.0}, "0 < alpha < 1"),
        ([[0.1, 0.5]], {"delta": 0.0}, "0 < delta < 1"),
        ([[0.1, 0.5]], {"method": "rcps"}, "rcps"),
    ],
)
def test_wrong_risks(losses, options, message):
    with pytest.raises(ValueError, match=message):
        conformal.control_risk(losses, **options)
