"""Variables whose arrays lie in stacks, as rows of them, until somebody looks at one."""

import threading
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from jkeras.core.weights.by_variable import ByVariable
from jkeras.core.weights.variable import Borrowed, Variable


class Row:
    """The place of an array in a stack of several."""

    __slots__ = ("number", "stack")

    def __init__(self, stack: jax.Array, number: int) -> None:
        self.stack = stack
        self.number = number


class Rows(Borrowed):
    """Stands in variables for the rows of stacks. Whoever looks at one variable puts the arrays of
    all into them.

    Args:
        maker: whose stacks they are.

    >>> stack = jax.numpy.arange(6.0).reshape(2, 3)
    >>> first, second = Variable([0.0] * 3), Variable([0.0] * 3)
    >>> first.held, second.held = Row(stack, 0), Row(stack, 1)
    >>> _ = Rows("a layout", [first, second])
    >>> print(second.numpy(), first.numpy())
    [3. 4. 5.] [0. 1. 2.]
    """

    def __init__(self, maker: Any, variables: Iterable[Variable]) -> None:
        self.maker = maker
        self.lock = threading.RLock()
        self._rows = ByVariable((v, v.held) for v in variables if isinstance(v.held, Row))
        for variable, _ in self._rows:
            variable.held = self

    def pull(self) -> None:
        """Puts the arrays into the variables that were not set since."""
        with self.lock:
            left = [(v, row) for v, row in self._rows if v.held is self]
            rows = [np.asarray(row.stack)[row.number] for _, row in left]
            for (variable, _), array in zip(left, jax.device_put(rows, may_alias=False)):
                variable.held = array

    def are_untouched(self) -> bool:
        """Whether nobody has looked at one of the variables, or set it."""
        return all(variable.held is self for variable, _ in self._rows)

    def read(self, variable: Variable) -> Any:
        """The row of a variable; its array where it has none."""
        row = self._rows.find(variable)
        return variable.own_value() if row is None else row
