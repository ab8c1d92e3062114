"""Any optax transformation as a Keras optimizer."""

import typing

from collections.abc import Iterable, Iterator, Sequence

import jax
import jax.numpy as jnp

from jkeras.core.record import Any
from jkeras.core.names.registry import is_in_process
from jkeras.core.weights.variable import Variable
from jkeras.optimizers.base import Optimizer
from jkeras.optimizers.building import arranged
from jkeras.optimizers.by_path import ByPath
from jkeras.optimizers.fields import optimizer
from jkeras.optimizers.optax_rate import scheduled_rate
from jkeras.optimizers.transform import from_optax, scheduled
from jkeras.optimizers.transform.leaves import Path, at, keys_of, paths
from jkeras.optimizers.transform.optax_link import SLOW
from jkeras.optimizers.transform.pair import State, Transform, Tree

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
class OptaxOptimizer(ByPath, Optimizer):
    """An optax transformation with the interface of this library; `compile(optimizer=…)` makes it
    by itself.

    The transformation sees the parameters as nested dicts by their paths in the model, so masks and
    the labels of `optax.multi_transform` go by names. In `fit` it gets `value=`, `grad=` and
    `value_fn=`, which line searches and `reduce_on_plateau` want. With `optax.lookahead` the slow
    parameters replace the fast ones when training ends.

    `learning_rate` can be read and set where the transformation was made with
    `optax.inject_hyperparams`, and read where it follows one schedule.

    Args:
        transformation: an `optax.GradientTransformation`, or an `optax.MultiSteps`.
        name: as for `Optimizer`.
    Raises:
        ValueError: other arguments.

    >>> import optax
    >>> tx, params = OptaxOptimizer(optax.sgd(0.5)), {"w": jnp.array([1.0])}
    >>> params, state = tx.step({"w": jnp.array([1.0])}, tx.init(params), params)
    >>> print(params["w"])
    [0.5]
    """

    transformation: Any
    keeps_values = True
    takes_loss = True  # `step` gets the loss, as a value and as a function

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            transformation: typing.Any,
            name: str | None = None,
        ) -> None: ...

    def _chain(self, link: Transform) -> Transform:
        return scheduled(from_optax(self._pair), self._learning_rate, self.name)

    @property
    def _pair(self) -> typing.Any:
        """The transformation as a pair of functions."""
        as_pair = getattr(self.transformation, "gradient_transformation", None)  # of MultiSteps
        if as_pair is None:
            return self.transformation
        return as_pair()

    def addresses(self, state: State, order: Sequence[Path]) -> Iterator[Path]:
        """Paths of all arrays; those of a tree like the parameters in the order of the parameters,
        as JAX's own depends on whether they are a list or a dict.
        """
        index_of, groups, entries = {path: i for i, path in enumerate(order)}, {}, []
        first = [("iterations",)]
        rest = [path for path in paths(state) if path != first[0]]
        for path in first + rest:
            cut = next((k for k in range(1, len(path)) if path[k:] in index_of), len(path))
            group = groups.setdefault(path[:cut], len(groups))
            entries.append((group, index_of.get(path[cut:], 0), path))
        yield from (path for *_, path in sorted(entries, key=lambda entry: entry[:2]))

    def finalize(self, state: State, params: Tree) -> Tree:
        """The parameters to keep after training: of a lookahead the slow ones."""
        return state.get(SLOW, params)

    def finalize_variable_values(self, var_list: Iterable[Variable]):
        """Gives variables the slow parameters of a lookahead."""
        for v in var_list:
            slow = self._at.get((SLOW, *self._order()[self._index.find(v)]))
            if slow is not None:
                v.assign(slow.value)

    # ------------------------------------------------------------ the learning rate

    def _rate_address(self, state: State) -> Path:
        """Where an injected learning rate stands in the state."""
        for address in self.addresses(state, ()):
            if address[-2:] == RATE:
                return address
        raise self._hidden_rate()

    def _hidden_rate(self) -> AttributeError:
        return AttributeError(
            f"{self.name}: its learning rate is hidden in the optax transformation. Make it with "
            "`optax.inject_hyperparams(optax.adam)(learning_rate=…)`."
        )

    def learning_rate_of(self, state: State) -> jax.Array:
        rate = scheduled_rate(self._pair, state["optax"])
        if rate is None:
            return at(state, self._rate_address(state))
        return rate

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
        if not self.built:
            raise AttributeError(
                f"{self.name}: its learning rate is part of its state, which is not there yet. "
                "Build it first: `optimizer.build(model.trainable_variables)`, or train."
            )
        raise self._hidden_rate()

    @property
    def learning_rate(self) -> Any:
        """The injected learning rate, a variable, or the value of the one schedule."""
        try:
            return self._rate_variable()
        except AttributeError:
            rate = self._scheduled_rate()
            if rate is None:
                raise
            return rate

    @learning_rate.setter
    def learning_rate(self, value: Any):
        self._rate_variable().assign(value)

    def _scheduled_rate(self) -> Any:
        if not self.built:
            return None
        values = [v.value for v in self.variables]
        variables = self._trainable_variables
        params = arranged(self, [v.value for v in variables])
        state = self.variables_to_state(values, params, self._order(), arranged(self, variables))
        return scheduled_rate(self._pair, state["optax"])

    def constants(self) -> tuple:
        return (self.transformation,)

    # ------------------------------------------------------------ configs

    def get_config(self) -> dict[str, Any]:
        """Its name. The transformation is code: it stays in this process and goes to no file."""
        if is_in_process():
            return {"name": self.name, "transformation": [*self._pair]}
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "OptaxOptimizer":
        """A copy in the same process; from a file there is none.

        Raises:
            NotImplementedError: for the config of a file.
        """
        if not is_in_process():
            raise NotImplementedError(
                "An optax transformation is code and is in no file. Give it again: "
                "`load_model(path, optimizer=optax.adamw(…))`, or `load_model(path, "
                "compile=False)`."
            )
        import optax

        pair = optax.GradientTransformationExtraArgs(*config["transformation"])
        return cls(pair, name=config["name"])
