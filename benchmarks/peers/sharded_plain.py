"""The networks of `large_plain` over a mesh, as a loop by hand shards them: how weights and batches
lie, and what goes from block to block. Axes of the mesh are "batch" and, of two, "model".
"""

import math
import re

import jax
import jax.numpy as jnp
import optax
from jax.sharding import NamedSharding, PartitionSpec

from benchmarks.peers import plain

# a column or a row of devices has a part of each product (Shoeybi et al., 2019, arXiv:1909.08053)
COLUMNS = re.compile(r"(\d+(q|k|v|gate|up)|last)(/kernel)?|\d+(q|k|v|up)/bias|last/bias")
ROWS = re.compile(r"\d+(out|down)(/kernel)?|embedding")
SMALLEST = 1024  # elements of a weight that is cut along "batch"


def axes_of(name, shape, layout, mesh):
    """Along which axis of the mesh each axis of a weight is cut, or None."""
    axes = [None] * len(shape)
    if layout in ("tensor", "both"):
        if COLUMNS.fullmatch(name):
            axes[-1] = "model"
        elif ROWS.fullmatch(name):
            axes[0] = "model"
    if layout in ("fsdp", "both"):
        parts = mesh.shape["batch"]
        free = [i for i, size in enumerate(shape) if axes[i] is None and size % parts == 0]
        if free and math.prod(shape) >= SMALLEST:
            axes[max(free, key=lambda i: shape[i])] = "batch"
    return axes


def step_over(mesh, work, dtype, layout):
    """(step, its state as shapes that lie over the mesh, as `plain.make_step` has both)."""
    optimizer = optax.adam(1e-3)
    params, stats = jax.eval_shape(lambda: plain.start(work))

    def lying(axes):
        return NamedSharding(mesh, PartitionSpec(*axes))

    def shape_of(value, axes=()):
        return jax.ShapeDtypeStruct(value.shape, value.dtype, sharding=lying(axes))

    class Sharded(plain.Weights):
        """Parts along "batch", which save memory at rest, are put together for each use."""

        def __call__(self, name, *shape, make=None):
            value = super().__call__(name, *shape, make=make)
            axes = axes_of(name, value.shape, layout, mesh)
            used = [None if axis == "batch" else axis for axis in axes]
            return jax.lax.with_sharding_constraint(value, lying(used))

        def laid(self, x):
            return jax.lax.with_sharding_constraint(x, lying(["batch", *[None] * (x.ndim - 1)]))

    def over_mesh(path, value):
        """Adam's moments lie as their weights do."""
        return shape_of(value, axes_of(path[-1].key, value.shape, layout, mesh))

    params = jax.tree_util.tree_map_with_path(over_mesh, params)
    adam, rest = jax.eval_shape(optimizer.init, params)
    moments = [jax.tree_util.tree_map_with_path(over_mesh, one) for one in (adam.mu, adam.nu)]
    adam = adam._replace(count=shape_of(adam.count), mu=moments[0], nu=moments[1])
    sums = shape_of(jax.eval_shape(lambda: jnp.zeros(2)))
    state = params, jax.tree_util.tree_map(shape_of, stats), (adam, rest), sums
    compute = "bfloat16" if dtype == "mixed_bfloat16" else "float32"
    return plain.make_step(work, optimizer, compute, Sharded), state
