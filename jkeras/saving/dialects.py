"""Older dialects of configs and weights: what Keras 2 and tf.keras wrote, in the words of Keras 3."""

import numpy as np

from jkeras.core.errors import SerializationError
from jkeras.core.module import walk

CUDNN = {"CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU"}
NORMALIZATIONS = ("BatchNormalization", "BatchNormalizationV1", "BatchNormalizationV2", "SyncBatchNormalization",
                  "LayerNormalization")
DROPPED = {  # arguments that are gone; they had no effect on numbers at these values
    "BatchNormalization": {"renorm": False, "virtual_batch_size": None, "fused": ..., "adjustment": None,
                           "renorm_clipping": ..., "renorm_momentum": ...},
    "Embedding": {"input_length": ..., "sparse": False},
    "DepthwiseConv2D": {"groups": 1, "filters": None, "kernel_initializer": ..., "kernel_regularizer": ...,
                        "kernel_constraint": ...},
    "DepthwiseConv1D": {"groups": 1, "filters": None, "kernel_initializer": ..., "kernel_regularizer": ...,
                        "kernel_constraint": ...},
    "SeparableConv2D": {"groups": 1, "kernel_initializer": ..., "kernel_regularizer": ..., "kernel_constraint": ...},
    "SeparableConv1D": {"groups": 1, "kernel_initializer": ..., "kernel_regularizer": ..., "kernel_constraint": ...},
    "Conv1DTranspose": {"groups": 1}, "Conv2DTranspose": {"groups": 1}, "Conv3DTranspose": {"groups": 1},
    "LSTM": {"time_major": False}, "GRU": {"time_major": False}, "SimpleRNN": {"time_major": False},
    "RNN": {"time_major": False}}
OF_ALL = {"batch_size": None, "_expects_training_arg": ..., "_expects_mask_arg": ...}
RENAMED = {"LeakyReLU": {"alpha": "negative_slope"}, "InputLayer": {"batch_input_shape": "batch_shape"}}
INITIALIZERS = ("Zeros", "Ones", "Constant", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling",
                "GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal", "Orthogonal",
                "Identity")


def modern(config):
    """The config of a model, and all in it, as Keras 3 writes it; a new one.

    >>> modern({"class_name": "CuDNNGRU", "config": {"units": 3, "dtype": {"class_name": "Policy",
    ...                                                                     "config": {"name": "float32"}}}})
    {'class_name': 'GRU', 'config': {'units': 3, 'dtype': 'float32', 'reset_after': True}}
    """
    if isinstance(config, list):
        return [modern(part) for part in config]
    if not isinstance(config, dict):
        return config
    config = {key: modern(value) for key, value in config.items()}
    if not isinstance(config.get("class_name"), str) or "config" not in config or config.get("module"):
        return config
    name, inner = config["class_name"], config["config"]
    if name == "Sequential" and isinstance(inner, list):
        inner = {"name": "sequential", "layers": inner}
    if name in ("Policy", "PolicyV1") and isinstance(inner, dict):
        return inner.get("name")
    if not isinstance(inner, dict):
        return config
    if name.startswith("BatchNormalizationV"):
        name = "BatchNormalization"
    return {**config, "class_name": CUDNN.get(name, name), "config": _arguments(name, inner)}


def _arguments(name, inner):
    """The arguments of one object."""
    inner = {RENAMED.get(name, {}).get(key, key): value for key, value in inner.items()}
    gone = {**OF_ALL, **DROPPED.get(name, {})}
    inner = {key: value for key, value in inner.items() if not (key in gone and gone[key] in (..., value))}
    if name in NORMALIZATIONS and isinstance(inner.get("axis"), list) and len(inner["axis"]) == 1:
        inner["axis"] = inner["axis"][0]
    if name in INITIALIZERS:
        inner.pop("dtype", None)
        if inner.get("distribution") == "normal":
            inner["distribution"] = "truncated_normal"
    if name in ("GRU", "GRUCell"):
        inner.setdefault("reset_after", False)
    if name == "CuDNNGRU":
        inner["reset_after"] = True
    return inner


# ---------------------------------------------------------------- compile arguments

def modern_training(training):
    """The `training_config` of a file: losses and metrics as Keras 3 has them."""
    if isinstance(training, list):
        return [modern_training(part) for part in training]
    if not isinstance(training, dict):
        return training
    if isinstance(training.get("class_name"), str) and isinstance(training.get("config"), dict):
        return _compiled_object(training)
    return {key: modern_training(value) for key, value in training.items()}


def _compiled_object(described):
    """A loss or metric by its class; one that only wraps a function is that function."""
    name, inner = described["class_name"], dict(described["config"])
    if name in ("MeanMetricWrapper", "SumOverBatchSizeMetricWrapper", "LossFunctionWrapper") and isinstance(
            inner.get("fn"), str):
        return inner["fn"]
    inner.pop("fn", None)
    if inner.get("reduction") == "auto":
        inner["reduction"] = "sum_over_batch_size"
    return {**described, "config": inner}


def modern_optimizer(described):
    """The config of an optimizer: `lr` has become `learning_rate`, a `decay` of 0 is none."""
    if not isinstance(described, dict) or not isinstance(described.get("config"), dict):
        return described
    inner = dict(described["config"])
    if "lr" in inner:
        inner.setdefault("learning_rate", inner.pop("lr"))
    for name in ("is_legacy_optimizer", "jit_compile", "use_locking"):
        inner.pop(name, None)
    if not inner.get("decay"):
        inner.pop("decay", None)
    for name in ("clipnorm", "clipvalue", "global_clipnorm"):
        if inner.get(name, ...) is None:
            del inner[name]
    name = described["class_name"].rpartition(">")[2]
    return {**described, "class_name": name, "config": {k: modern(v) for k, v in inner.items()}}


def optimizer_order(optimizer, count):
    """For each variable of an optimizer the number of its array in a list of `count`; None where there is none.

    Optimizers of Keras 2 kept no learning rate among their weights, and one slot of all parameters after the other,
    where those of Keras 3 keep all slots of one parameter after the other.

    Returns:
        None if the list is of another optimizer.
    """
    variables = optimizer.variables
    if count == len(variables):
        return list(range(count))
    known = len(optimizer._trainable_variables)
    slots = len(variables) - 2
    if known == 0 or slots % known or count != 1 + slots:
        return None
    each = slots // known
    return [0, None, *(1 + slot * known + i for i in range(known) for slot in range(each))]


# ---------------------------------------------------------------- weights of CuDNN's layers

def cudnn_biases(layer):
    """{id(variable): shape that it has in CuDNN's form} for the biases of LSTM and GRU layers in a layer."""
    return {id(cell._own["bias"]): (2 * gates * cell.units,) for cell, gates in _cells(layer)}


def from_cudnn(layer, variables, values):
    """The values of a layer's variables, where those of recurrent layers may be in CuDNN's form.

    There each gate's kernels are transposed, and inputs and states have biases of their own.
    """
    values = list(values)
    place = {id(variable): i for i, variable in enumerate(variables)}
    for cell, gates in _cells(layer):
        kernel, recurrent, bias = (place.get(id(cell._own[name])) for name in ("kernel", "recurrent_kernel", "bias"))
        if bias is None or values[bias].shape != (2 * gates * cell.units,):
            continue
        values[kernel] = _each_gate(values[kernel], gates, lambda k: k.T.reshape(k.shape, order="F"))
        values[recurrent] = _each_gate(values[recurrent], gates, lambda k: k.T)
        both = values[bias].reshape(2, -1)
        values[bias] = both if gates == 3 else both.sum(axis=0)
    return values


def _each_gate(kernel, gates, change):
    return np.concatenate([change(part) for part in np.split(kernel, gates, axis=1)], axis=1)


def _cells(layer):
    """(cell, number of gates) of the LSTM and GRU cells in a layer that CuDNN has too."""
    for _, part in walk(layer):
        gates = {"LSTMCell": 4, "GRUCell": 3}.get(type(part).__name__)
        if gates and "bias" in part._own and (gates == 4 or part.reset_after):
            yield part, gates


def check_count(layer, variables, names):
    """Raises where a file has another number of arrays for a layer."""
    if len(variables) != len(names):
        raise SerializationError(f"it has {len(variables)} weights {[tuple(v.shape) for v in variables]}, the file "
                                 f"{len(names)}: {names}")
