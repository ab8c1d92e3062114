"""`fit(ensemble=8)` beside eight calls of `fit`.

Each training begins with a new model, so that its time has what is compiled in it; "compiled" is
that of more epochs of the same models, which compile nothing.
"""

import jkeras
from benchmarks.others import Experiment
from jkeras import layers
from jkeras.datasets import digits

MEMBERS, EPOCHS = 8, 10


def build() -> jkeras.Model:
    """A classifier of digits."""
    model = jkeras.Sequential(
        [
            jkeras.Input((64,)),
            layers.Dense(64, "relu"),
            layers.Dropout(0.1),
            layers.Dense(64, "relu"),
            layers.Dense(10, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def together(data: tuple, epochs: int, model: jkeras.Model | None = None) -> None:
    """Trains the members at once: new ones, or those that a model has."""
    if model is None:
        build().fit(*data, epochs=epochs, ensemble=MEMBERS, seed=0, verbose=0)
    else:
        model.fit(*data, epochs=epochs, seed=1, verbose=0)


def one_by_one(data: tuple, epochs: int, models: list | None = None) -> None:
    """The same as so many trainings."""
    for seed, model in enumerate(models or [build() for _ in range(MEMBERS)]):
        model.fit(*data, epochs=epochs, seed=seed, verbose=0)


def experiments(quick: bool):
    (x, y), _ = digits.load_data()
    data = x.reshape(len(x), 64).astype("float32") / 16, y.astype("int32")
    epochs = 1 if quick else EPOCHS
    forms = {
        "eight fits": lambda: one_by_one(data, epochs),
        "jkeras": lambda: together(data, epochs),
    }
    yield Experiment("ensemble", f"`fit(ensemble=8)`, {epochs} epochs of digits", forms)
    models, model = [build() for _ in range(MEMBERS)], build()
    model.fit(*data, epochs=1, ensemble=MEMBERS, seed=0, verbose=0)
    forms = {
        "eight fits": lambda: one_by_one(data, epochs, models),
        "jkeras": lambda: together(data, epochs, model),
    }
    yield Experiment("ensemble compiled", "the same, compiled", forms)
