"""What an endpoint takes: one structure of specs for each argument, sizes that are not known as
symbols.
"""

import itertools

import jax
from jax import export

from jkeras.core import graph
from jkeras.core.building import as_specs
from jkeras.core.errors import ExportError, explain
from jkeras.core.input_spec import InputSpec
from jkeras.core.policy import standardize_dtype
from jkeras.kernel.spec import Spec

BATCH = "b"  # the symbol of all first axes whose size is not known


def signature_of(model):
    """The arguments of a model's call: those of its graph, or, for a subclass, of the shapes that
    it was built for.

    Raises:
        ValueError: the model is not built.
    """
    described = model.__dict__.get("_functional") or model
    if hasattr(described, "_inputs_struct"):
        struct = described._inputs_struct
        return struct if isinstance(struct, list) and len(struct) == 1 else [struct]
    shapes = list((model._build_shapes or {}).values()) if model.built else []
    if not shapes:
        raise ValueError(
            explain(
                model._where,
                "a model that knows its inputs",
                "one that is not built",
                "call it on data once, or give the `input_signature`",
            )
        )
    return jax.tree_util.tree_map(
        lambda spec: InputSpec(spec.dtype, (None, *spec.shape[1:])),
        [as_specs(shape, model._input_type) for shape in shapes],
        is_leaf=lambda spec: isinstance(spec, Spec),
    )


def standardized(signature, where):
    """The arguments as structures of `jax.ShapeDtypeStruct`.

    A first axis whose size is None is the same symbol in all of them; any other such axis has a
    symbol of its own.

    Args:
        signature: list of structures of `InputSpec`, `KerasTensor`, `jax.ShapeDtypeStruct` or
            arrays; of an array the first axis counts as not known. What is not a list is the only
            argument.
        where: names the endpoint in messages.

    Raises:
        TypeError: something else among them.
        ValueError: a spec without a shape or dtype, or one of texts.

    >>> standardized([InputSpec("float32", (None, 3)), InputSpec("int32", (None, None))], "it")
    (ShapeDtypeStruct(shape=(b, 3), dtype=float32), ShapeDtypeStruct(shape=(b, d1), dtype=int32))
    """
    arguments = tuple(signature) if isinstance(signature, (list, tuple)) else (signature,)
    leaves, treedef = jax.tree_util.tree_flatten(arguments)
    specs = [_shape_and_dtype(leaf, where) for leaf in leaves]
    given = [size for shape, _ in specs for size in shape if export.is_symbolic_dim(size)]
    scope = given[0].scope if given else export.SymbolicScope()
    names = map("d{}".format, itertools.count(1))

    def symbol(axis):
        return export.symbolic_shape(next(names) if axis else BATCH, scope=scope)[0]

    structs = [
        jax.ShapeDtypeStruct(
            [symbol(axis) if size is None else size for axis, size in enumerate(shape)], dtype
        )
        for shape, dtype in specs
    ]
    return jax.tree_util.tree_unflatten(treedef, structs)


def names_of(signature):
    """A name for each array: that of its `Input` or spec, or "input_0" and so on.

    >>> names_of([InputSpec(shape=(None, 3), name="a"), InputSpec(shape=(None, 3))])
    ['a', 'input_1']
    """

    def name(leaf):
        return (
            leaf._keras_history[0].name
            if hasattr(leaf, "_keras_history")
            else getattr(leaf, "name", None)
        )

    return [
        name(leaf) or f"input_{i}" for i, leaf in enumerate(jax.tree_util.tree_leaves(signature))
    ]


def _shape_and_dtype(leaf, where):
    """(shape with None, dtype) of a spec."""
    if not isinstance(leaf, (InputSpec, graph.KerasTensor, jax.ShapeDtypeStruct)) and not hasattr(
        leaf, "__array__"
    ):
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
    known = isinstance(leaf, (InputSpec, graph.KerasTensor, jax.ShapeDtypeStruct))
    shape = tuple(leaf.shape) if known else (None, *leaf.shape[1:])
    return shape, jax.dtypes.canonicalize_dtype(standardize_dtype(leaf.dtype))
