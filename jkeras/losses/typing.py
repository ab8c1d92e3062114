"""The types of arguments that losses and metrics share."""

from collections.abc import Sequence
from typing import Any

from jax.typing import ArrayLike

from jkeras.core.graph.keras_tensor import KerasTensor

# an array, a number or nested lists of numbers, or the place of an array in a graph
Tensor = ArrayLike | Sequence[Any] | KerasTensor
Axes = int | Sequence[int] | None
