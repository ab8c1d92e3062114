"""Beam search: the likeliest texts of several that are written side by side."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.generation.generator import Generator, cached_on
from jkeras.generation.rows import Rows, gathered
from jkeras.generation.sampling_params import stop_tokens

Tree = Any
NEVER = -1.0e9  # the score of what is no text


class Beams(NamedTuple):
    """Several texts for each prompt, a pytree.

    Attributes:
        rows: the texts that are being written, (batch * beams) of them.
        scores: (batch, beams), the sums of their logarithms of probabilities.
        tokens, lengths, best: of the texts that have ended, (batch, beams, ...), with their scores.
        done: (batch,), where no better text can come.
    """

    rows: Rows
    scores: jax.Array
    tokens: jax.Array
    lengths: jax.Array
    best: jax.Array
    done: jax.Array


class Texts(NamedTuple):
    """How texts lie in arrays, as of `Generator`."""

    max_length: int
    stop: tuple[int, ...]
    pad: int
    padding_side: str


@public("jkeras.generation.beam_search")
def beam_search(
    model: Any,
    params: Tree,
    prompts: Any,
    prompt_lengths: Any = None,
    *,
    max_length: int,
    beams: int = 3,
    length_penalty: float = 1.0,
    early_stopping: bool = False,
    stop: Sequence[int] | int = (),
    pad: int = 0,
    padding_side: str = "right",
    state: Tree = None,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """`(tokens, lengths, scores)`: the texts with the highest scores that a search finds, which
    goes on with the `beams` best beginnings.

    The score of a text is the logarithm of its probability after the prompt, divided by
    `number of new tokens ** length_penalty`.

    Args:
        model, params, prompts, prompt_lengths, max_length, stop, pad, padding_side, state: as of
            `Generator`.
        beams: how many beginnings go on for each prompt.
        length_penalty: above 0 longer texts are preferred, below 0 shorter ones.
        early_stopping: end as soon as there are `beams` whole texts; else when no beginning has a
            better score than they have.

    Returns:
        Texts (batch, max_length) with their prompts, their lengths (batch,) and scores (batch,).

    Raises:
        ValueError: as of `Generator`, or fewer than one beam.

    >>> import jkeras, numpy as np
    >>> table = np.log(np.array([[0.1, 0.5, 0.4], [0.4, 0.3, 0.3], [0.0001, 0.0001, 0.9998]]))
    >>> model = jkeras.Sequential([jkeras.Input((None,)), jkeras.layers.Embedding(3, 3)])
    >>> model.layers[0].set_weights([table])
    >>> found = beam_search(model, model.params, np.array([[0]]), max_length=4, beams=2)
    >>> found[0].tolist()  # greedily it would be 0, 1, ...
    [[0, 2, 2, 2]]
    """
    if beams < 1:
        raise ValueError(explain("beam_search", "`beams` of 1 or more", f"beams={beams}"))
    texts = Texts(max_length, stop_tokens(stop), pad, padding_side)
    arguments = texts, beams, length_penalty, early_stopping
    search = cached_on(model, ("beams", *arguments), lambda: _Search(model, *arguments))
    state = model.state if state is None else state
    rows = search.generator.begin(params, prompts, prompt_lengths, state=state)
    return search.compiled(params, state, rows)


class _Search:
    """A search with a model, compiled once."""

    def __init__(
        self,
        model: Any,
        texts: Texts,
        beams: int,
        length_penalty: float,
        early_stopping: bool,
    ) -> None:
        max_length, stop, pad, side = texts
        self.generator = Generator(model, max_length, stop=stop, pad=pad, padding_side=side)
        self.beams = beams
        self.length_penalty, self.early_stopping = length_penalty, early_stopping
        self.compiled = jax.jit(self.run)
        self.candidates = beams * max(2, 1 + len(self.generator.stop))

    def run(self, params: Tree, state: Tree, rows: Rows) -> tuple[jax.Array, jax.Array, jax.Array]:
        """`(tokens, lengths, scores)` from the texts of the prompts."""
        prompts = rows.lengths
        carry = jax.lax.while_loop(
            lambda carry: ~carry.done.all(),
            lambda carry: self._step(params, state, prompts, carry),
            self._first(rows),
        )
        return carry.tokens[:, 0], carry.lengths[:, 0], carry.best[:, 0]

    def _first(self, rows: Rows) -> Beams:
        batch, length = rows.tokens.shape
        shape = (batch, self.beams)
        scores = jnp.full(shape, NEVER).at[:, 0].set(0.0)  # the others are copies of it
        tokens = jnp.repeat(rows.tokens[:, None], self.beams, axis=1)
        lengths = jnp.broadcast_to(rows.lengths[:, None], shape)
        # a prompt that is as long as a text is one
        best = jnp.where(rows.done[:, None], scores, NEVER)
        return Beams(_repeated(rows, self.beams), scores, tokens, lengths, best, rows.done)

    def _step(self, params: Tree, state: Tree, prompts: jax.Array, carry: Beams) -> Beams:
        batch, beams = carry.scores.shape
        logits = carry.rows.logits.reshape(batch, beams, -1)
        vocabulary = logits.shape[-1]
        scores = jax.nn.log_softmax(logits.astype("float32")) + carry.scores[..., None]
        count = min(self.candidates, beams * vocabulary)
        scores, indices = jax.lax.top_k(scores.reshape(batch, -1), count)
        origin, token = indices // vocabulary, (indices % vocabulary).astype("int32")
        length = carry.rows.lengths.reshape(batch, beams)[:, 0] + 1
        ends = jnp.isin(token, jnp.asarray(self.generator.stop, "int32"))
        ends |= (length >= self.generator.max_length)[:, None]
        texts = _extended(carry.rows.tokens.reshape(batch, beams, -1), origin, token, length - 1)
        updated = self._with_ended(carry, prompts, texts, scores, ends, length)
        go_on, chosen = jax.lax.top_k(jnp.where(ends, NEVER, scores), beams)
        pick = lambda values: jnp.take_along_axis(values, chosen, axis=1)  # noqa: E731
        rows = self._advanced(params, state, carry.rows, pick(origin), pick(token), carry.done)
        done = carry.done | self._is_over(go_on, updated, length, prompts, ends)
        return updated._replace(rows=rows, scores=go_on, done=done)

    def _with_ended(
        self,
        carry: Beams,
        prompts: jax.Array,
        texts: jax.Array,
        scores: jax.Array,
        ends: jax.Array,
        length: jax.Array,
    ) -> Beams:
        """The best texts that have ended, new ones among them: those of the first candidates."""
        new_tokens = (length - prompts).astype("float32")[:, None]
        is_first = jnp.arange(ends.shape[1]) < self.beams
        counts = ends & is_first & ~carry.done[:, None]
        scores = jnp.where(counts, scores / new_tokens**self.length_penalty, NEVER)
        best, chosen = jax.lax.top_k(jnp.concatenate([carry.best, scores], 1), self.beams)
        lengths = jnp.broadcast_to(length[:, None], ends.shape)
        lengths = jnp.concatenate([carry.lengths, lengths], axis=1)
        tokens = jnp.concatenate([carry.tokens, texts], axis=1)
        return carry._replace(
            tokens=jnp.take_along_axis(tokens, chosen[..., None], axis=1),
            lengths=jnp.take_along_axis(lengths, chosen, axis=1),
            best=best,
        )

    def _is_over(
        self,
        scores: jax.Array,
        updated: Beams,
        length: jax.Array,
        prompts: jax.Array,
        ends: jax.Array,
    ) -> jax.Array:
        """Where no better text can come, or none is looked for."""
        is_full = (updated.best > NEVER).all(axis=1)
        new_tokens = (length - prompts).astype("float32")
        possible = scores[:, 0] / new_tokens**self.length_penalty
        cannot_improve = is_full & (possible <= updated.best.min(axis=1))
        over = cannot_improve | (length >= self.generator.max_length) | ends.all(axis=1)
        return over | is_full if self.early_stopping else over

    def _advanced(
        self,
        params: Tree,
        state: Tree,
        rows: Rows,
        origin: jax.Array,
        token: jax.Array,
        done: jax.Array,
    ) -> Rows:
        """The texts that go on, each with a token more."""
        batch, beams = origin.shape
        numbers = (jnp.arange(batch)[:, None] * beams + origin).ravel()
        rows = gathered(rows, numbers)
        rows = rows._replace(done=jnp.repeat(done, beams))
        return self.generator.extended(params, state, rows, token.ravel())


def _repeated(rows: Rows, count: int) -> Rows:
    numbers = jnp.repeat(jnp.arange(len(rows.lengths)), count)
    return gathered(rows, numbers)


def _extended(
    texts: jax.Array, origin: jax.Array, token: jax.Array, position: jax.Array
) -> jax.Array:
    """(batch, candidates, max_length): the texts that candidates come from, each with its token."""
    texts = jnp.take_along_axis(texts, origin[..., None], axis=1)
    is_new = jnp.arange(texts.shape[-1]) == position[:, None, None]
    return jnp.where(is_new, token[..., None], texts)
