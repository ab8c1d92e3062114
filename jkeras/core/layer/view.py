"""The Keras view of a layer: its weights as lists of variables, its dtypes, its losses. It computes
no outputs.
"""

import operator
import typing
from collections.abc import Iterator
from typing import Any

from jkeras.core.weights import policy, stored_weights, weight_lists
from jkeras.core.layer import stateless
from jkeras.core.weights.by_variable import unique
from jkeras.core.names.dtypes import is_float
from jkeras.core.graph.keras_tensor import one_or_list
from jkeras.core.weights.paths import children_of, own_variables, variables_of, walk
from jkeras.core.weights.rng import SeedGenerator
from jkeras.core.weights.module import Module
from jkeras.core.weights.variable import Variable
from jkeras.core.weights.weight_trees import set_tree_of_weights, tree_of_weights


def lacking(name: str) -> typing.Callable:
    """A method that not every layer has, which says so."""

    def method(layer: Any, *args: Any, **kwargs: Any) -> typing.NoReturn:
        """Raises NotImplementedError: this layer does not have it."""
        kind = type(layer).__name__
        raise NotImplementedError(f"Layer {kind} does not have a `{name}` method implemented.")

    return method


class WeightView:
    """What Keras users look at on a layer besides calling it."""

    keeps_sparse = False  # whether the output of a sparse input is sparse

    # ------------------------------------------------------------ names and dtypes

    @property
    def path(self) -> str:
        """The names of the layers around it and its own: "net/dense"."""
        return f"{self._scope}/{self.name}" if self._scope else self.name

    @property
    def _where(self) -> str:
        return f"Layer '{self.path}' ({type(self).__name__})"

    @property
    def dtype_policy(self) -> Any:
        """In what type the layer computes and keeps its weights."""
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        new = policy.get(value)
        quantizes = new.quantization_mode and self.built and not self._is_quantized
        if quantizes:
            policy.check_needs_no_data(new)
        self._dtype_policy = self._dtype_policy.changed(self.path, new)
        if quantizes:
            self.quantize(new.quantization_mode)

    @property
    def _own_policy(self) -> Any:
        return self._dtype_policy.of(self)

    @property
    def dtype(self) -> str:
        """The type of the weights."""
        return self._own_policy.variable_dtype

    variable_dtype = dtype

    @property
    def compute_dtype(self) -> str:
        """The type in which the layer computes."""
        policy = self._dtype_policy
        return (policy.of(self) if policy.is_by_path else policy).compute_dtype

    @property
    def input_dtype(self) -> str:
        """The type that float inputs are cast to."""
        return self.compute_dtype

    @property
    def _input_type(self) -> str:
        return self.compute_dtype if is_float(self.compute_dtype) else "float32"

    @property
    def quantization_mode(self) -> str | None:
        """How the layer is quantized: "int8", "int4", "float8", or None."""
        return self._own_policy.quantization_mode

    @property
    def _is_quantized(self) -> bool:
        """Whether the weights are stored in few bits now."""
        return False

    def quantize(
        self, mode: str | None = None, config: Any = None, type_check: bool = True
    ) -> None:
        """Puts weights into few bits, where a layer can."""
        lacking("quantize")(self)

    quantized_build = lacking("quantized_build")

    # ------------------------------------------------------------ trainable

    _trainable = True  # before `__init__` too

    @property
    def trainable(self) -> bool:
        """Whether gradients reach the layer's weights. Setting it sets all layers below."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = bool(value)
        for layer in self._flatten_layers():
            layer.set_untracked(_trainable=value)
            for variable in own_variables(layer).values():
                if variable.learnable:
                    variable.trainable = value

    # ------------------------------------------------------------ children

    @property
    def _layers(self) -> list["WeightView"]:
        return [child for _, child in children_of(self) if isinstance(child, WeightView)]

    def _flatten_layers(
        self, include_self: bool = True, recursive: bool = True
    ) -> list["WeightView"]:
        """The layers below in Keras's order, since files of keras-hub number them by it: those of a
        layer follow it, the last one first.
        """
        if not recursive:
            return ([self] if include_self else []) + self._layers
        order = {self: None}
        waiting = layers_right_below(self)[::-1]
        while waiting:
            layer = waiting.pop()
            if layer not in order:
                order[layer] = None
                waiting += layers_right_below(layer)
        return list(order)[0 if include_self else 1 :]

    @property
    def metrics(self) -> list[Any]:
        """The metrics that the layer and those below it own."""
        return [
            part
            for _, part in walk(self)
            if not isinstance(part, (WeightView, SeedGenerator)) and hasattr(part, "update_state")
        ]

    @property
    def metrics_variables(self) -> list[Variable]:
        """The variables of `metrics`."""
        return [v for metric in self.metrics for v in metric.variables]

    # ------------------------------------------------------------ weights and variables

    def _collect(self, with_seeds: bool) -> list[Variable]:
        variables = []
        for layer in _through_layers(self):
            own = list(own_variables(layer).values())
            variables += [v for v in own if v.learnable]
            variables += [v for v in own if not v.learnable]
            if with_seeds:
                for _, child in children_of(layer):
                    if isinstance(child, SeedGenerator):
                        variables += own_variables(child).values()
        return unique(variables)

    @property
    def variables(self) -> list[Variable]:
        """All variables, the states of seed generators too, in Keras's order."""
        return self._collect(with_seeds=True)

    @property
    def weights(self) -> list[Variable]:
        """The weights, in Keras's order: own ones first, trainable before the others, then those of
        the children.
        """
        return self._collect(with_seeds=False)

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that gradients reach."""
        return [v for v in self.variables if v.trainable] if self.trainable else []

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The variables that gradients do not reach."""
        return [v for v in self.variables if not (v.trainable and self.trainable)]

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that gradients reach."""
        return [v for v in self.weights if v.trainable] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that gradients do not reach."""
        return [v for v in self.weights if not (v.trainable and self.trainable)]

    get_weights = weight_lists.get_weights
    set_weights = weight_lists.set_weights
    count_params = weight_lists.count_params

    # ------------------------------------------------------------ params and state as trees

    @property
    def params(self) -> dict[str, Any]:
        """The arrays that a gradient may reach, as a nested dict. Assigning one distributes it."""
        return tree_of_weights(self, learnable=True)

    @params.setter
    def params(self, values: dict[str, Any]) -> None:
        set_tree_of_weights(self, values, learnable=True)

    @property
    def state(self) -> dict[str, Any]:
        """The arrays that the forward pass itself updates, as a nested dict. Assigning one
        distributes it.
        """
        return tree_of_weights(self, learnable=False)

    @state.setter
    def state(self, values: dict[str, Any]) -> None:
        set_tree_of_weights(self, values, learnable=False)

    # ------------------------------------------------------------ losses

    @property
    def losses(self) -> list[Any]:
        """What the last call added, and the penalties of the trainable weights."""
        return weight_lists.added_losses(layers_of(self)) + weight_lists.penalties(self)

    # ------------------------------------------------------------ Keras's pure contract

    stateless_call = stateless.stateless_call

    # ------------------------------------------------------------ the graph around a layer

    def _tensors_of_calls(self, attribute: str) -> list:
        nodes = self._inbound_nodes
        if not nodes:
            raise AttributeError(
                f"The layer {self.name} has never been called on a symbolic input and thus has no "
                f"defined {attribute}."
            )
        return nodes

    @property
    def input(self) -> Any:
        """The input of the first symbolic call, or a flat list."""
        return one_or_list(self._tensors_of_calls("input")[0].input_tensors)

    @property
    def output(self) -> Any:
        """The output of the first symbolic call, or a flat list."""
        return one_or_list(self._tensors_of_calls("output")[0].output_tensors)

    # ------------------------------------------------------------ own weights in files

    _stored = stored_weights.in_file_order
    save_own_variables = stored_weights.save_own_variables
    load_own_variables = stored_weights.load_own_variables

    def _after_loading(self, stored: Any) -> None:
        """What is left to do when the stored weights have been read."""


def variables_and_layers(model: WeightView) -> list[Variable | WeightView]:
    """The variables of a model, and its layers: what remembers trainings with privacy."""
    modules = walk(model)
    layers = [module for _, module in modules if isinstance(module, WeightView)]
    return [*map(operator.itemgetter(1), variables_of(modules)), *layers]


def layers_of(model: WeightView, include_self: bool = True) -> list[WeightView]:
    """A model and the layers below it, in Keras's order."""
    return model._flatten_layers(include_self=include_self)


def _through_layers(layer: WeightView) -> Iterator[WeightView]:
    """A layer and all layers below it, reached through layers alone."""
    seen = set()
    waiting = [layer]  # the next one last
    while waiting:
        layer = waiting.pop()
        if id(layer) not in seen:
            seen.add(id(layer))
            yield layer
            for _, child in reversed(children_of(layer)):
                if isinstance(child, WeightView):
                    waiting.append(child)


def layers_right_below(module: Module) -> list[WeightView]:
    """The layers that a module holds, in its lists and dicts too, in its own order."""
    layers = []
    for _, child in children_of(module):
        layers += [child] if isinstance(child, WeightView) else layers_right_below(child)
    return layers
