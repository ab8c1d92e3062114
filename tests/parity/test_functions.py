"""Losses, metrics, initializers, schedules, penalties, constraints, activations, random: both
libraries' numbers.
"""

import functools
import inspect
import math

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jkeras
from tests.parity.both import GRADIENTS, LIBRARIES, agree, find, plain
from tests.thinning import every


def row_id(row):
    name, kwargs, *_ = row
    return f"{name}({','.join(f'{k}={v}' for k, v in kwargs.items())})"


def rows(table):
    return [pytest.param(*row, id=row_id(row)) for row in table]


def every_name(tested, package, leave_out=(), base=None):
    """Every concrete class of a package is in the table."""
    public = {n for n in package.__all__ if inspect.isclass(getattr(package, n))}
    if base is not None:
        public = {n for n in public if issubclass(getattr(package, n), base)}
    classes = {getattr(package, n) for n in public - set(leave_out)}
    missing = classes - {getattr(package, row[0]) for row in tested}
    assert not missing, f"no row for {sorted(c.__name__ for c in missing)}"


# ---------------------------------------------------------------- data of one kind each


@functools.cache
def data(kind, part=0):
    """`(y_true, y_pred, sample_weight)` for a kind of problem."""
    rng = np.random.default_rng(10 + part)
    n = 6
    weight = np.linspace(0.0, 2.0, n).astype("float32")
    logits = rng.normal(size=(n, 4)).astype("float32")
    share = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    classes = rng.integers(0, 4, n)
    one_hot = np.eye(4, dtype="float32")[classes]
    numbers = rng.normal(size=(2, n, 4)).astype("float32")
    binary = (numbers[0] > 0).astype("float32")
    unit = 1 / (1 + np.exp(-numbers[1]))
    return {
        "numbers": (numbers[0], numbers[1], weight),
        "positive": (np.abs(numbers[0]) + 0.1, np.abs(numbers[1]) + 0.2, weight),
        "binary": (binary, unit, weight),
        "binary logits": (binary, numbers[1], weight),
        "one binary": (binary[:, :1], unit[:, :1], weight),
        "one hot": (one_hot, share, weight),
        "one hot logits": (one_hot, logits, weight),
        "classes": (classes, share, weight),
        "classes logits": (classes, logits, weight),
        "signs": (2 * binary - 1, numbers[1], weight),
        "labels": (classes, rng.integers(0, 4, n), weight),
        "unit rows": (classes % 2, logits, weight),
        "masks": (binary.reshape(n, 2, 2, 1), unit.reshape(n, 2, 2, 1), weight),
        "sequences": (
            np.array([[1, 2, 0], [2, 2, 1], [1, 0, 0]]),
            rng.normal(size=(3, 7, 4)).astype("float32"),
            weight[:3],
        ),
        "values": (numbers[0], None, None),
    }[kind]


# ---------------------------------------------------------------- losses

LOSSES = [
    ("MeanSquaredError", {}, "numbers"),
    ("MeanSquaredError", dict(reduction="sum"), "numbers"),
    ("MeanSquaredError", dict(reduction="none"), "numbers"),
    ("MeanSquaredError", dict(reduction=None), "numbers"),
    ("MeanSquaredError", dict(reduction="mean_with_sample_weight"), "numbers"),
    ("MeanAbsoluteError", {}, "numbers"),
    ("MeanAbsolutePercentageError", {}, "numbers"),
    ("MeanSquaredLogarithmicError", {}, "positive"),
    ("Huber", {}, "numbers"),
    ("Huber", dict(delta=0.3), "numbers"),
    ("LogCosh", {}, "numbers"),
    ("Poisson", {}, "positive"),
    ("KLDivergence", {}, "one hot"),
    ("CosineSimilarity", {}, "numbers"),
    ("CosineSimilarity", dict(axis=0), "numbers"),
    ("Hinge", {}, "signs"),
    ("Hinge", {}, "binary logits"),
    ("SquaredHinge", {}, "signs"),
    ("CategoricalHinge", {}, "one hot"),
    ("BinaryCrossentropy", {}, "binary"),
    ("BinaryCrossentropy", dict(from_logits=True, label_smoothing=0.2), "binary logits"),
    ("BinaryFocalCrossentropy", {}, "binary"),
    (
        "BinaryFocalCrossentropy",
        dict(apply_class_balancing=True, alpha=0.4, gamma=1.5, from_logits=True),
        "binary logits",
    ),
    ("CategoricalCrossentropy", {}, "one hot"),
    ("CategoricalCrossentropy", dict(from_logits=True, label_smoothing=0.1), "one hot logits"),
    ("CategoricalFocalCrossentropy", dict(gamma=1.0), "one hot"),
    ("SparseCategoricalCrossentropy", {}, "classes"),
    ("SparseCategoricalCrossentropy", dict(from_logits=True, ignore_class=1), "classes logits"),
    ("CategoricalGeneralizedCrossEntropy", dict(q=0.3), "classes"),
    ("Dice", {}, "masks"),
    ("Dice", dict(axis=(1, 2, 3)), "masks"),
    ("Tversky", dict(alpha=0.3, beta=0.8), "masks"),
    ("Circle", dict(gamma=10.0, margin=0.3), "unit rows"),
    ("CTC", {}, "sequences"),
]


def of_sum(loss, y_true, y_pred, weight):
    """(sum of a loss, its gradient by the predictions)"""
    return jax.value_and_grad(lambda p: jnp.sum(loss(y_true, p, weight)))(y_pred)


@pytest.mark.filterwarnings("ignore:Loss .* Keras 3.15 does not write")
@pytest.mark.parametrize(("name", "kwargs", "kind"), every(3, rows(LOSSES)))
def test_loss(name, kwargs, kind):
    y_true, y_pred, weight = data(kind)
    mine, theirs = (getattr(k.losses, name)(**kwargs) for k in LIBRARIES)
    assert plain(mine.get_config()) == plain(theirs.get_config())
    assert mine.name == theirs.name and mine.reduction == theirs.reduction
    is_of_rows = name not in ("Dice", "Tversky") and "axis" not in kwargs
    weights = (None, weight) if is_of_rows else (None,)
    got, want = (
        [
            jax.jit(lambda p, f=loss: [of_sum(f, y_true, p, w) for w in weights])(y_pred),
            [loss(y_true, y_pred, sample_weight=w) for w in weights],
        ]
        for loss in (mine, theirs)
    )
    agree(got, want, "value and gradient", **GRADIENTS)


def test_every_loss_has_a_row():
    every_name(LOSSES, jkeras.losses, ["Loss"])


LOSS_FUNCTIONS = [
    (f, dict(q=0.5) if "generalized" in f else {}, kind)
    for f, kind in dict(
        mean_squared_error="numbers",
        mean_absolute_error="numbers",
        mean_absolute_percentage_error="numbers",
        mean_squared_logarithmic_error="positive",
        huber="numbers",
        log_cosh="numbers",
        poisson="positive",
        kl_divergence="one hot",
        cosine_similarity="numbers",
        hinge="signs",
        squared_hinge="signs",
        categorical_hinge="one hot",
        binary_crossentropy="binary",
        binary_focal_crossentropy="binary",
        categorical_crossentropy="one hot",
        categorical_focal_crossentropy="one hot",
        sparse_categorical_crossentropy="classes",
        categorical_generalized_cross_entropy="classes",
        dice="masks",
        tversky="masks",
        circle="unit rows",
        ctc="sequences",
    ).items()
]


@pytest.mark.parametrize(("name", "kwargs", "kind"), rows(LOSS_FUNCTIONS))
def test_loss_function(name, kwargs, kind):
    y_true, y_pred, _ = data(kind)
    got, want = (getattr(k.losses, name)(y_true, y_pred, **kwargs) for k in LIBRARIES)
    agree(got, want, name)
    if "generalized" not in name:  # it needs `q`, so no string stands for it
        assert jkeras.losses.get(name) is getattr(jkeras.losses, name)


# ---------------------------------------------------------------- metrics

METRICS = [
    ("Mean", {}, "values"),
    ("Sum", {}, "values"),
    ("MeanSquaredError", {}, "numbers"),
    ("RootMeanSquaredError", {}, "numbers"),
    ("MeanAbsoluteError", {}, "numbers"),
    ("MeanAbsolutePercentageError", {}, "numbers"),
    ("MeanSquaredLogarithmicError", {}, "positive"),
    ("LogCoshError", {}, "numbers"),
    ("Poisson", {}, "positive"),
    ("KLDivergence", {}, "one hot"),
    ("CosineSimilarity", {}, "numbers"),
    ("R2Score", {}, "numbers"),
    ("R2Score", dict(class_aggregation=None, num_regressors=1), "numbers"),
    ("R2Score", dict(class_aggregation="variance_weighted_average"), "numbers"),
    ("PearsonCorrelation", {}, "numbers"),
    ("ConcordanceCorrelation", dict(axis=0), "numbers"),
    ("Hinge", {}, "signs"),
    ("SquaredHinge", {}, "signs"),
    ("CategoricalHinge", {}, "one hot"),
    ("Accuracy", {}, "labels"),
    ("BinaryAccuracy", dict(threshold=0.4), "binary"),
    ("CategoricalAccuracy", {}, "one hot"),
    ("SparseCategoricalAccuracy", {}, "classes"),
    ("TopKCategoricalAccuracy", dict(k=2), "one hot"),
    ("SparseTopKCategoricalAccuracy", dict(k=2), "classes"),
    ("SparseTopKCategoricalAccuracy", dict(k=2, from_sorted_ids=True), "sorted ids"),
    ("BinaryCrossentropy", dict(label_smoothing=0.1), "binary"),
    ("CategoricalCrossentropy", dict(from_logits=True), "one hot logits"),
    ("SparseCategoricalCrossentropy", {}, "classes"),
    ("TruePositives", {}, "binary"),
    ("TrueNegatives", dict(thresholds=[0.3, 0.6]), "binary"),
    ("FalsePositives", {}, "binary"),
    ("FalseNegatives", dict(thresholds=0.7), "binary"),
    ("Precision", {}, "binary"),
    ("Precision", dict(top_k=2, class_id=1), "binary"),
    ("Recall", dict(thresholds=[0.2, 0.5, 0.8]), "binary"),
    ("AUC", {}, "binary"),
    ("AUC", dict(num_thresholds=20, curve="PR"), "binary"),
    ("AUC", dict(multi_label=True, num_thresholds=10, summation_method="minoring"), "binary"),
    ("AUC", dict(curve="PR", summation_method="majoring", thresholds=[0.25, 0.5]), "binary"),
    ("AUC", dict(from_logits=True), "binary logits"),
    ("F1Score", {}, "binary"),
    ("F1Score", dict(average="macro", threshold=0.5), "binary"),
    ("FBetaScore", dict(beta=2.0, average="micro"), "binary"),
    ("FBetaScore", dict(average="weighted"), "one hot"),
    ("PrecisionAtRecall", dict(recall=0.5), "binary"),
    ("RecallAtPrecision", dict(precision=0.6), "binary"),
    ("SensitivityAtSpecificity", dict(specificity=0.5), "binary"),
    ("SpecificityAtSensitivity", dict(sensitivity=0.4, num_thresholds=30), "binary"),
    ("IoU", dict(num_classes=4, target_class_ids=[0, 2]), "labels"),
    ("MeanIoU", dict(num_classes=4), "labels"),
    ("MeanIoU", dict(num_classes=4, ignore_class=1), "labels"),
    ("BinaryIoU", dict(target_class_ids=[1], threshold=0.4), "one binary"),
    ("OneHotIoU", dict(num_classes=4, target_class_ids=[0, 1]), "one hot"),
    ("OneHotMeanIoU", dict(num_classes=4), "one hot"),
]
UNWEIGHTED = ("PearsonCorrelation", "ConcordanceCorrelation")


def batches(kind):
    """Two batches: `(arguments, sample_weight)`."""
    if kind == "sorted ids":
        classes, share, weight = data("classes")
        return [((classes, np.argsort(-share, axis=-1)[:, :3]), weight)] * 2
    return [
        ((y_true,) if y_pred is None else (y_true, y_pred), weight)
        for y_true, y_pred, weight in (data(kind, 0), data(kind, 1))
    ]


@pytest.mark.parametrize(("name", "kwargs", "kind"), every(3, rows(METRICS)))
@pytest.mark.filterwarnings("ignore:Sample weights are float:UserWarning")
def test_metric(name, kwargs, kind):
    seen = []
    for library in LIBRARIES:
        metric = getattr(library.metrics, name)(**kwargs)
        (first, _), (second, weight) = batches(kind)
        weighted = {} if name in UNWEIGHTED or weight is None else {"sample_weight": weight}
        metric.update_state(*first)
        values = [metric.result()]
        metric.update_state(*second, **weighted)
        values += [metric.result(), [v.value for v in metric.variables]]
        stateless = metric.stateless_update_state(metric.stateless_reset_state(), *second)
        values += [stateless, metric.stateless_result(stateless)]
        metric.reset_state()
        values.append([v.value for v in metric.variables])
        again = type(metric).from_config(metric.get_config())
        seen.append(
            (
                plain(metric.get_config()),
                [(v.name, tuple(v.shape), str(v.dtype)) for v in metric.variables],
                again.name,
                values,
            )
        )
    mine, theirs = seen
    assert mine[:3] == theirs[:3]
    agree(mine[3], theirs[3], name, **GRADIENTS)


@pytest.mark.parametrize(("name", "kwargs", "kind"), every(3, rows(METRICS)))
def test_pure_metric(name, kwargs, kind):
    """init, update, merge, result: two halves merged are what Keras gives for both in a row; all
    under jit.
    """
    metric, theirs = (getattr(k.metrics, name)(**kwargs) for k in LIBRARIES)
    (first, _), (second, _) = batches(kind)
    start = metric.init(*first)
    update = jax.jit(metric.update)
    merged = metric.merge(update(start, *first), update(start, *second))
    theirs.update_state(*first)
    theirs.update_state(*second)
    agree(jax.jit(metric.result_of)(merged), theirs.result(), name, dtypes=False, **GRADIENTS)


def test_every_metric_has_a_row():
    every_name(
        METRICS,
        jkeras.metrics,
        ["Accumulator", "Metric", "StateSpec", "MeanMetricWrapper"],
        jkeras.metrics.Metric,
    )


# ---------------------------------------------------------------- initializers

INITIALIZERS = [
    ("Zeros", {}),
    ("Ones", {}),
    ("Constant", dict(value=0.3)),
    ("Identity", dict(gain=2.0)),
    ("RandomNormal", {}),
    ("RandomNormal", dict(mean=1.0, stddev=0.3)),
    ("RandomUniform", dict(minval=-1.0, maxval=2.0)),
    ("TruncatedNormal", dict(stddev=0.2)),
    ("VarianceScaling", {}),
    ("VarianceScaling", dict(scale=3.0, mode="fan_avg", distribution="untruncated_normal")),
    ("VarianceScaling", dict(mode="fan_out", distribution="uniform")),
    ("GlorotUniform", {}),
    ("GlorotNormal", {}),
    ("HeNormal", {}),
    ("HeUniform", {}),
    ("LecunNormal", {}),
    ("LecunUniform", {}),
    ("Orthogonal", dict(gain=0.5)),
    ("STFT", {}),
    ("STFT", dict(side="imag", window="hamming", scaling="spectrum", periodic=True)),
]
UNSEEDED = ("Zeros", "Ones", "Constant", "Identity", "STFT")
SHAPES = {"Identity": [(4, 4)], "STFT": [(8, 1, 5)]}


@pytest.mark.parametrize(("name", "kwargs"), rows(INITIALIZERS))
def test_initializer(name, kwargs):
    kwargs = kwargs if name in UNSEEDED else {**kwargs, "seed": 11}
    mine, theirs = (getattr(k.initializers, name)(**kwargs) for k in LIBRARIES)
    assert plain(mine.get_config()) == plain(theirs.get_config())
    for shape in SHAPES.get(name, [(4, 6), (3, 2, 5)]):
        agree(mine(shape), theirs(shape), f"{name}{shape}")
        if name not in ("Orthogonal", "STFT"):  # no QR in half precision
            agree(
                mine(shape, dtype="bfloat16"),
                theirs(shape, dtype="bfloat16"),
                "bfloat16",
                rtol=1e-2,
                atol=1e-2,
            )
    if name not in UNSEEDED:
        generators = [k.random.SeedGenerator(5) for k in LIBRARIES]
        mine, theirs = (
            getattr(k.initializers, name)(**{**kwargs, "seed": g})
            for k, g in zip(LIBRARIES, generators)
        )
        agree([mine((3, 4)), mine((3, 4))], [theirs((3, 4)), theirs((3, 4))], "from a generator")


def test_every_initializer_has_a_row():
    every_name(INITIALIZERS, jkeras.initializers, ["Initializer"])


# ---------------------------------------------------------------- schedules

SCHEDULES = [
    ("ExponentialDecay", dict(initial_learning_rate=0.1, decay_steps=10, decay_rate=0.5)),
    (
        "ExponentialDecay",
        dict(initial_learning_rate=0.1, decay_steps=10, decay_rate=0.5, staircase=True),
    ),
    (
        "InverseTimeDecay",
        dict(initial_learning_rate=0.1, decay_steps=4, decay_rate=0.5, staircase=True),
    ),
    ("PiecewiseConstantDecay", dict(boundaries=[3, 7], values=[0.1, 0.05, 0.01])),
    (
        "PolynomialDecay",
        dict(initial_learning_rate=0.1, decay_steps=9, end_learning_rate=0.01, power=2.0),
    ),
    ("PolynomialDecay", dict(initial_learning_rate=0.1, decay_steps=4, cycle=True)),
    ("CosineDecay", dict(initial_learning_rate=0.1, decay_steps=12, alpha=0.1)),
    (
        "CosineDecay",
        dict(initial_learning_rate=0.0, decay_steps=12, warmup_target=0.2, warmup_steps=5),
    ),
    (
        "CosineDecayRestarts",
        dict(initial_learning_rate=0.1, first_decay_steps=4, t_mul=1.5, m_mul=0.9, alpha=0.05),
    ),
]


@pytest.mark.parametrize(("name", "kwargs"), rows(SCHEDULES))
def test_schedule(name, kwargs):
    mine, theirs = (getattr(k.optimizers.schedules, name)(**kwargs) for k in LIBRARIES)
    assert plain(mine.get_config()) == plain(theirs.get_config())
    steps = [0, 1, 3, 4, 5, 7, 12, 40]
    agree([mine(s) for s in steps], [theirs(s) for s in steps], name, rtol=2e-5, atol=1e-7)
    agree(
        jax.jit(jax.vmap(mine))(jnp.array(steps)),
        jnp.stack([theirs(s) for s in steps]),
        "mapped",
        rtol=2e-5,
        atol=1e-7,
    )


def test_every_schedule_has_a_row():
    every_name(SCHEDULES, jkeras.optimizers.schedules, ["LearningRateSchedule"])


# ---------------------------------------------------------------- regularizers and constraints

REGULARIZERS = [
    ("L1", dict(l1=0.1)),
    ("L2", {}),
    ("L1L2", dict(l1=0.1, l2=0.2)),
    ("OrthogonalRegularizer", dict(factor=0.1)),
    ("OrthogonalRegularizer", dict(mode="columns")),
]
CONSTRAINTS = [
    ("MaxNorm", dict(max_value=0.5)),
    ("MaxNorm", dict(axis=1)),
    ("NonNeg", {}),
    ("UnitNorm", dict(axis=1)),
    ("MinMaxNorm", dict(min_value=0.5, max_value=0.9, rate=0.7)),
]


@pytest.mark.parametrize(("name", "kwargs"), rows(REGULARIZERS))
def test_regularizer(name, kwargs):
    x = data("numbers")[0]
    mine, theirs = (getattr(k.regularizers, name)(**kwargs) for k in LIBRARIES)
    assert plain(mine.get_config()) == plain(theirs.get_config())
    agree(jax.value_and_grad(mine)(x), jax.value_and_grad(theirs)(x), name, **GRADIENTS)


@pytest.mark.parametrize(("name", "kwargs"), rows(CONSTRAINTS))
def test_constraint(name, kwargs):
    x = data("numbers")[0]
    mine, theirs = (getattr(k.constraints, name)(**kwargs) for k in LIBRARIES)
    assert plain(mine.get_config()) == plain(theirs.get_config())
    agree(mine(x), theirs(x), name)


def test_every_regularizer_and_constraint_has_a_row():
    every_name(REGULARIZERS, jkeras.regularizers, ["Regularizer"])
    every_name(CONSTRAINTS, jkeras.constraints, ["Constraint"])


# ---------------------------------------------------------------- activations

ACTIVATIONS = [
    (name, {})
    for name in jkeras.activations.__all__
    if name not in ("deserialize", "get", "serialize")
] + [
    ("relu", dict(negative_slope=0.2, max_value=1.0, threshold=0.1)),
    ("gelu", dict(approximate=True)),
    ("elu", dict(alpha=0.3)),
    ("leaky_relu", dict(negative_slope=0.1)),
    ("softmax", dict(axis=0)),
    ("log_softmax", dict(axis=0)),
    ("celu", dict(alpha=0.5)),
    ("squareplus", dict(b=2)),
    ("threshold", dict(threshold=0.3, default_value=-1.0)),
    ("glu", dict(axis=0)),
    ("hard_shrink", dict(threshold=0.2)),
    ("soft_shrink", dict(threshold=0.2)),
]


@pytest.mark.parametrize(("name", "kwargs"), every(3, rows(ACTIVATIONS)))
def test_activation(name, kwargs):
    x = np.linspace(-3.1, 3.3, 24).astype("float32").reshape(4, 6)
    if name == "threshold" and not kwargs:
        kwargs = dict(threshold=0.0, default_value=0.5)

    def run(function):
        def weighted(x):
            y = function(x, **kwargs)
            return jnp.sum(y * jnp.cos(jnp.arange(y.size).reshape(y.shape))), y

        return jax.jit(jax.value_and_grad(weighted, has_aux=True))(x)

    agree(
        run(getattr(jkeras.activations, name)),
        run(getattr(keras.activations, name)),
        name,
        **GRADIENTS,
    )


# ---------------------------------------------------------------- random

RANDOM = [
    ("normal", dict(shape=(3, 4), mean=1.0, stddev=0.5)),
    ("uniform", dict(shape=(3, 4), minval=-1.0, maxval=2.0)),
    ("randint", dict(shape=(6,), minval=2, maxval=30)),
    ("truncated_normal", dict(shape=(3, 4), stddev=2.0)),
    ("gamma", dict(shape=(4,), alpha=2.0)),
    ("beta", dict(shape=(4,), alpha=2.0, beta=0.5)),
    ("binomial", dict(shape=(4,), counts=10.0, probabilities=0.3)),
    (
        "categorical",
        dict(logits=np.log([[0.2, 0.3, 0.5], [0.8, 0.1, 0.1]]).astype("float32"), num_samples=5),
    ),
    ("dropout", dict(inputs=np.ones((4, 5), "float32"), rate=0.4)),
    ("dropout", dict(inputs=np.ones((4, 5), "float32"), rate=0.4, noise_shape=(4, 1))),
    ("shuffle", dict(x=np.arange(8))),
    ("shuffle", dict(x=np.arange(12).reshape(3, 4), axis=1)),
]


@pytest.mark.promise("with a number gives the same values at each call")
@pytest.mark.parametrize(
    ("name", "kwargs"), [pytest.param(n, k, id=f"{n}-{i}") for i, (n, k) in enumerate(RANDOM)]
)
def test_random(name, kwargs):
    seen = []
    for library in LIBRARIES:
        function, generator = getattr(library.random, name), library.random.SeedGenerator(3)
        values = [
            function(**kwargs, seed=17),
            function(**kwargs, seed=generator),
            function(**kwargs, seed=generator),
            generator.state.value,
        ]
        library.utils.set_random_seed(4)
        seen.append([*values, function(**kwargs), function(**kwargs)])
    agree(seen[0], seen[1], name)


def test_ops_of_numbers():
    """Closed forms, so that both libraries could not be wrong alike."""
    x, _, _ = data("numbers")
    loss = jkeras.losses.MeanSquaredError()
    assert float(loss(x, x + 2)) == pytest.approx(4.0)
    assert float(jkeras.losses.BinaryCrossentropy()([1.0], [0.5])) == pytest.approx(
        math.log(2), abs=1e-6
    )
    assert float(jkeras.metrics.AUC()([0, 1, 0, 1], [0.1, 0.9, 0.2, 0.8])) == pytest.approx(1.0)
    np.testing.assert_allclose(jkeras.activations.softmax(jnp.zeros((1, 4))), 0.25)


# ---------------------------------------------------------------- odd inputs and mistakes

ROWS = np.linspace(0.1, 0.9, 12, dtype="float32").reshape(4, 3)
ODD = [
    (
        "losses.categorical_hinge",
        {},
        (np.eye(3, dtype="int32"), np.arange(9, dtype="int32").reshape(3, 3)),
    ),
    ("losses.cosine_similarity", {}, (np.float32(0.5), ROWS[0])),
    ("losses.cosine_similarity", {}, (ROWS[0], np.float32(-0.5))),
    ("losses.CosineSimilarity", dict(reduction="none"), (np.float32(2.0), np.float32(3.0))),
    ("metrics.CosineSimilarity", {}, (np.float32(0.5), ROWS[0])),
    (
        "metrics.top_k_categorical_accuracy",
        dict(k=2),
        (np.eye(4)[1], np.array([0.1, 0.3, 0.4, 0.2], "float32")),
    ),
    ("metrics.R2Score", {}, (ROWS[:1], ROWS[1:2])),
    ("metrics.R2Score", dict(class_aggregation=None), (ROWS[:1].repeat(3, 0), ROWS[:3])),
]
MISTAKES = [
    *(
        (f"losses.{name}", {}, (ROWS[:2], ROWS[:, :2][:3]))
        for name in (
            "mean_squared_error",
            "huber",
            "log_cosh",
            "cosine_similarity",
            "MeanAbsoluteError",
        )
    ),
    ("losses.sparse_categorical_crossentropy", dict(axis=5), (np.array([0, 1, 2, 0]), ROWS)),
    ("metrics.MeanSquaredError", {}, (ROWS[:2], ROWS[:, :2][:3])),
    ("metrics.Recall", {}, (np.ones(3), np.ones(4))),
    ("metrics.TruePositives", {}, (np.ones(4), ROWS)),
    ("metrics.MeanIoU", dict(num_classes=3), ([0, 1, 2], [0, 1])),
    ("optimizers.SGD", dict(name="a/b"), None),
    ("optimizers.schedules.deserialize", {}, ("CosineDecay",)),
    ("losses.deserialize", {}, ({},)),
    ("metrics.deserialize", {}, ({"config": {}},)),
    ("optimizers.schedules.deserialize", {}, ({},)),
]


def outcome(library, path, kwargs, args):
    """What a function gives, or an object made with `kwargs` and called with `args`."""
    thing = find(library, path)
    if inspect.isclass(thing):
        made = thing(**kwargs)
        return made if args is None else made(*args)
    return thing(*args, **kwargs)


def numbered(table):
    return [pytest.param(*row, id=f"{row[0]}-{i}") for i, row in enumerate(table)]


@pytest.mark.parametrize(("path", "kwargs", "args"), numbered(ODD))
def test_odd_input(path, kwargs, args):
    mine, theirs = (outcome(library, path, kwargs, args) for library in LIBRARIES)
    agree(mine, theirs, path)


@pytest.mark.parametrize(("path", "kwargs", "args"), numbered(MISTAKES))
def test_mistake(path, kwargs, args):
    """An `except` clause that catches Keras's exception catches ours."""
    with pytest.raises(Exception) as theirs:
        outcome(keras, path, kwargs, args)
    with pytest.raises(theirs.type):
        outcome(jkeras, path, kwargs, args)


@pytest.mark.parametrize("shape", [3, None])
def test_mistaken_shape_of_a_variable_of_a_metric(shape):
    for library in LIBRARIES:
        with pytest.raises(ValueError):
            library.metrics.Mean().add_variable(shape, "zeros")


SYMBOLIC = [
    "losses.binary_crossentropy",
    "losses.categorical_focal_crossentropy",
    "losses.mean_squared_error",
    "losses.kl_divergence",
    "losses.dice",
    "losses.categorical_hinge",
    "metrics.categorical_accuracy",
    "metrics.pearson_correlation",
]


@pytest.mark.parametrize("path", SYMBOLIC)
def test_in_a_graph(path):
    """A function of KerasTensors is a node, also after the model went through its config."""
    y_true, y_pred, _ = data("one hot")
    seen = []
    for library in LIBRARIES:
        inputs = [library.Input((4,)), library.Input((4,))]
        output = find(library, path)(*inputs)
        model = library.Model(inputs, output)
        again = library.Model.from_config(model.get_config())
        seen.append((tuple(output.shape), [model([y_true, y_pred]), again([y_true, y_pred])]))
    assert seen[0][0] == seen[1][0]
    agree(seen[0][1], seen[1][1], path)


# ---------------------------------------------------------------- optimizers

STEPS = [
    ("SGD", dict(momentum=0.9), "lists"),
    ("Adam", dict(clipnorm=0.5), "lists"),
    ("Nadam", dict(gradient_accumulation_steps=2, weight_decay=0.1), "missing"),
    ("Lamb", dict(use_ema=True), "missing"),
    ("Ftrl", dict(learning_rate_power=0.0, beta=0.2), "arrays"),
    ("Muon", dict(weight_decay=None), "arrays"),
]


@pytest.mark.promise("are Keras's optimizers")
@pytest.mark.promise("whole trainings equal real Keras on JAX")
@pytest.mark.parametrize(("name", "kwargs", "form"), rows(STEPS))
@pytest.mark.filterwarnings("ignore:Gradients do not exist:UserWarning")
def test_optimizer_steps(name, kwargs, form):
    """Gradients as arrays, as nested lists, or None for one of the variables in every second
    step.
    """
    values, seen = (ROWS, ROWS[0]), []
    for library in LIBRARIES:
        optimizer = getattr(library.optimizers, name)(0.1, **kwargs)
        variables = [library.Variable(v) for v in values]
        for step in range(4):
            grads = [v * (step - 1) + 0.1 for v in values]
            if form == "lists":
                grads = [g.tolist() for g in grads]
            optimizer.apply(
                [None, grads[1]] if form == "missing" and step % 2 else grads, variables
            )
        seen.append([v.value for v in variables + optimizer.variables])
    agree(seen[0], seen[1], name, **GRADIENTS)


def test_several_optimizers_of_which_some_average_or_accumulate():
    seen = []
    for library in LIBRARIES:
        library.utils.clear_session(free_memory=False)
        kinds = library.optimizers
        optimizer = kinds.MultiOptimizer(
            kinds.OptimizerMap(
                kinds.Adam(0.1, use_ema=True, ema_overwrite_frequency=2),
                {"bias": kinds.SGD(0.1, gradient_accumulation_steps=2)},
            )
        )
        variables = [library.Variable(ROWS, name="kernel"), library.Variable(ROWS[0], name="bias")]
        for step in range(4):
            optimizer.apply([v.value * (step - 1) + 0.1 for v in variables], variables)
        seen.append(
            (
                [v.path for v in optimizer.variables],
                [v.value for v in variables + optimizer.variables],
            )
        )
    assert seen[0][0] == seen[1][0]
    agree(seen[0][1], seen[1][1], **GRADIENTS)


def constant_rate():
    return 0.03


def test_config_of_a_function_of_yours():
    seen = []
    for library in LIBRARIES:

        @library.saving.register_keras_serializable("mine", "registered")
        def doubled(x):
            return 2 * x

        configs = [
            library.layers.Dense(2, activation=f, name="dense").get_config()
            for f in (doubled, row_id)
        ]
        optimizer = library.optimizers.SGD(constant_rate, name="sgd")
        assert library.layers.Dense.from_config(configs[0]).activation is doubled
        again = library.optimizers.deserialize(
            library.optimizers.serialize(optimizer), {"constant_rate": constant_rate}
        )
        assert float(again.learning_rate) == pytest.approx(0.03)
        seen.append(plain([*configs, optimizer.get_config()]))
    assert seen[0] == seen[1]
