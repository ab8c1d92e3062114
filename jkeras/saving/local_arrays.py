"""Trees of arrays, and JSON beside them, in a folder of one process: the parts of the arrays that
lie on its devices, one after another in a file.
"""

import json
import math
import os
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jkeras.core.errors import SerializationError
from jkeras.core.system.own_files import open_own
from jkeras.kernel.tree import flatten
from jkeras.saving import safe_json
from jkeras.saving.words import COUNT, DTYPE, TEXT as WORD, listing, row
from jkeras.saving.types import Bounds, FilePath, Path, Placed, Texts, Trees

INDEX, PARTS, TEXT = "index.json", "parts", "text.json"
BOUNDS = listing(row(COUNT, COUNT))
ROWS = listing(row(listing(WORD), listing(COUNT), DTYPE, BOUNDS, COUNT))


class LocalParts:
    """The parts of an array that this process has, on the host.

    Args:
        array: of JAX or numpy.

    >>> LocalParts(np.ones((2, 3))).parts[0][0]
    ((0, 2), (0, 3))
    """

    def __init__(self, array: Any) -> None:
        self.shape = tuple(np.shape(array))
        self.dtype = np.dtype(array.dtype)
        self.parts = [
            (_bounds(index, self.shape), np.array(part, copy=True))
            for index, part in _parts_of(array)
        ]


def folder_of_this_process(folder: FilePath) -> FilePath:
    """The path of the part of a folder that belongs to this process of a run, as two may run on one
    machine.
    """
    if jax.process_count() == 1:
        return folder
    return os.path.join(os.fsdecode(folder), f"process_{jax.process_index()}")


def copied(trees: Trees) -> Trees:
    """Copies of trees, which a training may go on beside."""
    return jax.tree_util.tree_map(LocalParts, trees)


def write(folder: str, trees: Trees, texts: Texts) -> None:
    """Writes into a new folder.

    Args:
        trees: {name: nested dict of arrays, or of what `copied` gives}.
        texts: {name: JSON data}.
    """
    for name, tree in trees.items():
        subfolder = os.path.join(folder, name)
        os.makedirs(subfolder)
        index = []
        with open_own(os.path.join(subfolder, PARTS)) as file:
            for path, array in flatten(tree):
                held = array if isinstance(array, LocalParts) else LocalParts(array)
                for bounds, part in held.parts:
                    index.append([path, held.shape, str(held.dtype), bounds, file.tell()])
                    file.write(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
        _write_json(os.path.join(subfolder, INDEX), index)
    for name, data in texts.items():
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        _write_json(os.path.join(folder, name, TEXT), data)


def covers(folder: str, name: str, like: Mapping[Path, Placed]) -> bool:
    """Whether the parts in a folder are those that this process needs.

    Args:
        like: {path: (shape, dtype, sharding)}.
    """
    saved = _index(folder, name)
    return all(
        _find(saved.get(path, {}), bounds, shape) is not None
        for path, (shape, _, sharding) in like.items()
        for bounds in _needed(shape, sharding)
    )


def read(folder: str, name: str, like: Mapping[Path, Placed]) -> dict[Path, Any]:
    """The arrays of a tree: {path: array}.

    Args:
        like: {path: (shape, dtype, sharding)}; sharding None: whole, on the host.
    """
    saved = _index(folder, name)
    parts = os.path.join(folder, name, PARTS)
    data = np.empty(0, np.uint8)
    if os.path.getsize(parts):  # else it cannot be mapped
        data = np.memmap(parts, np.uint8, "r")
    return {
        path: _array(data, saved[path], shape, np.dtype(dtype), sharding, parts)
        for path, (shape, dtype, sharding) in like.items()
    }


def read_text(folder: str, name: str) -> Any:
    """JSON data."""
    return safe_json.load(os.path.join(folder, name, TEXT), f"its part '{name}'")


def _array(
    data: np.ndarray,
    parts: dict[Bounds, int],
    shape: tuple[int, ...],
    dtype: np.dtype,
    sharding: jax.sharding.Sharding | None,
    file: str,
) -> np.ndarray | jax.Array:
    """An array from the bytes of a file, and {bounds: where a part begins in it}."""

    def part(bounds: Bounds) -> np.ndarray:
        whole = _find(parts, bounds, shape)
        sizes = [stop - start for start, stop in whole]
        begin = parts[whole]
        end = begin + math.prod(sizes) * dtype.itemsize
        if end > len(data):
            raise SerializationError(
                f"{file} is cut off: a part of an array should end at byte {end} of {len(data)}."
            )
        values = data[begin:end].view(dtype).reshape(sizes)
        inside = zip(bounds, whole)
        # a copy, since the file may be removed while the training uses the array
        return np.array(values[tuple(slice(a - low, b - low) for (a, b), (low, _) in inside)])

    if sharding is None:
        return part(_bounds(..., shape))
    return jax.make_array_from_callback(shape, sharding, lambda index: part(_bounds(index, shape)))


def _find(parts: dict[Bounds, int], bounds: Bounds, shape: tuple[int, ...]) -> Bounds | None:
    """The bounds of a saved part that contains a requested one, or None."""
    for candidate in (bounds, _bounds(..., shape)):
        if candidate in parts:
            return candidate
    return None


def _needed(shape: tuple[int, ...], sharding: jax.sharding.Sharding | None) -> set[Bounds]:
    """The bounds of the parts that this process needs."""
    if sharding is None:
        return {_bounds(..., shape)}
    indices = sharding.addressable_devices_indices_map(tuple(shape)).values()
    return {_bounds(index, shape) for index in indices}


def _parts_of(array: Any) -> list[tuple[Any, Any]]:
    """(index, values) of each different part that lies here."""
    if not isinstance(array, jax.Array) or array.is_fully_addressable:
        return [(..., np.asarray(array))]
    parts = {_bounds(shard.index, array.shape): shard for shard in array.addressable_shards}
    return [(shard.index, shard.data) for shard in parts.values()]


def _bounds(index: Any, shape: tuple[int, ...]) -> Bounds:
    """(start, stop) for each axis."""
    if index is ...:
        return tuple((0, size) for size in shape)
    return tuple(axis.indices(size)[:2] for axis, size in zip(index, shape))


def _index(folder: str, name: str) -> dict[Path, dict[Bounds, int]]:
    """{path: {bounds: where the part begins}}."""
    path = os.path.join(folder, name, INDEX)
    rows = safe_json.load(path, path)
    if not ROWS.holds(rows):
        raise SerializationError(f"{path} is damaged: expected {ROWS.words}.")
    saved = {}
    for path, _, _, bounds, begin in rows:
        saved.setdefault(tuple(path), {})[tuple(map(tuple, bounds))] = begin
    return saved


def _write_json(path: str, data: Any) -> None:
    with open_own(path, "w") as file:
        json.dump(data, file)
