"""Double descent: more features than examples need not harm, about as many do.

Least squares on random features (Belkin et al. 2019): a frozen `Dense` of random weights, and on it
the linear map of least squared error, of several the one of least norm. The examples are digits, a
fifth of whose labels are wrong ones (Nakkiran et al. 2020). The test error falls, peaks where there
are as many features as examples, since there a single map fits the noise, and falls again.

A narrower network is the first features of the widest one. Inner products of features are sums
over them, so all widths and seeds are one program.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.records.record import Record, Row, over

EXAMPLES, NOISE, SEEDS, CLASSES = 200, 0.1, 10, 10
RATIOS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)
RATIOS += (1.05, 1.1, 1.2, 1.3, 1.5, 1.7, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
WIDTHS = np.array([round(EXAMPLES * ratio) for ratio in RATIOS])
SMALLEST = 1e-13  # eigenvalue that counts, relative to the largest


def examples(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training rows of a seed, (examples, 64), and their one-hot labels, some of them wrong."""
    from jkeras.datasets import digits

    (x, y), _ = digits.load_data()
    random = np.random.default_rng(seed)
    rows = random.permutation(len(x))[:EXAMPLES]
    wrong = random.random(EXAMPLES) < NOISE
    other = (y[rows] + random.integers(1, CLASSES, EXAMPLES)) % CLASSES
    labels = np.where(wrong, other, y[rows])
    return x[rows].reshape(-1, 64) / np.float32(16), np.eye(CLASSES)[labels]


def products(one: Any, other: Any) -> Any:
    """(widths, rows of one, rows of the other): inner products of the first features."""
    parts = zip(*(jnp.split(each, WIDTHS[:-1], axis=-1) for each in (one, other)))
    return jnp.cumsum(jnp.stack([a @ b.T for a, b in parts]), 0)


def errors(features: Any, labels: Any, features_test: Any, y_test: Any) -> tuple:
    """(error of the training rows, of the test rows, norm of the map), each for all widths."""
    gram, across = products(features, features), products(features_test, features)
    values, vectors = jnp.linalg.eigh(gram)
    inverse = jnp.where(values > SMALLEST * values[:, -1:], 1 / values, 0.0)
    weights = vectors @ (inverse[..., None] * (vectors.mT @ labels))  # of the examples
    fitted = gram @ weights
    norm = jnp.sqrt((weights * fitted).sum((-2, -1)))
    wrong = lambda outputs, y: (jnp.argmax(outputs, -1) != y).mean(-1)
    return wrong(fitted, labels.argmax(-1)), wrong(across @ weights, y_test), norm


def of_jkeras(x: Any, x_test: Any) -> tuple:
    """Features of the training rows of each seed and of all test rows, by one program."""
    from jkeras import layers

    dense = layers.Dense(int(WIDTHS[-1]), "relu", kernel_initializer="he_normal")

    def of_seed(key, x):
        params, state = dense.init(key, x)
        return dense.apply(params, state, x)[0], dense.apply(params, state, x_test)[0]

    return jax.jit(jax.vmap(of_seed))(jax.random.split(jax.random.key(0), SEEDS), x)


def of_keras(x: Any, x_test: Any) -> tuple:
    """The same of Keras, which makes a layer for each seed."""
    import keras

    keras.utils.set_random_seed(0)
    found = []
    for rows in x:
        dense = keras.layers.Dense(int(WIDTHS[-1]), "relu", kernel_initializer="he_normal")
        found.append([np.asarray(dense(rows)), np.asarray(dense(x_test))])
    return tuple(np.stack(arrays) for arrays in zip(*found))


def curves(features_of) -> tuple[np.ndarray, ...]:
    """What `errors` gives, each (seeds, widths)."""
    from jkeras.datasets import digits

    _, (x_test, y_test) = digits.load_data()
    x, labels = (np.stack(arrays) for arrays in zip(*map(examples, range(SEEDS))))
    features, features_test = features_of(x, x_test.reshape(-1, 64) / np.float32(16))
    with jax.enable_x64(True):
        arrays = [jnp.asarray(each, "float64") for each in (features, labels, features_test)]
        found = jax.jit(jax.vmap(lambda *rows: errors(*rows, y_test)))(*arrays)
    return tuple(np.asarray(each) for each in found)


def measure() -> tuple[list[Row], dict]:
    (train, test, norm), of_others = curves(of_jkeras), curves(of_keras)[1].mean(0)
    mean = test.mean(0)
    peak, fewer, more = mean.argmax(), WIDTHS < 0.8 * EXAMPLES, WIDTHS > 1.3 * EXAMPLES
    best = test[:, fewer].min(1)
    rows = [
        Row("features for each example at the peak", RATIOS[peak], "1", least=0.8, most=1.3),
        Row(
            "the same, of the norm of the map",
            RATIOS[norm.mean(0).argmax()],
            "1",
            least=0.8,
            most=1.3,
        ),
        over("test error at the peak", test[:, peak], keras=of_others[peak]),
        over("best test error of fewer features", best, keras=of_others[fewer].min()),
        over("test error of 16 features for each example", test[:, -1], keras=of_others[-1]),
        over("it is below the peak by", test[:, peak] - test[:, -1], least=0.2),
        over(
            "it is below the best of fewer features by",
            best - test[:, -1],
            published="more than 0",
            least=0.0,
        ),
        Row(
            "training error of more features than 1.3 times the examples",
            train[:, more].max(),
            "0",
            most=0.0,
        ),
    ]
    return rows, {"ratios": RATIOS, "train": train.mean(0).tolist(), "test": mean.tolist()}


def draw(figure: Any, data: dict) -> None:
    """The errors over the number of features."""
    axes = figure.subplots()
    axes.axvline(1, color="0.8")
    axes.plot(data["ratios"], data["test"], "o-", markersize=3, label="test digits")
    axes.plot(data["ratios"], data["train"], label="training digits")
    axes.set(xscale="log", xlabel="features for each example", ylabel="error")
    axes.legend(frameon=False)


RECORD = Record(
    group="papers",
    title="Double descent: the error peaks at as many features as examples",
    about="Least squares on random features of 200 digits, 28 widths of ten seeds in one program.",
    packages=(),
    licence="digits: CC BY 4.0",
    source="Belkin et al., PNAS 2019; Nakkiran et al., ICLR 2020",
    measure=measure,
    needs=("keras",),
    draw=draw,
)
