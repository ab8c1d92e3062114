"""The numerics of attention, heads first: one function, the one place where a platform may have a
faster kernel.
"""

import jax
import jax.numpy as jnp


def attention(query, key, value, *, mask=None, bias=None, scale=None, is_causal=False):
    """softmax(query key^T * scale + bias) value for each head; scores are summed and normalized in
    float32 at least.

    Args:
        query: (..., heads, target, depth).
        key: (..., groups, source, depth); each of its heads serves heads / groups neighbouring
            heads of the query.
        value: (..., groups, source, width).
        mask: bool, broadcastable to (..., heads, target, source): where it is False nothing is
            seen. A target that sees nothing gets the mean of all values.
        bias: broadcastable like the mask, added to the scores.
        scale: by default 1 / sqrt(depth).
        is_causal: target i sees only the sources up to i.

    Returns:
        (..., heads, target, width), in the dtype of `value`.

    >>> x = jnp.ones((1, 2, 3, 4))
    >>> attention(x, x, x, is_causal=True).shape
    (1, 2, 3, 4)
    """
    *lead, heads, target, depth = query.shape
    groups, source = key.shape[-3:-1]
    queries = heads // groups * target  # of all heads that share a key, in one matrix product
    if scale is None:
        scale = depth**-0.5
    scores = jnp.matmul(
        query.reshape(*lead, groups, queries, depth),
        jnp.swapaxes(key, -1, -2),
        preferred_element_type=jnp.promote_types(query.dtype, "float32"),
    )
    scores = scores.reshape(*lead, heads, target, source) * scale
    if bias is not None:
        scores = scores + bias.astype(scores.dtype)
    if is_causal:
        mask = both(mask, causal_mask(target, source))
    if mask is not None:
        scores = jnp.where(mask, scores, -0.7 * float(jnp.finfo(scores.dtype).max))
    weights = jax.nn.softmax(scores, axis=-1).astype(value.dtype)
    y = jnp.matmul(weights.reshape(*lead, groups, queries, source), value)
    return y.reshape(*lead, heads, target, value.shape[-1])


def both(mask, other):
    """Where both masks are True; None stands for a mask that is True everywhere.

    >>> print(both(None, jnp.array([True, False])))
    [ True False]
    """
    if mask is None:
        return other
    if other is None:
        return mask
    return jnp.logical_and(mask, other)


def causal_mask(target, source):
    """(target, source): True where a target may look, at the sources up to its own place.

    >>> print(causal_mask(2, 3).astype(int))
    [[1 0 0]
     [1 1 0]]
    """
    return jnp.tril(jnp.ones((target, source), bool))


def window_mask(target, source, window):
    """(target, source): True where the places are less than `window` apart.

    >>> print(window_mask(3, 3, 2).astype(int))
    [[1 1 0]
     [1 1 1]
     [0 1 1]]
    """
    return jnp.abs(jnp.arange(target)[:, None] - jnp.arange(source)) < window
