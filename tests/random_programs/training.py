"""Draws what a random program does with its model: data, compile, fit, evaluate, files."""

import dataclasses
from typing import Any

import numpy as np

from tests.random_programs.layers import layer, picked
from tests.random_programs.program import Call, Text, source_of
from tests.random_programs.tables import BOTH, Choice

SCHEDULES = "optimizers.schedules."
RATES = [
    *[0.01] * 3,
    0.001,
    Call(SCHEDULES + "ExponentialDecay", {"decay_steps": 3, "decay_rate": 0.5}, (0.01,)),
    Call(SCHEDULES + "CosineDecay", {"decay_steps": 5, "alpha": 0.1}, (0.01,)),
    Call(SCHEDULES + "PiecewiseConstantDecay", {"boundaries": [2], "values": [0.01, 0.1]}),
    Call(SCHEDULES + "PolynomialDecay", {"decay_steps": 4, "cycle": True}, (0.02,)),
]
EVERY = {
    "weight_decay": [0.01],
    "clipnorm": [0.5],
    "clipvalue": [0.1],
    "global_clipnorm": [0.3],
    "use_ema": [True],
    "ema_momentum": [0.9],
    "ema_overwrite_frequency": [2],
    "gradient_accumulation_steps": [2],
    "loss_scale_factor": [8.0],
}
ADAM = {"beta_1": [0.8], "beta_2": [0.99], "epsilon": [1e-3]}
OPTIMIZERS = [
    Choice("optimizers.SGD", {}, EVERY | {"momentum": [0.9], "nesterov": BOTH}),
    Choice("optimizers.Adam", {}, EVERY | ADAM | {"amsgrad": BOTH}),
    Choice("optimizers.AdamW", {}, EVERY | ADAM),
    Choice("optimizers.RMSprop", {}, EVERY | {"rho": [0.8], "momentum": [0.5], "centered": BOTH}),
    Choice("optimizers.Adagrad", {}, EVERY | {"initial_accumulator_value": [0.01]}),
    Choice("optimizers.Adadelta", {}, EVERY | {"rho": [0.8]}),
    Choice("optimizers.Adamax", {}, EVERY | ADAM),
    Choice("optimizers.Nadam", {}, EVERY | ADAM),
    Choice("optimizers.Ftrl", {}, EVERY | {"l1_regularization_strength": [0.01], "beta": [0.1]}),
    Choice("optimizers.Lion", {}, EVERY | {"beta_1": [0.8]}),
    Choice("optimizers.Lamb", {}, EVERY | ADAM),
    Choice("optimizers.Adafactor", {}, EVERY | {"relative_step": BOTH, "beta_2_decay": [-0.6]}),
    Choice("optimizers.Muon", {}, EVERY | {"nesterov": BOTH, "momentum": [0.8]}),
]
LOSS = {"reduction": ["sum", "sum_over_batch_size", "mean", "mean_with_sample_weight", "none"]}
LOSSES = {  # of what the targets are: losses, and metrics that take the same
    "numbers": (
        ["mse", "mae", "huber", "log_cosh", "cosine_similarity", "mean_absolute_percentage_error"],
        [
            Choice("losses.Huber", {}, LOSS | {"delta": [0.3]}),
            Choice("losses.MeanSquaredError", {}, LOSS),
            Choice("losses.LogCosh", {}, LOSS),
            Choice("losses.CosineSimilarity", {}, LOSS | {"axis": [-1]}),
        ],
        ["mae", "mse", "RootMeanSquaredError", "CosineSimilarity", "R2Score", "LogCoshError"],
    ),
    "shares": (
        ["binary_crossentropy", "msle", "poisson", "mse", "kl_divergence"],
        [
            Choice(
                "losses.BinaryCrossentropy",
                {},
                LOSS | {"from_logits": BOTH, "label_smoothing": [0.1]},
            ),
            Choice("losses.Poisson", {}, LOSS),
            Choice("losses.Dice", {}, LOSS),
            Choice("losses.MeanSquaredLogarithmicError", {}, LOSS),
        ],
        ["mae", "KLDivergence", "Poisson", "MeanSquaredLogarithmicError"],
    ),
    "binary": (
        ["binary_crossentropy", "hinge", "squared_hinge", "binary_focal_crossentropy"],
        [
            Choice("losses.BinaryCrossentropy", {}, LOSS | {"from_logits": BOTH}),
            Choice(
                "losses.BinaryFocalCrossentropy",
                {},
                LOSS | {"apply_class_balancing": BOTH, "gamma": [1.0], "from_logits": BOTH},
            ),
            Choice("losses.Hinge", {}, LOSS),
            Choice("losses.Tversky", {}, LOSS | {"alpha": [0.3]}),
        ],
        ["accuracy", "AUC", "Precision", "Recall", "BinaryAccuracy", "TruePositives", "acc"],
    ),
    "classes": (
        ["sparse_categorical_crossentropy"],
        [
            Choice(
                "losses.SparseCategoricalCrossentropy",
                {},
                LOSS | {"from_logits": BOTH, "ignore_class": [0]},
            )
        ],
        ["accuracy", "SparseTopKCategoricalAccuracy", "sparse_categorical_accuracy"],
    ),
    "one_hot": (
        ["categorical_crossentropy", "categorical_hinge", "categorical_focal_crossentropy"],
        [
            Choice(
                "losses.CategoricalCrossentropy",
                {},
                LOSS | {"from_logits": BOTH, "label_smoothing": [0.2]},
            ),
            Choice("losses.CategoricalFocalCrossentropy", {}, LOSS | {"alpha": [0.5]}),
            Choice("losses.KLDivergence", {}, LOSS),
        ],
        ["accuracy", "AUC", "TopKCategoricalAccuracy", "F1Score", "CategoricalAccuracy", "mae"],
    ),
}
NEEDS_ARGUMENTS = {"TopKCategoricalAccuracy": {"k": 2}, "SparseTopKCategoricalAccuracy": {"k": 2}}
CALLBACKS = [
    Call("callbacks.EarlyStopping", {"monitor": "loss", "patience": 0, "min_delta": 0.05}),
    Call(
        "callbacks.EarlyStopping",
        {"monitor": "loss", "patience": 1, "restore_best_weights": True, "mode": "max"},
    ),
    Call(
        "callbacks.ReduceLROnPlateau",
        {"monitor": "loss", "factor": 0.3, "patience": 0, "min_delta": 0.1},
    ),
    Call("callbacks.LearningRateScheduler", {}, (Text("lambda epoch, rate: rate * 0.7"),)),
    Call("callbacks.TerminateOnNaN"),
    Call("callbacks.SwapEMAWeights", {"swap_on_epoch": True}),
]


@dataclasses.dataclass
class Target:
    """What one output is trained towards."""

    kind: str
    lines: str  # the expression of the array
    loss: Any
    metrics: list


def drawn(drawing, outputs: list[str], form: str) -> tuple[list[str], list[list[Any]]]:
    """(lines of the data, steps)"""
    rng = drawing.rng
    rows = int(picked(rng, [5, 8, 13, 16]))
    data = [f"rng = np.random.default_rng({int(rng.integers(1000))})"]
    for name in drawing.inputs:
        data.append(f"{name} = {array_of(drawing, name, rows)}")
    targets = [target(rng, drawing, name, rows) for name in outputs]
    data += [f"y{i} = {each.lines}" for i, each in enumerate(targets)]
    data.append(f"w = rng.random({rows}).astype('float32')")
    x, y = together(list(drawing.inputs)), together([f"y{i}" for i in range(len(targets))])
    data += [f"x = {x}", f"y = {y}"]
    # scores of attention have gradients that rounding decides, which other rules than SGD enlarge
    attends = any("Attention" in source_of(node.layer) for node in drawing.nodes)
    optimizers = OPTIMIZERS[:1] if attends else OPTIMIZERS
    steps = [[compiled(rng, targets, optimizers)], [fitted(rng, rows, targets)]]
    steps += later(rng, form, targets)
    return data, steps


def together(names: list[str]) -> str:
    """One name, or a list of several."""
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


def array_of(drawing, name: str, rows: int) -> str:
    """The array of an input, as an expression."""
    shape = (rows, *drawing.shape(name))
    if drawing.is_int(name):
        return f"rng.integers(0, 10, {shape}).astype('int32')"
    scale = picked(drawing.rng, ["", "", "", "0.01 * ", "30 * "])
    if scale == "" and drawing.rng.random() < 0.3:
        return f"rng.random({shape}).astype('float32')"
    return f"({scale}rng.normal(size={shape})).astype('float32')"


def target(rng: np.random.Generator, drawing, name: str, rows: int) -> Target:
    """Targets for an output, and what they are compared by."""
    shape = drawing.shape(name)
    classes, full = shape[-1], (rows, *shape)
    kinds = ["numbers"]
    if gives_shares(drawing, name):  # other losses divide by what may be 0 where it gives none
        kinds = ["shares", "binary"] + ["classes", "one_hot"] * (classes > 1)
    kind = picked(rng, kinds)
    lines = {
        "numbers": f"rng.normal(size={full}).astype('float32')",
        "shares": f"rng.random({full}).astype('float32')",
        "binary": f"rng.integers(0, 2, {full}).astype('float32')",
        "classes": f"rng.integers(0, {classes}, {full[:-1]})",
        "one_hot": f"np.eye({classes}, dtype='float32')[rng.integers(0, {classes}, {full[:-1]})]",
    }[kind]
    names, choices, metrics = LOSSES[kind]
    if classes == 1:  # the cosine of one number is its sign
        names, choices, metrics = (list(filter(is_smooth, each)) for each in LOSSES[kind])
    loss = picked(rng, names) if rng.random() < 0.5 else layer(rng, picked(rng, choices))
    if isinstance(loss, Call) and loss.given.get("reduction") == "none" and rng.random() < 0.8:
        del loss.given["reduction"]
    chosen = list(dict.fromkeys(picked(rng, metrics) for _ in range(rng.integers(0, 3))))
    return Target(kind, lines, loss, [metric(rng, name) for name in chosen])


def is_smooth(choice: Any) -> bool:
    """Whether a loss or metric is one of single numbers."""
    return "osine" not in str(choice)


def gives_shares(drawing, name: str) -> bool:
    """Whether what a node gives lies between 0 and 1."""
    node = next((node for node in drawing.nodes if node.name == name), None)
    layer = node.layer if node is not None and isinstance(node.layer, Call) else Call("")
    return layer.given.get("activation") in ("sigmoid", "softmax")


def metric(rng: np.random.Generator, name: str) -> Any:
    """A metric by name, or as an object."""
    if not name[0].isupper():
        return name
    return Call(f"metrics.{name}", dict(NEEDS_ARGUMENTS.get(name, {})))


def compiled(rng: np.random.Generator, targets: list[Target], optimizers: list[Choice]) -> Call:
    """The call of `compile`."""
    optimizer = layer(rng, picked(rng, optimizers))
    for name in list(optimizer.given):  # few of what all of them take, so that most are valid
        if name in EVERY and rng.random() < 0.6:
            del optimizer.given[name]
    optimizer.given = {"learning_rate": picked(rng, RATES)} | optimizer.given
    losses = [each.loss for each in targets]
    given = {"optimizer": optimizer, "loss": losses[0] if len(losses) == 1 else losses}
    where = "weighted_metrics" if rng.random() < 0.2 else "metrics"
    metrics = [each.metrics for each in targets]
    given[where] = metrics[0] if len(metrics) == 1 else metrics
    if len(targets) > 1 and rng.random() < 0.3:
        given["loss_weights"] = [0.5] + [2.0] * (len(targets) - 1)
    if rng.random() < 0.2:
        given["steps_per_execution"] = picked(rng, [2, 3])
    if rng.random() < 0.05:
        given["run_eagerly"] = True
    return Call("model.compile", given)


def fitted(rng: np.random.Generator, rows: int, targets: list[Target]) -> Text:
    """The call of `fit`."""
    given: dict[str, Any] = {"epochs": picked(rng, [2, 3]), "verbose": 0}
    given["batch_size"] = picked(rng, [3, 4, rows, 32])
    if rng.random() < 0.3:
        given["shuffle"] = False
    if rng.random() < 0.25:
        given["validation_split"] = 0.3
    elif rng.random() < 0.2:
        given["validation_data"] = Text("(x, y)")
        given["validation_freq"] = picked(rng, [1, 2])
    if len(targets) == 1 and rng.random() < 0.2:
        given["sample_weight"] = Text("w")
    elif len(targets) == 1 and targets[0].kind in ("classes", "binary") and rng.random() < 0.3:
        given["class_weight"] = {0: 0.5, 1: 2.0}
    if rng.random() < 0.35:
        given["callbacks"] = [picked(rng, CALLBACKS)]
    if rng.random() < 0.1:
        given["initial_epoch"] = 1
    first = (Text("x"), Text("y"))
    if rng.random() < 0.1:
        given["steps_per_epoch"] = 2
    return Text(f"found = {Call('model.fit', given, first).source()}.history")


def later(rng: np.random.Generator, form: str, targets: list[Target]) -> list[list[Any]]:
    """What follows `fit`."""
    weights = Text("found = [model.get_weights(), model.optimizer.get_config()]")
    if form == "subclass":
        weights = Text("found = model.get_weights()")
    steps = [
        [weights],
        [Text("found = model.evaluate(x, y, batch_size=4, verbose=0, return_dict=True)")],
        [Text("found = model.predict(x, batch_size=3, verbose=0)")],
        [Text("found = model(x, training=True)")],
        [Text("found = model.train_on_batch(x, y, return_dict=True)")],
        [Text("found = model.test_on_batch(x, y)")],
    ]
    if form == "functional":
        steps += [
            [Text("found = model.get_config()")],
            [
                Text("model.save(folder + '/model.keras')"),
                Text("model = keras.saving.load_model(folder + '/model.keras')"),
                Text("found = model.fit(x, y, batch_size=4, epochs=2, verbose=0).history"),
            ],
            [
                Text("model.save(folder + '/model.h5')"),
                Text("other = keras.saving.load_model(folder + '/model.h5', compile=False)"),
                Text("found = other.predict(x, verbose=0)"),
            ],
            [Text("other = keras.models.clone_model(model)"), Text("found = other.get_weights()")],
        ]
    steps.append(
        [
            Text("model.layers[-1].trainable = False"),
            Text("model.compile('adam', model.loss)"),
            Text("found = model.fit(x, y, batch_size=5, verbose=0).history"),
        ]
    )
    kept = steps[:3] + [step for step in steps[3:] if rng.random() < 0.4]
    return kept + [[Text("found = model.get_weights()")]]
