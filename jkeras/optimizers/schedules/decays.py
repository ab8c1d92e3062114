"""Learning rates as functions of the step: pure, and safe under jit with a traced step."""

import math

import jax
import jax.numpy as jnp

from jkeras.core.errors import check_number
from jkeras.core.record import Any, Record, record
from jkeras.core.names import typed
from jkeras.core.names.registry import public


@public("keras.optimizers.schedules.LearningRateSchedule")
class LearningRateSchedule(Record):
    """Base of all schedules: `schedule(step)` gives the learning rate of a step. Write `__call__`
    and `get_config`.

    Raises:
        NotImplementedError: on a call, or from `get_config`, where a subclass lacks it.

    >>> class Warmup(LearningRateSchedule):
    ...     def __call__(self, step: Any) -> jax.Array:
    ...         return jnp.minimum(step / 10, 1.0)
    >>> print(Warmup()(5))
    0.5
    """

    def __call__(self, step: Any) -> jax.Array:
        raise NotImplementedError(f"{type(self).__name__} must implement `__call__(self, step)`.")

    def get_config(self):
        if not self._fields:
            raise NotImplementedError(
                f"{type(self).__name__} must implement `get_config()` to be saved."
            )
        return super().get_config()


@typed.fields
class Decay(LearningRateSchedule):
    """Base of what starts at a rate and takes a number of steps."""

    initial_learning_rate: Any
    decay_steps: Any

    def __post_init__(self):
        name = "decay_steps"
        if not hasattr(self, name):
            name = "first_decay_steps"
        check_number(name, getattr(self, name))
        if getattr(self, name) <= 0:
            raise ValueError(
                f"{type(self).__name__}: `{name}` must be > 0. Received: "
                f"{name}={getattr(self, name)}"
            )

    def _start(self, step: Any) -> tuple[jax.Array, jax.Array]:
        """The initial rate and the step, both of its dtype."""
        initial = jnp.asarray(
            self.initial_learning_rate,
            dtype=None if hasattr(self.initial_learning_rate, "dtype") else "float32",
        )
        return initial, jnp.asarray(step).astype(initial.dtype)


@record("keras.optimizers.schedules")
class ExponentialDecay(Decay):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: after so many steps the rate is `decay_rate` times the first one.
        decay_rate: that factor.
        staircase: round the exponent down, so that the rate falls every `decay_steps`.
        name: for the config only.
    Raises:
        ValueError: `decay_steps` not > 0.

    >>> [float(ExponentialDecay(1.0, 10, 0.5)(step)) for step in (0, 10, 20)]
    [1.0, 0.5, 0.25]
    """

    decay_rate: Any
    staircase: Any = False
    name: Any = "ExponentialDecay"

    def __call__(self, step: Any) -> jax.Array:
        initial, step = self._start(step)
        done = step / jnp.asarray(self.decay_steps, initial.dtype)
        if self.staircase:
            done = jnp.floor(done)
        return initial * jnp.power(jnp.asarray(self.decay_rate, initial.dtype), done)


@record("keras.optimizers.schedules")
class InverseTimeDecay(Decay):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate, name: as for `ExponentialDecay`.
        decay_steps: in so many steps the divisor grows by `decay_rate`.
        decay_rate: how much it grows.
        staircase: round the quotient `step / decay_steps` down.
    Raises:
        ValueError: `decay_steps` not > 0.

    >>> [float(InverseTimeDecay(1.0, 10, 1.0)(step)) for step in (0, 10, 30)]
    [1.0, 0.5, 0.25]
    """

    decay_rate: Any
    staircase: Any = False
    name: Any = "InverseTimeDecay"

    def __call__(self, step: Any) -> jax.Array:
        initial, step = self._start(step)
        done = step / jnp.asarray(self.decay_steps, initial.dtype)
        if self.staircase:
            done = jnp.floor(done)
        return initial / (1 + jnp.asarray(self.decay_rate, initial.dtype) * done)


@record("keras.optimizers.schedules")
class PolynomialDecay(Decay):
    """From the initial to the end rate along `(1 - step / decay_steps) ** power`.

    Args:
        initial_learning_rate, name: as for `ExponentialDecay`.
        decay_steps: how long the rate falls.
        end_learning_rate: the rate from then on.
        power: 1 is a straight line.
        cycle: past `decay_steps`, stretch them to the next multiple instead of staying at the end
            rate.
    Raises:
        ValueError: `decay_steps` not > 0.

    >>> decay = PolynomialDecay(1.0, decay_steps=10, end_learning_rate=0.0, power=2.0)
    >>> [float(decay(step)) for step in (0, 5, 10, 11)]
    [1.0, 0.25, 0.0, 0.0]
    """

    end_learning_rate: Any = 0.0001
    power: Any = 1.0
    cycle: Any = False
    name: Any = "PolynomialDecay"

    def __call__(self, step: Any) -> jax.Array:
        initial, step = self._start(step)
        end, power, steps = (
            jnp.asarray(v, initial.dtype)
            for v in (self.end_learning_rate, self.power, self.decay_steps)
        )
        if self.cycle:
            steps = steps * jnp.where(step == 0, 1.0, jnp.ceil(step / self.decay_steps))
        else:
            step = jnp.minimum(step, steps)
        return (initial - end) * jnp.power(1 - step / steps, power) + end


@record("keras.optimizers.schedules")
class PiecewiseConstantDecay(LearningRateSchedule):
    """`values[i]` from after `boundaries[i - 1]` up to and including `boundaries[i]`.

    Args:
        boundaries: list of rising steps.
        values: list of rates, one more than boundaries.
        name: for the config only.
    Raises:
        ValueError: there is not one value more than boundaries.

    >>> [float(PiecewiseConstantDecay([10, 20], [1.0, 0.5, 0.25])(step)) for step in (10, 11, 21)]
    [1.0, 0.5, 0.25]
    """

    boundaries: Any
    values: Any
    name: Any = "PiecewiseConstant"

    def __post_init__(self):
        if len(self.boundaries) != len(self.values) - 1:
            raise ValueError(
                "PiecewiseConstantDecay: expected one boundary fewer than values. Received: "
                f"boundaries={self.boundaries} of length {len(self.boundaries)} and "
                f"values={self.values} of length {len(self.values)}"
            )

    def __call__(self, step: Any) -> jax.Array:
        step = jnp.asarray(step)
        bounds = jnp.asarray(self.boundaries).astype(step.dtype)
        passed = jnp.sum(step[..., None] > bounds, axis=-1)
        return jnp.take(jnp.asarray(self.values), passed)


@record("keras.optimizers.schedules")
class CosineDecay(Decay):
    """Half a cosine from the initial rate down to `alpha` times it, after an optional linear
    warmup.

    Args:
        initial_learning_rate, name: as for `ExponentialDecay`.
        decay_steps: how long the rate falls.
        alpha: the final rate as a fraction of the rate the cosine starts from.
        warmup_target: with it, the rate first rises linearly from the initial rate to this one.
        warmup_steps: how long it rises; `decay_steps` count from then.
    Raises:
        ValueError: `decay_steps` not > 0.

    Reference: Loshchilov and Hutter, 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts",
        arXiv:1608.03983.

    >>> print(CosineDecay(1.0, decay_steps=10)(jnp.array([0, 5, 10, 11])).round(2))
    [1.  0.5 0.  0. ]
    """

    alpha: Any = 0.0
    name: Any = "CosineDecay"
    warmup_target: Any = None
    warmup_steps: Any = 0

    def _cosine(self, rate: Any, step: Any, steps: Any) -> jax.Array:
        wave = 0.5 * (1.0 + jnp.cos(jnp.asarray(math.pi, rate.dtype) * (step / steps)))
        return rate * ((1 - self.alpha) * wave + self.alpha)

    def __call__(self, step: Any) -> jax.Array:
        initial, step = self._start(step)
        steps = jnp.asarray(self.decay_steps, initial.dtype)
        if self.warmup_target is None:
            return self._cosine(initial, jnp.minimum(step, steps), steps)
        target, warmup = (
            jnp.asarray(v, initial.dtype) for v in (self.warmup_target, self.warmup_steps)
        )
        step = jnp.minimum(step, steps + warmup)
        rising = (target - initial) * (step / warmup) + initial
        return jnp.where(step < warmup, rising, self._cosine(target, step - warmup, steps))


@record(
    "keras.optimizers.schedules",
    arguments="initial_learning_rate, first_decay_steps, t_mul, m_mul, alpha, name",
)
class CosineDecayRestarts(Decay):
    """Cosine decay that starts again and again.

    Args:
        initial_learning_rate, name: as for `ExponentialDecay`.
        first_decay_steps: length of the first period.
        t_mul: each period is this many times as long as the one before.
        m_mul: each period starts at this many times the rate of the one before.
        alpha: the lowest rate as a fraction of the initial rate.
    Raises:
        ValueError: `first_decay_steps` not > 0.

    Reference: Loshchilov and Hutter, 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts",
        arXiv:1608.03983.

    >>> decay = CosineDecayRestarts(1.0, first_decay_steps=10, m_mul=0.5)  # periods: 10, 20, 40, …
    >>> print(decay(jnp.array([0, 5, 10, 20, 30])).round(2))
    [1.   0.5  0.5  0.25 0.25]
    """

    first_decay_steps: Any
    t_mul: Any = 2.0
    m_mul: Any = 1.0
    alpha: Any = 0.0
    name: Any = "SGDRDecay"

    def __call__(self, step: Any) -> jax.Array:
        initial, step = self._start(step)
        t_mul, m_mul, alpha = (
            jnp.asarray(v, initial.dtype) for v in (self.t_mul, self.m_mul, self.alpha)
        )
        done = step / jnp.asarray(self.first_decay_steps, initial.dtype)
        if self.t_mul == 1.0:
            period = jnp.floor(done)
            done = done - period
        else:  # periods 1, t, t^2, …: the sum of the first n is (1 - t^n) / (1 - t)
            period = jnp.floor(jnp.log(1.0 - done * (1.0 - t_mul)) / jnp.log(t_mul))
            done = (done - (1.0 - jnp.power(t_mul, period)) / (1.0 - t_mul)) / jnp.power(
                t_mul, period
            )
        wave = (
            0.5
            * jnp.power(m_mul, period)
            * (1.0 + jnp.cos(jnp.asarray(math.pi, initial.dtype) * done))
        )
        return initial * ((1 - alpha) * wave + alpha)
