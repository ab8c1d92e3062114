"""Configs of layers and other objects as Keras 2 and tf.keras wrote them, in the words of Keras
3.
"""

from typing import Any

from jkeras.saving.dialects.graphs import modern_graph, op_of_node
from jkeras.saving.types import Config

RENAMED_CLASSES = {
    "CuDNNLSTM": "LSTM",
    "CuDNNGRU": "GRU",
    "ThresholdedReLU": "ReLU",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
}
RENAMED = {
    "LeakyReLU": {"alpha": "negative_slope"},
    "InputLayer": {"batch_input_shape": "batch_shape"},
    "ReLU": {"theta": "threshold"},
    "CategoryEncoding": {"max_tokens": "num_tokens"},
    "Discretization": {"bins": "bin_boundaries"},
}
KERNEL = dict.fromkeys(("kernel_initializer", "kernel_regularizer", "kernel_constraint"), ...)
DROPPED = {  # arguments that are gone; they had no effect on numbers at these values, ... is any
    "BatchNormalization": {"virtual_batch_size": None, "fused": ..., "adjustment": None},
    "Embedding": {"input_length": ..., "sparse": False},
    "DepthwiseConv2D": {"groups": 1, "filters": None, **KERNEL},
    "DepthwiseConv1D": {"groups": 1, "filters": None, **KERNEL},
    "SeparableConv2D": {"groups": 1, **KERNEL},
    "SeparableConv1D": {"groups": 1, **KERNEL},
    "Conv1DTranspose": {"groups": 1},
    "Conv2DTranspose": {"groups": 1},
    "Conv3DTranspose": {"groups": 1},
    "SpatialDropout1D": {"noise_shape": None, "trainable": ...},
    "SpatialDropout2D": {"noise_shape": None, "trainable": ...},
    "SpatialDropout3D": {"noise_shape": None, "trainable": ...},
    "Discretization": {"trainable": ...},
    "RandomRotation": {"value_range": ...},  # in Keras 3.0
    "Attention": {"causal": False},
    "AdditiveAttention": {"causal": False},
    "MultiHeadAttention": {
        **dict.fromkeys(("query_shape", "key_shape", "value_shape"), ...),
        "softmax_robust_masking": False,
    },
}
OF_ALL = {
    "batch_size": None,
    "time_major": False,
    "_expects_training_arg": ...,
    "_expects_mask_arg": ...,
    "rng_type": ...,
}
ONE_AXIS = ("BatchNormalization", "LayerNormalization")  # whose `axis` may be a list of one
INITIALIZERS = (
    "Zeros",
    "Ones",
    "Constant",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "GlorotUniform",
    "GlorotNormal",
    "HeUniform",
    "HeNormal",
    "LecunUniform",
    "LecunNormal",
    "Orthogonal",
    "Identity",
)


def modern(config: Any) -> Any:
    """The config of a model, and all in it, as Keras 3 writes it; a new one.

    >>> policy = {"class_name": "Policy", "config": {"name": "float32"}}
    >>> modern({"class_name": "CuDNNGRU", "config": {"units": 3, "dtype": policy}})
    {'class_name': 'GRU', 'config': {'units': 3, 'dtype': 'float32', 'reset_after': True}}
    """
    if isinstance(config, list):
        return [modern(item) for item in config]
    if not isinstance(config, dict):
        return config
    inner = {key: modern(v) for key, v in config.items() if isinstance(v, (list, dict))}
    config = {**config, **inner}
    if _is_of_keras(config):
        return _modern_object(config)
    return config


def _is_of_keras(config: Config) -> bool:
    """Whether a config is that of an object of Keras."""
    if not isinstance(config.get("class_name"), str) or "config" not in config:
        return False
    module = config.get("module")
    if module is None:
        return True
    return isinstance(module, str) and module.split(".")[0] in ("keras", "tf_keras")


def _modern_object(config: Config) -> Any:
    name = config["class_name"]
    inner = config["config"]
    if name == "Sequential" and isinstance(inner, list):
        inner = {"name": "sequential", "layers": inner}
    if not isinstance(inner, dict):
        return config
    if name in ("Policy", "PolicyV1"):
        return inner.get("name")
    op = op_of_node(config)
    if op is not None:
        return {**config, "module": op.module, "registered_name": name}
    if name in INITIALIZERS and "trainable" in inner:  # the layer, as `Identity` is one too
        config = {"module": "keras.layers", **config}
    return {
        **config,
        "class_name": RENAMED_CLASSES.get(name, name),
        "config": _arguments(name, modern_graph(inner)),
    }


def _arguments(old: str, inner: Config) -> Config:
    """The arguments of one object, whose class had this name."""
    name = RENAMED_CLASSES.get(old, old)
    new_names = RENAMED.get(name, {})
    inner = {new_names.get(key, key): value for key, value in inner.items()}
    dropped = {**OF_ALL, **DROPPED.get(name, {})}
    inner = {
        key: value
        for key, value in inner.items()
        if key not in dropped or dropped[key] not in (..., value)
    }
    _change_values(name, inner)
    if name in ("GRU", "GRUCell"):
        inner.setdefault("reset_after", old == "CuDNNGRU")
    if old == "SyncBatchNormalization":
        inner["synchronized"] = True
    return inner


def _change_values(name: str, inner: Config) -> None:
    """Changes, in place, the values that have another form now."""
    axis = inner.get("axis")
    if name in ONE_AXIS and isinstance(axis, list) and len(axis) == 1:
        inner["axis"] = axis[0]
    if name in INITIALIZERS and "trainable" not in inner:
        inner.pop("dtype", None)
        if inner.get("distribution") == "normal":
            inner["distribution"] = "truncated_normal"
    if name == "CategoryEncoding" and inner.get("output_mode") == "binary":
        inner["output_mode"] = "multi_hot"
