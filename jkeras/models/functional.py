"""Functional: a model that is a graph from inputs to outputs."""

import collections
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from jkeras.core.graph import graph, keras_tensor, op
from jkeras.core.graph.halves import ForDecoder, ForEncoder, run_half
from jkeras.core.names import registry
from jkeras.core.graph.graph import history_of, node_of, nodes_of, operation_of
from jkeras.core.graph.keras_tensor import KerasTensor, any_symbolic, map_tensors, one_or_list
from jkeras.kernel.scope import is_abstract
from jkeras.core.run.call import target_of
from jkeras.core.errors import suggestion
from jkeras.core.names.registry import TensorReference
from jkeras.core.layer import Composite, Layer
from jkeras.core.names.limits import check_numbers
from jkeras.core.graph.lines import lines_of
from jkeras.core.layer.operation import Operation
from jkeras.core.weights.module import derived
from jkeras.core.weights.structure import all_built, graph_keys
from jkeras.core.run.symbolic import is_batchwise, spec_of
from jkeras.layers.input import Input, InputLayer
from jkeras.models.graph_inputs import fitted, input_name, types_of, warn_of_other_structure
from jkeras.models.host import Prepared, run_rest
from jkeras.models.model import Model
from jkeras.models.recorded import shapes_of_outputs

if TYPE_CHECKING:
    from jkeras.core.graph.graph import Node
    from jkeras.core.graph.host_numbers import InputTypes
    from jkeras.core.run.context import Children, Context
    from jkeras.training.types import Structure


ARGUMENTS = ("name", "trainable", "dtype", "autocast", "activity_regularizer")
MOST_CALLS = 100_000  # of layers in a graph that is read, those in models in it included


class Functional(Composite, Model, casts_inputs=False):
    """A graph of layers and ops; `Model(inputs, outputs)` makes one.

    Args:
        inputs: a KerasTensor, or a list or dict of them; not only `Input`s, any tensor of a graph.
        outputs: likewise; must follow from the inputs.
        kwargs: of other names than a layer's arguments, they are left out with a warning, as in
            Keras, since subclasses hand on whatever their config has.

    >>> import jkeras
    >>> x = jkeras.Input((4,))
    >>> model = Functional(x, jkeras.layers.Dense(2)(x) * 2.0)
    >>> model.output_shape
    (None, 2)
    """

    call_context = {"training": None, "mask": None}
    supports_cache = True
    _config_module = "keras.src.models.functional"

    def __init__(
        self,
        inputs: "Structure | None" = None,
        outputs: "Structure | None" = None,
        name: str | None = None,
        trainable: bool = True,
        **kwargs: Any,
    ) -> None:
        Model.__init__(self, name=name, **_accepted(kwargs))
        self._set_graph(inputs, outputs)
        if trainable is not True:
            self.trainable = trainable

    def _set_graph(self, inputs: "Structure", outputs: "Structure") -> None:
        keras_tensor.refuse_cycles(inputs, "inputs")
        keras_tensor.refuse_cycles(outputs, "outputs")
        flat_inputs, flat_outputs = keras_tensor.flatten(inputs), keras_tensor.flatten(outputs)
        _check_tensors("inputs", flat_inputs)
        _check_tensors("outputs", flat_outputs)
        if len(set(flat_inputs)) != len(flat_inputs):
            raise ValueError("Your model has the same tensor more than once among its inputs.")
        if not all(_is_input(t) for t in flat_inputs):
            inputs, outputs = _begun_at(inputs, outputs)
            flat_inputs, flat_outputs = keras_tensor.flatten(inputs), keras_tensor.flatten(outputs)
        nodes, operations = graph.sort(flat_inputs, flat_outputs)
        _check_names([operation.name for operation in operations])
        self.set_untracked(
            _inputs_struct=inputs,
            _outputs_struct=outputs,
            _nodes=nodes,
            _operations=operations,
            _calls_inside=sum(calls_of(node.operation) for node in nodes),
            built=True,
            _build_shapes={"input_shape": None},
            _types_of_inputs=types_of(inputs, flat_inputs, nodes),
        )
        self._children.update(graph_keys([o for o in operations if isinstance(o, Layer)]))

    def __deepcopy__(self, memo: dict[int, Any]) -> "Functional":
        return _with_nodes(super().__deepcopy__(memo))

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        _with_nodes(self)

    # ------------------------------------------------------------ running

    def _convert(self, x: Any) -> Any:
        return keras_tensor.as_tensor(x)

    def forward(
        self, w: dict[str, Any], sub: "Children", inputs: "Structure", *, ctx: "Context"
    ) -> "Structure":
        def call(operation: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> "Structure":
            if isinstance(operation, Layer):
                return sub.run(operation, *args, **self._with_context(operation, kwargs))
            return ctx.place(operation.name, operation(*args, **kwargs))

        if isinstance(inputs, Prepared):
            return run_rest(self, inputs, call)
        if isinstance(inputs, (ForEncoder, ForDecoder)):
            return run_half(self, inputs, call, sub)
        flat = self._standardize_inputs(inputs)
        if not is_abstract():
            warned = derived.setdefault(self, {}).setdefault("structures warned of", set())
            warn_of_other_structure(self._inputs_struct, inputs, self._where, warned)
        if ctx.mask is not None:
            for value, mask in zip(flat, keras_tensor.flatten(ctx.mask)):
                if mask is not None:
                    sub.set_mask(value, mask)
        return self.run_graph(flat, call)

    def run_graph(self, flat: list, call: Callable[..., Any]) -> "Structure":
        """The outputs for values in the order of the graph's inputs.

        Args:
            call: runs an operation on `(args, kwargs)`.
        """
        outputs = graph.run(self._nodes, self.inputs, self._outputs_struct, flat, call)
        if isinstance(outputs, (list, tuple)) and len(outputs) == 1:
            return outputs[0]  # as in Keras, which keeps the list of one for KerasTensors
        return outputs

    def compute_output_spec(
        self, inputs: "Structure", training: bool | None = None, mask: "Structure | None" = None
    ) -> "Structure":
        """The outputs' shapes and dtypes for KerasTensors: those of the graph, or traced layer by
        layer.

        A size of an input may be unknown where that of the graph is static.
        """
        if self.is_lifted():
            return super().compute_output_spec(
                inputs, **({} if training is None else {"training": training})
            )
        flat = self._standardize_inputs(inputs)
        own = keras_tensor.flatten(self._inputs_struct)
        if all(value is None or value.shape == tensor.shape for value, tensor in zip(flat, own)):
            return map_tensors(lambda t: KerasTensor(t.shape, t.dtype), self._outputs_struct)

        def call(operation: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> "Structure":
            if isinstance(operation, Layer):
                kwargs = self._with_context(operation, kwargs)
            return spec_of(operation, args, kwargs, training)

        return graph.run(self._nodes, own, self._outputs_struct, flat, call)

    def recorded_shapes(self, x: "Structure") -> "Structure":
        if self.is_lifted() or not all_built(self) or not self._is_batchwise():
            return None
        return shapes_of_outputs(self._inputs_struct, self._outputs_struct, x)

    def _is_batchwise(self) -> bool:
        """Whether all that the graph runs keeps the samples as they are."""
        operations = [node.operation for node in self._nodes if not node.is_input]
        return all(isinstance(one, Layer) and is_batchwise(one) for one in operations)

    @staticmethod
    def _with_context(operation: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        """A recorded `training` default gives way to the model's own flag, a recorded True or False
        does not.
        """
        node_default = target_of(type(operation)).context.get("training")
        if "training" in kwargs and kwargs["training"] is node_default:
            return {k: v for k, v in kwargs.items() if k != "training"}
        return kwargs

    def _standardize_inputs(
        self, inputs: "Structure", where: str | None = None, any_size: bool = False
    ) -> list:
        """The values in the order of the graph's inputs; see `graph_inputs.fitted`."""
        struct = self._inputs_struct
        tensors = keras_tensor.flatten(struct)
        names = [input_name(tensor) for tensor in tensors]
        return fitted(struct, tensors, names, inputs, where or self._where, any_size)

    def types_of_inputs(self) -> "InputTypes | None":
        return None if self.is_lifted() else self._types_of_inputs

    @staticmethod
    def rebuilt(config: dict[str, Any]) -> "tuple[Structure, Structure, dict[str, Any]]":
        """(inputs, outputs, operations by name) of a graph's config."""
        return rebuild(config)

    # ------------------------------------------------------------ looking

    def layers_in_lines(self) -> list:
        return lines_of(graph.graph_of(self))

    @property
    def layers(self) -> list[Layer]:
        """The layers, deepest first, in Keras's order."""
        return [o for o in self._operations if isinstance(o, Layer)]

    layers = layers.setter(Model.layers.fset)  # which refuses

    @property
    def operations(self) -> list:
        """Layers and ops, deepest first."""
        return self._operations[:]

    @property
    def inputs(self) -> list[KerasTensor]:
        """The input tensors, as a flat list."""
        return keras_tensor.flatten(self._inputs_struct)

    @property
    def outputs(self) -> list[KerasTensor]:
        """The output tensors, as a flat list."""
        return keras_tensor.flatten(self._outputs_struct)

    @property
    def input(self) -> "Structure":
        """The input tensors, in their structure."""
        return self._inputs_struct

    @property
    def output(self) -> "Structure":
        """The output tensors, in their structure."""
        return self._outputs_struct

    @property
    def input_shape(self) -> Any:
        """The shape of the input, or the list of the inputs' shapes."""
        return _shapes_of(self.inputs)

    @property
    def output_shape(self) -> Any:
        """The shape of the output, or the list of the outputs' shapes."""
        return _shapes_of(self.outputs)

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs."""
        return [input_name(t) for t in self.inputs]

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that make the outputs."""
        return [operation_of(tensor).name for tensor in self.outputs]

    # ------------------------------------------------------------ config

    def get_config(self) -> dict[str, Any]:
        """The graph as plain data, in Keras's form."""
        if not _is_plain(type(self)):
            return Model.get_config(self)
        numbers = self._node_numbers()
        config = {"name": self.name, "trainable": self.trainable, "layers": []}
        for operation in self._operations:
            nodes = [n for n in nodes_of(operation) if n in numbers]
            write = _serialize_op if isinstance(operation, op.Operation) else registry.serialize
            entry = write(operation)
            config["layers"].append(
                {
                    **entry,
                    "name": operation.name,
                    "inbound_nodes": [
                        _serialize_node(n, numbers) for n in nodes if n.input_tensors
                    ],
                }
            )
        for key, struct in (
            ("input_layers", self._inputs_struct),
            ("output_layers", self._outputs_struct),
        ):
            config[key] = map_tensors(lambda t: _end(t, numbers), struct)
        return config

    def _node_numbers(self) -> "dict[Node, int]":
        """{node: its number among the nodes of its operation in this graph}."""
        own = set(self._nodes)
        return {
            n: i for o in self._operations for i, n in enumerate(n for n in nodes_of(o) if n in own)
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        """The model of a config."""
        from jkeras.saving.dialects import modern_graph  # only what is read from files needs it

        with registry.CustomObjectScope(custom_objects):
            inputs, outputs, _ = rebuild(modern_graph(config))
            if cls in (Functional, Model):
                cls = Functional
                registry.check_entries("Functional", config, ENTRIES)
            return cls(
                inputs=inputs,
                outputs=outputs,
                name=config.get("name"),
                trainable=config.get("trainable", True),
            )

    def get_build_config(self) -> dict[str, Any] | None:
        """The graph already knows its shapes."""
        return {"input_shape": None}


# of a config
ENTRIES = {"name", "trainable", "dtype", "layers", "input_layers", "output_layers"}


def _accepted(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments that a layer has; warns of the others."""
    others = [name for name in kwargs if name not in ARGUMENTS]
    if others:
        warnings.warn(
            f"A functional model has no arguments {others}: they are left out. Expected `inputs`, "
            f"`outputs` or one of {ARGUMENTS}.{suggestion(others, ARGUMENTS)}",
            stacklevel=3,
        )
    return {name: value for name, value in kwargs.items() if name in ARGUMENTS}


def _check_tensors(role: str, tensors: list) -> None:
    if not tensors:
        raise ValueError(
            f"The `{role}` argument cannot be empty. Received: {role}=[]. Give a tensor, or a list "
            "or dict of tensors, that begin with `Input(shape=…)`."
        )
    for tensor in tensors:
        if not isinstance(tensor, KerasTensor):
            advice = "Start the graph with `Input(shape=…)`."
            if isinstance(tensor, Layer):
                advice = "Call the layer on a tensor, and pass what it gives: `y = layer(x)`."
            raise ValueError(
                f"All `{role}` values must be KerasTensors. Received: {role}={tensor!r} "
                f"of type {type(tensor).__name__}. {advice}"
            )


def _check_names(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f'The name "{name}" is used {names.count(name)} times in the model, and layers are '
                "found by names that are unique. Pass another `name=` to one of these layers."
            )


def _is_plain(cls) -> bool:
    """Whether a model can be described as a graph: its class has no constructor of its own that
    another one needs.
    """
    import inspect

    return (
        cls is Functional
        or cls.__init__ is Functional.__init__
        or list(inspect.signature(cls.__init__).parameters)[1:3] == ["inputs", "outputs"]
        or cls.__init__ is Model.__init__
    )


def _is_input(tensor: Any) -> bool:
    return isinstance(getattr(tensor, "_keras_history", [None])[0], InputLayer)


def _with_nodes(model: Functional) -> Functional:
    """A copy, whose layers and ops come without nodes, with those of its graph."""
    nodes, _, _ = graph.graph_of(model)
    nodes = [graph.Node(node.operation, node.args, node.kwargs, node.outputs) for node in nodes]
    model.set_untracked(_nodes=nodes)
    return model


def _begun_at(inputs: "Structure", outputs: "Structure") -> "tuple[Structure, Structure]":
    """(inputs, outputs) of a copy of the graph between the two that begins with `Input`s, with the
    same layers.
    """
    tensors = keras_tensor.flatten(inputs)
    copied = {
        t: t if _is_input(t) else Input(batch_shape=t.shape, dtype=t.dtype, name=f"{t.name}CLONE")
        for t in tensors
    }
    fill = lambda structure: map_tensors(lambda t: copied[t], structure)  # noqa: E731
    starts = set(map(node_of, tensors))
    for node in graph.sort(tensors, keras_tensor.flatten(outputs))[0]:
        if node not in starts:
            copies = map_tensors(lambda t: KerasTensor(t.shape, t.dtype, name=t.name), node.outputs)
            copy = graph.Node(node.operation, fill(node.args), fill(node.kwargs), copies)
            copied.update(zip(node.output_tensors, copy.output_tensors))
    return fill(inputs), fill(outputs)


def _shapes_of(tensors: list[KerasTensor]) -> Any:
    return one_or_list([t.shape for t in tensors])


def _end(tensor: KerasTensor, numbers: "dict[Node, int]") -> list:
    """The history of an input or output. Keras counts a node more for nested graphs there, not in
    calls.
    """
    name, index, position = _history_of(tensor, numbers)
    return [name, index + isinstance(operation_of(tensor), Functional), position]


def _history_of(tensor: KerasTensor, numbers: "dict[Node, int]") -> list:
    operation, index, position = history_of(tensor)
    return [operation.name, numbers[node_of(tensor)], position]


def _serialize_op(operation: Any) -> dict[str, Any]:
    name = operation.op.class_name
    return {
        "module": operation.op.module,
        "class_name": name,
        "config": operation.get_config(),
        "registered_name": name,
    }


def _serialize_node(node: "Node", numbers: "dict[Node, int]") -> dict[str, Any]:
    def write(value: Any) -> Any:
        if isinstance(value, KerasTensor):
            return {
                "class_name": "__keras_tensor__",
                "config": {
                    "shape": value.shape,
                    "dtype": value.dtype,
                    "keras_history": _history_of(value, numbers),
                },
            }
        if isinstance(value, (list, tuple)):
            return (
                type(value)(map(write, value))
                if type(value) in (list, tuple)
                else [write(v) for v in value]
            )
        if isinstance(value, dict):
            return {k: write(v) for k, v in value.items()}
        return registry.serialize(value)

    return {
        "args": [write(v) for v in node.args],
        "kwargs": {k: write(v) for k, v in node.kwargs.items()},
    }


# ---------------------------------------------------------------- a graph from its config


def rebuild(
    config: dict[str, Any], make: Callable[[dict[str, Any]], Any] = registry.deserialize
) -> "tuple[Structure, Structure, dict[str, Any]]":
    """(inputs, outputs, operations by name) of a graph's config.

    Args:
        make: gives the layer or op of one entry; another one clones layers instead.
    """
    operations, offsets, waiting = {}, {}, {}
    for entry in config["layers"]:
        operation = make({k: v for k, v in entry.items() if k not in ("name", "inbound_nodes")})
        name = entry["name"]
        if not isinstance(operation, (Layer, op.Operation, Operation)):
            raise registry.SerializationError(
                f"The config of model '{config.get('name')}' has '{name}', a "
                f"{type(operation).__name__}, where layers and operations stand."
            )
        operations[name] = operation
        offsets[name] = _earlier_calls(operation)
        waiting[name] = collections.deque(map(_Call, entry["inbound_nodes"]))
    _call_in_turn(waiting, operations, offsets)
    left = [name for name, calls in waiting.items() if calls]
    if left:
        raise registry.SerializationError(
            f"The config of model '{config.get('name')}' has calls of {registry.shown(left)} whose "
            "inputs are made by no layer in it."
        )

    def find(history: Sequence[Any]) -> KerasTensor | None:
        name, index, position = history[:3]
        return _tensor(
            (name, index - isinstance(operations.get(name), Functional), position),
            operations,
            offsets,
        )

    return (
        _tensors_at(config["input_layers"], find),
        _tensors_at(config["output_layers"], find),
        operations,
    )


def _earlier_calls(operation: Any) -> int:
    """How many calls of an operation are not of its graph; an input's own node is."""
    if isinstance(operation, InputLayer):
        return 0
    return len(getattr(operation, "_inbound_nodes", ()))


class _Call:
    """A call of an operation, and where the inputs are that it still waits for."""

    def __init__(self, node: dict[str, Any]) -> None:
        self.node = node
        self.pending = list(_references([node["args"], node["kwargs"]]))
        if not self.pending:
            raise registry.SerializationError(
                "A call in the model's graph has no tensor of this graph among its arguments: "
                f"{registry.shown(node)}"
            )

    def awaited(
        self, operations: dict[str, Any], offsets: dict[str, int]
    ) -> tuple[str, int] | None:
        """(name of an operation, number of its call) whose output is missing; None if all inputs
        are there.
        """
        while self.pending:
            if _tensor(self.pending[-1], operations, offsets) is None:
                name, number, *_ = self.pending[-1]
                return name, number
            self.pending.pop()
        return None


def calls_of(operation: Any) -> int:
    """How many calls of layers and operations one call of a layer or operation leads to."""
    waiting, seen, count = [operation], {id(operation)}, 0
    while waiting:
        part = waiting.pop()
        if isinstance(part, Functional):
            count += part._calls_inside
            continue
        count += 1
        below = [v for v in vars(part).get("_children", {}).copy().values() if id(v) not in seen]
        seen.update(map(id, below))
        waiting += below
    return count


def _call_in_turn(
    waiting: dict[str, collections.deque[_Call]],
    operations: dict[str, Any],
    offsets: dict[str, int],
) -> None:
    """Calls the operations, each as soon as its inputs are made, and takes the calls out of
    `waiting`. Each operation is looked at again when the call that it waits for was made.
    """
    turn, blocked = collections.deque(waiting), collections.defaultdict(list)
    left = MOST_CALLS
    while turn:
        name = turn.popleft()
        calls = waiting[name]
        while calls:
            awaited = calls[0].awaited(operations, offsets)
            if awaited is not None:
                blocked[awaited].append(name)
                break
            left -= calls_of(operations[name])
            if left < 0:
                raise registry.SerializationError(
                    f"Models in models lead to more than {MOST_CALLS} calls of layers: '{name}' "
                    "is called too often. Build such a model by code, and load its weights."
                )
            _call_node(operations[name], calls.popleft().node, operations, offsets)
            number = len(nodes_of(operations[name])) - offsets[name] - 1
            turn.extend(blocked.pop((name, number), ()))


def _tensor(
    history: Sequence[Any], operations: dict[str, Any], offsets: dict[str, int]
) -> KerasTensor | None:
    """The tensor at [layer name, node number, position], or None if not made yet."""
    name, index, position = history[:3]
    operation = operations.get(name)
    nodes = getattr(operation, "_inbound_nodes", [])
    index += offsets.get(name, 0)
    return nodes[index].output_tensors[position] if index < len(nodes) else None


def _tensors_at(histories: Any, find: Callable[[Sequence[Any]], Any]) -> "Structure":
    """The tensors of a structure of histories; a list of one is a list of one tensor."""

    def is_history(p: Any) -> bool:
        return (
            isinstance(p, (list, tuple))
            and len(p) in (3, 4)
            and isinstance(p[0], str)
            and isinstance(p[1], int)
        )

    if is_history(histories):
        return find(histories)
    if isinstance(histories, dict):
        return {k: _tensors_at(v, find) for k, v in histories.items()}
    tensors = [_tensors_at(p, find) for p in histories]
    return tuple(tensors) if isinstance(histories, tuple) else tensors


def _references(value: Any) -> Iterator[list]:
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            yield value["config"]["keras_history"]
        else:
            for v in value.values():
                yield from _references(v)
    elif isinstance(value, (list, tuple)):
        for v in value:
            yield from _references(v)


def _call_node(
    operation: Any, node: dict[str, Any], operations: dict[str, Any], offsets: dict[str, int]
) -> None:
    def fill(value: Any) -> Any:
        if isinstance(value, TensorReference):
            return _tensor(value.history, operations, offsets)
        if isinstance(value, list):
            return [fill(v) for v in value]
        if isinstance(value, tuple):
            return tuple(map(fill, value))
        return {k: fill(v) for k, v in value.items()} if isinstance(value, dict) else value

    args = fill(registry.deserialize(node["args"]))
    kwargs = fill(registry.deserialize(node["kwargs"]))
    if not isinstance(operation, Layer):  # ops take tuples where JSON has lists: x[:, 0]
        args = [
            args[0],
            *(tuple(a) if isinstance(a, list) and not any_symbolic(a) else a for a in args[1:]),
        ]
    if isinstance(operation, op.Operation):
        given = dict(zip(operation.op.signature.parameters, args)) | kwargs
        check_numbers(operation.op.class_name, given)
    operation(*args, **kwargs)


registry._named["keras.src.models.functional.Functional"] = Functional
registry._named["keras.models.Functional"] = Functional
registry._short.setdefault("Functional", []).append(Functional)


Model.graph_class = Functional
