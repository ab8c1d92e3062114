"""PositionEmbedding: a learnt vector for each position of a sequence."""

from collections.abc import Mapping
from typing import Any

import jax

from jkeras.core.errors import explain
from jkeras.core.layer import Layer, layer
from jkeras.core.session.positions import positions_now
from jkeras.core.record import Initializer
from jkeras.core.run.context import Context
from jkeras.kernel.spec import Spec, Weight


@layer("jkeras.layers", arguments="sequence_length, initializer")
class PositionEmbedding(Layer):
    """The vectors of the positions of its input, to be added to it: (batch, time, features) ->
    (batch, time, features) (Gehring et al. 2017, arXiv:1705.03122).

    While text is generated with a cache, the positions are those in the whole text.

    Args:
        sequence_length: how many positions there are.
        initializer: of the vectors.
    Raises:
        ValueError: a longer input.

    >>> import numpy as np
    >>> x = np.zeros((2, 3, 1), "float32")
    >>> table = lambda shape, dtype: np.array([[1.0], [2.0], [3.0], [4.0]])
    >>> print((x + PositionEmbedding(4, initializer=table)(x))[:, :, 0])
    [[1. 2. 3.]
     [1. 2. 3.]]
    """

    sequence_length: int
    initializer: Initializer = "glorot_uniform"
    supports_masking = True
    supports_cache = True

    def __post_init__(self) -> None:
        if not isinstance(self.sequence_length, int) or self.sequence_length < 1:
            received = f"sequence_length={self.sequence_length!r}"
            raise ValueError(explain(self._where, "`sequence_length` of 1 or more", received))

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        name, shape = "position_embeddings", (self.sequence_length, x.shape[-1])
        return {name: self.weight(name, shape, initializer=self.initializer)}

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        if not ctx.abstract and x.shape[1] > self.sequence_length:
            expected = f"at most {self.sequence_length} positions"
            raise ValueError(explain(self._where, expected, f"an input of shape {x.shape}"))
        return w["position_embeddings"][positions_now(x.shape[:2])]
