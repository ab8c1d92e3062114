"""Whole models and weights in one `.h5` file, the format of Keras before `.keras`: read, and
written as Keras 3 does.

The file's attributes hold the configs as JSON; the group `model_weights` has a group for each
layer, whose attribute `weight_names` lists its arrays in order. Weights are matched by the order of
the layers, not by their names.
"""

import json
import warnings
from typing import TYPE_CHECKING, Any

import jax

from jkeras.core.names import registry
from jkeras.core.errors import SerializationError
from jkeras.core.weights.paths import own_variables
from jkeras.optimizers.by_path import build_of_model
from jkeras.saving import dialects, hdf5, safe_json
from jkeras.core.weights.assigning import load_all
from jkeras.saving.checksums import Checksums
from jkeras.saving.hdf5_writing import make_group, write_array
from jkeras.saving.weights import refuse_or_warn
from jkeras.saving.optimizers_of_code import with_optimizer
from jkeras.saving.types import BinaryFile, Config, Model

if TYPE_CHECKING:
    import h5py
    import numpy as np
    from jkeras.core.layer.contract import Layer
    from jkeras.core.weights.variable import Variable

ATTRIBUTE_LIMIT = 64512  # bytes that HDF5 lets one attribute have
TOP = "top_level_model_weights"  # the group of the weights that a model has itself


# ---------------------------------------------------------------- writing


def write(model: Model, file: "h5py.File", version: str, sums: Checksums | None = None) -> None:
    """Writes architecture, weights, compile arguments and optimizer into an open HDF5 file."""
    file.attrs["keras_version"] = version
    file.attrs["backend"] = "jax"
    file.attrs["model_config"] = json.dumps(_plain_layers(registry.serialize(model)))
    if model.compiled and model.optimizer is not None:
        training = {k: _short(v) for k, v in model.stored_compile_config().items()}
        training["optimizer_config"] = training.pop("optimizer")
        training.pop("privacy", None)  # beside the architecture
        file.attrs["training_config"] = json.dumps(training)
    record = model.private_record()
    if record is not None:
        file.attrs["privacy"] = json.dumps(record)
    write_weights(model, file.create_group("model_weights"), version, sums)
    if model.compiled and getattr(model.optimizer, "built", False):
        _write_list(file.create_group("optimizer_weights"), model.optimizer.variables, sums)


def write_weights(model: Model, group: "h5py.Group", version: str, sums: Checksums | None) -> None:
    """Writes the weights of a model's layers, and those the model has itself, into a group."""
    _write_names(group, "layer_names", [layer.name for layer in model.layers])
    group.attrs["keras_version"] = version
    group.attrs["backend"] = "jax"
    for layer in model.layers:
        _write_list(make_group(group, layer.name), _in_order(layer), sums)
    _write_list(group.create_group(TOP), list(own_variables(model).values()), sums)


def _in_order(layer: "Layer") -> "list[Variable]":
    return layer.trainable_weights + layer.non_trainable_weights


def _write_list(group: "h5py.Group", variables: "list[Variable]", sums: Checksums | None) -> None:
    names = []
    for variable in variables:
        name = variable.path
        count = 0
        while name in names:
            count += 1
            name = f"{variable.path}_{count}"
        names.append(name)
        write_array(group, name, variable.value, sums)
    _write_names(group, "weight_names", names)


def _write_names(group: "h5py.Group", attribute: str, names: list[str]) -> None:
    """A list of names as one attribute, or as several numbered ones where it is too long for
    one.
    """
    encoded = [name.encode("utf8") for name in names]
    if sum(map(len, encoded)) <= ATTRIBUTE_LIMIT:
        group.attrs[attribute] = encoded
        return
    size = max(1, ATTRIBUTE_LIMIT // max(map(len, encoded)))
    for i, start in enumerate(range(0, len(encoded), size)):
        group.attrs[f"{attribute}{i}"] = encoded[start : start + size]


def _plain_layers(described: Config) -> dict[str, Any]:
    """A model's config in which its layers, and those of models in it, have class name and config
    alone.
    """
    plain = {
        k: described[k]
        for k in ("class_name", "config", "name", "inbound_nodes", "private")
        if k in described
    }
    if str(described.get("module")).startswith("keras"):
        # not the public name
        layer_class = registry.find(described["class_name"], described)
        plain["class_name"] = getattr(layer_class, "class_name", None) or layer_class.__name__
    elif described.get("registered_name"):
        plain["class_name"] = described["registered_name"]
    layers = described["config"].get("layers")
    if isinstance(layers, list):
        plain["config"] = {
            **described["config"],
            "layers": [_plain_layers(entry) for entry in layers],
        }
    return plain


def _short(value: Any) -> Any:
    """Losses and metrics by class name and config, as the format has them."""
    if isinstance(value, dict) and "class_name" in value:
        if value["class_name"] == "function":
            return value["config"]
        return {"class_name": value["class_name"], "config": value["config"]}
    if isinstance(value, dict):
        return {k: _short(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_short(v) for v in value]
    return value


# ---------------------------------------------------------------- reading


def read(
    file: "h5py.File",
    raw: BinaryFile,
    custom_objects: dict[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
    optimizer: Any = None,
) -> Any:
    """The model of an open HDF5 file.

    Args:
        raw: the same file, open for reading bytes.
        optimizer: to compile with instead of the file's own.

    Raises:
        SerializationError: the file has no architecture in it, or an unknown class.
    """
    described = hdf5.text(file, "model_config", raw)
    if described is None:
        raise SerializationError(
            "it holds no architecture, only weights: build the model and use `model.load_weights`."
        )
    old = dialects.is_old(hdf5.text(file, "keras_version", raw))
    with registry.loading(safe_mode):
        config = dialects.modern(safe_json.loads(described, "its `model_config`", finite=safe_mode))
        if old:
            dialects.warn_of_other_numbers(config, custom_objects)
        model = registry.deserialize(config, custom_objects, safe_mode)
        if not hasattr(model, "layers"):
            raise SerializationError(
                f"its `model_config` describes a {type(model).__name__}, no model."
            )
        read_weights(model, hdf5.descend(file, "model_weights"), raw)
        record = hdf5.text(file, "privacy", raw)
        if record is not None:
            model.take_private_record(safe_json.loads(record, "its account of privacy"))
        training = None
        if compile:
            training = hdf5.text(file, "training_config", raw)
        if training is not None:
            training = safe_json.loads(training, "its `training_config`", finite=safe_mode)
            compiled = with_optimizer(dialects.modern_training(training, config), optimizer)
            with registry.CustomObjectScope(custom_objects):
                model.compile_from_config(compiled)
            saved = hdf5.descend(file, "optimizer_weights")
            if saved is not None and model.optimizer is not None:
                build_of_model(model)
                _restore_optimizer(model, saved, old, raw)
    return model


def _restore_optimizer(model: Model, group: "h5py.Group", old: bool, raw: BinaryFile) -> None:
    """Sets the optimizer's variables; where they are of another optimizer, a warning says so, as in
    Keras.
    """
    names = hdf5.names(group, "weight_names", raw) or []
    arrays = [_find(group, name) for name in names]
    if old:
        pairs = dialects.by_name(model.optimizer, names)
        array_at = dict(zip(names, arrays))
    else:
        shapes = [getattr(array, "shape", None) for array in arrays]
        pairs = dialects.by_number(model.optimizer, shapes)
        array_at = dict(enumerate(arrays))
    if pairs is None:
        warnings.warn(
            f"The optimizer of model '{model.name}' begins afresh: it has "
            f"{len(model.optimizer.variables)} variables, the file {len(names)}.",
            stacklevel=6,
        )
        return
    with Checksums() as sums:
        values = {
            path: hdf5.read_array(array_at[path], tuple(variable.shape), sums, raw)
            for variable, path in pairs
        }
        sums.finish()
    dialects.assign(model.optimizer, pairs, lambda path, shape: jax.device_put(values[path]))


def read_weights(
    model: Model,
    group: "h5py.Group | None",
    raw: BinaryFile,
    skip_mismatch: bool = False,
    by_name: bool = False,
) -> None:
    """Sets a model's weights from a group, layer by layer in order, or by the layers' names.

    Raises:
        SerializationError: other numbers or shapes of weights; all are listed, and
            nothing is changed.
    """
    names = _weight_names(group, raw)
    saved = [layer_name for layer_name in names if names[layer_name]]
    pairs = _pairs(model, saved, by_name)
    values = []  # (variable, array)
    problems = []
    with Checksums() as sums:
        for layer, name in pairs:
            inside = hdf5.descend(group, name)
            own_values, errors = _layer_values(layer, inside, names[name], raw, sums)
            values += own_values
            problems += [f"layer '{layer.name}', in the file '{name}': {error}" for error in errors]
        if not by_name:
            values += _top_values(model, hdf5.descend(group, TOP), raw, sums)
        sums.finish()
    refuse_or_warn(model, problems, skip_mismatch)
    load_all(values)


def _pairs(model: Model, saved: list[str], by_name: bool) -> "list[tuple[Layer, str]]":
    """(layer, name in the file) of those that belong together."""
    if by_name:
        named_layers = {layer.name: layer for layer in model.layers}
        return [(named_layers[name], name) for name in saved if name in named_layers]
    layers = [layer for layer in model.layers if layer.weights]
    if len(layers) != len(saved):
        raise SerializationError(
            f"Layer count mismatch: model '{model.name}' has {len(layers)} layers with "
            f"weights {[layer.name for layer in layers]}, the file {len(saved)}: {saved}."
        )
    return list(zip(layers, saved))


def _weight_names(group: "h5py.Group | None", raw: BinaryFile) -> dict[str, list[str]]:
    """{layer's name: names of its arrays} of all layers in a group."""
    layers = None
    if group is not None:
        layers = hdf5.names(group, "layer_names", raw)
    if layers is None:
        raise SerializationError(
            "it has no list of layers with weights: it is damaged, or a file of another kind."
        )
    names = {}
    for layer in layers:
        inside = hdf5.descend(group, layer)
        if inside is None:
            raise SerializationError(
                f"it lists the layer '{layer}', and has nothing of it: it is damaged."
            )
        names[layer] = hdf5.names(inside, "weight_names", raw) or []
    return names


def _top_values(
    model: Model, group: "h5py.Group | None", raw: BinaryFile, sums: Checksums
) -> "list[tuple[Variable, np.ndarray]]":
    """(variable, array) pairs for the weights that the model has itself."""
    own = list(own_variables(model).values())
    if group is None or not own:
        return []
    names = hdf5.names(group, "weight_names", raw) or []
    _check_count(model, own, names)
    return [
        (v, hdf5.read_array(_find(group, name), v.shape, sums, raw)) for v, name in zip(own, names)
    ]


def _layer_values(
    layer: "Layer", group: "h5py.Group | None", names: list[str], raw: BinaryFile, sums: Checksums
) -> "tuple[list[tuple[Variable, np.ndarray]], list[SerializationError]]":
    """For a layer, from these arrays of its group: (variable, array) pairs, and what is wrong with
    the others.
    """
    variables = _in_order(layer)
    cudnn_shapes = dialects.cudnn_biases(layer)
    try:
        _check_count(layer, variables, names)
    except SerializationError as error:
        return [], [error]
    values = {}
    problems = []
    for variable, name in zip(variables, names):
        try:
            data = _find(group, name)
            shape = tuple(variable.shape)
            shape_there = getattr(data, "shape", None)
            if shape_there is not None and shape_there == cudnn_shapes.get(variable):
                shape = shape_there
            values[variable] = hdf5.read_array(data, shape, sums, raw)
        except SerializationError as error:
            problems.append(error)
    if not cudnn_shapes:
        return list(values.items()), problems
    if problems:  # the arrays of a recurrent layer go together
        return [], problems
    return list(zip(values, dialects.from_cudnn(layer, values))), []


def _check_count(layer: Any, variables: "list[Variable]", names: list[str]) -> None:
    """Raises where a file has another number of arrays for a layer."""
    if len(variables) != len(names):
        raise SerializationError(
            f"it has {len(variables)} weights {[tuple(v.shape) for v in variables]}, the file "
            f"{len(names)}: {names}"
        )


def _find(group: "h5py.Group", name: str) -> "h5py.Group | h5py.Dataset | None":
    """The array of a name with "/" in it, in a group."""
    folder, _, last = name.rpartition("/")
    inside = hdf5.descend(group, folder)
    if inside is None or last in ("", ".", ".."):
        return None
    return hdf5.child(inside, last)
