"""The types of arguments that losses and metrics share."""

from collections.abc import Sequence

from jkeras.core.weights.types import Operand

Tensor = Operand
Axes = int | Sequence[int] | None
