"""Sequential: the graph with one path."""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jkeras.core.errors import ArgumentError
from jkeras.core.graph import keras_tensor
from jkeras.core.names import registry
from jkeras.core.run.building import as_tuples, build_scope, known
from jkeras.kernel.scope import is_abstract
from jkeras.core.graph.graph import operation_of
from jkeras.core.graph.host_numbers import InputTypes
from jkeras.core.layer import Composite, Layer
from jkeras.core.weights.module import Parts
from jkeras.core.weights.structure import graph_keys
from jkeras.core.run.symbolic import spec_of
from jkeras.layers.input import Input, InputLayer
from jkeras.models.functional import Functional
from jkeras.models.host import Prepared, run_rest
from jkeras.models.model import Model

if TYPE_CHECKING:
    from jkeras.core.run.call import Call
    from jkeras.core.run.context import Children, Context
    from jkeras.training.types import Structure


@registry.public("keras.Sequential", "keras.models.Sequential")
class Sequential(Composite, Model):
    """Layers one after the other.

    Its shapes are static when it begins with an `Input`, or when the first layer has an
    `input_shape`; otherwise from the first data it sees.

    Args:
        layers: list of layers.
        trainable: whether gradients reach the weights.
        name: name of the model.

    >>> import numpy as np
    >>> from jkeras import layers
    >>> model = Sequential([layers.Dense(4, activation="relu"), layers.Dense(2)])
    >>> model(np.ones((3, 5))).shape
    (3, 2)
    """

    call_context = {"training": None, "mask": None}
    supports_cache = True

    def __init__(
        self, layers: Sequence[Any] | None = None, trainable: bool = True, name: str | None = None
    ) -> None:
        if isinstance(layers, (Layer, keras_tensor.KerasTensor)):
            raise ArgumentError(
                "Sequential takes one list of layers. Received layers as arguments: write "
                "`Sequential([first, second, …])`."
            )
        Model.__init__(self, name=name, trainable=trainable)
        self.set_untracked(_all_layers=[], _functional=None)
        for item in layers or ():
            self._all_layers.append(self._checked_layer(item))
        self._adopt_layers()
        self._maybe_rebuild()

    # ------------------------------------------------------------ the list

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Adds a layer at the end."""
        layer, grown = self._checked_layer(layer), None
        if rebuild and self._functional is not None:  # one more step on the path that is there
            grown = Functional(self._functional.input, layer(self._functional.output))
        self._all_layers.append(layer)
        self._adopt_layers()
        if grown is None and rebuild:
            self._maybe_rebuild()
        else:
            self.set_untracked(built=grown is not None, _functional=grown)

    def _checked_layer(self, layer: Any) -> Layer:
        """The argument of `add`, as a layer that may stand at the end; before the first one its
        input is put.
        """
        layer = _as_layer(layer)
        if not self._is_layer_name_unique(layer):
            raise ValueError(
                "The layers of a Sequential model should have unique names, by which they are "
                f"found. There is a '{layer.name}' already: pass another `name=` to one of the "
                "two."
            )
        if isinstance(layer, InputLayer) and self._begins_with_input():
            raise ValueError(
                f"Sequential model '{self.name}' has already been configured: its inputs are of "
                f"shape {self._all_layers[0].batch_shape}. Leave out the second `Input`."
            )
        shape = getattr(layer, "_first_shape", None)
        if not self._all_layers and shape is not None:
            self._all_layers.append(
                operation_of(Input(batch_shape=shape, dtype=_first_dtype(layer)))
            )
        return layer

    def _begins_with_input(self) -> bool:
        return bool(self._all_layers) and isinstance(self._all_layers[0], InputLayer)

    def pop(self, rebuild: bool = True) -> Any:
        """Removes the last layer and returns it."""
        if not self._all_layers:
            raise TypeError("There are no layers in the model.")
        layer = self._all_layers.pop()
        self._adopt_layers()
        self.set_untracked(built=False, _functional=None)
        if rebuild:
            self._maybe_rebuild()
        return layer

    def _adopt_layers(self) -> None:
        others = {k: v for k, v in self._children.items() if not isinstance(v, Layer)}
        self.set_untracked(_children=Parts(graph_keys(self._all_layers) | others))

    def _is_layer_name_unique(self, layer: Layer) -> bool:
        name = layer.name
        return all([other is layer or other.name != name for other in self._all_layers])

    def _maybe_rebuild(self) -> None:
        self.set_untracked(built=False, _functional=None)
        layers = self._all_layers
        if len(layers) > 1 and isinstance(layers[0], InputLayer):
            self.build(layers[0].batch_shape)
        elif len(layers) > 1 and hasattr(layers[0], "input_shape"):  # a model
            self.build(layers[0].input_shape)

    def build(self, input_shape: Any = None) -> None:
        """Builds the graph for a shape with the batch axis."""
        self._build_on(input_shape)

    def _build_on(self, input_shape: Any) -> None:
        if not isinstance(input_shape, tuple):
            return  # several inputs: runs layer by layer
        if not self._all_layers:
            raise ValueError(
                f"Sequential model '{self.name}' has no layers to build. `model.add(layer)` "
                "adds one."
            )
        candidates = _without_stand_ins(input_shape) if is_abstract() else [input_shape]
        before = list(self._all_layers)
        for shape in candidates:
            try:
                return self._build_graph(shape, _first_dtype(before[0]))
            except ValueError:
                if shape == candidates[-1]:
                    raise
                self._all_layers[:] = before

    def _build_graph(self, input_shape: tuple, dtype: str) -> None:
        layers = self._all_layers
        if isinstance(layers[0], InputLayer) and layers[0].batch_shape != input_shape:
            raise ValueError(
                f"Sequential model '{self.name}' has already been configured: its inputs are of "
                f"shape {layers[0].batch_shape}, and cannot be of {input_shape} as well."
            )
        if not isinstance(layers[0], InputLayer):
            layers.insert(0, operation_of(Input(batch_shape=input_shape, dtype=dtype)))
            self._adopt_layers()
        x = inputs = layers[0].output
        try:
            for layer in layers[1:]:
                _check_arguments(layer)
                x = layer(x)
        except NotImplementedError:
            return  # a layer that does not say what it gives for a shape: runs layer by layer
        self.set_untracked(_functional=Functional(inputs, x))

    def build_for(self, call: "Call") -> None:
        if isinstance(call.first, Prepared):
            self.set_untracked(built=True)  # its layers are built as they run
            return
        shapes = list(call.shapes().values())
        shape = shapes[0] if shapes else None
        if isinstance(shape, tuple):
            shape = (None, *shape[1:])
        with build_scope(self, (shape,), ["input_shape"]):
            # in the type of the first layer, whatever the data is: whole numbers now are no reason
            # to cut floats later
            self._build_on(shape)
        self.set_untracked(built=True)

    # ------------------------------------------------------------ running

    def _convert(self, x: Any) -> Any:
        return keras_tensor.as_tensor(x)

    def forward(
        self, w: dict[str, Any], sub: "Children", inputs: "Structure", *, ctx: "Context"
    ) -> "Structure":
        if isinstance(inputs, Prepared):
            return run_rest(self, inputs, lambda layer, args, kwargs: sub.run(layer, *args))
        # what sizes may differ from those it was built for is up to the layers
        if self._functional is not None:
            (inputs,) = self._functional._standardize_inputs(inputs, self._where, any_size=True)
        if ctx.mask is not None:
            sub.set_mask(inputs, ctx.mask)
        for layer in self.layers:
            inputs = sub.run(layer, inputs)
        return inputs

    def compute_output_spec(
        self, inputs: "Structure", training: bool | None = None, mask: "Structure | None" = None
    ) -> "Structure":
        """The output's shape and dtype for a KerasTensor, traced layer by layer."""
        if self.is_lifted():
            return super().compute_output_spec(
                inputs, **({} if training is None else {"training": training})
            )
        if self._functional is not None:
            return self._functional.compute_output_spec(inputs, training)
        for layer in self.layers:
            inputs = spec_of(layer, (inputs,), {}, training)
        return inputs

    def without_first(self, count: int) -> "Sequential":
        """The layers but for so many at the beginning, as a model."""
        return Sequential(self.layers[count:])

    # ------------------------------------------------------------ looking

    def types_of_inputs(self) -> InputTypes | None:
        if self._functional is not None:
            return None if self.is_lifted() else self._functional.types_of_inputs()
        if not self._all_layers or self.is_lifted():
            return None
        first = self._all_layers[0]
        is_input = isinstance(first, InputLayer)
        return InputTypes((first.dtype if is_input else first.type_of_numbers,))

    def recorded_shapes(self, x: "Structure") -> "Structure":
        if self.is_lifted() or self._functional is None:
            return None
        return self._functional.recorded_shapes(x)

    def layers_in_lines(self) -> list:
        return [self.layers]

    @property
    def layers(self) -> list:
        """The layers in order, without the input."""
        layers = self._all_layers
        return layers[1:] if layers and isinstance(layers[0], InputLayer) else layers[:]

    @layers.setter
    def layers(self, value: Any) -> None:
        raise AttributeError(
            f"{self._where}: `layers` cannot be set. Use `add()` and `pop()`, or make a new model: "
            "`Sequential(layers)`."
        )

    def _graph(self, name: str) -> Any:
        if self._functional is None:
            raise AttributeError(
                f"Sequential model '{self.name}' has no defined {name} yet: its input shape is not "
                "known. Begin it with `Input(shape=…)`, or call it on data."
            )
        return getattr(self._functional, name)

    inputs = property(lambda self: self._graph("inputs"), doc="The input tensors.")
    outputs = property(lambda self: self._graph("outputs"), doc="The output tensors.")
    input = property(lambda self: self._graph("input"), doc="The input tensor.")
    output = property(lambda self: self._graph("output"), doc="The output tensor.")
    input_shape = property(lambda self: self._graph("input_shape"), doc="The shape of the input.")
    output_shape = property(
        lambda self: self._graph("output_shape"), doc="The shape of the output."
    )
    input_names = property(lambda self: self._graph("input_names"), doc="The name of the input.")

    @property
    def output_names(self) -> list[str] | None:
        """The names under which outputs appear in logs."""
        return self._functional.output_names if self._functional is not None else None

    @property
    def input_dtype(self) -> Any:
        """The dtype of the first layer's input."""
        if self._begins_with_input():
            return self._all_layers[0].dtype
        return super().input_dtype

    # ------------------------------------------------------------ config

    def get_config(self) -> dict[str, Any]:
        """The layers as plain data, in Keras's form."""
        config = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": registry.serialize(self.dtype_policy),
            "layers": [registry.serialize(layer) for layer in self._all_layers],
        }
        if self._functional is not None:
            config["build_input_shape"] = self._all_layers[0].batch_shape
        return config

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        """The model of a config."""
        if cls is Sequential:
            registry.check_entries("Sequential", config, ENTRIES)
        model = cls(name=config.get("name"), trainable=True)
        with registry.in_scope(custom_objects or None):
            for entry in config["layers"]:
                model.add(registry.deserialize(entry), rebuild=False)
        model._maybe_rebuild()
        shape = config.get("build_input_shape")
        if not model.built and model._functional is None and isinstance(shape, (tuple, list)):
            model.build(as_tuples(shape))
        if config.get("trainable") is False:
            model.trainable = False
        return model

    def get_build_config(self) -> dict[str, Any] | None:
        """The shape the model was built for."""
        return (
            {"input_shape": self._all_layers[0].batch_shape}
            if self._functional is not None
            else None
        )


ENTRIES = {"name", "trainable", "dtype", "layers", "build_input_shape"}  # of a config

# building only makes the graph, which the forward pass on values can do without
Sequential.native_builds = (Layer.build, Sequential.build)


def _as_layer(item: Any) -> Layer:
    """What stands for a layer in a model, as one."""
    if isinstance(item, Layer):
        return item
    if hasattr(item, "_keras_history"):
        return operation_of(item)
    if callable(item) and not isinstance(item, type):
        from jkeras.layers import Lambda

        return Lambda(item)
    raise ValueError(
        f"Only instances of `jkeras.Layer` can stand in a Sequential model. Received: {item} "
        f"(of type {type(item)})"
    )


def _check_arguments(layer: Layer) -> None:
    """Raises ValueError for a layer whose call needs more than the one value that it gets."""
    if not layer.is_lifted():
        return
    parameters = inspect.signature(layer.call).parameters.values()
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p.name for p in positional if p.default is p.empty]
    takes_none = not any(p.kind is p.VAR_POSITIONAL or p in positional for p in parameters)
    if len(required) > 1 or takes_none:
        raise ValueError(
            "A layer in a Sequential model is called on what the one before it gave, so that "
            "its `call` can only have a single required positional argument. That of "
            f"{type(layer).__name__} has {required}: give the others defaults, or use a "
            "functional model."
        )


def _without_stand_ins(shape: tuple) -> list[tuple]:
    """What a shape met in a run on shapes may mean: a size that stands for unknown ones may also be
    just a size.

    The most general one that the layers can be built for is right, since no weight depends on the
    other sizes.
    """
    return [known(shape), (*known(shape[:-1]), *shape[-1:]), (*known(shape[:1]), *shape[1:])]


def _first_dtype(layer: Layer) -> Any:
    """The dtype of the `Input` that is made for a first layer: whole numbers for an Embedding, as
    Keras has it.
    """
    return layer.input_dtype
