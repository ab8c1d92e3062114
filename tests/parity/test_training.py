"""Training in both libraries from the same weights: histories with the order of their keys,
evaluation, weights.
"""

import typing
import warnings

import numpy as np
import pytest

import jkeras

from tests.parity import builders
from tests.parity.both import LIBRARIES, agree, clear, fill
from tests.parity.builders import inputs_of
from tests.thinning import every

TRAINED = dict(rtol=1e-4, atol=1e-5)
ROWS = 26  # the last batch of 8 has two rows


class Setting(typing.NamedTuple):
    """One way to train."""

    name: str
    builder: typing.Callable
    compile: typing.Callable  # library -> arguments of compile
    fit: typing.Callable = lambda k: {}  # library -> further arguments of fit
    labels: str = "classes"


def labels_of(kind, rows=ROWS):
    """Labels for a kind of output."""
    rng = np.random.default_rng(5)
    classes, numbers = rng.integers(0, 3, (rows, 1)), rng.normal(size=(rows, 1)).astype("float32")
    return {
        "classes": classes,
        "one_hot": np.eye(3, dtype="float32")[classes[:, 0]],
        "numbers": numbers,
        "binary": (classes > 0).astype("float32"),
        "two": [classes, numbers],
        "named": {"kind": classes, "size": numbers},
        "both": [classes, classes],
        "nested": {"pair": [classes, numbers], "one": numbers},
    }[kind]


def weights_of(rows=ROWS):
    return np.linspace(0.2, 2.0, rows).astype("float32")


def sparse(optimizer, **more):
    """Arguments of `compile` for classes; the optimizer is `(name, arguments)`."""

    def arguments(k):
        name, given = optimizer
        return dict(
            optimizer=getattr(k.optimizers, name)(**given),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
            **more,
        )

    return arguments


def plain_loss(loss, metrics=None, **more):
    return lambda k: dict(optimizer="sgd", loss=loss, metrics=metrics, **more)


def optimizer(name, **given):
    text = ",".join(f"{k}={v}" for k, v in given.items())
    return Setting(f"{name}({text})", builders.mlp, sparse((name, given)))


OPTIMIZERS = [
    optimizer("SGD", learning_rate=0.1),
    optimizer("SGD", momentum=0.9, nesterov=True, weight_decay=0.01),
    optimizer("SGD", clipnorm=0.1, use_ema=True, ema_momentum=0.9),
    optimizer("Adam", learning_rate=0.01),
    optimizer("Adam", amsgrad=True, clipvalue=0.01),
    optimizer("Adam", gradient_accumulation_steps=2),
    optimizer("AdamW", learning_rate=0.01, weight_decay=0.1),
    optimizer("RMSprop", momentum=0.5, centered=True),
    optimizer("RMSprop"),
    optimizer("Adagrad", learning_rate=0.1),
    optimizer("Nadam", global_clipnorm=0.5),
    optimizer("Lion", learning_rate=0.005),
    optimizer("Adadelta", learning_rate=0.5),
    optimizer("Adamax"),
    optimizer("Ftrl", learning_rate=0.1, l2_regularization_strength=0.1),
    optimizer("Adafactor"),
    optimizer("Lamb"),
    optimizer("Adam", use_ema=True, ema_overwrite_frequency=3),
    Setting(
        "schedule",
        builders.mlp,
        lambda k: dict(
            optimizer=k.optimizers.Adam(
                k.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5, staircase=True)
            ),
            loss="sparse_categorical_crossentropy",
        ),
    ),
]

LOSSES = [
    Setting(
        "one hot",
        builders.mlp,
        plain_loss("categorical_crossentropy", ["acc", "AUC", "Precision"]),
        labels="one_hot",
    ),
    Setting(
        "smoothed",
        builders.mlp,
        lambda k: dict(
            optimizer="sgd",
            loss=k.losses.CategoricalCrossentropy(label_smoothing=0.1),
            metrics=[k.metrics.TopKCategoricalAccuracy(2), "categorical_crossentropy", "mse"],
        ),
        labels="one_hot",
    ),
    Setting(
        "logits",
        builders.convolution,
        lambda k: dict(
            optimizer="adam",
            loss=k.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        ),
    ),
    Setting(
        "regression",
        builders.regression,
        plain_loss("mse", ["mae", "RootMeanSquaredError", "R2Score"]),
        labels="numbers",
    ),
    Setting(
        "huber",
        builders.regression,
        lambda k: dict(
            optimizer="sgd",
            loss=k.losses.Huber(0.5, reduction="sum"),
            metrics=[k.metrics.MeanSquaredError(name="error")],
        ),
        labels="numbers",
    ),
    Setting(
        "mean with sample weight",
        builders.regression,
        lambda k: dict(
            optimizer="sgd", loss=k.losses.MeanSquaredError(reduction="mean_with_sample_weight")
        ),
        lambda k: dict(sample_weight=weights_of()),
        "numbers",
    ),
    Setting(
        "function",
        builders.regression,
        lambda k: dict(
            optimizer="sgd", loss=lambda y, p: k.ops.abs(y - p) ** 3, metrics=[mean_difference(k)]
        ),
        labels="numbers",
    ),
    Setting(
        "binary",
        builders.probability,
        plain_loss(
            "binary_crossentropy",
            ["accuracy", "AUC", "Recall", "FalsePositives", "binary_crossentropy"],
        ),
        labels="binary",
    ),
    Setting(
        "hinge",
        builders.regression,
        plain_loss("squared_hinge", ["hinge", "cosine_similarity"]),
        labels="binary",
    ),
]


def mean_difference(k):
    def difference(y_true, y_pred):
        return k.ops.mean(y_true - y_pred, axis=-1)

    return difference


def named(**more):
    return lambda k: dict(
        optimizer="adam", loss={"kind": "sparse_categorical_crossentropy", "size": "mse"}, **more
    )


OUTPUTS = [
    Setting(
        "lists",
        builders.two_ways,
        lambda k: dict(
            optimizer="adam",
            loss=["sparse_categorical_crossentropy", "mse"],
            loss_weights=[0.3, 2.0],
            metrics=[["accuracy"], ["mae", "mse"]],
        ),
        labels="two",
    ),
    Setting(
        "one loss", builders.two_ways, lambda k: dict(optimizer="sgd", loss="mae"), labels="two"
    ),
    Setting(
        "loss of one output",
        builders.two_ways,
        lambda k: dict(
            optimizer="sgd", loss=["sparse_categorical_crossentropy", None], metrics=[None, "mae"]
        ),
        labels="two",
    ),
    Setting(
        "dicts",
        builders.by_name,
        named(
            loss_weights={"kind": 0.5, "size": 3.0}, metrics={"kind": "accuracy", "size": ["mae"]}
        ),
        labels="named",
    ),
    Setting("dicts for lists", builders.two_ways, named(metrics={"size": "mae"}), labels="named"),
    Setting(
        "weighted metrics of outputs",
        builders.by_name,
        named(
            metrics={"kind": ["accuracy"]}, weighted_metrics={"kind": ["accuracy"], "size": ["mae"]}
        ),
        lambda k: dict(sample_weight={"kind": weights_of(), "size": weights_of()[::-1].copy()}),
        "named",
    ),
    Setting(
        "list of sample weights",
        builders.two_ways,
        lambda k: dict(
            optimizer="sgd",
            loss=["sparse_categorical_crossentropy", "mse"],
            weighted_metrics=[["accuracy"], ["mae"]],
        ),
        lambda k: dict(sample_weight=[weights_of(), weights_of()[::-1].copy()]),
        "two",
    ),
]

SPARSE = "sparse_categorical_crossentropy"
# how losses are given for several outputs: only the order, names and weights of the logs are of
# interest
FORMS = [
    (
        "losses in another order",
        builders.by_name,
        lambda k: dict(
            loss={"size": "mse", "kind": SPARSE}, loss_weights=[0.5, 2.0], metrics={"size": ["mae"]}
        ),
        "named",
    ),
    (
        "nested outputs",
        builders.inside_out,
        lambda k: dict(
            loss={"pair": [SPARSE, "mse"], "one": "mae"},
            loss_weights={"pair": [1.0, 0.5], "one": 2.0},
        ),
        "nested",
    ),
    (
        "flat losses for nested outputs",
        builders.inside_out,
        lambda k: dict(loss=["mae", SPARSE, None]),
        "nested",
    ),
    (
        "one layer gives both outputs",
        builders.twice,
        lambda k: dict(loss=[SPARSE, SPARSE], metrics=[["accuracy"], ["accuracy"]]),
        "both",
    ),
    ("one name for both outputs", builders.twice, lambda k: dict(loss={"kind": SPARSE}), "both"),
]


@pytest.mark.parametrize(
    "name, builder, form, labels", FORMS, ids=[form[0].replace(" ", "-") for form in FORMS]
)
def test_forms_of_losses(name, builder, form, labels):
    results = []
    for model in compiled(Setting(name, builder, lambda k: dict(optimizer="sgd", **form(k)))):
        x, y = inputs_of(builder, ROWS), labels_of(labels)
        logs = model.fit(x, y, batch_size=ROWS, verbose=0).history
        results.append(
            (
                list(logs),
                model.metrics_names,
                list(logs.values()),
                model.evaluate(x, y, batch_size=ROWS, verbose=0),
            )
        )
    assert results[0][:2] == results[1][:2]
    agree(results[0][2:], results[1][2:], name, dtypes=False, **TRAINED)


FITS = [
    ("sample weight", dict(weighted_metrics=["mse"]), lambda k: dict(sample_weight=weights_of())),
    (
        "weighted metric of the same name",
        dict(weighted_metrics=["accuracy"]),
        lambda k: dict(sample_weight=weights_of()),
    ),
    (
        "class weight",
        dict(weighted_metrics=["sparse_categorical_crossentropy"]),
        lambda k: dict(class_weight={0: 0.5, 1: 2.0, 2: 1.5}),
    ),
    ("validation split", {}, lambda k: dict(validation_split=0.3)),
    (
        "validation split with weights",
        {},
        lambda k: dict(validation_split=0.3, sample_weight=weights_of()),
    ),
    ("validation data", {}, lambda k: dict(validation_data=validation(), validation_batch_size=3)),
    ("validation with weights", {}, lambda k: dict(validation_data=(*validation(), weights_of(7)))),
    (
        "validation every other epoch",
        {},
        lambda k: dict(validation_data=validation(), validation_freq=2, epochs=4),
    ),
    (
        "validation after epochs",
        {},
        lambda k: dict(validation_data=validation(), validation_freq=[1, 3], epochs=3),
    ),
    (
        "validation steps",
        {},
        lambda k: dict(validation_data=validation(), validation_batch_size=2, validation_steps=2),
    ),
    ("initial epoch", {}, lambda k: dict(initial_epoch=2, epochs=4)),
    ("steps per epoch", {}, lambda k: dict(steps_per_epoch=2)),
    (
        "batch size from the steps",
        {},
        lambda k: dict(
            batch_size=None, steps_per_epoch=4, validation_data=validation(), validation_steps=3
        ),
    ),
    ("no steps is all steps", {}, lambda k: dict(batch_size=0, steps_per_epoch=0)),
    ("one batch", {}, lambda k: dict(batch_size=64)),
    (
        "learning rate scheduler",
        {},
        lambda k: dict(
            callbacks=[
                k.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5 if epoch else rate)
            ],
            epochs=3,
        ),
    ),
    (
        "reduce on plateau",
        {},
        lambda k: dict(
            callbacks=[
                k.callbacks.ReduceLROnPlateau(
                    monitor="loss", factor=0.1, patience=1, min_delta=10.0
                )
            ],
            epochs=4,
        ),
    ),
    (
        "early stopping",
        {},
        lambda k: dict(
            callbacks=[
                k.callbacks.EarlyStopping(
                    monitor="val_loss", patience=1, min_delta=10.0, restore_best_weights=True
                )
            ],
            validation_data=validation(),
            epochs=5,
        ),
    ),
    ("several steps", dict(steps_per_execution=3), lambda k: {}),
]

SETTINGS = [
    *OPTIMIZERS,
    *LOSSES,
    *OUTPUTS,
    *(
        Setting(name, builders.mlp, sparse(("Adam", dict(learning_rate=0.01)), **more), fit)
        for name, more, fit in FITS
    ),
    Setting("penalties and moving statistics", builders.regularized, sparse(("Adam", {}))),
    Setting("subclass", builders.subclass, sparse(("SGD", dict(learning_rate=0.1)))),
    Setting("frozen layer", lambda k: frozen(k), sparse(("Adam", {}))),
    Setting(
        "text",
        builders.sentences,
        lambda k: dict(
            optimizer="adam", loss=k.losses.SparseCategoricalCrossentropy(from_logits=True)
        ),
        labels="binary",
    ),
]


def frozen(k):
    model = builders.regularized(k)
    model.layers[0].trainable = False
    return model


def validation():
    x = inputs_of(builders.mlp, 7)
    return x, labels_of("classes", 7)


def compiled(setting):
    """The model by jkeras and by Keras, with the same weights, compiled."""
    made = []
    for library in LIBRARIES:
        clear()
        model = setting.builder(library)
        if not model.built:
            model(inputs_of(setting.builder, ROWS))
        model.compile(**setting.compile(library))
        made.append(model)
    start = fill(made[0].get_weights())
    for model in made:
        model.set_weights(start)
    return made


@pytest.mark.promise("whole trainings equal real Keras on JAX")
@pytest.mark.parametrize(
    "setting", every(6, [pytest.param(s, id=s.name.replace(" ", "-")) for s in SETTINGS])
)
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.filterwarnings("ignore:`batch_size=0`")
@pytest.mark.filterwarnings("ignore:.*which is broadcast")  # one loss for outputs of two shapes
def test_fit(setting):
    x, y = inputs_of(setting.builder, ROWS), labels_of(setting.labels)
    results = []
    for library, model in zip(LIBRARIES, compiled(setting)):
        arguments = dict(batch_size=8, epochs=2, shuffle=False, verbose=0) | setting.fit(library)
        history = model.fit(x, y, **arguments)
        weights = arguments.get("sample_weight")
        named = model.evaluate(
            x, y, batch_size=8, verbose=0, return_dict=True, sample_weight=weights
        )
        results.append(
            (
                history.epoch,
                history.history,
                model.evaluate(x, y, batch_size=8, verbose=0),
                named,
                model.predict(x, batch_size=8, verbose=0),
                model.get_weights(),
                int(model.optimizer.iterations),
                float(model.optimizer.learning_rate),
            )
        )
    mine, theirs = results
    assert mine[0] == theirs[0]
    assert list(mine[1]) == list(theirs[1]), "keys of the history"
    for name in theirs[1]:
        agree(mine[1][name], theirs[1][name], f"history of {name}", rtol=2e-4, atol=2e-5)
    agree(mine[2], theirs[2], "evaluate", **TRAINED)
    assert list(mine[3]) == list(theirs[3])
    agree(list(mine[3].values()), list(theirs[3].values()), "evaluate as dict", **TRAINED)
    agree(mine[4], theirs[4], "predict", **TRAINED)
    agree(mine[5], theirs[5], "weights", **TRAINED)
    assert mine[6] == theirs[6], "steps of the optimizer"
    assert mine[7] == pytest.approx(theirs[7])


SEQUENCE = Setting(
    "",
    builders.mlp,
    sparse(
        ("Adam", dict(learning_rate=0.01)), weighted_metrics=["sparse_categorical_crossentropy"]
    ),
)


def test_on_batch_methods():
    """Sequences of train_on_batch, test_on_batch and predict_on_batch, with weights, metrics reset
    or not.
    """
    x, y, w = inputs_of(builders.mlp, ROWS), labels_of("classes"), weights_of()
    results = []
    for _, model in zip(LIBRARIES, compiled(SEQUENCE)):
        seen = [
            model.train_on_batch(x[:8], y[:8]),
            model.train_on_batch(x[8:16], y[8:16], sample_weight=w[8:16]),
            model.train_on_batch(x[16:], y[16:], class_weight={0: 1.0, 1: 3.0, 2: 0.5}),
            model.test_on_batch(x[:8], y[:8]),
            model.test_on_batch(x[:4], y[:4], sample_weight=w[:4]),
        ]
        model.reset_metrics()
        named = model.train_on_batch(x[:8], y[:8], return_dict=True)
        tested = model.test_on_batch(x[8:], y[8:], return_dict=True)
        seen += [
            list(named.values()),
            list(tested.values()),
            model.predict_on_batch(x[:3]),
            model.get_weights(),
        ]
        results.append((list(named), list(tested), model.metrics_names, seen))
    assert results[0][:3] == results[1][:3]
    agree(results[0][3], results[1][3], "on batch", dtypes=False, **TRAINED)


@pytest.mark.promise("Programs run with only")
@pytest.mark.promise("Programs for Keras run with only the import changed")
@pytest.mark.promise("A program for Keras runs with only the import changed")
@pytest.mark.promise("On the left nothing is new")
@pytest.mark.promise("Most programs need nothing more")
def test_program_of_the_readme():
    """The program that everybody types, with only the import chosen."""
    rng = np.random.default_rng(0)
    x = rng.random((100, 100)).astype("float32")
    y = np.eye(10, dtype="float32")[rng.integers(0, 10, 100)]
    results, start = [], None
    for library in LIBRARIES:
        clear()
        Sequential, Dense = library.models.Sequential, library.layers.Dense
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras advises against `input_dim`
            model = Sequential()
            model.add(Dense(units=64, activation="relu", input_dim=100))
            model.add(Dense(units=10, activation="softmax"))
        start = model.get_weights() if start is None else start
        model.set_weights(start)
        model.compile(loss="categorical_crossentropy", optimizer="sgd", metrics=["accuracy"])
        history = model.fit(x, y, epochs=5, batch_size=32, shuffle=False, verbose=0).history
        results.append(
            (
                history["loss"],
                history["accuracy"],
                model.evaluate(x, y, batch_size=128, verbose=0),
                model.predict(x, batch_size=128, verbose=0),
            )
        )
    agree(results[0], results[1], "program", **TRAINED)


@pytest.mark.promise("With the same seed the same history")
def test_same_seed_same_weights():
    """After `set_random_seed`, both draw the same initial weights for a model."""
    weights = []
    for library in LIBRARIES:
        clear()
        weights.append(builders.convolution(library).get_weights())
    agree(weights[0], weights[1], "initial weights")


def test_generators():
    """A Python generator with `steps_per_epoch` and validation from another one."""
    x, y = inputs_of(builders.mlp, ROWS), labels_of("classes")

    def batches():
        while True:
            for i in range(0, 24, 8):
                yield x[i : i + 8], y[i : i + 8]

    results = []
    for _, model in zip(LIBRARIES, compiled(SEQUENCE)):
        history = model.fit(
            batches(),
            steps_per_epoch=3,
            epochs=2,
            validation_data=batches(),
            validation_steps=2,
            verbose=0,
        ).history
        results.append(
            (
                history,
                model.evaluate(batches(), steps=3, verbose=0),
                model.predict(batches(), steps=2, verbose=0),
            )
        )
    assert list(results[0][0]) == list(results[1][0])
    agree(results[0], results[1], "generator", dtypes=False, **TRAINED)


def watching(**arguments):
    return lambda k, path: k.callbacks.EarlyStopping(**arguments)


def stopping(hook):
    """A callback that asks for the end of the training at a moment."""

    def make(k, path):
        made = k.callbacks.Callback()
        setattr(made, hook, lambda *args, logs=None: setattr(made.model, "stop_training", True))
        return made

    return make


CALLBACKS = {  # name: (library, folder) -> callback
    "stop before": stopping("on_train_begin"),
    "stop in the first epoch": stopping("on_epoch_begin"),
    "stop after a batch": stopping("on_train_batch_end"),
    "unknown name": watching(monitor="nope"),
    "unknown name with a mode": watching(monitor="nope", mode="min"),
    "known name that is missing": watching(),
    "known metric that is missing": watching(monitor="val_accuracy"),
    "checkpoint of an unknown name": lambda k, path: k.callbacks.ModelCheckpoint(
        path / "m.keras", monitor="nope", save_best_only=True
    ),
    "checkpoints": lambda k, path: k.callbacks.ModelCheckpoint(
        path / "m.keras", monitor="loss", verbose=1, save_best_only=True
    ),
}


@pytest.mark.parametrize("name", every(3, CALLBACKS))
@pytest.mark.filterwarnings("ignore")
def test_callback(name, tmp_path, capsys):
    x, y, results = inputs_of(builders.mlp, ROWS), labels_of("classes"), []
    for library, model in zip(LIBRARIES, compiled(SEQUENCE)):
        callback = CALLBACKS[name](library, tmp_path)
        try:
            history = model.fit(
                x, y, batch_size=8, epochs=2, shuffle=False, verbose=0, callbacks=[callback]
            )
            results.append(
                (
                    history.epoch,
                    capsys.readouterr().out,
                    [history.history, int(model.optimizer.iterations)],
                )
            )
        except ValueError as error:
            results.append((type(error), "", []))
    assert results[0][:2] == results[1][:2]
    agree(results[0][2], results[1][2], name, dtypes=False, **TRAINED)


class Telling:
    """A callback's hooks, each of which notes what it is given; the logs may have any name."""

    def __init__(self, callback):
        self.told = []
        for hook in [
            name for name in dir(callback) if name.startswith("on_") and "predict" not in name
        ]:
            setattr(callback, hook, self.note(hook))

    def note(self, hook):
        if "batch" in hook:
            return lambda batch, logs: self.told.append((hook, batch, list(logs)))
        return lambda *args: self.told.append((hook, *args[:-1], list(args[-1])))


def test_logs_of_hooks():
    """What each hook is told: a dict, {} where there are no results yet."""
    seen, x, y = [], inputs_of(builders.mlp, ROWS), labels_of("classes")
    for library, model in zip(LIBRARIES, compiled(SEQUENCE)):
        callback = library.callbacks.Callback()
        telling = Telling(callback)
        model.fit(x, y, batch_size=16, verbose=0, callbacks=[callback], validation_data=(x, y))
        seen.append(telling.told)
    assert seen[0] == seen[1]


def test_compiled_again_without_metrics():
    """Keras keeps the loss and the metrics of the `compile` before where the new one names none."""
    results = []
    assert all(builders.mlp(library).loss is None for library in LIBRARIES), "before any `compile`"
    for _, model in zip(LIBRARIES, compiled(SEQUENCE)):
        model.compile(optimizer="sgd")
        results.append(
            model.evaluate(
                inputs_of(builders.mlp, ROWS), labels_of("classes"), verbose=0, return_dict=True
            )
        )
    assert list(results[0]) == list(results[1])
    agree(*results, "evaluate", dtypes=False, **TRAINED)


@pytest.mark.parametrize("frozen", ["layer", "model within"])
def test_a_frozen_spectral_normalization_still_normalizes(frozen):
    """Keras carries what the layer makes of its kernel while that is frozen, as in a GAN whose
    discriminator rests.
    """
    x = np.random.default_rng(0).normal(size=(12, 5)).astype("float32")
    y = np.random.default_rng(1).normal(size=(12, 1)).astype("float32")

    def trained(k):
        k.backend.clear_session()
        k.utils.set_random_seed(0)
        normalized = k.layers.SpectralNormalization(k.layers.Dense(4), power_iterations=2)
        within = k.Sequential([k.Input((4,)), normalized])
        model = k.Sequential([k.Input((5,)), k.layers.Dense(4), within, k.layers.Dense(1)])
        (normalized if frozen == "layer" else within).trainable = False
        model.compile("sgd", "mse")
        before = np.asarray(normalized.kernel.value)
        model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
        assert np.abs(np.asarray(normalized.kernel.value) - before).max() > 0.01
        model.train_on_batch(x, y)
        after_batch = model.predict(x, verbose=0)
        within.trainable = normalized.trainable = True
        model.compile("sgd", "mse")
        history = model.fit(x, y, batch_size=4, shuffle=False, verbose=0).history["loss"]
        return [np.asarray(v) for v in model.get_weights()], np.asarray(after_batch), history

    for one, other in zip(*map(trained, LIBRARIES)):
        for a, b in zip(one, other):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


@pytest.mark.promise("a frozen layer that sets a trainable weight in `call` keeps its new value")
def test_a_frozen_weight_that_its_layer_sets_is_told():
    """Keras carries the value on; here it is dropped, and not without a word."""
    k = jkeras

    class Decays(k.layers.Layer):
        def __init__(self, learnable):
            super().__init__()
            self.learnable = learnable

        def build(self, shape):
            self.factor = self.add_weight((shape[-1],), "ones", trainable=self.learnable)

        def call(self, x, training=None):
            if training:
                self.factor.assign(0.9 * self.factor)
            return self.factor * x

    def trained(learnable, frozen):
        layer = Decays(learnable)
        model = k.Sequential([k.Input((3,)), layer, k.layers.Dense(1)])
        layer.trainable = not frozen
        model.compile("sgd", "mse")
        model.fit(np.ones((8, 3)), np.ones((8, 1)), batch_size=4, verbose=0)
        return np.asarray(layer.factor.value)[0]

    with pytest.warns(UserWarning, match="is frozen, and its layer sets it in `call`"):
        assert trained(True, True) == 1.0
    np.testing.assert_allclose(trained(False, True), 0.81, rtol=1e-6)  # without a warning
    trained(True, False)
