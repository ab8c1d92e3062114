"""Calling a layer on symbolic tensors: it is built, its outputs are inferred, a node is added to
the graph.
"""

from typing import Any

import jax

from jkeras.core.graph import graph, inference, op
from jkeras.core.graph.keras_tensor import KerasTensor, any_symbolic, is_symbolic, map_tensors
from jkeras.core.run.building import as_specs, as_tensors, map_shapes, shape_arguments
from jkeras.core.graph.input_spec import InputSpec, completed
from jkeras.core.weights.structure import all_built
from jkeras.core.run.tracebacks import is_built_in
from jkeras.kernel.scope import current_flow


class SymbolicRun:
    """What `Call.populate` asks for, on KerasTensors."""

    abstract = True
    is_eager = False

    @staticmethod
    def mask_of(tensor):
        return getattr(tensor, "_keras_mask", None)  # an array beside KerasTensors has none

    @staticmethod
    def set_mask(tensor, mask):
        tensor._keras_mask = mask


def symbolic_call(layer, args, kwargs):
    """Calls a layer on KerasTensors: builds it, infers the outputs, adds a node."""
    call = layer.bind_call(args, kwargs)
    layer.check_input(call, layer.input_spec)
    if not layer.built:
        layer.build_for(call)
        layer.check_input(call, layer.input_spec)
    outer = current_flow()
    call.populate(SymbolicRun, None if outer is None else outer.training)
    outputs = announced(layer, call)
    graph.Node(layer, args, node_kwargs(layer, call, args, kwargs), outputs)
    layer.pass_masks(SymbolicRun, call, outputs)
    return outputs


def announced(layer, call):
    """The outputs of a call, inferred, or as the user's class says in `compute_output_shape`: it
    counts as in Keras. A user's `compute_output_spec` is given what `call` is given, not the
    defaults of `call`, which it need not have.
    """
    args, kwargs = call.call_arguments()
    if not layer.traits.says_output_shape:
        return layer.compute_output_spec(*args, **kwargs)
    if not all_built(layer):
        _inferred(layer, args, kwargs)
    return _as_said(layer, call)


def _as_said(layer, call):
    """The outputs of a call as the class's `compute_output_shape` has them."""
    args, kwargs = shape_arguments(layer, "compute_output_shape", call.shapes())
    shapes = layer.compute_output_shape(*args, **kwargs)
    return map_shapes(lambda shape: KerasTensor(shape, layer.compute_dtype), shapes)


def compute_output_spec(self: Any, *args: Any, **kwargs: Any) -> Any:
    """The outputs' shapes and dtypes for KerasTensors, as KerasTensors."""
    if self.traits.says_output_shape:
        return _as_said(self, self.bind_call(args, kwargs))
    if self.built and is_built_in(self) and _is_plain_input(self, args):
        shape = self.shape_by_rule(args[0])
        if shape is not None:
            return KerasTensor(shape, self.compute_dtype)
    return _inferred(self, args, kwargs)


def _is_plain_input(layer, args):
    """Whether a call's arguments are one dense tensor that is seen to fit."""
    if len(args) != 1 or not isinstance(args[0], KerasTensor) or args[0].sparse:
        return False
    spec = layer.input_spec
    if spec is None:
        return True
    return isinstance(spec, InputSpec) and spec.accepts(args[0].shape)


def is_batchwise(layer):
    """Whether a layer is known to be batchwise; a class of the user's may do otherwise."""
    return layer.traits.is_batchwise and is_built_in(layer)


def _inferred(self, args, kwargs):
    """The outputs for KerasTensors, from a run on shapes alone, which builds layers on the way."""
    if not self.keeps_sparse and not self.is_lifted():
        args, kwargs = map_tensors(_as_dense, (args, kwargs))
    if self.input_spec is not None:
        args = tuple(completed(self.input_spec, value) for value in args[:1]) + args[1:]
    outputs = inference.infer(
        lambda arguments: self.run_abstract(arguments[0], dict(arguments[1])),
        (tuple(args), kwargs),
        is_batchwise=is_batchwise(self),
    )
    if not self.traits.announces_compute_dtype:
        return outputs
    return map_tensors(
        lambda t: KerasTensor(t.shape, self.compute_dtype, sparse=t.sparse, name=t.name),
        outputs,
    )


def _as_dense(tensor):
    """A KerasTensor whose values will be dense."""
    if not tensor.sparse:
        return tensor
    return KerasTensor(tensor.shape, tensor.dtype, name=tensor.name)


def compute_output_shape(self: Any, *shapes: Any, **named: Any) -> Any:
    """The output's shape for input shapes, None for sizes not known."""

    def tensors(shape):
        return None if shape is None else as_tensors(as_specs(shape, self._input_type))

    if not shapes and "input_shape" in named:  # Keras's name of the first one
        shapes = (named.pop("input_shape"),)
    more = {name.removesuffix("_shape"): tensors(shape) for name, shape in named.items()}
    inputs = tuple(map(tensors, shapes))
    if self.traits.says_output_shape:  # the subclass's own method asks for this one
        outputs = _inferred(self, inputs, more)
    else:
        outputs = self.compute_output_spec(*inputs, **more)
    return jax.tree_util.tree_map(lambda t: t.shape, outputs, is_leaf=is_symbolic)


def spec_of(operation, args, kwargs, training=None):
    """The outputs of a layer or an op on KerasTensors, without a node in the graph."""
    if isinstance(operation, op.Operation):
        if any_symbolic(args, kwargs):
            return operation.compute_output_spec(*args, **kwargs)
        return operation(*args, **kwargs)
    call = operation.bind_call(args, kwargs)
    call.populate(SymbolicRun, training)
    return announced(operation, call)


def _is_plainest(layer, args, kwargs):
    """Whether a call is one of one tensor that is not cast."""
    if kwargs or len(args) != 1:
        return False
    return isinstance(args[0], KerasTensor) and args[0].dtype == layer.compute_dtype


def node_kwargs(layer, call, args, kwargs):
    """What a node remembers: what the caller gave; in the plainest calls also what was filled in,
    as Keras does.
    """
    if layer.traits.casts_inputs and not _is_plainest(layer, args, kwargs):
        return kwargs
    filled = dict(kwargs)
    if "training" in call.target.context and call.now_training is not None:
        filled["training"] = call.now_training
    if "mask" in call.target.context and len(call.tensors) == 1 and filled.get("mask") is None:
        (only,) = call.tensors.values()
        filled["mask"] = map_tensors(SymbolicRun.mask_of, only)
    return filled
