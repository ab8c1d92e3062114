"""How much memory a compiled program takes, and how much a device has left, before arrays are given
away that nothing would bring back.
"""

import typing
from typing import Any

import jax
import numpy as np

from jkeras.core.system.free_memory import free_on_host

LITTLE = 2**26  # bytes that no step fails for, so that what is free is not read
MARGIN = 4  # times the compiler's estimate: no program takes as much
ADVICE = (
    "Use a smaller `batch_size`; `compile(microbatches=...)`, which takes a batch in parts, with "
    "the same result; a `RematScope`; or a policy of 16 bits."
)


def needed(compiled: Any) -> int:
    """The bytes that a compiled program takes on each device beside its arguments, by the
    compiler's own estimate; 0 where it has none.

    >>> program = jax.jit(lambda x: x + 1.0).lower(jax.ShapeDtypeStruct((1000,), "float32"))
    >>> needed(program.compile())
    4000
    """
    sizes = estimate(compiled)
    return 0 if sizes is None else sizes.temporary + sizes.results


class Estimate(typing.NamedTuple):
    """The bytes that a compiled program takes on each device.

    Attributes:
        arguments: as they lie there, where layouts fill up tiles.
        temporary: while it runs.
        results: those that do not replace arguments.
        code: of the program itself.
    """

    arguments: int
    temporary: int
    results: int
    code: int


def estimate(compiled: Any) -> Estimate | None:
    """What the compiler says; None where it says nothing that is used here."""
    try:
        sizes = compiled.memory_analysis()
        results = sizes.output_size_in_bytes - sizes.alias_size_in_bytes
        given, code = sizes.argument_size_in_bytes, sizes.generated_code_size_in_bytes
        return Estimate(given, sizes.temp_size_in_bytes, results, code)
    except (AttributeError, NotImplementedError, RuntimeError):  # not every runtime can tell
        return None


def check(needs: int, arguments: Any, what: str) -> None:
    """Sees that the devices of some arrays have so many bytes left.

    Args:
        needs: bytes on each of them.
        arguments: pytree of the arrays.
        what: takes the memory, for the message.

    Raises:
        MemoryError: one has not.
    """
    devices = _devices(arguments)
    free = _free(devices)
    if free is None or free >= needs:
        return
    # the program before this one may be running, and give back what it has
    jax.block_until_ready(arguments)
    free = _free(devices)
    if free is None or free >= needs:
        return
    raise MemoryError(
        f"{what} needs {_text(needs)} of memory beside the model and its data, and {devices[0]} "
        f"has {_text(free)} left. It was not run, and the model is as it was. {ADVICE}"
    )


def is_scarce(needs: int, arguments: Any) -> bool:
    """Whether a program would fail that takes more than the compiler's estimate, several times as
    much; True where that is unknown.

    Args:
        needs: the estimate, in bytes on each device.
        arguments: pytree of the arrays.
    """
    free = _free(_devices(arguments))
    return free is None or free < MARGIN * needs


def host_copies(trees: Any) -> Any:
    """Arrays on the host, those of several processes copied where they are."""
    return jax.tree_util.tree_map(_host_copy, trees)


def _host_copy(value: Any) -> Any:
    if not isinstance(value, jax.Array):
        return value
    if jax.dtypes.issubdtype(value.dtype, jax.dtypes.extended) or not value.is_fully_addressable:
        return jax.device_put(value, may_alias=False)
    return np.asarray(value)  # on a CPU a view, which keeps the array from being consumed


def on_devices(trees: Any, like: Any) -> Any:
    """What `host_copies` gave, on the devices of the original arrays."""
    return jax.tree_util.tree_map(_on_device, trees, like)


def _on_device(value: Any, like: Any) -> Any:
    if isinstance(value, np.ndarray) and isinstance(like, jax.Array):
        return jax.device_put(value, like.sharding)
    return value


def as_memory_error(error: Exception, what: str) -> Exception:
    """An error of the runtime, as MemoryError where it is one of memory."""
    if not any(sign in str(error) for sign in ("RESOURCE_EXHAUSTED", "Out of memory")):
        return error
    return MemoryError(f"{what} ran out of memory ({error}). The model is as it was. {ADVICE}")


def _devices(arguments: Any) -> list:
    """The devices of this process that arrays lie on."""
    for leaf in jax.tree_util.tree_leaves(arguments):
        if isinstance(leaf, jax.Array):
            return sorted(leaf.sharding.addressable_devices, key=lambda device: device.id)
    return []


def _free(devices: list) -> int | None:
    """The bytes that the fullest device has left; None where unknown."""
    limits = []
    for device in devices:
        if device.platform == "cpu":  # whose devices share one memory
            limits.append(free_on_host(len(devices)))
            break
        stats = device.memory_stats() or {}
        if "bytes_limit" in stats:
            limits.append(stats["bytes_limit"] - stats["bytes_in_use"])
    return min((free for free in limits if free is not None), default=None)


def _text(size: int) -> str:
    """A number of bytes, for people.

    >>> _text(12_800_000_000), _text(3 * 2**20)
    ('11.9 GiB', '3.0 MiB')
    """
    if size >= 2**30:
        return f"{size / 2**30:.1f} GiB"
    return f"{max(size, 0) / 2**20:.1f} MiB"
