"""What is before an encoder of sound: convolutions over time, and positions."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.layer import Layer
from jkeras.core.run.context import Context
from jkeras.initializers import Initializer
from jkeras.kernel.spec import Spec, Weight
from jkeras.layers.activation import Activation
from jkeras.layers.convolution import Conv1D
from jkeras.layers.dropout import Dropout
from jkeras.layers.reshaping import ZeroPadding1D
from jkeras.models.transformers.decoder import Common
from jkeras.models.transformers.feedforward import ACTIVATIONS
from jkeras.saving.hugging_face.native.plans import Transformer


def steps_of_sound(plan: Transformer, x: Any, common: Common) -> Any:
    """What the blocks of an encoder get of features (batch, steps, channels): half as many steps
    (batch, steps / 2, features).
    """
    for number, strides in enumerate((1, 2), 1):
        x = ZeroPadding1D(1, name=f"encoder_padding_{number}", **common)(x)
        x = Conv1D(plan.width, 3, strides, name=f"encoder_conv_{number}", **common)(x)
        name = f"encoder_activation_{number}"
        x = Activation(ACTIVATIONS["gelu"], name=name, **common)(x)
    x = WholePositionVectors(plan.positions, name="encoder_positions", **common)(x)
    if plan.dropout:
        x = Dropout(plan.dropout, name="encoder_embedding_dropout", **common)(x)
    return x


class WholePositionVectors(Layer):
    """The vectors of all positions, which are not trained, added to an input of so many (batch,
    count, features).

    Args:
        count: how many positions there are.
    """

    def __init__(self, count: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count = count

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        shape = (self.count, x.shape[-1])
        weight = self.weight("embeddings", shape, initializer=Waves(), trainable=False)
        return {"embeddings": weight}

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        return x + w["embeddings"]


class Waves(Initializer):
    """Sines, then cosines of positions, with wavelengths from 2 pi to 10000 times that (Vaswani et
    al. 2017, arXiv:1706.03762).

    >>> print(np.round(np.asarray(Waves()((2, 4))), 2))
    [[0.   0.   1.   1.  ]
     [0.84 0.   0.54 1.  ]]
    """

    def __call__(self, shape: tuple[int, int], dtype: Any = None) -> jax.Array:
        count, features = shape
        exponents = np.arange(features // 2) / max(features // 2 - 1, 1)
        angles = np.arange(count)[:, None] * 10000.0**-exponents
        waves = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
        return jnp.asarray(np.resize(waves, shape), dtype or "float32")
