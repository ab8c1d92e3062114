"""Weights as arrays by name, "dense/kernel": what `.safetensors` and `.npz` files hold."""

import collections.abc
import typing

import numpy as np

from jkeras.core.weights.structure import named_weights
from jkeras.core.weights.assigning import load_all
from jkeras.saving.checksums import Checksums
from jkeras.saving.weights import listed, refuse_or_warn
from jkeras.saving.types import KeyMap, Model

if typing.TYPE_CHECKING:
    from jkeras.core.weights.variable import Variable


class Stored(typing.NamedTuple):
    """An array in a file, before it is read.

    Attributes:
        read: function of `Checksums` for what is to be compared; gives the array.
        mapped: the same, gives the array as it lies in the file; None where that cannot be.
    """

    shape: tuple
    dtype: np.dtype
    read: collections.abc.Callable
    mapped: collections.abc.Callable | None = None


def collect(model: Model, key_map: KeyMap | None = None) -> "dict[str, Variable]":
    """{name in the file: variable} of all weights of a model.

    Args:
        key_map: dict or function from a weight's name to its name in the file.

    Raises:
        ValueError: two weights would get one name.
    """
    variables = {}
    for path, variable in named_weights(model):
        name = mapped("/".join(path), key_map)
        if name in variables:
            raise ValueError(
                f"`key_map` gives two weights of model '{model.name}' the name {name!r}: "
                f"'{variables[name].path}' and '{variable.path}'."
            )
        variables[name] = variable
    return variables


def mapped(name: str, key_map: KeyMap | None) -> str:
    """A name in a file for that of a weight.

    >>> mapped("dense/kernel", {"dense/kernel": "w"})
    'w'
    >>> mapped("a/b", lambda name: name.replace("/", "."))
    'a.b'
    """
    if key_map is None:
        return name
    if callable(key_map):
        new = key_map(name)
    else:
        new = key_map.get(name, name)
    if not isinstance(new, str) or not new:
        raise ValueError(f"`key_map` must give a name for '{name}'. Received: {new!r}")
    return new


def assign(
    model: Model,
    stored: collections.abc.Mapping[str, Stored],
    key_map: KeyMap | None = None,
    skip_mismatch: bool = False,
) -> None:
    """Gives the weights of a model the arrays of these names.

    Args:
        stored: {name: `Stored`}.
        skip_mismatch: leave weights alone that are missing or have another shape, with a warning.

    Raises:
        SerializationError: the names and shapes are not those of the model; nothing is changed.
    """
    variables = collect(model, key_map)
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    refuse_or_warn(
        model,
        _mismatches(shapes, stored),
        skip_mismatch,
        ". Rename with `key_map`, or pass `skip_mismatch=True` to load what fits.",
    )
    fitting = [n for n in variables if n in stored and stored[n].shape == shapes[n]]
    with Checksums() as sums:
        values = {name: stored[name].read(sums) for name in fitting}
        sums.finish()
    load_all((variables[name], value) for name, value in values.items())


def _mismatches(
    shapes: dict[str, tuple[int, ...]], stored: collections.abc.Mapping[str, Stored]
) -> list[str]:
    """What of a file does not fit weights of these shapes, in words."""
    mismatches = {
        "missing in the file": [name for name in shapes if name not in stored],
        "not in the model": [name for name in stored if name not in shapes],
        "of another shape": [
            f"{name}: {stored[name].shape} in the file, expected {shape}"
            for name, shape in shapes.items()
            if name in stored and stored[name].shape != shape
        ],
    }
    return [f"{what}: {listed(names)}" for what, names in mismatches.items() if names]
