"""The lengths of a row's gradients without the gradients: from what goes into each operation that
takes params, and the gradient of what comes out of it (Goodfellow 2015, arXiv:1510.01799; Li et al.
2021, arXiv:2110.05679; of convolutions Bu et al. 2022, arXiv:2205.10683).

The loss of a row is read as a jaxpr. Wherever an operation takes params, a change of zero is added
to what it gives, and the loss is differentiated by these changes instead of by the params. So it
does not matter which layer the operation belongs to. Params that meet an operation without a
formula here, or several operations, have their gradient by row.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.explain.tape import Entry
from jkeras.ops.kernels import traced_for

# calls that only group what is in them; not those with a derivative of their own
GROUPS = ("jit", "pjit", "closed_call", "core_call", "checkpoint", "remat2")
# what leaves the length of an array as it is, where it leaves its size so
SAME_LENGTH = ("reshape", "transpose", "squeeze", "expand_dims", "broadcast_in_dim", "copy", "rev")

Tree = Any


@dataclasses.dataclass(eq=False)
class View:
    """Params as an operation takes them.

    Attributes:
        leaf: the number of the params' leaf.
        arrange: what makes the operand of the leaf: axes in another order, another precision.
    """

    leaf: int
    arrange: Callable


@dataclasses.dataclass(eq=False)
class Site:
    """An operation that takes params.

    Attributes:
        entry: the operation.
        views: by the place of an operand, those that are params.
    """

    entry: Entry
    views: dict[int, View]


def squares(loss: Callable, params: Tree, x: Any, y: Any) -> Tree:
    """The squared lengths of the gradients of one row, a tree like the params.

    Args:
        loss: `(params, x, y) -> (scalar, anything)`.

    >>> loss = lambda w, x, y: (((x @ w["kernel"]) ** 2).sum(), None)
    >>> params = {"kernel": jnp.ones((3, 2))}
    >>> squares(loss, params, jnp.ones(3), None)["kernel"]  # each of 6 is 2 * 3
    Array(216., dtype=float32)
    """
    with traced_for("plain"):
        # a product, lest the loss be one of the params and no operation take it
        closed = jax.make_jaxpr(lambda params, x, y: loss(params, x, y)[0] * 1)(params, x, y)
    leaves, treedef = jax.tree_util.tree_flatten(params)
    given = [*leaves, *jax.tree_util.tree_leaves((x, y))]
    sites: list[Site] = []

    def run(changes: list | None) -> tuple[jax.Array, list]:
        reading = _Reading(closed, len(leaves), changes)
        value = reading.run(given)
        sites[:] = reading.sites
        return value, (reading.operands, reading.outputs)

    _, (_, outputs) = jax.eval_shape(run, None)
    zeros = [[_zeros(output) for output in of_site] for of_site in outputs]
    slopes, (operands, _) = jax.grad(run, has_aux=True)(zeros)
    return treedef.unflatten(
        [
            _square_of_leaf(i, leaf, list(zip(sites, operands, slopes)))
            for i, leaf in enumerate(leaves)
        ]
    )


def _zeros(output):
    return jnp.zeros(output.shape, output.dtype) if _is_real(output) else None


def _is_real(value):
    return jnp.issubdtype(value.dtype, jnp.floating)


class _Reading:
    """Runs a jaxpr, whose first inputs are params, with changes at its sites.

    Attributes:
        sites, operands, outputs: of the operations that take params, in order.
    """

    def __init__(self, closed: Any, params: int, changes: list | None) -> None:
        self.closed, self.params, self.changes = closed, params, changes
        self.sites: list[Site] = []
        self.operands: list[list] = []
        self.outputs: list[list] = []

    def run(self, given: list) -> jax.Array:
        views = [View(i, lambda leaf: leaf) for i in range(self.params)]
        views += [None] * (len(given) - self.params)
        ((value, _),) = self._inside(self.closed.jaxpr, self.closed.consts, list(zip(given, views)))
        return value

    def _inside(self, jaxpr, consts, inputs):
        """(value, view) of each output of a jaxpr."""
        known = dict(zip(jaxpr.invars, inputs))
        known.update((v, (c, None)) for v, c in zip(jaxpr.constvars, consts))
        read = lambda v: (v.val, None) if hasattr(v, "val") else known[v]  # noqa: E731
        for eqn in jaxpr.eqns:
            known.update(zip(eqn.outvars, self._one(eqn, [read(v) for v in eqn.invars])))
        return [read(v) for v in jaxpr.outvars]

    def _one(self, eqn, inputs):
        values = [value for value, _ in inputs]
        views = {i: view for i, (_, view) in enumerate(inputs) if view is not None}
        entry = Entry(eqn.primitive, eqn.params, [], [], [], 0)
        if not views:
            return [(value, None) for value in entry.run(*values)]
        if eqn.primitive.name in GROUPS:
            inner = eqn.params.get("jaxpr", eqn.params.get("call_jaxpr"))
            return self._inside(
                getattr(inner, "jaxpr", inner), getattr(inner, "consts", []), inputs
            )
        if _keeps_length(eqn):
            view = views[0]
            (value,) = entry.run(*values)
            again = lambda leaf: entry.run(view.arrange(leaf))[0]  # noqa: E731
            return [(value, View(view.leaf, again))]
        return [(value, None) for value in self._at_site(Site(entry, views), values)]

    def _at_site(self, site, values):
        outputs = site.entry.run(*values)
        if self.changes is not None:
            changes = self.changes[len(self.sites)]
            outputs = [v if c is None else v + c for v, c in zip(outputs, changes)]
        self.sites.append(site)
        self.operands.append(values)
        self.outputs.append(outputs)
        return outputs


def _keeps_length(eqn):
    """Whether the output is the one input in another arrangement or precision."""
    if len(eqn.invars) != 1 or len(eqn.outvars) != 1:
        return False
    (given,), (gives,) = eqn.invars, eqn.outvars
    if eqn.primitive.name == "convert_element_type":
        return _is_real(gives.aval)
    return eqn.primitive.name in SAME_LENGTH and given.aval.size == gives.aval.size


# ---------------------------------------------------------------- lengths


def _square_of_leaf(leaf, value, met):
    """The squared length of the gradient of one leaf.

    Args:
        met: (site, its operands, slopes of its outputs) of all operations that take params.
    """
    uses = [
        (site, place, operands, slopes)
        for site, operands, slopes in met
        for place, view in site.views.items()
        if view.leaf == leaf
    ]
    if len(uses) == 1:
        site, place, operands, slopes = uses[0]
        formula = FORMULAS.get((site.entry.primitive.name, place))
        found = formula and formula(site.entry.params, operands, slopes[0])
        if found is not None:
            return found
    gradients = [_gradient(value, *use) for use in uses]
    return _square(sum(gradients)) if gradients else jnp.zeros((), "float32")


def _gradient(value, site, place, operands, slopes):
    """What a leaf's gradient gets from one operation."""

    def run(leaf: jax.Array) -> list:
        given = list(operands)
        given[place] = site.views[place].arrange(leaf)
        outputs = site.entry.run(*given)
        return [v for v, slope in zip(outputs, slopes) if slope is not None]

    _, pull = jax.vjp(run, value)
    return pull([slope for slope in slopes if slope is not None])[0]


def _square(array):
    return jnp.sum(_wide(array) ** 2)


def _wide(array):
    return array.astype(jnp.promote_types(array.dtype, "float32"))


def _of_product(left, right):
    """The squared length of left.T @ right, of arrays (positions, …): by whichever is smaller, the
    product or the products of positions with one another.
    """
    left, right = _wide(left), _wide(right)
    positions = left.shape[0]
    if positions == 1:
        return _square(left) * _square(right)
    if 2 * positions**2 <= left.shape[1] * right.shape[1]:
        return jnp.sum((left @ left.T) * (right @ right.T))
    return _square(left.T @ right)


def _of_dot(place):
    """The formula of a matrix product whose operand number `place` is params."""

    def square(params: dict, operands: list, slope: jax.Array) -> jax.Array | None:
        contracted, batched = params["dimension_numbers"]
        if batched[0]:
            return None
        other = operands[1 - place]
        inner = contracted[1 - place]
        free = [i for i in range(other.ndim) if i not in inner]
        positions = math.prod(other.shape[i] for i in free)
        rows = other.transpose(*free, *inner).reshape(positions, -1)
        if place == 0:  # the slope has the axes of the params first
            slope = jnp.moveaxis(slope, range(slope.ndim - len(free), slope.ndim), range(len(free)))
        return _of_product(rows, slope.reshape(positions, -1))

    return square


def _of_convolution(params: dict, operands: list, slope: jax.Array) -> jax.Array | None:
    if params["feature_group_count"] != 1 or params["batch_group_count"] != 1:
        return None
    dims = params["dimension_numbers"]
    kernel = operands[1].shape
    patches = jax.lax.conv_general_dilated_patches(
        operands[0],
        [kernel[axis] for axis in dims.rhs_spec[2:]],
        params["window_strides"],
        params["padding"],
        params["lhs_dilation"],
        params["rhs_dilation"],
        dimension_numbers=jax.lax.ConvDimensionNumbers(dims.lhs_spec, dims.rhs_spec, dims.out_spec),
    )
    channels = dims.out_spec[1]
    rows = jnp.moveaxis(patches, channels, -1)
    slope = jnp.moveaxis(slope, channels, -1)
    return _of_product(rows.reshape(-1, rows.shape[-1]), slope.reshape(-1, slope.shape[-1]))


def _of_rows(params: dict, operands: list, slope: jax.Array) -> jax.Array | None:
    """Of a table from which whole rows are taken."""
    table, indices = operands
    dims = params["dimension_numbers"]
    whole = (1, *table.shape[1:])
    if dims.start_index_map != (0,) or dims.collapsed_slice_dims != (0,):
        return None
    if tuple(params["slice_sizes"]) != whole or dims.operand_batching_dims:
        return None
    taken = indices.reshape(-1)
    positions = taken.shape[0]
    outer = [i for i in range(slope.ndim) if i not in dims.offset_dims]
    slope = slope.transpose(*outer, *dims.offset_dims).reshape(positions, -1)
    if positions**2 > table.size:
        return None
    mode = params["mode"]
    if mode == jax.lax.GatherScatterMode.CLIP:
        taken = jnp.clip(taken, 0, table.shape[0] - 1)
    elif mode == jax.lax.GatherScatterMode.FILL_OR_DROP:
        is_there = (taken >= 0) & (taken < table.shape[0])
        slope = jnp.where(is_there[:, None], slope, 0)
    slope = _wide(slope)
    return jnp.sum((slope @ slope.T) * (taken[:, None] == taken))


FORMULAS: dict[tuple[str, int], Callable] = {
    ("dot_general", 0): _of_dot(0),
    ("dot_general", 1): _of_dot(1),
    ("conv_general_dilated", 1): _of_convolution,
    ("gather", 0): _of_rows,
}
