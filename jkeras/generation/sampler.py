"""The next token from the logits of all: greedy, by temperature, of the likeliest ones only."""

import dataclasses

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.ops.kernels_extrema import place_of_largest
from jkeras.random.keys import sampling_key


@public("jkeras.generation.Sampler")
@dataclasses.dataclass(frozen=True)
class Sampler:
    """A pure function `(logits, rng) -> tokens`, which may be jitted, mapped and differentiated
    around.

    What is not likely enough is left out in this order: a penalty on what was there before, the
    temperature, `top_k`, `top_p`, `min_p`.

    Args:
        temperature: logits are divided by it; 0: always the likeliest token.
        top_k: so many of the likeliest tokens are left, and those as likely as the last of them.
        top_p: the fewest tokens are left whose probabilities add up to more (Holtzman et al. 2019,
            arXiv:1904.09751).
        min_p: tokens are left with this share of the likeliest one's probability or more (Nguyen et
            al. 2024, arXiv:2407.01082).
        repetition_penalty: by which logits of tokens that were there before are divided, or
            multiplied where they are negative (Keskar et al. 2019, arXiv:1909.05858).
    Raises:
        ValueError: a number out of its range.

    >>> sampler = Sampler(temperature=0.0)
    >>> sampler(jnp.array([[0.0, 2.0, 1.0]]), jax.random.key(0))
    Array([1], dtype=int32)
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None

    def __post_init__(self) -> None:
        for name, is_right, wanted in (
            ("temperature", self.temperature >= 0, "0 or more"),
            ("top_k", self.top_k is None or self.top_k >= 1, "1 or more"),
            ("top_p", self.top_p is None or 0 < self.top_p <= 1, "above 0 and at most 1"),
            ("min_p", self.min_p is None or 0 <= self.min_p <= 1, "from 0 to 1"),
            (
                "repetition_penalty",
                self.repetition_penalty is None or self.repetition_penalty > 0,
                "above 0",
            ),
        ):
            if not is_right:
                received = f"{name}={getattr(self, name)}"
                raise ValueError(explain("Sampler", f"`{name}` of {wanted}", received))

    def __call__(
        self, logits: jax.Array, rng: jax.Array | None, seen: jax.Array | None = None
    ) -> jax.Array:
        """Tokens (...) for logits (..., vocabulary).

        Args:
            rng: a key; None only where `temperature` is 0.
            seen: bool (..., vocabulary), the tokens that were there before, for the penalty.
        """
        logits = self.filtered(logits, seen)
        if self.temperature == 0:
            return place_of_largest(logits).astype("int32")
        return jax.random.categorical(sampling_key(rng), logits).astype("int32")

    def filtered(self, logits: jax.Array, seen: jax.Array | None = None) -> jax.Array:
        """The logits that are sampled from, -inf where a token is left out; in float32."""
        logits = logits.astype("float32")
        if self.repetition_penalty is not None and seen is not None:
            logits = _penalized(logits, seen, self.repetition_penalty)
        if self.temperature == 0:
            return logits
        logits = logits / self.temperature
        if self.top_k is not None:
            logits = _top_k(logits, self.top_k)
        if self.top_p is not None and self.top_p < 1:
            logits = _top_p(logits, self.top_p)
        if self.min_p is not None:
            logits = _min_p(logits, self.min_p)
        return logits


def _penalized(logits: jax.Array, seen: jax.Array, penalty: float) -> jax.Array:
    lower = jnp.where(logits < 0, logits * penalty, logits / penalty)
    return jnp.where(seen, lower, logits)


def _top_k(logits: jax.Array, count: int) -> jax.Array:
    count = min(count, logits.shape[-1])
    least = jax.lax.top_k(logits, count)[0][..., -1:]
    return jnp.where(logits < least, -jnp.inf, logits)


def _top_p(logits: jax.Array, share: float) -> jax.Array:
    order = jnp.argsort(logits, axis=-1)
    ascending = jnp.take_along_axis(logits, order, axis=-1)
    below = jnp.cumsum(jax.nn.softmax(ascending, axis=-1), axis=-1)
    is_out = (below <= 1 - share).at[..., -1].set(False)
    back = jnp.argsort(order, axis=-1)
    return jnp.where(jnp.take_along_axis(is_out, back, axis=-1), -jnp.inf, logits)


def _min_p(logits: jax.Array, share: float) -> jax.Array:
    probabilities = jax.nn.softmax(logits, axis=-1)
    most = jnp.max(probabilities, axis=-1, keepdims=True)
    return jnp.where(probabilities < share * most, -jnp.inf, logits)
