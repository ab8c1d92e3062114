"""How weights of transformers lie that hold several of ours in a way of their own."""

import collections.abc
import dataclasses
from typing import Any

import numpy as np

from jkeras.saving.hugging_face.layouts import StoredLayout, Same, Shapes, Vector
from jkeras.saving.hugging_face.native.plans import Transformer


@dataclasses.dataclass(frozen=True)
class Grouped:
    """Queries, keys and values in one matrix or vector, those of a group together: its queries, its
    key, its value.

    Attributes:
        groups: how many there are.
        size: of a head.

    >>> Grouped(2, 1).join([np.array([1, 2, 3, 4]), np.array([5, 6]), np.array([7, 8])])
    array([1, 2, 5, 7, 3, 4, 6, 8])
    """

    groups: int
    size: int

    def shape(self, shapes: Shapes) -> tuple[int, ...]:
        """The shape of theirs."""
        outputs = sum(shape[-1] for shape in shapes)
        return (outputs, *shapes[0][:-1])

    def join(self, arrays: list[np.ndarray]) -> np.ndarray:
        """Theirs."""
        parts = [np.reshape(a.T, (self.groups, -1, self.size, *a.shape[:-1])) for a in arrays]
        joined = np.concatenate(parts, axis=1)
        return joined.reshape(-1, *arrays[0].shape[:-1])

    def part(self, array: np.ndarray, shapes: Shapes) -> list[np.ndarray]:
        """Ours."""
        whole = array.reshape(self.groups, -1, self.size, *array.shape[1:])
        counts = [shape[-1] // (self.groups * self.size) for shape in shapes]
        parts = np.split(whole, np.cumsum(counts)[:-1], axis=1)
        return [p.reshape(-1, *array.shape[1:]).T.reshape(s) for p, s in zip(parts, shapes)]


@dataclasses.dataclass(frozen=True)
class Each:
    """One of ours (count, inputs, outputs), which is a matrix for each in theirs.

    Attributes:
        half: of the outputs, which is theirs; None: all.

    >>> Each().shape([(4, 2, 3)]), Each(half=1).shape([(4, 2, 6)])
    ((3, 2), (3, 2))
    """

    half: int | None = None

    def shape(self, shapes: Shapes) -> tuple[int, ...]:
        """The shape of each of theirs."""
        (shape,) = shapes
        if self.half is None:
            return (shape[2], shape[1])
        return (shape[2] // 2, shape[1])

    def one(self, array: np.ndarray) -> np.ndarray:
        """One of theirs."""
        if self.half is None:
            return array.T
        return np.split(array.T, 2)[self.half]

    def join(self, arrays: list[np.ndarray]) -> np.ndarray:
        """Theirs, where there is one."""
        (array,) = arrays
        return self.one(array[0])

    def part(self, arrays: list[np.ndarray] | np.ndarray, shapes: Shapes) -> list[np.ndarray]:
        """Ours."""
        if isinstance(arrays, np.ndarray):
            arrays = [arrays]
        return [np.stack([array.T for array in arrays])]


@dataclasses.dataclass(frozen=True)
class Neighbours:
    """Two of ours, whose outputs take turns in theirs.

    >>> Neighbours().join([np.array([[1, 2]]), np.array([[3, 4]])])
    array([[1, 3, 2, 4]])
    """

    def shape(self, shapes: Shapes) -> tuple[int, ...]:
        """The shape of theirs."""
        return (*shapes[0][:-1], 2 * shapes[0][-1])

    def join(self, arrays: list[np.ndarray]) -> np.ndarray:
        """Theirs."""
        return np.stack(arrays, axis=-1).reshape(self.shape([a.shape for a in arrays]))

    def part(self, array: np.ndarray, shapes: Shapes) -> list[np.ndarray]:
        """Ours."""
        return [array[..., ::2], array[..., 1::2]]


@dataclasses.dataclass(frozen=True)
class Reversed:
    """One of ours, whose axes are in the other order in theirs, as of convolutions.

    >>> Reversed().shape([(3, 8, 4)])
    (4, 8, 3)
    """

    def shape(self, shapes: Shapes) -> tuple[int, ...]:
        """The shape of theirs."""
        (shape,) = shapes
        return tuple(shape[::-1])

    def join(self, arrays: list[np.ndarray]) -> np.ndarray:
        """Theirs."""
        (array,) = arrays
        return array.T

    def part(self, array: np.ndarray, shapes: Shapes) -> list[np.ndarray]:
        """Ours."""
        return [array.T]


@dataclasses.dataclass(frozen=True)
class AsRow:
    """A vector of ours, which is a matrix of one row in theirs.

    >>> AsRow().shape([(3,)])
    (1, 3)
    """

    def shape(self, shapes: Shapes) -> tuple[int, ...]:
        """The shape of theirs."""
        (shape,) = shapes
        return (1, *shape)

    def join(self, arrays: list[np.ndarray]) -> np.ndarray:
        """Theirs."""
        (array,) = arrays
        return array[None]

    def part(self, array: np.ndarray, shapes: Shapes) -> list[np.ndarray]:
        """Ours."""
        return [array[0]]


@dataclasses.dataclass(frozen=True)
class Leading:
    """One of ours, behind axes of the length 1.

    Attributes:
        axes: how many.

    >>> Leading(2).shape([(4,)])
    (1, 1, 4)
    """

    axes: int

    def shape(self, shapes: Shapes) -> tuple[int, ...]:
        """The shape of theirs."""
        (shape,) = shapes
        return (*(1,) * self.axes, *shape)

    def join(self, arrays: list[np.ndarray]) -> np.ndarray:
        """Theirs."""
        (array,) = arrays
        return array.reshape(self.shape([array.shape]))

    def part(self, array: np.ndarray, shapes: Shapes) -> list[np.ndarray]:
        """Ours."""
        (shape,) = shapes
        return [array.reshape(shape)]


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A kernel (height, width, inputs, outputs), whose last axes are the first ones in theirs.

    >>> Convolution().shape([(2, 3, 4, 5)])
    (5, 4, 2, 3)
    """

    def shape(self, shapes: Shapes) -> tuple[int, ...]:
        """The shape of theirs."""
        ((height, width, inputs, outputs),) = shapes
        return (outputs, inputs, height, width)

    def join(self, arrays: list[np.ndarray]) -> np.ndarray:
        """Theirs."""
        (array,) = arrays
        return array.transpose(3, 2, 0, 1)

    def part(self, array: np.ndarray, shapes: Shapes) -> list[np.ndarray]:
        """Ours."""
        return [array.transpose(2, 3, 1, 0)]


def _grouped(plan: Transformer) -> Grouped:
    attention = plan.blocks[0].attention
    return Grouped(attention.groups, attention.size)


# {name in a table: function of the plan}
LAYOUTS: dict[str, collections.abc.Callable[[Any], StoredLayout]] = {
    "same": lambda plan: Same(),
    "grouped": _grouped,
    "neighbours": lambda plan: Neighbours(),
    "each": lambda plan: Each(),
    "leading": lambda plan: Leading(1),
    "leading-two": lambda plan: Leading(2),
    "convolution": lambda plan: Convolution(),
    "vector": lambda plan: Vector(),
    "reversed": lambda plan: Reversed(),
    "row": lambda plan: AsRow(),
}
