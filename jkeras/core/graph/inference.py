"""The shapes and dtypes that a function gives: from `jax.eval_shape`, twice with two sizes in place
of the unknown ones.
"""

import jax
import numpy as np

from jkeras.core.graph.keras_tensor import KerasTensor, is_leaf, is_tensor
from jkeras.core.graph.sparse import is_sparse, sparse_stand_in

# in place of an unknown size, with many divisors: what differs between the two is unknown
UNKNOWN = (528, 624)


def shown(shape):
    """A shape for messages in a run on shapes alone: without what stands for unknown sizes.

    >>> shown((528, 3))
    (None, 3)
    """
    return tuple(None if size in UNKNOWN else size for size in shape)


def infer(function, structure, is_batchwise=False):
    """`function(structure)` on shapes alone: KerasTensors in, KerasTensors (without history) out.

    Unknown sizes stay unknown if the function takes them so, else they are those of the arrays
    beside them.

    Args:
        is_batchwise: see `Traits.is_batchwise`; such a function is run once where the number of
            samples alone is unknown, others twice, with different sizes.
    """
    leaves, treedef = jax.tree_util.tree_flatten(structure, is_leaf=is_leaf)
    try:
        return _infer(function, leaves, treedef, is_batchwise)
    except (TypeError, ValueError):
        completed = _completed(leaves)
        if completed is None:
            raise
    return _infer(function, completed, treedef)


def _completed(leaves):
    """The leaves with unknown sizes of KerasTensors taken from the others, axes aligned at the end;
    None: no change.
    """
    shapes = [leaf.shape for leaf in leaves if hasattr(leaf, "shape")]
    sizes = {-i: d for shape in shapes for i, d in enumerate(reversed(shape)) if d not in (1, None)}

    def complete(leaf):
        if not isinstance(leaf, KerasTensor):
            return leaf
        last = len(leaf.shape) - 1
        shape = [sizes.get(i - last) if d is None else d for i, d in enumerate(leaf.shape)]
        return KerasTensor(shape, leaf.dtype, sparse=leaf.sparse)

    completed = [complete(leaf) for leaf in leaves]
    changed = any(
        a.shape != b.shape for a, b in zip(leaves, completed) if isinstance(a, KerasTensor)
    )
    return completed if changed else None


def _infer(function, leaves, treedef, is_batchwise=False):
    positions = [i for i, leaf in enumerate(leaves) if isinstance(leaf, KerasTensor)]
    unknown = any(None in leaves[i].shape for i in positions)

    def abstract(fill):
        specs = [
            jax.ShapeDtypeStruct(
                tuple(fill if d is None else d for d in leaves[i].shape),
                jax.dtypes.canonicalize_dtype(leaves[i].dtype),
            )
            for i in positions
        ]

        def on_arrays(arrays):
            filled = list(leaves)
            for position, array in zip(positions, arrays):
                filled[position] = sparse_stand_in(array) if leaves[position].sparse else array
            return function(jax.tree_util.tree_unflatten(treedef, filled))

        return _shapes(on_arrays, specs)

    results = abstract(UNKNOWN[0])
    other_results = results
    if unknown:
        once = is_batchwise and all(map(_has_samples_alone, (leaves[i].shape for i in positions)))
        other_results = _for_other_samples(results) if once else None
        if other_results is None:
            other_results = abstract(UNKNOWN[1])

    def combine(a, b):
        if not isinstance(a, jax.ShapeDtypeStruct):
            return a
        shape = tuple(m if m == n else None for m, n in zip(a.shape, b.shape))
        return KerasTensor(shape, a.dtype, sparse=isinstance(a, _SparseSpec))

    return jax.tree_util.tree_map(combine, results, other_results, is_leaf=lambda v: v is None)


def _has_samples_alone(shape):
    """Whether of a shape the number of samples, its first size, is unknown and no other."""
    return shape[:1] == (None,) and None not in shape[1:]


def _for_other_samples(results):
    """What the results would be for the other number of samples, if this is their first size; None
    where one has another first size.
    """
    leaves, treedef = jax.tree_util.tree_flatten(results, is_leaf=is_leaf)
    if any(
        getattr(leaf, "shape", None) is None or leaf.shape[:1] != UNKNOWN[:1] for leaf in leaves
    ):
        return None
    others = [type(leaf)((UNKNOWN[1], *leaf.shape[1:]), leaf.dtype) for leaf in leaves]
    return jax.tree_util.tree_unflatten(treedef, others)


class _SparseSpec(jax.ShapeDtypeStruct):
    """Shape and dtype of a sparse array."""


def _shapes(function, specs):
    """eval_shape for functions whose result may also hold None, numbers, sparse arrays and the
    like.
    """
    captured = []

    def arrays_only(arrays):
        leaves, treedef = jax.tree_util.tree_flatten(function(arrays), is_leaf=is_leaf)
        captured[:] = treedef, [() if _is_dense(v) else (_sparse_spec(v),) for v in leaves]
        return [v for v in leaves if _is_dense(v)]

    shapes = iter(jax.eval_shape(arrays_only, specs))
    treedef, fixed = captured
    return jax.tree_util.tree_unflatten(treedef, [v[0] if v else next(shapes) for v in fixed])


def _is_dense(x):
    return is_tensor(x) or isinstance(x, np.ndarray)


def _sparse_spec(x):
    if is_sparse(x):
        return _SparseSpec(x.shape, x.dtype)
    return x
