"""Permutation importance: how much worse a model is without a column of the data."""

import typing
from typing import Any

import jax
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.family import families
from jkeras.core.rng import as_key


class Importance(typing.NamedTuple):
    """How much a loss grows: `values` (features, repeats), their mean and standard deviation.

    >>> Importance(np.array([0.5]), np.array([0.1]), np.array([[0.4, 0.6]])).mean.tolist()
    [0.5]
    """

    mean: np.ndarray
    std: np.ndarray
    values: np.ndarray


def permutation_importance(
    model: Any,
    x: Any,
    y: Any,
    *,
    loss: Any = None,
    repeats: int = 5,
    rng: jax.Array | int | None = None,
    permutations: Any = None,
    batch_size: int = 32,
) -> Importance:
    """How much the loss of a model grows where a column of its inputs is permuted (Breiman 2001;
    Fisher et al. 2019, arXiv:1801.01489). Columns that say the same hide each other's importance.

    Args:
        model: a compiled model; with `loss`, any that has `predict`.
        x: (rows, features) or more axes, of which the second is that of the features.
        y: targets.
        loss: name or function of a loss, by default that which the model was compiled with.
        repeats: how many permutations of each column.
        rng: a key or an integer, by default another one each time.
        permutations: integers (features, repeats, rows) in place of random ones.
        batch_size: how many rows the model sees at once.

    Raises:
        ValueError: a model that was not compiled, without `loss`.

    >>> import numpy as np, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1, use_bias=False)])
    >>> model.params = {'dense': {'kernel': [[1.0], [0.0]]}}
    >>> x = np.array([[1.0, 5.0], [2.0, 6.0], [3.0, 7.0]])
    >>> found = permutation_importance(model, x, x[:, :1], loss="mse", rng=0)
    >>> bool(found.mean[0] > 0), float(found.mean[1])
    (True, 0.0)
    """
    x = np.asarray(x)
    rows, features = x.shape[:2]
    if permutations is None:
        keys = jax.random.split(as_key(rng), features * repeats)
        permute = jax.vmap(lambda key: jax.random.permutation(key, rows))
        permutations = np.asarray(permute(keys)).reshape(features, repeats, rows)
    measure = _measure(model, y, loss, batch_size)
    before = measure(x)
    values = np.array(
        [
            [measure(_permuted(x, i, order)) - before for order in orders]
            for i, orders in enumerate(np.asarray(permutations))
        ]
    )
    return Importance(values.mean(1), values.std(1), values)


def _permuted(x, feature, order):
    changed = x.copy()
    changed[:, feature] = x[order, feature]
    return changed


def _measure(model, y, loss, batch_size):
    """The function that gives the loss on other inputs."""
    if loss is not None:
        function = families["losses"].get(loss)
        return lambda x: float(
            np.mean(function(y, model.predict(x, batch_size=batch_size, verbose=0)))
        )
    if not getattr(model, "compiled", False):
        advice = "give `loss=`, such as 'mse'"
        raise ValueError(explain("permutation_importance", "a compiled model", repr(model), advice))
    return lambda x: float(
        model.evaluate(x, y, batch_size=batch_size, verbose=0, return_dict=True)["loss"]
    )


__all__ = ["Importance", "permutation_importance"]
