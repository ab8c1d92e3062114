"""Prompts as arrays, checked on the host, and padded to one of a few lengths."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.generation.limits import Limits
from jkeras.generation.memory import Source
from jkeras.generation.sampling_params import SamplingParams

SIDES = "left", "right"
SMALLEST_BUCKET = 16  # prompts are padded to this length, or the next power of two
SECOND_BUCKET = 64


class Begun(NamedTuple):
    """What texts begin with, a pytree.

    Attributes:
        tokens: (batch, time).
        lengths: (batch,).
        source: the inputs of an encoder; None: there is none.
    """

    tokens: jax.Array
    lengths: jax.Array
    source: Source | None


class Prompts(NamedTuple):
    """Prompts that are padded on one side.

    Attributes:
        tokens: (batch, time), of numpy or of JAX.
        lengths: (batch,).
        side: where they are padded.
        source: the inputs of an encoder; None: there is none.
    """

    tokens: Any
    lengths: Any
    side: str
    source: Source | None = None

    @classmethod
    def checked(
        cls,
        tokens: Any,
        lengths: Any,
        max_length: int,
        side: str,
        source: Source | None = None,
    ) -> "Prompts":
        """Prompts and lengths, checked where they are numbers.

        Raises:
            ValueError: of other dtypes or shapes, or a length that no text has.
        """
        if not isinstance(tokens, jax.Array):
            tokens = np.asarray(tokens)
        is_whole = jnp.issubdtype(tokens.dtype, jnp.integer)
        if tokens.ndim != 2 or not tokens.size or not is_whole:
            expected = "prompts of whole numbers (batch, time), of one token or more"
            raise ValueError(explain("Generator", expected, f"{tokens.dtype}{tokens.shape}"))
        if lengths is None:
            lengths = np.full(len(tokens), tokens.shape[1])
        if not isinstance(lengths, jax.core.Tracer):
            lengths = np.asarray(lengths)
            most = min(tokens.shape[1], max_length)
            if lengths.shape != tokens.shape[:1] or (lengths < 1).any() or (lengths > most).any():
                expected = f"a length from 1 to {most} for each of {len(tokens)} prompts"
                raise ValueError(explain("Generator", expected, f"{lengths}"))
        return cls(tokens, lengths, side, source)

    @property
    def batch(self) -> int:
        """How many there are."""
        return len(self.tokens)

    def check_tokens(self, limits: Limits, sampling: Sequence[SamplingParams]) -> None:
        """Raises ValueError for a token that the model does not know, where they are numbers."""
        limits.check_source(self.source)
        vocabulary = limits.vocabulary
        if vocabulary is None:
            return
        for params in set(map(_tokens_of, sampling)):
            _check_settings(params, vocabulary, limits.choices)
        if isinstance(self.tokens, jax.core.Tracer):
            return
        lengths = self.lengths
        if isinstance(lengths, jax.core.Tracer):
            lengths = np.full(self.batch, self.tokens.shape[1])
        rows = np.asarray(self.tokens)
        positions, begin = np.arange(rows.shape[1]), np.zeros((self.batch, 1), int)
        if self.side == "left":
            begin = (rows.shape[1] - lengths)[:, None]
        is_there = (positions >= begin) & (positions < begin + lengths[:, None])
        wrong = np.argwhere(is_there & ((rows < 0) | (rows >= vocabulary)))
        if len(wrong):
            row, position = wrong[0]
            expected = f"tokens from 0 to {vocabulary - 1}, the model's vocabulary"
            received = f"{rows[row, position]} in prompt {row} at {position - begin[row, 0]}"
            fix = "take the tokenizer that the model was trained with"
            raise ValueError(explain("Generator", expected, received, fix))

    def in_bucket(self, max_length: int) -> "Begun":
        """In int32, at most as long as texts, padded to a length of few."""
        is_left = self.side == "left"
        window = slice(-max_length, None) if is_left else slice(max_length)
        tokens = self.tokens[:, window]
        behind = 0, min(bucket_of(tokens.shape[1]), max_length) - tokens.shape[1]
        if is_left:
            behind = behind[::-1]
        if isinstance(tokens, jax.Array):
            tokens = jnp.pad(tokens.astype("int32"), [(0, 0), behind])
        else:  # numpy compiles no program for each length
            tokens = np.pad(tokens.astype("int32"), [(0, 0), behind])
        return Begun(tokens, self.lengths.astype("int32"), self.source)


def _tokens_of(params: SamplingParams) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The tokens that settings name: those that end texts, and those with a bias."""
    return params.stop, tuple(params.logit_bias or ())


def _check_settings(
    tokens: tuple[tuple[int, ...], tuple[int, ...]], vocabulary: int, choices: int | None
) -> None:
    """Raises ValueError for settings that name tokens which the model does not know."""
    stop, biased = tokens
    for token in stop:
        if token >= vocabulary:
            expected = f"`stop` of tokens below {vocabulary}, the model's vocabulary"
            raise ValueError(explain("Generator", expected, f"{token}"))
    for token in biased:
        if choices is not None and token >= choices:
            expected = f"`logit_bias` of tokens below {choices}, which the model gives logits for"
            raise ValueError(explain("Generator", expected, f"{token}"))


def check_side(where: str, padding_side: str) -> None:
    """Raises ValueError for what is no side."""
    if padding_side not in SIDES:
        expected = "`padding_side` 'left' or 'right'"
        raise ValueError(explain(where, expected, repr(padding_side)))


def bucket_of(length: int, smallest: int = SMALLEST_BUCKET) -> int:
    """The length that prompts are padded to.

    >>> [bucket_of(n) for n in (1, 16, 17, 65, 200)]
    [16, 16, 32, 128, 256]
    """
    return max(smallest, 1 << (length - 1).bit_length())


def unpadded(prompts: Any, lengths: Any, padding_side: str) -> list[np.ndarray]:
    """The rows of an array without their padding.

    Raises:
        ValueError: lengths that are not those of rows, or no such side.

    >>> unpadded([[0, 5], [6, 7]], [1, 2], "left")
    [array([5]), array([6, 7])]
    """
    check_side("generate", padding_side)
    rows, lengths = np.asarray(prompts), np.asarray(lengths)
    is_fit = rows.ndim == 2 and lengths.shape == rows.shape[:1]
    if not is_fit or (lengths < 1).any() or (lengths > rows.shape[1]).any():
        expected = "rows (batch, time), and as `prompt_lengths` a number from 1 to time for each"
        raise ValueError(explain("generate", expected, f"shape {rows.shape} and {lengths}"))
    if padding_side == "left":
        return [row[-length:] for row, length in zip(rows, lengths)]
    return [row[:length] for row, length in zip(rows, lengths)]
