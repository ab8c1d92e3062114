"""MixtureOfExperts: several networks, of which each token takes some."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.core.graph.input_spec import InputSpec
from jkeras.core.layer import Layer, layer
from jkeras.core.record import Activation, Constraint, Initializer, Regularizer
from jkeras.core.run.context import Context
from jkeras.kernel.spec import Spec, Weight
from jkeras.layers import routing
from jkeras.layers.routing_devices import cut_of, on_devices
from jkeras.layers.stack import EachOf, SumOfEach

SIZES = ("num_experts", "hidden_dim", "top_k")
FACTORS = ("capacity_factor", "load_balancing_loss", "router_z_loss")


@layer("keras.layers")
class MixtureOfExperts(Layer):
    """(..., features) -> (..., features): each token takes the `top_k` of `num_experts` networks
    that a router gives the highest scores, and their outputs by these weights (not in Keras).

    A network is two products with an activation between them, or three where it is `gated`. The
    router computes in float32. In training, losses are added that keep experts equally busy.

    Args:
        The same as for `Dense`, for the router's kernel, and the kernels and biases of the
            networks: router_initializer, kernel_initializer, bias_initializer, kernel_regularizer,
            bias_regularizer, kernel_constraint, bias_constraint.
        num_experts: how many there are.
        hidden_dim: the width inside of each.
        top_k: how many a token takes.
        activation: inside of a network.
        gated: whether what is inside is the product of `activation` of one map and of another one
            (Shazeer 2020, arXiv:2002.05202).
        use_bias: whether the maps have one.
        capacity_factor: None: an expert takes all tokens that are routed to it. A number: it takes
            at most so many times its even share of the tokens of a row, (tokens, features), of the
            batch; of inputs (batch, features), of the batch. What is left over gets nothing from
            it, and shapes do not depend on the router, so that devices exchange tokens.
        normalize_weights: whether the weights of a token's experts sum to 1.
        load_balancing_loss, router_z_loss: factors of these losses, see `layers.routing`.

    Call arguments:
        mask: (batch, tokens), False for padding, which no expert takes.

    Raises:
        ValueError: `top_k` is not among 1 to `num_experts`, or a size or factor is not above 0.

    >>> import numpy as np
    >>> experts = MixtureOfExperts(num_experts=4, hidden_dim=16, top_k=2)
    >>> experts(np.ones((2, 5, 8))).shape, [w.shape for w in experts.weights][:2]
    ((2, 5, 8), [(8, 4), (4, 8, 16)])
    """

    num_experts: int
    hidden_dim: int
    top_k: int = 2
    activation: Activation = "silu"
    gated: bool = True
    use_bias: bool = False
    capacity_factor: float | None = None
    normalize_weights: bool = True
    load_balancing_loss: float = 0.01
    router_z_loss: float = 0.0
    router_initializer: Initializer = "glorot_uniform"
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None
    supports_masking = True
    call_context = {"training": None, "mask": None}

    def __post_init__(self) -> None:
        for name in SIZES:
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(explain(self._where, f"`{name}` of 1 or more", repr(value)))
        if self.top_k > self.num_experts:
            wanted = f"`top_k` up to the number of experts, {self.num_experts}"
            raise ValueError(explain(self._where, wanted, repr(self.top_k)))
        for name in FACTORS:
            value = getattr(self, name)
            if value is not None and not 0 <= value < float("inf"):
                raise ValueError(explain(self._where, f"`{name}` of 0 or more", repr(value)))
        if self.capacity_factor == 0:
            raise ValueError(explain(self._where, "`capacity_factor` above 0, or None", "0"))
        self.input_spec = InputSpec(min_ndim=2)

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        width, inner = x.shape[-1], self.hidden_dim
        shape = (width, self.num_experts)
        specs = {"router": self.weight("router", shape, dtype="float32", autocast=False)}
        maps = {"expert_up": (width, inner), "expert_down": (inner, width)}
        if self.gated:
            maps = {"expert_gate": (width, inner), **maps}
        for name, shape in maps.items():
            specs[name] = self._of_each("kernel", shape)
            if self.use_bias:
                specs[f"{name}_bias"] = self._of_each("bias", shape[-1:])
        return specs

    def _of_each(self, name: str, shape: tuple[int, ...]) -> Weight:
        """A weight that each expert has of its own."""
        weight = self.weight(name, shape)
        return weight.replace(
            shape=(self.num_experts, *shape),
            initializer=EachOf(weight.initializer),
            regularizer=weight.regularizer and SumOfEach(weight.regularizer),
            constraint=weight.constraint and EachOf(weight.constraint),
        )

    def attributes_when_built(self, x: Spec) -> dict[str, Any]:
        return {"input_spec": InputSpec(min_ndim=2, axes={-1: x.shape[-1]})}

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        groups = x.reshape(-1, *x.shape[-2:])  # of inputs (batch, features), one
        scores = groups.astype("float32") @ w["router"]
        counts = None
        if ctx.mask is not None:
            counts = jnp.broadcast_to(ctx.mask, x.shape[:-1]).reshape(groups.shape[:-1])
        found = routing.routes(scores, self.top_k, self.normalize_weights, counts)
        if ctx.training:
            self._add_losses(found)
        if self.capacity_factor is None:
            y = self._through_all(w, groups, found, x.shape)
        else:
            sizes = groups.shape[1], self.top_k, self.num_experts
            capacity = routing.capacity_of(*sizes, self.capacity_factor)
            y = routing.with_capacity(groups, found, capacity, self._on_equal_parts(w))
        return y.reshape(x.shape)

    def _add_losses(self, found: routing.Routes) -> None:
        if self.load_balancing_loss:
            self.add_loss(self.load_balancing_loss * routing.load_balancing_loss(found))
        if self.router_z_loss:
            self.add_loss(self.router_z_loss * routing.router_z_loss(found))

    def _through_all(
        self, w: Mapping[str, Any], groups: jax.Array, found: routing.Routes, shape: tuple
    ) -> jax.Array:
        """The outputs where an expert takes all tokens that are routed to it."""
        chosen = found.experts, found.weights, self.num_experts
        cut = cut_of(shape, groups.shape, self.num_experts)
        if cut is None:
            return routing.through_experts(groups, *chosen, self._on_sorted_rows(w))
        networks = {name: value for name, value in w.items() if name != "router"}
        return on_devices(cut, groups, *chosen, networks, self._on_sorted_rows)

    @property
    def supports_cache(self) -> bool:
        """Whether tokens do not meet: with a capacity, those of a row do."""
        return self.capacity_factor is None

    # ------------------------------------------------------------ the networks

    def _on_sorted_rows(self, w: Mapping[str, Any]) -> routing.Networks:
        """The networks on rows, those of one expert behind those of the one before."""

        def networks(x: jax.Array, sizes: jax.Array, expert: jax.Array) -> jax.Array:
            def through(name: str, x: jax.Array) -> jax.Array:
                y = jax.lax.ragged_dot(x, w[name], sizes)
                return y + w[f"{name}_bias"][expert] if self.use_bias else y

            return self._network(through, x)

        return networks

    def _on_equal_parts(self, w: Mapping[str, Any]) -> routing.Networks:
        """The networks on arrays (experts, groups, tokens of one, features)."""

        def through(name: str, x: jax.Array) -> jax.Array:
            y = jnp.einsum("egcd,edh->egch", x, w[name])
            return y + w[f"{name}_bias"][:, None, None] if self.use_bias else y

        return lambda x: self._network(through, x)

    def _network(self, through: Any, x: jax.Array) -> jax.Array:
        inner = through("expert_up", x)
        if self.gated:
            inner = self.activation(through("expert_gate", x)) * inner
        else:
            inner = self.activation(inner)
        return through("expert_down", inner)
