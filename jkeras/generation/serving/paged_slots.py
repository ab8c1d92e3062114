"""PagedSlots: slots whose texts share one cache in blocks."""

import dataclasses
from typing import Any

import jax
import numpy as np

from jkeras.generation.ends import logits_at
from jkeras.generation.generator import Generator, draws_of
from jkeras.generation.paged.blocks import Blocks
from jkeras.generation.paged.cache import PagedCache, init_paged_cache
from jkeras.generation.paged.decoding import PagedDecoding
from jkeras.generation.processors import init_all
from jkeras.generation.prompts import bucket_of
from jkeras.generation.rows import Draws, Rows
from jkeras.generation.sampling_params import SamplingParams, Settings, settings_of
from jkeras.generation.serving.job import Job
from jkeras.generation.serving.options import ServerOptions
from jkeras.generation.serving.programs import Programs, Written
from jkeras.generation.serving.slots import Slots

Tree = Any


class PagedPrograms(Programs):
    """The pure functions of a server with a paged cache, compiled."""

    def __init__(self, generator: Generator, steps: int) -> None:
        super().__init__(generator, steps)
        self.prefill = jax.jit(self.prefilled, donate_argnums=2)
        self.row = jax.jit(self.row_of)

    def prefilled(
        self,
        params: Tree,
        state: Tree,
        cache: PagedCache,
        tokens: jax.Array,
        counts: jax.Array,
        first: jax.Array | None,
    ) -> tuple[jax.Array, PagedCache]:
        """`(logits, cache)` behind the new tokens of one row, pure.

        Args:
            tokens: (1, time), padded.
            counts: (1,), how many there are.
            first: (1,), how many are in the cache before; None: none.
        """
        decoding = PagedDecoding(cache, first, counts)
        generator = self.generator
        values = params, state
        logits = logits_at(generator.model, values, tokens, decoding, counts - 1)
        return logits, decoding.after(logits[:, None])

    def row_of(
        self, text: tuple[jax.Array, jax.Array], logits: jax.Array, settings: Settings, draws: Draws
    ) -> Rows:
        """One row without a cache, pure.

        Args:
            text: `(tokens, lengths)`, (1, max_length) and (1,).
        """
        tokens, lengths = text
        done = lengths >= tokens.shape[1]
        rows = Rows(tokens, lengths, done, logits, draws.keys(), None, lengths, settings)
        states = init_all(self.generator.processors, rows.text, logits.shape[-1])
        logs = self.generator.no_logs(*tokens.shape, logits.shape[-1])
        return rows._replace(states=states, logs=logs)


class PagedSlots(Slots):
    """Rows of texts that are written at the same time, with a cache in blocks that they share.

    Args:
        programs, params, state, count: as of `Slots`.
        options: the size and the number of blocks.
    """

    def __init__(
        self, programs: Programs, params: Tree, state: Tree, count: int, options: ServerOptions
    ) -> None:
        super().__init__(programs, params, state, count)
        given = options.blocks, options.block_size, options.cache_dtype
        length = self.generator.max_length
        self.cache = init_paged_cache(self.generator.model, count, length, *given)
        self.table = np.array(self.cache.table)
        self.blocks = int(self.table[0, 0])
        self.pages = Blocks(self.blocks, options.block_size, options.shares_prefixes)
        self.owned: list[list[int]] = [[] for _ in range(count)]

    @property
    def used_blocks(self) -> int:
        """How many blocks have an owner."""
        return self.pages.used

    # ------------------------------------------------------------ coming

    def _known(self, text: np.ndarray) -> list[int]:
        """The blocks that hold the beginning of a text; a token at least is left to be run."""
        return self.pages.find(text[:-1])

    def has_room(self, job: Job) -> bool:
        """Whether there are blocks for a text and its next tokens, and one more for each text that
        is being written: else it would soon have to leave again.
        """
        known = self._known(job.text)
        need = self._need(job, len(job.text)) - len(known)
        running = sum(bool(owned) for owned in self.owned)
        return self.pages.room_beside(known) >= need + running

    def _need(self, job: Job, length: int) -> int:
        """How many blocks a text has after the next dispatch."""
        end = min(length + self.programs.steps, job.most(self.generator.max_length))
        return -(-end // self.pages.size)

    def begin(self, slot: int, job: Job) -> Rows:
        """The text of a job as far as it is, one row without a cache; its keys and values are in
        the blocks.
        """
        text, self.lengths[slot] = job.text, 0
        known = self._known(text)
        self.pages.share(known)
        fresh = self.pages.take(self._need(job, len(text)) - len(known))
        self._own(slot, [*known, *(fresh or [])])
        before = len(known) * self.pages.size
        logits = self._run(slot, text[before:], before)
        self.pages.name(self.owned[slot], text)
        self.shared_tokens += before
        return self._row(job, text, logits)

    def _own(self, slot: int, blocks: list[int]) -> None:
        """Gives a slot its blocks."""
        self.owned[slot] = blocks
        self.table[slot] = self.blocks
        self.table[slot, : len(blocks)] = blocks

    def _run(self, slot: int, tokens: np.ndarray, before: int) -> jax.Array:
        """The logits behind tokens, whose keys and values get into the blocks of a slot."""
        length = min(bucket_of(len(tokens)), self.generator.max_length)
        padded = np.zeros((1, length), "int32")
        padded[0, : len(tokens)] = tokens
        first = np.array([before], "int32") if before else None
        cache = dataclasses.replace(self.cache, table=self.table[slot : slot + 1])
        counts = np.array([len(tokens)], "int32")
        arguments = self.params, self.state, cache, padded, counts, first
        logits, self.cache = self.programs.prefill(*arguments)
        return logits

    def _row(self, job: Job, text: np.ndarray, logits: jax.Array) -> Rows:
        plain = SamplingParams(temperature=0.0, seed=job.params.seed)
        tokens = np.full((1, self.generator.max_length), self.generator.pad, "int32")
        tokens[0, : len(text)] = text
        given = tokens, np.array([len(text)], "int32")
        draws = draws_of(job.rng, [plain], np.array([job.sample]))
        one = self.programs.row(given, logits, settings_of([plain]), draws)
        return one._replace(prompts=np.array([len(job.prompt)], "int32"))

    # ------------------------------------------------------------ going on, and leaving

    def reserve(self, running: dict[int, Job]) -> list[int]:
        """Blocks for the next tokens of all, the oldest first; the youngest have to leave where
        there are too few.
        """
        left, leaving = list(running), []
        for slot in running:
            while slot in left and not self._grow(slot, running[slot]):
                youngest = left.pop()
                leaving.append(youngest)
                self._forget(youngest, running[youngest])
        return leaving

    def _grow(self, slot: int, job: Job) -> bool:
        """Whether a slot has the blocks for its next tokens now."""
        owned = self.owned[slot]
        more = self._need(job, int(self.lengths[slot])) - len(owned)
        if more <= 0:
            return True
        fresh = self.pages.take(more)
        if fresh is not None:
            self._own(slot, [*owned, *fresh])
        return fresh is not None

    def write(self, live: np.ndarray) -> Written:
        """Writes tokens into the slots that are live; what came, as arrays of numpy."""
        # the program may be running while the host goes on: it gets a table of its own
        cache = dataclasses.replace(self.cache, table=self.table.copy())
        self.rows = self.rows._replace(cache=cache)
        try:
            written = super().write(live)
        finally:
            self.cache, self.rows = self.rows.cache, self.rows._replace(cache=None)
        return written

    def leave(self, slot: int, job: Job) -> None:
        """Frees a slot; what was written stays to be found, as far as there is room."""
        super().leave(slot, job)
        self._forget(slot, job)

    def _forget(self, slot: int, job: Job) -> None:
        """Gives the blocks of a slot back."""
        # the last position is written by rows that have ended, too
        count = min(len(job.text), int(self.lengths[slot]), self.generator.max_length - 1)
        self.pages.name(self.owned[slot], job.text[:count])
        self.pages.release(self.owned[slot])
        self._own(slot, [])
        self.lengths[slot] = 0

    @property
    def is_intact(self) -> bool:
        """Whether the arrays are there: those of a call that failed are not."""
        leaves = jax.tree.leaves((self.rows, self.cache.pools))
        return not any(isinstance(x, jax.Array) and x.is_deleted() for x in leaves)
