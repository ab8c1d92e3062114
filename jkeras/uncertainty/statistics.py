"""Statistics of batch normalization for other params than those that they were gathered with."""

from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.layer import Layer
from jkeras.core.weights.paths import walk
from jkeras.explain.running import program_of, rows_of
from jkeras.kernel import tree
from jkeras.layers import BatchNormalization

MOVING = ("moving_mean", "moving_variance")


def batch_statistics(
    model: Layer,
    params: dict,
    state: dict,
    x: Any,
    *,
    batch_size: int = 128,
    rng: jax.Array | int = 0,
) -> dict:
    """The state of a model whose batch normalizations have the mean statistics of some rows under
    given params, each batch counting by its rows, as averages of weights want it (Izmailov et al.
    2018, arXiv:1803.05407).

    Args:
        x: rows, such as those that it was trained on.
        batch_size: rows of a batch; the last one may be shorter.
        rng: for layers that are random in training.

    Returns:
        The state; the given one where the model has no batch normalization in training.

    >>> import numpy as np
    >>> layer = BatchNormalization()
    >>> params, state = layer.init(0, jnp.ones((2, 1)))
    >>> batch_statistics(layer, params, state, np.array([[1.0], [3.0]]))["moving_mean"].tolist()
    [2.0]
    """
    momenta = _momenta(model)
    if not momenta:
        return state
    zeros = tree.merge(state, tree.unflatten((p, 0 * tree.get(state, p)) for p in momenta))
    rng = jax.random.key(rng) if isinstance(rng, int) else rng

    def run(params: dict, state: dict, x: Any, key: jax.Array) -> dict:
        # from zero each statistic moves by a known share of the batch's
        _, after = model.apply(params, state, x, training=True, rng=key)
        return {path: tree.get(after, path) / (1 - momenta[path]) for path in momenta}

    program = program_of(model, ("batch_statistics", tuple(momenta.items())), lambda: jax.jit(run))
    rows = rows_of(x)
    totals = {path: 0.0 for path in momenta}
    for begin in range(0, rows, batch_size):
        batch = jax.tree_util.tree_map(lambda v, b=begin: jnp.asarray(v[b : b + batch_size]), x)
        new = program(params, zeros, batch, jax.random.fold_in(rng, begin))
        share = rows_of(batch) / rows
        totals = {path: total + share * new[path] for path, total in totals.items()}
    return tree.merge(state, tree.unflatten(totals.items()))


def _momenta(model: Any) -> dict[tuple[str, ...], float]:
    """{path of a statistic: share of the old value that a step keeps}"""
    return {
        (*path, name): layer.momentum
        for path, layer in walk(model)
        if isinstance(layer, BatchNormalization) and layer.trainable and not layer.renorm
        for name in MOVING
    }


__all__ = ["batch_statistics"]
