"""Request: what `Model.generate` is asked for, as rows of a generator."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jkeras.core.errors import explain
from jkeras.generation.inputs import source_names
from jkeras.generation.memory import Source
from jkeras.generation.pairs import pairs_of
from jkeras.generation.prompts import unpadded
from jkeras.generation.ranges import RANGES
from jkeras.generation.sampler import Sampler
from jkeras.generation.sampling_params import SamplingParams, params_of, stop_tokens
from jkeras.generation.texts import StopTexts, decoder_of, encode

GREEDY = Sampler(temperature=0.0)


@dataclasses.dataclass(frozen=True)
class Request:
    """The arguments of `Model.generate`, where they are explained."""

    max_length: int | None
    sampler: Any
    max_new_tokens: int | None
    min_new_tokens: int
    n: int
    stop: Any
    logprobs: int | None
    processors: Any
    tokenizer: Any
    strip_prompt: bool
    rng: jax.Array | int | None
    stream: bool
    verbose: int
    prompt_lengths: Any
    padding_side: str
    draft: Any
    draft_tokens: int

    def __post_init__(self) -> None:
        for name in ("max_new_tokens", "min_new_tokens"):
            value = getattr(self, name)
            if value is not None and not RANGES[name].has(value):
                expected = f"`{name}` of {RANGES[name].words}"
                raise ValueError(explain("generate", expected, f"{name}={value!r}"))
        if not RANGES["top_k"].has(self.n):
            raise ValueError(explain("generate", "`n` of 1 or more", f"n={self.n!r}"))
        if self.sampler is not None and not _may_sample(self.sampler):
            expected = "as `sampler` a `Sampler`, `SamplingParams`, a list of them, or a function"
            raise ValueError(explain("generate", expected, f"{self.sampler!r}"))
        if self.stream and self.logprobs is not None:
            expected = "either `stream` or `logprobs`, since a stream is of tokens alone"
            raise ValueError(explain("generate", expected, "both"))

    @property
    def stop_texts(self) -> list[str]:
        """Those of `stop` that are texts."""
        return [stop for stop in _listed(self.stop) if isinstance(stop, str)]

    @property
    def own_sampler(self) -> Any:
        """A function of a user's that chooses tokens; None: there is none."""
        if self.sampler is None or isinstance(self.sampler, SamplingParams):
            return None
        is_known = type(self.sampler) is Sampler or isinstance(self.sampler, Sequence)
        return None if is_known else self.sampler

    def finder(self) -> StopTexts | None:
        """What finds the ends of texts by other texts; None: none are given.

        Raises:
            ValueError: there is no tokenizer, or an empty text.
        """
        texts = self.stop_texts
        if not texts:
            return None
        if self.tokenizer is None or not all(texts):
            expected = "`stop` of tokens; or of texts that are not empty, with a `tokenizer`"
            raise ValueError(explain("generate", expected, f"stop={self.stop!r}"))
        return StopTexts(texts, decoder_of(self.tokenizer))

    def sampling(self, count: int) -> list[SamplingParams]:
        """What each of so many prompts is asked for, `max_length` aside.

        Raises:
            ValueError: another number of `SamplingParams` than prompts.
        """
        given = GREEDY if self.sampler is None else self.sampler
        if self.own_sampler is not None or not isinstance(given, Sequence):
            given = [given] * count
        if len(given) != count:
            expected = f"as `sampler` one for each of {count} prompts"
            raise ValueError(explain("generate", expected, f"{len(given)} of them"))
        tokens = stop_tokens([stop for stop in _listed(self.stop) if not isinstance(stop, str)])
        return [self._merged(params_of(one, tokens)) for one in given]

    def _merged(self, params: SamplingParams) -> SamplingParams:
        """Settings with the bounds of the request, of which the narrower ones hold."""
        bounds = [params.max_new_tokens, self.max_new_tokens]
        most = min((bound for bound in bounds if bound is not None), default=None)
        least = max(params.min_new_tokens, self.min_new_tokens)
        return dataclasses.replace(params, max_new_tokens=most, min_new_tokens=least)


def _may_sample(sampler: Any) -> bool:
    """Whether it may be a sampler, or a list of such."""
    if isinstance(sampler, (str, type)):
        return False
    return callable(sampler) or isinstance(sampler, (SamplingParams, Sequence))


def _listed(stop: Any) -> list:
    """One or several, as a list."""
    is_one = isinstance(stop, str) or np.ndim(stop) == 0
    return [stop] if is_one else list(stop)


@dataclasses.dataclass(frozen=True)
class Work:
    """Rows of a generator for a request.

    Attributes:
        prompts: the tokens of each prompt.
        is_one: whether a single prompt was given, and no list.
        is_text: of each prompt, whether it was given as a text.
        sampling: of each prompt, with the length at which it ends in it.
        max_length: of the longest text.
        source: the inputs of the model's encoder, a row for each prompt; None: it has none.
    """

    prompts: list[np.ndarray]
    is_one: bool
    is_text: list[bool]
    sampling: list[SamplingParams]
    max_length: int
    source: Source | None = None

    @classmethod
    def of_model(cls, model: Any, prompts: Any, request: Request) -> "Work":
        """The rows that a request asks for of a model, which may have an encoder.

        Raises:
            ValueError: as of `of`; an input of the encoder is missing.
        """
        if not source_names(model):
            if isinstance(prompts, Mapping):
                expected = "prompts, since the model has no encoder"
                raise ValueError(explain("generate", expected, f"a dict of {list(prompts)}"))
            return cls.of(prompts, request)
        if request.prompt_lengths is not None:
            expected = "prompts in a list of any lengths, of a model with an encoder"
            raise ValueError(explain("generate", expected, "`prompt_lengths`"))
        pairs = pairs_of(model, prompts, request.tokenizer, request.padding_side)
        work = cls.of(pairs.prompts, request)
        is_text = [one or other for one, other in zip(work.is_text, pairs.is_text)]
        return dataclasses.replace(work, is_one=pairs.is_one, is_text=is_text, source=pairs.source)

    @classmethod
    def of(cls, prompts: Any, request: Request) -> "Work":
        """The rows that a request asks for.

        Raises:
            ValueError: prompts that are none, or no bound of their texts.
        """
        if request.prompt_lengths is not None:
            prompts = unpadded(prompts, request.prompt_lengths, request.padding_side)
        if not hasattr(prompts, "__len__"):
            expected = "a prompt, or a list of prompts"
            raise ValueError(explain("generate", expected, f"{prompts!r}"))
        is_one = _is_prompt(prompts)
        given = [prompts] if is_one else list(prompts)
        is_text = [isinstance(prompt, str) for prompt in given]
        if request.tokenizer is not None:
            given = [
                encode(request.tokenizer, prompt) if text else prompt
                for prompt, text in zip(given, is_text)
            ]
        arrays = tokens_of(given)
        sampling = request.sampling(len(arrays))
        lengths = [len(array) for array in arrays]
        max_length = _max_length(lengths, sampling, request)
        bounded = [_bounded(p, n, max_length) for p, n in zip(sampling, lengths)]
        return cls(arrays, is_one, is_text, bounded, max_length)

    def rows(self, n: int, is_bucketed: bool) -> tuple[np.ndarray, np.ndarray, list, np.ndarray]:
        """`(tokens, lengths, sampling, samples)` of `n` texts for each prompt, and where `True`
        of rows without text up to one of a few numbers of rows.
        """
        count = len(self.prompts) * n
        batch = rows_of(count) if is_bucketed else count
        prompts = [prompt for prompt in self.prompts for _ in range(n)]
        sampling = [params for params in self.sampling for _ in range(n)]
        nothing = SamplingParams(temperature=0.0, max_new_tokens=0)
        prompts += prompts[-1:] * (batch - count)
        sampling += [nothing] * (batch - count)
        samples = np.arange(batch, dtype="int32") % n
        return *padded(prompts), sampling, samples

    def source_rows(self, n: int, batch: int) -> Source | None:
        """The encoder's inputs of `n` texts for each prompt, the last one's up to so many rows."""
        if self.source is None:
            return None
        numbers = np.minimum(np.arange(batch) // n, len(self.prompts) - 1)
        return {name: np.asarray(value)[numbers] for name, value in self.source.items()}


def _is_prompt(prompts: Any) -> bool:
    """Whether what is given is one prompt: a text, or a sequence whose first entry is a token."""
    if isinstance(prompts, str) or len(prompts) == 0:
        return isinstance(prompts, str)
    return not isinstance(prompts[0], str) and np.ndim(prompts[0]) == 0


def _max_length(lengths: list[int], sampling: list[SamplingParams], request: Request) -> int:
    """The length of the longest text.

    Raises:
        ValueError: nothing bounds a text, or a prompt is longer than texts.
    """
    most, bounds = request.max_length, [params.max_new_tokens for params in sampling]
    if most is None and None in bounds:
        expected = "`max_length`, or `max_new_tokens` (of `SamplingParams`, too)"
        raise ValueError(explain("generate", expected, "neither"))
    if most is not None and not RANGES["top_k"].has(most):
        raise ValueError(explain("generate", "`max_length` of 1 or more", f"{most!r}"))
    if most is not None and max(lengths) > most:
        expected = f"a length from 1 to {most} for each of {len(lengths)} prompts"
        raise ValueError(explain("generate", expected, f"{lengths}"))
    if None in bounds:
        return int(most)
    longest = max(length + bound for length, bound in zip(lengths, bounds))
    return longest if most is None else min(longest, int(most))


def _bounded(params: SamplingParams, length: int, max_length: int) -> SamplingParams:
    """Settings with which a text is at most so long."""
    most = max_length - length
    if params.max_new_tokens is not None:
        most = min(most, params.max_new_tokens)
    return dataclasses.replace(params, max_new_tokens=most)


def rows_of(count: int) -> int:
    """How many rows there are in a program for so many.

    >>> [rows_of(n) for n in (1, 2, 8, 9, 17)]
    [1, 8, 8, 16, 32]
    """
    return 1 if count == 1 else max(8, 1 << (count - 1).bit_length())


def tokens_of(prompts: Sequence[Any]) -> list[np.ndarray]:
    """Prompts as arrays.

    Raises:
        ValueError: no prompt, one without a token, or with what is none.

    >>> [prompt.tolist() for prompt in tokens_of([[1, 2], (3,)])]
    [[1, 2], [3]]
    """
    arrays = [_tokens_of(prompt, number) for number, prompt in enumerate(prompts)]
    if not arrays or not all(map(len, arrays)):
        raise ValueError(explain("generate", "prompts of one token or more", f"{prompts!r}"))
    return arrays


def _tokens_of(prompt: Any, number: int) -> np.ndarray:
    """A prompt as an array.

    Raises:
        ValueError: it is a text, or has other numbers than whole ones.
    """
    array = np.asarray(prompt)
    are_tokens = array.ndim == 1 and array.dtype.kind in "iu"
    if array.size and not are_tokens:
        expected = "prompts of tokens, which are whole numbers"
        is_text = array.dtype.kind in "USO"
        fix = None
        if is_text:
            fix = "give what a tokenizer makes of a text, or the tokenizer"
        raise ValueError(explain("generate", expected, f"prompt {number}: {prompt!r}", fix))
    return array.reshape(-1)


def padded(prompts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Prompts of any lengths as one array, padded on the right, and their lengths.

    >>> padded([[1, 2], [3]])[0].tolist()
    [[1, 2], [3, 0]]
    """
    lengths = np.array([len(prompt) for prompt in prompts], "int32")
    rows = np.zeros((len(lengths), lengths.max()), "int64")
    for row, prompt in zip(rows, prompts):
        row[: len(prompt)] = prompt
    return rows, lengths
