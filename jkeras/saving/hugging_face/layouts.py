"""How an array of transformers lies, beside those of keras-hub that it holds.

A layout gives the shape of theirs, makes theirs of ours (`join`), and ours of theirs (`part`),
which are views.
"""

import collections.abc
import dataclasses
import math

import typing

import numpy as np

Shapes = collections.abc.Sequence[tuple[int, ...]]


class Layout(typing.Protocol):
    """How arrays of ours lie in theirs."""

    def shape(self, shapes: Shapes) -> tuple[int, ...]:
        """The shape of theirs."""

    def join(self, arrays: list[np.ndarray]) -> np.ndarray:
        """Theirs."""

    def part(self, array: np.ndarray, shapes: Shapes) -> list[np.ndarray]:
        """Ours."""


@dataclasses.dataclass(frozen=True)
class Same:
    """One array, as it is.

    >>> Same().shape([(3, 2)])
    (3, 2)
    """

    def shape(self, shapes: Shapes) -> tuple[int, ...]:
        """The shape of theirs."""
        (shape,) = shapes
        return tuple(shape)

    def join(self, arrays: list[np.ndarray]) -> np.ndarray:
        """Theirs."""
        (array,) = arrays
        return array

    def part(self, array: np.ndarray, shapes: Shapes) -> list[np.ndarray]:
        """Ours."""
        return [array]


@dataclasses.dataclass(frozen=True)
class Vector:
    """Biases, one behind the other, without the axis of heads.

    >>> Vector().shape([(2, 4), (1, 4)])
    (12,)
    """

    def shape(self, shapes: Shapes) -> tuple[int, ...]:
        """The shape of theirs."""
        return (sum(map(math.prod, shapes)),)

    def join(self, arrays: list[np.ndarray]) -> np.ndarray:
        """Theirs."""
        return _concatenated([array.reshape(-1) for array in arrays], axis=0)

    def part(self, array: np.ndarray, shapes: Shapes) -> list[np.ndarray]:
        """Ours."""
        parts = _cut(array, [math.prod(shape) for shape in shapes], axis=0)
        return [part.reshape(shape) for part, shape in zip(parts, shapes)]


@dataclasses.dataclass(frozen=True)
class Matrix:
    """Kernels, side by side along their outputs, in one matrix.

    Attributes:
        inputs: how many axes of ours, the first ones, are inputs.
        outputs_first: theirs is (outputs, inputs), as in torch's Linear.
        heads_first: ours is (heads, inputs, outputs).

    >>> Matrix().shape([(8, 2, 4)])
    (8, 8)
    >>> q, k = np.arange(6).reshape(2, 3), np.arange(4).reshape(2, 2)
    >>> Matrix(outputs_first=False).join([q, k])
    array([[0, 1, 2, 0, 1],
           [3, 4, 5, 2, 3]])
    """

    inputs: int = 1
    outputs_first: bool = True
    heads_first: bool = False

    def shape(self, shapes: Shapes) -> tuple[int, ...]:
        """The shape of theirs."""
        sizes = [self._size(self._moved(shape)) for shape in shapes]
        size = (sizes[0][0], sum(outputs for _, outputs in sizes))
        return size[::-1] if self.outputs_first else size

    def join(self, arrays: list[np.ndarray]) -> np.ndarray:
        """Theirs."""
        if self.heads_first:
            arrays = [array.swapaxes(0, 1) for array in arrays]
        joined = _concatenated([array.reshape(self._size(array.shape)) for array in arrays], axis=1)
        return joined.T if self.outputs_first else joined

    def part(self, array: np.ndarray, shapes: Shapes) -> list[np.ndarray]:
        """Ours."""
        if self.outputs_first:
            array = array.T
        shapes = [self._moved(shape) for shape in shapes]
        parts = _cut(array, [self._size(shape)[1] for shape in shapes], axis=1)
        parts = [part.reshape(shape) for part, shape in zip(parts, shapes)]
        if self.heads_first:
            return [part.swapaxes(0, 1) for part in parts]
        return parts

    def _moved(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Our shape with the inputs first."""
        if self.heads_first:
            return (shape[1], shape[0], *shape[2:])
        return tuple(shape)

    def _size(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """(inputs, outputs) of a shape with the inputs first."""
        return math.prod(shape[: self.inputs]), math.prod(shape[self.inputs :])


def _concatenated(arrays: list[np.ndarray], axis: int) -> np.ndarray:
    """Arrays in one; a single one is not copied."""
    if len(arrays) == 1:
        return arrays[0]
    return np.concatenate(arrays, axis)


def _cut(array: np.ndarray, sizes: list[int], axis: int) -> list[np.ndarray]:
    """An array in parts of these sizes along an axis."""
    return np.split(array, np.cumsum(sizes)[:-1], axis)
