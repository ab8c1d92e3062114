"""SamplingParams: what one text is asked for, and the arrays of several of them."""

import dataclasses
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.generation.choice import Choice
from jkeras.generation.processors import (
    NONE,
    LogitBias,
    MinNewTokens,
    NoRepeatNGrams,
    OutputPenalties,
    Processor,
    RepetitionPenalty,
)
from jkeras.generation.ranges import RANGES, check_ranges
from jkeras.generation.sampler import Sampler

LARGEST = np.iinfo("int32").max
FEW = 4  # tokens of a set by row, and the powers of two above it
PLAIN = {  # the numbers that ask for nothing
    "typical_p": 1.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "no_repeat_ngram_size": 0,
    "min_new_tokens": 0,
}


@public("jkeras.generation.SamplingParams")
@dataclasses.dataclass(frozen=True)
class SamplingParams:
    """What one text is asked for. They are values: texts of one batch may have different ones, and
    others compile nothing, but where a kind of penalty or filter comes in that none had.

    What changes logits comes in this order: `logit_bias`, `repetition_penalty`, `presence_penalty`
    and `frequency_penalty`, `no_repeat_ngram_size`, `min_new_tokens`, processors of your own,
    `temperature`, `top_k`, `top_p`, `min_p`, `typical_p`.

    Args:
        max_new_tokens: behind the prompt; None: up to the length of texts.
        min_new_tokens: before that many, no token of `stop` is written.
        temperature, top_k, top_p, min_p, repetition_penalty: as of `Sampler`.
        typical_p: the mass of the tokens that are left, the most typical ones (Meister et al. 2022,
            arXiv:2202.00666).
        presence_penalty: is subtracted from the logits of tokens that were written.
        frequency_penalty: is subtracted for each time that a token was written.
        no_repeat_ngram_size: no so many tokens come twice in a text with its prompt; 0: they may.
        logit_bias: {token: what is added to its logit}.
        stop: a token or several that end the text; they belong to it.
        seed: from which what is sampled follows, whatever the other texts are; the text is that of
            `rng=seed` with this prompt alone. None: from `rng`, and the number of the prompt.

    Raises:
        ValueError: a number out of its range.

    >>> params = SamplingParams(max_new_tokens=20, temperature=0.7, top_p=0.9, stop=2)
    >>> params.stop
    (2,)
    """

    max_new_tokens: int | None = None
    min_new_tokens: int = 0
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    no_repeat_ngram_size: int = 0
    logit_bias: Mapping[int, float] | None = None
    stop: Sequence[int] | int = ()
    seed: int | None = None

    def __post_init__(self) -> None:
        check_ranges("SamplingParams", {name: getattr(self, name) for name in RANGES})
        object.__setattr__(self, "stop", stop_tokens(self.stop))
        for token, bias in (self.logit_bias or {}).items():
            is_number = isinstance(bias, numbers.Real) and bias < math.inf
            if not _is_token(token) or not is_number:
                expected = "`logit_bias` of tokens and numbers below infinity"
                raise ValueError(explain("SamplingParams", expected, f"{token!r}: {bias!r}"))

    def asks_for(self, *names: str) -> bool:
        """Whether one of these numbers asks for something."""
        values = {name: getattr(self, name) for name in names}
        return any(value not in (None, PLAIN[name]) for name, value in values.items())


def stop_tokens(stop: Sequence[int] | int) -> tuple[int, ...]:
    """The tokens that end a text.

    Raises:
        ValueError: what is no token.

    >>> stop_tokens(3), stop_tokens([1, 2])
    ((3,), (1, 2))
    """
    tokens = (stop,) if isinstance(stop, (numbers.Integral, str)) else tuple(stop)
    for token in tokens:
        if not _is_token(token):
            expected = "`stop` of tokens, whole numbers of 0 or more"
            raise ValueError(explain("Generator", expected, f"{token!r}"))
    return tuple(map(int, tokens))


def _is_token(token: Any) -> bool:
    """Whether it is a whole number that a token may be."""
    is_whole = isinstance(token, numbers.Integral) and not isinstance(token, bool)
    return is_whole and 0 <= token <= LARGEST


def params_of(sampler: Any, stop: Sequence[int] = ()) -> SamplingParams:
    """What a `Sampler` asks for, as such; of another callable the tokens that end a text alone."""
    if isinstance(sampler, SamplingParams):
        return dataclasses.replace(sampler, stop=(*sampler.stop, *stop))
    if type(sampler) is Sampler:
        return SamplingParams(stop=stop, **vars(sampler))
    return SamplingParams(temperature=0.0, stop=stop)


class Settings(NamedTuple):
    """What rows are asked for, a pytree of arrays by row.

    Attributes:
        choice: how the next token is chosen.
        most: (batch,), so many new tokens.
        stop: (batch, count), the tokens that end a text; -1: none.
        processors: those that a row asks for. Which there are is part of a program, and their
            numbers are not.
    """

    choice: Choice
    most: jax.Array
    stop: jax.Array
    processors: tuple[Processor, ...]


def settings_of(params: Sequence[SamplingParams]) -> Settings:
    """What rows are asked for, as arrays of numpy.

    >>> settings = settings_of([SamplingParams(temperature=0.0), SamplingParams(top_k=5)])
    >>> settings.choice.temperature.tolist(), len(settings.processors)
    ([0.0, 1.0], 0)
    """
    stop = _padded([p.stop for p in params], NONE, "int32")
    most = _numbers(params, _most_new, "int32")
    return Settings(_choice_of(params), most, stop, _processors_of(params, stop))


def _most_new(params: SamplingParams) -> int:
    """So many new tokens."""
    if params.max_new_tokens is None:
        return LARGEST
    return min(params.max_new_tokens, LARGEST)


def _choice_of(params: Sequence[SamplingParams]) -> Choice:
    """How tokens are chosen. Rows without a temperature ask for no filter."""
    sampled = lambda name, plain: lambda p: _given(p, name, plain)  # noqa: E731
    typical = None
    if any(p.temperature > 0 and p.asks_for("typical_p") for p in params):
        typical = _numbers(params, sampled("typical_p", 1.0))
    return Choice(
        _numbers(params, lambda p: p.temperature),
        _numbers(params, sampled("top_k", LARGEST), "int32"),
        _numbers(params, lambda p: 1 - sampled("top_p", 1.0)(p)),
        _numbers(params, sampled("min_p", 0.0)),
        typical,
    )


def _given(params: SamplingParams, name: str, plain: float) -> float:
    """A number of a row that is sampled, else the one that asks for nothing."""
    value = getattr(params, name)
    if value is None or params.temperature == 0:
        return plain
    return min(value, LARGEST)


def _numbers(
    params: Sequence[SamplingParams],
    number: Callable[[SamplingParams], Any],
    dtype: str = "float32",
) -> np.ndarray:
    """An array of a number of each row."""
    return np.array([number(p) for p in params], dtype)


def _processors_of(params: Sequence[SamplingParams], stop: np.ndarray) -> tuple[Processor, ...]:
    """The processors that a row asks for, in their order."""
    asked = [make for is_asked, make in PROCESSORS if any(map(is_asked, params))]
    return tuple(make(params, stop) for make in asked)


def _logit_bias(params: Sequence[SamplingParams], _: np.ndarray) -> Processor:
    tokens = _padded([[*(p.logit_bias or {})] for p in params], NONE, "int32")
    bias = _padded([[*(p.logit_bias or {}).values()] for p in params], 0.0, "float32")
    return LogitBias(tokens, bias)


def _repetition_penalty(params: Sequence[SamplingParams], _: np.ndarray) -> Processor:
    return RepetitionPenalty(_numbers(params, lambda p: p.repetition_penalty or 1.0))


def _output_penalties(params: Sequence[SamplingParams], _: np.ndarray) -> Processor:
    presence = _numbers(params, lambda p: p.presence_penalty)
    return OutputPenalties(presence, _numbers(params, lambda p: p.frequency_penalty))


def _no_repeat_ngrams(params: Sequence[SamplingParams], _: np.ndarray) -> Processor:
    size = _numbers(params, lambda p: min(p.no_repeat_ngram_size, LARGEST), "int32")
    return NoRepeatNGrams(size)


def _min_new_tokens(params: Sequence[SamplingParams], stop: np.ndarray) -> Processor:
    count = _numbers(params, lambda p: min(p.min_new_tokens, LARGEST), "int32")
    return MinNewTokens(count, stop)


# (whether a row asks for it, how it is made of all rows and the tokens that end a text), in the
# order in which they run
PROCESSORS: tuple[tuple[Callable[[SamplingParams], Any], Callable[..., Processor]], ...] = (
    (lambda p: p.logit_bias, _logit_bias),
    (lambda p: p.asks_for("repetition_penalty"), _repetition_penalty),
    (lambda p: p.asks_for("presence_penalty", "frequency_penalty"), _output_penalties),
    (lambda p: p.asks_for("no_repeat_ngram_size"), _no_repeat_ngrams),
    (lambda p: p.min_new_tokens and p.stop, _min_new_tokens),
)


def _padded(rows: Sequence[Sequence[float]], fill: float, dtype: str) -> np.ndarray:
    """Sequences as one array, as wide as a power of two."""
    most = max(map(len, rows))
    width = FEW
    while width < most:
        width *= 2
    array = np.full((len(rows), width), fill, dtype)
    for row, values in zip(array, rows):
        row[: len(values)] = values
    return array
