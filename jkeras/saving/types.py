"""The types of what files hold, and of what reads and writes it."""

import io
import os
import typing
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from jkeras.core.weights.variable import Variable

FilePath: typing.TypeAlias = str | bytes | os.PathLike
BinaryFile: typing.TypeAlias = io.RawIOBase | io.BufferedIOBase  # open, seekable
Config: typing.TypeAlias = dict[str, typing.Any]  # an object as JSON data
Path: typing.TypeAlias = tuple[str, ...]  # of an array in a nested dict
Arrays: typing.TypeAlias = dict[str, np.ndarray]
Trees: typing.TypeAlias = dict[str, dict[str, typing.Any]]  # {name: nested dict of arrays}
Texts: typing.TypeAlias = dict[str, typing.Any]  # {name: JSON data}
ArrayKind: typing.TypeAlias = tuple[tuple[int, ...], str]  # the shape and dtype of an array
Placed: typing.TypeAlias = tuple[tuple[int, ...], str, typing.Any]  # and its sharding, or None
Bounds: typing.TypeAlias = tuple[tuple[int, int], ...]  # (start, stop) for each axis
# a weight's name -> its name in the file
KeyMap: typing.TypeAlias = Mapping[str, str] | Callable[[str], str]
Reader: typing.TypeAlias = Callable[[int], typing.Any]  # of a step


class Target(typing.Protocol):
    """Takes the weights of a model."""

    def make(self, path: str, name: str | None) -> typing.Any:
        """What takes, by item assignment, the variables of the object at a path."""


class Source(typing.Protocol):
    """Has the weights of a model."""

    @property
    def layers(self) -> str:
        """The step of paths to a model's layers."""

    def find(self, path: str) -> Iterable[tuple[typing.Any, typing.Any]]:
        """(HDF5 group, its file) of the variables of the object at a path."""

    def verify(self) -> None:
        """Raises where what was read is not right."""


class Model(typing.Protocol):
    """A model, by what is asked of it where `models` cannot be imported, which comes later."""

    @property
    def name(self) -> str: ...

    @property
    def built(self) -> bool: ...

    @property
    def layers(self) -> list[typing.Any]: ...

    @property
    def weights(self) -> list[Variable]: ...

    @property
    def compiled(self) -> bool: ...

    @property
    def optimizer(self) -> typing.Any: ...

    def __call__(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any: ...

    def get_state_tree(self) -> dict[str, typing.Any]: ...

    def stored_compile_config(self) -> Config: ...

    def compile_from_config(self, config: Config) -> None: ...

    def private_record(self) -> list[dict] | dict | None: ...

    def take_private_record(self, record: typing.Any) -> None: ...
