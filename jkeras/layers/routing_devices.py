"""Experts that take all tokens that are routed to them, on several devices: each has some rows of
the batch, or some of the experts, or both.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
from jax import lax
from jax.sharding import PartitionSpec

from jkeras.core.session.settings import settings
from jkeras.layers.routing import Networks, through_experts
from jkeras.ops.mesh_axes import cutting, free_axes, manual_axes, size_of


class Cut(NamedTuple):
    """Along which axes of a mesh tokens and experts are cut.

    Attributes:
        tokens: of an array (groups, tokens, …).
        experts: axes that cut the experts; (): each device has all.
    """

    mesh: jax.sharding.Mesh
    tokens: PartitionSpec
    experts: tuple[str, ...]


def cut_of(shape: tuple[int, ...], groups: tuple[int, ...], experts: int) -> Cut | None:
    """How the session's distribution cuts tokens and experts; None: it does not.

    Args:
        shape: of the inputs of the layer.
        groups: of the same as (groups, tokens, features).
        experts: how many there are.
    """
    if settings.distribution is None:
        return None
    mesh = settings.distribution.device_mesh.backend_mesh
    axes = settings.distribution.get_data_layout(shape).axes
    tokens = [cutting(mesh, names, size) for names, size in zip(_of_groups(axes), groups)]
    used = sum(tokens, ())
    others = tuple(name for name in free_axes(mesh) if name not in used)
    others = cutting(mesh, others, experts)
    if used or others:
        return Cut(mesh, PartitionSpec(*(names or None for names in tokens)), others)
    return None


def _of_groups(axes: tuple) -> tuple:
    """What cuts groups and their tokens, by what cuts the axes of the inputs."""
    if len(axes) == 2:  # the batch is the tokens of one group
        return None, axes[0]
    if len(axes) == 3:
        return axes[:2]
    return axes[:1]  # the axes before the last two are one


def on_devices(
    cut: Cut,
    x: jax.Array,
    chosen: jax.Array,
    weights: jax.Array,
    experts: int,
    values: Mapping[str, jax.Array],
    networks_of: Callable[[Mapping[str, jax.Array]], Networks],
) -> jax.Array:
    """`through_experts` of all devices: no token is moved, each device lets its tokens through its
    own experts, and the sums go over the devices that have the others.

    Args:
        values: the weights of the networks, experts first.
        networks_of: gives the networks of some of them.
    """

    def local(x: Any, chosen: Any, weights: Any, values: Any) -> jax.Array:
        if not cut.experts:
            return through_experts(x, chosen, weights, experts, networks_of(values))
        count = experts // size_of(cut.mesh, cut.experts)
        first = lax.axis_index(cut.experts) * count
        y = through_experts(x, chosen, weights, count, networks_of(values), first)
        return lax.psum(y, cut.experts)

    of_experts = PartitionSpec(cut.experts or None)
    return jax.shard_map(
        local,
        mesh=None if manual_axes() else cut.mesh,
        in_specs=(cut.tokens, cut.tokens, cut.tokens, of_experts),
        out_specs=cut.tokens,
        axis_names=set(free_axes(cut.mesh)),
        check_vma=False,
    )(x, chosen, weights, dict(values))
