"""`K.function`, `K.gradients`, `K.placeholder`: pieces of graphs as functions, and their
gradients.
"""

import jax
import jax.numpy as jnp
import numpy as np

import jkeras
from jkeras.core.graph.by_identity import ByIdentity
from jkeras.core.graph import graph
from jkeras.core.graph.keras_tensor import is_symbolic


class LearningPhase(int):
    """Stands for "is this training" among the inputs of a `K.function`; 0 elsewhere."""


class Gradient(jkeras.Operation):
    """The gradients of a graph's sum for some of its tensors; called on these tensors and on what
    else the graph depends on.
    """

    def __init__(self, function, count):
        super().__init__()
        self.function, self.count = function, count

    def call(self, *inputs):
        variables, others = inputs[: self.count], inputs[self.count :]

        def total(variables):
            outputs = self.function([*variables, *others])
            return sum(jnp.sum(value) for value in jax.tree_util.tree_leaves(outputs))

        return list(jax.grad(total)(list(variables)))

    def compute_output_spec(self, *inputs):
        return [jkeras.KerasTensor(x.shape, x.dtype) for x in inputs[: self.count]]


def gradients(loss, variables):
    """The gradients of a tensor of a graph for other tensors of this graph.

    >>> x = jkeras.Input((2,))
    >>> [g] = gradients(x * x, [x])
    >>> function([x], [g])([np.array([[1.0, 3.0]])])[0].tolist()
    [[2.0, 6.0]]
    """
    if not isinstance(variables, (list, tuple)):
        variables = [variables]
    losses = loss if isinstance(loss, (list, tuple)) else [loss]
    others = _entries(losses, variables)
    function = jkeras.Function([*variables, *others], list(losses))
    return Gradient(function, len(variables))(*variables, *others)


def _entries(outputs, excluded):
    """The tensors without a past on which outputs depend, apart from those excluded."""
    entries, seen = [], ByIdentity.of_keys(excluded)
    waiting = list(outputs)
    while waiting:
        tensor = waiting.pop()
        if seen.has(tensor):
            continue
        seen.set(tensor, None)
        parents = _parents(tensor)
        if not parents:
            entries.append(tensor)
        waiting.extend(parents)
    return entries


def _parents(tensor):
    """The symbolic tensors from which one was made."""
    if getattr(tensor, "_keras_history", None) is None:
        return []
    return list(graph.node_of(tensor).input_tensors)


class CallableFunction:
    """Arrays in, a list of numpy arrays out; variables take their updates after each call."""

    def __init__(self, inputs, outputs, updates=()):
        if not isinstance(inputs, (list, tuple)):
            inputs = [inputs]
        self.is_phase = [isinstance(x, LearningPhase) for x in inputs]
        self.is_single = not isinstance(outputs, (list, tuple))
        self.outputs = [outputs] if self.is_single else list(outputs)
        self.updates = list(updates or ())
        tensors = [x for x, phase in zip(inputs, self.is_phase) if not phase]
        self.model = jkeras.Model(tensors, self._symbolic())

    def _symbolic(self):
        symbolic = [x for x in self.outputs if is_symbolic(x)]
        return symbolic + [new for _, new in self._pairs() if is_symbolic(new)]

    def _pairs(self):
        return [pair for pair in self.updates if isinstance(pair, (tuple, list))]

    def __call__(self, inputs):
        if not isinstance(inputs, (list, tuple)):
            inputs = [inputs]
        training = any(bool(value) for value, phase in zip(inputs, self.is_phase) if phase)
        values = [np.asarray(v) for v, phase in zip(inputs, self.is_phase) if not phase]
        results = self.model(values if len(values) > 1 else values[0], training=training)
        results = list(jax.tree_util.tree_leaves(results))
        outputs = [
            np.asarray(results.pop(0) if is_symbolic(x) else jkeras.ops.convert_to_tensor(x))
            for x in self.outputs
        ]
        for variable, new in self._pairs():
            variable.assign(results.pop(0) if is_symbolic(new) else new)
        return outputs[0] if self.is_single else outputs


def function(inputs, outputs, updates=None, **options):
    """A piece of a graph as a function of arrays.

    >>> x = jkeras.Input((2,))
    >>> function([x], [x * 2])([np.ones((1, 2))])[0].tolist()
    [[2.0, 2.0]]
    """
    return CallableFunction(inputs, outputs, updates)


def placeholder(shape=None, ndim=None, dtype=None, sparse=False, name=None):
    """A symbolic tensor that a graph begins with."""
    if shape is None:
        shape = (None,) * ndim
    return jkeras.Input(batch_shape=tuple(shape), dtype=dtype, name=name)
