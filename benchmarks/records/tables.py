"""Small tables: wines, tumours and cars, by a small network beside scikit-learn.

Ten folds. Columns are made numbers by a FeatureSpace that has seen the training rows alone. Of each
fold five networks of one hidden layer are trained, all fifty as one program, and their mean is the
answer, as a forest's is of trees. Beside them is the best of scikit-learn's linear model, support
vector machine, random forest and gradient boosting, with their defaults.
"""

import gzip

import jax
import numpy as np

from benchmarks import folds
from benchmarks.records.record import Record, Row, files_of, over

PACKAGE = "mlxtend==0.25.0"
FOLDS, MEMBERS, UNITS, EPOCHS, BATCH = 10, 5, 64, 200, 16
CARS = ("cylinders", "displacement", "horsepower", "weight", "acceleration", "year", "origin")

Columns = dict[str, np.ndarray]


def cars() -> tuple[Columns, np.ndarray]:
    """Of 392, and their miles for a gallon."""
    path = files_of(PACKAGE) / "mlxtend" / "data" / "data" / "autompg.csv.gz"
    with gzip.open(path, "rt") as file:
        table = np.loadtxt(file, delimiter=",", usecols=(*range(7), 8), dtype="float32")
    columns = dict(zip(CARS, table.T))
    return columns | {"origin": columns["origin"].astype("int32")}, table[:, 7]


def of_sklearn(load) -> tuple[Columns, np.ndarray]:
    """Columns and classes of one of scikit-learn's tables."""
    bunch = load()
    columns = enumerate(bunch.data.T.astype("float32"))
    return {f"column_{number}": values for number, values in columns}, bunch.target


def space_of(columns: Columns):
    """A FeatureSpace: whole numbers are categories, all others have mean 0 and variance 1."""
    import jkeras

    kind = lambda v: "integer_categorical" if v.dtype == "int32" else "float_normalized"  # noqa: E731
    features = {name: kind(values) for name, values in columns.items()}
    return jkeras.utils.FeatureSpace(features, output_mode="concat")


def encoded(columns: Columns, train: np.ndarray) -> np.ndarray:
    """(rows, numbers), by what the training rows say."""
    space = space_of(columns)
    space.adapt({name: values[train] for name, values in columns.items()})
    return np.asarray(space(columns))


def network(columns: int, outputs: int, steps: int, regression: bool):
    import jkeras
    from jkeras import layers

    model = jkeras.Sequential(
        [
            jkeras.Input((columns,)),
            layers.Dense(UNITS, "relu"),
            layers.Dropout(0.1),
            layers.Dense(outputs),
        ]
    )
    rate = jkeras.optimizers.schedules.CosineDecay(1e-2, steps)
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = jkeras.optimizers.AdamW(rate, weight_decay=0.01)
    model.compile(optimizer, "mse" if regression else loss)
    return model


def answers(x: np.ndarray, y: np.ndarray, parts, regression: bool) -> np.ndarray:
    """(folds, rows, numbers) of the tests' rows: means over the members.

    Args:
        x: (folds, rows, numbers) of all rows, as each fold has them.
    """
    train, test = parts
    rows = np.arange(FOLDS)[:, None]
    center, scale = (y.mean(), y.std()) if regression else (0, 1)
    outputs = 1 if regression else int(y.max()) + 1
    steps = EPOCHS * (train.shape[1] // BATCH)
    model = network(x.shape[2], outputs, steps, regression)
    again = lambda v: np.repeat(v, MEMBERS, axis=0)  # noqa: E731
    targets = again((y[train] - center) / scale) if regression else again(y[train])
    keys = folds.keys_of(FOLDS * MEMBERS)
    states = folds.trained(model, again(x[rows, train]), targets, EPOCHS, BATCH, keys)
    found = folds.predicted(model, states, again(x[rows, test]))
    found = found * scale + center if regression else np.asarray(jax.nn.softmax(found))
    return found.reshape(FOLDS, MEMBERS, *found.shape[1:]).mean(1)


def peers(regression: bool) -> dict:
    """scikit-learn's, by name."""
    from sklearn import ensemble, linear_model, svm

    if regression:
        made = [linear_model.Ridge(), svm.SVR()]
        made += [ensemble.RandomForestRegressor(random_state=0)]
        made += [ensemble.GradientBoostingRegressor(random_state=0)]
    else:
        made = [linear_model.LogisticRegression(max_iter=1000), svm.SVC()]
        made += [ensemble.RandomForestClassifier(random_state=0)]
        made += [ensemble.GradientBoostingClassifier(random_state=0)]
    return {type(one).__name__: one for one in made}


def score(said: np.ndarray, y: np.ndarray, regression: bool) -> np.ndarray:
    """(folds,): root mean squared errors, or accuracies."""
    return np.sqrt(((said - y) ** 2).mean(1)) if regression else (said == y).mean(1)


def row(name: str, table: tuple[Columns, np.ndarray], regression: bool) -> Row:
    """Ours may be worse than the best of four others by a standard error of the folds."""
    columns, y = table
    parts = train, test = folds.folds(len(y), FOLDS)
    x = np.stack([encoded(columns, rows) for rows in train])
    found = answers(x, y, parts, regression)
    ours = score(found[..., 0] if regression else found.argmax(-1), y[test], regression)
    others = {}
    for other, model in peers(regression).items():
        pairs = zip(x, train, test)
        said = [model.fit(of[rows], y[rows]).predict(of[new]) for of, rows, new in pairs]
        others[other] = score(np.stack(said), y[test], regression).mean()
    best = (min if regression else max)(others, key=others.get)
    beside = f"scikit-learn {others[best]:.3f} ({best})"
    error = ours.std(ddof=1) / np.sqrt(FOLDS)
    if regression:
        return over(f"RMSE, {name}", ours, keras=beside, most=float(others[best] + error))
    return over(f"accuracy, {name}", ours, keras=beside, least=float(others[best] - error))


def measure() -> list[Row]:
    from sklearn.datasets import load_breast_cancer, load_wine

    return [
        row("178 wines of 3 growers", of_sklearn(load_wine), regression=False),
        row("569 tumours of the breast", of_sklearn(load_breast_cancer), regression=False),
        row("392 cars, miles for a gallon", cars(), regression=True),
    ]


RECORD = Record(
    group="data",
    title="Small tables, beside scikit-learn",
    about="Wines, tumours and cars in ten folds: five networks of 64 units on a FeatureSpace's "
    "columns, beside the best of scikit-learn's linear model, SVM, forest and boosting.",
    packages=("scikit-learn", PACKAGE),
    licence="of the tables: CC BY 4.0 (UCI); of scikit-learn and mlxtend: BSD-3",
    source="UCI: Aeberhard and Forina 1991; Wolberg et al. 1995; Quinlan 1993",
    measure=measure,
    needs=("sklearn",),
)
