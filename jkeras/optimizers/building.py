"""The variables of an optimizer, made when it is built for those that it trains."""

import typing
import functools
import itertools
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.by_variable import ByVariable, without
from jkeras.core.variable import Variable
from jkeras.kernel import tree
from jkeras.optimizers.transform.leaves import Leaf, Path, at
from jkeras.optimizers.transform.pair import State, Tree
from jkeras.optimizers.transform.rule import follow

# names in Keras of what the state keeps for each parameter; slots have their own
PER_PARAMETER = {"ema": "average", "accumulators": "gradient_accumulator", "slots": None}

if typing.TYPE_CHECKING:
    from jkeras.optimizers.variables import StateVariables


def build(self: "StateVariables", variables: Iterable[Variable]):
    """Creates the optimizer's variables for a list of trainable variables; does nothing the
    second time.
    """
    if self.built:
        return
    self._trainable_variables = list(variables)
    self._index = ByVariable(zip(self._trainable_variables, itertools.count()))
    state = _first_state(self)
    self._at = {("iterations",): self._iterations}
    if isinstance(self._learning_rate, Variable):
        self._at["learning_rate",] = self._learning_rate
    for address in self.addresses(state, self._order()):
        if address not in self._at and address[0] != "inner":
            self._at[address] = _held(self, address, at(state, address))
    self.built = True


def _first_state(self: "StateVariables") -> State:
    """The state before the first step, as shapes where these say enough."""
    known, plain = arranged(self, self._trainable_variables), self._chain(follow(self))
    if self.keeps_values:
        return plain.init(jax.tree.map(lambda v: v.value, known), known)
    specs = jax.tree.map(lambda v: jax.ShapeDtypeStruct(tuple(v.shape), v.dtype), known)
    return jax.eval_shape(lambda p: plain.init(p, known), specs)


def arranged(self: "StateVariables", values: Iterable[Any]) -> Tree:
    """What belongs to the trainable variables, in their order, as the tree that the optimizer knows
    them by.
    """
    return tree.unflatten(zip(self._order(), values))


def in_order(self: "StateVariables", values: Tree) -> list:
    """The inverse of `arranged`."""
    return [tree.get(values, path) for path in self._order()]


def _held(self: "StateVariables", address: Path, value: Any) -> Variable:
    """The variable of an address, with this value, or one to make that is so described."""
    parameter, shape = self._parameter_of(address), tuple(value.shape)
    arguments = {"shape": shape, "dtype": value.dtype}
    if parameter is not None and tuple(parameter.shape) == shape:
        arguments["layout"] = parameter.layout
    if isinstance(value, jax.ShapeDtypeStruct):
        value = functools.partial(_first, self, address)
    return self._own(value, self._label(address), **arguments)


def _first(
    self: "StateVariables", address: Path, shape: tuple[int, ...], dtype: Any = None
) -> jax.Array:
    """A variable's first value, made when it is first looked at."""
    if address[0] == "slots":
        parameter = self._parameter_of(address)
        return self.slot(address[1], parameter, Leaf(parameter.name, parameter.path, parameter))
    if address[0] == "scalars":
        return self.scalars(self._trainable_variables)[address[1]]
    return jnp.zeros(shape, dtype)


def rebuild(self: "StateVariables", variables: Iterable[Variable]):
    """Builds for other trainable variables; what is known of those it was built for stays."""
    old = {address: v for address, v in self._at.items() if address[0] in PER_PARAMETER}
    numbers = self._index
    self._variables = without(self._variables, old.values())
    self.built, self._at = False, {}
    self.build(variables)
    for address, variable in self._at.items():
        if address[0] not in PER_PARAMETER:
            continue
        number = numbers.find(self._parameter_of(address))
        known = old.get((*address[:-1], number))
        if known is not None:
            variable.assign(known.value)
