"""Weighted means against numpy: losses, metrics, and what `fit` and `evaluate` report with a
smaller last batch.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

import jkeras
from jkeras import layers
from tests.parity.both import agree
from tests.properties.tools import SEEDS, normal, property_of
from tests.thinning import every

ROWS, STEPS, BATCH = 6, 3, 4
CLOSE = dict(rtol=2e-4, atol=2e-5)
REDUCTIONS = st.sampled_from(
    ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none"]
)


def cosine(y, p):
    def unit(x):
        return x / np.sqrt(np.maximum((x**2).sum(-1, keepdims=True), 1e-7**2))

    return (unit(y) * unit(p)).sum(-1)


FORMULAS = {
    "MeanSquaredError": lambda y, p: ((y - p) ** 2).mean(-1),
    "MeanAbsoluteError": lambda y, p: np.abs(y - p).mean(-1),
    "MeanSquaredLogarithmicError": lambda y, p: (
        (np.log1p(np.maximum(p, 1e-7)) - np.log1p(np.maximum(y, 1e-7))) ** 2
    ).mean(-1),
    "MeanAbsolutePercentageError": lambda y, p: (
        100 * (np.abs(y - p) / np.maximum(np.abs(y), 1e-7)).mean(-1)
    ),
    "LogCosh": lambda y, p: np.log(np.cosh(p - y)).mean(-1),
    "Huber": lambda y, p: np.where(
        np.abs(y - p) <= 1, 0.5 * (y - p) ** 2, np.abs(y - p) - 0.5
    ).mean(-1),
    "Poisson": lambda y, p: (p - y * np.log(p + 1e-7)).mean(-1),
    "KLDivergence": lambda y, p: (y * np.log(y / p)).sum(-1),
    "CategoricalCrossentropy": lambda y, p: -(y * np.log(p / p.sum(-1, keepdims=True))).sum(-1),
    "BinaryCrossentropy": lambda y, p: -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(-1),
    "CosineSimilarity": lambda y, p: -cosine(y, p),
    # targets that are neither 0, 1 nor -1 stay as they are
    "Hinge": lambda y, p: np.maximum(1 - y * p, 0).mean(-1),
    "SquaredHinge": lambda y, p: (np.maximum(1 - y * p, 0) ** 2).mean(-1),
    "CategoricalHinge": lambda y, p: np.maximum(((1 - y) * p).max(-1) - (y * p).sum(-1) + 1, 0),
}
AS_METRICS = {"LogCosh": "LogCoshError"}


def case(seed, *shape):
    """Targets and predictions in (0, 1)."""
    return 0.05 + 0.9 * np.random.default_rng(seed).random((2, *shape)).astype("float32")


def reduced(values, weight, mask, reduction):
    """A loss by its definition, in double precision."""
    counted = np.ones(values.shape) if mask is None else mask.astype("float64")
    weighted = counted if weight is None else counted * weight
    if reduction == "none":
        return values * weighted
    total = (values.astype("float64") * weighted).sum()
    if reduction == "mean_with_sample_weight":
        total_weight = weight.sum() if mask is None and weight is not None else weighted.sum()
        return total / total_weight if total_weight else 0.0
    if reduction == "sum":
        return total
    return total / counted.sum() if counted.any() else 0.0


@pytest.mark.parametrize("name", every(2, FORMULAS))
@property_of(
    8,
    seed=SEEDS,
    reduction=REDUCTIONS,
    columns=st.sampled_from([None, 1, STEPS]),
    masked=st.booleans(),
)
def test_losses(name, seed, reduction, columns, masked):
    """Of values (rows, steps), with weights for each row or each step, of which some are zero."""
    rng = np.random.default_rng(seed)
    y, p = case(seed, ROWS, STEPS, 4)
    values = FORMULAS[name](y, p)
    w = rng.random((ROWS, columns or 1)).astype("float32") * (rng.random((ROWS, 1)) < 0.7)
    w = None if columns is None else w.astype("float32")
    mask = rng.random(values.shape) < 0.6 if masked else None
    loss = getattr(jkeras.losses, name)(reduction=reduction)(y, p, w, mask=mask)
    agree(loss, reduced(values, w, mask, reduction), dtypes=False, **CLOSE)


@pytest.mark.parametrize("name", every(2, [name for name in FORMULAS if name != "Huber"]))
@property_of(6, seed=SEEDS, weighted=st.booleans())
def test_mean_metrics(name, seed, weighted):
    """The mean over rows, in one update, in several, and in states that are merged."""
    y, p = case(seed, ROWS, 4)
    values = FORMULAS[name](y, p) * (-1 if name == "CosineSimilarity" else 1)
    w = 0.1 + np.random.default_rng(seed).random(ROWS).astype("float32") if weighted else None
    metric = getattr(jkeras.metrics, AS_METRICS.get(name, name))()
    assert_gathers((y, p, w), type(metric).__name__)
    metric.update_state(y, p, sample_weight=w)
    agree(metric.result(), np.average(values.astype("float64"), weights=w), dtypes=False, **CLOSE)


@functools.cache
def compiled(name, **options):
    """(init, update, merge, result) of a metric."""
    metric = getattr(jkeras.metrics, name)(**options)
    return metric.init, jax.jit(metric.update), jax.jit(metric.merge), jax.jit(metric.result_of)


def assert_gathers(columns, name, rtol=2e-4, atol=2e-5, **options):
    """All rows at once, half after half, and the merged states of the halves give one result."""
    init, update, merge, result = compiled(name, **options)

    def part(where):
        return tuple(None if c is None else c[where] for c in columns)

    first, second, both = part(slice(0, ROWS // 2)), part(slice(ROWS // 2, ROWS)), part(slice(None))
    start = init(*both)
    whole = result(update(start, *both))
    in_turn = result(update(update(start, *first), *second))
    merged = result(merge(update(start, *first), update(start, *second)))
    agree(in_turn, whole, "in turn", rtol=rtol, atol=atol)
    agree(merged, whole, "merged", rtol=rtol, atol=atol)


OTHERS = {
    **{
        name: dict()
        for name in (
            "RootMeanSquaredError",
            "AUC",
            "Precision",
            "Recall",
            "TruePositives",
            "FalseNegatives",
            "BinaryAccuracy",
            "R2Score",
            "PearsonCorrelation",
            "ConcordanceCorrelation",
            "FBetaScore",
            "F1Score",
        )
    },
    "BinaryIoU": dict(dtype="float32"),
    "MeanIoU": dict(num_classes=2, dtype="float32"),
    "SensitivityAtSpecificity": dict(specificity=0.5),
    "PrecisionAtRecall": dict(recall=0.5),
}


@pytest.mark.parametrize("name", every(2, OTHERS))
@property_of(5, seed=SEEDS, weighted=st.booleans())
def test_other_metrics_gather(name, seed, weighted):
    rng = np.random.default_rng(seed)
    y, p = case(seed, ROWS, 2)
    if not any(part in name for part in ("Correlation", "R2", "Root")):
        y = np.round(y)
        p = np.round(p) if name == "MeanIoU" else p
    w = 0.1 + rng.random(ROWS).astype("float32") if weighted else None
    w = w[:, None] * np.ones((1, 2), "float32") if weighted and "IoU" in name else w
    assert_gathers((y, p, w), name, rtol=1e-3, atol=1e-4, **OTHERS[name])


@property_of(20, seed=SEEDS, weighted=st.booleans())
def test_mean_and_sum(seed, weighted):
    values = normal(seed, ROWS)
    w = np.random.default_rng(seed).random(ROWS).astype("float32") if weighted else None
    agree(jkeras.metrics.Mean()(values, w), np.average(values, weights=w), dtypes=False, **CLOSE)
    agree(
        jkeras.metrics.Sum()(values, w),
        (values * (1 if w is None else w)).sum(),
        dtypes=False,
        **CLOSE,
    )


# ---------------------------------------------------------------- fit and evaluate


@functools.cache
def regression():
    """A model that SGD with a rate of 0 leaves as it is."""
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(2)])
    model.compile(
        jkeras.optimizers.SGD(0.0), "mse", metrics=["mae"], weighted_metrics=["mse", "mae"]
    )
    return model


LAST = st.sampled_from([0, 1, BATCH - 1])


@property_of(9, seed=SEEDS, batches=st.integers(1, 3), last=LAST, weighted=st.booleans())
def test_reports_are_means_over_rows(seed, batches, last, weighted):
    n, model = batches * BATCH + last, regression()
    x = normal(seed, n, 3)
    y = normal(seed + 1, n, 2)
    w = np.random.default_rng(seed).random(n).astype("float32")
    w = w if weighted else np.ones_like(w)
    error = (
        x @ np.asarray(model.get_weights()[0]) + np.asarray(model.get_weights()[1]) - y
    ).astype("float64")
    squares, sizes = (error**2).mean(-1), np.abs(error).mean(-1)
    expected = {
        "loss": (w * squares).sum() / n,
        "mae": sizes.mean(),
        "weighted mae": np.average(sizes, weights=w),
        "mse": np.average(squares, weights=w),
    }
    given = dict(sample_weight=w) if weighted else {}
    history = model.fit(
        x,
        y,
        batch_size=BATCH,
        verbose=0,
        validation_data=(x, y, *given.values()),
        validation_batch_size=BATCH,
        **given,
    ).history
    tested = model.evaluate(x, y, batch_size=BATCH, verbose=0, return_dict=True, **given)
    found = {k: v[0] for k, v in history.items()}
    for logs in (
        found,
        {k.removeprefix("val_"): v for k, v in found.items() if k.startswith("val_")},
        tested,
    ):
        assert {k for k in logs if not k.startswith("val_")} == {
            "loss",
            "mae",
            "mse",
            "weighted_mae",
        }
        for name, value in expected.items():
            np.testing.assert_allclose(logs[name.replace(" ", "_")], value, **CLOSE, err_msg=name)


@functools.cache
def deep(steps):
    model = jkeras.Sequential(
        [
            jkeras.Input((3,)),
            layers.Dense(4, activation="tanh"),
            layers.BatchNormalization(),
            layers.Dense(2, activation="softmax", kernel_regularizer="l2"),
        ]
    )
    model.compile(
        jkeras.optimizers.SGD(0.1, momentum=0.9),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        weighted_metrics=["sparse_categorical_crossentropy"],
        steps_per_execution=steps,
    )
    return model, model.get_weights()


def labelled(seed, n):
    rng = np.random.default_rng(seed)
    return (
        normal(seed, n, 3),
        rng.integers(0, 2, n).astype("int32"),
        rng.random(n).astype("float32"),
    )


@pytest.mark.promise("because it *is* such a loop")
@pytest.mark.promise("`fit` is a loop around")
@pytest.mark.parametrize("steps", [1, 2])
@property_of(4, seed=SEEDS, batches=st.integers(1, 3), last=LAST)
def test_fit_is_its_steps_in_turn(steps, seed, batches, last):
    """Also what depends on the batch as a whole: moving statistics, penalties, momentum."""
    n = batches * BATCH + last
    x, y, w = labelled(seed, n)
    found = []
    start = deep(1)[1]
    for together in (True, False):
        model, _ = deep(steps if together else 1)
        restart(model, start)
        if together:
            model.fit(x, y, sample_weight=w, batch_size=BATCH, shuffle=False, verbose=0)
        else:
            for i in range(0, n, BATCH):
                model.train_on_batch(
                    x[i : i + BATCH], y[i : i + BATCH], sample_weight=w[i : i + BATCH]
                )
        found.append(model.get_weights())
    agree(found[0], found[1], dtypes=False, rtol=1e-3, atol=1e-4)


def restart(model, start):
    model.set_weights(start)
    model.reset_metrics()
    for variable in model.optimizer.variables[2:]:
        variable.assign(jnp.zeros(variable.shape, variable.dtype))


@property_of(
    5, seed=SEEDS, last=LAST, balance=st.tuples(*[st.sampled_from([0.0, 0.5, 1.0, 3.0])] * 2)
)
def test_class_weight_is_sample_weight(seed, last, balance):
    x, y, _ = labelled(seed, BATCH + last)
    found = []
    by_row = np.take(balance, y).astype("float32")
    for more in (dict(class_weight=dict(enumerate(balance))), dict(sample_weight=by_row)):
        model, start = deep(1)
        restart(model, start)
        history = model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0, **more).history
        found.append((history, model.get_weights()))
    agree(found[0], found[1], rtol=1e-5, atol=1e-6)


@property_of(4, seed=SEEDS, last=LAST)
def test_predict_does_not_depend_on_the_batch(seed, last):
    x = normal(seed, BATCH + last, 3)
    whole = model_predict(x, len(x))
    agree(model_predict(x, BATCH), whole, **CLOSE)


def model_predict(x, size):
    return deep(1)[0].predict(x, batch_size=size, verbose=0)
