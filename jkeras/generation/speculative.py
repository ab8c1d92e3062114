"""SpeculativeGenerator: a small model drafts tokens, and the large one looks at several at once."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.generation.decoding import Cache, Decoding, forward
from jkeras.generation.generator import Generator
from jkeras.generation.processors import State, Text, has_choice
from jkeras.generation.source import check_no_encoder
from jkeras.generation.ranges import RANGES
from jkeras.generation.rows import Rows

Tree = Any
DRAFT, ACCEPT, CORRECT = range(1, 4)  # what a random number of a position is for
WHERE = "SpeculativeGenerator"


class Speculated(NamedTuple):
    """Texts, and how they came to be.

    Attributes:
        tokens, lengths: as of `Generator`.
        passes: how many passes of the large model there were, that over the prompts among them.
        drafted, accepted: (batch,), how many tokens of the small model were looked at, and kept.
    """

    tokens: jax.Array
    lengths: jax.Array
    passes: jax.Array
    drafted: jax.Array
    accepted: jax.Array


class Progress(NamedTuple):
    """Texts that are being written with drafts, a pytree.

    Attributes:
        rows: the texts, with the cache of the large model.
        draft_cache: of the small model.
        passes, drafted, accepted: as of `Speculated`, so far.
    """

    rows: Rows
    draft_cache: Cache
    passes: jax.Array
    drafted: jax.Array
    accepted: jax.Array


class Drafts(NamedTuple):
    """Tokens that the small model proposes.

    Attributes:
        tokens: (batch, max_length), the texts with them.
        logs: (drafts, batch, vocabulary), the logarithms of the probabilities they were drawn by.
        cache: of the small model with them.
    """

    tokens: jax.Array
    logs: jax.Array
    cache: Cache


@public("jkeras.generation.SpeculativeGenerator")
class SpeculativeGenerator:
    """Writes what `Generator` writes with a large model, in fewer passes of it: a small model of
    the same tokens drafts some, and one pass of the large model says how many of them to keep
    (Leviathan et al. 2023, arXiv:2211.17192).

    Greedy texts are the same but for rounding. Sampled ones have the same distribution, though not
    the same tokens from a key.

    Args:
        model: the large one; both need to allow a cache.
        draft: the small one.
        max_length: of a text with its prompt.
        draft_tokens: how many are drafted for a pass of the large model.
        **options: `sampler`, `stop`, `pad`, `padding_side`, `processors`, `logprobs`, as of
            `Generator`.

    Raises:
        ValueError: as of `Generator`; fewer than one draft, or more than a text has room for; a
            sampler that is a function; a small model of other tokens.

    >>> import jkeras
    >>> tokens = jkeras.Input((None,), dtype="int32")
    >>> model = jkeras.Model(tokens, jkeras.layers.Embedding(20, 20)(tokens))
    >>> generator = SpeculativeGenerator(model, model, max_length=12, draft_tokens=4)
    >>> found = generator(model.params, model.params, [[1, 2]])
    >>> found.tokens.shape, int(found.passes), found.accepted.tolist()  # 10 tokens
    ((1, 12), 3, [8])
    """

    def __init__(
        self,
        model: Any,
        draft: Any,
        max_length: int,
        draft_tokens: int = 4,
        **options: Any,
    ) -> None:
        for each in (model, draft):
            check_no_encoder(WHERE, each)
        self.large = Generator(model, max_length, cache=True, **options)
        self.small = Generator(draft, max_length, cache=True, **(options | {"logprobs": None}))
        if not RANGES["top_k"].has(draft_tokens) or draft_tokens >= max_length:
            expected = f"`draft_tokens` from 1 to {max_length - 1}"
            raise ValueError(explain(WHERE, expected, f"{draft_tokens!r}"))
        if self.large.chooses_by_itself:
            expected = "a `Sampler` or `SamplingParams`, which say how likely a token is"
            raise ValueError(explain(WHERE, expected, f"{self.large.sampler!r}"))
        self.draft_tokens = int(draft_tokens)
        self._written = jax.jit(self.written)

    def __call__(
        self,
        params: Tree,
        draft_params: Tree,
        prompts: Any,
        prompt_lengths: Any = None,
        rng: jax.Array | int | None = None,
        *,
        sampling: Any = None,
    ) -> Speculated:
        """Texts, as of `Generator`, and counts of passes and drafts.

        Args:
            params, draft_params: of the large and of the small model.
            prompts, prompt_lengths, rng, sampling: as of `Generator`.
        """
        given = prompts, prompt_lengths, rng
        progress = self.begin(params, draft_params, *given, sampling=sampling)
        progress = self.go_on(params, draft_params, progress)
        return Speculated(progress.rows.tokens, progress.rows.lengths, *progress[2:])

    def begin(
        self,
        params: Tree,
        draft_params: Tree,
        prompts: Any,
        prompt_lengths: Any = None,
        rng: jax.Array | int | None = None,
        **options: Any,
    ) -> Progress:
        """The texts as far as their prompts; arguments as of `Generator.begin`."""
        self._check_tokens(params, draft_params, len(prompts))
        rows = self.large.begin(params, prompts, prompt_lengths, rng, **options)
        drafts = self.small.begin(draft_params, prompts, prompt_lengths, rng, **options)
        zeros = jnp.zeros(rows.lengths.shape, "int32")
        return Progress(rows, drafts.cache, jnp.array(1, "int32"), zeros, zeros)

    def _check_tokens(self, params: Tree, draft_params: Tree, batch: int) -> None:
        """Raises ValueError for a small model that is none of the large one's tokens."""
        large, small = self.large, self.small
        large.limits.find(params, large.model.state, batch)
        small.limits.find(draft_params, small.model.state, batch)
        choices = large.limits.choices, small.limits.choices
        if choices[0] != choices[1]:
            received = "{} and {} tokens".format(*choices)
            raise ValueError(explain(WHERE, "two models of the same tokens", received))
        if small.vocabulary < choices[0]:
            expected = f"a small model that knows the {choices[0]} tokens of the large one"
            raise ValueError(explain(WHERE, expected, f"one that knows {small.vocabulary}"))

    def go_on(
        self, params: Tree, draft_params: Tree, progress: Progress, passes: int | None = None
    ) -> Progress:
        """The texts with more tokens, until all have ended.

        Args:
            passes: at most so many of the large model, each of which gives a token or more.
        """
        most = self.large.max_length if passes is None else passes
        return self._written(params, draft_params, progress, most)

    def written(
        self, params: Tree, draft_params: Tree, progress: Progress, passes: jax.Array
    ) -> Progress:
        """The texts after at most so many passes more, pure."""
        most = progress.passes + passes

        def goes_on(progress: Progress) -> jax.Array:
            return (progress.passes < most) & ~progress.rows.done.all()

        def step(progress: Progress) -> Progress:
            rows, cache = progress.rows, progress.draft_cache
            drafts = self._drafted(draft_params, rows, cache)
            return self._judged(params, progress, drafts)

        return jax.lax.while_loop(goes_on, step, progress)

    # ------------------------------------------------------------ the small model

    def _drafted(self, params: Tree, rows: Rows, cache: Cache) -> Drafts:
        """What the small model proposes behind each text."""
        generator, numbers = self.small, jnp.arange(len(rows.lengths))

        def step(carry: tuple, ahead: jax.Array) -> tuple[tuple, jax.Array]:
            tokens, cache, states = carry
            place = rows.lengths - 1 + ahead
            last = jnp.take_along_axis(tokens, self._inside(place)[:, None], axis=1)
            decoding = Decoding(generator.max_length, cache, self._inside(place))
            model = generator.model
            logits, _ = forward(model, params, model.state, last, decoding)
            states, logs = self._logs(rows, states, Text(tokens, place + 1, rows.prompts), logits)
            token = jax.vmap(jax.random.categorical)(self._keys(rows, place + 1, DRAFT), logs)
            tokens = tokens.at[numbers, place + 1].set(token.astype("int32"), mode="drop")
            return (tokens, decoding.new, states), logs

        # the last pass is for the cache: all drafts may be kept
        steps = jnp.arange(self.draft_tokens + 1)
        carry = rows.tokens, cache, rows.states
        (tokens, cache, _), logs = jax.lax.scan(step, carry, steps)
        return Drafts(tokens, logs[:-1], cache)

    def _inside(self, place: jax.Array) -> jax.Array:
        """A position, or the last one, which no token of a text is run at."""
        return jnp.minimum(place, self.large.max_length - 1)

    def _logs(
        self, rows: Rows, states: State, text: Text, logits: jax.Array
    ) -> tuple[State, jax.Array]:
        """The logarithms of probabilities (batch, vocabulary) that the next token is drawn by.

        Args:
            logits: (batch, 1, vocabulary).
        """
        as_rows = rows._replace(tokens=text.tokens, lengths=text.lengths, logits=logits[:, 0])
        states, logits = self.large.processed(rows.settings, states, as_rows)
        return states, rows.settings.choice.log_probabilities(logits)

    def _keys(self, rows: Rows, place: jax.Array, purpose: int) -> jax.Array:
        """A key for each row, of the token at a position. Of those that are drawn twice for a
        position, the first had no part in what was kept.
        """
        keys = jax.vmap(jax.random.fold_in)(rows.keys, place)
        return jax.vmap(lambda key: jax.random.fold_in(key, purpose))(keys)

    # ------------------------------------------------------------ the large model

    def _judged(self, params: Tree, progress: Progress, drafts: Drafts) -> Progress:
        """The texts with the drafts that are kept, and a token of the large model behind them."""
        rows, count = progress.rows, self.draft_tokens
        logits, cache = self._looked_at(params, rows, drafts.tokens)
        states, logs = self._all_logs(rows, drafts.tokens, logits)
        places = rows.lengths[:, None] + jnp.arange(count)
        drawn = jnp.take_along_axis(drafts.tokens, self._inside(places), axis=1)
        kept = self._kept(rows, drawn, logs[:-1], drafts.logs)
        token = self._corrected(rows, kept, logs, drafts.logs)
        is_draft = jnp.arange(count + 1) < kept[:, None]
        padded = jnp.pad(drawn, [(0, 0), (0, 1)])
        new = jnp.where(is_draft, padded, token[:, None])
        closed = jnp.swapaxes(~has_choice(logs), 0, 1)  # where no token may follow
        more = self._up_to_end(rows, new, kept, closed)
        rows = self._extended(rows, new, more, logits)
        is_closed = jnp.take_along_axis(closed, jnp.minimum(more, count)[:, None], axis=1)[:, 0]
        rows = rows._replace(done=rows.done | (is_closed & (more <= kept)))
        states = _after(more, progress.rows.states, states)
        looked_at = jnp.where(progress.rows.done, 0, count)
        return Progress(
            rows._replace(states=states, cache=cache),
            drafts.cache,
            progress.passes + 1,
            progress.drafted + looked_at,
            progress.accepted + jnp.minimum(kept, more),
        )

    def _looked_at(self, params: Tree, rows: Rows, tokens: jax.Array) -> tuple[jax.Array, Cache]:
        """`(logits, cache)`: what the large model says behind each text and each of its drafts,
        (batch, drafts + 1, vocabulary).

        Near the end of the buffer tokens before the drafts are looked at once more.
        """
        generator, count = self.large, self.draft_tokens + 1
        first = jnp.minimum(rows.lengths - 1, generator.max_length - count)
        places = first[:, None] + jnp.arange(count)
        window = jnp.take_along_axis(tokens, places, axis=1)
        decoding = Decoding(generator.max_length, rows.cache, first)
        model = generator.model
        logits, _ = forward(model, params, model.state, window, decoding)
        wanted = (rows.lengths - 1 - first)[:, None] + jnp.arange(count)
        wanted = jnp.minimum(wanted, count - 1)
        return jnp.take_along_axis(logits, wanted[..., None], axis=1), decoding.new

    def _all_logs(
        self, rows: Rows, tokens: jax.Array, logits: jax.Array
    ) -> tuple[State, jax.Array]:
        """The states behind each draft, and the logarithms of probabilities, along the first axis
        those of each.
        """

        def step(states: State, given: tuple[jax.Array, jax.Array]) -> tuple[State, Any]:
            ahead, logits = given
            text = Text(tokens, rows.lengths + ahead, rows.prompts)
            states, logs = self._logs(rows, states, text, logits[:, None])
            return states, (states, logs)

        given = jnp.arange(self.draft_tokens + 1), jnp.swapaxes(logits, 0, 1)
        return jax.lax.scan(step, rows.states, given)[1]

    def _kept(self, rows: Rows, drawn: jax.Array, logs: jax.Array, drafted: jax.Array) -> jax.Array:
        """(batch,), how many drafts are kept: each with the probability p / q, up to the first
        that is not.
        """
        index = jnp.swapaxes(drawn, 0, 1)[..., None]
        of_drawn = lambda logs: jnp.take_along_axis(logs, index, axis=2)[..., 0]  # noqa: E731
        ratio = of_drawn(logs) - of_drawn(drafted)

        def draw(ahead: jax.Array) -> jax.Array:
            keys = self._keys(rows, rows.lengths + ahead, ACCEPT)
            return jnp.log1p(-jax.vmap(jax.random.uniform)(keys))  # above 0, so finite

        is_kept = jax.vmap(draw)(jnp.arange(self.draft_tokens)) <= ratio
        return jnp.cumprod(is_kept.astype("int32"), axis=0).sum(0)

    def _corrected(
        self, rows: Rows, kept: jax.Array, logs: jax.Array, drafted: jax.Array
    ) -> jax.Array:
        """(batch,), the token behind the drafts that are kept, drawn by what p has more than q;
        by p where all are kept.
        """
        nothing = jnp.full((1, *drafted.shape[1:]), -jnp.inf)
        place, drafted = kept[None, :, None], jnp.concatenate([drafted, nothing])
        large, small = (jnp.take_along_axis(each, place, axis=0)[0] for each in (logs, drafted))
        more = jnp.maximum(jnp.exp(large) - jnp.exp(small), 0.0)
        has_more = more.sum(-1, keepdims=True) > 0  # else they are equal but for rounding
        logs = jnp.where(has_more, jnp.log(more), large)
        keys = self._keys(rows, rows.lengths + kept, CORRECT)
        return jax.vmap(jax.random.categorical)(keys, logs).astype("int32")

    # ------------------------------------------------------------ texts

    def _up_to_end(
        self, rows: Rows, new: jax.Array, kept: jax.Array, closed: jax.Array
    ) -> jax.Array:
        """(batch,), how many of the new tokens (batch, drafts + 1) there are up to the end.

        Args:
            closed: (batch, drafts + 1), where none may be.
        """
        ends, most = self._ends(rows, new), new.shape[1]
        until_end = jnp.where(ends.any(1), ends.argmax(1) + 1, most)
        until_closed = jnp.where(closed.any(1), closed.argmax(1), most)
        more = jnp.minimum(jnp.minimum(kept + 1, until_end), until_closed)
        return jnp.where(rows.done, 0, more)

    def _ends(self, rows: Rows, new: jax.Array) -> jax.Array:
        """bool (batch, count), with which of new tokens a text ends."""

        def is_end(token: jax.Array, ahead: jax.Array) -> jax.Array:
            return self.large.is_end(rows, token, rows.lengths + ahead + 1)

        return jax.vmap(is_end, in_axes=(1, 0), out_axes=1)(new, jnp.arange(new.shape[1]))

    def _extended(self, rows: Rows, new: jax.Array, more: jax.Array, logits: jax.Array) -> Rows:
        """The texts with so many of the new tokens.

        Args:
            new: (batch, drafts + 1).
            more: (batch,), how many of them.
            logits: (batch, drafts + 1, vocabulary), of the large model.
        """
        ahead = jnp.arange(new.shape[1])
        places = jnp.where(ahead < more[:, None], rows.lengths[:, None] + ahead, rows.tokens.size)
        tokens = rows.tokens.at[jnp.arange(len(new))[:, None], places].set(new, mode="drop")
        ends = jnp.take_along_axis(self._ends(rows, new), jnp.maximum(more - 1, 0)[:, None], 1)
        done = rows.done | (ends[:, 0] & (more > 0))
        logs = rows.logs
        if logs is not None:
            for number in range(new.shape[1]):
                as_rows = rows._replace(logits=logits[:, number], logs=logs)
                logs = self.large.logged(as_rows, places[:, number], new[:, number])
        return rows._replace(tokens=tokens, lengths=rows.lengths + more, done=done, logs=logs)


def _after(count: jax.Array, before: State, states: State) -> State:
    """The states behind so many tokens of each row.

    Args:
        before: behind none.
        states: behind one, two, ... along the first axis.
    """

    def pick(first: jax.Array, others: jax.Array) -> jax.Array:
        each = jnp.concatenate([first[None], others])
        return jax.vmap(lambda column, number: column[number], in_axes=(1, 0))(each, count)

    return jax.tree.map(pick, before, states)
