"""Temperatures against scipy, calibration errors against netcal and against numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.special

import jkeras
from jkeras import uncertainty

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 5, 400)
LOGITS = (RNG.normal(size=(400, 5)) + 1.5 * np.eye(5)[LABELS]).astype("float32") * 3
PROBABILITIES = scipy.special.softmax(LOGITS, axis=-1)
NETCAL = 0.16530050  # ECE(15) of netcal 1.4.0


def reference(labels, probabilities, bins):
    """The calibration error in plain numpy, in float64."""
    confidence, guess = probabilities.max(-1).astype("float64"), probabilities.argmax(-1)
    total = 0.0
    edges = np.linspace(0, 1, bins + 1)
    for number, (low, high) in enumerate(zip(edges[:-1], edges[1:])):
        inside = (confidence >= low) & ((confidence < high) | (number == bins - 1))
        if inside.any():
            gap = (guess == labels)[inside].mean() - confidence[inside].mean()
            total += inside.mean() * abs(gap)
    return total


def loss(log_temperature, logits, labels):
    scaled = logits.astype("float64") / np.exp(log_temperature)
    chosen = np.take_along_axis(scaled, labels[:, None], axis=-1)[:, 0]
    return np.mean(scipy.special.logsumexp(scaled, axis=-1) - chosen)


# ---------------------------------------------------------------- expected calibration error


@pytest.mark.promise("`reliability_diagram` compares the")
@pytest.mark.parametrize("bins", [1, 10, 15, 100])
def test_the_error_is_that_of_numpy(bins):
    found = uncertainty.expected_calibration_error(LABELS, PROBABILITIES, bins)
    np.testing.assert_allclose(found, reference(LABELS, PROBABILITIES, bins), atol=1e-6)


def test_the_error_is_the_recorded_one_of_netcal():
    found = uncertainty.expected_calibration_error(LABELS, PROBABILITIES)
    np.testing.assert_allclose(found, NETCAL, atol=1e-6)


@pytest.mark.promise("Numbers are checked in `tests/uncertainty`")
def test_the_error_is_netcals():
    metrics = pytest.importorskip("netcal.metrics")
    for bins in (10, 15, 40):
        found = uncertainty.expected_calibration_error(LABELS, PROBABILITIES, bins)
        np.testing.assert_allclose(
            found, metrics.ECE(bins).measure(PROBABILITIES, LABELS), atol=1e-6
        )
    positive, of_one = PROBABILITIES[:, 1], (LABELS == 1).astype(int)
    found = uncertainty.expected_calibration_error(of_one, positive)
    np.testing.assert_allclose(found, metrics.ECE(15).measure(positive, of_one), atol=1e-6)


@pytest.mark.parametrize("bins", [3, 10, 15, 30])
def test_what_lies_on_an_edge_belongs_to_the_bin_above(bins):
    edges = np.linspace(0, 1, bins + 1).astype("float32")
    inside = edges[edges >= 0.5]
    probabilities = np.stack([inside, 1 - inside], axis=-1)
    counts = uncertainty.reliability_diagram([0] * len(inside), probabilities, bins).count
    wanted, _ = np.histogram(inside.astype("float64"), np.linspace(0, 1, bins + 1))
    np.testing.assert_array_equal(counts, wanted)


@pytest.mark.promise("Labels are integers, or")
def test_one_hot_labels_and_binary_probabilities():
    found = uncertainty.expected_calibration_error(np.eye(5)[LABELS], PROBABILITIES)
    np.testing.assert_allclose(found, NETCAL, atol=1e-6)
    diagram = uncertainty.reliability_diagram([1, 0, 1], [0.1, 0.1, 0.9], bins=2)
    np.testing.assert_allclose(diagram.accuracy, [0.5, 1.0])
    np.testing.assert_allclose(diagram.confidence, [0.1, 0.9], rtol=1e-6)


@pytest.mark.promise("Everything here that is")
def test_the_error_under_jit_and_vmap():
    batches = jax.jit(jax.vmap(uncertainty.expected_calibration_error))
    found = batches(LABELS.reshape(4, 100), PROBABILITIES.reshape(4, 100, 5))
    for i, value in enumerate(found):
        rows = slice(100 * i, 100 * i + 100)
        np.testing.assert_allclose(
            value, reference(LABELS[rows], PROBABILITIES[rows], 15), atol=1e-6
        )


def test_a_diagram_is_drawn():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    axes = uncertainty.reliability_diagram(LABELS, PROBABILITIES, bins=5).plot()
    assert len(axes.patches) == 10  # accuracies and gaps
    assert (
        axes.get_title() == f"expected calibration error {reference(LABELS, PROBABILITIES, 5):.4f}"
    )
    matplotlib.pyplot.close(axes.figure)


@pytest.mark.parametrize(
    "labels, probabilities, bins, message",
    [
        (
            [0, 1],
            [[0.5, 0.5]],
            15,
            r"`labels` of shape \(1,\), or one-hot \(1, 2\), received",
        ),
        ([0], [[[0.5, 0.5]]], 15, r"\(rows, classes\), received shape \(1, 1, 2\)"),
        ([2], [[0.5, 0.5]], 15, "from 0 to 1, received labels from 2 to 2"),
        ([0], [[0.5, 0.5]], 0, "1 bin or more, received bins=0"),
    ],
)
def test_errors_of_diagrams(labels, probabilities, bins, message):
    with pytest.raises(ValueError, match=message):
        uncertainty.reliability_diagram(labels, probabilities, bins)


# ---------------------------------------------------------------- temperature


@pytest.mark.promise("One number repairs most")
@pytest.mark.parametrize("scale", [1e-3, 0.3, 1.0, 40.0])
def test_the_temperature_is_scipys(scale):
    logits = LOGITS * np.float32(scale)
    found = float(uncertainty.temperature(logits, LABELS))
    wanted = scipy.optimize.minimize_scalar(
        loss, bracket=(np.log(scale), np.log(scale) + 1), args=(logits, LABELS), tol=1e-12
    )
    np.testing.assert_allclose(found, np.exp(wanted.x), rtol=2e-6)
    gradient = scipy.optimize.approx_fprime([np.log(found)], lambda a: loss(a[0], logits, LABELS))
    assert abs(gradient[0]) < 1e-6


def test_the_temperature_of_few_mistakes():
    """Nearly separable logits: the minimum is far from where the search begins."""
    labels = np.zeros(1000, int)
    logits = np.tile(np.array([[30.0, 0.0]], "float32"), (1000, 1))
    logits[0] = [0.0, 1e-3]
    found = float(uncertainty.temperature(logits, labels))
    wanted = scipy.optimize.minimize_scalar(
        loss, bounds=(-20, 20), args=(logits, labels), method="bounded", options={"xatol": 1e-9}
    )
    assert loss(np.log(found), logits, labels) <= wanted.fun + 1e-9


@pytest.mark.promise("Everything here that is")
def test_temperatures_under_jit_and_vmap():
    rows = jax.jit(jax.vmap(uncertainty.temperature))
    found = rows(LOGITS.reshape(4, 100, 5), LABELS.reshape(4, 100))
    one_by_one = [
        uncertainty.temperature(LOGITS[100 * i : 100 * i + 100], LABELS[100 * i : 100 * i + 100])
        for i in range(4)
    ]
    np.testing.assert_allclose(found, jnp.stack(one_by_one), rtol=1e-5)


@pytest.mark.promise("A temperature has to exist")
def test_no_temperature_is_best():
    separable = np.eye(5, dtype="float32")[LABELS]
    with pytest.raises(ValueError, match="the best T is 0.*more of them"):
        uncertainty.temperature(separable, LABELS)
    with pytest.raises(ValueError, match="the best T is infinite.*same order"):
        uncertainty.temperature(-separable, LABELS)
    assert np.isnan(jax.jit(uncertainty.temperature)(separable, LABELS))
    assert np.isnan(jax.jit(uncertainty.temperature)(-separable, LABELS))


def test_a_calibrated_model_is_saved_and_loaded(tmp_path):
    model = jkeras.Sequential([jkeras.Input((5,)), jkeras.layers.Dense(5)])
    found = uncertainty.temperature(model(LOGITS) * 0 + LOGITS, LABELS)
    cooler = uncertainty.calibrated(model, found)
    np.testing.assert_allclose(cooler(LOGITS), model(LOGITS) / found, rtol=1e-5, atol=1e-6)
    cooler.save(tmp_path / "m.keras")
    loaded = jkeras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(loaded(LOGITS), cooler(LOGITS), rtol=1e-6)
    with pytest.raises(ValueError, match="above 0, received 0.0"):
        uncertainty.calibrated(model, 0)


# ---------------------------------------------------------------- what is none


NO_PROBABILITIES = {
    "logits": (LOGITS, "numbers from .*`from_logits=True`"),
    "sums": (0.5 * PROBABILITIES, "add up to 1 .* sums from 0.5 to 0.5"),
    "of labels": (PROBABILITIES[:, 0] * 3, "between 0 and 1, received numbers from"),
    "nan": (np.where(PROBABILITIES > 0.9, np.nan, PROBABILITIES), "NaN among them"),
    "percent": (100 * PROBABILITIES, "numbers from"),
}


@pytest.mark.promise("refuses numbers that are none, such as logits")
@pytest.mark.parametrize("kind", NO_PROBABILITIES)
@pytest.mark.parametrize("bins", [None, 15])
def test_what_is_no_probability_is_refused(kind, bins):
    given, message = NO_PROBABILITIES[kind]
    labels = LABELS if given.ndim == 2 else (LABELS > 0).astype(int)
    score = uncertainty.expected_calibration_error if bins else uncertainty.reliability_diagram
    with pytest.raises(ValueError, match=message):
        score(labels, given)


def test_logits_are_taken_as_logits():
    found = uncertainty.expected_calibration_error(LABELS, LOGITS, from_logits=True)
    np.testing.assert_allclose(found, NETCAL, atol=1e-6)
    odds = LOGITS[:, 1]
    found = uncertainty.expected_calibration_error(LABELS == 1, odds, from_logits=True)
    wanted = uncertainty.expected_calibration_error(LABELS == 1, scipy.special.expit(odds))
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_a_column_is_the_probability_of_label_1():
    labels, positive = (LABELS == 1).astype(int), PROBABILITIES[:, 1]
    wanted = uncertainty.expected_calibration_error(labels, positive)
    for of_labels in (labels, labels[:, None], labels == 1, labels.astype("float32")):
        found = uncertainty.expected_calibration_error(of_labels, positive[:, None])
        np.testing.assert_array_equal(found, wanted)


def test_probabilities_may_be_rounded():
    rounded = jnp.asarray(PROBABILITIES, "bfloat16")
    found = uncertainty.expected_calibration_error(LABELS, rounded)
    np.testing.assert_allclose(found, NETCAL, atol=0.01)
    uncertainty.expected_calibration_error([0, 1], [[0.33, 0.33, 0.33], [0.0, 1.0, 0.0]])


@pytest.mark.promise("Under `jax.jit`, where")
def test_logits_that_are_traced_give_nan():
    error = jax.jit(uncertainty.expected_calibration_error)
    assert np.isnan(error(LABELS, LOGITS)) and not np.isnan(error(LABELS, PROBABILITIES))
    assert np.isnan(jax.jit(uncertainty.temperature)(PROBABILITIES, LABELS))


@pytest.mark.promise("Labels have to be classes")
@pytest.mark.parametrize(
    "labels, message",
    [
        (PROBABILITIES, "one-hot rows as `labels`.*first the labels"),
        (LABELS + 0.5, "labels that are integers from 0 to 4"),
        (LABELS - 1, "labels from -1 to 3"),
    ],
)
def test_labels_that_are_none(labels, message):
    for call in (
        lambda: uncertainty.expected_calibration_error(labels, PROBABILITIES),
        lambda: uncertainty.temperature(LOGITS, labels),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_nothing_has_no_error():
    with pytest.raises(ValueError, match="1 row or more"):
        uncertainty.expected_calibration_error(np.zeros(0, int), np.zeros((0, 3)))
    with pytest.raises(ValueError, match="1 row or more"):
        uncertainty.temperature(np.zeros((0, 3)), np.zeros(0, int))
    with pytest.raises(ValueError, match="1 bin or more, received bins=2.5"):
        uncertainty.reliability_diagram(LABELS, PROBABILITIES, bins=2.5)


@pytest.mark.promise("`temperature` asks for logits and refuses probabilities")
def test_a_temperature_of_probabilities_is_refused():
    with pytest.raises(ValueError, match=r"logits, received probabilities.*`np.log"):
        uncertainty.temperature(PROBABILITIES, LABELS)
    found = uncertainty.temperature(np.log(PROBABILITIES), LABELS)
    np.testing.assert_allclose(found, uncertainty.temperature(LOGITS, LABELS), rtol=1e-4)


def test_a_temperature_of_each_token_and_of_a_sigmoid():
    wanted = uncertainty.temperature(LOGITS, LABELS)
    logits, labels = LOGITS.reshape(20, 20, 5), LABELS.reshape(20, 20)
    for given in (labels, labels[..., None], np.eye(5)[labels]):
        np.testing.assert_allclose(uncertainty.temperature(logits, given), wanted, rtol=1e-6)
    with pytest.raises(ValueError, match=r"`labels` of shape \(20, 20\).*received shape \(400,\)"):
        uncertainty.temperature(logits, LABELS)
    with pytest.raises(ValueError, match=r"`logits` of shape \(rows, classes\)"):
        uncertainty.temperature(LOGITS[:, 0], LABELS)
    odds, of_one = LOGITS[:, 1:2], (LABELS == 1).astype(int)
    found = uncertainty.temperature(odds, of_one)
    both = np.concatenate([np.zeros_like(odds), odds], 1)
    np.testing.assert_allclose(found, uncertainty.temperature(both, of_one), rtol=1e-6)
    with pytest.raises(ValueError, match="`logits` of numbers, received NaN"):
        uncertainty.temperature(np.where(LOGITS > 5, np.nan, LOGITS), LABELS)


@pytest.mark.parametrize(
    "last",
    [
        lambda: jkeras.layers.Dense(5, activation="softmax"),
        lambda: jkeras.layers.Dense(1, activation="sigmoid"),
        lambda: jkeras.layers.Softmax(),
        lambda: jkeras.layers.Activation("softmax"),
        lambda: jkeras.Sequential([jkeras.layers.Dense(5, activation="softmax")]),
    ],
)
def test_a_model_of_probabilities_is_not_calibrated(last):
    model = jkeras.Sequential([jkeras.Input((5,)), last()])
    with pytest.raises(ValueError, match="gives logits, received .* which gives probabilities"):
        uncertainty.calibrated(model, 2.0)


def test_what_a_model_gives_is_said_by_its_loss():
    model = jkeras.Sequential([jkeras.Input((5,)), jkeras.layers.Dense(5)])
    model.compile("sgd", jkeras.losses.SparseCategoricalCrossentropy(from_logits=True))
    uncertainty.calibrated(model, 2.0)
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="which gives probabilities"):
        uncertainty.calibrated(model, 2.0)


@pytest.mark.parametrize("low", [-np.inf, -1e9, -1e38])
def test_temperature_with_classes_that_cannot_be(low):
    """They change nothing, however far below they are written; a label of theirs is refused."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(300, 5)).astype("float32")
    labels = np.where(rng.random(300) < 0.6, logits.argmax(1), rng.integers(0, 5, 300))
    temperature = uncertainty.temperature
    wanted = temperature(logits, labels)
    masked = np.concatenate([logits, np.full((300, 7), low, "float32")], axis=1)
    np.testing.assert_allclose(temperature(masked, labels), wanted, rtol=1e-5)
    np.testing.assert_allclose(jax.jit(temperature)(masked, labels), wanted, rtol=1e-5)
    if np.isinf(low):
        labels[3] = 6
        with pytest.raises(ValueError, match="a label whose logit is -inf"):
            temperature(masked, labels)
