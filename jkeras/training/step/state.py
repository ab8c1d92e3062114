"""`TrainState`: everything a training changes, as one value."""

import typing

import jax

from jkeras.core.weights.rng import key_from_seed
from jkeras.core.session.settings import coming_seed, default_seed
from jkeras.training.types import Tree

Arrays = typing.TypeVar("Arrays")  # a pytree of arrays


class TrainState(typing.NamedTuple):
    """A training at one moment: a pytree.

    Attributes:
        step: number of steps taken, an int32 scalar.
        params: nested dict of the trainable arrays; only these have gradients and optimizer state.
        frozen: nested dict of the arrays of layers whose `trainable` is False.
        state: nested dict of what the forward pass updates.
        opt_state: the optimizer's state.
        metrics: nested dict of the metrics' totals.
        rng: the key (two uint32) from which each step's keys follow.

    >>> import jkeras, jax
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> state = jkeras.training.init_train_state(model, jax.random.key(0))
    >>> state.params["dense"]["kernel"].shape
    (3, 1)
    """

    step: jax.Array
    params: Tree
    frozen: Tree
    state: Tree
    opt_state: typing.Any
    metrics: Tree
    rng: jax.Array

    def replace(self, **changes: typing.Any) -> "TrainState":
        """The same state with other values of some of its parts."""
        return self._replace(**changes)


def copied(state: Arrays) -> Arrays:
    """A state in arrays of its own; unlike `jnp.copy` this compiles nothing."""
    return jax.device_put(state, may_alias=False)


def as_raw_key(key: jax.Array | int) -> jax.Array:
    """A key as two uint32, from an integer or any kind of JAX key."""
    if isinstance(key, int):
        return key_from_seed(key)
    if jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key):
        return jax.random.key_data(key)
    return key


def new_key() -> jax.Array:
    """A raw key for a training that was given none, from the session's seed."""
    return key_from_seed(default_seed())


def train_key(model: typing.Any) -> jax.Array:
    """The key of a model's training, which it gets when it is first asked for, without drawing
    from what Keras draws from.
    """
    if model._train_key is None:
        model.set_untracked(_train_key=key_from_seed(coming_seed()))
    return model._train_key
