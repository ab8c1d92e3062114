"""Where the arrays of a training lie when the session has a distribution; without one nothing here
does anything.
"""

import jax
import numpy as np

from jkeras.core.settings import settings
from jkeras.ops.kernels import on_cpu


def _replicated():
    """The sharding with a whole copy on each device."""
    return jax.sharding.NamedSharding(
        settings.distribution.device_mesh.backend_mesh, jax.sharding.PartitionSpec()
    )


def _is_placed(value):
    mesh = settings.distribution.device_mesh.backend_mesh
    return (
        isinstance(getattr(value, "sharding", None), jax.sharding.NamedSharding)
        and value.sharding.mesh == mesh
    )


def spread(state):
    """A state on the mesh: what lies there stays as it is, everything else gets a copy on each
    device.
    """
    if settings.distribution is None:
        return state
    everywhere = _replicated()
    return jax.tree_util.tree_map(
        lambda v: v if _is_placed(v) else jax.device_put(v, everywhere), state
    )


def shardings(state):
    """How the arrays of a state lie, for the outputs of a step that it goes through; None: as the
    compiler likes.
    """
    return (
        None
        if settings.distribution is None
        else jax.tree_util.tree_map(lambda v: v.sharding, state)
    )


def like(state, other):
    """A state with its arrays where those of another lie."""
    return jax.tree_util.tree_map(
        lambda v, o: jax.device_put(v, o.sharding) if _lies_on_many(o) else v, state, other
    )


def _lies_on_many(value):
    return len(getattr(value, "devices", set)()) > 1


def layout_of(shape):
    """The sharding of an array whose first axis is the batch; whole copies where it cannot be cut
    evenly.
    """
    distribution = settings.distribution
    if not shape or shape[0] % distribution.num_model_replicas:
        return _replicated()
    return distribution.get_data_layout(shape).backend_layout


def in_parts():
    """Whether each of several processes has rows of its own, rather than the same batches as the
    others.
    """
    distribution = settings.distribution
    return (
        distribution is not None and not distribution.auto_shard_dataset and jax.process_count() > 1
    )


def place(batch):
    """A batch of the host, cut along its first axis over the devices.

    Of a batch that all processes have each puts the rows on its devices that belong there.
    """
    if settings.distribution is None:
        return batch
    return jax.tree_util.tree_map(_place_part if in_parts() else _place_whole, batch)


def ahead(batch):
    """A batch of the host for a step to come: on the devices, where bringing it there costs less
    than it saves.

    On a CPU the compiled step takes numpy's arrays as they are, for less.
    """
    return place(batch) if settings.distribution is not None or on_cpu() else jax.device_put(batch)


def _place_whole(value):
    sharding = layout_of(np.shape(value))
    if jax.process_count() == 1:
        return jax.device_put(value, sharding)
    value = np.asarray(value)
    return jax.make_array_from_callback(value.shape, sharding, lambda index: value[index])


def _place_part(value):
    value = np.asarray(value)
    shape = whole_shape(value.shape, settings.distribution.num_model_replicas, jax.process_count())
    return jax.make_array_from_process_local_data(layout_of(shape), value, shape)


def whole_shape(part, replicas, processes):
    """The shape of a batch of which each process has a part.

    Args:
        part: shape of the part.
        replicas: in how many parts the mesh cuts a batch; processes that hold parts of one replica
            have the same rows.
        processes: how many there are.
    Raises:
        ValueError: the rows cannot be cut evenly.

    >>> whole_shape((6, 3), replicas=4, processes=2), whole_shape((6, 3), replicas=2, processes=8)
    ((12, 3), (12, 3))
    """
    rows = part[0] * min(replicas, processes)
    if rows % replicas:
        raise ValueError(
            f"A process gave {part[0]} rows of a batch, which makes {rows} rows of all processes: "
            f"expected a multiple of {replicas}, the parts in which the mesh cuts a batch. Give "
            "each process batches of one such size, and drop or fill up a smaller one at the end."
        )
    return (rows, *part[1:])


def constrain(batch):
    """Inside a compiled step: a batch cut over the devices."""
    if settings.distribution is None:
        return batch
    return jax.tree_util.tree_map(
        lambda v: jax.lax.with_sharding_constraint(v, layout_of(v.shape)), batch
    )


def everywhere(data):
    """Data as arrays on the device, with a distribution on each device of the mesh."""
    if settings.distribution is None:
        return jax.tree_util.tree_map(jax.numpy.asarray, data)
    return jax.tree_util.tree_map(lambda v: jax.device_put(v, _replicated()), data)


def to_host(value):
    """An array as a numpy array, also one whose parts lie with other processes."""
    if (
        isinstance(value, jax.Array)
        and not value.is_fully_addressable
        and not value.is_fully_replicated
    ):
        from jax.experimental import multihost_utils

        value = multihost_utils.process_allgather(value, tiled=True)
    return np.asarray(value)
