"""Variables that a subclass of an optimizer adds itself, as in Keras."""

import typing
from collections.abc import Iterable, Sequence
from typing import Any

from jkeras.core.graph.keras_tensor import standardize_shape
from jkeras.core.weights.variable import Variable
from jkeras.initializers import get as get_initializer

if typing.TYPE_CHECKING:
    from jkeras.optimizers.variables import StateVariables


def add_variable(
    self: "StateVariables",
    shape: Sequence[int],
    initializer: Any = "zeros",
    dtype: Any = None,
    aggregation: str = "none",
    layout: Any = None,
    name: str | None = None,
) -> Variable:
    """A new variable of the optimizer, for `build` of a subclass."""
    shape = standardize_shape(shape)
    return self._own(get_initializer(initializer), name, shape=shape, dtype=dtype, layout=layout)


def add_variable_from_reference(
    self: "StateVariables",
    reference_variable: Variable,
    name: str | None = None,
    initializer: Any = "zeros",
) -> Variable:
    """A new variable like a trainable one, named after it."""
    of = reference_variable
    label = self.slot_label(name or "var", of)
    return self.add_variable(of.shape, initializer, of.dtype, layout=of.layout, name=label)


def add_optimizer_variables(
    self: "StateVariables",
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
