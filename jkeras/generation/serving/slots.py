"""Slots: the texts that a server writes at the same time, as rows on the device."""

import dataclasses
from typing import Any

import jax
import numpy as np

from jkeras.generation.rows import Rows, widened
from jkeras.generation.sampling_params import SamplingParams, Settings, settings_of
from jkeras.generation.serving.job import Job
from jkeras.generation.serving.programs import Programs, Written

Tree = Any
NOTHING = SamplingParams(temperature=0.0, max_new_tokens=0)
KINDS = (  # what brings a kind of processor or filter into a program
    "typical_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "no_repeat_ngram_size",
    "min_new_tokens",
)


class Slots:
    """Rows of texts that are written at the same time; each has a cache of its own.

    Args:
        programs: of the generator.
        params, state: of the model.
        count: how many there are.
    """

    blocks = used_blocks = shared_tokens = 0  # of a paged cache

    def __init__(self, programs: Programs, params: Tree, state: Tree, count: int) -> None:
        self.programs, self.params, self.state = programs, params, state
        self.generator = programs.generator
        self.sampling = [NOTHING] * count
        self.rows: Rows | None = None
        self.lengths = np.zeros(count, int)
        self._witness = NOTHING  # asks for all that a row ever asked for: a program each

    def has_room(self, job: Job) -> bool:
        """Whether the keys and values of a text have a place."""
        return True

    def join(self, slot: int, job: Job) -> None:
        """Puts a text into a slot. An error that leaves `is_intact` is of this text alone."""
        one = self.begin(slot, job)
        if job.states is not None:
            one = one._replace(states=job.states)
        if self.rows is None:
            self.rows = self._widened(one)
        self.sampling[slot] = job.params
        settings = self._settings()
        self.rows = self._joined(one, slot, settings)
        self.lengths[slot] = len(job.prompt) + len(job.written)

    def begin(self, slot: int, job: Job) -> Rows:
        """The text of a job as far as it is, one row of plain settings."""
        plain = SamplingParams(temperature=0.0, seed=job.params.seed)
        samples = np.array([job.sample])
        options = {"sampling": [plain], "samples": samples, "state": self.state}
        one = self.generator.begin(self.params, job.text[None], rng=job.rng, **options)
        return one._replace(prompts=np.array([len(job.prompt)], "int32"))

    def _widened(self, one: Rows) -> Rows:
        return widened(one, len(self.sampling))

    def _joined(self, one: Rows, slot: int, settings: Settings) -> Rows:
        return self.programs.join(self.rows, one, np.int32(slot), settings)

    def _settings(self) -> Settings:
        """What all rows are asked for. A kind that came stays, so that no program comes twice."""
        for params in self.sampling:
            self._witness = _asking_for_both(self._witness, params)
        settings = settings_of([*self.sampling, self._witness])
        return jax.tree.map(lambda values: values[:-1], settings)

    def reserve(self, running: dict[int, Job]) -> list[int]:
        """Makes room for the tokens of the next dispatch.

        Args:
            running: by slot, the oldest first.

        Returns:
            Slots whose texts have to leave, to go on later.
        """
        return []

    def write(self, live: np.ndarray) -> Written:
        """Writes tokens into the slots that are live; what came, as arrays of numpy."""
        self.rows, written = self.programs.write(self.params, self.state, self.rows, live)
        written = jax.tree.map(np.asarray, written)
        self.lengths = np.array(written.lengths)
        return written

    def states_of(self, slot: int) -> Any:
        """The states of the generator's own processors at a slot, as of one row."""
        count = len(self.rows.settings.processors)
        return jax.tree.map(lambda values: values[slot : slot + 1], self.rows.states[count:])

    def leave(self, slot: int, job: Job) -> None:
        """Frees a slot."""
        self.sampling[slot] = NOTHING

    @property
    def is_intact(self) -> bool:
        """Whether the arrays are there: those of a call that failed are not."""
        return not any(values.is_deleted() for values in jax.tree.leaves(self.rows))


def _asking_for_both(one: SamplingParams, other: SamplingParams) -> SamplingParams:
    """Settings that ask for each kind of thing that one of two asks for."""
    new: dict[str, Any] = {}
    for name in KINDS:
        if other.asks_for(name) and not one.asks_for(name):
            new[name] = getattr(other, name)
    if other.temperature > 0 and not one.temperature:
        new["temperature"] = other.temperature
    for name in ("stop", "logit_bias"):
        if len(getattr(other, name) or ()) > len(getattr(one, name) or ()):
            new[name] = getattr(other, name)
    return dataclasses.replace(one, **new)
