"""Which expert takes which token, as pure functions of a router's scores."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

# one expert's network on what is routed to it: (what each expert is given, how) -> outputs
Networks = Callable[..., jax.Array]


class Routes(NamedTuple):
    """What a router says of tokens (groups, tokens).

    Attributes:
        experts: numbers of the experts that a token takes, (groups, tokens, choices), best first.
        weights: how much each of them counts.
        shares: of all experts, (groups, tokens, experts); they sum to 1.
        scores: what `shares` are the softmax of.
        counts: whether a token counts, (groups, tokens): of padding none does.
    """

    experts: jax.Array
    weights: jax.Array
    shares: jax.Array
    scores: jax.Array
    counts: jax.Array


def routes(
    scores: jax.Array, choices: int, normalizes: bool, counts: jax.Array | None = None
) -> Routes:
    """The experts that tokens take: those with the highest scores (Shazeer et al. 2017,
    arXiv:1701.06538).

    Args:
        scores: (groups, tokens, experts), of float32.
        choices: how many experts a token takes.
        normalizes: whether the weights of a token's experts sum to 1.
        counts: whether a token counts, (groups, tokens); None: all do.

    >>> found = routes(jnp.array([[[0.0, 2.0, 1.0]]]), 2, True)
    >>> found.experts.tolist(), round(float(found.weights.sum()), 3)
    ([[[1, 2]]], 1.0)
    """
    if counts is None:
        counts = jnp.ones(scores.shape[:2], bool)
    shares = jax.nn.softmax(scores, axis=-1)
    weights, experts = jax.lax.top_k(shares, choices)
    if normalizes:
        weights = weights / weights.sum(axis=-1, keepdims=True)
    return Routes(experts, jnp.where(counts[..., None], weights, 0.0), shares, scores, counts)


# ---------------------------------------------------------------- losses


def load_balancing_loss(found: Routes) -> jax.Array:
    """How unevenly experts are taken: 1 where all are alike, up to their number where one takes
    all (Fedus et al. 2021, arXiv:2101.03961): the number of experts times the sum of the products
    of the share of choices that fall on an expert and its mean share.

    >>> even = routes(jnp.zeros((1, 8, 4)), 4, True)
    >>> round(float(load_balancing_loss(even)), 3)
    1.0
    """
    experts = found.shares.shape[-1]
    taken = jax.nn.one_hot(found.experts, experts).mean(axis=-2)
    return experts * jnp.sum(_mean(found, taken) * _mean(found, found.shares))


def router_z_loss(found: Routes) -> jax.Array:
    """The mean square of the log of the sum of the scores' exponentials, which keeps them small
    (Zoph et al. 2022, arXiv:2202.08906).
    """
    sums = jax.scipy.special.logsumexp(found.scores, axis=-1)
    return _mean(found, jnp.square(sums)[..., None])[0]


def _mean(found: Routes, values: jax.Array) -> jax.Array:
    """The mean over the tokens that count."""
    counts = found.counts[..., None].astype(values.dtype)
    return (values * counts).sum((0, 1)) / jnp.maximum(counts.sum(), 1)


# ---------------------------------------------------------------- tokens to experts and back


def through_experts(
    x: jax.Array,
    chosen: jax.Array,
    weights: jax.Array,
    experts: int,
    networks: Networks,
    first: jax.Array | int = 0,
) -> jax.Array:
    """The outputs of tokens, each of its experts, however many tokens one of them gets (Gale et
    al. 2022, arXiv:2211.15841).

    Args:
        x: (..., features).
        chosen, weights: the experts of a token and how much each counts, (..., choices).
        experts: how many there are.
        networks: of (rows, features), the number of rows of each expert, one behind the other, and
            the expert of each row.
        first: the number of the first of them, where others have the rest: what these give is 0.
    """
    number = chosen.reshape(-1) - first
    is_here = (number >= 0) & (number < experts)
    number = jnp.where(is_here, number, experts)  # behind all others
    order = jnp.argsort(number)  # the tokens of one expert lie behind one another
    token, expert = order // chosen.shape[-1], number[order]
    sizes = jnp.bincount(number, length=experts).astype("int32")
    tokens = x.reshape(-1, x.shape[-1])
    y = networks(tokens[token], sizes, jnp.minimum(expert, experts - 1))
    weight = weights.reshape(-1)[order][:, None].astype(y.dtype)
    y = jnp.where(is_here[order][:, None], y * weight, 0)
    whole = jnp.zeros((tokens.shape[0], y.shape[-1]), y.dtype).at[token].add(y)
    return whole.reshape(*x.shape[:-1], y.shape[-1])


def capacity_of(tokens: int, choices: int, experts: int, factor: float) -> int:
    """How many tokens of a group an expert takes at most.

    >>> capacity_of(tokens=8, choices=2, experts=4, factor=1.25)
    5
    """
    return max(1, math.ceil(factor * tokens * choices / experts))


def with_capacity(x: jax.Array, found: Routes, capacity: int, networks: Networks) -> jax.Array:
    """The same where an expert takes at most so many tokens of each group: the first choices of
    all tokens before their second ones, earlier tokens before later ones (Lepikhin et al. 2020,
    arXiv:2006.16668). What is left over is 0.

    Args:
        networks: of (experts, groups, tokens of an expert, features).
    """
    combine = _combination(found, capacity)
    given = jnp.einsum("gtec,gtd->egcd", (combine > 0).astype(x.dtype), x)
    return jnp.einsum("gtec,egcd->gtd", combine.astype(x.dtype), networks(given))


def _combination(found: Routes, capacity: int) -> jax.Array:
    """(groups, tokens, experts, places of an expert): the weight of a token at its place."""
    experts, choices = found.shares.shape[-1], found.experts.shape[-1]
    taken = jnp.zeros((found.experts.shape[0], 1, experts))
    combine = 0.0
    for choice in range(choices):
        chosen = jax.nn.one_hot(found.experts[..., choice], experts)
        chosen = chosen * found.counts[..., None]
        before = taken + jnp.cumsum(chosen, axis=1) - chosen
        taken = taken + chosen.sum(axis=1, keepdims=True)
        place = jnp.sum(before * chosen, axis=-1).astype("int32")
        weight = found.weights[..., choice] * (place < capacity)
        at = chosen[..., None] * jax.nn.one_hot(place, capacity)[:, :, None]
        combine = combine + weight[..., None, None] * at
    return combine
