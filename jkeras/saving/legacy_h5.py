"""Whole models and weights in one `.h5` file, the format of Keras before `.keras`: read, and written as Keras 3 does.

The file's attributes hold the configs as JSON; the group `model_weights` has a group for each layer, whose attribute
`weight_names` lists its arrays in order. Weights are matched by the order of the layers, not by their names.
"""

import json

import numpy as np

from jkeras.core import registry
from jkeras.core.errors import SerializationError
from jkeras.core.family import families

ATTRIBUTE_LIMIT = 64512  # bytes that HDF5 lets one attribute have


# ---------------------------------------------------------------- writing

def write(model, file, version):
    """Writes architecture, weights, compile arguments and optimizer into an open HDF5 file."""
    file.attrs["keras_version"], file.attrs["backend"] = version, "jax"
    file.attrs["model_config"] = json.dumps(_plain_layers(registry.serialize(model)))
    if model.compiled and model.optimizer is not None:
        training = {k: _short(v) for k, v in model.get_compile_config().items()}
        training["optimizer_config"] = training.pop("optimizer")
        file.attrs["training_config"] = json.dumps(training)
    write_weights(model, file.create_group("model_weights"), version)
    if model.compiled and getattr(model.optimizer, "built", False):
        _write_list(file.create_group("optimizer_weights"), model.optimizer.variables)


def write_weights(model, group, version):
    """Writes the weights of a model's layers, and those the model has itself, into a group."""
    _write_names(group, "layer_names", [layer.name for layer in model.layers])
    group.attrs["keras_version"], group.attrs["backend"] = version, "jax"
    for layer in model.layers:
        _write_list(group.create_group(layer.name), _in_order(layer))
    _write_list(group.create_group("top_level_model_weights"), list(model._own.values()))


def _in_order(layer):
    return layer.trainable_weights + layer.non_trainable_weights


def _write_list(group, variables):
    names = []
    for variable in variables:
        name, count = variable.path, 1
        while name in names:
            name, count = f"{variable.path}_{count}", count + 1
        names.append(name)
        group.create_dataset(name, data=np.asarray(variable.value))
    _write_names(group, "weight_names", names)


def _write_names(group, attribute, names):
    """A list of names as one attribute, or as several numbered ones where it is too long for one."""
    encoded = [name.encode("utf8") for name in names]
    if sum(map(len, encoded)) <= ATTRIBUTE_LIMIT:
        group.attrs[attribute] = encoded
        return
    size = max(1, ATTRIBUTE_LIMIT // max(map(len, encoded)))
    for i, start in enumerate(range(0, len(encoded), size)):
        group.attrs[f"{attribute}{i}"] = encoded[start:start + size]


def _plain_layers(described):
    """A model's config in which its layers, and those of models in it, have class name and config alone."""
    kept = {k: described[k] for k in ("class_name", "config", "name", "inbound_nodes") if k in described}
    if str(described.get("module")).startswith("keras"):
        kept["class_name"] = registry.find(described["class_name"], described).__name__  # not the public name
    elif described.get("registered_name"):
        kept["class_name"] = described["registered_name"]
    layers = described["config"].get("layers")
    if isinstance(layers, list):
        kept["config"] = {**described["config"], "layers": [_plain_layers(entry) for entry in layers]}
    return kept


def _short(value):
    """Losses and metrics by class name and config, as the format has them."""
    if isinstance(value, dict) and "class_name" in value:
        if value["class_name"] == "function":
            return value["config"]
        return {"class_name": value["class_name"], "config": value["config"]}
    if isinstance(value, dict):
        return {k: _short(v) for k, v in value.items()}
    return [_short(v) for v in value] if isinstance(value, (list, tuple)) else value


# ---------------------------------------------------------------- reading

def read(file, custom_objects=None, compile=True, where="the file"):
    """The model of an open HDF5 file.

    Raises:
        SerializationError: the file has no architecture in it, or an unknown class.
    """
    if "model_config" not in file.attrs:
        raise SerializationError(f"{where} holds no architecture, only weights: build the model and use "
                                 "`model.load_weights`.")
    model = registry.deserialize(json.loads(_text(file.attrs["model_config"])), custom_objects)
    read_weights(model, file["model_weights"], where=where)
    if compile and "training_config" in file.attrs:
        _compile(model, json.loads(_text(file.attrs["training_config"])), file, custom_objects)
    return model


def _compile(model, training, file, custom_objects):
    optimizer = training.pop("optimizer_config", None)
    known = ("loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly", "steps_per_execution")
    arguments = {k: training[k] for k in known if training.get(k) is not None}
    with registry.CustomObjectScope(custom_objects):
        for name, family in (("loss", "losses"), ("metrics", "metrics"), ("weighted_metrics", "metrics")):
            if name in arguments:
                arguments[name] = _objects(arguments[name], families[family])
        model.compile(optimizer=families["optimizers"].get(optimizer), **arguments)
    if "optimizer_weights" in file:
        model.optimizer.build(model.trainable_variables)
        values = _read_list(file["optimizer_weights"])
        if len(values) == len(model.optimizer.variables):
            for variable, value in zip(model.optimizer.variables, values):
                variable.assign(value)


def _objects(value, family):
    """Configs in a structure as objects; names stay names."""
    if isinstance(value, dict) and "class_name" in value:
        return family.deserialize(value)
    if isinstance(value, dict):
        return {k: _objects(v, family) for k, v in value.items()}
    return [_objects(v, family) for v in value] if isinstance(value, list) else value


def read_weights(model, group, skip_mismatch=False, by_name=False, where="the file"):
    """Sets a model's weights from a group, layer by layer in order, or by the layers' names.

    Raises:
        ValueError: other numbers or shapes of weights; all such places are listed, and nothing is changed.
    """
    saved = [name for name in _read_names(group, "layer_names") if _read_names(group[name], "weight_names")]
    if by_name:
        mine = {layer.name: layer for layer in model.layers}
        pairs = [(mine[name], name) for name in saved if name in mine]
    else:
        layers = [layer for layer in model.layers if layer.weights]
        if len(layers) != len(saved):
            raise ValueError(f"Layer count mismatch when loading weights from {where}: model '{model.name}' has "
                             f"{len(layers)} layers with weights {[layer.name for layer in layers]}, the file "
                             f"{len(saved)}: {saved}.")
        pairs = list(zip(layers, saved))
    new, problems = [], []
    for layer, name in pairs:
        variables, values = _in_order(layer), _read_list(group[name])
        shapes = [tuple(v.shape) for v in variables], [v.shape for v in values]
        if shapes[0] == shapes[1]:
            new += zip(variables, values)
        else:
            problems.append(f"layer '{layer.name}' has weights of shapes {shapes[0]}, the file's '{name}' {shapes[1]}")
    if problems and not skip_mismatch:
        raise ValueError(f"The weights in {where} do not fit model '{model.name}': " + "; ".join(problems))
    if not by_name and "top_level_model_weights" in group:
        new += zip(model._own.values(), _read_list(group["top_level_model_weights"]))
    for variable, value in new:
        variable.assign(value)


def _read_list(group):
    return [np.asarray(group[name]) for name in _read_names(group, "weight_names")]


def _read_names(group, attribute):
    """The list of names of an attribute, which may be cut into several numbered ones."""
    if attribute in group.attrs:
        return [_text(name) for name in group.attrs[attribute]]
    names, i = [], 0
    while f"{attribute}{i}" in group.attrs:
        names, i = names + [_text(name) for name in group.attrs[f"{attribute}{i}"]], i + 1
    return names


def _text(value):
    return value.decode("utf8") if isinstance(value, bytes) else str(value)
