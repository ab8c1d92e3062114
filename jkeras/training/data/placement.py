"""Where the arrays of a training lie when the session has a distribution; without one nothing here
does anything.
"""

import contextlib
import functools
import typing
from collections.abc import Callable, Iterator

import jax
import numpy as np

from jkeras.core.system.host_memory import SMALLEST, MemoryPool, aligned, is_aligned
from jkeras.core.session.planned import here
from jkeras.core.session.settings import settings
from jkeras.core.session.spread import spread
from jkeras.ops.kernels import on_cpu
from jkeras.training.data.copying import copy_into

Tree = typing.TypeVar("Tree")  # a pytree of arrays


def replicated() -> jax.sharding.Sharding:
    """The sharding with a whole copy on each device."""
    mesh = settings.distribution.device_mesh.backend_mesh
    return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())


def is_placed(value: typing.Any) -> bool:
    """Whether an array, or a shape, lies on the mesh."""
    mesh = settings.distribution.device_mesh.backend_mesh
    sharding = getattr(value, "sharding", None)
    return isinstance(sharding, jax.sharding.NamedSharding) and sharding.mesh == mesh


def replicate(state: Tree) -> Tree:
    """A state on the mesh: what lies there stays as it is, everything else gets a copy on each
    device.
    """
    if settings.distribution is None:
        return state
    sharding = here(replicated())
    return jax.tree_util.tree_map(lambda v: v if is_placed(v) else spread(v, sharding), state)


def shardings(state: typing.Any) -> typing.Any:
    """How the arrays of a state lie, for the outputs of a step that it goes through; None: as the
    compiler likes.
    """
    if settings.distribution is None:
        return None
    return jax.tree_util.tree_map(lambda v: v.sharding, state)


def match_sharding(state: Tree, other: Tree) -> Tree:
    """A state with its arrays where those of another lie."""
    return jax.tree_util.tree_map(_matched, state, other)


def _matched(value: jax.Array, other: typing.Any) -> jax.Array:
    if len(getattr(other, "devices", set)()) > 1:
        return spread(value, other.sharding)
    return value


def layout_of(shape: tuple[int, ...]) -> jax.sharding.Sharding:
    """The sharding of an array whose first axis is the batch; whole copies where it cannot be cut
    evenly.
    """
    distribution = settings.distribution
    if not shape or shape[0] % distribution.num_model_replicas:
        return replicated()
    return distribution.get_data_layout(shape).backend_layout


def check_layouts() -> None:
    """Lets the distribution warn of layouts that are probably not meant so, once a step was traced,
    which has asked for all.
    """
    if settings.distribution is not None:
        settings.distribution.check_layouts()


def in_parts() -> bool:
    """Whether each of several processes has rows of its own, rather than the same batches as the
    others.
    """
    distribution = settings.distribution
    if distribution is None or distribution.auto_shard_dataset:
        return False
    return jax.process_count() > 1


def place(batch: Tree, keep: Callable[[np.ndarray], np.ndarray] | None = None) -> Tree:
    """A batch of the host, cut along its first axis over the devices.

    Of a batch that all processes have each puts the rows on its devices that belong there.

    Args:
        keep: makes of rows such that stay as they are, see `kept`; None: they do.
    """
    if settings.distribution is None:
        return batch
    here(replicated())
    place_array = _place_part if in_parts() else _place_whole
    return jax.tree_util.tree_map(lambda value: place_array(value, keep), batch)


def prefetch(batch: Tree, pool: MemoryPool, is_own: bool = True) -> Tree:
    """A batch of the host for a step to come: on the devices, where bringing it there costs less
    than it saves.

    On a CPU the compiled step takes numpy's arrays as they are, for less. It makes copies of those
    that do not lie as it wants them, in new memory: they are copied here, which may be in a thread
    that is ahead of it, into memory of the pool.

    Args:
        is_own: whether nobody writes into it.
    """
    keep = None
    if on_cpu():
        keep = functools.partial(kept, pool=pool, is_own=is_own)
    if settings.distribution is not None:
        return place(batch, keep)
    if keep is None:
        return jax.device_put(batch)
    return jax.tree_util.tree_map(keep, batch)


def kept(value: typing.Any, pool: MemoryPool, is_own: bool = False) -> typing.Any:
    """An array as a CPU takes it without a copy, that stays as it is: a copy of one that somebody
    may write into, such as a generator that fills the same one for each batch. The step that reads
    it may run later.

    >>> values = np.arange(4)
    >>> constant = kept(values, MemoryPool(1))
    >>> values[...] = 0
    >>> constant
    array([0, 1, 2, 3])
    """
    if not isinstance(value, np.ndarray):
        return value
    is_own = is_own or _is_constant(value)
    is_small = value.nbytes < SMALLEST
    if is_own and is_small:
        return value
    if is_own and is_aligned(value):
        return value
    if is_small:
        return np.array(value)
    array = pool.aligned(value.shape, jax.dtypes.canonicalize_dtype(value.dtype))
    copy_into(value, array)
    return array


def _place_whole(value: typing.Any, keep: Callable[[np.ndarray], np.ndarray] | None) -> jax.Array:
    layout = layout_of(np.shape(value))
    if is_placed(value) and value.sharding == layout:
        return value
    if keep is None or not isinstance(value, np.ndarray):
        return spread(value, layout)
    return jax.make_array_from_callback(value.shape, layout, lambda index: keep(value[index]))


def _place_part(value: typing.Any, keep: Callable[[np.ndarray], np.ndarray] | None) -> jax.Array:
    value = np.asarray(value)
    shape = whole_shape(value.shape, settings.distribution.num_model_replicas, jax.process_count())
    if keep is not None:
        value = keep(value)
    layout = layout_of(shape)
    first = _first_row_here(layout, shape, len(value))
    if first is None:
        return jax.make_array_from_process_local_data(layout, value, shape)

    def at(index: tuple[slice, ...]) -> np.ndarray:
        start, stop, _ = index[0].indices(shape[0])
        return value[(slice(start - first, stop - first), *index[1:])]

    return jax.make_array_from_callback(shape, layout, at)


@functools.lru_cache
def _first_row_here(
    layout: jax.sharding.Sharding, shape: tuple[int, ...], count: int
) -> int | None:
    """The first row of the part of this process, of so many rows; None: they do not follow one
    another.

    JAX finds out what lies where anew for each array, which takes longer than a small batch does.
    """
    places = layout.addressable_devices_indices_map(shape).values()
    parts = [index[0].indices(shape[0]) for index in places]
    first = min(start for start, *_ in parts)
    last = max(stop for _, stop, _ in parts)
    if last - first != count:
        return None
    return first


def whole_shape(shape: tuple[int, ...], replicas: int, processes: int) -> tuple[int, ...]:
    """The shape of a batch of which each process has a part.

    Args:
        shape: of the part.
        replicas: in how many parts the mesh cuts a batch; processes that hold parts of one replica
            have the same rows.
        processes: how many there are.
    Raises:
        ValueError: the rows cannot be cut evenly.

    >>> whole_shape((6, 3), replicas=4, processes=2), whole_shape((6, 3), replicas=2, processes=8)
    ((12, 3), (12, 3))
    """
    rows = shape[0] * min(replicas, processes)
    if rows % replicas:
        raise ValueError(
            f"A process gave {shape[0]} rows of a batch, which makes {rows} rows of all processes: "
            f"expected a multiple of {replicas}, the parts in which the mesh cuts a batch. Give "
            "each process batches of one such size, and drop or fill up a smaller one at the end."
        )
    return (rows, *shape[1:])


@contextlib.contextmanager
def undistributed() -> Iterator[None]:
    """In the block nothing is cut over devices but what is so already: each works on its own
    members of an ensemble.
    """
    distribution, settings.distribution = settings.distribution, None
    try:
        yield
    finally:
        settings.distribution = distribution


def constrain(batch: Tree) -> Tree:
    """Inside a compiled step: a batch cut over the devices."""
    if settings.distribution is None:
        return batch
    return jax.tree_util.tree_map(
        lambda v: jax.lax.with_sharding_constraint(v, layout_of(v.shape)), batch
    )


def everywhere(data: Tree) -> Tree:
    """Data as arrays on the device, with a distribution on each device of the mesh."""
    if settings.distribution is None:
        return jax.tree_util.tree_map(jax.numpy.asarray, data)
    sharding = here(replicated())
    return jax.tree_util.tree_map(lambda v: spread(v, sharding), data)


def taken_along(data: Tree) -> Tree:
    """Data of the host for a single dispatch, with a distribution on each device of the mesh.

    Without one the compiled step takes numpy's arrays as they are, for less than `everywhere`.
    """
    if settings.distribution is None:
        return data
    return everywhere(data)


def put_once(data: Tree) -> Tree:
    """Data for many dispatches, where they take it without a copy: on the device, with a
    distribution on each device of the mesh.

    A CPU takes it from the host, and `device_put` is as slow as some steps of a small model.
    """
    if settings.distribution is not None:
        return everywhere(data)
    return jax.tree_util.tree_map(_put_once if on_cpu() else jax.device_put, data)


def _put_once(value: np.ndarray | jax.Array) -> np.ndarray | jax.Array:
    if isinstance(value, jax.Array):
        return jax.device_put(value)
    dtype = jax.dtypes.canonicalize_dtype(value.dtype)
    is_written = value.dtype != dtype or value.flags.writeable
    if not is_written and _is_constant(value) and is_aligned(value):
        return np.asarray(value)
    array = aligned(value.shape, dtype)
    array[...] = value
    return array


def is_taken_as_it_is(value: typing.Any) -> bool:
    """Whether an array of numpy can be handed to the device without a copy that belongs to us:
    nothing can write into it, and where the device is a CPU, that reads it where it lies.
    """
    if not isinstance(value, np.ndarray) or not _is_constant(value):
        return False
    if value.dtype != jax.dtypes.canonicalize_dtype(value.dtype):
        return False
    if on_cpu():
        return is_aligned(value)
    return value.flags.c_contiguous


def _is_constant(value: typing.Any) -> bool:
    """Whether nothing can write into an array, such as a memory map for reading."""
    while isinstance(value, np.ndarray):
        if value.flags.writeable:
            return False
        value = value.base
    return True


def to_host(value: typing.Any) -> np.ndarray:
    """An array as a numpy array, also one whose parts lie with other processes."""
    if (
        isinstance(value, jax.Array)
        and not value.is_fully_addressable
        and not value.is_fully_replicated
    ):
        from jax.experimental import multihost_utils

        value = multihost_utils.process_allgather(value, tiled=True)
    return np.asarray(value)


def is_on_one_device(value: typing.Any) -> bool:
    """Whether a value is an array that lies on one device alone."""
    return type(getattr(value, "sharding", None)) is jax.sharding.SingleDeviceSharding


def own_array(value: typing.Any) -> np.ndarray:
    """An array as a numpy array to write into: a copy of what JAX, or anybody else, holds too."""
    if is_on_one_device(value):
        return np.array(value)
    array = to_host(value)
    flags = array.flags
    is_own = flags.owndata and flags.writeable
    return array if is_own else array.copy()
