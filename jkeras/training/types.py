"""The types of what a training hands on."""

import typing
from collections.abc import Mapping


from jkeras.core.weights.by_variable import ByVariable
from jkeras.core.weights.variable import Variable

Path: typing.TypeAlias = tuple[str, ...]
Tree: typing.TypeAlias = dict[str, typing.Any]  # a nested dict of arrays by path
Structure: typing.TypeAlias = typing.Any  # an array, or nested lists, tuples and dicts of arrays
Logs: typing.TypeAlias = Mapping[str, typing.Any]  # arrays or numbers by name
NamedVariables: typing.TypeAlias = list[tuple[Path, Variable]]
Values: typing.TypeAlias = ByVariable
