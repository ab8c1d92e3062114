"""Rows: texts that are being written, as a value."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jkeras.generation.cache import map_rows
from jkeras.generation.memory import Memory
from jkeras.generation.processors import State, Text
from jkeras.generation.sampling_params import Settings

Tree = Any


class Logs(NamedTuple):
    """Logarithms of probabilities that the model gave new tokens, at their places in the texts.

    Attributes:
        chosen: (batch, max_length), of those that were chosen.
        tokens, likeliest: (batch, max_length, count), the likeliest tokens, and theirs.
    """

    chosen: jax.Array
    tokens: jax.Array
    likeliest: jax.Array


class Rows(NamedTuple):
    """Texts that are being written, a pytree.

    Attributes:
        tokens: (batch, max_length).
        lengths: (batch,), how many of them there are.
        done: (batch,), which texts have ended.
        logits: (batch, vocabulary), of the next token.
        keys: (batch,), from which the random numbers of a row follow.
        cache: what attention keeps; None without a cache.
        prompts: (batch,), how many tokens the prompts have.
        settings: what each row is asked for.
        states: of the processors.
        logs: probabilities of the tokens; None where they are not asked for.
        memory: what an encoder gave; None: there is none.
    """

    tokens: jax.Array
    lengths: jax.Array
    done: jax.Array
    logits: jax.Array
    keys: jax.Array
    cache: Tree
    prompts: jax.Array
    settings: Settings
    states: tuple[State, ...] = ()
    logs: Logs | None = None
    memory: Memory | None = None

    @property
    def text(self) -> Text:
        """What processors see."""
        return Text(self.tokens, self.lengths, self.prompts)


class Draws(NamedTuple):
    """What random numbers of rows follow from: an argument of a program, so that no seed is one of
    its constants.

    Attributes:
        rng: a key; None where all rows have a seed.
        seeds: (batch,), of the rows that have one.
        has_seed: (batch,).
        numbers: (batch,), that set rows with one key or seed apart.
        samples: (batch,), which of several texts of one prompt it is.
    """

    rng: jax.Array | None
    seeds: jax.Array
    has_seed: jax.Array
    numbers: jax.Array
    samples: jax.Array

    def keys(self) -> jax.Array:
        """(batch,)"""
        fold = jax.vmap(jax.random.fold_in)
        if self.rng is None:
            keys = jax.vmap(jax.random.key)(self.seeds)
        else:
            impl = jax.random.key_impl(self.rng)
            keys = jax.vmap(lambda seed: jax.random.key(seed, impl=impl))(self.seeds)
            keys = jnp.where(self.has_seed, keys, jnp.broadcast_to(self.rng, keys.shape))
        keys = fold(keys, self.numbers)
        others = fold(keys, jnp.iinfo("int32").max - self.samples)  # no length of a text
        return jnp.where(self.samples > 0, others, keys)


def gathered(rows: Rows, numbers: jax.Array) -> Rows:
    """The rows of these numbers."""
    cache = rows.cache
    if cache is not None:
        cache = map_rows(lambda values, axis: jnp.take(values, numbers, axis=axis), cache)
    others = jax.tree.map(lambda values: values[numbers], rows._replace(cache=None))
    return others._replace(cache=cache)


def inserted(rows: Rows, one: Rows, slot: Any) -> Rows:
    """The rows with the one row of another value in one of their places."""

    def put(values: jax.Array, axis: int, new: jax.Array) -> jax.Array:
        return jax.lax.dynamic_update_slice_in_dim(values, new, slot, axis)

    cache = rows.cache
    if cache is not None:
        cache = map_rows(put, cache, one.cache)
    set_one = lambda values, new: values.at[slot].set(new[0])  # noqa: E731
    others = jax.tree.map(set_one, rows._replace(cache=None), one._replace(cache=None))
    return others._replace(cache=cache)


def widened(one: Rows, count: int) -> Rows:
    """`count` ended rows that have the shapes of one row."""
    cache = one.cache
    if cache is not None:
        cache = map_rows(lambda values, axis: _zeros(values, axis, count), cache)
    repeat = lambda values: jnp.repeat(values[:1], count, axis=0)  # noqa: E731
    others = jax.tree.map(repeat, one._replace(cache=None))
    return others._replace(cache=cache, done=jnp.ones(count, bool))


def _zeros(values: jax.Array, axis: int, count: int) -> jax.Array:
    """Zeros of the shape of values but for their number along an axis."""
    return jnp.zeros((*values.shape[:axis], count, *values.shape[axis + 1 :]), values.dtype)
