"""Completion: a text that was written, and what the model says of its tokens."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from jkeras.core.names.registry import public


class Ended(NamedTuple):
    """Where a stop text ended a row.

    Attributes:
        length: of its tokens, with the prompt.
        letters: of the new ones as a text.
    """

    length: int
    letters: int


@public("jkeras.generation.Completion")
@dataclasses.dataclass(frozen=True)
class Completion:
    """A text that was written, as of `model.generate(..., logprobs=3)`.

    Attributes:
        tokens: with those of the prompt, or without with `strip_prompt`.
        text: where the prompt was a text, else None.
        new_text: what of `text` was written behind the prompt.
        finish_reason: "stop" where a stop token or text ended it, else "length".
        logprobs: (new tokens,), the logarithms of the probabilities that the model gave the new
            tokens, before its logits were changed and filtered.
        top_tokens, top_logprobs: (new tokens, count), the likeliest tokens, and theirs.
        passes: with a `draft`, how many passes of the large model the text took, that over its
            prompt among them; without one None.
        drafted, accepted: with a `draft`, how many tokens of the small model were looked at, and
            kept.

    >>> import jkeras
    >>> tokens = jkeras.Input((None,), dtype="int32")
    >>> model = jkeras.Model(tokens, jkeras.layers.Embedding(20, 20)(tokens))
    >>> found = model.generate([1, 2], max_new_tokens=4, logprobs=3)
    >>> found.logprobs.shape, found.top_tokens.shape, found.finish_reason
    ((4,), (4, 3), 'length')
    """

    tokens: np.ndarray
    text: str | None
    finish_reason: str
    logprobs: np.ndarray
    top_tokens: np.ndarray
    top_logprobs: np.ndarray
    new_text: str | None = dataclasses.field(default=None, repr=False)
    passes: int | None = None
    drafted: int | None = None
    accepted: int | None = None

    @property
    def new_tokens(self) -> np.ndarray:
        """The tokens without the prompt."""
        return self.tokens[len(self.tokens) - len(self.logprobs) :]

    @property
    def cumulative_logprob(self) -> float:
        """The logarithm of the probability of the new tokens after the prompt."""
        return float(np.sum(self.logprobs, dtype="float64"))

    def stripped(self) -> "Completion":
        """Without the prompt."""
        return dataclasses.replace(self, tokens=self.new_tokens, text=self.new_text)


def completion_of(
    rows: Any,
    row: int,
    begin: int,
    stop: Sequence[int],
    ended: Ended | None,
    decode: Callable[[Sequence[int]], str] | None,
) -> Completion:
    """The text of a row.

    Args:
        rows: with arrays of numpy.
        begin: the length of the prompt.
        stop: tokens that end it.
        ended: where a stop text did; None: none did.
        decode: `tokens -> text`; None: no text is asked for.
    """
    end = int(rows.lengths[row]) if ended is None else ended.length
    tokens = rows.tokens[row, :end]
    new = tokens[begin:]
    is_stop = ended is not None or bool(np.isin(new[-1:], stop).any())
    text = new_text = None
    if decode is not None:
        text, new_text = decode(tokens.tolist()), decode(new.tolist())
        if ended is not None:  # what the last token has behind the stop text is left out
            behind = len(new_text) - ended.letters
            text, new_text = text[: len(text) - behind], new_text[: ended.letters]
    parts = np.zeros(len(new), "float32"), np.zeros((len(new), 0), "int32")
    logs = (*parts, np.zeros((len(new), 0), "float32"))
    if rows.logs is not None:
        logs = tuple(values[row, begin:end] for values in rows.logs)
    reason = "stop" if is_stop else "length"
    return Completion(tokens, text, reason, *logs, new_text)
