"""Masking of time steps by a value."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from jkeras import ops
from jkeras.core.layer import layer
from jkeras.layers.base import ReadyLayer, Value
from jkeras.core.run.context import Context
from jkeras.core.weights.types import Structure


@layer("keras.layers")
class Masking(ReadyLayer):
    """Leaves out the time steps whose features all equal a value: (batch, time, features) -> the
    same shape.

    Those steps become 0, and the mask that travels on beside the output is False there.

    Args:
        mask_value: number (or array of one for each feature) that marks padding.

    >>> import numpy as np
    >>> x = np.array([[[1.0, 2.0], [0.0, 0.0]]])
    >>> print(Masking().compute_mask(x))
    [[ True False]]
    """

    mask_value: Value() = 0.0

    def forward(self, w: Mapping[str, Any], inputs: Any, ctx: Context) -> Structure:
        return jnp.where(jnp.any(inputs != self.mask_value, axis=-1, keepdims=True), inputs, 0)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Structure:
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)
