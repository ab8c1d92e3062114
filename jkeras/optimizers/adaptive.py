"""Optimizers whose rate for each element follows from its past gradients."""

import jax
import jax.numpy as jnp

from jkeras.core.names import typed
from jkeras.core.record import Any
from jkeras.kernel.numbers import is_zero
from jkeras.optimizers.base import Optimizer
from jkeras.optimizers.fields import optimizer
from jkeras.optimizers.transform.leaves import Leaf
from jkeras.optimizers.transform.rule import Slots


@optimizer()
class RMSprop(Optimizer):
    """`p -= lr * g / sqrt(v + epsilon)`, v a running mean of the squared gradient.

    Args:
        rho: decay of v.
        momentum: of the steps; 0 keeps no slot.
        epsilon: added under the root.
        centered: divide by the root of the variance of the gradient instead.
        learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: as for
            `Optimizer`.

    Reference: Tieleman and Hinton, 2012, "Lecture 6.5: rmsprop".

    >>> rmsprop, params = RMSprop(0.1), {"w": jnp.array([1.0, 1.0])}
    >>> params, state = rmsprop.step({"w": jnp.array([3.0, 0.01])}, rmsprop.init(params), params)
    >>> print(params["w"].round(1))
    [0.7 0.7]
    """

    learning_rate: typed.Rate = 0.001
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False
    rule_is_elementwise = True

    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        groups = [("velocity",)]
        if not is_zero(self.momentum):
            groups.append(("momentum",))
        if self.centered:
            groups.append(("average_gradient",))
        return tuple(groups)

    def rule(
        self, g: jax.Array, p: jax.Array, s: Slots, lr: jax.Array, t: jax.Array
    ) -> tuple[jax.Array, Slots]:
        v = self.rho * s["velocity"] + (1 - self.rho) * jnp.square(g)
        new, spread = {"velocity": v}, v + self.epsilon
        if self.centered:
            new["average_gradient"] = mean = self.rho * s["average_gradient"] + (1 - self.rho) * g
            spread = v - jnp.square(mean) + self.epsilon
        step = lr * g / jnp.sqrt(spread)
        if not is_zero(self.momentum):
            new["momentum"] = step = self.momentum * s["momentum"] + step
        return p - step, new


@optimizer()
class Adagrad(Optimizer):
    """`p -= lr * g / sqrt(a + epsilon)`, a the sum of the squared gradients so far.

    Args:
        initial_accumulator_value: what the sum starts from.
        epsilon: added under the root.
        learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: as for
            `Optimizer`.

    Reference: Duchi et al., 2011, "Adaptive Subgradient Methods for Online Learning and Stochastic
        Optimization".

    >>> adagrad, params = Adagrad(0.1), {"w": jnp.array([1.0])}
    >>> state = adagrad.init(params)
    >>> for _ in range(3):  # steps of 0.1, 0.07, 0.06
    ...     params, state = adagrad.step({"w": jnp.array([3.0])}, state, params)
    ...     print(params["w"].round(2))
    [0.9]
    [0.83]
    [0.77]
    """

    learning_rate: typed.Rate = 0.001
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7
    rule_is_elementwise = True

    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        return (("accumulator",),)

    def slot(self, name: str, p: Any, leaf: Leaf) -> jax.Array:
        return jnp.full(p.shape, self.initial_accumulator_value, p.dtype)

    def rule(
        self, g: jax.Array, p: jax.Array, s: Slots, lr: jax.Array, t: jax.Array
    ) -> tuple[jax.Array, Slots]:
        a = s["accumulator"] + jnp.square(g)
        return p - lr * g / jnp.sqrt(a + self.epsilon), {"accumulator": a}


@optimizer()
class Adadelta(Optimizer):
    """Steps in the units of the parameter: `g * rms(past steps) / rms(past gradients)`, times the
    learning rate.

    Args:
        rho: decay of the running means.
        epsilon: added under the roots.
        learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: as for
            `Optimizer`.

    Reference: Zeiler, 2012, "ADADELTA: An Adaptive Learning Rate Method", arXiv:1212.5701; the
        paper's rate is 1.0.

    >>> adadelta, params = Adadelta(1.0), {"w": jnp.array([1.0, 1.0])}
    >>> params, state = adadelta.step({"w": jnp.array([3.0, 0.01])}, adadelta.init(params), params)
    >>> print((1 - params["w"]).round(3))  # of both the same
    [0.001 0.001]
    """

    learning_rate: typed.Rate = 0.001
    rho: float = 0.95
    epsilon: float = 1e-7
    rule_is_elementwise = True

    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        return (("accumulated_grad", "accumulated_delta_var"),)

    def rule(
        self, g: jax.Array, p: jax.Array, s: Slots, lr: jax.Array, t: jax.Array
    ) -> tuple[jax.Array, Slots]:
        def mean(old: jax.Array, x: jax.Array) -> jax.Array:
            return self.rho * old + (1 - self.rho) * jnp.square(x)

        squares = mean(s["accumulated_grad"], g)
        step = (
            -jnp.sqrt(s["accumulated_delta_var"] + self.epsilon)
            * g
            / jnp.sqrt(squares + self.epsilon)
        )
        return p + lr * step, {
            "accumulated_grad": squares,
            "accumulated_delta_var": mean(s["accumulated_delta_var"], step),
        }


@optimizer()
class Ftrl(Optimizer):
    """Follow the regularized leader: sparse weights for large linear models.

    Args:
        learning_rate_power: zero or negative; -0.5 gives the rate of Adagrad.
        initial_accumulator_value: zero or positive.
        l1_regularization_strength, l2_regularization_strength: zero or positive.
        l2_shrinkage_regularization_strength: l2 penalty on the gradient only, not on the
            accumulators.
        beta: of the paper.
        learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: as for
            `Optimizer`.
    Raises:
        ValueError: `learning_rate_power` above 0, or a strength or first value below 0.

    Reference: McMahan et al., 2013, "Ad Click Prediction: a View from the Trenches",
        doi:10.1145/2487575.2488200.

    >>> ftrl, params = Ftrl(0.5, l1_regularization_strength=1.0), {"w": jnp.array([1.0, 1.0])}
    >>> params, state = ftrl.step({"w": jnp.array([3.0, 0.01])}, ftrl.init(params), params)
    >>> print(params["w"].round(1))
    [0.2 0. ]
    """

    learning_rate: typed.Rate = 0.001
    learning_rate_power: float = -0.5
    initial_accumulator_value: float = 0.1
    l1_regularization_strength: float = 0.0
    l2_regularization_strength: float = 0.0
    l2_shrinkage_regularization_strength: float = 0.0
    beta: float = 0.0
    rule_is_elementwise = True

    def check(self):
        if self.learning_rate_power > 0.0:
            raise ValueError(
                "Ftrl: `learning_rate_power` must be negative or zero. "
                f"Received: learning_rate_power={self.learning_rate_power}"
            )
        for name in (
            "initial_accumulator_value",
            "l1_regularization_strength",
            "l2_regularization_strength",
            "l2_shrinkage_regularization_strength",
        ):
            if getattr(self, name) < 0.0:
                raise ValueError(
                    f"Ftrl: `{name}` must be positive or zero. Received: "
                    f"{name}={getattr(self, name)}"
                )

    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        return (("accumulator", "linear"),)

    def slot(self, name: str, p: Any, leaf: Leaf) -> jax.Array:
        if name == "accumulator":
            return jnp.full(p.shape, self.initial_accumulator_value, p.dtype)
        return jnp.zeros(p.shape, p.dtype)

    def rule(
        self, g: jax.Array, p: jax.Array, s: Slots, lr: jax.Array, t: jax.Array
    ) -> tuple[jax.Array, Slots]:
        old, l1 = s["accumulator"], self.l1_regularization_strength
        new = old + jnp.square(g)
        root, old_root = (jnp.power(a, -self.learning_rate_power) for a in (new, old))
        g = g + 2 * self.l2_shrinkage_regularization_strength * p
        linear = s["linear"] + g - (root - old_root) / lr * p
        quadratic = root / lr + 2 * (self.l2_regularization_strength + self.beta / (2.0 * lr))
        return (jnp.clip(linear, -l1, l1) - linear) / quadratic, {
            "accumulator": new,
            "linear": linear,
        }
