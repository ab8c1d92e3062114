"""Permutation importance: how much worse a model is without a column of the data."""

import typing
from typing import Any
from collections.abc import Callable

import jax
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.names.family import families
from jkeras.core.weights.rng import as_key
from jkeras.explain.running import as_array, rows_of


class Importance(typing.NamedTuple):
    """How much a loss grows where a feature is shuffled.

    Attributes:
        mean, std: (features,): mean and standard deviation of `values` over the repeats.
        values: (features, repeats).

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
) -> Any:
    """How much the loss of a model grows where a column of its inputs is permuted (Breiman 2001;
    Fisher et al. 2019, arXiv:1801.01489). Columns that say the same hide each other's importance.

    Args:
        model: a compiled model; with `loss`, any that has `predict`.
        x: (rows, features) or more axes, of which the second is that of the features; (rows,) is
            one feature. Or a dict, list or tuple of such arrays.
        y: targets.
        loss: name or function of a loss, by default that which the model was compiled with.
        repeats: how many permutations of each column.
        rng: a key or an integer, by default another one each time.
        permutations: integers (features, repeats, rows) in place of random ones, in the structure
            of `x`.
        batch_size: how many rows the model sees at once.

    Returns:
        An `Importance`; of several inputs one of each, in their structure.

    Raises:
        ValueError: a model that was not compiled, without `loss`; inputs of other rows.

    >>> import numpy as np, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1, use_bias=False)])
    >>> model.params = {'dense': {'kernel': [[1.0], [0.0]]}}
    >>> x = np.array([[1.0, 5.0], [2.0, 6.0], [3.0, 7.0]])
    >>> found = permutation_importance(model, x, x[:, :1], loss="mse", rng=0)
    >>> bool(found.mean[0] > 0), float(found.mean[1])
    (True, 0.0)
    """
    leaves, treedef = jax.tree_util.tree_flatten(as_array(x))
    leaves = [np.asarray(leaf) for leaf in leaves]
    rows = rows_of(leaves)
    if permutations is None:
        permutations = _permutations([_features(leaf) for leaf in leaves], repeats, rows, rng)
    else:
        permutations = jax.tree_util.tree_leaves(permutations)
    measure = _measure(model, y, loss, batch_size)
    before = measure(treedef.unflatten(leaves))

    def importance(number: int, orders_of_features: np.ndarray) -> Importance:
        def grows(feature: int, order: np.ndarray) -> float:
            changed = list(leaves)
            changed[number] = _permuted(leaves[number], feature, order)
            return measure(treedef.unflatten(changed)) - before

        values = [
            [grows(feature, order) for order in orders]
            for feature, orders in enumerate(np.asarray(orders_of_features))
        ]
        return Importance(np.mean(values, 1), np.std(values, 1), np.array(values))

    return treedef.unflatten([importance(i, orders) for i, orders in enumerate(permutations)])


def _features(x: Any) -> int:
    """How many features an input has."""
    return x.shape[1] if x.ndim > 1 else 1


def _permutations(features: Any, repeats: int, rows: int, rng: Any) -> list[np.ndarray]:
    """Random (features, repeats, rows) of each input."""
    keys = jax.random.split(as_key(rng), sum(features) * repeats)
    permute = jax.vmap(lambda key: jax.random.permutation(key, rows))
    orders = np.asarray(permute(keys)).reshape(sum(features), repeats, rows)
    return np.split(orders, np.cumsum(features)[:-1])


def _permuted(x: Any, feature: int, order: np.ndarray) -> Any:
    if x.ndim == 1:
        return x[order]
    changed = x.copy()
    changed[:, feature] = x[order, feature]
    return changed


def _measure(model: Any, y: Any, loss: Any, batch_size: int) -> Callable[..., Any]:
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
