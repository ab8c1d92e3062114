"""How layers hold what modules of PyTorch and of Flax do: a rule for each kind of layer.

A rule gives the layer's weights, in its order, of a module's arrays by name. Flax has kernels as
Keras has them; PyTorch's linear kernels are (outputs, inputs), its convolutions have channels
first, its recurrent layers another order of gates and two biases.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jkeras.core.errors import ArgumentError, explain
from jkeras.saving.flattened import channels_before

Arrays = dict[str, np.ndarray]
Rule = Callable[[Any, Arrays], list[np.ndarray]]


def rules_of_torch() -> dict[type, Rule]:
    """By kind of layer."""
    from jkeras import layers
    from jkeras.layers.convolution import BaseConvolution

    return {
        layers.Dense: _linear,
        layers.Embedding: _named("weight"),
        layers.DepthwiseConv1D: _depthwise,
        layers.DepthwiseConv2D: _depthwise,
        BaseConvolution: _convolution,
        layers.BatchNormalization: _named("weight", "bias", "running_mean", "running_var"),
        layers.LayerNormalization: _named("weight", "bias"),
        layers.GroupNormalization: _named("weight", "bias"),
        layers.RMSNormalization: _named("weight"),
        layers.PReLU: _named("weight"),
        layers.MultiHeadAttention: _attention,
        layers.Bidirectional: _both_ways,
        layers.LSTM: _recurrent((0, 1, 2, 3)),
        layers.GRU: _recurrent((1, 0, 2)),
        layers.SimpleRNN: _recurrent((0,)),
    }


def rules_of_flax() -> dict[type, Rule]:
    """By kind of layer."""
    from jkeras import layers

    return {
        layers.Dense: _named("kernel", "bias"),
        layers.Embedding: _named("embedding"),
        layers.Conv1D: _named("kernel", "bias"),
        layers.Conv2D: _named("kernel", "bias"),
        layers.Conv3D: _named("kernel", "bias"),
        layers.BatchNormalization: _named("scale", "bias", "mean", "var"),
        layers.LayerNormalization: _named("scale", "bias"),
        layers.GroupNormalization: _named("scale", "bias"),
        layers.RMSNormalization: _named("scale"),
        layers.MultiHeadAttention: _named(
            *(f"{part}.{of}" for part in ("query", "key", "value") for of in ("kernel", "bias")),
            *("out.kernel", "out.bias"),
        ),
    }


def named(layer: Any) -> str:
    """A layer in an error."""
    return f"Layer '{layer.path}' ({type(layer).__name__})"


def rule_of(layer: Any, rules: dict[type, Rule]) -> Rule | None:
    """That of a layer's class, or of the nearest one that it inherits; None: there is none."""
    from jkeras.layers.convolution import Separable

    if isinstance(layer, Separable):  # two kernels, which are two modules elsewhere
        return None
    return next((rules[kind] for kind in type(layer).__mro__ if kind in rules), None)


def _named(*names: str) -> Rule:
    """The arrays of these names, of those that the module has, in the layer's shapes."""

    def rule(layer: Any, arrays: Arrays) -> list[np.ndarray]:
        found = [arrays.pop(name) for name in names if name in arrays]
        if len(found) != len(layer.weights):
            return found
        return [_fitted(array, weight.shape) for array, weight in zip(found, layer.weights)]

    return rule


def _fitted(array: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """One number for all, or numbers with axes of 1 beside them."""
    if array.size == 1:
        return np.broadcast_to(array.reshape(()), shape)
    if list(array.shape) == [size for size in shape if size != 1]:
        return array.reshape(shape)
    return array


def _linear(layer: Any, arrays: Arrays) -> list[np.ndarray]:
    """Behind a `Flatten` of images PyTorch counts channels first."""
    kernel = arrays.pop("weight").T
    shape = channels_before(layer)
    if shape is not None and len(kernel) == np.prod(shape):
        *sizes, channels = shape
        apart = kernel.reshape(channels, *sizes, -1)
        kernel = np.moveaxis(apart, 0, -2).reshape(len(kernel), -1)
    return [kernel, *_bias(arrays)]


def _bias(arrays: Arrays) -> list[np.ndarray]:
    return [arrays.pop(name) for name in ("bias",) if name in arrays]


def _convolution(layer: Any, arrays: Arrays) -> list[np.ndarray]:
    """Those that are transposed have (inputs, outputs) in PyTorch and the reverse in Keras, too."""
    kernel = arrays.pop("weight")
    return [kernel.transpose(*range(2, kernel.ndim), 1, 0), *_bias(arrays)]


def _depthwise(layer: Any, arrays: Arrays) -> list[np.ndarray]:
    """PyTorch's are grouped convolutions: (channels * multiplier, 1, …)."""
    kernel = arrays.pop("weight")
    multiplier = layer.depth_multiplier
    apart = kernel.reshape(-1, multiplier, *kernel.shape[2:])
    return [apart.transpose(*range(2, apart.ndim), 0, 1), *_bias(arrays)]


def _recurrent(gates: Sequence[int], suffix: str = "_l0") -> Rule:
    """Args: gates: which of PyTorch's each of Keras's is."""

    def rule(layer: Any, arrays: Arrays) -> list[np.ndarray]:
        kernels = [_reordered(arrays.pop(f"weight_{of}{suffix}"), gates).T for of in ("ih", "hh")]
        if f"bias_ih{suffix}" not in arrays:
            return kernels
        biases = [_reordered(arrays.pop(f"bias_{of}{suffix}"), gates) for of in ("ih", "hh")]
        if getattr(layer, "reset_after", False):  # whose new state has one inside the gate
            return [*kernels, np.stack(biases)]
        return [*kernels, biases[0] + biases[1]]

    return rule


def _reordered(array: np.ndarray, gates: Sequence[int]) -> np.ndarray:
    parts = np.split(array, len(gates))
    return np.concatenate([parts[gate] for gate in gates])


def _both_ways(layer: Any, arrays: Arrays) -> list[np.ndarray]:
    from jkeras import layers

    gates = {layers.LSTM: (0, 1, 2, 3), layers.GRU: (1, 0, 2), layers.SimpleRNN: (0,)}
    order = gates.get(type(layer.forward_layer))
    if order is None:
        wanted = "LSTM, GRU or SimpleRNN inside"
        raise ArgumentError(explain(named(layer), wanted, type(layer.forward_layer).__name__))
    forwards = _recurrent(order)(layer.forward_layer, arrays)
    return forwards + _recurrent(order, "_l0_reverse")(layer.backward_layer, arrays)


def _attention(layer: Any, arrays: Arrays) -> list[np.ndarray]:
    """PyTorch has the three projections below each other."""
    heads = layer.num_heads
    parts = np.split(arrays.pop("in_proj_weight"), 3)
    kernels = [part.T.reshape(part.shape[1], heads, -1) for part in parts]
    output = arrays.pop("out_proj.weight").T
    last = [output.reshape(heads, -1, output.shape[1])]
    if "in_proj_bias" not in arrays:
        return [*kernels, *last]
    biases = [part.reshape(heads, -1) for part in np.split(arrays.pop("in_proj_bias"), 3)]
    pairs = [array for pair in zip(kernels, biases) for array in pair]
    return [*pairs, *last, arrays.pop("out_proj.bias")]
