"""The axes of meshes along which what is traced may be cut."""

import math
from collections.abc import Sequence

from typing import Any

import jax

from jkeras.core.session.settings import settings


def manual_axes() -> set[str]:
    """The axes of meshes that a `shard_map` around what is traced has cut already.

    >>> manual_axes()
    set()
    """
    mesh = jax.sharding.get_abstract_mesh()
    kinds = zip(mesh.axis_names, mesh.axis_types)
    return {name for name, kind in kinds if kind == jax.sharding.AxisType.Manual}


def free_axes(mesh: jax.sharding.Mesh) -> tuple[str, ...]:
    """The axes of a mesh along which the compiler would have to cut.

    >>> free_axes(jax.sharding.Mesh(jax.devices()[:1], ("batch",)))
    ()
    """
    manual = manual_axes()
    return tuple(name for name in mesh.axis_names if name not in manual and mesh.shape[name] > 1)


def size_of(mesh: jax.sharding.Mesh, names: Sequence[str]) -> int:
    """In how many parts some axes of a mesh cut.

    >>> size_of(jax.sharding.Mesh(jax.devices()[:1], ("batch",)), ("batch",))
    1
    """
    return math.prod(mesh.shape[name] for name in names)


def cutting(mesh: jax.sharding.Mesh, names: Any, size: int) -> tuple[str, ...]:
    """The free ones of some axes of a mesh, which cut an array's axis of a size; none where they do
    not divide it.

    Args:
        names: as a layout has them: one, several, or None.

    >>> cutting(jax.sharding.Mesh(jax.devices()[:1], ("batch",)), "batch", 8)
    ()
    """
    given = names if isinstance(names, tuple) else (names,)
    found = tuple(name for name in free_axes(mesh) if name in given)
    if size % size_of(mesh, found):
        return ()
    return found


def batch_axes(shape: tuple[int, ...]) -> tuple[jax.sharding.Mesh | None, tuple[str, ...]]:
    """(the mesh of the session's distribution, its axes that cut the first axis of data); (None,
    ()) without one.

    >>> batch_axes((8, 2))
    (None, ())
    """
    distribution = settings.distribution
    if distribution is None:
        return None, ()
    names = distribution.get_data_layout(shape).axes[0]
    if not isinstance(names, tuple):
        names = (names,)
    return distribution.device_mesh.backend_mesh, names


def is_one_program(mesh: jax.sharding.Mesh | None) -> bool:
    """Whether what is traced runs on one device, as far as that can be seen: a mesh of one, or the
    inside of a `shard_map`, or the only device that there is.

    Args:
        mesh: of the session's distribution; None: there is none.
    """
    if mesh is not None:
        return not free_axes(mesh)
    return jax.device_count() == 1 or bool(manual_axes())
