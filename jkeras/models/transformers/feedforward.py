"""The networks for each position alone: one, or several of which each token takes some."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.layer import Composite, Layer
from jkeras.core.run.context import Children, Context
from jkeras.initializers import GlorotUniform, Zeros
from jkeras.kernel.spec import Spec, Weight
from jkeras.layers.dense import Dense
from jkeras.layers.dropout import Dropout
from jkeras.layers.routing import through_experts
from jkeras.saving.hugging_face.native.plans import Experts, Feedforward


def _quick_gelu(x: jax.Array) -> jax.Array:
    return x * jax.nn.sigmoid(1.702 * x)


_exact = functools.partial(jax.nn.gelu, approximate=False)
_approximate = functools.partial(jax.nn.gelu, approximate=True)
# by their names in transformers
ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "gelu": _exact,
    "gelu_python": _exact,
    "gelu_new": _approximate,
    "gelu_fast": _approximate,
    "gelu_pytorch_tanh": _approximate,
    "quick_gelu": _quick_gelu,
    "relu": jax.nn.relu,
    "relu2": lambda x: jnp.square(jax.nn.relu(x)),
    "silu": jax.nn.silu,
    "swish": jax.nn.silu,
    "tanh": jnp.tanh,
}


class FeedforwardNetwork(Composite):
    """(batch, time, features) -> (batch, time, features).

    Args:
        plan: what it computes.
        width: of the output.
    """

    supports_cache = True
    call_context = {"training": None}

    def __init__(self, plan: Feedforward, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.set_untracked(plan=plan)
        common = {"use_bias": plan.bias, "dtype": self.dtype_policy}
        if plan.is_gated:
            self.gate = Dense(plan.inner, name="gate", **common)
        self.up = Dense(plan.inner, name="up", **common)
        self.down = Dense(width, name="down", **common)
        if plan.dropout:
            self.dropout = Dropout(plan.dropout, name="dropout", dtype=self.dtype_policy)

    def forward(self, w: Mapping[str, Any], sub: Children, x: jax.Array, ctx: Context) -> jax.Array:
        activation = ACTIVATIONS[self.plan.activation]
        if self.plan.is_gated:
            inner = activation(sub.gate(x)) * sub.up(x)
        else:
            inner = activation(sub.up(x))
        inner = ctx.place("neurons", inner)
        if self.plan.dropout:
            inner = sub.dropout(inner, training=ctx.training)
        return sub.down(inner)


class ExpertNetworks(Composite):
    """Several networks, of which each position takes those that its router gives most, and perhaps
    one that all take (Shazeer et al. 2017, arXiv:1701.06538).

    Args:
        plan: what it computes, with `experts`.
        width: of the output.
    """

    supports_cache = True

    def __init__(self, plan: Feedforward, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.set_untracked(plan=plan, width=width)
        experts, common = plan.experts, {"dtype": self.dtype_policy}
        self.router = Dense(
            experts.count, use_bias=experts.limit is not None, name="router", **common
        )
        self.experts = Networks(experts, plan.activation, width, name="experts", **common)
        if experts.shared:
            shared = Feedforward(experts.shared, plan.activation)
            self.shared = FeedforwardNetwork(shared, width, name="shared", **common)
            self.shared_gate = Dense(1, use_bias=False, name="shared_gate", **common)

    def forward(self, w: Mapping[str, Any], sub: Children, x: jax.Array, ctx: Context) -> jax.Array:
        experts = self.plan.experts
        scores = sub.router(x)
        if experts.limit is not None:
            values, chosen = jax.lax.top_k(scores, experts.chosen)
            weights = jax.nn.softmax(values, axis=-1)
        else:
            shares = jax.nn.softmax(scores.astype("float32"), axis=-1)
            weights, chosen = jax.lax.top_k(shares, experts.chosen)
            if experts.normalizes:
                weights = weights / weights.sum(axis=-1, keepdims=True)
        y = sub.experts(x, weights.astype(x.dtype), chosen)
        if experts.shared:
            y = y + jax.nn.sigmoid(sub.shared_gate(x)) * sub.shared(x)
        return y


class Networks(Layer):
    """The experts themselves, on what is routed to each.

    Args:
        plan: how many there are, and of what width.
        activation: a key of `ACTIVATIONS`.
        width: of the output.
    """

    supports_cache = True
    uncast = ("chosen",)

    def __init__(self, plan: Experts, activation: str, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.set_untracked(plan=plan, activation_name=activation, width=width)

    def weight_specs(self, x: Spec, weights: Spec, chosen: Spec) -> dict[str, Weight]:
        count, inner, width = self.plan.count, self.plan.inner, self.width
        shapes = {
            "gate": (count, x.shape[-1], inner),
            "up": (count, x.shape[-1], inner),
            "down": (count, inner, width),
        }
        start = GlorotUniform()
        specs = {k: self.weight(k, shape, initializer=start) for k, shape in shapes.items()}
        if self.plan.limit is not None:
            for name, shape in shapes.items():
                bias = f"{name}_bias"
                specs[bias] = self.weight(bias, (shape[0], shape[2]), initializer=Zeros())
        return specs

    def forward(
        self,
        w: Mapping[str, Any],
        x: jax.Array,
        weights: jax.Array,
        chosen: jax.Array,
        ctx: Context,
    ) -> jax.Array:
        plan = self.plan

        def networks(x: jax.Array, sizes: jax.Array, expert: jax.Array) -> jax.Array:
            def through(name: str, x: jax.Array) -> jax.Array:
                y = jax.lax.ragged_dot(x, w[name], sizes)
                if plan.limit is None:
                    return y
                return y + w[f"{name}_bias"][expert]

            return through("down", self._gated(through("gate", x), through("up", x)))

        return through_experts(x, chosen, weights, plan.count, networks)

    def _gated(self, gate: jax.Array, up: jax.Array) -> jax.Array:
        """What is inside of a network."""
        limit = self.plan.limit
        if limit is None:
            return ACTIVATIONS[self.activation_name](gate) * up
        gate, up = jnp.minimum(gate, limit), jnp.clip(up, -limit, limit)
        return _quick_gelu(gate) * (up + 1)


def made(plan: Feedforward, width: int, **kwargs: Any) -> Layer:
    """The layer of a plan."""
    if plan.experts is None:
        return FeedforwardNetwork(plan, width, **kwargs)
    return ExpertNetworks(plan, width, **kwargs)
