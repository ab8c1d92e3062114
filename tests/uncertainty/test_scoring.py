"""Proper scores: against scikit-learn, scipy, torch and their sum rules; as metrics of a model."""

import jax
import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import sklearn.metrics

import jkeras
from jkeras import uncertainty
from jkeras.uncertainty import losses, metrics, scoring

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 4, 60)
LOGITS = RNG.normal(size=(60, 4)).astype("float32")
PROBABILITIES = scipy.special.softmax(LOGITS, axis=-1)
TARGETS = RNG.normal(size=40).astype("float32")
OUTPUTS = RNG.normal(size=(40, 2)).astype("float32")
SAMPLES = RNG.normal(size=(40, 9)).astype("float32")


def test_the_likelihood_is_scikit_learns():
    found = metrics.NegativeLogLikelihood()(LABELS, PROBABILITIES)
    np.testing.assert_allclose(found, sklearn.metrics.log_loss(LABELS, PROBABILITIES), rtol=1e-5)
    of_logits = metrics.NegativeLogLikelihood(from_logits=True)(LABELS, LOGITS)
    np.testing.assert_allclose(of_logits, found, rtol=1e-5)
    assert scoring.negative_log_likelihood([0], [[0.0, 1.0]])[0] == -np.log(np.float32(2**-23))


def test_the_brier_score_is_scikit_learns():
    found = metrics.BrierScore()(LABELS, PROBABILITIES)
    wanted = sklearn.metrics.brier_score_loss(LABELS, PROBABILITIES, scale_by_half=False)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    of_logits = metrics.BrierScore(from_logits=True)(LABELS, LOGITS)
    np.testing.assert_allclose(of_logits, found, rtol=1e-5)


def test_one_column_is_the_probability_of_label_1():
    labels, positive = LABELS % 2, PROBABILITIES[:, :1]
    found = metrics.BrierScore()(labels, positive)
    wanted = sklearn.metrics.brier_score_loss(labels, positive[:, 0])
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    found = metrics.NegativeLogLikelihood()(labels[:, None], positive)
    wanted = sklearn.metrics.log_loss(labels, positive[:, 0])
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    found = metrics.NegativeLogLikelihood(from_logits=True)(labels, scipy.special.logit(positive))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    found = metrics.BrierScore(from_logits=True)(labels, scipy.special.logit(positive))
    np.testing.assert_allclose(found, ((positive[:, 0] - labels) ** 2).mean(), rtol=1e-5)


@pytest.mark.parametrize("score", [scoring.negative_log_likelihood, scoring.brier_score])
def test_labels_may_be_one_hot_and_have_more_axes(score):
    plain = score(LABELS, PROBABILITIES)
    np.testing.assert_allclose(score(np.eye(4)[LABELS], PROBABILITIES), plain, rtol=1e-6)
    found = score(LABELS.reshape(6, 10), PROBABILITIES.reshape(6, 10, 4))
    np.testing.assert_allclose(found.reshape(-1), plain, rtol=1e-6)


@pytest.mark.promise("Compare models by `NegativeLogLikelihood`")
def test_the_brier_score_is_reliability_less_resolution_and_uncertainty():
    """Murphy's partition, by the diagram's bins, in which all predictions are the same."""
    levels = np.array([0.05, 0.3, 0.5, 0.9], "float32")
    given = levels[RNG.integers(0, 4, 2000)]
    labels = (RNG.uniform(size=2000) < given**1.5).astype(int)
    diagram = uncertainty.reliability_diagram(labels, given, bins=10)
    shares, base = diagram.count / 2000, labels.mean()
    reliability = (shares * (diagram.confidence - diagram.accuracy) ** 2).sum()
    resolution = (shares * (diagram.accuracy - base) ** 2).sum()
    found = metrics.BrierScore()(labels, given[:, None])
    np.testing.assert_allclose(found, reliability - resolution + base * (1 - base), rtol=1e-5)


def test_gaussian_likelihoods_are_scipys():
    mean, variance = (np.asarray(v)[:, 0] for v in uncertainty.as_gaussian(OUTPUTS))
    wanted = -scipy.stats.norm.logpdf(TARGETS, mean, np.sqrt(variance))
    found = scoring.gaussian_negative_log_likelihood(TARGETS, OUTPUTS)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    for made in (losses, metrics):
        found = made.GaussianNegativeLogLikelihood()(TARGETS, OUTPUTS)
        np.testing.assert_allclose(found, wanted.mean(), rtol=1e-5)


def test_gaussian_likelihoods_and_their_gradients_are_torchs():
    torch = pytest.importorskip("torch")
    outputs = np.concatenate([OUTPUTS[:, :1], np.exp(OUTPUTS[:, 1:])], axis=-1)
    given = torch.tensor(outputs, requires_grad=True)
    targets = torch.tensor(TARGETS)
    wanted = torch.nn.GaussianNLLLoss(full=True)(given[:, 0], targets, given[:, 1])
    wanted.backward()
    loss = losses.GaussianNegativeLogLikelihood("linear")
    found, gradient = jax.value_and_grad(lambda y: loss(TARGETS, y))(outputs)
    np.testing.assert_allclose(found, wanted.item(), rtol=1e-5)
    np.testing.assert_allclose(gradient, given.grad, rtol=1e-4, atol=1e-6)


def area(target, distribution):
    """The score by its definition, integrated from both sides of the target."""
    square = lambda x: distribution(x) ** 2  # noqa: E731
    rest = lambda x: (1 - distribution(x)) ** 2  # noqa: E731
    below = scipy.integrate.quad(square, target - 30, target, limit=400)[0]
    return below + scipy.integrate.quad(rest, target, target + 30, limit=400)[0]


def test_the_ranked_score_of_normal_distributions_is_the_area():
    mean, variance = (np.asarray(v)[:, 0] for v in uncertainty.as_gaussian(OUTPUTS))
    wanted = [
        area(y, scipy.stats.norm(m, s).cdf) for y, m, s in zip(TARGETS[:8], mean, np.sqrt(variance))
    ]
    found = scoring.gaussian_crps(TARGETS[:8], OUTPUTS[:8])
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    means = metrics.ContinuousRankedProbabilityScore()(TARGETS[:8], OUTPUTS[:8])
    np.testing.assert_allclose(means, np.mean(wanted), rtol=1e-4)


def test_the_ranked_score_of_samples_is_the_area():
    for target, samples in zip(TARGETS[:4], SAMPLES):
        ends = np.sort(np.append(samples, target))
        levels = np.searchsorted(np.sort(samples), ends[:-1], side="right") / len(samples)
        wanted = ((levels - (ends[:-1] >= target)) ** 2 * np.diff(ends)).sum()
        np.testing.assert_allclose(
            scoring.sample_crps(target[None], samples[None])[0], wanted, rtol=1e-4
        )


def test_the_ranked_score_of_many_samples_is_that_of_their_distribution():
    many = RNG.normal(size=(1, 100_000)).astype("float32") * 2 + 1
    found = metrics.ContinuousRankedProbabilityScore("samples")([0.5], many)
    wanted = scoring.gaussian_crps([0.5], [[1.0, 4.0]], "linear")
    np.testing.assert_allclose(found, wanted[0], rtol=0.02)


@pytest.mark.promise("Numbers are checked in `tests/uncertainty`")
def test_ranked_scores_are_those_of_scoringrules():
    rules = pytest.importorskip("scoringrules")
    mean, variance = (np.asarray(v)[:, 0] for v in uncertainty.as_gaussian(OUTPUTS))
    wanted = rules.crps_normal(TARGETS, mean, np.sqrt(variance))
    np.testing.assert_allclose(scoring.gaussian_crps(TARGETS, OUTPUTS), wanted, rtol=1e-4)
    wanted = rules.crps_ensemble(TARGETS, SAMPLES, estimator="nrg")
    np.testing.assert_allclose(scoring.sample_crps(TARGETS, SAMPLES), wanted, rtol=1e-4)


@pytest.mark.parametrize(
    "metric, y_true, y_pred",
    [
        (metrics.NegativeLogLikelihood(from_logits=True), LABELS, LOGITS),
        (metrics.BrierScore(), LABELS, PROBABILITIES),
        (metrics.GaussianNegativeLogLikelihood("exp"), TARGETS, OUTPUTS),
        (metrics.ContinuousRankedProbabilityScore(variance="exp"), TARGETS, OUTPUTS),
        (metrics.ContinuousRankedProbabilityScore("samples"), TARGETS, SAMPLES),
    ],
)
def test_metrics_gather_batches_weigh_rows_and_go_through_configs(metric, y_true, y_pred):
    whole = metric(y_true, y_pred)
    half = len(y_true) // 2
    again = jkeras.metrics.deserialize(jkeras.metrics.serialize(metric))
    assert again.get_config() == metric.get_config()
    state = jax.jit(again.update)(again.init(), y_true[:half], y_pred[:half])
    state = again.merge(state, again.update(again.init(), y_true[half:], y_pred[half:]))
    np.testing.assert_allclose(again.result_of(state), whole, rtol=1e-5)
    weights = np.arange(len(y_true)) < half
    state = again.update(again.init(), y_true, y_pred, sample_weight=weights)
    metric.reset_state()
    wanted = metric(y_true[:half], y_pred[:half])
    np.testing.assert_allclose(again.result_of(state), wanted, rtol=1e-5)


def test_a_gaussian_head_is_trained_evaluated_and_saved(tmp_path):
    """Of data whose noise grows with x, the variance does, too."""
    x = RNG.uniform(-1, 1, (512, 1)).astype("float32")
    y = (x[:, 0] + RNG.normal(size=512) * np.exp(x[:, 0] - 1)).astype("float32")
    model = jkeras.Sequential([jkeras.Input((1,)), jkeras.layers.Dense(2)])
    chosen = [metrics.ContinuousRankedProbabilityScore(variance="exp")]
    model.compile(
        jkeras.optimizers.Adam(0.05), losses.GaussianNegativeLogLikelihood("exp"), metrics=chosen
    )
    model.fit(x, y, epochs=40, batch_size=128, verbose=0)
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    outputs = model.predict(x, verbose=0)
    crps = scoring.gaussian_crps(y, outputs, "exp").mean()
    np.testing.assert_allclose(found["continuous_ranked_probability_score"], crps, rtol=1e-4)
    slopes, offsets = model.get_weights()
    np.testing.assert_allclose(slopes, [[1.0, 2.0]], atol=0.4)
    np.testing.assert_allclose(offsets, [0.0, -2.0], atol=0.4)
    model.save(tmp_path / "m.keras")
    again = jkeras.models.load_model(tmp_path / "m.keras").evaluate(
        x, y, verbose=0, return_dict=True
    )
    assert again == pytest.approx(found, rel=1e-5)


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: scoring.brier_score([0, 1], [[1.0, 0.0]]),
            r"`y_true` of shape \(1,\), or one-hot",
        ),
        (lambda: scoring.gaussian_crps([0.0, 1.0], [[1.0, 1.0]]), r"\(1, 1\), received \(2,\)"),
        (lambda: scoring.sample_crps([0.0], 1.0), r"of samples, received shape \(\)"),
        (lambda: metrics.ContinuousRankedProbabilityScore("normal"), "Expected one of.*'normal'"),
        (lambda: losses.GaussianNegativeLogLikelihood("log"), "Expected one of.*'log'"),
        (lambda: metrics.GaussianNegativeLogLikelihood("log"), "Expected one of.*'log'"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("score", [scoring.negative_log_likelihood, scoring.brier_score])
def test_what_is_no_prediction_is_refused(score):
    for given, message in (
        (LOGITS, "`y_pred` between 0 and 1.*`from_logits=True`"),
        (0.5 * PROBABILITIES, "sums from 0.5 to 0.5"),
        (LOGITS[:, :1], "between 0 and 1, received"),
    ):
        with pytest.raises(ValueError, match=message):
            score(LABELS % 2, given)
    for labels in (LABELS + 1, LABELS - 1):
        with pytest.raises(ValueError, match="labels that are integers from 0 to 3"):
            score(labels, PROBABILITIES)
    with pytest.raises(ValueError, match="`y_true` between 0 and 1"):
        score(LOGITS, PROBABILITIES)
    traced = jax.jit(score)(LABELS, np.where(np.arange(60)[:, None] < 5, LOGITS, PROBABILITIES))
    np.testing.assert_array_equal(np.isnan(traced), np.arange(60) < 5)


def test_a_score_of_probabilities_is_the_cross_entropy():
    soft = PROBABILITIES[::-1]
    found = scoring.negative_log_likelihood(soft, PROBABILITIES)
    np.testing.assert_allclose(found, -(soft * np.log(PROBABILITIES)).sum(-1), rtol=1e-5)


def test_variances_below_zero_are_refused():
    outputs = [[1.0, -1.0]]
    for call in (
        lambda: uncertainty.as_gaussian(outputs, "linear"),
        lambda: scoring.gaussian_negative_log_likelihood([1.0], outputs, "linear"),
        lambda: scoring.gaussian_crps([1.0], outputs, "linear"),
        lambda: uncertainty.mixture([[1.0]], [[-1.0]]),
    ):
        with pytest.raises(ValueError, match="`variances` of 0 or more, received -1 among them"):
            call()
