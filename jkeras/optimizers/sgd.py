"""Stochastic gradient descent."""

import jax

from jkeras.core.names import typed
from jkeras.kernel.numbers import is_zero
from jkeras.optimizers.base import Optimizer
from jkeras.optimizers.fields import optimizer
from jkeras.optimizers.transform.rule import Slots


@optimizer()
class SGD(Optimizer):
    """`p -= lr * g`; with momentum `m = momentum * m - lr * g; p += m`.

    Args:
        momentum: float in [0, 1]; 0 keeps no slot.
        nesterov: step as if the momentum had been followed already: `p += momentum * m - lr * g`.
        learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: as for
            `Optimizer`.
    Raises:
        ValueError: `momentum` is no float in [0, 1].

    >>> import jax.numpy as jnp
    >>> sgd, params = SGD(0.5), {"w": jnp.array([1.0])}
    >>> params, state = sgd.step({"w": jnp.array([1.0])}, sgd.init(params), params)
    >>> print(params["w"])
    [0.5]
    """

    learning_rate: typed.Rate = 0.01
    momentum: float = 0.0
    nesterov: bool = False
    rule_is_elementwise = True

    def check(self):
        if not isinstance(self.momentum, float) or not 0 <= self.momentum <= 1:
            raise ValueError(
                "SGD: `momentum` must be a float between 0 and 1. Received: "
                f"momentum={self.momentum!r}"
            )

    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        if not is_zero(self.momentum):
            return (("momentum",),)
        return ()

    def rule(
        self, g: jax.Array, p: jax.Array, s: Slots, lr: jax.Array, t: jax.Array
    ) -> tuple[jax.Array, Slots]:
        if is_zero(self.momentum):
            return p - g * lr, {}
        m = s["momentum"] * self.momentum - g * lr
        if self.nesterov:
            return p + m * self.momentum - g * lr, {"momentum": m}
        return p + m, {"momentum": m}
