"""Rows of arrays, read in one pass into memory that the device takes as it is."""

import functools
import mmap
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from jkeras.core.system.host_memory import MemoryPool
from jkeras.core.session.settings import settings
from jkeras.training.data import placement
from jkeras.training.data.array_source import ArraySource
from jkeras.training.data.copying import FEWEST_SCATTERED, copy_into, in_parts
from jkeras.training.data.source import Batch
from jkeras.training.data.stored import Stored
from jkeras.training.data.workers import noted

PAGE = mmap.PAGESIZE  # bytes that the system reads at least


def read(values: Any, rows: np.ndarray, pool: MemoryPool) -> np.ndarray:
    """Rows of an array in the type that the device has for it, in one pass over them where that can
    be: in memory that a CPU as the device takes as it is.
    """
    out = _room(values, len(rows), pool)
    if isinstance(values, Stored):
        read_into = values.read_into
    elif isinstance(values, np.ndarray) and values.dtype == out.dtype:
        read_into = functools.partial(_take_into, values)
    else:
        out[...] = values[rows]
        return out
    if _lies_in_memory(values):
        in_parts(lambda part: read_into(rows[part], out[part]), out, FEWEST_SCATTERED)
    else:
        read_into(rows, out)
    return out


def _take_into(values: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
    np.take(values, rows, axis=0, out=out, mode="clip")  # "raise" would make a copy


def read_range(values: Any, rows: slice, pool: MemoryPool) -> np.ndarray:
    """The same of rows one after another. Those of a memory map for reading are taken as they are,
    where the device takes them so.
    """
    shared = _shared(values, rows)
    if shared is not None:
        return shared
    out = _room(values, rows.stop - rows.start, pool)
    if isinstance(values, Stored):
        values.read_range_into(rows, out)
    else:
        copy_into(values[rows], out)
    return out


def own_batches(
    source: ArraySource, seed: int | None, epoch: int, skip: int, on_devices: bool
) -> Iterator[Batch]:
    """As `source.batches`, in memory that nobody writes into.

    Args:
        on_devices: whether whole batches may lie there already, if the session has a distribution:
            of several processes each reads the rows for its own devices then.
    """
    is_cut = settings.distribution is not None and not placement.in_parts()
    whole = _read_own
    if on_devices and is_cut:
        whole = _read_for_devices
    return _read_in_order(source, source.order(seed, epoch), skip, whole)


def _read_in_order(
    source: ArraySource, order: np.ndarray, skip: int, whole: Callable
) -> Iterator[Batch]:
    for number, rows in source.rows(order, skip):
        is_smaller = (number + 1) * source.batch_size > source.size  # it may be filled up
        how = (whole, _read_own)[is_smaller]
        each = functools.partial(how, rows=rows, pool=source.pool)
        with noted(number, "the rows"):
            batch = jax.tree_util.tree_map(each, source.data)
        yield batch


def _read_own(values: Any, rows: slice | np.ndarray, pool: MemoryPool) -> np.ndarray | jax.Array:
    if isinstance(values, jax.Array):  # nobody writes into it
        return values[rows]
    if isinstance(rows, slice):
        return read_range(values, rows, pool)
    return read(values, rows, pool)


def _read_for_devices(values: Any, rows: slice | np.ndarray, pool: MemoryPool) -> jax.Array:
    count = _count_of(rows)

    @functools.cache  # a part may be for several devices
    def part(start: int, stop: int) -> np.ndarray | jax.Array:
        return _read_own(values, _part_of(rows, start, stop), pool)

    def at(index: tuple[slice, ...]) -> np.ndarray | jax.Array:
        start, stop, _ = index[0].indices(count)
        return part(start, stop)[(slice(None), *index[1:])]

    shape = count, *values.shape[1:]
    return jax.make_array_from_callback(shape, placement.layout_of(shape), at)


def _count_of(rows: slice | np.ndarray) -> int:
    if isinstance(rows, slice):
        return rows.stop - rows.start
    return len(rows)


def _part_of(rows: slice | np.ndarray, start: int, stop: int) -> slice | np.ndarray:
    if isinstance(rows, slice):
        return slice(rows.start + start, rows.start + stop)
    return rows[start:stop]


def _lies_in_memory(values: Any) -> bool:
    """Whether several threads read rows of it faster than one: not of what a library reads, which
    lets one in at a time.
    """
    if isinstance(values, Stored):
        values = values.value
    return isinstance(values, np.ndarray)


def _room(values: Any, count: int, pool: MemoryPool) -> np.ndarray:
    dtype = jax.dtypes.canonicalize_dtype(values.dtype)
    return pool.aligned((count, *values.shape[1:]), dtype)


def _shared(values: Any, rows: slice) -> np.ndarray | None:
    """Rows of what nothing can write into, once the system has read them; None: they have to be
    copied.
    """
    found = values
    if isinstance(values, Stored):
        found = values.in_map(rows)
    elif isinstance(values, np.ndarray):
        found = values[rows]
    if not placement.is_taken_as_it_is(found):
        return None
    found.reshape(-1).view(np.uint8)[::PAGE].any()  # or it would read them during a step
    return found
