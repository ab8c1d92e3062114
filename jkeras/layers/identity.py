"""The layer that does nothing."""

from jkeras.core.layer import layer
from jkeras.layers.base import ReadyLayer


@layer("keras.layers")
class Identity(ReadyLayer):
    """Its input, unchanged: a placeholder.

    >>> import numpy as np
    >>> print(Identity()(np.array([1.0, 2.0])))
    [1. 2.]
    """

    announces_compute_dtype = False
    keeps_sparse = True

    def forward(self, w, inputs, ctx):
        return inputs
