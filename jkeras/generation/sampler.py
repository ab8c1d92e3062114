"""The next token from the logits of all: greedy, by temperature, of the likeliest ones only."""

import dataclasses

import jax

from jkeras.core.names.registry import public
from jkeras.generation.filters import keep_min_p, keep_top_k, keep_top_p
from jkeras.generation.processors import penalized
from jkeras.generation.ranges import check_ranges
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

    >>> import jax.numpy as jnp
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
        check_ranges("Sampler", vars(self))

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
            logits = penalized(logits, seen, self.repetition_penalty)
        if self.temperature == 0:
            return logits
        logits = logits / self.temperature
        if self.top_k is not None:
            logits = keep_top_k(logits, int(self.top_k))
        if self.top_p is not None and self.top_p < 1:
            logits = keep_top_p(logits, 1 - self.top_p)
        if self.min_p is not None:
            logits = keep_min_p(logits, self.min_p)
        return logits
