"""The layer that does nothing."""

from collections.abc import Mapping
from typing import Any

import jax

from jkeras.core.layer import layer
from jkeras.layers.base import ReadyLayer
from jkeras.core.run.context import Context


@layer("keras.layers")
class Identity(ReadyLayer, announces_compute_dtype=False):
    """Its input, unchanged: a placeholder.

    >>> import numpy as np
    >>> print(Identity()(np.array([1.0, 2.0])))
    [1. 2.]
    """

    keeps_sparse = True

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        return inputs
