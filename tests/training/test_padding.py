"""A smaller last batch goes through the step of the others: what comes out is that of its real rows
alone.
"""

import itertools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jkeras
from jkeras import layers, losses, metrics
from jkeras.training import init_train_state, make_eval_step, make_train_step
from jkeras.training.data.sizes import padded
from tests.thinning import every

RNG = np.random.default_rng(0)
SIZE = 8


def classifier(
    *parts,
    shape=(6,),
    loss="sparse_categorical_crossentropy",
    compiled_metrics=("accuracy",),
    dtype=None,
):
    model = jkeras.Sequential(
        [jkeras.Input(shape, dtype=dtype), *parts, layers.Dense(3, "softmax")]
    )
    model.compile("sgd", loss, metrics=list(compiled_metrics))
    return model


def vectors(rows):
    return RNG.normal(size=(rows, 6)).astype("float32"), RNG.integers(0, 3, rows)


def tokens(rows):
    return RNG.integers(0, 5, (rows, 7)), RNG.integers(0, 3, rows)


def by_step(rows):
    return RNG.integers(0, 5, (rows, 7)), RNG.integers(0, 3, (rows, 7))


def two_outputs(batch_norm=True):
    x = jkeras.Input((6,))
    h = layers.Dense(5, "tanh")(x)
    h = layers.BatchNormalization()(h) if batch_norm else h
    model = jkeras.Model(
        x, {"a": layers.Dense(1, name="a")(h), "b": layers.Dense(3, "softmax", name="b")(h)}
    )
    model.compile(
        "sgd",
        {"a": "mse", "b": "sparse_categorical_crossentropy"},
        loss_weights={"a": 0.3, "b": 2.0},
        metrics={"a": ["mae"], "b": ["accuracy"]},
        weighted_metrics={"b": ["accuracy"]},
    )
    return model


def two(rows):
    x, y = vectors(rows)
    weight = RNG.uniform(size=rows).astype("float32")
    return x, {"a": x[:, :1], "b": y}, {"a": weight, "b": weight * 2}


def one_hot(rows):
    x, y = vectors(rows)
    return x, np.eye(3, dtype="float32")[y], RNG.uniform(size=rows).astype("float32")


CASES = {
    "batch norm": (lambda: classifier(layers.Dense(4), layers.BatchNormalization()), vectors),
    "renorm": (lambda: classifier(layers.BatchNormalization(renorm=True)), vectors),
    "regularized": (lambda: classifier(layers.Dense(4, kernel_regularizer="l2")), vectors),
    "masked": (
        lambda: classifier(
            layers.Embedding(5, 4, mask_zero=True), layers.LSTM(3), shape=(7,), dtype="int32"
        ),
        tokens,
    ),
    "masked batch norm": (
        lambda: classifier(
            layers.Embedding(5, 4, mask_zero=True),
            layers.BatchNormalization(),
            layers.GRU(3),
            shape=(7,),
            dtype="int32",
        ),
        tokens,
    ),
    "masked steps": (
        lambda: classifier(
            layers.Embedding(5, 4, mask_zero=True),
            layers.LSTM(3, return_sequences=True),
            shape=(7,),
            dtype="int32",
        ),
        by_step,
    ),
    "steps": (
        lambda: classifier(
            layers.Reshape((3, 2)),
            layers.GRU(4, return_sequences=True),
            layers.Bidirectional(layers.LSTM(3)),
        ),
        vectors,
    ),
    "stack": (
        lambda: classifier(layers.Stack(layers.Dense(6, "tanh"), 2)),
        vectors,
    ),
    "two outputs": (two_outputs, two),
    "metrics": (
        lambda: classifier(
            loss="categorical_crossentropy",
            compiled_metrics=[
                "accuracy",
                metrics.AUC(),
                metrics.F1Score(),
                metrics.OneHotMeanIoU(3),
                metrics.R2Score(num_regressors=1),
                metrics.Precision(),
                metrics.TopKCategoricalAccuracy(2),
                "mse",
                lambda y, p: abs(y - p),
            ],
        ),
        one_hot,
    ),
    "convolutions": (
        lambda: classifier(
            layers.Reshape((6, 1)),
            layers.Conv1D(4, 3),
            layers.BatchNormalization(),
            layers.MaxPooling1D(2),
            layers.Flatten(),
        ),
        vectors,
    ),
    "attention": (
        lambda: classifier(
            layers.Embedding(5, 4),
            layers.LayerNormalization(),
            layers.Lambda(lambda x: jax.nn.softmax(x @ jnp.swapaxes(x, 1, 2)) @ x),
            layers.GlobalAveragePooling1D(),
            shape=(7,),
            dtype="int32",
        ),
        tokens,
    ),
    **{
        f"reduction {reduction}": (
            lambda reduction=reduction: classifier(
                loss=losses.CategoricalCrossentropy(reduction=reduction)
            ),
            one_hot,
        )
        for reduction in ("sum", "mean", "mean_with_sample_weight")
    },
    "function": (lambda: classifier(loss=lambda y, p: jnp.square(p[:, 0] - y)), vectors),
}


@pytest.mark.promise("It fills up if that is")
@pytest.mark.parametrize("kind", every(2, ["train", "test"]))
@pytest.mark.parametrize("name", every(2, CASES))
def test_a_padded_step_is_the_step_of_the_valid_rows(name, kind):
    build, make = CASES[name]
    jkeras.utils.set_random_seed(0)
    model, data = build(), make(5)
    state = init_train_state(model, jax.random.key(0), data)
    step = jax.jit((make_train_step if kind == "train" else make_eval_step)(model))
    filled = jax.tree_util.tree_map(lambda v: np.concatenate([v, v[2:]]), data)
    for path, values in (("state", step(state, data)[0]), ("logs", step(state, data)[1])):
        mine = step(state, filled, np.arange(SIZE) < 5)[0 if path == "state" else 1]
        jax.tree_util.tree_map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-6), mine, values
        )


def traces(model):
    return {key[0]: f.traces for key, f in model._functions.items() if hasattr(f, "traces")}


@pytest.mark.promise("and a training step is compiled as a whole")
@pytest.mark.promise("A `fit` is one compiled")
@pytest.mark.promise("A smaller last batch is")
@pytest.mark.promise("`fit` pads a smaller last batch, `predict`")
@pytest.mark.promise("a smaller last batch is compiled again | it")
@pytest.mark.parametrize(
    "name",
    every(2, ["batch norm", "masked", "steps", "stack", "two outputs", "metrics", "function"]),
)
def test_a_fit_is_one_trace(name):
    build, make = CASES[name]
    model, data = build(), make(2 * SIZE + 5)
    model.fit(
        *data[:2],
        sample_weight=(data + (None,))[2],
        batch_size=SIZE,
        epochs=2,
        verbose=0,
        validation_data=make(SIZE + 1),
        validation_batch_size=SIZE,
    )
    found = traces(model)
    assert sorted(kind[:5] for kind in found) == ["test_", "train"] and set(found.values()) == {1}


def test_batches_of_a_generator_are_padded_too():
    model, (x, y) = classifier(layers.BatchNormalization()), vectors(21)
    batches = [(x[i : i + SIZE], y[i : i + SIZE]) for i in range(0, 21, SIZE)]
    model.fit(itertools.chain(batches, batches), verbose=0)
    assert traces(model) == {"train_one": 1}


@pytest.mark.parametrize("dataset", every(2, ["arrays", "generator"]))
@pytest.mark.parametrize("form", ["batch_norm", "masked", "weighted"])
def test_a_ragged_fit_equals_keras(form, dataset):
    def train(k):
        k.utils.set_random_seed(1)
        first = (
            [k.layers.Embedding(5, 4, mask_zero=True), k.layers.GRU(4)]
            if form == "masked"
            else [k.layers.Dense(4), k.layers.BatchNormalization()]
        )
        shape, dtype = ((7,), "int32") if form == "masked" else ((6,), "float32")
        model = k.Sequential(
            [k.Input(shape, dtype=dtype), *first, k.layers.Dense(3, activation="softmax")]
        )
        model.compile(
            "sgd",
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
            weighted_metrics=["accuracy"],
        )
        return model

    theirs, ours = train(keras), train(jkeras)
    ours.set_weights(theirs.get_weights())
    (x, y) = (tokens if form == "masked" else vectors)(21)
    weight = RNG.uniform(size=21).astype("float32") if form == "weighted" else None
    histories = []
    for model in (theirs, ours):
        kwargs = dict(epochs=2, verbose=0, shuffle=False)
        if dataset == "arrays":
            histories.append(
                model.fit(x, y, batch_size=SIZE, sample_weight=weight, **kwargs).history
            )
        else:
            parts = (x, y) if weight is None else (x, y, weight)
            batches = [tuple(v[i : i + SIZE] for v in parts) for i in range(0, 21, SIZE)]
            histories.append(
                model.fit((b for b in batches * 2), steps_per_epoch=3, **kwargs).history
            )
    assert histories[0].keys() == histories[1].keys()
    for name in histories[0]:
        np.testing.assert_allclose(histories[1][name], histories[0][name], rtol=1e-4)
    for mine, wanted in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_allclose(mine, wanted, rtol=1e-4, atol=1e-6)


# ---------------------------------------------------------------- what may not be padded


class Centred(layers.Layer):
    def call(self, x):
        return x - jnp.mean(x, axis=0)


class Adding(layers.Layer):
    def call(self, x):
        self.add_loss(jnp.mean(jnp.square(x)))
        return x


class OwnLoss(jkeras.Sequential):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return jnp.mean(jnp.square(y_pred[:, 0] - y))


class OwnMetric(metrics.Metric):
    def __init__(self):
        super().__init__(name="rows")
        self.rows = self.add_weight(name="rows", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.rows.assign(self.rows + len(y_pred))

    def result(self):
        return self.rows.value


def own_loss():
    model = OwnLoss([jkeras.Input((6,)), layers.Dense(3)])
    model.compile("sgd")
    return model


TOGETHER = {
    "layer": lambda: classifier(Centred()),
    "add_loss": lambda: classifier(Adding()),
    "activity": lambda: classifier(layers.Dense(4, activity_regularizer="l2")),
    "loss": lambda: classifier(loss=lambda y, p: jnp.mean(jnp.square(p[:, 0] - y))),
    "compute_loss": own_loss,
    "metric": lambda: classifier(compiled_metrics=[OwnMetric()]),
    "metric function": lambda: classifier(compiled_metrics=[lambda y, p: jnp.mean(p)]),
    "mixed rows": lambda: classifier(layers.Lambda(lambda x: jnp.reshape(x, (6, -1)).T)),
}


@pytest.mark.promise("It fills up if that is")
@pytest.mark.promise("a smaller last batch is compiled again | it")
@pytest.mark.parametrize("name", every(2, TOGETHER))
def test_rows_that_come_together_are_not_padded(name):
    model, (x, y) = TOGETHER[name](), vectors(SIZE + 5)
    state = init_train_state(model, jax.random.key(0), (x[:SIZE], y[:SIZE]))
    model.load_train_state(state)
    step = jax.jit(make_train_step(model))
    for rows in (slice(SIZE), slice(SIZE, None)):
        state, logs = step(state, (x[rows], y[rows]))
    history = model.fit(x, y, batch_size=SIZE, shuffle=False, verbose=0).history
    for key in logs:
        np.testing.assert_allclose(history[key], [logs[key]], rtol=1e-5)


# ---------------------------------------------------------------- metrics

CLASSES = [
    getattr(metrics, name)
    for name in sorted(dir(metrics))
    if isinstance(getattr(metrics, name), type)
    and issubclass(getattr(metrics, name), metrics.Metric)
    and name not in ("Metric", "Mean", "Sum", "MeanMetricWrapper", "Accumulator")
]
ARGUMENTS = {
    "IoU": dict(num_classes=3, target_class_ids=[0, 1]),
    "MeanIoU": dict(num_classes=3),
    "BinaryIoU": dict(target_class_ids=[0, 1]),
    "OneHotIoU": dict(num_classes=3, target_class_ids=[0, 1]),
    "OneHotMeanIoU": dict(num_classes=3),
    "SensitivityAtSpecificity": dict(specificity=0.4),
    "SpecificityAtSensitivity": dict(sensitivity=0.4),
    "PrecisionAtRecall": dict(recall=0.4),
    "RecallAtPrecision": dict(precision=0.4),
}


@pytest.mark.parametrize("cls", every(4, CLASSES), ids=lambda cls: cls.__name__)
@given(data=st.data())
@settings(max_examples=3, deadline=None)
def test_a_weight_of_0_means_absence_to_every_metric(cls, data):
    metric = cls(**ARGUMENTS.get(cls.__name__, {}))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    real = np.array(data.draw(st.lists(st.booleans(), min_size=3, max_size=3).filter(any)))
    shape = (
        (len(real), 3)
        if data.draw(st.booleans()) or cls in (metrics.R2Score, metrics.FBetaScore, metrics.F1Score)
        else (len(real), 2, 3)
    )
    y_pred = rng.uniform(size=shape).astype("float32")
    if cls.__name__ in ("IoU", "MeanIoU"):
        y_true, y_pred = rng.integers(0, 3, shape[:-1]), rng.integers(0, 3, shape[:-1])
    elif "Sparse" in cls.__name__:
        y_true = rng.integers(0, 3, shape[:-1])
    else:
        y_true = np.eye(3, dtype="float32")[rng.integers(0, 3, shape[:-1])]
    weight = metric.weight_of_rows(jnp.asarray(real), jnp.asarray(y_true))
    update, start = jax.jit(metric.update), metric.init(y_true, y_pred)
    padded_state = update(start, y_true, y_pred, weight)
    state = update(start, y_true[real], y_pred[real])
    # counted by the run, see the test of steps
    padded_state.pop("num_samples", None), state.pop("num_samples", None)
    for key in state:
        np.testing.assert_allclose(padded_state[key], state[key], rtol=1e-5, atol=1e-6)


def test_padding_repeats_a_real_row():
    batch = padded((np.arange(3), None, {"a": np.ones((3, 2))}), 5)
    np.testing.assert_array_equal(batch[0], [0, 1, 2, 2, 2])
    assert batch[2]["a"].shape == (5, 2)
