"""Layers and losses that use tensors of the graph around them, as in Keras before 2.4, where every
tensor was part of one graph.
"""

import inspect
import types

import jkeras
from jkeras.core.graph.keras_tensor import is_symbolic
from jkeras.kernel import in_force
from jkeras.models import Functional


# the input of the layer whose operations become nodes at the moment
ENTRY = "entry of a graph"


class UsesGraph:
    """Mixin of layers whose `call` may use symbolic tensors that it does not take: its operations
    then become nodes of the graph, as if they stood outside of the layer.
    """

    def __call__(self, *args, **kwargs):
        if not any(is_symbolic(x) for x in jkeras.tree.flatten((args, kwargs))):
            return super().__call__(*args, **kwargs)
        try:
            return super().__call__(*args, **kwargs)
        except (TypeError, ValueError) as error:
            if self.weights:  # they would be constants of the graph
                raise
            try:
                return self._inlined(args, kwargs)
            except Exception:  # what was wrong at first is what the user can mend
                raise error from None

    def _on_symbols(self, *args, **kwargs):
        return self.call(*args, **kwargs)

    def _inlined(self, args, kwargs):
        """What `call` makes of the symbolic tensors themselves, with the losses that it adds."""
        self.set_untracked(_graph_losses=[])
        leaves = jkeras.tree.flatten((args, kwargs))
        with in_force.having(ENTRY, next(x for x in leaves if is_symbolic(x))):
            outputs = self._on_symbols(*args, **kwargs)
        if not self._graph_losses:
            return outputs
        first, *others = jkeras.tree.flatten(outputs)
        first = LossOfGraph()([first, *self._graph_losses])
        return jkeras.tree.pack_sequence_as(outputs, [first, *others])


class Sample(jkeras.Operation):
    """Random numbers as a node of the graph: others in each call.

    Args:
        function: takes no arguments and returns the numbers.
        shape, dtype: of the numbers.
    """

    def __init__(self, function, shape, dtype):
        super().__init__()
        self.function, self.shape, self.dtype = function, shape, dtype

    def call(self, x):
        return self.function()

    def compute_output_spec(self, x):
        return jkeras.KerasTensor(self.shape, self.dtype)


def sampled(function, shape, dtype):
    """The random numbers that a function returns; within a layer whose operations become nodes of
    the graph, a node.
    """
    entry = in_force.value_of(ENTRY)
    return function() if entry is None else Sample(function, shape, dtype)(entry)


class OldLambda(UsesGraph, jkeras.layers.Lambda):
    """A function as a layer, which may use tensors of the graph around it."""

    def _on_symbols(self, inputs, **kwargs):
        return self.function(inputs, **self.arguments)


class HandsOnFirst(jkeras.layers.Layer):
    """Base of layers that hand their first input on, and do something with the others."""

    def compute_output_shape(self, shapes):
        """The shape of the first input."""
        return shapes[0]


class LossOfGraph(HandsOnFirst):
    """Adds the mean of each input but the first to what is minimized."""

    def call(self, inputs):
        for loss in inputs[1:]:
            self.add_loss(jkeras.ops.mean(loss))
        return inputs[0]


class LossWithTensors:
    """A loss function that uses tensors of a model's graph besides its two arguments.

    Args:
        function: the loss.
        output: the symbolic output it is for.
        tensors: the symbolic tensors that it uses.
    """

    def __init__(self, function, output, tensors):
        y_true = jkeras.Input(batch_shape=output.shape, dtype=output.dtype)
        self.__name__ = getattr(function, "__name__", "loss")
        self._function = jkeras.Function([y_true, output, *tensors], function(y_true, output))
        self.values = ()  # of the tensors, between the model's call and the loss of one batch

    def __call__(self, y_true, y_pred):
        values, self.values = self.values, ()
        return self._function([y_true, y_pred, *values])


class Keep(HandsOnFirst):
    """Keeps all inputs but the first for a loss."""

    def __init__(self, loss, **kwargs):
        super().__init__(**kwargs)
        self.loss = loss

    def call(self, inputs):
        self.loss.values = tuple(inputs[1:])
        return inputs[0]


def with_tensors(model, loss):
    """The loss for `compile`; where a function in it uses tensors of the model's graph, the model
    hands their values to it from now on.
    """
    outputs = list(getattr(model, "outputs", None) or ())
    if not isinstance(model, Functional) or not outputs:
        return loss
    losses = list(loss) if isinstance(loss, (list, tuple)) else [loss] * len(outputs)
    changed = False
    for i, (function, output) in enumerate(zip(losses, outputs)):
        tensors = tensors_of(function)
        if tensors:
            losses[i] = LossWithTensors(function, output, tensors)
            outputs[i] = Keep(losses[i])([output, *tensors])
            changed = True
    if not changed:
        return loss
    replace_outputs(model, outputs)
    return losses if len(losses) > 1 else losses[0]


def replace_outputs(model, outputs):
    """Gives a graph model other outputs."""
    inputs = model.inputs[0] if len(model.inputs) == 1 else model.inputs
    outputs = outputs[0] if len(outputs) == 1 else outputs
    Functional.__init__(model, inputs, outputs, name=model.name)


def tensors_of(function):
    """The symbolic tensors that a function, or a function that it calls, finds by their names.

    >>> x = jkeras.Input((2,))
    >>> tensors_of(lambda a, b: a - b + x)[0] is x
    True
    """
    tensors, waiting, seen = {}, [function], set()
    while waiting:
        function = waiting.pop()
        if not isinstance(function, types.FunctionType) or function in seen:
            continue
        seen.add(function)
        names = inspect.getclosurevars(function)
        for value in (*names.nonlocals.values(), *names.globals.values()):
            if is_symbolic(value):
                tensors[value] = None
            elif isinstance(value, types.FunctionType) and value.__module__ == function.__module__:
                waiting.append(value)
    return list(tensors)
