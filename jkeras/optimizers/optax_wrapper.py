"""Any optax transformation as a Keras optimizer."""

import typing

from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp

from jkeras.core.record import Any
from jkeras.core.variable import Variable
from jkeras.optimizers.base import Optimizer
from jkeras.optimizers.fields import optimizer
from jkeras.optimizers.transform import from_optax, scheduled
from jkeras.optimizers.transform.leaves import Path, at, keys_of, paths
from jkeras.optimizers.transform.pair import State, Transform

RATE = ("hyperparams", "learning_rate")  # how the path of an injected rate ends


def no_rate(self: Optimizer, **unknown: Any):
    """The rate is the transformation's own affair."""
    self._learning_rate = lambda: jnp.nan
    if unknown:
        raise ValueError(
            f"OptaxOptimizer: Argument(s) not recognized: {unknown}. Build them into the "
            "transformation."
        )


@optimizer(only="transformation, name", base_init=no_rate)
class OptaxOptimizer(Optimizer):
    """An optax transformation with the interface of this library; `compile(optimizer=…)` makes it
    by itself.

    `learning_rate` can be read and set where the transformation was made with
    `optax.inject_hyperparams`.

    Args:
        transformation: an `optax.GradientTransformation`.

    >>> import optax
    >>> tx, params = OptaxOptimizer(optax.sgd(0.5)), {"w": jnp.array([1.0])}
    >>> params, state = tx.step({"w": jnp.array([1.0])}, tx.init(params), params)
    >>> print(params["w"])
    [0.5]
    """

    transformation: Any
    keeps_values = True

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            transformation: typing.Any,
            name: str | None = None,
        ) -> None: ...

    def _chain(self, link: Transform) -> Transform:
        return scheduled(from_optax(self.transformation), self._learning_rate, self.name)

    def addresses(self, state: State, order: Sequence[Path]) -> Iterator[Path]:
        """Paths of all arrays; those of a tree like the parameters in the order of the parameters,
        as JAX's own depends on whether they are a list or a dict.
        """
        places, groups, entries = {path: i for i, path in enumerate(order)}, {}, []
        for path in paths({"iterations": 0, "optax": state["optax"]}):
            cut = next((k for k in range(1, len(path)) if path[k:] in places), len(path))
            group = groups.setdefault(path[:cut], len(groups))
            entries.append((group, places.get(path[cut:], 0), path))
        yield from (path for *_, path in sorted(entries, key=lambda entry: entry[:2]))

    def _rate_address(self, state: State) -> Path:
        """Where an injected learning rate stands in the state."""
        for address in self.addresses(state, ()):
            if address[-2:] == RATE:
                return address
        raise AttributeError(
            f"{self.name}: its learning rate is hidden in the optax transformation. Make it with "
            "`optax.inject_hyperparams(optax.adam)(learning_rate=…)`."
        )

    def learning_rate_of(self, state: State) -> jax.Array:
        return at(state, self._rate_address(state))

    def with_learning_rate(self, state: State, learning_rate: Any) -> State:
        address = self._rate_address(state)

        def replaced(path: tuple, x: jax.Array) -> jax.Array:
            if keys_of(path) == address:
                return jnp.asarray(learning_rate, x.dtype)
            return x

        return jax.tree_util.tree_map_with_path(replaced, state)

    def _rate_variable(self) -> Variable:
        for address, variable in self._at.items():
            if address[-2:] == RATE:
                return variable
        raise AttributeError(
            f"{self.name}: no learning rate to see. It shows once the optimizer is built, if it "
            "was made with `optax.inject_hyperparams(optax.adam)(learning_rate=…)`."
        )

    @property
    def learning_rate(self) -> Variable:
        """The injected learning rate, a variable."""
        return self._rate_variable()

    @learning_rate.setter
    def learning_rate(self, value: Any):
        self._rate_variable().assign(value)

    def constants(self) -> tuple:
        return (self.transformation,)

    def get_config(self) -> dict:
        raise NotImplementedError(
            "An optax transformation is code and cannot be saved. Give it again when loading: "
            "`load_model(path, compile=False)`, then `compile(optimizer=…)`."
        )
