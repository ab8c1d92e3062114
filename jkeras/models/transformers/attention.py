"""Attention of a text to itself, as transformers of many kinds have it, with a cache."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.layer import Composite
from jkeras.core.run.context import Children, Context
from jkeras.core.session.positions import length_now, positions_now
from jkeras.core.weights.rng import SeedGenerator
from jkeras.initializers import Zeros
from jkeras.kernel.numbers import is_zero
from jkeras.kernel.spec import Spec, Weight
from jkeras.layers.activation import Softmax
from jkeras.layers.attention_heads import Heads, with_results
from jkeras.layers.dense import Dense
from jkeras.models.transformers.norms import made
from jkeras.ops.attention import attention
from jkeras.ops.attention_cached import extended
from jkeras.ops.attention_plain import Form, both, hidden_score, products, seen
from jkeras.ops.rotary import rotated
from jkeras.random import dropout
from jkeras.saving.hugging_face.native.plans import Attention


class Looks(NamedTuple):
    """What queries look at.

    Attributes:
        mask: what is seen besides `form`, of a cache or of padding; None: all.
        bias: what is added to scores; None: nothing.
    """

    mask: jax.Array | None
    bias: jax.Array | None
    form: Form


class SelfAttention(Composite):
    """Attention of a text (batch, time, features) to itself.

    Args:
        plan: what it computes.
        width: of the output.
    Call arguments:
        visible: bool (batch, 1, 1, time), False for padding; of causal attention (batch, time), 1
            for tokens, which a pass that writes text does not look at.
        bias: (batch or 1, heads, time, source or more), what is added to scores.
    """

    supports_cache = True
    call_context = {"training": None}

    def __init__(self, plan: Attention, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.set_untracked(plan=plan)
        common = {"dtype": self.dtype_policy}
        self.query = Dense(plan.heads * plan.size, use_bias=plan.bias, name="query", **common)
        key_bias = plan.bias
        if plan.key_bias is not None:
            key_bias = plan.key_bias
        self.key = Dense(plan.groups * plan.size, use_bias=key_bias, name="key", **common)
        self.value = Dense(plan.groups * plan.size, use_bias=plan.bias, name="value", **common)
        self.output_dense = Dense(width, use_bias=plan.output_bias, name="output_dense", **common)
        if plan.norm is not None:
            self.query_norm = made(plan.norm, name="query_norm", **common)
            self.key_norm = made(plan.norm, name="key_norm", **common)
        self._softmax = Softmax(dtype="float32", name="_softmax")
        if plan.dropout:
            self.seed_generator = SeedGenerator()

    def weight_specs(
        self, x: Spec, visible: Spec | None = None, bias: Spec | None = None
    ) -> dict[str, Weight]:
        if self.plan.sinks:
            return {"sinks": self.weight("sinks", (self.plan.heads,), initializer=Zeros())}
        return {}

    def forward(
        self,
        w: Mapping[str, Any],
        sub: Children,
        x: jax.Array,
        visible: jax.Array | None = None,
        bias: jax.Array | None = None,
        *,
        ctx: Context,
    ) -> jax.Array:
        plan = self.plan
        query = self._projected(sub, "query", x, plan.heads)
        key = self._projected(sub, "key", x, plan.groups)
        value = self._projected(sub, "value", x, plan.groups)
        if plan.rotary is not None:
            positions, length = positions_now(x.shape[:2]), length_now(x.shape[1])
            query, key = (rotated(y, plan.rotary, positions, length) for y in (query, key))
        query, key, value = Heads(query, key, value).placed(ctx)
        query, key, value = (jnp.swapaxes(y, 1, 2) for y in (query, key, value))
        form = Form(plan.scale, plan.is_causal, plan.window)
        writer = ctx.cache()
        if visible is not None and visible.ndim == 2:
            visible = self._of_tokens(writer, visible)
        if writer is not None:
            self._check_cached(writer, visible)
            cache, sources = extended(*writer.before(key, value), plan.window)
            writer.keep(cache)
            key, value, visible = sources
            if visible is not None:
                form = Form(plan.scale)
        if plan.alibi is not None:
            bias = _alibi(plan, key.shape[2]).astype(query.dtype)
        if bias is not None:
            bias = bias[..., : key.shape[2]]  # of a cache all, of the first positions these
        y = self._attend(w, sub, (query, key, value), Looks(visible, bias, form), ctx)
        return self._projected_back(sub, y, ctx)

    def _projected_back(self, sub: Children, y: jax.Array, ctx: Context) -> jax.Array:
        """The output of what heads give, (batch, heads, time, size)."""
        y = ctx.place("heads", jnp.swapaxes(y, 1, 2))

        def project(heads: jax.Array) -> jax.Array:
            joined = heads.reshape(*heads.shape[:-2], -1)
            return sub.run_unobserved("output_dense", joined)

        output = sub.output_dense(y.reshape(*y.shape[:2], -1))
        return with_results(ctx, project, y, output)

    def _of_tokens(self, writer: Any, there: jax.Array) -> jax.Array | None:
        """What is seen, of what says where tokens are, (batch, time)."""
        if writer is not None and writer.is_one_text((there,)):
            return None
        return there[:, None, None, :].astype(bool)

    def _projected(self, sub: Children, name: str, x: jax.Array, heads: int) -> jax.Array:
        """Queries, keys or values, (batch, time, heads, size)."""
        plan = self.plan
        y = sub.run_named(name, x)
        if plan.clip is not None:
            y = jnp.clip(y, -plan.clip, plan.clip)
        has_norm = plan.norm is not None and name != "value"
        if has_norm and plan.norms_whole:
            y = sub.run_named(f"{name}_norm", y)
        y = y.reshape(*y.shape[:2], heads, plan.size)
        if has_norm and not plan.norms_whole:
            y = sub.run_named(f"{name}_norm", y)
        return y

    def _check_cached(self, writer: Any, mask: jax.Array | None) -> None:
        """Refuses what cannot be computed for new positions alone."""
        if not self.plan.is_causal:
            writer.refuse("attention that looks ahead")
        if mask is not None:
            writer.refuse("masks or segments")

    def _attend(
        self,
        w: Mapping[str, Any],
        sub: Children,
        heads: tuple[jax.Array, jax.Array, jax.Array],
        looks: Looks,
        ctx: Context,
    ) -> jax.Array:
        """(batch, heads, time, size) of queries, keys and values."""
        plan, (query, key, value), form = self.plan, heads, looks.form
        is_seen = sub.is_tapped("_softmax") or ctx.asks_for("scores", "pattern")
        needs_weights = is_seen or plan.soft_cap is not None or plan.sinks
        drops = ctx.training and not is_zero(plan.dropout)
        if not needs_weights and not drops:
            return attention(heads, form, mask=looks.mask, bias=looks.bias)
        mask = both(looks.mask, seen(form, None, query.shape[2], key.shape[2]))
        weights = self._weights(w, sub, (query, key), looks._replace(mask=mask), ctx)
        if drops:
            weights = dropout(weights, plan.dropout, seed=ctx.key)
        weights = weights.astype(value.dtype)
        batch, _, time, sources = weights.shape
        weights = weights.reshape(batch, plan.groups, -1, sources)
        return jnp.matmul(weights, value).reshape(batch, plan.heads, time, plan.size)

    def _weights(
        self,
        w: Mapping[str, Any],
        sub: Children,
        compared: tuple[jax.Array, jax.Array],
        looks: Looks,
        ctx: Context,
    ) -> jax.Array:
        """The weights of sources, (batch, heads, target, source), in float32 at least.

        Args:
            compared: queries and keys.
            looks: with a mask of all that is seen.
        """
        plan, (query, key) = self.plan, compared
        batch, _, time, size = query.shape
        scores = products(query.reshape(batch, plan.groups, -1, size), key)
        scores = scores.reshape(batch, plan.heads, time, -1) * plan.scale
        if plan.soft_cap is not None:
            scores = plan.soft_cap * jnp.tanh(scores / plan.soft_cap)
        if looks.bias is not None:
            scores = scores + looks.bias.astype(scores.dtype)
        scores = ctx.place("scores", scores)
        if looks.mask is not None:
            scores = jnp.where(looks.mask, scores, hidden_score(scores.dtype))
        if not plan.sinks:
            return ctx.place("pattern", sub.run_named("_softmax", scores))
        sinks = w["sinks"].astype(scores.dtype)[:, None, None]
        sinks = jnp.broadcast_to(sinks, (*scores.shape[:-1], 1))
        weights = sub.run_named("_softmax", jnp.concatenate([scores, sinks], axis=-1))
        return ctx.place("pattern", weights[..., :-1])


def _alibi(plan: Attention, sources: int) -> jax.Array:
    """What is added to scores, (heads, 1, source) (Press et al. 2021, arXiv:2108.12409)."""
    slopes = jnp.asarray(slopes_of(plan.heads), "float32")[:, None, None]
    positions = jnp.arange(sources)
    if plan.alibi == "unscaled":
        return slopes * positions
    # Falcon's are in eight bits
    rounded = slopes.astype("bfloat16") * positions.astype("bfloat16")
    return rounded.astype("float32") * plan.scale


def slopes_of(heads: int) -> np.ndarray:
    """How much less each head looks at what is a position further away.

    >>> slopes_of(2)
    array([0.0625    , 0.00390625])
    """
    power = 2 ** math.floor(math.log2(heads))
    slopes = 2.0 ** (-8 / power * np.arange(1, power + 1))
    more = 2.0 ** (-8 / (2 * power) * np.arange(1, 2 * (heads - power) + 1, 2))
    return np.concatenate([slopes, more])
