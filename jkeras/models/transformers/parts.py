"""What is before and behind the blocks of a transformer."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.layer import Layer
from jkeras.core.run.context import Context
from jkeras.core.session.positions import positions_now
from jkeras.initializers import Constant, RandomNormal, Zeros
from jkeras.kernel.spec import Spec, Weight


class PositionVectors(Layer):
    """The vectors of the positions of its input, (batch, time, features), added to it.

    Args:
        count: how many positions there are.
        first: the row of the first one.
    """

    supports_cache = True

    def __init__(self, count: int, first: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count, self.first = count, first

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        shape = (self.count + self.first, x.shape[-1])
        start = RandomNormal(stddev=0.02)
        return {"embeddings": self.weight("embeddings", shape, initializer=start)}

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        self.check(x, ctx)
        return x + w["embeddings"][positions_now(x.shape[:2]) + self.first]

    def check(self, x: jax.Array, ctx: Context) -> None:
        """Raises ValueError for a text that is too long."""
        if not ctx.abstract and x.shape[1] > self.count:
            raise ValueError(
                f"{self._where}: expected at most {self.count} positions. Received: an input of "
                f"shape {x.shape}"
            )


class Scaled(Layer):
    """Its input times a number, and perhaps bounded, `cap * tanh(x / cap)`."""

    def __init__(self, factor: float, cap: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor, self.cap = factor, cap

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        x = x * jnp.asarray(self.factor, x.dtype)
        if self.cap is None:
            return x
        return self.cap * jnp.tanh(x / self.cap)


class LastToken(Layer):
    """The features of each text's last token, (batch, features), before those that are padding.

    Args:
        pad: the token that is none; None: there is no padding.
    """

    def __init__(self, pad: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pad = pad

    def forward(
        self, w: Mapping[str, Any], x: jax.Array, tokens: jax.Array, ctx: Context
    ) -> jax.Array:
        last = jnp.full(x.shape[:1], x.shape[1] - 1)
        if self.pad is not None:
            is_there = tokens.astype("int32") != self.pad
            last = jnp.max(jnp.where(is_there, jnp.arange(x.shape[1]), 0), axis=1)
        return jnp.take_along_axis(x, last[:, None, None], axis=1)[:, 0]


class CountedPositionVectors(PositionVectors):
    """The same, where padding is not counted and has the vector before the first one.

    Args:
        pad: the token that is none.
    """

    def __init__(self, count: int, first: int, pad: int, **kwargs: Any) -> None:
        super().__init__(count, first, **kwargs)
        self.pad = pad

    def weight_specs(self, x: Spec, tokens: Spec) -> dict[str, Weight]:
        return super().weight_specs(x)

    def forward(
        self, w: Mapping[str, Any], x: jax.Array, tokens: jax.Array, ctx: Context
    ) -> jax.Array:
        self.check(x, ctx)
        is_there = (tokens.astype("int32") != self.pad).astype("int32")
        positions = jnp.cumsum(is_there, axis=1) * is_there
        return x + w["embeddings"][positions + self.first - 1]


class PaddingMask(Layer):
    """What attention sees, (batch, 1, 1, time), of what is no padding, (batch, time)."""

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        return x[:, None, None, :].astype(bool)


class Pooled(Layer):
    """The features of the first token, (batch, features), or the mean of those that are no
    padding.

    Args:
        pooling: "first" or "mean".
    """

    def __init__(self, pooling: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pooling = pooling

    def forward(
        self, w: Mapping[str, Any], x: jax.Array, there: jax.Array, ctx: Context
    ) -> jax.Array:
        if self.pooling == "first":
            return x[:, 0]
        weights = there.astype(x.dtype)[..., None]
        return (x * weights).sum(axis=1) / weights.sum(axis=1)


class Bias(Layer):
    """A vector that is added to the last axis."""

    is_trained = True

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        shape, start = x.shape[-1:], Zeros()
        return {"bias": self.weight("bias", shape, initializer=start, trainable=self.is_trained)}

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        return x + w["bias"]


class FixedBias(Bias):
    """A vector that is added to the last axis, and stays as it is read."""

    is_trained = False


class LayerScale(Layer):
    """Its input times a vector (Touvron et al. 2021, arXiv:2103.17239).

    Args:
        start: the numbers that it begins with.
        width: of the last axis.
    """

    supports_cache = True

    def __init__(self, start: float, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start, self.width = start, width

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        return {"gamma": self.weight("gamma", (self.width,), initializer=Constant(self.start))}

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        return x * w["gamma"]
