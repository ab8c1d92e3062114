"""Operations of users: stateless functions as classes, and graphs as functions."""

import abc

import jax

from jkeras.core.graph import graph, inference, keras_tensor, op
from jkeras.core import record
from jkeras.core.graph.keras_tensor import (
    KerasTensor,
    any_symbolic,
    is_symbolic,
    map_tensors,
    one_or_list,
)
from jkeras.core.errors import check_name, explain
from jkeras.core.layer import Layer
from jkeras.core.names.registry import public
from jkeras.core.run.remat import remat
from jkeras.core.run.scopes import SymbolicScope
from jkeras.core.run.tracebacks import name_operation
from jkeras.core.session.settings import auto_name


@public("keras.Operation")
class Operation(metaclass=abc.ABCMeta):  # noqa: B024 - for `register` below
    """A function without weights that can stand in a graph. A subclass defines `call`; layers count
    as operations.

    Args:
        name: default from the class's name.

    >>> class Double(Operation):
    ...     def call(self, x):
    ...         return x * 2
    >>> Double()(KerasTensor((None, 3))).shape
    (None, 3)
    """

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        self._given = (args, kwargs)
        return self

    def __init__(self, name=None):
        if name is not None:
            check_name(name)
        self.name = name or auto_name(type(self).__name__)
        self._inbound_nodes = []
        self.trainable = False

    def __call__(self, *args, **kwargs):
        try:
            if any_symbolic(args, kwargs):
                return self.symbolic_call(*args, **kwargs)
            return self.call(*args, **kwargs)
        except Exception as error:
            name_operation(error, self, args, kwargs)
            raise

    def symbolic_call(self, *args, **kwargs):
        """Adds a node to the graph and gives its outputs."""
        outputs = self.compute_output_spec(*args, **kwargs)
        graph.Node(self, args, kwargs, outputs)
        return outputs

    def call(self, *args, **kwargs):
        """What the operation computes."""
        raise NotImplementedError(f"{type(self).__name__} must define `call`.")

    def compute_output_spec(self, *args, **kwargs):
        """The outputs for KerasTensors, as KerasTensors: `call` on shapes alone."""
        with SymbolicScope():
            return inference.infer(
                lambda arguments: self.call(*arguments[0], **arguments[1]), (args, kwargs)
            )

    def rematerialized_call(self, fn, *args, **kwargs):
        """`fn` (such as `call`), computed again for its gradient instead of being saved in
        memory.
        """
        return remat(fn)

    @property
    def input(self):
        """The symbolic input of the first call; a flat list of several."""
        return one_or_list(self._node().input_tensors)

    @property
    def output(self):
        """The symbolic output of the first call; a flat list of several."""
        return one_or_list(self._node().output_tensors)

    def _node(self):
        if not self._inbound_nodes:
            raise AttributeError(
                f"The operation '{self.name}' has never been called on a symbolic tensor."
            )
        return self._inbound_nodes[0]

    def get_config(self):
        """The name, where the constructor takes one, and for a class without its own `get_config`
        the constructor's arguments.

        Raises:
            NotImplementedError: there are arguments by position that have no names, or one is an
                object that has no config.
        """
        config = {"name": self.name} if record.takes(type(self).__init__, "name") else {}
        if type(self).get_config is Operation.get_config:
            config |= record.automatic_config(self)
        return config

    @classmethod
    def from_config(cls, config):
        """A new operation from its config."""
        try:
            return cls(**config)
        except TypeError as error:
            raise TypeError(
                f"Error when deserializing class '{cls.__name__}' using config={config}.\n\n"
                f"Exception encountered: {error}"
            ) from error

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}>"


Operation.register(Layer)
Operation.register(op.Operation)


@public("keras.Function")
class Function(Operation):
    """A graph from inputs to outputs as a function, without the training of a `Model`.

    Args:
        inputs, outputs: KerasTensors, or structures of them.

    >>> x = KerasTensor((None, 2))
    >>> class Double(Operation):
    ...     def call(self, x):
    ...         return x * 2
    >>> print(Function(x, Double()(x))(jax.numpy.ones((1, 2))))
    [[2. 2.]]
    """

    def __init__(self, inputs, outputs, name=None):
        super().__init__(name=name)
        self._inputs_struct, self._outputs_struct = inputs, outputs
        for tensor in self.inputs + self.outputs:
            if not is_symbolic(tensor):
                raise ValueError(
                    "`inputs` and `outputs` of a Function must be KerasTensors or structures of "
                    f"them. Received: {tensor!r}"
                )
        for name, tensors in (("inputs", self.inputs), ("outputs", self.outputs)):
            if not tensors:
                raise ValueError(f"`{name}` argument cannot be empty. Received: {name}={tensors}")
        _set_history(self.inputs)
        self._nodes, self._operations = graph.sort(self.inputs, self.outputs)

    inputs = property(
        lambda self: keras_tensor.flatten(self._inputs_struct),
        doc="The input tensors, as a flat list.",
    )
    outputs = property(
        lambda self: keras_tensor.flatten(self._outputs_struct),
        doc="The output tensors, as a flat list.",
    )

    @property
    def operations(self):
        """The operations, deepest first; those that made the inputs are none of them."""
        inner = self._inner()
        return [operation for operation in self._operations if operation in inner]

    def _inner(self):
        """The operations that run, and those of the inputs that are `Input`s."""
        entry = set(self.inputs)
        return {
            node.operation
            for node in self._nodes
            if not isinstance(node.operation, _Start)
            if node.is_input or not entry.issuperset(node.output_tensors)
        }

    def call(self, inputs):
        """The outputs for arrays in the structure of `inputs`."""
        values = [keras_tensor.as_tensor(v) for v in keras_tensor.flatten(inputs)]
        shapes = [tuple(v.shape) for v in values]
        expected = f"inputs of shapes {[t.shape for t in self.inputs]}"
        if len(values) != len(self.inputs):
            where = f"Function '{self.name}' was called with an invalid input structure"
            raise ValueError(explain(where, expected, f"shapes {shapes}"))
        if not all(_is_of_shape(s, t) for s, t in zip(shapes, self.inputs)):
            where = f"Function '{self.name}' was given incompatible inputs"
            raise ValueError(explain(where, expected, f"shapes {shapes}"))
        return graph.run(
            self._nodes,
            self.inputs,
            self._outputs_struct,
            values,
            lambda operation, args, kwargs: operation(*args, **kwargs),
        )

    def compute_output_shape(self, input_shape):
        """The outputs' shapes for the inputs' shapes."""
        flat = jax.tree_util.tree_leaves(input_shape, is_leaf=_is_shape)
        tensors = [KerasTensor(s, t.dtype) for s, t in zip(flat, self.inputs)]
        treedef = jax.tree_util.tree_structure(self._inputs_struct)
        return map_tensors(
            lambda t: t.shape,
            self.compute_output_spec(jax.tree_util.tree_unflatten(treedef, tensors)),
        )

    def get_config(self):
        """A function is not written as a config: a `Model` of the same tensors is."""
        raise NotImplementedError(
            "A Function has no config. Save `Model(inputs, outputs)` instead."
        )


class _Start:
    """What stands at the beginning of a graph whose input is no `Input`."""

    def __init__(self, name):
        self.name, self._inbound_nodes = name, []


def _is_of_shape(shape, tensor):
    """Whether a symbolic tensor stands for arrays of a shape."""
    if len(shape) != tensor.ndim:
        return False
    return all(static in (None, size) for static, size in zip(tensor.shape, shape))


def _set_history(tensors):
    for tensor in tensors:
        if not hasattr(tensor, "_keras_history"):
            graph.Node(_Start(tensor.name), (), {}, tensor)


def _is_shape(value):
    return isinstance(value, (tuple, list)) and all(d is None or isinstance(d, int) for d in value)
