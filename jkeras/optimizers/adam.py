"""Adam and its relatives: steps scaled by running moments of the gradient."""

import typing

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jkeras.core.names import typed
from jkeras.core.record import Any
from jkeras.optimizers.base import Optimizer
from jkeras.optimizers.fields import optimizer
from jkeras.optimizers.transform.leaves import Leaf, Path
from jkeras.optimizers.transform.rule import Slots


def power(base: float, t: jax.Array, like: jax.Array) -> jax.Array:
    """`base ** t` in the dtype of an array."""
    return jnp.power(jnp.asarray(base, like.dtype), t.astype(like.dtype))


def moments(g: jax.Array, s: Slots, beta_1: float, beta_2: float) -> tuple[jax.Array, jax.Array]:
    """The running means of the gradient and of its square."""
    m, v = s["momentum"], s["velocity"]
    return m + (g - m) * (1 - beta_1), v + (jnp.square(g) - v) * (1 - beta_2)


def corrected(lr: jax.Array, beta_1: float, beta_2: float, t: jax.Array) -> jax.Array:
    """The learning rate that makes up for moments that began at zero."""
    return lr * jnp.sqrt(1 - power(beta_2, t, lr)) / (1 - power(beta_1, t, lr))


@typed.fields
class Moments(Optimizer):
    """Base of optimizers with running means of the gradient (decay `beta_1`) and of its square
    (`beta_2`).
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        return (("momentum", "velocity"),)


@optimizer()
class Adam(Moments):
    """`p -= lr_t * m / (sqrt(v) + epsilon)`, m and v running means of the gradient and of its
    square.

    Args:
        beta_1, beta_2: decay of m and v.
        epsilon: added to the root (the paper's epsilon-hat).
        amsgrad: divide by the largest v so far.
        learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: as for
            `Optimizer`.

    Reference: Kingma and Ba, 2014, "Adam: A Method for Stochastic Optimization", arXiv:1412.6980;
        Reddi et al., 2018, arXiv:1904.09237, for amsgrad.

    >>> adam, params = Adam(0.5), {"w": jnp.array([1.0])}
    >>> params, state = adam.step({"w": jnp.array([3.0])}, adam.init(params), params)
    >>> print(params["w"].round(3))
    [0.5]
    """

    learning_rate: typed.Rate = 0.001
    amsgrad: bool = False
    rule_is_elementwise = True

    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        if self.amsgrad:
            return (*super().slot_groups(), ("velocity_hat",))
        return super().slot_groups()

    def rule(
        self, g: jax.Array, p: jax.Array, s: Slots, lr: jax.Array, t: jax.Array
    ) -> tuple[jax.Array, Slots]:
        m, v = moments(g, s, self.beta_1, self.beta_2)
        new = {"momentum": m, "velocity": v}
        if self.amsgrad:
            new["velocity_hat"] = v = jnp.maximum(s["velocity_hat"], v)
        return p - m * corrected(lr, self.beta_1, self.beta_2, t) / (
            jnp.sqrt(v) + self.epsilon
        ), new


@optimizer(arguments="weight_decay")
class AdamW(Adam):
    """Adam with decoupled weight decay: each step first takes `lr * weight_decay * p` off.

    Args:
        weight_decay: a float.
        beta_1, beta_2, epsilon, amsgrad: as for `Adam`.
        learning_rate, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: as for
            `Optimizer`.
    Raises:
        ValueError: `weight_decay=None`.

    Reference: Loshchilov and Hutter, 2019, "Decoupled Weight Decay Regularization",
        arXiv:1711.05101.

    >>> adamw, params = AdamW(0.5, weight_decay=0.1), {"w": jnp.array([1.0])}
    >>> params, state = adamw.step({"w": jnp.array([0.0])}, adamw.init(params), params)
    >>> print(params["w"])
    [0.95]
    """

    learning_rate: typed.Rate = 0.001
    weight_decay: float | None = 0.004

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            learning_rate: float | dict | typed.Function = 0.001,
            weight_decay: float | None = 0.004,
            beta_1: float = 0.9,
            beta_2: float = 0.999,
            epsilon: float = 1e-07,
            amsgrad: bool = False,
            clipnorm: float | None = None,
            clipvalue: float | None = None,
            global_clipnorm: float | None = None,
            use_ema: bool = False,
            ema_momentum: float = 0.99,
            ema_overwrite_frequency: int | None = None,
            loss_scale_factor: float | None = None,
            gradient_accumulation_steps: int | None = None,
            name: str | None = None,
        ) -> None: ...

    def check(self):
        if self.weight_decay is None:
            raise ValueError(
                "AdamW: `weight_decay` must be a float. Received: weight_decay=None. Use `Adam` "
                "instead."
            )


@optimizer()
class Nadam(Moments):
    """Adam with Nesterov momentum.

    Args:
        beta_1, beta_2, epsilon: as for `Adam`.
        learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: as for
            `Optimizer`.

    Reference: Dozat, 2016, "Incorporating Nesterov Momentum into Adam".

    >>> nadam, params = Nadam(0.1), {"w": jnp.array([1.0])}
    >>> params, state = nadam.step({"w": jnp.array([3.0])}, nadam.init(params), params)
    >>> print(params["w"].round(2))  # of Adam [0.9]
    [0.89]
    """

    learning_rate: typed.Rate = 0.001
    rule_is_elementwise = True

    scalar_names = ("u_product",)

    def scalars(self, leaves: Sequence) -> Slots:
        return {"u_product": jnp.ones((), leaves[0].dtype if leaves else "float32")}

    def advance(self, scalars: Slots, t: jax.Array) -> Slots:
        u = scalars["u_product"]
        return {**scalars, "u_product": u * self._mu(t, u)}

    def _mu(self, t: jax.Array, like: jax.Array) -> jax.Array:
        """The momentum of step t, which grows towards beta_1."""
        return jnp.asarray(self.beta_1, like.dtype) * (1.0 - 0.5 * power(0.96, t, like))

    def _label(self, address: Path) -> str | None:
        # Keras names it "variable"
        if address[0] == "scalars":
            return None
        return super()._label(address)

    def rule(
        self, g: jax.Array, p: jax.Array, s: Slots, lr: jax.Array, t: jax.Array
    ) -> tuple[jax.Array, Slots]:
        m, v = moments(g, s, self.beta_1, self.beta_2)
        now, after, product = self._mu(t, p), self._mu(t + 1, p), s["u_product"].astype(p.dtype)
        m_hat = after * m / (1 - product * after) + (1 - now) * g / (1 - product)
        v_hat = v / (1 - power(self.beta_2, t, p))
        return p - m_hat * lr / (jnp.sqrt(v_hat) + self.epsilon), {"momentum": m, "velocity": v}


@optimizer()
class Adamax(Moments):
    """Adam with the largest absolute gradient instead of the root mean square.

    Args:
        beta_1: decay of the running mean of the gradient.
        beta_2: decay of the largest absolute gradient.
        epsilon: added to that.
        learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: as for
            `Optimizer`.

    Reference: Kingma and Ba, 2014, "Adam: A Method for Stochastic Optimization", section 7,
        arXiv:1412.6980.

    >>> adamax, params = Adamax(0.1), {"w": jnp.array([1.0, 1.0])}
    >>> params, state = adamax.step({"w": jnp.array([3.0, 0.01])}, adamax.init(params), params)
    >>> print(params["w"].round(2))
    [0.9 0.9]
    """

    learning_rate: typed.Rate = 0.001
    rule_is_elementwise = True

    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        return (("momentum", "norm"),)

    def rule(
        self, g: jax.Array, p: jax.Array, s: Slots, lr: jax.Array, t: jax.Array
    ) -> tuple[jax.Array, Slots]:
        m = s["momentum"] + (g - s["momentum"]) * (1 - self.beta_1)
        u = jnp.maximum(self.beta_2 * s["norm"], jnp.abs(g))
        return p - lr * m / ((1 - power(self.beta_1, t, p)) * (u + self.epsilon)), {
            "momentum": m,
            "norm": u,
        }


@optimizer()
class Lamb(Moments):
    """Adam whose step for each parameter is as long as the parameter's norm; for very large
    batches.

    Args:
        beta_1, beta_2, epsilon: as for `Adam`.
        learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: as for
            `Optimizer`.

    Reference: You et al., 2019, "Large Batch Optimization for Deep Learning: Training BERT in 76
        minutes", arXiv:1904.00962.

    >>> lamb, params = Lamb(0.1), {"w": jnp.array([3.0, 4.0])}  # of length 5
    >>> new, state = lamb.step({"w": jnp.array([1.0, 0.1])}, lamb.init(params), params)
    >>> print(jnp.linalg.norm(new["w"] - params["w"]).round(2))
    0.5
    """

    learning_rate: typed.Rate = 0.001

    def rule(
        self, g: jax.Array, p: jax.Array, s: Slots, lr: jax.Array, t: jax.Array
    ) -> tuple[jax.Array, Slots]:
        m, v = moments(g, s, self.beta_1, self.beta_2)
        root = jnp.sqrt(v / (1.0 - power(self.beta_2, t, p))) + self.epsilon
        update = m / (1.0 - power(self.beta_1, t, p)) / root
        length, size = jnp.sqrt(jnp.sum(jnp.square(p))), jnp.sqrt(jnp.sum(jnp.square(update)))
        ratio = jnp.where((length > 0) & (size > 0), length / size, 1.0)
        return p - ratio * lr * update, {"momentum": m, "velocity": v}


@optimizer()
class ScheduleFreeAdamW(Moments):
    """AdamW that needs no schedule: gradients are taken between the fast iterate and its average.

    Args:
        beta_1: how close to the average the parameters stay.
        beta_2: decay of the running mean of the squared gradient.
        epsilon: added to its root.
        warmup_steps: the rate rises linearly for so many steps.
        learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: as for
            `Optimizer`.

    Reference: Defazio et al., 2024, "The Road Less Scheduled", arXiv:2405.15682.

    >>> free, params = ScheduleFreeAdamW(0.5, warmup_steps=5), {"w": jnp.array([1.0])}
    >>> params, state = free.step({"w": jnp.array([3.0])}, free.init(params), params)
    >>> print(params["w"].round(2))  # a fifth of the rate
    [0.9]
    """

    learning_rate: typed.Rate = 0.0025
    epsilon: float = 1e-8
    warmup_steps: int = 0
    keeps_values = True

    def slot(self, name: str, p: Any, leaf: Leaf) -> jax.Array:
        if name == "momentum":
            return jnp.array(p)
        return super().slot(name, p, leaf)

    def rule(
        self, g: jax.Array, p: jax.Array, s: Slots, lr: jax.Array, t: jax.Array
    ) -> tuple[jax.Array, Slots]:
        z, step = s["momentum"], t.astype(p.dtype)  # z: the fast iterate
        if self.warmup_steps > 0:
            lr = lr * jnp.minimum(step / self.warmup_steps, 1.0)
        beta = jnp.asarray(self.beta_1, p.dtype)
        v = s["velocity"] + (jnp.square(g) - s["velocity"]) * (
            1 - jnp.asarray(self.beta_2, p.dtype)
        )
        average = (p - (1 - beta) * z) / beta  # since p = (1 - beta) z + beta average
        z = z - lr * g / (jnp.sqrt(v / (1 - power(self.beta_2, t, p))) + self.epsilon)
        average = (1 - 1.0 / step) * average + 1.0 / step * z
        return (1 - beta) * z + beta * average, {"momentum": z, "velocity": v}
