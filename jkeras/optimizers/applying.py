"""Steps of an optimizer on Keras variables: methods of `Optimizer`, which work on its transform."""

import typing
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.weights.by_variable import without
from jkeras.core.graph.sparse import dense
from jkeras.core.weights.variable import Variable
from jkeras.optimizers.building import arranged, in_order
from jkeras.optimizers.transform.constraining import constrain
from jkeras.optimizers.transform.pair import Transform
from jkeras.optimizers.transform.rule import move_leaf

if typing.TYPE_CHECKING:
    from jkeras.optimizers.base import Optimizer


def update_step(self: "Optimizer", gradient: Any, variable: Variable, learning_rate: Any):
    """Updates one variable and its slots; what a subclass of yours writes."""
    i, held = self._index.find(variable), self._at.items()
    variables = {a[1]: v for a, v in held if a[0] == "slots" and a[2] == i}
    scalars = {a[1]: v.value for a, v in held if a[0] == "scalars"}
    slots = {name: v.value for name, v in variables.items()}
    t = jnp.asarray(self.iterations) + 1
    g, rate = jnp.asarray(gradient), jnp.asarray(learning_rate)
    new, slots = move_leaf(self, g, variable.value, slots, scalars, rate, t)
    variable.assign(new)
    for name, value in slots.items():
        variables[name].assign(value)


def apply_gradients(self: "Optimizer", grads_and_vars: Iterable[tuple[Any, Variable]]) -> Variable:
    """Updates variables from pairs (gradient, variable). Returns the number of iterations."""
    pairs = list(grads_and_vars)
    if not pairs:
        raise ValueError("Expected pairs (gradient, variable), received none.")
    grads, variables = zip(*pairs)
    self.apply(list(grads), list(variables))
    return self._iterations


def apply(
    self: "Optimizer", grads: Sequence, trainable_variables: Iterable[Variable] | None = None
):
    """Updates variables from a list of gradients.

    Args:
        grads: an array for each variable; a BCOO array of JAX stands for the dense one.
        trainable_variables: list; by default those the optimizer was built for.
    Raises:
        ValueError: not built, another number of gradients, or variables it was not built for.
    """
    grads = _arrays(grads)
    if not grads:
        return
    matched = _matched(self, len(grads), trainable_variables)
    gradients = dict(zip(matched, grads))
    _warn_of_missing(gradients)
    full = dict.fromkeys(self._trainable_variables) | gradients
    trained, own = self._trainable_variables, self.variables
    values = [v.value for v in own], [v.value for v in trained]
    new = _compiled_step(self)(list(full.values()), *values)
    for variable, value in zip(trained + own, new[0] + new[1]):
        variable.assign(value)


def _matched(self: "Optimizer", count: int, variables: Iterable[Variable] | None) -> list[Variable]:
    """The variables of the gradients, checked; builds where that is still to do."""
    if variables is None:
        self._require_built("apply(grads)")
        if count != len(self._trainable_variables):
            raise ValueError(
                f"{self.name}: expected {len(self._trainable_variables)} gradients, one for "
                f"each variable it was built for. Received {count}."
            )
        return self._trainable_variables
    variables = list(variables)
    if not self.built:
        self.build(variables)
    for variable in without(variables, self._index):
        raise ValueError(
            f"Unknown variable: {variable}. What {self.name} does is for those that it was "
            "built with; make a new optimizer for other variables."
        )
    return variables


def _compiled_step(self: "Optimizer") -> Callable:
    """The step on flat lists, compiled; made anew when a hyper-parameter was changed."""
    if self._overrides("update_step"):
        return self.flat_step
    constants = self.constants()
    if self._compiled is None or self._compiled[0] != constants:
        self._compiled = constants, jax.jit(self.flat_step)
    return self._compiled[1]


def constants(self: "Optimizer") -> tuple:
    """What a compiled step depends on besides arrays."""
    others = ("learning_rate", "inner_optimizer", "optimizer_map")
    fields = [repr(getattr(self, f.name)) for f in self._fields if f.name not in others]
    rate = self._learning_rate
    if isinstance(rate, Variable):
        rate = None
    return fields, rate, self._exempt, [v.constraint for v in self._trainable_variables]


def flat_step(
    self: "Optimizer",
    grads: list,
    optimizer_variables: list,
    values: list,
    whole: Transform | None = None,
):
    """One step on flat lists, with the constraints: (new values, new optimizer values)."""
    order, variables = self._order(), arranged(self, self._trainable_variables)
    params = arranged(self, values)
    state = self.variables_to_state(optimizer_variables, params, order, variables)
    whole = whole or constrain(self._chain(self._core))
    new, state = whole.step(arranged(self, grads), state, params, variables=variables)
    return in_order(self, new), self.state_to_variables(state, order)


def finalize_variable_values(self: "Optimizer", var_list: Iterable[Variable]):
    """With `use_ema`, gives variables their moving averages; at the end of training."""
    if not self.use_ema:
        return
    for v in var_list:
        v.assign(self._at["ema", self._index.find(v)].value)


def stateless_apply(
    self: "Optimizer", optimizer_variables: Sequence, grads: Sequence, trainable_variables: Sequence
) -> tuple[list, list]:
    """The pure form on flat lists: (new trainable values, new optimizer values).

    Raises ValueError when not built, or for lists of another length than `optimizer.variables`
    and the list the optimizer was built with.
    """
    self._require_built("stateless_apply")
    want = len(self.variables), len(self._trainable_variables)
    if (len(optimizer_variables), len(trainable_variables)) != want:
        raise ValueError(
            f"{self.name}: expected lists of {want[0]} `optimizer_variables` and {want[1]} "
            f"`trainable_variables`. Received {len(optimizer_variables)} and "
            f"{len(trainable_variables)}."
        )
    lists = _arrays(grads), _arrays(optimizer_variables), _arrays(trainable_variables)
    if self._overrides("apply"):  # which sees to the constraints
        return self.flat_step(*lists, self.transform)
    return self.flat_step(*lists)


def _arrays(values: Iterable) -> list:
    """Arrays of variables, lists, and JAX's sparse rows, whose zeros count."""
    values = [v.value if isinstance(v, Variable) else dense(v) for v in values]
    return [jnp.asarray(v) if isinstance(v, (list, tuple)) else v for v in values]


def _warn_of_missing(gradients: dict[Variable, Any]):
    missing = [v.path for v, g in gradients.items() if g is None]
    if 0 < len(missing) < len(gradients):
        warnings.warn(
            f"Gradients do not exist for variables {missing}: the loss does not depend on them. "
            "Is it what `compile` was given as `loss`?",
            stacklevel=3,
        )
