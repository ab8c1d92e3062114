"""The weights that an ONNX file holds, as arrays."""

import pathlib

import numpy as np


def weights_of(file: pathlib.Path) -> dict[str, np.ndarray]:
    """Its initializers by name, which are read-only."""
    import onnx
    from onnx import numpy_helper

    initializers = onnx.load(file).graph.initializer
    return {each.name: numpy_helper.to_array(each) for each in initializers}
