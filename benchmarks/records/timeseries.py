"""Classes of time series: gestures, electricity, motions, vowels.

The archives' own parts of training and test (Dau et al. 2019, Bagnall et al. 2018), by the fully
convolutional network of Wang et al. 2017: 128, 256 and 128 filters of length 8, 5 and 3, each with
batch normalization, and a mean over time. The published means are of 5 trainings of 2,000 epochs;
here a rate that falls to 0 makes do with 40 to 100. (ArrowHead, with 36 rows, does need them: after
60 both jkeras and Keras are at 0.62 to 0.64 in place of 0.84.)
"""

import numpy as np

from benchmarks import folds
from benchmarks.records.record import Record, Row, files_of, over

PACKAGE = "aeon==1.6.0"
SEEDS = 2
# name: epochs, what was published, and the least that counts as that
SETS = {
    "ItalyPowerDemand": (100, "0.963 ± 0.001", 0.955),
    "JapaneseVowels": (40, "0.993 ± 0.002", 0.985),
    "BasicMotions": (40, "1.0 (InceptionTime)", 0.98),
    "GunPoint": (60, "1.0 ± 0.0", 0.99),
}


def series(name: str, part: str) -> tuple[list[list[np.ndarray]], np.ndarray]:
    """The channels of each row of a .ts file, and the rows' labels."""
    path = files_of(PACKAGE) / "aeon" / "datasets" / "data" / name / f"{name}_{part}.ts"
    lines = path.read_text().lower().split("@data\n")[1].splitlines()
    rows = [line.split(":") for line in lines if line.strip()]
    channels = [[np.array(each.split(","), "float32") for each in row[:-1]] for row in rows]
    return channels, np.array([row[-1].strip() for row in rows])


def of_length(rows: list[list[np.ndarray]], length: int) -> np.ndarray:
    """(rows, length, channels): shorter series are stretched."""
    places = np.linspace(0, 1, length)
    stretched = lambda v: np.interp(places, np.linspace(0, 1, len(v)), v)  # noqa: E731
    return np.array([[stretched(v) for v in row] for row in rows], "float32").swapaxes(1, 2)


def data(name: str) -> tuple[np.ndarray, ...]:
    """(x, labels, x of the test, its labels)"""
    (x, y), (x_test, y_test) = series(name, "TRAIN"), series(name, "TEST")
    length = max(len(channel) for row in x for channel in row)
    classes, y = np.unique(y, return_inverse=True)
    return of_length(x, length), y, of_length(x_test, length), np.searchsorted(classes, y_test)


def network(shape: tuple[int, int], classes: int, steps: int):
    """That of Wang et al."""
    import jkeras
    from jkeras import layers

    stack = [jkeras.Input(shape)]
    for filters, length in ((128, 8), (256, 5), (128, 3)):
        stack += [layers.Conv1D(filters, length, padding="same")]
        stack += [layers.BatchNormalization(momentum=0.9), layers.ReLU()]
    stack += [layers.GlobalAveragePooling1D(), layers.Dense(classes)]
    model = jkeras.Sequential(stack)
    rate = jkeras.optimizers.schedules.CosineDecay(1e-3, steps)
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(jkeras.optimizers.Adam(rate), loss)
    return model


def accuracies(name: str, epochs: int) -> np.ndarray:
    """(seeds,)"""
    x, y, x_test, y_test = data(name)
    batch = min(len(x) // 10, 16)
    model = network(x.shape[1:], int(y.max()) + 1, epochs * (len(x) // batch))
    keys = folds.keys_of(SEEDS)
    states = folds.trained(model, x, y, epochs, batch, keys, together=False)
    logits = folds.predicted(model, states, x_test, shared=True)
    return (logits.argmax(-1) == y_test).mean(1)


def measure() -> list[Row]:
    return [
        over(f"accuracy, {name}", accuracies(name, epochs), published, least=least)
        for name, (epochs, published, least) in SETS.items()
    ]


RECORD = Record(
    group="data",
    title="Time series: the archives' classes",
    about="A fully convolutional network on four sets of the UCR and UEA archives, their own parts "
    "of training and test, two seeds each.",
    packages=(PACKAGE,),
    licence="of the series: the archives', for research; of aeon: BSD-3",
    source="Wang, Yan and Oates, IJCNN 2017; Ismail Fawaz et al., Data Mining and Knowledge "
    "Discovery 2019 (FCN, 5 trainings each) and Ruiz et al., the same 2021 (InceptionTime)",
    measure=measure,
    minutes=4,
)
