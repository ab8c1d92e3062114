"""Model: a layer that can be compiled, fitted, saved; graphs and subclasses are both models."""

import json
import operator
import os
import warnings
from typing import TYPE_CHECKING, Any, ClassVar, Self
from collections.abc import Callable, Sequence

import jax

from jkeras.core.names import registry
from jkeras.core.weights.assigning import assign_all
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.kernel import tree
from jkeras.core.errors import explain, suggestion
from jkeras.core.run.building import as_tuples
from jkeras.core.run.tracebacks import not_initialized, without_own_frames
from jkeras.core.layer import Layer
from jkeras.core.say.console import say
from jkeras.core.session.keras_version import is_316
from jkeras.ensembles.shell import MaybeEnsemble
from jkeras.models.generating import Generating
from jkeras.models import host
from jkeras.models.graph_inputs import columns_by_name, on_host_fitted
from jkeras.models.lost_masks import warn_of_lost_masks
from jkeras.models.quantizing import quantize_layers, summary_of
from jkeras.models.removed import WithoutRemoved
from jkeras.plans.shell import Planned
from jkeras.programs.operation_places import tap_operations
from jkeras.quantizers.configs import resolve
from jkeras.report.shell import Reported
from jkeras.training.shell.trainer import Trainer

if TYPE_CHECKING:
    from jkeras.core.run.call import Call
    from jkeras.core.weights.variable import Variable
    from jkeras.training.types import Structure

VALUE_FORMATS = {  # how `get_state_tree` reads a variable
    "backend_tensor": operator.attrgetter("value"),
    "numpy_array": operator.methodcaller("numpy"),
}


@registry.public("keras.Model", "keras.models.Model")
class Model(MaybeEnsemble, Reported, Planned, Generating, Trainer, WithoutRemoved, Layer):
    """Layers grouped into something that can be trained.

    Three ways: `Model(inputs, outputs)` for a graph, `Sequential` for a list, or a subclass with
    `call`. Every model is a layer too: it nests, it is shared, and `init` / `apply` are its pure
    form.

    Args:
        inputs, outputs: KerasTensors, or lists or dicts of them.
        name: name of the model.

    >>> from jkeras import Input, layers
    >>> x = Input((4,))
    >>> model = Model(x, layers.Dense(2)(x))
    >>> model.count_params()
    10
    """

    graph_class: ClassVar[Any]  # `Functional`, which is a model and enters itself

    if TYPE_CHECKING:  # what a graph has besides: a checker cannot see which models are graphs
        inputs: Any
        outputs: Any
        input_names: list[str]
        output_names: list[str]
        input_shape: Any
        output_shape: Any
        operations: list

    _tap_operations = tap_operations  # where a place is no layer

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if _is_graph(args, kwargs) and cls is Model:
            return Layer.__new__(cls.graph_class)
        return Layer.__new__(cls, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        graph = Model.graph_class
        if _is_graph(args, kwargs) and not isinstance(self, graph):
            # a subclass that hands a graph to its base becomes a graph with the subclass's methods
            self.__class__ = _graph_class(type(self), graph)
            return graph.__init__(self, *args, **kwargs)
        if isinstance(self, graph) and type(self).__init__ is graph.__init__ and args:
            return graph.__init__(self, *args, **kwargs)
        if args:
            raise TypeError(
                explain(
                    f"{type(self).__name__}()",
                    "`inputs` and `outputs`, or arguments by name",
                    f"{len(args)} argument by its place: {args[0]!r}",
                    "give the outputs, too, as in `Model(inputs, outputs)`",
                )
            )
        Trainer.__init__(self)
        Layer.__init__(self, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if args and host.has_texts(args[0]) and (parts := host.split(self)) is not None:
            prepare, device_model = parts
            outputs = device_model(prepare(args[0]), *args[1:], **kwargs)
            if not self.built:
                self.set_untracked(built=True)  # its layers are built as they run
            return outputs
        if args and not isinstance(args[0], (jax.Array, KerasTensor)):
            args = (on_host_fitted(args[0], self.types_of_inputs()), *args[1:])
        return super().__call__(*args, **kwargs)

    def prepared(self, x: Any) -> Any:
        """Data for the inputs as what a compiled step can take."""
        if hasattr(x, "columns"):
            x = columns_by_name(x, getattr(self, "input_names", None))
        return host.prepared(self, x)

    def warn_of_padding(self, has_weights: bool = True) -> None:
        """Warns, once for the model, where padding is taken for data since a mask is lost.

        Args:
            has_weights: whether the loss has weights of its own, or there is none.
        """
        warned = vars(self).setdefault("_warned_of_padding", {})
        if has_weights not in warned:
            names = {name for some in warned.values() for name in some}
            warned[has_weights] = warn_of_lost_masks(self, has_weights, names)

    def for_prediction(self, x: "Structure") -> "tuple[Model, Structure]":
        """(model, data for it) that give what this model predicts for data: of one that takes
        texts, what follows its layers on the host.
        """
        if hasattr(x, "columns"):
            x = columns_by_name(x, getattr(self, "input_names", None))
        parts = None
        if host.has_texts(x):
            parts = host.split(self)
        if parts is None:
            return self, x
        self.refuse_ensemble("`predict` of texts")
        prepare, device_model = parts
        return device_model.for_prediction(prepare(x))

    def layers_in_lines(self) -> list:
        """Layers in lines, in each of which one takes what the one before gives."""
        return []

    @property
    def layers(self) -> list:
        """The layers directly below."""
        return self._flatten_layers(include_self=False, recursive=False)

    @layers.setter
    def layers(self, value: Any) -> None:
        raise AttributeError(
            f"{self._where}: the `Model.layers` attribute is reserved: it shows the layers that "
            "are attributes of the model. To fix it: give a list of your own another name."
        )

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """A layer by its name or its number.

        Raises:
            ValueError: if there is none; the message lists those there are.
        """
        if name is not None and index is not None:
            raise ValueError(
                "get_layer: a name and a number are two layers; give one. Received: "
                f"index={index}, name={name}."
            )
        if index is not None:
            if len(self.layers) <= index:
                raise ValueError(
                    f"Was asked to retrieve layer at index {index} but model only has "
                    f"{len(self.layers)} layers."
                )
            return self.layers[index]
        if name is None:
            raise ValueError("get_layer: expected the `name` of a layer, or its `index`.")
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in self.layers]
        raise ValueError(
            f"No such layer: {name}. Existing layers are: {names}.{suggestion(name, names)}"
        )

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Builds a subclass for the shapes of `get_build_config()`."""
        shape = config.get("input_shape") or config.get("shapes_dict")
        if shape is None or self.built:
            return
        if isinstance(shape, dict) and "shapes_dict" in config:
            self.build(**{k: as_tuples(v) for k, v in shape.items()})
        else:
            self.build(as_tuples(shape))

    @without_own_frames
    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Prints a table of the layers: shapes, parameter counts, and totals.

        Args:
            line_length: width of the table.
            print_fn: takes the text instead of `print`.
            expand_nested: list the layers of nested models too.
            show_trainable: add a column that says whether a layer is trainable.
            layer_range: (first, last) names, as regular expressions, of the layers to show.
        """
        from jkeras.models.summary import print_summary

        print_summary(
            self,
            line_length=line_length,
            positions=positions,
            print_fn=print_fn,
            expand_nested=expand_nested,
            show_trainable=show_trainable,
            layer_range=layer_range,
        )

    # ------------------------------------------------------------ weights in few bits

    def quantize(
        self,
        mode: str | None = None,
        config: Any = None,
        filters: Any = None,
        verbose: bool | None = None,
        *,
        type_check: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Quantizes the layers below that can be, and warns of those that cannot.

        Args:
            mode: "int8", "int4", "float8", "ternary", "gptq" or "awq".
            config: a `jkeras.quantizers.QuantizationConfig`; decides the mode where `mode` is None.
                A `GPTQConfig` or `AWQConfig` is needed for "gptq" and "awq". Its data goes through
                the blocks that it, or else `get_quantization_layer_structure`, names, and the
                `Dense` and `EinsumDense` layers in these are quantized one block after the other.
            filters: which layers: a regular expression for their names, a list of such, or a
                function of a layer.
            verbose: whether the report is printed; Keras 3.16 does by default.
            type_check: leave subclasses of the built-in layers as they are.

        Returns:
            A `jkeras.quantizers.QuantizationReport`: which layers were quantized, and why not the
            others.

        Raises:
            ValueError: mode, config or filters are not what they should be, or another argument is
                given; a layer is not built, or quantized already (which Keras 3.16 passes over);
                "gptq" or "awq" without blocks, data or tokenizer, before a layer changes.

        >>> from jkeras import Input, Sequential, layers, quantizers
        >>> embed, block = layers.Embedding(9, 4), layers.Dense(4, name="block")
        >>> model = Sequential([Input((3,)), embed, block, layers.Dense(2)], name="net")
        >>> config = quantizers.GPTQConfig(
        ...     dataset=[[1, 2, 3, 4], [5, 6, 7]],
        ...     tokenizer=list,  # where the data set is of texts
        ...     num_samples=2,
        ...     sequence_length=3,
        ...     group_size=2,
        ...     quantization_layer_structure={
        ...         "pre_block_layers": [embed],
        ...         "sequential_blocks": [block],
        ...     },
        ... )
        >>> model.quantize("gptq", config).quantized
        [('net/block', 'gptq', 'gptq/4/2_from_float32')]
        """
        if kwargs:
            raise ValueError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: {kwargs}"
            )
        self.refuse_ensemble("`quantize`")
        layers = self._flatten_layers()
        report = quantize_layers(self, layers, resolve(mode, config), filters, type_check)
        warning = report.summary_warning()
        if is_316() and warning is not None:
            warnings.warn(warning, stacklevel=2)
        if verbose is None:
            verbose = is_316()
        if verbose:
            say(report.render())
        self.set_untracked(_quantization_report=report)
        for compiled in ("_functions", "_predictor"):  # for the old weights
            vars(self).pop(compiled, None)
        return report

    def quantization_summary(self, verbose: bool = True) -> str:
        """The layers in few bits, what holds their numbers, and how much smaller that is.

        Args:
            verbose: print it, too.

        >>> from jkeras import Input, Sequential, layers
        >>> model = Sequential([Input((256,)), layers.Dense(128, name="head")], name="net")
        >>> _ = model.quantize("int8")
        >>> print(model.quantization_summary(verbose=False).splitlines()[4])
          weight store : int8 (32768 bytes)
        """
        summary = summary_of(self.name, self._flatten_layers())
        if verbose:
            say(summary)
        return summary

    def get_quantization_layer_structure(self, mode: str | None = None) -> Any:
        """Through which layers calibration data goes, for a model to define: `{"pre_block_layers":
        [...], "sequential_blocks": [...]}`; None.

        Args:
            mode: "gptq" or "awq".
        """
        return None

    # ------------------------------------------------------------ config and files

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data."""
        config = Layer.get_config(self)
        if type(self).get_config is Model.get_config and hasattr(self, "_given"):
            from jkeras.core.record import automatic_config

            config |= automatic_config(self)
        return config

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        """The model of a config: a graph's, or the arguments of a subclass."""
        graph_keys = ("name", "layers", "input_layers", "output_layers")
        if all(k in config for k in graph_keys):
            if cls is Model:
                return cls.graph_class.from_config(config, custom_objects=custom_objects)
            with registry.CustomObjectScope(custom_objects):
                inputs, outputs, _ = cls.graph_class.rebuilt(config)
                return cls(inputs=inputs, outputs=outputs, name=config.get("name"))
        with registry.CustomObjectScope(custom_objects):
            return super().from_config(config)

    def to_json(self, **kwargs: Any) -> str:
        """The model's architecture as JSON text; read by `model_from_json`.

        Args:
            kwargs: for `json.dumps`.
        """
        return json.dumps(registry.serialize(self), **kwargs)

    def save(
        self, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any
    ) -> None:
        """Saves architecture, weights, optimizer and compile arguments to one file."""
        if "_scope" not in vars(self):
            raise not_initialized(self)
        from jkeras.saving import save_model

        return save_model(self, filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def save_weights(
        self, filepath: str | bytes | os.PathLike, overwrite: bool = True, **kwargs: Any
    ) -> None:
        """Saves the weights to a `.weights.h5` file."""
        from jkeras.saving import save_weights

        self.refuse_ensemble("`save_weights`, for which there is `save`,")
        return save_weights(self, filepath, overwrite=overwrite, **kwargs)

    def load_weights(
        self, filepath: str | bytes | os.PathLike, skip_mismatch: bool = False, **kwargs: Any
    ) -> None:
        """Loads weights from a file that `save_weights` or `save` wrote, here or in Keras."""
        from jkeras.saving import load_weights

        self.refuse_ensemble("`load_weights`")
        return load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)

    def export(
        self,
        filepath: str | os.PathLike,
        format: str = "stablehlo",
        verbose: bool | None = None,
        input_signature: Any = None,
        platforms: Sequence[str] = ("cpu", "cuda", "tpu"),
        **kwargs: Any,
    ) -> None:
        """Writes the forward pass at inference, with the weights, as a program that needs JAX alone
        to run.

        `jkeras.export.load(filepath)` gives it back as a function; docs/export.md shows how to do
        without jkeras.

        Args:
            filepath: of the file; what is there is replaced.
            format: "stablehlo"; "onnx" through the converter jax2onnx; "tf_saved_model" or "litert"
                where TensorFlow is installed.
            verbose: print what was exported; by default where interactive logging is on.
            input_signature: list of the arguments, each a structure of `InputSpec`, `KerasTensor`,
                `jax.ShapeDtypeStruct` or arrays; by default what the model was built for, any batch
                size.
            platforms: where the program shall run, among "cpu", "cuda", "rocm" and "tpu"; the same
                file for all.
            kwargs: `opset_version` for "onnx"; for "litert" attributes of TensorFlow's converter,
                such as `optimizations`.

        Raises:
            ValueError: another format, or a forward pass that no program can have: texts, layers
                that run on the host, state that is written, random numbers at inference.
            NotImplementedError: a format of Keras's that is not written here.
            ImportError: the format needs a library that is not installed.
        """
        from jkeras.export.formats import export_model

        self.refuse_ensemble("`export`")
        export_model(self, filepath, format, verbose, input_signature, platforms, **kwargs)

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, Any]:
        """All values as nested dicts by path: "trainable_variables", "non_trainable_variables",
        "optimizer_variables", "metrics_variables".

        Args:
            value_format: "backend_tensor" or "numpy_array".
        Raises:
            ValueError: another format, or two variables of the same path.
        """
        if value_format not in VALUE_FORMATS:
            raise ValueError(
                "Invalid `value_format` argument. Expected 'numpy_array' or 'backend_tensor'. "
                f"Received: value_format={value_format}"
            )
        read = VALUE_FORMATS[value_format]
        state_tree = {}
        for group, variables in self._state_groups().items():
            paths = [v.path for v in variables]
            twice = sorted({path for path in paths if paths.count(path) > 1})
            if twice:
                raise ValueError(
                    f"The following variable path is found twice in the model: {twice[0]} (of "
                    f"{len(twice)}). "
                    "`get_state_tree()` needs unique ones: give the layers different names."
                )
            state_tree[group] = tree.unflatten((v.path.split("/"), read(v)) for v in variables)
        return state_tree

    def set_state_tree(self, state_tree: dict[str, Any]) -> None:
        """Sets the values of variables from a tree of `get_state_tree()`, or a part of one; after
        any error nothing is changed.
        """
        groups = self._state_groups()
        pairs = []
        for group, values in state_tree.items():
            if group not in groups:
                raise ValueError(f"Unknown variable name: {group}. Expected one of {list(groups)}.")
            values_by_path = {"/".join(path): value for path, value in tree.flatten(values)}
            pairs += [
                (variable, values_by_path[variable.path])
                for variable in groups[group]
                if variable.path in values_by_path
            ]
        assign_all(pairs)

    def _state_groups(self) -> "dict[str, list[Variable]]":
        return {
            "trainable_variables": self.trainable_variables,
            "non_trainable_variables": self.non_trainable_variables,
            "optimizer_variables": [] if self.optimizer is None else self.optimizer.variables,
            "metrics_variables": self.metrics_variables,
        }

    def check_input(self, call: "Call", input_spec: Any) -> None:
        """Raises for an input that the model cannot take."""
        super().check_input(call, input_spec)
        if call.first is None and not call.tensors:
            raise ValueError(
                explain(
                    self._where, "an array, or a structure of arrays, as first argument", "None"
                )
            )


def _is_graph(args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    """Whether constructor arguments describe a graph."""
    if len(args) >= 2:
        return True
    if len(args) == 1:
        return "outputs" in kwargs
    return {"inputs", "outputs"} <= kwargs.keys()


_graph_classes = {}


def _graph_class(cls, functional: type) -> type:
    """`cls` with the methods of a graph below its own; made once for each class."""
    if cls not in _graph_classes:
        made = type(
            cls.__name__,
            (cls, functional),
            {
                "__module__": cls.__module__,
                "__qualname__": cls.__qualname__,
                "_config_module": cls.__module__,
            },
        )
        if registry.public_name(cls) is None and cls in registry._custom_names:
            registry._custom_names[made] = registry._custom_names[cls]
        _graph_classes[cls] = made
    return _graph_classes[cls]


@registry.public("keras.models.model_from_json")
def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """The model of a JSON text that `to_json` made, here or in any Keras from 2.3 on, with new
    weights.

    Args:
        json_string: the text.
        custom_objects: classes and functions of yours by their names in it.
    Returns:
        the model, compiled if the other one was.
    Raises:
        SerializationError (a ValueError): it is no such text, or names unknown classes.

    >>> from jkeras import Sequential, layers, Input
    >>> model_from_json(Sequential([Input((2,)), layers.Dense(3)]).to_json()).output_shape
    (None, 3)
    """
    from jkeras.saving import safe_json  # h5py's neighbours load on first use

    config = safe_json.loads(json_string, "the JSON text", finite=False)
    if not isinstance(config, dict):
        raise registry.SerializationError(
            f"Expected the text of a model's config, an object. Received: {registry.shown(config)}"
        )
    if "module" not in config:
        from jkeras.saving.dialects import modern  # only old files need it

        config = modern(config)
    return registry.deserialize(config, custom_objects=custom_objects)
