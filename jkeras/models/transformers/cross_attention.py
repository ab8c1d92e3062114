"""Attention of a text to what an encoder gives, whose keys and values are computed once."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.run.context import Children, Context
from jkeras.kernel.spec import Spec, Weight
from jkeras.layers.attention_heads import Heads
from jkeras.models.transformers.attention import Looks, SelfAttention
from jkeras.ops.attention_plain import Form


class CrossAttention(SelfAttention):
    """Attention of a text (batch, time, features) to `memory` (batch, source, features).

    Call arguments:
        visible: bool (batch, 1, 1, source), False for padding.
    """

    supports_cache = True

    def weight_specs(self, x: Spec, memory: Spec, visible: Spec | None = None) -> dict[str, Weight]:
        return {}

    def forward(
        self,
        w: Mapping[str, Any],
        sub: Children,
        x: jax.Array,
        memory: jax.Array,
        visible: jax.Array | None = None,
        *,
        ctx: Context,
    ) -> jax.Array:
        plan = self.plan
        query = self._projected(sub, "query", x, plan.heads)

        def project() -> tuple[jax.Array, jax.Array]:
            key = self._projected(sub, "key", memory, plan.groups)
            value = self._projected(sub, "value", memory, plan.groups)
            return jnp.swapaxes(key, 1, 2), jnp.swapaxes(value, 1, 2)

        writer = ctx.cache()
        if writer is None:
            key, value = project()
        else:
            key, value = writer.of_memory(project)
        heads = Heads(query, jnp.swapaxes(key, 1, 2), jnp.swapaxes(value, 1, 2)).placed(ctx)
        query, key, value = (jnp.swapaxes(y, 1, 2) for y in heads)
        looks = Looks(visible, None, Form(plan.scale))
        y = self._attend(w, sub, (query, key, value), looks, ctx)
        return self._projected_back(sub, y, ctx)
