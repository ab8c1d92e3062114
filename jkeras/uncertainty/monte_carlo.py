"""Monte Carlo dropout: a model's predictions with its dropout on, many times."""

import functools
import typing
from typing import Any
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.layer import Layer
from jkeras.core.weights.rng import as_key
from jkeras.explain.running import by_batches, is_traced, program_of, rows_of, values_of
from jkeras.kernel.apply import apply

if typing.TYPE_CHECKING:
    from jkeras.training.types import Tree


class Samples(typing.NamedTuple):
    """What a model said each time, in the structure of its outputs.

    Attributes:
        mean, std: over the samples: (rows, …).
        samples: (samples, rows, …).

    >>> Samples(np.zeros(1), np.ones(1), np.array([[-1.0], [1.0]])).std.tolist()
    [1.0]
    """

    mean: Any
    std: Any
    samples: Any


def mc_dropout(
    model: Layer,
    x: Any,
    samples: int = 30,
    *,
    rng: jax.Array | int | None = None,
    batch_size: int = 32,
    params: dict | None = None,
    state: dict | None = None,
) -> Samples:
    """Predictions with dropout on, each with units of its own left out, as samples of what models
    that fit the data might say (Gal and Ghahramani 2016, arXiv:1506.02142).

    On is the noise of the model: layers of dropout and of Gaussian noise, dropout in attention and
    in recurrent cells, stochastic depth. Batch normalization uses its moving statistics, and
    augmentation is off. A layer of yours is told `training=True`; a part that the model itself
    calls with `training=False`, such as a pretrained base, stays without noise. Nothing is written
    on the model.

    Args:
        x: inputs, rows along the first axis, in the model's structure.
        samples: how many.
        rng: a key or an integer, by default another one each time.
        batch_size: how many rows the model sees at once, those of several samples together.
        params, state: values of the model, by default its own.

    Returns:
        Arrays of numpy; of JAX with `params` and where `x` is traced.

    Raises:
        ValueError: fewer samples than one; a model that says the same each time.

    >>> import jkeras
    >>> model = jkeras.Sequential(
    ...     [jkeras.Input((4,)), jkeras.layers.Dropout(0.5), jkeras.layers.Dense(1)]
    ... )
    >>> found = mc_dropout(model, np.ones((2, 4), "float32"), samples=10, rng=0)
    >>> found.samples.shape, found.mean.shape, bool((found.std > 0).all())
    ((10, 2, 1), (2, 1), True)
    """
    if samples < 1:
        raise ValueError(explain("mc_dropout", "1 sample or more", f"samples={samples}"))
    is_pure = params is not None or is_traced(x)
    params, state = values_of(model, x, params, state)
    rows = min(batch_size, max(rows_of(x), 1))
    at_once = max(batch_size // rows, 1)
    key = as_key(rng)
    run = program_of(model, ("mc_dropout", samples, at_once), lambda: _program(model, at_once))

    def of_batch(x: Any, begin: Any) -> Any:
        keys = jax.random.split(jax.random.fold_in(key, begin), samples)
        return run(params, state, x, keys)

    sampled = by_batches(of_batch, x, rows, is_pure)
    sampled = jax.tree_util.tree_map(lambda v: v.swapaxes(0, 1), sampled)
    _check_differ(sampled, samples)
    mean, std = (
        jax.tree_util.tree_map(functools.partial(of, axis=0), sampled)
        for of in ((jnp.mean, jnp.std) if is_pure else (np.mean, np.std))
    )
    return Samples(mean, std, sampled)


def _program(model: Any, at_once: int) -> Callable[..., Any]:
    """`(params, state, x, keys) -> (rows, samples, …)`, compiled."""

    @jax.jit
    def run(params: "Tree", state: "Tree", x: Any, keys: jax.Array) -> Any:
        def one(key: jax.Array) -> Any:
            options = dict(rng=key, training=True, noise_alone=True)
            return apply(model, params, state, (x,), {}, **options)[0]

        sampled = jax.lax.map(one, keys, batch_size=at_once)
        return jax.tree_util.tree_map(lambda v: v.swapaxes(0, 1), sampled)

    return run


def _check_differ(sampled: Any, samples: int) -> None:
    leaves = jax.tree_util.tree_leaves(sampled)
    if samples == 1 or is_traced(sampled) or not all(leaf.size for leaf in leaves):
        return
    if all((leaf == leaf[:1]).all() for leaf in leaves):
        wanted, received = "a model with dropout", "one that says the same each time"
        raise ValueError(explain("mc_dropout", wanted, received, "add `layers.Dropout`"))


__all__ = ["Samples", "mc_dropout"]
