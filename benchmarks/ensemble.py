"""`fit(ensemble=8)` against eight calls of `fit`: `python -m benchmarks.ensemble`.

Each training begins with a new model, so that its time has what is compiled in it; "compiled" is
that of more epochs of the same models, which compile nothing. Ratios are of processor seconds, the
least of runs that take turns.
"""

import time

import numpy as np

import jkeras
from jkeras import layers
from jkeras.datasets import digits

MEMBERS, EPOCHS, RUNS = 8, 10, 3


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


def together(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Processor seconds of the members in one training: (with what is compiled, without)."""
    model = build()
    first = seconds(lambda: model.fit(x, y, epochs=EPOCHS, ensemble=MEMBERS, seed=0, verbose=0))
    return first, seconds(lambda: model.fit(x, y, epochs=EPOCHS, seed=1, verbose=0))


def one_by_one(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The same of as many trainings."""
    models = [build() for _ in range(MEMBERS)]

    def fit_all() -> None:
        for seed, model in enumerate(models):
            model.fit(x, y, epochs=EPOCHS, seed=seed, verbose=0)

    return seconds(fit_all), seconds(fit_all)


def seconds(run) -> float:
    """Processor seconds of a function."""
    begin = time.process_time()
    run()
    return time.process_time() - begin


def main() -> None:
    """Prints both ratios."""
    (x, y), _ = digits.load_data()
    x, y = x.reshape(len(x), 64).astype("float32") / 16, y.astype("int32")
    runs = [(together(x, y), one_by_one(x, y)) for _ in range(RUNS)]
    for name, place in (("with compiling", 0), ("compiled", 1)):
        mine, others = (min(run[who][place] for run in runs) for who in (0, 1))
        print(f"{name:>14}: {mine:6.2f} s of {others:6.2f} s, {mine / others:.2f}")


if __name__ == "__main__":
    main()
