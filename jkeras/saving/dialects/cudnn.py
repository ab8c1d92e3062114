"""Weights of the recurrent layers that Keras 2 had for CuDNN, as those of LSTM and GRU.

There each gate's kernels are transposed, and inputs and states have biases of their own.
"""

import numpy as np

from jkeras.core.paths import walk


def cudnn_biases(layer):
    """{id(variable): shape that it has in CuDNN's form} for the biases of LSTM and GRU layers in a
    layer.
    """
    return {id(cell._own["bias"]): (2 * gates * cell.units,) for cell, gates in _cells(layer)}


def from_cudnn(layer, variables, values):
    """The values of a layer's variables, where those of recurrent layers may be in CuDNN's form."""
    values = list(values)
    place = {id(variable): i for i, variable in enumerate(variables)}
    for cell, gates in _cells(layer):
        kernel, recurrent, bias = (
            place.get(id(cell._own[name])) for name in ("kernel", "recurrent_kernel", "bias")
        )
        if bias is None or values[bias].shape != (2 * gates * cell.units,):
            continue
        values[kernel] = _each_gate(
            values[kernel], gates, lambda k: k.T.reshape(k.shape, order="F")
        )
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
