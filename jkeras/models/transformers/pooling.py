"""What makes one vector of the tokens of an image or a text, and what compares two."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.layer import Composite, Layer
from jkeras.core.run.context import Children, Context
from jkeras.initializers import Constant, RandomNormal, Zeros
from jkeras.kernel.spec import Spec, Weight
from jkeras.layers.dense import Dense
from jkeras.models.transformers import feedforward, norms
from jkeras.ops.attention import attention
from jkeras.ops.attention_plain import Form
from jkeras.saving.hugging_face.native.plans import Block


class AttentionPooling(Composite):
    """What a vector of its own attends to in (batch, time, features), through a feedforward
    network: (batch, features) (Lee et al. 2019, arXiv:1810.00825).

    Args:
        plan: of attention, network and norm.
        width: of the features.
    """

    def __init__(self, plan: Block, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.set_untracked(plan=plan, width=width)
        common = {"dtype": self.dtype_policy}
        self.query = Dense(width, name="query", **common)
        self.key = Dense(width, name="key", **common)
        self.value = Dense(width, name="value", **common)
        self.output_dense = Dense(width, name="output_dense", **common)
        self.norm = norms.made(plan.norm, name="norm", **common)
        self.feedforward = feedforward.made(plan.feedforward, width, name="feedforward", **common)

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        return {"probe": self.weight("probe", x.shape[-1:], initializer=RandomNormal(stddev=0.02))}

    def forward(self, w: Mapping[str, Any], sub: Children, x: jax.Array, ctx: Context) -> jax.Array:
        plan = self.plan.attention
        probe = jnp.broadcast_to(w["probe"], (x.shape[0], 1, self.width))
        sources = {"query": probe, "key": x, "value": x}
        heads = (
            sub.run_named(name, y).reshape(*y.shape[:2], plan.heads, plan.size)
            for name, y in sources.items()
        )
        query, key, value = (jnp.swapaxes(y, 1, 2) for y in heads)
        y = attention((query, key, value), Form(plan.scale))
        y = sub.output_dense(y.reshape(x.shape[0], self.width))
        return y + sub.feedforward(sub.norm(y))


class MeanToken(Layer):
    """The mean of the tokens behind the first ones, (batch, features), perhaps behind the first
    token, (batch, 2 * features).

    Args:
        first: how many are left out.
        with_first: whether the first token stands before the mean.
    """

    def __init__(self, first: int, with_first: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first, self.with_first = first, with_first

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        mean = x[:, self.first :].mean(axis=1)
        if not self.with_first:
            return mean
        return jnp.concatenate([x[:, 0], mean], axis=-1)


class FirstToken(Layer):
    """The first token, (batch, features)."""

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        return x[:, 0]


class TextToken(Layer):
    """The features of one token of each text, (batch, features).

    Args:
        pooling: "end": of the first token `end`, or the first one where there is none; "largest":
            of the first token with the largest number; "last": of the last position.
        end: a token.
    """

    uncast = ("tokens",)

    def __init__(self, pooling: str, end: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pooling, self.end = pooling, end

    def forward(
        self, w: Mapping[str, Any], x: jax.Array, tokens: jax.Array, ctx: Context
    ) -> jax.Array:
        if self.pooling == "last":
            return x[:, -1]
        tokens = tokens.astype("int32")
        if self.pooling == "end":
            tokens = tokens == self.end
        found = jnp.argmax(tokens, axis=-1)
        return jnp.take_along_axis(x, found[:, None, None], axis=1)[:, 0]


class UnitLength(Layer):
    """Vectors, divided by their length."""

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        wide = x.astype(jnp.promote_types(x.dtype, "float32"))
        return (wide / jnp.linalg.norm(wide, axis=-1, keepdims=True)).astype(x.dtype)


class Similarity(Layer):
    """How much each image fits each text, (images, texts): the products of their vectors, times
    `exp(logit_scale)`, and perhaps `logit_bias` (Radford et al. 2021, arXiv:2103.00020; Zhai et
    al. 2023, arXiv:2303.15343).

    Args:
        scale: how `logit_scale` begins.
        has_bias: whether there is a `logit_bias`.
    """

    def __init__(self, scale: float, has_bias: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.has_bias = scale, has_bias

    def weight_specs(self, images: Spec, texts: Spec) -> dict[str, Weight]:
        start = Constant(self.scale)
        specs = {"logit_scale": self.weight("logit_scale", (), initializer=start)}
        if self.has_bias:
            specs["logit_bias"] = self.weight("logit_bias", (), initializer=Zeros())
        return specs

    def forward(
        self, w: Mapping[str, Any], images: jax.Array, texts: jax.Array, ctx: Context
    ) -> jax.Array:
        logits = jnp.matmul(images, texts.T) * jnp.exp(w["logit_scale"])
        if self.has_bias:
            logits = logits + w["logit_bias"]
        return logits


class Transposed(Layer):
    """(texts, images) of (images, texts)."""

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        return x.T
