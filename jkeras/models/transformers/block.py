"""A block of a transformer: attention, perhaps attention to what an encoder gives, and a
feedforward network, each added to what comes in.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax

from jkeras.core.layer import Composite
from jkeras.core.run.context import Children, Context
from jkeras.layers.dropout import Dropout
from jkeras.models.transformers import feedforward, norms
from jkeras.models.transformers.attention import SelfAttention
from jkeras.models.transformers.cross_attention import CrossAttention
from jkeras.models.transformers.parts import LayerScale
from jkeras.saving.hugging_face.native.plans import Block

# the norms that a form has
NORMS = {
    "before": ("norm_1", "norm_2"),
    "after": ("norm_1", "norm_2"),
    "around": ("norm_1", "after_1", "norm_2", "after_2"),
    "outside": ("norm_1", "norm_2"),
    "parallel": ("norm_1", "norm_2"),
    "normed": ("norm_1", "norm_2"),
}
SCALES = "scale_1", "scale_2", "scale_cross"


class TransformerBlock(Composite):
    """(batch, time, features) -> (batch, time, features).

    Args:
        plan: what it computes.
        width: of the features.
    Call arguments:
        visible: bool, what the text sees of itself; see `SelfAttention`.
        beside: {"bias": what is added to scores; "memory": (batch, source, features), what an
            encoder gives; "memory_visible": bool (batch, 1, 1, source), what is seen of that}.
    """

    supports_cache = True
    call_context = {"training": None}

    def __init__(self, plan: Block, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.set_untracked(plan=plan)
        common = {"dtype": self.dtype_policy}
        self.attention = SelfAttention(plan.attention, width, name="attention", **common)
        if plan.cross is not None:
            self.cross = CrossAttention(plan.cross, width, name="cross", **common)
            self.norm_cross = norms.made(plan.norm, name="norm_cross", **common)
        network = feedforward.made(plan.feedforward, width, name="feedforward", **common)
        self.feedforward = network
        for name in NORMS[plan.form][: 1 if plan.one_norm else None]:
            if not (plan.no_first_norm and name == "norm_1"):
                setattr(self, name, norms.made(plan.norm, name=name, **common))
        self.dropout = Dropout(plan.dropout, name="dropout", **common)
        if plan.layer_scale is not None:
            for name in SCALES[: 2 + (plan.cross is not None)]:
                setattr(self, name, LayerScale(plan.layer_scale, width, name=name, **common))
        if plan.drop_path:
            shape = (None, 1, 1)
            self.drop_path = Dropout(plan.drop_path, noise_shape=shape, name="drop_path", **common)

    def forward(
        self,
        w: Mapping[str, Any],
        sub: Children,
        x: jax.Array,
        visible: jax.Array | None = None,
        beside: dict[str, jax.Array] | None = None,
        *,
        ctx: Context,
    ) -> jax.Array:
        plan, training, beside = self.plan, ctx.training, beside or {}

        def attend(x: jax.Array) -> jax.Array:
            y = sub.attention(x, visible, beside.get("bias"), training=training)
            return self._dropped(sub, "scale_1", y, ctx)

        def look(x: jax.Array) -> jax.Array:
            y = sub.cross(x, beside["memory"], beside.get("memory_visible"), training=training)
            return self._dropped(sub, "scale_cross", y, ctx)

        def think(x: jax.Array) -> jax.Array:
            return self._dropped(sub, "scale_2", sub.feedforward(x), ctx)

        if plan.form == "parallel":
            first = sub.norm_1(x)
            second = first
            if not plan.one_norm:
                second = sub.norm_2(x)
            return think(second) + attend(first) + x
        x = ctx.place("residual_mid", self._step(sub, "1", x, attend))
        if plan.cross is not None:
            x = ctx.place("residual_mid_cross", self._step(sub, "cross", x, look))
        return self._step(sub, "2", x, think)

    def _dropped(self, sub: Children, scale: str, y: jax.Array, ctx: Context) -> jax.Array:
        """What is added, some of it dropped in training."""
        y = sub.dropout(y, training=ctx.training)
        if self.plan.layer_scale is not None:
            y = sub.run_named(scale, y)
        if self.plan.drop_path:
            y = sub.drop_path(y, training=ctx.training)
        if self.plan.multiplier == 1:
            return y
        return y * self.plan.multiplier

    def _step(
        self, sub: Children, part: str, x: jax.Array, run: Callable[[jax.Array], jax.Array]
    ) -> jax.Array:
        """What comes in, and what a part of the block makes of it."""
        form, norm = self.plan.form, f"norm_{part}"
        if form == "outside":
            return sub.run_named(norm, x + run(x))
        if form == "after":
            return x + sub.run_named(norm, run(x))
        normed = x
        if not (self.plan.no_first_norm and part == "1"):
            normed = sub.run_named(norm, x)
        if form == "around":
            return x + sub.run_named(f"after_{part}", run(normed))
        if form == "normed":
            return normed + run(normed)
        return x + run(normed)
