"""Log-probabilities of tokens and of answers under a model of language."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.names.registry import public


@public("jkeras.alignment.token_log_probs")
def token_log_probs(
    logits: jax.Array, tokens: jax.Array, mask: jax.Array | None = None
) -> jax.Array:
    """The log-probability of each token after those before it, computed in float32.

    Args:
        logits: (batch, time, vocabulary), those at a position are of the token behind it.
        tokens: (batch, time) whole numbers.
        mask: (batch, time), 1 where a token counts, as in an answer; None: all count.

    Returns:
        (batch, time - 1) float32: entry t is of token t + 1, and 0 where that does not count. A
        token that counts and is not in the vocabulary has NaN.

    Raises:
        ValueError: shapes that do not fit.

    >>> logits = jnp.log(jnp.array([[[0.5, 0.5], [0.25, 0.75]]]))
    >>> jnp.exp(token_log_probs(logits, jnp.array([[0, 1]]))).tolist()
    [[0.5]]
    """
    logits, tokens = jnp.asarray(logits), jnp.asarray(tokens)
    if mask is None:
        mask = jnp.ones(tokens.shape, bool)
    counts = jnp.asarray(mask).astype(bool)
    _check_shapes(logits, tokens, counts)
    counts, targets = counts[:, 1:], tokens[:, 1:]
    logits = jnp.where(counts[..., None], logits[:, :-1], 0)  # NaN in padding reaches no gradient
    vocabulary = logits.shape[-1]
    targets = jnp.where(counts, jnp.where(targets < 0, vocabulary, targets), 0)
    chosen = jnp.take_along_axis(
        logits, targets[..., None], axis=-1, mode="fill", fill_value=jnp.nan
    )
    total = jax.nn.logsumexp(logits.astype("float32"), axis=-1)
    return jnp.where(counts, chosen[..., 0].astype("float32") - total, 0)


@public("jkeras.alignment.answer_log_probs")
def answer_log_probs(
    logits: jax.Array, tokens: jax.Array, mask: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The log-probability of each answer, and its number of tokens.

    Args:
        logits, tokens: as of `token_log_probs`.
        mask: (batch, time), 1 for tokens of the answer. The first token of a row has nothing
            before it, and never counts.

    Returns:
        (sums, counts), each (batch,) float32.

    Raises:
        ValueError: shapes that do not fit; an answer without a token, where the mask is known.

    >>> logits = jnp.zeros((1, 3, 4))
    >>> sums, counts = answer_log_probs(logits, jnp.array([[1, 2, 3]]), np.array([[0, 1, 1]]))
    >>> bool(jnp.allclose(sums, 2 * jnp.log(0.25))), counts.tolist()
    (True, [2.0])
    """
    check_answers(mask, "answer_log_probs")
    log_probs = token_log_probs(logits, tokens, mask)
    return jnp.sum(log_probs, axis=-1), lengths_of(mask)


def lengths_of(mask: jax.Array) -> jax.Array:
    """(batch,) numbers of tokens that count, in float32."""
    return jnp.sum(jnp.asarray(mask)[:, 1:].astype(bool), axis=-1, dtype="float32")


def check_answers(mask: Any, where: str) -> None:
    """Raises ValueError for an answer without a token, where the mask is known."""
    if isinstance(mask, jax.core.Tracer):
        return
    mask = np.asarray(mask)
    if mask.ndim != 2:
        return  # its shape is looked at with those of the others
    empty = np.flatnonzero(~mask[:, 1:].astype(bool).any(axis=1))
    if len(empty):
        expected = "answers of one token or more behind a prompt"
        received = f"none in row {empty[0]} ({len(empty)} of {len(mask)} rows)"
        fix = "leave these rows out, or let each answer end with the token of the end"
        raise ValueError(explain(where, expected, received, fix))


def _check_shapes(logits: jax.Array, tokens: jax.Array, mask: jax.Array) -> None:
    """Raises ValueError where shapes do not fit."""
    is_fit = tokens.ndim == 2 and logits.ndim == 3
    is_whole = jnp.issubdtype(tokens.dtype, jnp.integer)
    if is_fit and is_whole and logits.shape[:2] == tokens.shape == mask.shape:
        return
    expected = "logits (batch, time, vocabulary), whole numbers (batch, time) and a mask like them"
    received = f"{logits.shape}, {tokens.dtype}{list(tokens.shape)} and {mask.shape}"
    raise ValueError(explain("token_log_probs", expected, received))
