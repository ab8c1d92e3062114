"""How likely the prices of Boston's houses are by three ways to be unsure, by the protocol of the
papers: 20 random splits in 9 parts and 1, a network of one hidden layer of 50 units.

    python -m benchmarks.boston [--only dropout ensemble laplace]

The rows are those of mlxtend (`pip install mlxtend`, of which only the file is read). `dropout`:
Gal and Ghahramani 2016, whose dropout rate and noise are chosen by a fifth of the training rows,
1,000 epochs. `ensemble`: Lakshminarayanan et al. 2017, five networks that say a mean and a
variance, 40 epochs, without adversarial rows; the learning rate is chosen in the same way.
`laplace`: one network, the whole matrix; weight decay, prior and noise by the marginal likelihood.
The splits are those of the papers, which follow from a seed (Hernández-Lobato and Adams 2015). All
splits are trained as one program.
"""

import functools
import importlib.util
import math
import pathlib

import jax
import numpy as np

import jkeras
from benchmarks import kept
from benchmarks.folds import keys_of, trained
from jkeras import layers, uncertainty

SPLITS, UNITS, SAMPLES = 20, 50, 1000
RATES = (0.005, 0.01, 0.05, 0.1)  # of dropout
PRECISIONS = np.geomspace(0.03, 1.0, 16)  # of the labels, for dropout
LEARNING_RATES = (0.003, 0.01, 0.03, 0.1)
DECAYS = (1e-4, 1e-3, 1e-2, 1e-1)
PAPERS = {
    "dropout": 2.46,
    "ensemble": 2.41,
    "laplace": 2.41,
    "laplace_both": 2.41,
}  # what they say of the NLL


def rows():
    """(x (506, 13), y (506,))"""
    spec = importlib.util.find_spec("mlxtend")
    path = pathlib.Path(spec.submodule_search_locations[0]) / "data" / "data" / "boston_housing.csv"
    table = np.loadtxt(path, delimiter=",")
    return table[:, :-1], table[:, -1]


def splits(within=None):
    """[x, y, x of the others, y of the others], each with an axis of splits in front.

    Args:
        within: others whose training rows are split, of what `splits` gives.
    """
    found, random = [], np.random.RandomState(1)
    for number in range(SPLITS):
        if within is None:
            x, y = rows()
            order, cut = random.choice(len(y), len(y), replace=False), round(0.9 * len(y))
        else:
            x, y = within[0][number], within[1][number]
            order, cut = np.arange(len(y)), int(0.8 * len(y))
        found.append([x[order[:cut]], y[order[:cut]], x[order[cut:]], y[order[cut:]]])
    return [np.stack(arrays).astype("float32") for arrays in zip(*found)]


def standardized(data):
    """(data in units of the training rows, (center, scale) of the labels (splits, 1))."""
    x, y, x_new, y_new = data
    center, scale = x.mean(1, keepdims=True), x.std(1, keepdims=True) + 1e-6
    of_y = y.mean(1, keepdims=True), y.std(1, keepdims=True)
    scaled = [(x - center) / scale, (y - of_y[0]) / of_y[1], (x_new - center) / scale]
    return scaled, y_new, of_y


def network(outputs, optimizer, loss, rate=None, decay=0.0):
    """One hidden layer; with a rate there is dropout before each layer."""
    drop = lambda: [layers.Dropout(rate)] if rate else []  # noqa: E731
    regularizer = jkeras.regularizers.L2(decay) if decay else None
    dense = functools.partial(layers.Dense, kernel_regularizer=regularizer)
    stack = [jkeras.Input((13,)), *drop(), dense(UNITS, "relu"), *drop(), dense(outputs)]
    model = jkeras.Sequential(stack)
    model.compile(optimizer, loss)
    return model


def summary(name, squares, likelihoods):
    """Means over splits, with standard errors.

    Args:
        squares, likelihoods: (splits,): mean squared errors, mean negative log-likelihoods.
    """
    errors = np.sqrt(np.asarray(squares, "float64"))
    found = {"paper": PAPERS[name]}
    for what, values in (("rmse", errors), ("nll", np.asarray(likelihoods, "float64"))):
        found[what] = float(values.mean())
        found[f"{what}_error"] = float(values.std(ddof=1) / math.sqrt(len(values)))
    return found


# ---------------------------------------------------------------- dropout


def dropped(model, params, x, of_y):
    """Samples (samples, splits, rows) in the unit of the labels."""

    def of_split(params, key, x):
        one = lambda key: model.apply(params, model.state, x, training=True, rng=key)[0][:, 0]  # noqa: E731
        return jax.vmap(one)(jax.random.split(key, SAMPLES))

    found = jax.jit(jax.vmap(of_split, out_axes=1))(params, keys_of(SPLITS, 9), x)
    return np.asarray(found) * of_y[1] + of_y[0]


def by_samples(samples, y, precision):
    """The negative log-likelihood of labels (splits,), which are normal around each sample."""
    logs = -0.5 * precision * (y - samples) ** 2 + 0.5 * np.log(precision / (2 * np.pi))
    return -(jax.scipy.special.logsumexp(logs, axis=0) - math.log(len(samples))).mean(-1)


def dropout(epochs=1000, batch=32):
    """One rate and one precision for each split, by its validation."""
    data = splits()
    inner = splits(data)
    models = [network(1, jkeras.optimizers.Adam(1e-3), "mse", rate, 1e-6) for rate in RATES]

    def samples_of(model, data):
        (x, y, x_new), _, of_y = standardized(data)
        params = trained(model, x, y, epochs, batch, keys_of(SPLITS)).params
        return dropped(model, params, x_new, of_y)

    table = np.stack(
        [
            [by_samples(samples, inner[3], precision) for precision in PRECISIONS]
            for samples in (samples_of(model, inner) for model in models)
        ]
    )  # (rates, precisions, splits)
    best = table.reshape(-1, SPLITS).argmin(0)
    rate, precision = np.unravel_index(best, table.shape[:2])
    likelihoods, squares = np.zeros(SPLITS), np.zeros(SPLITS)
    for number, model in enumerate(models):
        chosen = rate == number
        if not chosen.any():
            continue
        samples = samples_of(model, data)
        found = by_samples(samples, data[3], PRECISIONS[precision][:, None])
        likelihoods[chosen] = np.asarray(found)[chosen]
        squares[chosen] = ((samples.mean(0) - data[3]) ** 2).mean(-1)[chosen]
    return summary("dropout", squares, likelihoods)


# ---------------------------------------------------------------- ensembles


def together(data, rate, members=5):
    """(squared errors, negative log-likelihoods), (splits,) each, of ensembles of each split."""
    loss = uncertainty.losses.GaussianNegativeLogLikelihood()
    model = network(2, jkeras.optimizers.Adam(rate), loss)
    (x, y, x_new), y_new, of_y = standardized(data)
    again = lambda v: np.concatenate([v] * members)  # noqa: E731
    params = trained(model, again(x), again(y), 40, 91, keys_of(SPLITS * members)).params
    outputs = jax.vmap(lambda p, x: model.apply(p, model.state, x)[0])(params, again(x_new))
    mean, variance = uncertainty.as_gaussian(outputs.reshape(members, SPLITS, -1, 2))
    found = uncertainty.mixture(mean[..., 0] * of_y[1] + of_y[0], variance[..., 0] * of_y[1] ** 2)
    return by_normal(found.mean, found.variance, y_new)


def by_normal(mean, variance, y):
    """(squared errors, negative log-likelihoods), (splits,) each."""
    squares = (mean - y) ** 2
    logs = 0.5 * (squares / variance + np.log(2 * np.pi * variance))
    return np.asarray(squares.mean(-1)), np.asarray(logs.mean(-1))


def ensemble():
    """One learning rate for each split, by its validation."""
    data = splits()
    inner = splits(data)
    table = np.stack([together(inner, rate)[1] for rate in LEARNING_RATES])
    chosen = table.argmin(0)
    found = np.stack([together(data, rate) for rate in LEARNING_RATES])  # (rates, 2, splits)
    return summary("ensemble", *found[chosen, :, np.arange(SPLITS)].T)


# ---------------------------------------------------------------- Laplace


def approximated(data, decay):
    """(evidences, squared errors, negative log-likelihoods), (splits,) each."""
    model = network(1, jkeras.optimizers.Adam(1e-2), "mse", decay=decay)
    (x, y, x_new), y_new, of_y = standardized(data)
    params = trained(model, x, y, 400, 91, keys_of(SPLITS)).params
    function = lambda params, x: model.apply(params, model.state, x)[0]  # noqa: E731

    def of_split(arguments):
        params, x, y, x_new = arguments
        likelihood = uncertainty.Likelihood("gaussian")
        found = uncertainty.posterior(function, params, x, y[:, None], likelihood=likelihood)
        found = found.tuned(True, True)
        mean, covariance = uncertainty.outputs_and_covariance(function, found, x_new)
        variance = covariance[:, 0, 0] + found.residuals.noise**2
        return found.log_marginal_likelihood, mean[:, 0], variance

    evidence, mean, variance = jax.jit(lambda all_of: jax.lax.map(of_split, all_of))(
        (params, x, y, x_new)
    )
    return evidence, *by_normal(mean * of_y[1] + of_y[0], variance * of_y[1] ** 2, y_new)


def laplace():
    """One weight decay for each split, by its marginal likelihood."""
    data = splits()
    found = np.stack([np.stack(approximated(data, decay)) for decay in DECAYS])
    chosen = found[:, 0].argmax(0)
    return summary("laplace", *found[chosen, 1:, np.arange(SPLITS)].T)


PARTS = {
    "dropout": (dropout, ("mlxtend",)),
    "ensemble": (ensemble, ("mlxtend",)),
    "laplace": (laplace, ("mlxtend",)),
}


if __name__ == "__main__":
    kept.command("boston", __doc__, PARTS)
