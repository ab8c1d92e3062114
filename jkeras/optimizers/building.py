"""The variables of an optimizer, made when it is built for those that it trains."""

import typing
import functools
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import jax

from jkeras.core.weights.by_variable import ByVariable, without
from jkeras.core.weights.first_values import zeros
from jkeras.core.weights.variable import Variable
from jkeras.kernel import tree
from jkeras.optimizers.transform.leaves import Leaf, Path, at
from jkeras.optimizers.transform.pair import State, Tree
from jkeras.optimizers.transform.rule import Rule, follow

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
    variables, plain = arranged(self, self._trainable_variables), self._chain(follow(self))
    if self.keeps_values:
        return plain.init(jax.tree.map(lambda v: v.value, variables), variables)
    specs = jax.tree.map(lambda v: jax.ShapeDtypeStruct(tuple(v.shape), v.dtype), variables)
    return jax.eval_shape(lambda p: plain.init(p, variables), specs)


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
    made = self._own(value, self._label(address), **arguments)
    if self.is_unused(address):
        made.scope = ""  # the path that Keras gives it
    return made


def _first(
    self: "StateVariables", address: Path, shape: tuple[int, ...], dtype: Any = None
) -> jax.Array:
    """A variable's first value, made when it is first looked at."""
    if address[0] == "slots":
        parameter = self._parameter_of(address)
        if type(self).slot is Rule.slot:
            return zeros(parameter.shape, parameter.dtype)
        return self.slot(address[1], parameter, Leaf(parameter.name, parameter.path, parameter))
    if address[0] == "scalars":
        return self.scalars(self._trainable_variables)[address[1]]
    return zeros(shape, dtype)


def rebuild(self: "StateVariables", variables: Iterable[Variable], paths: Any = None):
    """Builds for other trainable variables, or for other paths of theirs; those that stay keep
    their state.
    """
    old, added = dict(_by_address(self)), {v.name: v for v, _ in self.added_variables()}
    own = [v for v in (self._iterations, self._learning_rate) if isinstance(v, Variable)]
    self._variables = without(self._variables, without(old.values(), own))
    self.built, self._at, self.parameter_paths = False, {}, paths
    self.build(variables)
    for address, variable in _by_address(self):
        _take_over(variable, old.get(address))
    for variable in without([v for v, _ in self.added_variables()], added.values()):
        before = added.get(variable.name)
        _take_over(variable, before)
        self._variables = without(self._variables, [before])


def _take_over(variable: Variable, before: Variable | None):
    """Gives a new variable the value of the one that stood for the same."""
    if before is None or before is variable:
        return
    if tuple(before.shape) == tuple(variable.shape):
        variable.assign(before.value)


def _by_address(self: "StateVariables") -> Iterator[tuple[tuple[Path, Variable | None], Variable]]:
    """((what, of which parameter), variable) for each variable of the state."""
    parameters = dict(zip(self._order(), self._trainable_variables))
    for address, variable in self._at.items():
        cuts = (k for k in range(1, len(address)) if address[k:] in parameters)
        cut = next(cuts, len(address))
        yield (address[:cut], parameters.get(address[cut:])), variable
