"""The norms of transformers."""

from collections.abc import Mapping
from typing import Any

import jax

from jkeras.core.layer import Layer
from jkeras.core.run.context import Context
from jkeras.initializers import Zeros
from jkeras.kernel.spec import Spec, Weight
from jkeras.layers.normalization import LayerNormalization, RMSNormalization
from jkeras.ops.nn_normalization import rms_normalization
from jkeras.saving.hugging_face.native.plans import Norm


class CenteredRMSNormalization(Layer):
    """x / sqrt(mean(x**2) + epsilon) * (1 + scale), in float32, over the last axis.

    >>> import numpy as np
    >>> print(np.round(CenteredRMSNormalization(1e-6)(np.array([[3.0, -3.0]])), 2))
    [[ 1. -1.]]
    """

    def __init__(self, epsilon: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        return {"scale": self.weight("scale", x.shape[-1:], initializer=Zeros())}

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        scale = 1.0 + w["scale"].astype("float32")
        y = rms_normalization(x.astype("float32"), scale=scale, epsilon=self.epsilon)
        return y.astype(x.dtype)


def made(norm: Norm, **kwargs: Any) -> Layer:
    """The layer of a norm."""
    if norm.kind == "layer":
        center, scale = norm.has_shift, norm.has_scale
        return LayerNormalization(epsilon=norm.epsilon, center=center, scale=scale, **kwargs)
    if norm.kind == "rms+1":
        return CenteredRMSNormalization(norm.epsilon, **kwargs)
    return RMSNormalization(epsilon=norm.epsilon, **kwargs)
