"""Lion, Adafactor and Muon."""

import re
import typing

import jax
import jax.numpy as jnp

from jkeras.core.names import typed
from jkeras.core.names.patterns import check_patterns
from jkeras.core.record import Any
from jkeras.core.weights.variable import Variable
from jkeras.optimizers.adam import corrected, moments
from jkeras.optimizers.base import Optimizer
from jkeras.optimizers.fields import optimizer
from jkeras.optimizers.transform.leaves import Leaf, Path
from jkeras.optimizers.transform.rule import Slots


@optimizer()
class Lion(Optimizer):
    """`p -= lr * sign(beta_1 * m + (1 - beta_1) * g)`, m a running mean of the gradient with decay
    beta_2.

    Args:
        beta_1: in (0, 1], the share of m in a step.
        beta_2: decay of m.
        learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: as for
            `Optimizer`.
    Raises:
        ValueError: `beta_1` outside (0, 1].

    Wants a learning rate 3 to 10 times smaller than Adam's. Reference: Chen et al., 2023, "Symbolic
    Discovery of Optimization Algorithms", arXiv:2302.06675.

    >>> lion, params = Lion(0.1), {"w": jnp.array([1.0, 1.0])}
    >>> params, state = lion.step({"w": jnp.array([3.0, 0.01])}, lion.init(params), params)
    >>> print(params["w"])
    [0.9 0.9]
    """

    learning_rate: typed.Rate = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.99
    rule_is_elementwise = True

    def check(self):
        if not 0 < self.beta_1 <= 1:
            raise ValueError(
                "Lion: `beta_1` must be in (0, 1]; 0 would be sign descent. Received: "
                f"{self.beta_1}"
            )

    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        return (("momentum",),)

    def rule(
        self, g: jax.Array, p: jax.Array, s: Slots, lr: jax.Array, t: jax.Array
    ) -> tuple[jax.Array, Slots]:
        m = s["momentum"]
        beta_1 = jnp.asarray(self.beta_1, p.dtype)
        beta_2 = jnp.asarray(self.beta_2, p.dtype)
        return p - lr * jnp.sign(m * beta_1 + g * (1.0 - beta_1)), {
            "momentum": m * beta_2 + g * (1.0 - beta_2)
        }


def rms(x: jax.Array) -> jax.Array:
    """The root mean square."""
    return jnp.sqrt(jnp.mean(jnp.square(x)))


@optimizer()
class Adafactor(Optimizer):
    """Adam without momentum whose second moments of a matrix follow from those of its rows and
    columns. As in Keras, the state holds them in full, too.

    Args:
        beta_2_decay: the decay of step t is `1 - t ** beta_2_decay`.
        epsilon_1: added to squared gradients.
        epsilon_2: lower bound of a parameter's root mean square, which scales its step.
        clip_threshold: largest root mean square of an update.
        relative_step: without effect, as in Keras: the rate of step t is at most 1 / sqrt(t) either
            way.
        learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: as for
            `Optimizer`.

    Reference: Shazeer and Stern, 2018, "Adafactor: Adaptive Learning Rates with Sublinear Memory
        Cost", arXiv:1804.04235.

    >>> state = Adafactor().init({"w": jnp.zeros((3, 2))})
    >>> {name: slot["w"].shape for name, slot in state["slots"].items()}
    {'r': (3,), 'c': (2,), 'velocity': (3, 2)}
    """

    learning_rate: typed.Rate = 0.001
    beta_2_decay: float = -0.8
    epsilon_1: float = 1e-30
    epsilon_2: float = 1e-3
    clip_threshold: float = 1.0
    relative_step: bool = True

    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        return (("r", "c", "velocity"),)

    def slot(self, name: str, p: Any, leaf: Leaf) -> jax.Array:
        if name == "velocity":
            return jnp.zeros(p.shape, p.dtype)
        if len(p.shape) < 2:
            return jnp.zeros((), "int32")  # not used; Keras keeps it, so files hold it
        if name == "r":
            return jnp.zeros(p.shape[:-1], p.dtype)
        return jnp.zeros((*p.shape[:-2], p.shape[-1]), p.dtype)

    def is_unused(self, address: Path) -> bool:
        if address[0] != "slots" or address[1] == "velocity":
            return False
        return len(self._parameter_of(address).shape) < 2

    def slot_label(self, name: str, variable: Variable) -> str:
        if name in ("r", "c"):
            return variable.name
        return super().slot_label(name, variable)

    def rule(
        self, g: jax.Array, p: jax.Array, s: Slots, lr: jax.Array, t: jax.Array
    ) -> tuple[jax.Array, Slots]:
        t, new = t.astype(p.dtype), {}
        if self.relative_step and not callable(self._learning_rate):
            lr = jnp.minimum(lr, 1 / jnp.sqrt(t))
        size = jnp.maximum(jnp.asarray(self.epsilon_2, p.dtype), rms(p)) * jnp.minimum(
            lr, 1 / jnp.sqrt(t)
        )
        squares, beta = jnp.square(g) + self.epsilon_1, 1 - jnp.power(t, self.beta_2_decay)
        if p.ndim < 2:
            v = beta * s["velocity"] + (1 - beta) * squares
        else:
            new["r"] = r = beta * s["r"] + (1 - beta) * jnp.mean(squares, axis=-1)
            new["c"] = c = beta * s["c"] + (1 - beta) * jnp.mean(squares, axis=-2)
            v = (r / jnp.mean(r, axis=-1, keepdims=True))[..., None] * c[..., None, :]
        # 0 where a row and a column without gradients meet: their product is less than any float
        update = g / jnp.sqrt(jnp.where(v == 0, 1.0, v))
        return p - size * update / jnp.maximum(1.0, rms(update) / self.clip_threshold), {
            **new,
            "velocity": v,
        }


@optimizer(
    arguments="adam_beta_1, adam_beta_2, adam_weight_decay, epsilon, weight_decay",
    after="exclude_layers, exclude_embeddings, muon_a, muon_b, muon_c, adam_lr_ratio, momentum, "
    "ns_steps, nesterov, rms_rate",
)
class Muon(Optimizer):
    """Momentum whose update of a matrix is replaced by the nearest orthogonal matrix; AdamW for all
    else.

    Args:
        adam_beta_1, adam_beta_2, adam_weight_decay, epsilon: of AdamW, for what is no matrix or is
            excluded.
        weight_decay: of the matrices.
        exclude_layers: regular expressions; matrices whose path has one of them get AdamW.
        exclude_embeddings: whether matrices with "embedding" in their path get AdamW.
        muon_a, muon_b, muon_c: coefficients of the Newton-Schulz iteration.
        adam_lr_ratio: AdamW's rate is so many times the learning rate.
        momentum, nesterov: of the matrices.
        ns_steps: number of Newton-Schulz iterations.
        rms_rate: root mean square of an update, to match AdamW's; None leaves it.
        learning_rate, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
            ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name: as for
            `Optimizer`.

    Reference: Jordan et al., 2024, "Muon: An optimizer for hidden layers in neural networks"; Liu
    et al., 2025, "Muon is Scalable for LLM Training", arXiv:2502.16982.

    >>> muon, params = Muon(1.0), {"w": jnp.zeros((2, 2))}
    >>> grads = {"w": jnp.array([[10.0, 0.0], [0.0, 0.1]])}
    >>> print(muon.step(grads, muon.init(params), params)[0]["w"].round(1))
    [[-0.2  0. ]
     [ 0.  -0.2]]
    """

    learning_rate: typed.Rate = 0.001
    adam_beta_1: float = 0.9
    adam_beta_2: float = 0.999
    adam_weight_decay: float = 0.004
    epsilon: float = 1e-7
    weight_decay: float | None = 0.004
    exclude_layers: list | tuple | None = None
    exclude_embeddings: bool = True
    muon_a: float = 3.4445
    muon_b: float = -4.7750
    muon_c: float = 2.0315
    adam_lr_ratio: float = 1
    momentum: float = 0.95
    ns_steps: int = 5
    nesterov: bool = True
    rms_rate: float = 0.2

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            learning_rate: float | dict | typed.Function = 0.001,
            adam_beta_1: float = 0.9,
            adam_beta_2: float = 0.999,
            adam_weight_decay: float = 0.004,
            epsilon: float = 1e-07,
            weight_decay: float | None = 0.004,
            clipnorm: float | None = None,
            clipvalue: float | None = None,
            global_clipnorm: float | None = None,
            use_ema: bool = False,
            ema_momentum: float = 0.99,
            ema_overwrite_frequency: int | None = None,
            loss_scale_factor: float | None = None,
            gradient_accumulation_steps: int | None = None,
            name: str | None = None,
            exclude_layers: list | tuple | None = None,
            exclude_embeddings: bool = True,
            muon_a: float = 3.4445,
            muon_b: float = -4.775,
            muon_c: float = 2.0315,
            adam_lr_ratio: float = 1,
            momentum: float = 0.95,
            ns_steps: int = 5,
            nesterov: bool = True,
            rms_rate: float = 0.2,
        ) -> None: ...

    def check(self):
        self.exclude_layers = self.exclude_layers or []

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "Muon":
        """A new optimizer from `get_config()`."""
        check_patterns(config.get("exclude_layers") or (), cls.__name__)
        return super().from_config(config, custom_objects)

    def slot_groups(self) -> tuple[tuple[str, ...], ...]:
        return (("momentum", "velocity"),)

    def slot(self, name: str, p: Any, leaf: Leaf) -> jax.Array:
        if name == "velocity" and not self._by_adam(p, leaf):
            return None
        return super().slot(name, p, leaf)

    def _by_adam(self, p: Any, leaf: Leaf) -> bool:
        excluded = any(re.search(pattern, leaf.path) for pattern in self.exclude_layers)
        embedding = self.exclude_embeddings and "embedding" in leaf.path.lower()
        return len(p.shape) != 2 or embedding or excluded

    def decay_of(self, p: Any, leaf: Leaf) -> float | None:
        if self._by_adam(p, leaf):
            return self.adam_weight_decay
        return self.weight_decay

    def rule(
        self, g: jax.Array, p: jax.Array, s: Slots, lr: jax.Array, t: jax.Array
    ) -> tuple[jax.Array, Slots]:
        if "velocity" in s:
            m, v = moments(g, s, self.adam_beta_1, self.adam_beta_2)
            rate = corrected(lr * self.adam_lr_ratio, self.adam_beta_1, self.adam_beta_2, t)
            return p - m * rate / (jnp.sqrt(v) + self.epsilon), {"momentum": m, "velocity": v}
        m = s["momentum"] + g + s["momentum"] * (self.momentum - 1)
        direction = m
        if self.nesterov:
            direction = g + self.momentum * m
        orthogonal = self.zeropower_via_newtonschulz5(direction, self.ns_steps)
        return p - self.lr_adjust(lr * orthogonal), {"momentum": m}

    def lr_adjust(self, x: jax.Array) -> jax.Array:
        """An update scaled to a root mean square of `rms_rate`."""
        if self.rms_rate is None:
            return x
        return x * jnp.sqrt(jnp.asarray(max(x.shape), x.dtype)) * self.rms_rate

    def zeropower_via_newtonschulz5(self, x: jax.Array, steps: int) -> jax.Array:
        """About the orthogonal factor of a matrix: its singular values come near 1."""
        if x.ndim < 2:
            raise ValueError(f"Muon: expected a matrix. Received: shape={x.shape}")
        tall = x.shape[-2] > x.shape[-1]
        if tall:
            x = x.mT
        x = x / (jnp.linalg.norm(x, axis=(-2, -1), keepdims=True) + 1e-7)
        for _ in range(steps):
            gram = x @ x.mT
            x = self.muon_a * x + (self.muon_b * gram + self.muon_c * gram @ gram) @ x
        return x.mT if tall else x
