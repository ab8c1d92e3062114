"""What an endpoint takes: one structure of specs for each argument, sizes that are unknown as
symbols.
"""

import itertools
from typing import TYPE_CHECKING, Any

import jax
from jax import export

from jkeras.core.graph import graph
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.run.building import as_specs
from jkeras.core.errors import ExportError, explain, place_of
from jkeras.core.graph.input_spec import InputSpec
from jkeras.core.names.dtypes import standardize_dtype
from jkeras.kernel.spec import Spec

if TYPE_CHECKING:
    from jkeras.saving.types import Model

BATCH = "b"  # the symbol of all first axes whose size is unknown


def signature_of(model: "Model") -> list:
    """The arguments of a model's call: those of its graph, or, for a subclass, of the shapes that
    it was built for.

    Raises:
        ValueError: the model is not built.
    """
    model_graph = graph.graph_of(getattr(model, "_functional", None) or model)
    if model_graph is not None:
        struct = model_graph.inputs
        if isinstance(struct, list) and len(struct) == 1:
            return struct
        return [struct]
    shapes = []
    if model.built:
        shapes = list((model._build_shapes or {}).values())
    if not shapes:
        raise ValueError(
            explain(
                place_of(model),
                "a model that knows its inputs",
                "one that is not built",
                "call it on data once, or give the `input_signature`",
            )
        )
    arguments = [as_specs(shape, model._input_type) for shape in shapes]
    return jax.tree_util.tree_map(
        lambda spec: InputSpec(spec.dtype, (None, *spec.shape[1:])),
        arguments,
        is_leaf=lambda spec: isinstance(spec, Spec),
    )


def standardized(signature: Any, where: str) -> tuple:
    """The arguments as structures of `jax.ShapeDtypeStruct`.

    A first axis whose size is None is the same symbol in all of them; any other such axis has a
    symbol of its own.

    Args:
        signature: list of structures of `InputSpec`, `KerasTensor`, `jax.ShapeDtypeStruct` or
            arrays; of an array the first axis counts as unknown. What is not a list is the only
            argument.
        where: names the endpoint in messages.

    Raises:
        TypeError: something else among them.
        ValueError: a spec without a shape or dtype, or one of texts.

    >>> standardized([InputSpec("float32", (None, 3)), InputSpec("int32", (None, None))], "it")
    (ShapeDtypeStruct(shape=(b, 3), dtype=float32), ShapeDtypeStruct(shape=(b, d1), dtype=int32))
    """
    if not isinstance(signature, (list, tuple)):
        signature = (signature,)
    leaves, treedef = jax.tree_util.tree_flatten(tuple(signature))
    specs = [_shape_and_dtype(leaf, where) for leaf in leaves]
    symbols = [size for shape, _ in specs for size in shape if export.is_symbolic_dim(size)]
    scope = symbols[0].scope if symbols else export.SymbolicScope()
    numbers = itertools.count(1)

    def static(axis: int, size: Any) -> Any:
        if size is not None:
            return size
        name = f"d{next(numbers)}" if axis else BATCH
        return export.symbolic_shape(name, scope=scope)[0]

    structs = [
        jax.ShapeDtypeStruct([static(axis, size) for axis, size in enumerate(shape)], dtype)
        for shape, dtype in specs
    ]
    return jax.tree_util.tree_unflatten(treedef, structs)


def names_of(signature: Any, unnamed: list[str] | None = None) -> list[str]:
    """A name for each array: that of its `Input` or spec, or "input_0" and so on.

    Args:
        unnamed: names for those without one, instead.

    >>> names_of([InputSpec(shape=(None, 3), name="a"), InputSpec(shape=(None, 3))])
    ['a', 'input_1']
    """
    leaves = jax.tree_util.tree_leaves(signature)
    unnamed = unnamed or [f"input_{i}" for i in range(len(leaves))]
    return [_name_of(leaf) or other for leaf, other in zip(leaves, unnamed, strict=True)]


def _name_of(leaf: Any) -> str | None:
    if hasattr(leaf, "_keras_history"):
        return graph.operation_of(leaf).name
    return getattr(leaf, "name", None)


def _shape_and_dtype(leaf: Any, where: str) -> tuple[tuple, Any]:
    """(shape with None, dtype) of a spec."""
    is_spec = isinstance(leaf, (InputSpec, KerasTensor, jax.ShapeDtypeStruct))
    if not is_spec and not hasattr(leaf, "__array__"):
        raise TypeError(
            explain(
                f"`input_signature` of {where}",
                "for each argument a structure of `InputSpec`, "
                "`KerasTensor`, `jax.ShapeDtypeStruct` or arrays",
                f"{leaf!r} (of type {type(leaf).__name__}) in it",
            )
        )
    if leaf.shape is None or leaf.dtype is None:
        raise ValueError(
            explain(
                f"`input_signature` of {where}", "a shape and a dtype for each array", f"{leaf!r}"
            )
        )
    if str(leaf.dtype) == "string":
        raise ExportError(
            explain(
                where,
                "arrays of numbers",
                "an input of texts",
                "export the layers behind those that take texts, and run these before the program",
            )
        )
    shape = tuple(leaf.shape)
    if not is_spec:
        shape = (None, *shape[1:])
    return shape, jax.dtypes.canonicalize_dtype(standardize_dtype(leaf.dtype))
