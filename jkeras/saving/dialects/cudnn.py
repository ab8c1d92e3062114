"""Weights of the recurrent layers that Keras 2 had for CuDNN, as those of LSTM and GRU.

There each gate's kernels are transposed, and inputs and states have biases of their own.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from jkeras.core.weights.paths import own_variables, walk

if TYPE_CHECKING:
    from jkeras.core.layer.contract import Layer
    from jkeras.core.weights.variable import Variable


def cudnn_biases(layer: "Layer") -> "dict[Variable, tuple[int, ...]]":
    """{variable: shape that it has in CuDNN's form} for the biases of LSTM and GRU layers in a
    layer.
    """
    return {own_variables(cell)["bias"]: (2 * gates * cell.units,) for cell, gates in _cells(layer)}


def from_cudnn(layer: "Layer", values: "dict[Variable, np.ndarray]") -> list[np.ndarray]:
    """The values of a layer's variables, where those of recurrent layers may be in CuDNN's form.

    Args:
        values: {variable: array}.

    Returns:
        The arrays, in the same order.
    """
    values = dict(values)
    for cell, gates in _cells(layer):
        kernel = own_variables(cell)["kernel"]
        recurrent = own_variables(cell)["recurrent_kernel"]
        bias = own_variables(cell)["bias"]
        if bias not in values or values[bias].shape != (2 * gates * cell.units,):
            continue
        values[kernel] = _each_gate(
            values[kernel], gates, lambda k: k.T.reshape(k.shape, order="F")
        )
        values[recurrent] = _each_gate(values[recurrent], gates, lambda k: k.T)
        both = values[bias].reshape(2, -1)
        values[bias] = both if gates == 3 else both.sum(axis=0)
    return list(values.values())


def _each_gate(
    kernel: np.ndarray, gates: int, change: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    return np.concatenate([change(gate) for gate in np.split(kernel, gates, axis=1)], axis=1)


def _cells(layer: "Layer") -> Iterator[tuple[Any, int]]:
    """(cell, number of gates) of the LSTM and GRU cells in a layer that CuDNN has too."""
    for _, module in walk(layer):
        gates = _gates(module)
        if gates is not None and "bias" in own_variables(module):
            yield module, gates


def _gates(module: Any) -> int | None:
    """The number of gates of a cell that CuDNN has too; None of another one."""
    kind = type(module).__name__
    if kind == "LSTMCell":
        return 4
    if kind == "GRUCell" and module.reset_after:
        return 3
    return None
