"""`clone_model`: the same architecture with new weights."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from jkeras import tree
from jkeras.core.names import registry
from jkeras.core.graph.graph import graph_of, operation_of
from jkeras.core.graph.keras_tensor import KerasTensor, flatten, map_tensors
from jkeras.core.graph.op import Operation
from jkeras.core.layer import Layer
from jkeras.layers.input import Input, InputLayer
from jkeras.models.functional import Functional, rebuild
from jkeras.models.sequential import Sequential

if TYPE_CHECKING:
    from jkeras.models.model import Model
    from jkeras.training.types import Structure


@registry.public("keras.models.clone_model")
def clone_model(
    model: "Model",
    input_tensors: "Structure | None" = None,
    clone_function: Callable[..., Any] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
    **kwargs: Any,
) -> Any:
    """A new model with the same layers and new weights; the original shares nothing with it.

    Args:
        model: a Functional or Sequential model, or another one with a config.
        input_tensors: KerasTensors to build the clone on.
        clone_function: `layer -> layer`, used for every layer but inputs; by default from its
            config.
        call_function: `(layer, *args, **kwargs) -> output`, used instead of calling the new layer.
        recursive: apply `clone_function` inside nested models too, and `call_function` inside
            nested Functional models.
    Returns:
        the clone, compiled as the model is.
    Raises:
        ValueError: unknown arguments, `call_function` for a Sequential model, or `input_tensors`
            that do not fit.

    >>> from jkeras import Sequential, layers, Input
    >>> a = Sequential([Input((2,)), layers.Dense(3)])
    >>> clone_model(a).count_params()
    9
    """
    if kwargs:
        raise ValueError(f"Unexpected keyword argument(s): {tuple(kwargs)}")
    if call_function is not None and isinstance(model, Sequential):
        raise ValueError(
            "`call_function` is for Functional models. Received the Sequential model "
            f"'{model.name}', whose layers are not called when it is made. Use `clone_function`."
        )
    for tensor in flatten(input_tensors):
        if input_tensors is not None and not isinstance(tensor, KerasTensor):
            raise ValueError(
                "`input_tensors` must be KerasTensors in the structure of the inputs of model "
                f"'{model.name}'. Received: {tensor!r}"
            )
    clone = _cloner(clone_function, call_function, recursive)
    with registry.in_process():
        return _cloned(model, input_tensors, clone_function, call_function, clone)


def _cloned(
    model: "Model",
    input_tensors: "Structure | None",
    clone_function: Callable[..., Any] | None,
    call_function: Callable[..., Any] | None,
    clone: Callable[[Any], Any],
) -> "Model":
    asks = input_tensors is not None or clone_function is not None or call_function is not None
    is_graph = isinstance(model, (Sequential, Functional))
    has_own_config = isinstance(model, Functional) and not _has_graph_config(model)
    if has_own_config and not asks:
        is_graph = False
    if is_graph:
        if isinstance(model, Sequential):
            copy = _clone_sequential(model, input_tensors, clone)
        else:
            copy = _clone_functional(model, input_tensors, clone, call_function)
        if model.compiled:
            copy.compile_from_config(model.stored_compile_config())
        return copy
    if asks:
        raise ValueError(
            "`clone_function`, `call_function` and `input_tensors` are for graphs of layers, "
            "which Sequential and Functional models are. Received: a model of type "
            f"'{type(model).__name__}'."
        )
    copy = type(model).from_config(model.get_config())
    if has_own_config and model.compiled:
        copy.compile_from_config(model.stored_compile_config())
    copy.set_untracked(asks_for_privacy=model.was_private)
    return copy


def _has_graph_config(model: Functional) -> bool:
    """Whether a model is described by its layers, and not by a config of its own."""
    return type(model).get_config is Functional.get_config


def _cloner(
    clone_function: Callable[..., Any] | None,
    call_function: Callable[..., Any] | None,
    recursive: bool,
) -> Callable[[Any], Any]:
    """One layer's copy."""

    def clone(layer: Any) -> Any:
        if recursive and isinstance(layer, Functional):
            return clone_model(layer, None, clone_function, call_function, recursive=True)
        if recursive and isinstance(layer, Sequential):
            return clone_model(layer, clone_function=clone_function, recursive=True)
        if clone_function is not None:
            return clone_function(layer)
        return type(layer).from_config(layer.get_config())

    return clone


def _clone_sequential(
    model: "Model", input_tensors: "Structure | None", clone: Callable[[Any], Any]
) -> Sequential:
    layers = [clone(layer) for layer in model.layers]
    first_layers = model._all_layers[:1]
    if input_tensors is not None:
        (tensor,) = flatten(input_tensors)
        layers = [operation_of(_as_input(tensor)), *layers]
    elif first_layers and isinstance(first_layers[0], InputLayer):
        layers = [InputLayer.from_config(first_layers[0].get_config()), *layers]
    copy = Sequential(layers, name=model.name)
    copy.set_untracked(_trainable=model.trainable)
    return copy


def _as_input(tensor: Any) -> KerasTensor:
    if isinstance(tensor, KerasTensor) and isinstance(
        getattr(tensor, "_keras_history", [None])[0], InputLayer
    ):
        return tensor
    return Input(
        batch_shape=tuple(tensor.shape), dtype=str(tensor.dtype), name=getattr(tensor, "name", None)
    )


def _inputs_of_clone(model: "Model", input_tensors: "Structure | None") -> Iterable[KerasTensor]:
    """The inputs of a clone: the argument, or new ones."""
    if input_tensors is not None:
        try:
            tree.assert_same_structure(input_tensors, model.input)
        except ValueError as error:
            raise ValueError(
                "`input_tensors` must have the same structure as model.input of the model "
                f"'{model.name}': {error}"
            ) from error
        return map(_as_input, flatten(input_tensors))
    return [
        Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name)
        for tensor in model.inputs
    ]


def _clone_functional(
    model: "Model",
    input_tensors: "Structure | None",
    clone: Callable[[Any], Any],
    call_function: Callable[..., Any] | None,
) -> Functional:
    inputs = _inputs_of_clone(model, input_tensors)
    copies, graph = {}, graph_of(model)
    clones = dict(zip(model.inputs, inputs, strict=True))

    def fill(structure: "Structure") -> "Structure":
        return map_tensors(lambda t: clones[t], structure)

    for node in graph.nodes:
        if all(t in clones for t in node.output_tensors):
            continue
        operation = node.operation
        if operation not in copies:
            copies[operation] = _copy_of(operation, clone)
        args, kwargs, copy = fill(node.args), fill(node.kwargs), copies[operation]
        if call_function is None or not isinstance(operation, Layer):
            out = copy(*args, **kwargs)
        else:
            out = call_function(copy, *args, **kwargs)
        clones.update(zip(node.output_tensors, flatten(out)))
    cls = Functional
    if type(model).__init__ is Functional.__init__:
        cls = type(model)
    return cls(fill(graph.inputs), fill(graph.outputs), name=model.name)


def _copy_of(operation: Any, clone: Callable[[Any], Any]) -> Any:
    if isinstance(operation, Layer):
        return clone(operation)
    return Operation(operation.op, operation.name, operation.config)


__all__ = ["clone_model", "rebuild"]
