"""The types of what a training hands on."""

import typing
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView

import numpy as np

from jkeras.core.weights.by_variable import ByVariable
from jkeras.core.weights.variable import Variable

Path: typing.TypeAlias = tuple[str, ...]
Tree: typing.TypeAlias = dict[str, typing.Any]  # a nested dict of arrays by path
Structure: typing.TypeAlias = typing.Any  # an array, or nested lists, tuples and dicts of arrays
Logs: typing.TypeAlias = Mapping[str, typing.Any]  # arrays or numbers by name


class SupportsUpdate(typing.Protocol):
    """A transformation of gradients, as optax has them."""

    @property
    def init(self) -> Callable[..., typing.Any]: ...

    @property
    def update(self) -> Callable[..., typing.Any]: ...


if typing.TYPE_CHECKING:  # how many outputs a model has, and so how many numbers, it does not say

    class Outputs(np.ndarray[typing.Any, np.dtype[typing.Any]]):
        """An array; of a model with several outputs a list or a dict of arrays."""

        def keys(self) -> KeysView[str]: ...

        def values(self) -> ValuesView[np.ndarray]: ...

        def items(self) -> ItemsView[str, np.ndarray]: ...

    class Scores(float):
        """The loss; of a model with metrics the list of it and them; or a dict by their names."""

        def keys(self) -> KeysView[str]: ...

        def values(self) -> ValuesView[float]: ...

        def items(self) -> ItemsView[str, float]: ...

        def __iter__(self) -> Iterator[typing.Any]: ...

        def __len__(self) -> int: ...

        @typing.overload
        def __getitem__(self, index: int | str) -> float: ...

        @typing.overload
        def __getitem__(self, index: slice) -> list[float]: ...

else:
    Outputs = Scores = typing.Any

NamedVariables: typing.TypeAlias = list[tuple[Path, Variable]]
Verbose: typing.TypeAlias = int | typing.Literal["auto"]
Reported: typing.TypeAlias = (  # metrics, for several outputs by output
    list[typing.Any] | tuple[typing.Any, ...] | dict[str, typing.Any] | None
)
Values: typing.TypeAlias = ByVariable
