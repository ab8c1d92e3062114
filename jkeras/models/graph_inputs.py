"""The arguments of a graph, as values in the order and form of its own inputs."""

import warnings
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.graph.by_identity import ByIdentity
from jkeras.core.graph import inference, keras_tensor
from jkeras.kernel.scope import is_abstract
from jkeras.core.names.dtypes import is_float
from jkeras.core.errors import explain
from jkeras.core.graph.graph import operation_of
from jkeras.core.graph.host_numbers import Ids, InputTypes, of_one, part_at, refuse_masked
from jkeras.core.graph.host_numbers import fitted as fitted_to_device
from jkeras.core.graph.keras_tensor import KerasTensor

if TYPE_CHECKING:
    from jkeras.core.graph.graph import Node
    from jkeras.training.types import Structure


def fitted(
    struct: "Structure",
    tensors: list[KerasTensor],
    names: list[str],
    inputs: "Structure",
    where: str,
    any_size: bool = False,
) -> list:
    """The values in the order of the graph's inputs, with the rank and dtype, and unless `any_size`
    the sizes, that these have.

    Args:
        struct: the structure of the graph's inputs.
        tensors, names: of the inputs, flat.
        inputs: the arguments.
        where: whose they are, for errors.

    Raises:
        ValueError: values that are missing or of another shape.
    """
    values = _in_order(struct, names, inputs, where)
    if len(values) != len(tensors):
        advice = "pass one array for each input"
        if len(tensors) == 1 and len(values) in (2, 3):
            advice += ". Labels are an argument of their own, `fit(x, y)`; rows in a list are one "
            advice += "array by `np.stack(x)`"
        raise ValueError(
            f"{where} expects {len(tensors)} input(s) {names}, but it received {len(values)}. "
            f"To fix it: {advice}."
        )
    return [_fitted(v, t, where, any_size) for v, t in zip(values, tensors)]


def warn_of_other_structure(
    struct: "Structure", inputs: "Structure", where: str, warned: set[str]
) -> None:
    """Warns where a graph whose inputs have names gets something else: values without names, or
    more of them, which are left out.

    Args:
        warned: what was warned of before, which is added to.
    """
    if not isinstance(struct, dict):
        return
    received = type(inputs).__name__
    if isinstance(inputs, dict):
        if set(inputs) <= set(struct):
            return
        received = f"the names {list(inputs)}"
    if received in warned:
        return
    warned.add(received)
    warnings.warn(
        f"The structure of `inputs` doesn't match the expected structure of {where}: a dict of the "
        f"names {list(struct)}. Received: {received}.",
        stacklevel=2,
    )


def _in_order(struct: "Structure", names: list[str], inputs: "Structure", where: str) -> list:
    """The values of a structure, flat, in the order of the graph's inputs."""
    if isinstance(inputs, dict):
        if isinstance(struct, dict):
            return _of_dict(struct, inputs, where)
        return _by_name(names, inputs, where)
    if isinstance(struct, dict) and list(struct) != sorted(struct):
        expected = f"a dict of the inputs {list(struct)}"
        advice = "pass the inputs by their names: their order is not that of the alphabet"
        raise ValueError(explain(where, expected, f"a {type(inputs).__name__}", advice))
    return keras_tensor.flatten(inputs)


def _of_dict(struct: dict[str, KerasTensor], inputs: dict[str, Any], where: str) -> list:
    missing = [key for key in struct if key not in inputs]
    if missing:
        advice = f"pass {missing} too"
        raise ValueError(explain(where, f"inputs {list(struct)}", f"inputs {list(inputs)}", advice))
    values = [inputs[key] for key in sorted(struct)]
    if any(isinstance(v, (dict, list, tuple)) for v in values):
        return keras_tensor.flatten({key: inputs[key] for key in struct})
    return values


def _by_name(names: list[str], inputs: dict[str, Any], where: str) -> list:
    unknown = [name for name in names if name not in inputs]
    if unknown:
        received = f"a dict of {list(inputs)}"
        raise ValueError(explain(where, f"inputs {names}", received, f"pass {unknown} too"))
    return [inputs[name] for name in names]


def _fitted(value: Any, tensor: KerasTensor, where: str, any_size: bool) -> Any:
    """One value with the rank and dtype of its input; an axis of length 1 at the end may come or
    go.
    """
    if value is None:
        if getattr(operation_of(tensor), "optional", False):
            return None
        expected = f"an array for input '{input_name(tensor)}', which is not optional"
        raise ValueError(explain(where, expected, "None"))
    expected, shape = tensor.shape, _without_or_with_last_axis(tuple(value.shape), tensor.shape)
    # a fixed batch size is only a hint
    has_sizes = any_size or all(map(_may_be, shape[1:], expected[1:]))
    if len(shape) != len(expected) or not has_sizes:
        fix = "reshape the data, or change the shape given to `Input`"
        if len(shape) == len(expected) - 1 and all(map(_may_be, shape, expected[1:])):
            fix = "one row is a batch of one: `x[None]`"
        raise ValueError(
            f"Input '{input_name(tensor)}' of {where} is incompatible with the layer: expected "
            f"shape={expected}, found shape={tuple(value.shape)}; received shape "
            f"{tuple(value.shape)}. To fix it: {fix}."
        )
    if isinstance(value, KerasTensor):
        return KerasTensor(shape, tensor.dtype, name=value.name)
    if value.shape != shape:
        value = value.reshape(shape)
    return _cast(value, jax.dtypes.canonicalize_dtype(tensor.dtype), tensor, where)


def _cast(value: Any, dtype: Any, tensor: KerasTensor, where: str) -> Any:
    """A value in the dtype of its input."""
    if value.dtype == dtype:
        return value
    if jnp.iscomplexobj(value) and not jnp.issubdtype(dtype, jnp.complexfloating):
        warnings.warn(
            f"Input '{input_name(tensor)}' of {where} is of {dtype}, and got complex numbers, "
            f"whose imaginary parts are left out. Give both parts as channels, or "
            f"`Input(..., dtype='{value.dtype}')`.",
            stacklevel=2,
        )
        value = value.real
    return value.astype(dtype)


def _without_or_with_last_axis(shape: tuple, expected: tuple) -> tuple:
    if len(shape) == len(expected) + 1 and shape[-1] == 1:
        return shape[:-1]
    if len(shape) == len(expected) - 1 and expected and expected[-1] == 1:
        return (*shape, 1)
    return shape


def _may_be(size: int | None, expected: int | None) -> bool:
    """Whether a size fits that of an input: also one that is unknown, or in a run on shapes
    stands for it.
    """
    if size is None or expected in (None, size):
        return True
    return size in inference.UNKNOWN and is_abstract()


def columns_by_name(table: Any, names: list[str] | None) -> Any:
    """The columns of a table, such as a DataFrame of pandas or polars, that are named as several
    inputs are, as a dict; anything else as it is.

    >>> columns_by_name([1, 2], ["a", "b"])
    [1, 2]
    """
    if names is None or len(names) < 2:
        return table
    columns = getattr(table, "columns", None)
    if columns is None or not set(names) <= set(columns):
        return table
    return {name: table[name].to_numpy() for name in names}


def types_of(struct: "Structure", tensors: list[KerasTensor], nodes: "list[Node]") -> InputTypes:
    """The dtypes that data for the inputs of a graph goes to: their own; of ids int32, as they may
    not be rounded although `Input` is of floats by default.

    Args:
        struct, tensors: the inputs, as a structure and flat.
    """
    types = [_type_of(tensor, nodes) for tensor in tensors]
    by_name = {input_name(tensor): dtype for tensor, dtype in zip(tensors, types)}
    if isinstance(struct, dict):
        type_of = ByIdentity(zip(tensors, types))
        by_name |= {key: type_of.find(v) for key, v in struct.items() if type_of.has(v)}
    return InputTypes(tuple(types), by_name)


def _type_of(tensor: KerasTensor, nodes: "list[Node]") -> str | Ids:
    if tensor.dtype == "string":
        return tensor.dtype
    taken_as = [_taken_as(node, tensor) for node in nodes]
    tables = [ids.count for ids in taken_as if isinstance(ids, Ids)]
    if not is_float(tensor.dtype):
        dtype = tensor.dtype
    elif tables or "int32" in taken_as:
        dtype = "int32"
    else:
        return tensor.dtype
    return Ids(min(tables), dtype) if tables else dtype


def _taken_as(node: "Node", tensor: KerasTensor) -> str | Ids | None:
    """What a node takes a tensor for: ids of a table, whole numbers ("int32"), or None for
    anything else, and where it gets something else; also a model that begins so.
    """
    positions = [i for i, one in enumerate(node.input_tensors) if one is tensor]
    if not positions:
        return None
    operation = node.operation
    if hasattr(operation, "types_of_inputs"):
        types = operation.types_of_inputs()
        if types is None or len(types.by_position) != len(node.input_tensors):
            return None
        return types.by_position[positions[0]]
    if not hasattr(operation, "traits") or not operation.traits.takes_ids:
        return None
    taken_as = operation.type_of_call(*node.args, **node.kwargs)
    return taken_as if isinstance(taken_as, Ids) else "int32"


def on_host_fitted(inputs: "Structure", types: str | Ids | InputTypes | None) -> "Structure":
    """What a model is called with by hand, its arrays of the host `host_numbers.fitted`."""
    if isinstance(inputs, dict):
        return {k: on_host_fitted(v, part_at(types, k)) for k, v in inputs.items()}
    if type(inputs) in (list, tuple):
        parts = enumerate(inputs)
        return type(inputs)([on_host_fitted(v, part_at(types, i)) for i, v in parts])
    if not isinstance(inputs, np.ndarray):
        return inputs
    refuse_masked(inputs, "inputs")
    return fitted_to_device(inputs, "inputs", of_one(types))


def input_name(tensor: KerasTensor) -> str:
    """The name under which data for an input may be passed: that of its layer."""
    if hasattr(tensor, "_keras_history"):
        return operation_of(tensor).name
    return tensor.name
