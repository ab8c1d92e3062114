"""What is added to scores by the distance of two positions (Raffel et al. 2020,
arXiv:1910.10683).
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.layer import Layer
from jkeras.core.run.context import Context
from jkeras.core.session.positions import length_now, positions_now
from jkeras.initializers import RandomNormal
from jkeras.kernel.spec import Spec, Weight
from jkeras.saving.hugging_face.native.plans import Buckets


class DistanceBias(Layer):
    """What all blocks add to the scores of a text (batch, time, features), (batch or 1, heads,
    time, source).

    Args:
        buckets: which distances have a number of their own.
        heads: of attention.
        is_causal: whether only what is before is looked at.
    """

    supports_cache = True

    def __init__(self, buckets: Buckets, heads: int, is_causal: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.set_untracked(buckets=buckets, heads=heads, is_causal=is_causal)

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        shape, start = (self.buckets.count, self.heads), RandomNormal(stddev=0.02)
        return {"embeddings": self.weight("embeddings", shape, initializer=start)}

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        targets = positions_now(x.shape[:2])
        if ctx.scope.flow.cache is None:
            targets = targets[:1]  # all rows count from 0
        sources = jnp.arange(length_now(x.shape[1]))
        distances = sources - targets[..., None]
        values = w["embeddings"][numbers_of(self.buckets, distances, self.is_causal)]
        return jnp.moveaxis(values, -1, 1)


def numbers_of(buckets: Buckets, distances: jax.Array, is_causal: bool) -> jax.Array:
    """The bucket of each distance, which is below 0 for what is before.

    Args:
        is_causal: all buckets are for what is before; else half of them.

    >>> numbers_of(Buckets(8, 20), jnp.array([-30, -1, 0, 1, 30]), False).tolist()
    [3, 1, 0, 5, 7]
    """
    if is_causal:
        return _of_lengths(buckets.count, buckets.longest, -jnp.minimum(distances, 0))
    half = buckets.count // 2
    numbers = _of_lengths(half, buckets.longest, jnp.abs(distances))
    return numbers + half * (distances > 0)


def _of_lengths(count: int, longest: int, lengths: jax.Array) -> jax.Array:
    """The bucket of each length: one for each of the first, then of lengths that grow by a
    factor. They are counted on the host, since there rounding is that of torch.
    """
    exact = count // 2
    known = np.arange(longest + 1)
    ratios = np.log(np.maximum(known, 1).astype("float32") / np.float32(exact))
    steps = ratios / np.float32(math.log(longest / exact)) * np.float32(count - exact)
    grown = np.minimum(exact + steps.astype("int32"), count - 1)
    numbers = np.where(known < exact, known, grown).astype("int32")
    return jnp.asarray(numbers)[jnp.minimum(lengths, longest)]
