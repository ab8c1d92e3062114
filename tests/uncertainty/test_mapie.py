"""Sets and intervals are those of MAPIE, where it is installed; some are recorded (1.6.0)."""

import numpy as np
import pytest
import scipy.special
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, StratifiedShuffleSplit

from jkeras.uncertainty import conformal

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 5, 300)
LOGITS = RNG.normal(size=(300, 5)) + 1.5 * np.eye(5)[LABELS]
PROBABILITIES = scipy.special.softmax(LOGITS, axis=-1).astype("float32")
HELD, NEW = slice(0, 200), slice(200, 300)
SEED = 3
# sets of the first new rows, a digit for each class in them
RECORDED = {
    "lac": "14 2 14 124 01234 04 01 134 13 134 0124 02",
    "aps": "14 2 1 12 124 0 0 14 13 34 024 02",
    "aps, with the label that crosses": "124 23 14 124 0124 04 01 134 013 134 0124 012",
    "aps, randomized": "14 23 14 124 0124 04 0 14 13 134 024 02",
}


def uniforms(rows):
    """What MAPIE draws."""
    return np.random.RandomState(SEED).uniform(size=rows)


def sets_of(kind):
    """Our sets of the new rows."""
    method = kind[:3]
    draws = None if method == "lac" else uniforms(200)
    fitted = conformal.fit(PROBABILITIES[HELD], LABELS[HELD], method=method, uniforms=draws)
    options = {
        "aps": dict(uniforms=np.zeros(100), allow_empty=False),
        "aps, randomized": dict(uniforms=uniforms(100)),
    }
    return conformal.predict_sets(fitted, PROBABILITIES[NEW], **options.get(kind, {}))


@pytest.mark.promise("the smallest ones; empty")
@pytest.mark.parametrize("kind", RECORDED)
def test_sets_are_the_recorded_ones(kind):
    sets = np.asarray(sets_of(kind))[:12]
    found = " ".join("".join(map(str, np.flatnonzero(row))) for row in sets)
    assert found == RECORDED[kind]


class Given(ClassifierMixin, BaseEstimator):
    """A classifier whose inputs are what it says."""

    classes_ = np.arange(5)

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, x, y):
        return self

    def predict_proba(self, x):
        return x

    def predict(self, x):
        return x.argmax(-1)


class Column(RegressorMixin, BaseEstimator):
    """A regressor that says one of its inputs."""

    is_fitted = True  # what MAPIE looks for

    def __init__(self, column=0):
        self.column = column

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, x, y):
        return self

    def predict(self, x):
        return x[:, self.column]


def mapies(conformity_score):
    classification = pytest.importorskip("mapie.classification")
    classifier = classification.SplitConformalClassifier(
        Given(), 0.9, conformity_score, prefit=True, random_state=SEED
    )
    return classifier.conformalize(PROBABILITIES[HELD], LABELS[HELD])


@pytest.mark.promise("Numbers are checked in `tests/uncertainty`")
@pytest.mark.parametrize("kind", RECORDED)
def test_sets_are_mapies(kind):
    last = {"aps": False, "aps, randomized": "randomized"}.get(kind, True)
    options = {} if kind == "lac" else {"include_last_label": last}
    _, sets = mapies(kind[:3]).predict_set(PROBABILITIES[NEW], options)
    np.testing.assert_array_equal(sets_of(kind), sets[..., 0])


def test_regularized_sets_are_mapies():
    scores = pytest.importorskip("mapie.conformity_scores")
    score = scores.RAPSConformityScore(size_raps=0.2)
    classifier = mapies(score)
    _, sets = classifier.predict_set(PROBABILITIES[NEW], {"include_last_label": False})
    # MAPIE chooses the two terms on a part of the rows
    split = StratifiedShuffleSplit(n_splits=1, test_size=score.size_raps, random_state=SEED)
    rows, _ = next(split.split(PROBABILITIES[HELD], LABELS[HELD]))
    fitted = conformal.fit(
        PROBABILITIES[rows],
        LABELS[rows],
        method="raps",
        penalty=float(score.lambda_star),
        free_rank=int(score.k_star[0]),
        uniforms=uniforms(len(rows)),
    )
    np.testing.assert_allclose(fitted.threshold, score.quantiles_[0], rtol=1e-6)
    plain = dict(uniforms=np.zeros(100), allow_empty=False)
    found = conformal.predict_sets(fitted, PROBABILITIES[NEW], **plain)
    np.testing.assert_array_equal(found, sets[..., 0])


def test_intervals_are_mapies():
    regression = pytest.importorskip("mapie.regression")
    x = LOGITS[:, :3].copy()
    x[:, 1] += 2  # the quantiles: lower, upper, median
    y = x[:, 0] + RNG.normal(size=300)

    split = regression.SplitConformalRegressor(Column(), 0.9, prefit=True)
    _, wanted = split.conformalize(x[HELD], y[HELD]).predict_interval(x[NEW])
    fitted = conformal.fit(x[HELD, 0], y[HELD], method="residual")
    agree(conformal.predict_interval(fitted, x[NEW, 0]), wanted)

    columns = [Column(0), Column(1), Column(2)]
    split = regression.ConformalizedQuantileRegressor(columns, 0.9, prefit=True)
    split.conformalize(x[HELD], y[HELD])
    _, wanted = split.predict_interval(x[NEW], symmetric_correction=True)
    fitted = conformal.fit(x[HELD, :2], y[HELD], method="cqr")
    agree(conformal.predict_interval(fitted, x[NEW, :2]), wanted)


def test_jackknife_intervals_are_mapies():
    regression = pytest.importorskip("mapie.regression")
    x, y = LOGITS[:, :3], LOGITS @ np.arange(5.0)
    folds = KFold(10)
    cross = regression.CrossConformalRegressor(LinearRegression(), 0.9, method="plus", cv=folds)
    _, wanted = cross.fit_conformalize(x[HELD], y[HELD]).predict_interval(x[NEW])
    held_out, others = np.zeros(200), np.zeros((100, 200))
    for kept, left in folds.split(x[HELD]):
        model = LinearRegression().fit(x[kept], y[kept])
        held_out[left] = model.predict(x[left])
        others[:, left] = model.predict(x[NEW])[:, None]
    fitted = conformal.fit(held_out, y[HELD], method="jackknife+")
    agree(conformal.predict_interval(fitted, others), wanted)


def agree(found, wanted):
    np.testing.assert_allclose(found.lower, wanted[:, 0, 0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.upper, wanted[:, 1, 0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method, rate", [("enbpi", 0.01), ("aci", 0.02)])
def test_intervals_of_series_are_mapies(method, rate):
    regression = pytest.importorskip("mapie.regression")
    x = LOGITS[:, :1]
    y = x[:, 0] + RNG.normal(size=300) * np.linspace(1, 2, 300)
    score = pytest.importorskip("mapie.conformity_scores").AbsoluteConformityScore(sym=True)
    theirs = regression.TimeSeriesRegressor(Column(), method, "prefit", conformity_score=score)
    theirs.fit(x[HELD], y[HELD])
    series = conformal.fit_series(x[HELD, 0], y[HELD], 0.1, method=method, rate=rate)
    theirs.predict(x[NEW], confidence_level=0.9, allow_infinite_bounds=True)  # knows its level now
    wanted = []
    for row in range(200, 300):
        row = slice(row, row + 1)
        _, bounds = theirs.predict(x[row], confidence_level=0.9, allow_infinite_bounds=True)
        wanted.append(bounds[0])
        if method == "enbpi":
            with pytest.warns(UserWarning, match="behavior has been changed"):
                theirs.update(x[row], y[row])
        else:
            theirs.adapt_conformal_inference(x[row], y[row], gamma=rate)
    found, _ = conformal.follow_series(series, x[NEW, 0], y[NEW])
    agree(found, np.stack(wanted))


def test_risks_are_mapies():
    methods = pytest.importorskip("mapie.risk_control.methods")
    thresholds = np.linspace(0, 1, 20)
    losses = (PROBABILITIES[:, :2, None] < thresholds).mean(1)
    _, wanted = methods.get_r_hat_plus(losses, thresholds, "crc", None, None, None)
    np.testing.assert_allclose(conformal.control_risk(losses, 0.2).bounds, wanted, rtol=1e-5)
    wanted = methods.compute_hoeffding_bentkus_p_value(losses.mean(0), len(losses), 0.2)
    found = conformal.control_risk(losses, 0.2, method="ltt")
    np.testing.assert_allclose(found.bounds, wanted[:, 0], rtol=2e-4, atol=1e-30)
