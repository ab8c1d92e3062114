"""The variables of an optimizer: made when it is built, named and ordered as in Keras, saved by
number.
"""

from collections.abc import Iterable
from typing import Any

from jkeras.core.weights.by_variable import ByVariable, among, without
from jkeras.core.session.settings import settings
from jkeras.core.weights.variable import Variable
from jkeras.optimizers import adding, building, stored_variables
from jkeras.optimizers.building import PER_PARAMETER
from jkeras.optimizers.layout import ADDED, Layout
from jkeras.optimizers.transform.leaves import Path


def addressed_variables(optimizer: "StateVariables") -> dict[Path, Variable]:
    """The variables of an optimizer by their addresses in its state."""
    return optimizer._at


class StateVariables(Layout):
    """What holds the arrays of a state in variables."""

    _variables = None  # until the constructor has run
    keeps_values = False  # whether first values of slots depend on the parameters' values
    # whether `init` built it for parameters without variables, in the order of the tree
    for_stand_ins = False

    def _track(self, variable: Variable):
        if not any(variable is v for v in self._variables):
            self._variables.append(variable)

    def _own(self, value: Any, name: str | None, **arguments: Any) -> Variable:
        variable = Variable(value, trainable=False, autocast=False, name=name, **arguments)
        variable.scope = self.name if name else ""
        if settings.distribution is not None:
            variable.lay_out(settings.distribution.get_slot_layout(variable))
        self._track(variable)
        return variable

    def is_unused(self, address: Path) -> bool:
        """Whether a variable is only a placeholder, as in Keras."""
        return False

    def added_variables(self) -> ByVariable:
        """The variables that a subclass added itself, with their names in the state."""
        added = without(self._variables, self._at.values())
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

    build = building.build
    rebuild = building.rebuild

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
        return among(variables, self._index)

    def _get_variable_index(self, variable: Variable) -> int:
        return self._index.find(variable)

    # ------------------------------------------------------------ what a subclass uses

    add_variable = adding.add_variable
    add_variable_from_reference = adding.add_variable_from_reference
    add_optimizer_variables = adding.add_optimizer_variables

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

    set_weights = stored_variables.set_weights
    save_own_variables = stored_variables.save_own_variables
    load_own_variables = stored_variables.load_own_variables

    def _require_built(self, method: str):
        if not self.built:
            raise ValueError(
                f"{self.name}: `{method}` needs a built optimizer. Call "
                "`optimizer.build(trainable_variables)` first."
            )


def _set(self: StateVariables, name: str, value: Any) -> None:
    if isinstance(value, Variable):
        if self._variables is None:
            raise RuntimeError(
                f"Call `super().__init__()` in the constructor of {type(self).__name__} before "
                f"setting the variable `{name}`."
            )
        self._track(value)
    object.__setattr__(self, name, value)


# in this way, which checkers do not see: to them any attribute could be set otherwise
StateVariables.__setattr__ = _set
