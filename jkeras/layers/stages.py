"""Equal blocks in stages on devices of their own, which work on one microbatch each at a time."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import PartitionSpec

from jkeras.core.errors import explain
from jkeras.core.session.settings import settings
from jkeras.distribution.pipeline import STAGE
from jkeras.kernel.microbatch import cut, joined
from jkeras.distribution.mesh import TensorLayout

Tree = Any


def mesh_of_stages(where: str, stages: int | None) -> Any:
    """The session's `DeviceMesh` where it has an axis of stages, None where it has none.

    Args:
        where: the layer, for errors.
        stages: how many stages the layer has; None: none, and so no mesh.

    Raises:
        ValueError: the mesh has another number of stages.
    """
    distribution = settings.distribution
    if stages is None or distribution is None:
        return None
    mesh = distribution.device_mesh
    sizes = dict(zip(mesh.axis_names, mesh.devices.shape))
    if STAGE not in sizes:
        return None
    if sizes[STAGE] != stages:
        expected = f"as many `stages` as the session's mesh has, {sizes[STAGE]}"
        raise ValueError(explain(where, expected, f"stages={stages}"))
    return mesh


def layout_of_stages(mesh: Any, shape: tuple[int, ...]) -> TensorLayout:
    """The layout of what has all blocks along its first axis: each stage has its own blocks."""
    return TensorLayout([STAGE, *[None] * (len(shape) - 1)], mesh)


class Blocks(NamedTuple):
    """What differs from block to block, along the first axis of every array.

    Args:
        params, state: of the blocks.
        keys: of each block, or None.
    """

    params: Tree
    state: Tree
    keys: jax.Array | None


def in_stages(
    make_block: Callable,
    blocks: Blocks,
    x: jax.Array,
    visible: Tree,
    mesh: Any,
    microbatches: int,
) -> tuple[jax.Array, Tree, jax.Array]:
    """The blocks one after the other, a stage of them on each part of the mesh (GPipe).

    While the first stage takes microbatch 2, the second one takes microbatch 1, and so on. Of
    `microbatches + stages - 1` turns each stage works in `microbatches`.

    Args:
        make_block: `visible` of a microbatch -> function (x, blocks' slice) ->
            (y, (state, loss, seen)).
        x: (batch, ...).
        visible: what blocks get of what may be seen: a tree of arrays (batch, ...).
        mesh: a `DeviceMesh` with an axis of stages.
        microbatches: at most so many; as many as divide the batch evenly.

    Returns:
        (y, state of the blocks, sum of their losses, a mean over microbatches).

    References: Huang et al. 2019, arXiv:1811.06965.
    """
    count = math.gcd(x.shape[0], microbatches)
    stage = functools.partial(_stage, make_block, count)
    own, all_of_it = PartitionSpec(STAGE), PartitionSpec()
    on_devices = jax.shard_map(
        stage,
        mesh=mesh.backend_mesh,
        in_specs=(own, all_of_it, all_of_it),
        out_specs=own,
        axis_names={STAGE},
        check_vma=False,
    )
    # with axes that are left to the compiler there is something to compile
    y, state, losses = jax.jit(on_devices)(blocks, cut(x, count), cut(visible, count))
    return joined(y[-1]), state, losses.sum() / count


def _stage(make_block, count: int, blocks, parts, visible) -> Any:
    """What one stage does: (its outputs, state of its blocks, its loss), with an axis before."""
    stages, stage = lax.axis_size(STAGE), lax.axis_index(STAGE)
    onwards = [(i, i + 1) for i in range(stages - 1)]

    def turn(carry, number) -> Any:
        received, state, loss = carry
        microbatch = jnp.clip(number - stage, 0, count - 1)
        works = (number >= stage) & (number - stage < count)
        block = make_block(jax.tree_util.tree_map(lambda v: v[microbatch], visible))
        x = jnp.where(stage == 0, parts[microbatch], received)
        slices = (blocks.params, state, _keys_of(blocks.keys, microbatch), {})
        y, (changed, losses, _) = lax.scan(block, x, slices)
        state = jax.tree_util.tree_map(functools.partial(jnp.where, works), changed, state)
        loss = loss + jnp.where(works, losses.sum(), 0)
        return (lax.ppermute(y, STAGE, onwards), state, loss), y

    # a stage with nothing to do yet takes rows of the batch, whose derivatives are finite
    start = (parts[0], blocks.state, jnp.zeros(()))
    (_, state, loss), outputs = lax.scan(turn, start, jnp.arange(count + stages - 1))
    return outputs[stages - 1 :][None], state, loss[None]


def _keys_of(keys: Sequence[Any], microbatch) -> Any:
    if keys is None:
        return None
    return jax.vmap(lambda key: jax.random.fold_in(key, microbatch))(keys)
