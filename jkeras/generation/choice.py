"""How the next token of each row is chosen: numbers by row, in one program for all of them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jkeras.generation.filters import keep_min_p, keep_top_k, keep_top_p, keep_typical
from jkeras.generation.processors import has_choice
from jkeras.ops.kernels_extrema import place_of_largest
from jkeras.random.keys import sampling_key


class Choice(NamedTuple):
    """Settings of rows, each (batch,); what none of the rows asks for takes no time.

    Attributes:
        temperature: logits are divided by it; 0: the likeliest token.
        top_k: so many of the likeliest tokens; the largest int32: all.
        tail: 1 - top_p.
        min_p: the share of the likeliest one's probability; 0: all.
        typical_p: the mass of the typical tokens; 1: all. None: no row asks for it.
    """

    temperature: jax.Array
    top_k: jax.Array
    tail: jax.Array
    min_p: jax.Array
    typical_p: jax.Array | None = None

    def tokens(self, logits: jax.Array, keys: jax.Array) -> jax.Array:
        """Tokens (batch,) for logits (batch, vocabulary) in float32, and a key for each row."""
        likeliest = place_of_largest(logits).astype("int32")

        def sampled() -> jax.Array:
            draw = lambda key, row: jax.random.categorical(sampling_key(key), row)  # noqa: E731
            tokens = jax.vmap(draw)(keys, self.filtered(logits)).astype("int32")
            return jnp.where(self.temperature > 0, tokens, likeliest)

        return jax.lax.cond((self.temperature > 0).any(), sampled, lambda: likeliest)

    def filtered(self, logits: jax.Array) -> jax.Array:
        """The logits that are sampled from, -inf where a token is left out. Of rows without a
        temperature they say nothing.
        """
        temperature = self.temperature[:, None]
        logits = logits / jnp.where(temperature > 0, temperature, 1.0)
        top_k, vocabulary = self.top_k[:, None], logits.shape[-1]
        logits = _where_asked(top_k < vocabulary, keep_top_k, logits, top_k)
        tail, min_p = self.tail[:, None], self.min_p[:, None]
        logits = _where_asked(tail > 0, keep_top_p, logits, tail)
        logits = _where_asked(min_p > 0, keep_min_p, logits, min_p)
        if self.typical_p is None:
            return logits
        mass = self.typical_p[:, None]
        return _where_asked(mass < 1, keep_typical, logits, mass)

    def log_probabilities(self, logits: jax.Array) -> jax.Array:
        """Of the distribution that tokens are chosen from: of rows without a temperature it has
        the likeliest token alone, of rows without any choice none.
        """
        likeliest = place_of_largest(logits)[:, None]
        is_likeliest = jnp.arange(logits.shape[-1]) == likeliest
        certain = jnp.where(is_likeliest, 0.0, -jnp.inf)
        logs = jax.nn.log_softmax(self.filtered(logits), axis=-1)
        logs = jnp.where(self.temperature[:, None] > 0, logs, certain)
        return jnp.where(has_choice(logits)[:, None], logs, -jnp.inf)


def _where_asked(is_asked: jax.Array, keep, logits: jax.Array, value: jax.Array) -> jax.Array:
    """The logits that a filter keeps, where a row asks for it."""
    return jax.lax.cond(is_asked.any(), keep, lambda logits, _: logits, logits, value)
