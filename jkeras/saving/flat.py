"""Weights as arrays by name, "dense/kernel": what `.safetensors` and `.npz` files hold."""

import collections.abc
import typing

import jax
import numpy as np

from jkeras.core.structure import named_weights
from jkeras.saving.checksums import Checksums
from jkeras.saving.weights import listed, refuse_or_warn


class Stored(typing.NamedTuple):
    """An array in a file, before it is read.

    Attributes:
        read: function of `Checksums` for what is to be compared; gives the array.
    """

    shape: tuple
    dtype: np.dtype
    read: collections.abc.Callable


def collect(model, key_map=None):
    """{name in the file: variable} of all weights of a model.

    Args:
        key_map: dict or function from a weight's name to its name in the file.

    Raises:
        ValueError: two weights would get one name.
    """
    found = {}
    for path, variable in named_weights(model):
        name = mapped("/".join(path), key_map)
        if name in found:
            raise ValueError(
                f"`key_map` gives two weights of model '{model.name}' the name {name!r}: "
                f"'{found[name].path}' and '{variable.path}'."
            )
        found[name] = variable
    return found


def mapped(name, key_map):
    """A name in a file for that of a weight.

    >>> mapped("dense/kernel", {"dense/kernel": "w"}), mapped("a/b", lambda name: name.replace("/", "."))
    ('w', 'a.b')
    """
    if key_map is None:
        return name
    new = key_map(name) if callable(key_map) else key_map.get(name, name)
    if not isinstance(new, str) or not new:
        raise ValueError(f"`key_map` must give a name for '{name}'. Received: {new!r}")
    return new


def assign(model, stored, key_map=None, skip_mismatch=False):
    """Gives the weights of a model the arrays of these names.

    Args:
        stored: {name: `Stored`}.
        skip_mismatch: leave weights alone that are missing or have another shape, with a warning.

    Raises:
        SerializationError: the names and shapes are not those of the model; nothing is changed.
    """
    mine = collect(model, key_map)
    missing, extra = [n for n in mine if n not in stored], [n for n in stored if n not in mine]
    other = [
        f"{n}: {stored[n].shape} in the file, expected {tuple(v.shape)}"
        for n, v in mine.items()
        if n in stored and stored[n].shape != tuple(v.shape)
    ]
    refuse_or_warn(
        model,
        [
            f"{what}: {listed(names)}"
            for what, names in (
                ("missing in the file", missing),
                ("not in the model", extra),
                ("of another shape", other),
            )
            if names
        ],
        skip_mismatch,
        ". Rename with `key_map`, or pass `skip_mismatch=True` to load what fits.",
    )
    with Checksums() as sums:
        values = [
            (v, stored[n].read(sums))
            for n, v in mine.items()
            if n in stored and stored[n].shape == tuple(v.shape)
        ]
        sums.finish()
    for variable, value in values:
        variable.assign(jax.device_put(value))
