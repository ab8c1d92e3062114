"""Conformal prediction holds the truth as often as it says, over many splits of the data."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras.uncertainty import conformal

SPLITS, ROWS, CLASSES = 1000, 100, 6
ALPHAS = [0.1, 0.37]


def rows_of(key):
    """(probabilities, labels) of rows whose model is not calibrated."""
    of_labels, of_noise = jax.random.split(key)
    labels = jax.random.randint(of_labels, (2 * ROWS,), 0, CLASSES)
    logits = jax.random.normal(of_noise, (2 * ROWS, CLASSES)) * 2
    return jax.nn.softmax(logits + 2 * jax.nn.one_hot(labels, CLASSES)), labels


def numbers_of(key):
    """(predictions (rows, 2), targets): a lower and an upper quantile, both wrong."""
    of_place, of_noise = jax.random.split(key)
    place = jax.random.normal(of_place, (2 * ROWS,))
    targets = place + jax.random.normal(of_noise, place.shape) * (1 + place**2)
    return jnp.stack([place - 0.3 * (1 + place**2), place + 0.5], axis=-1), targets


def over_splits(share_of):
    """The mean of a function of keys over all splits, and three standard errors of it."""
    keys = jax.random.split(jax.random.key(0), SPLITS)
    shares = np.asarray(jax.jit(jax.vmap(share_of))(keys))
    return shares.mean(), 3 * shares.std() / math.sqrt(SPLITS)


def check_exact(share_of, alpha, at_most=None):
    mean, error = over_splits(share_of)
    at_most = 1 - alpha + 1 / (ROWS + 1) if at_most is None else at_most
    assert 1 - alpha - error <= mean <= at_most + error


@pytest.mark.promise("Numbers are checked in `tests/uncertainty`")
@pytest.mark.promise("The share of sets that")
@pytest.mark.promise("are exact with random numbers")
@pytest.mark.promise("in a share of at least `1 - alpha` of new rows")
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("method, is_randomized", [("lac", False), ("aps", True), ("raps", True)])
def test_the_share_of_sets_that_hold_the_label(method, is_randomized, alpha):
    def share_of(key):
        of_data, of_fit, of_sets = jax.random.split(key, 3)
        given, labels = rows_of(of_data)
        first, second = (of_fit, of_sets) if is_randomized else (None, None)
        fit = functools.partial(conformal.fit, method=method, rng=first, free_rank=2)
        fitted = fit(given[:ROWS], labels[:ROWS], alpha)
        sets = conformal.predict_sets(fitted, given[ROWS:], rng=second)
        return jnp.mean(jnp.take_along_axis(sets, labels[ROWS:, None], axis=1))

    check_exact(share_of, alpha)


@pytest.mark.promise("With `rng=` in `fit` alone")
@pytest.mark.parametrize("fit_at_random", [False, True])
def test_sets_without_random_numbers_hold_the_label_as_often_or_more(fit_at_random):
    def share_of(key):
        of_data, of_fit = jax.random.split(key)
        given, labels = rows_of(of_data)
        rng = of_fit if fit_at_random else None
        fitted = conformal.fit(given[:ROWS], labels[:ROWS], method="aps", rng=rng)
        sets = conformal.predict_sets(fitted, given[ROWS:])
        return jnp.mean(jnp.take_along_axis(sets, labels[ROWS:, None], axis=1))

    check_exact(share_of, 0.1, at_most=1.0 if fit_at_random else None)


@pytest.mark.promise("Intervals of numbers come")
@pytest.mark.promise("its intervals are all of the same width")
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("method", ["residual", "cqr"])
def test_the_share_of_intervals_that_hold_the_target(method, alpha):
    def share_of(key):
        given, targets = numbers_of(key)
        given = given.mean(-1) if method == "residual" else given
        fitted = conformal.fit(given[:ROWS], targets[:ROWS], alpha, method=method)
        lower, upper = conformal.predict_interval(fitted, given[ROWS:])
        return jnp.mean((lower <= targets[ROWS:]) & (targets[ROWS:] <= upper))

    check_exact(share_of, alpha)


@pytest.mark.promise("its intervals are all of the same width")
def test_residual_intervals_have_one_width():
    given, targets = numbers_of(jax.random.key(0))
    fitted = conformal.fit(given.mean(-1), targets, 0.1, method="residual")
    lower, upper = conformal.predict_interval(fitted, given.mean(-1))
    np.testing.assert_allclose(upper - lower, upper[0] - lower[0], atol=1e-5)


@pytest.mark.promise("spends no rows on calibration")
def test_the_share_of_jackknife_intervals_that_hold_the_target():
    """Of a model that is the mean of its training rows."""
    rows = 20  # new ones in each split

    def share_of(key):
        targets = jax.random.exponential(key, (ROWS + rows,))
        train, new = targets[:ROWS], targets[ROWS:]
        held_out = (train.sum() - train) / (ROWS - 1)
        fitted = conformal.fit(held_out, train, 0.1, method="jackknife+")
        lower, upper = conformal.predict_interval(fitted, jnp.tile(held_out, (rows, 1)))
        return jnp.mean((lower <= new) & (new <= upper))

    mean, error = over_splits(share_of)
    assert mean >= 0.9 - 0.01 and error < 0.01  # 0.8 is what is promised


@pytest.mark.promise("without its very large")
def test_penalties_make_sets_smaller_and_of_more_like_sizes():
    given, labels = rows_of(jax.random.key(1))
    sizes = []
    for penalty in (0.0, 0.2):
        fit = functools.partial(conformal.fit, method="raps", free_rank=1, penalty=penalty)
        sizes.append(conformal.predict_sets(fit(given, labels), given).sum(-1))
    assert sizes[1].std() < sizes[0].std()
    assert sizes[1].max() < sizes[0].max()


def test_without_a_penalty_raps_is_aps():
    given, labels = rows_of(jax.random.key(1))
    found = [
        conformal.predict_sets(conformal.fit(given, labels, rng=0, **options), given, rng=1)
        for options in (dict(method="aps"), dict(method="raps", penalty=0.0))
    ]
    np.testing.assert_array_equal(*found)


def test_what_was_fitted_is_an_argument_of_compiled_functions():
    given, labels = rows_of(jax.random.key(1))
    fitted = jax.jit(conformal.fit)(given, labels)
    sets = jax.jit(conformal.predict_sets)(fitted, given)
    np.testing.assert_array_equal(sets, conformal.predict_sets(fitted, given))
    np.testing.assert_allclose(fitted.threshold, conformal.fit(given, labels).threshold)


def test_too_few_rows_give_everything():
    given, labels = rows_of(jax.random.key(1))
    fitted = conformal.fit(given[:8], labels[:8], 0.1)
    assert fitted.threshold == np.inf
    assert conformal.predict_sets(fitted, given).all()
    fitted = conformal.fit([1.0, 2.0], [1.0, 2.0], 0.1, method="residual")
    assert conformal.predict_interval(fitted, [0.0]).upper == np.inf
    fitted = conformal.fit([1.0, 2.0], [1.0, 2.0], 0.1, method="jackknife+")
    assert conformal.predict_interval(fitted, [[0.0, 1.0]]).lower == -np.inf


def test_nearly_all_probability_in_one_class():
    fitted = conformal.fit([[1.0, 0.0]] * 20, [0] * 20)
    sets = conformal.predict_sets(fitted, [[1.0, 0.0], [0.6, 0.4]])
    assert sets.tolist() == [[True, False], [False, False]]
    sets = conformal.predict_sets(fitted, [[1.0, 0.0], [0.4, 0.6]], allow_empty=False)
    assert sets.tolist() == [[True, False], [False, True]]


FITTED = conformal.fit([[0.5, 0.5]] * 20, [0] * 20)
INTERVALS = conformal.fit([[0.0, 1.0]] * 3, [0.5] * 3, method="cqr")


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: conformal.fit([[1.0]], [0], method="lca"), "Expected one of.*'lac'"),
        (lambda: conformal.fit([[1.0]], [0], 1.0), "0 < alpha < 1, received alpha=1.0"),
        (lambda: conformal.fit([[0.5, 0.5]], [0, 1]), r"shape \(1,\).*received shape \(2,\)"),
        (
            lambda: conformal.fit([1.0], [1.0], method="cqr"),
            r"a lower and an upper quantile for each target, \(1, 2\), received shape \(1,\)",
        ),
        (
            lambda: conformal.fit([1.0, 2.0], [1.0], method="residual"),
            r"as many predictions as targets, \(1,\), received shape \(2,\)",
        ),
        (lambda: conformal.predict_sets(INTERVALS, [[1.0]]), "call `conformal.predict_interval`"),
        (lambda: conformal.predict_sets(FITTED, [1.0]), r"\(rows, classes\), received shape"),
        (lambda: conformal.predict_sets(FITTED, [[1.0]], rng=0), "give `rng=` to `conformal.fit`"),
        (lambda: conformal.predict_interval(FITTED, [1.0]), "call `conformal.predict_sets`"),
        (
            lambda: conformal.predict_interval(INTERVALS, [1.0]),
            r"shape \(rows, 2\), received shape \(1,\)",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("method", ["lac", "aps"])
def test_sets_are_exported_for_any_number_of_rows(method):
    probabilities, labels = rows_of(jax.random.key(0))
    fitted = conformal.fit(probabilities, labels, method=method)
    program = jax.export.export(jax.jit(lambda given: conformal.predict_sets(fitted, given)))
    shape = jax.export.symbolic_shape(f"rows, {CLASSES}")
    exported = program(jax.ShapeDtypeStruct(shape, probabilities.dtype))
    for rows in (1, 7):
        given = probabilities[:rows]
        np.testing.assert_array_equal(exported.call(given), conformal.predict_sets(fitted, given))


class TestWhatIsRefused:
    P = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]])
    LOGITS = np.log(P) + [[3.0], [-2.0], [0.5]]

    @pytest.mark.parametrize("method", ["lac", "aps", "raps"])
    def test_logits(self, method):
        with pytest.raises(ValueError, match="between 0 and 1.*`from_logits=True`"):
            conformal.fit(self.LOGITS, [0, 0, 1], method=method)
        wanted = conformal.fit(self.P, [0, 0, 1], 0.5, method=method)
        found = conformal.fit(self.LOGITS, [0, 0, 1], 0.5, method=method, from_logits=True)
        np.testing.assert_allclose(found.threshold, wanted.threshold, atol=1e-6)
        with pytest.raises(ValueError, match="between 0 and 1.*`from_logits=True`"):
            conformal.predict_sets(wanted, self.LOGITS)
        np.testing.assert_array_equal(
            conformal.predict_sets(wanted, self.LOGITS, from_logits=True),
            conformal.predict_sets(wanted, self.P),
        )

    @pytest.mark.parametrize(
        "call, message",
        [
            (lambda p: conformal.fit(p[:, :1], [0, 0, 0]), r"np.concatenate\(\[1 - p, p\]"),
            (lambda p: conformal.fit(p, [0, 0, 2]), "labels from 0 to 2"),
            (lambda p: conformal.fit(p, p), "one-hot rows as `labels`"),
            (lambda p: conformal.fit(p[:0], []), "1 row or more"),
            (lambda p: conformal.fit(p, [0, 0, 0], float("nan")), "0 < alpha < 1"),
            (lambda p: conformal.fit(p, [0, 0, 0], uniforms=[0, 0, 2], method="aps"), "below 1"),
            (lambda p: conformal.fit(p, [0, 0, 0], method="raps", penalty=-1), "penalty"),
            (lambda p: conformal.fit([1.0, np.nan], [1.0, 2.0], method="residual"), "NaN"),
            (lambda p: conformal.fit([1.0, 1.0], [1.0, np.nan], method="residual"), "NaN"),
            (lambda p: conformal.fit([], [], method="residual"), "1 row or more"),
            (lambda p: conformal.predict_interval(INTERVALS, [[np.nan, 1.0]]), "NaN"),
        ],
    )
    def test_others(self, call, message):
        with pytest.raises(ValueError, match=message):
            call(self.P)
