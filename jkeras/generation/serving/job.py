"""Job: a request as the engine sees it."""

import dataclasses
from typing import Any

import numpy as np

from jkeras.generation.sampling_params import SamplingParams
from jkeras.generation.serving.progress import Progress
from jkeras.generation.serving.transcript import Transcript


@dataclasses.dataclass(eq=False)
class Job:
    """A request as the engine sees it.

    Attributes:
        prompt: its tokens.
        params: what it is asked for.
        rng: what is sampled follows from it where `params` has no seed.
        sample: which of several texts of one prompt it is.
        progress: what users look at.
        transcript: of its text; None: no text is asked for.
        asked_at: the time of `submit`.
        written: the new tokens.
        states: of the generator's own processors, where it had to leave its slot.
    """

    prompt: np.ndarray
    params: SamplingParams
    rng: Any
    sample: int
    progress: Progress
    transcript: Transcript | None
    asked_at: float
    written: list[int] = dataclasses.field(default_factory=list)
    states: Any = None

    @property
    def text(self) -> np.ndarray:
        """The prompt and what was written."""
        return np.concatenate([self.prompt, np.array(self.written, self.prompt.dtype)])

    def most(self, max_length: int) -> int:
        """How long the text may become, with its prompt."""
        if self.params.max_new_tokens is None:
            return max_length
        return min(max_length, len(self.prompt) + self.params.max_new_tokens)
