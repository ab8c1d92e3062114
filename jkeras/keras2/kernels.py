"""Kernels of convolutions between Theano, which turns them round, and everything else."""

import numpy as np

import jkeras
from jkeras.core.layer.view import layers_of


def convert_kernel(kernel):
    """A kernel with its spatial axes the other way round; a copy.

    >>> convert_kernel(np.arange(3.0).reshape(3, 1, 1)).ravel().tolist()
    [2.0, 1.0, 0.0]

    Raises:
        ValueError: the kernel has not three to five axes.
    """
    kernel = np.asarray(kernel)
    if not 3 <= kernel.ndim <= 5:
        raise ValueError(f"Expected a kernel of 3, 4 or 5 axes. Received: shape {kernel.shape}")
    return np.flip(kernel, axis=tuple(range(kernel.ndim - 2))).copy()


def convert_all_kernels_in_model(model):
    """Turns round the kernels of all convolutions of a model whose weights came from Theano."""
    for layer in layers_of(model, include_self=False):
        if isinstance(layer, jkeras.layers.Layer) and "Conv" in type(layer).__name__:
            kernel = getattr(layer, "kernel", None)
            if kernel is not None:
                kernel.assign(convert_kernel(kernel))
