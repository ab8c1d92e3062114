"""What changes the logits of the next token before it is chosen: pure functions `(state, text,
logits) -> (state, logits)`, with a state that begins at the prompt.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.core.names.registry import public

Number = jax.Array | float
State = Any
NONE = -1  # in place of a token


@public("jkeras.generation.Text")
class Text(NamedTuple):
    """The texts so far, as processors see them.

    Attributes:
        tokens: (batch, max_length), what is behind a text means nothing.
        lengths: (batch,), how many of them there are.
        prompts: (batch,), how many of those are of the prompt.

    >>> text = Text(jnp.array([[5, 6, 7, 0]]), jnp.array([3]), jnp.array([1]))
    >>> print(text.last)
    [7]
    """

    tokens: jax.Array
    lengths: jax.Array
    prompts: jax.Array

    @property
    def last(self) -> jax.Array:
        """(batch,), the last token of each text."""
        return jnp.take_along_axis(self.tokens, self.lengths[:, None] - 1, axis=1)[:, 0]


class Processor:
    """What changes logits. Its numbers are one for all rows, or one for each, (batch,)."""

    def init(self, text: Text, vocabulary: int) -> State:
        """The state for texts that are prompts; a pytree of arrays (batch, ...)."""
        return ()

    def __call__(self, state: State, text: Text, logits: jax.Array) -> tuple[State, jax.Array]:
        """The state for the next token, and changed logits (batch, vocabulary) in float32."""
        raise NotImplementedError


def processor(cls: type) -> type:
    """Makes a class of processors frozen, and a pytree of its numbers."""
    return jax.tree_util.register_dataclass(dataclasses.dataclass(frozen=True)(cls))


def _column(value: Number) -> jax.Array:
    """A number, or those of rows, beside (batch, vocabulary)."""
    return jnp.asarray(value)[..., None]


def _marked(batch: int, vocabulary: int, tokens: jax.Array, is_there: jax.Array) -> jax.Array:
    """bool (batch, vocabulary): where tokens (batch, count) are that are there."""
    tokens = jnp.where(is_there, tokens, vocabulary)  # outside: nothing is marked
    mark = lambda row: jnp.zeros(vocabulary, bool).at[row].set(True, mode="drop")  # noqa: E731
    return jax.vmap(mark)(tokens)


# ---------------------------------------------------------------- penalties


def penalized(logits: jax.Array, seen: jax.Array, penalty: Number) -> jax.Array:
    """Logits divided by a penalty where a token was seen, multiplied where they are negative."""
    lower = jnp.where(logits < 0, logits * penalty, logits / penalty)
    return jnp.where(seen, lower, logits)


@public("jkeras.generation.RepetitionPenalty")
@processor
class RepetitionPenalty(Processor):
    """Divides the logits of tokens of the text and its prompt by `penalty`, or multiplies them
    where they are negative (Keskar et al. 2019, arXiv:1909.05858).

    Args:
        penalty: a number above 0, or (batch,) numbers; 1: nothing changes.

    >>> text = Text(jnp.array([[1, 0]]), jnp.array([1]), jnp.array([1]))
    >>> penalty = RepetitionPenalty(2.0)
    >>> print(penalty(penalty.init(text, 3), text, jnp.array([[4.0, 4.0, 4.0]]))[1])
    [[4. 2. 4.]]
    """

    penalty: Number

    def init(self, text: Text, vocabulary: int) -> State:
        """bool (batch, vocabulary), what was seen; the last token is seen in the next call."""
        is_there = jnp.arange(text.tokens.shape[1]) < text.lengths[:, None]
        return _marked(len(text.lengths), vocabulary, text.tokens, is_there)

    def __call__(self, state: State, text: Text, logits: jax.Array) -> tuple[State, jax.Array]:
        """The tokens of the text with its last one, and lower logits for them."""
        seen = state.at[jnp.arange(len(text.last)), text.last].set(True, mode="drop")
        return seen, penalized(logits, seen, _column(self.penalty))


@public("jkeras.generation.OutputPenalties")
@processor
class OutputPenalties(Processor):
    """Subtracts from the logits of tokens that were written after the prompt: `presence` once, and
    `frequency` for each time, as OpenAI's API and vLLM do.

    Args:
        presence, frequency: numbers, or (batch,) numbers; 0: nothing changes, below 0 a token gets
            likelier.

    >>> text = Text(jnp.array([[2, 1, 0]]), jnp.array([2]), jnp.array([1]))
    >>> penalties = OutputPenalties(presence=1.0, frequency=0.5)
    >>> print(penalties(penalties.init(text, 3), text, jnp.zeros((1, 3)))[1])
    [[ 0.  -1.5  0. ]]
    """

    presence: Number = 0.0
    frequency: Number = 0.0

    def init(self, text: Text, vocabulary: int) -> State:
        """int32 (batch, vocabulary), how often each token was written, but for the last one."""
        position = jnp.arange(text.tokens.shape[1])
        is_written = (position >= text.prompts[:, None]) & (position < text.lengths[:, None] - 1)
        tokens = jnp.where(is_written, text.tokens, vocabulary)
        count = lambda row: jnp.zeros(vocabulary, "int32").at[row].add(1, mode="drop")  # noqa: E731
        return jax.vmap(count)(tokens)

    def __call__(self, state: State, text: Text, logits: jax.Array) -> tuple[State, jax.Array]:
        """The counts with the last token of the text, and lower logits."""
        is_written = (text.lengths > text.prompts).astype("int32")
        counts = state.at[jnp.arange(len(text.last)), text.last].add(is_written, mode="drop")
        lower = _column(self.presence) * (counts > 0) + _column(self.frequency) * counts
        return counts, logits - lower


@public("jkeras.generation.NoRepeatNGrams")
@processor
class NoRepeatNGrams(Processor):
    """Leaves out each token with which the last `size` tokens would be there a second time, the
    prompt among them (Paulus et al. 2017, arXiv:1705.04304); 0: none.

    Args:
        size: a whole number, or (batch,) of them.

    >>> text = Text(jnp.array([[1, 2, 1, 0]]), jnp.array([3]), jnp.array([3]))
    >>> print(NoRepeatNGrams(2)((), text, jnp.zeros((1, 3)))[1])
    [[  0.   0. -inf]]
    """

    size: jax.Array | int

    def __call__(self, state: State, text: Text, logits: jax.Array) -> tuple[State, jax.Array]:
        """Logits without the tokens that would repeat."""
        batch, length = text.tokens.shape
        size = jnp.broadcast_to(jnp.asarray(self.size), (batch,))[:, None]
        ends = jnp.arange(length)  # of beginnings, which the token there completes
        is_alike = (ends >= size - 1) & (ends < text.lengths[:, None]) & (size > 0)

        def compare(back: jax.Array, is_alike: jax.Array) -> jax.Array:
            place = jnp.maximum(text.lengths[:, None] - 1 - back, 0)
            last = jnp.take_along_axis(text.tokens, place, axis=1)
            before = jnp.roll(text.tokens, back + 1, axis=1)
            return is_alike & ((before == last) | (back >= size - 1))

        most = jnp.minimum(size.max() - 1, length)
        is_alike = jax.lax.fori_loop(0, most, compare, is_alike)
        repeats = _marked(batch, logits.shape[-1], text.tokens, is_alike)
        return state, jnp.where(repeats, -jnp.inf, logits)


@public("jkeras.generation.LogitBias")
@processor
class LogitBias(Processor):
    """Adds a number to the logits of some tokens.

    Args:
        tokens: (count,) or (batch, count); -1: none.
        bias: of the same shape, what is added to each.

    >>> text = Text(jnp.array([[1]]), jnp.array([1]), jnp.array([1]))
    >>> print(LogitBias(jnp.array([2]), jnp.array([5.0]))((), text, jnp.zeros((1, 3)))[1])
    [[0. 0. 5.]]
    """

    tokens: jax.Array
    bias: jax.Array

    def __call__(self, state: State, text: Text, logits: jax.Array) -> tuple[State, jax.Array]:
        """Logits with the bias."""
        tokens, bias = jnp.asarray(self.tokens), jnp.asarray(self.bias, logits.dtype)
        shape = len(logits), tokens.shape[-1]
        tokens = jnp.where(tokens < 0, logits.shape[-1], tokens)
        add = lambda row, tokens, bias: row.at[tokens].add(bias, mode="drop")  # noqa: E731
        given = jnp.broadcast_to(tokens, shape), jnp.broadcast_to(bias, shape)
        return state, jax.vmap(add)(logits, *given)


@public("jkeras.generation.MinNewTokens")
@processor
class MinNewTokens(Processor):
    """Leaves out the tokens that end a text until it has so many new ones.

    Args:
        count: of new tokens, a number or (batch,).
        stop: the tokens that end a text, (count,) or (batch, count); -1: none.

    >>> text = Text(jnp.array([[1, 0]]), jnp.array([1]), jnp.array([1]))
    >>> print(MinNewTokens(1, jnp.array([2]))((), text, jnp.zeros((1, 3)))[1])
    [[  0.   0. -inf]]
    """

    count: jax.Array | int
    stop: jax.Array

    def __call__(self, state: State, text: Text, logits: jax.Array) -> tuple[State, jax.Array]:
        """Logits without the ends that come too early."""
        stop = jnp.asarray(self.stop)
        stop = jnp.broadcast_to(stop, (len(logits), stop.shape[-1]))
        is_early = text.lengths - text.prompts < jnp.asarray(self.count)
        ends = _marked(*logits.shape, stop, (stop >= 0) & is_early[:, None])
        return state, jnp.where(ends, -jnp.inf, logits)


# ---------------------------------------------------------------- several


def check_processors(where: str, processors: Sequence[Any]) -> tuple[Callable, ...]:
    """The processors, each of which can be called.

    Raises:
        ValueError: one cannot.
    """
    if callable(processors):
        processors = (processors,)
    for each in processors:
        if not callable(each) or isinstance(each, type):
            expected = "`processors` that are called as `(state, text, logits)`"
            raise ValueError(explain(where, expected, f"{each!r}"))
    return tuple(processors)


def init_all(processors: Sequence[Callable], text: Text, vocabulary: int) -> tuple[State, ...]:
    """The states of processors at the prompt; of a plain function `()`."""
    states = []
    for each in processors:
        init = getattr(each, "init", None)
        states.append(() if init is None else init(text, vocabulary))
    return tuple(states)


def process_all(
    processors: Sequence[Callable], states: Sequence[State], text: Text, logits: jax.Array
) -> tuple[tuple[State, ...], jax.Array]:
    """The states and the logits behind all processors, one after the other.

    Raises:
        ValueError: one gives something else.
    """
    new = []
    for each, state in zip(processors, states):
        found = each(state, text, logits)
        is_pair = isinstance(found, tuple) and len(found) == 2
        if not is_pair or jnp.shape(found[1]) != logits.shape:
            expected = f"`(state, logits)`, the logits of shape {logits.shape}"
            received = f"{jax.tree.map(jnp.shape, found)}"
            raise ValueError(explain(f"processor {each!r}", expected, received))
        new.append(found[0])
        logits = found[1].astype(logits.dtype)
    return tuple(new), logits


def has_choice(logits: jax.Array) -> jax.Array:
    """(batch,), whether a token is left in logits (batch, vocabulary)."""
    return (logits > -jnp.inf).any(axis=-1)
