"""The values of one moment: what a file gets while another thread trains the model."""

import contextlib
import operator
from collections.abc import Iterator
from typing import Any

from jkeras.core.weights import frame
from jkeras.core.weights.by_variable import ByVariable, unique
from jkeras.core.weights.structure import named_weights
from jkeras.core.weights.variable import Borrowed, Variable, values_of


@contextlib.contextmanager
def at_one_moment(model: Any) -> Iterator[None]:
    """In the block, this thread reads of a model's variables, those of its optimizer and metrics
    among them, the values of one moment, whatever others do.

    Nothing is copied, unless the model is trained meanwhile: the next step consumes copies of what
    is held here.
    """
    variables = unique(_that_change(model))
    with _Moment(values=ByVariable(zip(variables, _values(variables)))):
        yield


def _that_change(model: Any) -> Iterator[Variable]:
    """The variables that a training may change."""
    yield from (variable for _, variable in named_weights(model))
    if getattr(model, "compiled", False):
        yield from getattr(model.optimizer, "variables", ())
        for metric in model.compiled_metrics():
            yield from metric.variables


def _values(variables: list[Variable]) -> list:
    """The arrays that variables hold, again where they changed while they were looked at one after
    the other.
    """
    while True:
        held = [variable.held for variable in variables]
        if any(isinstance(value, Borrowed) for value in held):
            return values_of(variables)  # under the training's lock
        values = [variable.own_value() for variable in variables]
        now = [variable.held for variable in variables]
        if all(map(operator.is_, values, now)):
            return values


class _Moment(frame.Run):
    """Reads the values that it has; what is written goes to the variables as well."""

    is_eager = True

    def write(self, variable: Variable, value: Any) -> None:
        """Sets a variable's value."""
        frame.own_write(variable, value)
        if self.values.has(variable):
            self.values.set(variable, variable.own_value())
