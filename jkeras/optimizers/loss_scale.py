"""Dynamic loss scaling, for float16."""

import typing

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.core.record import FamilyKind
from jkeras.core.weights.variable import Variable
from jkeras.optimizers.base import Optimizer
from jkeras.optimizers.by_path import ByPath, build_by_path
from jkeras.optimizers.fields import COMMON, optimizer
from jkeras.optimizers.transform.leaves import Path, describe, over
from jkeras.optimizers.transform.pair import State, Transform, Tree, chain, stepping


def refuse_common(self: Optimizer, dynamic: bool = True, **common: Any):
    """Takes common arguments only where they have their default value, as older files hold them."""
    self._learning_rate = 0.0
    if not dynamic:
        raise ValueError(
            f"{type(self).__name__} does not support `dynamic=False`. Set `loss_scale_factor` on "
            "the inner optimizer instead."
        )
    for name, value in common.items():
        if name not in COMMON or value != getattr(Optimizer, name):
            raise ValueError(
                f"{type(self).__name__} does not support `{name}`. Set it on the inner optimizer."
            )


def dynamic_scale(inner: Transform, initial_scale: float, growth_steps: int) -> Transform:
    """Divides gradients by the state's scale, which halves where one is not finite.

    Such a call moves nothing. After `growth_steps` good calls the scale doubles. The state has
    "step_counter" and "dynamic_scale" among its "scalars", and that of `inner` as "inner".
    """

    def init(params: Tree, variables: Tree = None) -> State:
        return {"scalars": first_scale(initial_scale), "inner": inner.init(params, variables)}

    def step(grads: Tree, state: State, params: Tree, variables: Tree = None, **extra: Any):
        counter, scale = state["scalars"]["step_counter"], state["scalars"]["dynamic_scale"]
        extra_args = {**extra, "variables": variables}

        def unscale(_: Any, g: jax.Array | None, leaf: Any) -> jax.Array | None:
            if g is None or leaf.overwritten:
                return g
            return g / scale

        def good():
            unscaled = over(unscale, params, grads, describe(params, variables))
            new, after = inner.step(unscaled, state["inner"], params, **extra_args)
            grow = counter == growth_steps - 1
            return new, after, jnp.where(grow, 0, counter + 1), jnp.where(grow, scale * 2.0, scale)

        def bad():
            return params, state["inner"], jnp.zeros_like(counter), scale * 0.5

        finite = jnp.stack([jnp.all(jnp.isfinite(g)) for g in jax.tree.leaves(grads)])
        new, after, counter, scale = jax.lax.cond(jnp.all(finite), good, bad)
        scalars = {"step_counter": counter, "dynamic_scale": scale}
        return new, {**state, "inner": after, "scalars": scalars}

    return stepping(init, step)


def first_scale(initial_scale: float) -> dict[str, jax.Array]:
    """The scalars before the first step."""
    counter, scale = jnp.zeros((), "int32"), jnp.asarray(initial_scale, "float32")
    return {"step_counter": counter, "dynamic_scale": scale}


@optimizer(
    "keras.mixed_precision.LossScaleOptimizer",
    only="inner_optimizer, initial_scale, dynamic_growth_steps, name",
    base_init=refuse_common,
)
class LossScaleOptimizer(ByPath, Optimizer):
    """Scales the loss so that float16 gradients do not vanish, and adjusts the scale.

    A step whose gradients are not all finite is skipped and halves the scale; after
    `dynamic_growth_steps` good steps the scale doubles.

    Args:
        inner_optimizer: the optimizer that takes the unscaled gradients.
        initial_scale: the first scale.
        dynamic_growth_steps: good steps until the scale grows.
        name: as for `Optimizer`.
    Raises:
        ValueError: `dynamic=False`, or common arguments, which belong to the inner optimizer.

    >>> from jkeras.optimizers import SGD
    >>> LossScaleOptimizer(SGD(0.1), initial_scale=8.0).scale_loss(2.0)
    16.0
    """

    inner_optimizer: FamilyKind("optimizers")
    initial_scale: float = 2.0**15
    dynamic_growth_steps: int = 2000

    scalar_names = ("step_counter", "dynamic_scale")

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            inner_optimizer: typing.Any,
            initial_scale: float = 32768.0,
            dynamic_growth_steps: int = 2000,
            name: str | None = None,
        ) -> None: ...

    def check(self):
        self.inner_optimizer.loss_scale_factor = None

    def scalars(self, leaves: Sequence) -> dict[str, jax.Array]:
        return first_scale(self.initial_scale)

    def _chain(self, link: Transform) -> Transform:
        inner = self.inner_optimizer.transform
        scaled = dynamic_scale(inner, self.initial_scale, self.dynamic_growth_steps)
        return stepping(chain(super()._chain(link), scaled).init, scaled.step)

    def addresses(self, state: State, order: Sequence[Path]) -> Iterator[Path]:
        yield from super().addresses(state, order)
        for address in self.inner_optimizer.addresses(state["inner"], order):
            yield ("inner", *address)

    def build(self, variables: Iterable[Variable]):
        """Creates the variables, those of the inner optimizer too."""
        variables = list(variables)
        self.know(variables)
        build_by_path(self.inner_optimizer, variables, self.parameter_paths)
        super().build(variables)

    @property
    def variables(self) -> list[Variable]:
        """Its own variables, then those of the inner optimizer."""
        return self._variables + self.inner_optimizer.variables

    @property
    def dynamic_scale(self) -> Variable:
        """What the loss is multiplied by now; there once the optimizer is built."""
        return self._scalar_variable("dynamic_scale")

    @property
    def step_counter(self) -> Variable:
        """Good steps since the scale changed; there once the optimizer is built."""
        return self._scalar_variable("step_counter")

    def _scalar_variable(self, name: str) -> Variable:
        variable = self._at.get(("scalars", name))
        if variable is None:
            wanted = "to be built for variables, as `fit` does"
            raise AttributeError(explain(f"`{name}` of '{self.name}'", wanted, "not yet built"))
        return variable

    @property
    def iterations(self) -> Variable | jax.Array:
        """The inner optimizer's updates so far."""
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self) -> Any:
        """The inner optimizer's learning rate."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any):
        self.inner_optimizer.learning_rate = value

    def learning_rate_of(self, state: State) -> jax.Array:
        return self.inner_optimizer.learning_rate_of(state["inner"])

    def with_learning_rate(self, state: State, learning_rate: Any) -> State:
        inner = self.inner_optimizer.with_learning_rate(state["inner"], learning_rate)
        return {**state, "inner": inner}

    def finalize(self, state: State, params: Tree) -> Tree:
        return self.inner_optimizer.finalize(state["inner"], params)

    def finalize_variable_values(self, var_list: Iterable[Variable]):
        self.inner_optimizer.finalize_variable_values(var_list)

    def scale_loss(self, loss: Any, state: State | None = None) -> Any:
        """The loss times the scale: that of `state`, else of the variables."""
        if state is not None:
            return loss * state["scalars"]["dynamic_scale"]
        scale = self._at.get(("scalars", "dynamic_scale"))
        if scale is None:
            return loss * self.initial_scale
        return loss * scale.value

    def constants(self) -> tuple:
        return (*super().constants(), self.inner_optimizer.constants())

    def get_config(self) -> dict[str, Any]:
        return self.field_config()
