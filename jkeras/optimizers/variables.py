"""The variables of an optimizer: made when it is built, named and ordered as in Keras, saved by
number.
"""

import functools
import itertools
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.by_variable import ByVariable
from jkeras.core.graph import standardize_shape
from jkeras.core.variable import Variable
from jkeras.initializers import get as get_initializer
from jkeras.optimizers.layout import ADDED, Layout
from jkeras.optimizers.transform.leaves import Leaf, Path, at
from jkeras.optimizers.transform.pair import State
from jkeras.optimizers.transform.rule import follow

# names in Keras of what the state keeps for each parameter; slots have their own
PER_PARAMETER = {"ema": "average", "accumulators": "gradient_accumulator", "slots": None}


def addressed_variables(optimizer: "StateVariables") -> dict[Path, Variable]:
    """The variables of an optimizer by their places in its state."""
    return optimizer._at


class StateVariables(Layout):
    """What holds the arrays of a state in variables."""

    _variables = None  # until the constructor has run
    keeps_values = False  # whether first values of slots depend on the parameters' values
    # whether `init` built it for parameters without variables, in the order of the tree
    for_stand_ins = False

    def __setattr__(self, name: str, value: Any):
        if isinstance(value, Variable):
            if self._variables is None:
                raise RuntimeError(
                    f"Call `super().__init__()` in the constructor of {type(self).__name__} before "
                    f"setting the variable `{name}`."
                )
            self._track(value)
        object.__setattr__(self, name, value)

    def _track(self, variable: Variable):
        if not any(variable is v for v in self._variables):
            self._variables.append(variable)

    def _own(self, value: Any, name: str | None, **arguments: Any) -> Variable:
        variable = Variable(value, trainable=False, autocast=False, name=name, **arguments)
        variable.scope = self.name if name else ""
        self._track(variable)
        return variable

    def added_variables(self) -> ByVariable:
        """The variables that a subclass added itself, with their names in the state."""
        known = ByVariable((variable, True) for variable in self._at.values())
        added = known.without(self._variables)
        return ByVariable((v, ADDED.format(i)) for i, v in enumerate(added))

    @property
    def built_for(self) -> list[Variable]:
        """The trainable variables that it was built for."""
        return self._trainable_variables

    @property
    def variables(self) -> list[Variable]:
        """All variables: iteration, learning rate, then those of the parameters, in Keras's
        order.
        """
        return list(self._variables)

    # ------------------------------------------------------------ building

    def build(self, variables: Iterable[Variable]):
        """Creates the optimizer's variables for a list of trainable variables; does nothing the
        second time.
        """
        if self.built:
            return
        self._trainable_variables = list(variables)
        self._index = ByVariable(zip(self._trainable_variables, itertools.count()))
        state = self._first_state()
        self._at = {("iterations",): self._iterations}
        if isinstance(self._learning_rate, Variable):
            self._at["learning_rate",] = self._learning_rate
        for address in self.addresses(state, self._order()):
            if address not in self._at and address[0] != "inner":
                self._at[address] = self._held(address, at(state, address))
        self.built = True

    def _first_state(self) -> State:
        """The state before the first step, as shapes where these say enough."""
        known, plain = self._trainable_variables, self._chain(follow(self))
        if self.keeps_values:
            return plain.init([v.value for v in known], known)
        specs = [jax.ShapeDtypeStruct(tuple(v.shape), v.dtype) for v in known]
        return jax.eval_shape(lambda p: plain.init(p, known), specs)

    def _held(self, address: Path, value: Any) -> Variable:
        """The variable of an address, with this value, or one to make that is so described."""
        parameter, shape = self._parameter_of(address), tuple(value.shape)
        arguments = {"shape": shape, "dtype": value.dtype}
        if parameter is not None and tuple(parameter.shape) == shape:
            arguments["layout"] = parameter.layout
        if isinstance(value, jax.ShapeDtypeStruct):
            value = functools.partial(self._first, address)
        return self._own(value, self._label(address), **arguments)

    def _first(self, address: Path, shape: tuple[int, ...], dtype: Any = None) -> jax.Array:
        """A variable's first value, made when it is first looked at."""
        if address[0] == "slots":
            parameter = self._parameter_of(address)
            return self.slot(address[1], parameter, Leaf(parameter.name, parameter.path, parameter))
        if address[0] == "scalars":
            return self.scalars(self._trainable_variables)[address[1]]
        return jnp.zeros(shape, dtype)

    def _parameter_of(self, address: Path) -> Variable | None:
        """The trainable variable that an address is of, if of one."""
        if address[0] in PER_PARAMETER:
            return self._trainable_variables[address[-1]]
        return None

    def _label(self, address: Path) -> str | None:
        """The name of the variable of an address."""
        if address[0] not in PER_PARAMETER:
            return "_".join(map(str, address[1:]))
        return self.slot_label(PER_PARAMETER[address[0]] or address[1], self._parameter_of(address))

    def slot_label(self, name: str, variable: Variable) -> str:
        """The name of the variable of a slot."""
        return f"{variable.path.replace('/', '_')}_{name}"

    def _order(self) -> list[Path]:
        return [(i,) for i in range(len(self._trainable_variables))]

    def among_its_own(self, variables: Iterable[Variable]) -> list[Variable]:
        """Those of some variables that it was built for."""
        return self._index.among(variables)

    def _get_variable_index(self, variable: Variable) -> int:
        return self._index.find(variable)

    def rebuild(self, variables: Iterable[Variable]):
        """Builds for other trainable variables; what is known of those it was built for stays."""
        old = {address: v for address, v in self._at.items() if address[0] in PER_PARAMETER}
        numbers = self._index
        dropped = ByVariable((variable, True) for variable in old.values())
        self._variables = dropped.without(self._variables)
        self.built, self._at = False, {}
        self.build(variables)
        for address, variable in self._at.items():
            if address[0] not in PER_PARAMETER:
                continue
            number = numbers.find(self._parameter_of(address))
            known = old.get((*address[:-1], number))
            if known is not None:
                variable.assign(known.value)

    # ------------------------------------------------------------ what a subclass uses

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        """A new variable of the optimizer, for `build` of a subclass."""
        shape = standardize_shape(shape)
        return self._own(
            get_initializer(initializer), name, shape=shape, dtype=dtype, layout=layout
        )

    def add_variable_from_reference(
        self,
        reference_variable: Variable,
        name: str | None = None,
        initializer: Any = "zeros",
    ) -> Variable:
        """A new variable like a trainable one, named after it."""
        of = reference_variable
        label = self.slot_label(name or "var", of)
        return self.add_variable(of.shape, initializer, of.dtype, layout=of.layout, name=label)

    def add_optimizer_variables(
        self,
        trainable_variables: Iterable[Variable],
        name: str | Sequence[str],
        initializer: Any = "zeros",
    ) -> list[Variable] | tuple[list[Variable], ...]:
        """New variables for all trainable ones: a list for one name, a tuple of lists for a list of
        names.
        """
        names = [name] if isinstance(name, str) else list(name)
        initializers = initializer
        if not isinstance(initializer, (list, tuple)):
            initializers = [initializer] * len(names)
        if len(initializers) != len(names):
            raise ValueError(
                f"Expected as many initializers as names. Received: name={name}, "
                f"initializer={initializer}"
            )
        columns = tuple([] for _ in names)
        for variable in trainable_variables:
            for column, *label in zip(columns, names, initializers):
                column.append(self.add_variable_from_reference(variable, *label))
        if isinstance(name, str):
            return columns[0]
        return columns

    def assign(self, variable: Variable, value: Any):
        """`variable.assign(value)`."""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: Any):
        """`variable.assign_add(value)`."""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: Any):
        """`variable.assign_sub(value)`."""
        variable.assign_sub(value)

    # ------------------------------------------------------------ files

    def set_weights(self, weights: Iterable):
        """Sets all variables from a list of arrays. Raises ValueError when not built or for other
        shapes.
        """
        self._require_built("set_weights")
        for variable, weight in zip(self.variables, weights):
            if tuple(variable.shape) != tuple(weight.shape):
                raise ValueError(
                    f"Optimizer variable {variable.path} has shape {tuple(variable.shape)}, "
                    f"received a weight of shape {tuple(weight.shape)}"
                )
            variable.assign(weight)

    def _require_built(self, method: str):
        if not self.built:
            raise ValueError(
                f"{self.name}: `{method}` needs a built optimizer. Call "
                "`optimizer.build(trainable_variables)` first."
            )

    def save_own_variables(self, store: dict):
        """Writes all variables into a dict-like store, under "0", "1", …"""
        for i, variable in enumerate(self.variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store: dict):
        """Reads what `save_own_variables` wrote; warns and does nothing where the number of
        variables differs.
        """
        if len(store.keys()) != len(self.variables):
            warnings.warn(
                f"Skipping variable loading for optimizer '{self.name}', because it has "
                f"{len(self.variables)} variables whereas the saved optimizer has "
                f"{len(store.keys())}. Build the optimizer for the model's variables first.",
                stacklevel=2,
            )
            return
        take = getattr(store, "take", store.__getitem__)  # a file's arrays are nobody else's
        for i, variable in enumerate(self.variables):
            variable.assign(take(str(i)))
