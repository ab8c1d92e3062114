"""The `TrainState` that a training begins with."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jkeras.core.weights.structure import constant_initializer
from jkeras.core.weights.variable import Variable
from jkeras.kernel import spec, tree
from jkeras.kernel.keys import key_of_path
from jkeras.training.step.building import build_for_training
from jkeras.training.step.layout import StateLayout
from jkeras.training.step.state import TrainState, as_raw_key
from jkeras.training.types import NamedVariables, Tree

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


def init_train_state(
    model: "Trainer", key: jax.Array | int | None = None, batch: tuple[Any, ...] | None = None
) -> TrainState:
    """A `TrainState` for a compiled model.

    Args:
        model: compiled, and built (called once, or given an input shape) unless `batch` is given.
        key: fresh weights and a fresh random stream from this key; None: the values that the model
            holds.
        batch: `(x, y)` or `(x, y, sample_weight)` to learn shapes from, as arrays or
            `jax.ShapeDtypeStruct`; needed where labels have another shape than the outputs suggest.

    Returns:
        A pytree; `jax.vmap` over keys makes a stack of them.

    >>> import jkeras, jax
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> int(init_train_state(model, jax.random.key(0)).step)
    0
    """
    build_for_training(model, batch)
    layout = StateLayout(model)
    if key is None:
        return layout.gather()
    key = as_raw_key(key)
    params = fresh_arrays(layout.params, key)
    opt_state = () if model.optimizer is None else layout.initial_opt_state(params)
    return TrainState(
        jnp.zeros((), "int32"),
        params,
        fresh_arrays(layout.frozen, key),
        fresh_arrays(layout.state, key),
        opt_state,
        layout.initial_metrics(),
        key_of_path(key, "train"),
    )


def fresh_arrays(named: NamedVariables, key: jax.Array) -> Tree:
    """What the initializers of variables make of a key, in one compiled call."""
    if not named:
        return {}
    paths, variables = zip(*named)
    initializers = [v.initializer or constant_initializer(v) for v in variables]
    shapes = [v.shape for v in variables]
    dtypes = [v.dtype for v in variables]
    return tree.unflatten(zip(paths, spec.create(initializers, shapes, dtypes, paths, key)))


def fresh_array(path: tree.Path, variable: Variable, key: jax.Array) -> jax.Array:
    """The same of one variable, by what was compiled when its layer was built."""
    initializer = variable.initializer or constant_initializer(variable)
    key = key_of_path(key, "/".join(path))
    return spec.sample(initializer, key, variable.shape, variable.dtype)
