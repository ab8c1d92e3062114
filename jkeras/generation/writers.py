"""What writes the texts of `model.generate`: a generator, or one whose drafts a small model makes.
Both stay with the model, and their programs with them.
"""

import dataclasses
from typing import Any

import numpy as np

from jkeras.core.errors import explain
from jkeras.core.layer import Layer
from jkeras.core.weights.weight_trees import trees_of_weights
from jkeras.generation.generator import Generator, cached_on
from jkeras.generation.limits import Limits, TooFewPositionsError
from jkeras.generation.memory import Source
from jkeras.generation.pairs import without_padding
from jkeras.generation.processors import check_processors
from jkeras.generation.prompts import SECOND_BUCKET, bucket_of
from jkeras.generation.ranges import RANGES
from jkeras.generation.request import GREEDY, Request, Work
from jkeras.generation.rows import Rows
from jkeras.generation.source import check_no_encoder, complete
from jkeras.generation.speculative import Progress, SpeculativeGenerator
from jkeras.generation.texts import decoder_of, tokenizer_of


class Writer:
    """Writes rows with a model alone.

    Args:
        model: of language.
        work: with the longest of its texts, and what its encoder reads.
        request: what is asked for.

    Attributes:
        max_length: of rows.
        is_cached: whether there is a cache.
        rows: the texts so far, once they have begun.
    """

    rows: Rows

    def __init__(self, model: Any, work: Work, request: Request) -> None:
        self._model = model
        self._values = self._read()  # once for the prompts and for a text that is written at once
        self._generator = generator_for(model, self._values, work, request)
        self.max_length = self._generator.max_length
        self.is_cached = self._generator.why_uncached is None
        self.pad = self._generator.pad
        self._values = self._packed(self._values)

    def begin(self, *prompts: Any, **options: Any) -> None:
        """The texts as far as their prompts; arguments as of `Generator.begin`."""
        params, state = self._values
        self.rows = self._generator.begin(params, *prompts, state=state, **options)

    def go_on(self, steps: int | None) -> None:
        """More tokens, in so many passes of the model at most; None: up to the ends, with the
        weights that read the prompts.
        """
        params, state = self._values if steps is None else self._packed(self._read())
        self.rows = self._generator.go_on(params, self.rows, steps, state=state)

    def _read(self) -> tuple[Any, Any]:
        """The model's params and state, as they are now."""
        return trees_of_weights(self._model)

    def _packed(self, values: tuple[Any, Any]) -> tuple[Any, Any]:
        """The params and the state, with what makes products fast."""
        return self._generator.packed(*values), values[1]

    def end(self, done: np.ndarray) -> None:
        """Ends rows (batch,)."""
        self.rows = self.rows._replace(done=done)

    def counts(self, row: int) -> dict[str, int]:
        """What a `Completion` of the row says of drafts."""
        return {}


class DraftingWriter:
    """Writes rows with a model and the drafts of a small one; arguments, attributes and methods as
    of `Writer`.
    """

    is_cached = True
    progress: Progress

    def __init__(self, model: Any, max_length: int, request: Request) -> None:
        self._generator = _speculative_for(model, max_length, request)
        self._models = model, request.draft
        self.max_length = self._generator.large.max_length
        self.pad = self._generator.large.pad

    @property
    def rows(self) -> Rows:
        """The texts so far."""
        return self.progress.rows

    def _params(self) -> list:
        """Of both models."""
        return [model.params for model in self._models]

    def begin(self, *prompts: Any, **options: Any) -> None:
        """The texts as far as their prompts."""
        self.progress = self._generator.begin(*self._params(), *prompts, **options)

    def go_on(self, steps: int | None) -> None:
        """More tokens."""
        self.progress = self._generator.go_on(*self._params(), self.progress, steps)

    def end(self, done: np.ndarray) -> None:
        """Ends rows (batch,)."""
        self.progress = self.progress._replace(rows=self.rows._replace(done=done))

    def counts(self, row: int) -> dict[str, int]:
        """How many drafts of a row were looked at and kept, and the passes for that."""
        drafted, accepted = int(self.progress.drafted[row]), int(self.progress.accepted[row])
        passes = 1 + drafted // self._generator.draft_tokens
        return {"passes": passes, "drafted": drafted, "accepted": accepted}


def writer_for(model: Any, work: Work, request: Request) -> Writer | DraftingWriter:
    """What writes the texts of a request.

    Raises:
        ValueError: a `draft` that makes none for this model.
    """
    if request.draft is None:
        return Writer(model, work, request)
    _check_is_model(request.draft)
    for each in (model, request.draft):
        check_no_encoder("generate", each, "leave out `draft`")
    _check_tokenizers(work, request)
    return DraftingWriter(model, work.max_length, request)


# ---------------------------------------------------------------- generators


def generator_for(model: Any, values: tuple[Any, Any], work: Work, request: Request) -> Generator:
    """A generator of texts as long as are asked for, by a model with these params and state.

    With a cache there is one for all lengths up to a power of two. Without one the whole text goes
    through the model, which may look at what is behind it: it gets no more than it is asked for.
    """
    options, source = _options(request), complete(model, work.source_rows(1, 1))
    length = _buffer_of(model, bucket_of(work.max_length, SECOND_BUCKET), source)
    if length is None or length < work.max_length:
        length = max(work.max_length, 2)
    key = (length, *options.values())
    generator = cached_on(model, key, lambda: Generator(model, length, **options))
    generator.limits = _limits_of(model, length)
    generator.limits.find(*values, 1, source)
    return generator


def _speculative_for(model: Any, max_length: int, request: Request) -> SpeculativeGenerator:
    """A generator with drafts, of texts of at least this length.

    Raises:
        ValueError: a model that makes no drafts for this one, or settings that allow none.
    """
    draft, count = request.draft, request.draft_tokens
    if not RANGES["top_k"].has(count):
        raise ValueError(explain("generate", "`draft_tokens` of 1 or more", f"{count!r}"))
    if request.own_sampler is not None:
        expected = "with a `draft` a `Sampler` or `SamplingParams`, which say how likely a token is"
        raise ValueError(explain("generate", expected, f"{request.own_sampler!r}"))
    _check_cached(model, max_length, "with a `draft` a model that allows a cache")
    _check_cached(draft, max_length, "a `draft` that allows a cache")
    options, length = _options(request), bucket_of(max_length, SECOND_BUCKET)
    for each in (model, draft):
        length = min(length, _buffer_of(each, length) or max_length)
    length = max(length, max_length, 2)
    count = min(int(count), length - 1)  # no text has room for more
    key = ("draft", draft, length, count, *options.values())
    make = lambda: SpeculativeGenerator(model, draft, length, count, **options)  # noqa: E731
    generator = cached_on(model, key, make)
    generator.large.limits = _limits_of(model, length)
    generator.small.limits = _limits_of(draft, length)
    return generator


def _options(request: Request) -> dict[str, Any]:
    """Of a generator."""
    sampler = GREEDY if request.own_sampler is None else request.own_sampler
    processors = check_processors("generate", request.processors)
    return {"sampler": sampler, "processors": processors, "logprobs": request.logprobs}


def _check_is_model(draft: Any) -> None:
    """Raises ValueError for a draft that is no model that was built."""
    if not isinstance(draft, Layer):
        received = f"{draft!r}"
    elif not draft.built:
        received = f"the model '{draft.name}', which was not built"
    else:
        return
    raise ValueError(explain("generate", "as `draft` a built model of language", received))


def _check_tokenizers(work: Work, request: Request) -> None:
    """Raises ValueError for a draft whose own tokenizer reads other texts in the prompts."""
    own = tokenizer_of(request.draft, None)
    if own is None or not any(work.is_text):
        return
    for tokens in work.prompts:
        texts = [decoder_of(tokenizer)(tokens) for tokenizer in (request.tokenizer, own)]
        if texts[0] != texts[1]:
            expected = "a `draft` of the same tokens"
            received = f"one whose tokenizer reads {texts[1]!r} where the model's has {texts[0]!r}"
            raise ValueError(explain("generate", expected, received))


def _check_cached(model: Any, max_length: int, expected: str) -> None:
    """Raises ValueError for a model without a cache, or with too few positions.

    Args:
        expected: of it, in words.
    """
    limits = _limits_of(model, max(max_length, 2))
    try:
        limits.find(model.params, model.state, 1, warns=False)
    except TooFewPositionsError as error:
        expected = f"{expected}, and has positions for texts of {max_length} tokens"
        raise ValueError(explain("generate", expected, f"{error.most} positions")) from None
    except ValueError as error:  # of a layer
        expected = f"{expected}, and takes texts of {max_length} tokens"
        raise ValueError(explain("generate", expected, f"its error: {error}")) from error
    if limits.why_uncached is not None:
        raise ValueError(explain("generate", expected, limits.why_uncached))


def _limits_of(model: Any, length: int) -> Limits:
    """What a model allows for texts of a length; it stays with the model."""
    return cached_on(model, ("limits", length), lambda: Limits(model, length, None))


def _buffer_of(model: Any, bucket: int, source: Source | None = None) -> int | None:
    """The length that stands for all up to a bucket: the bucket, or as many positions as the model
    has; None: each is one of its own. It stays with the model.

    Args:
        source: the inputs of the model's encoder, of a row; None: it has none.
    """
    return cached_on(model, ("buffer", bucket), lambda: _look_for_buffer(model, bucket, source))


def _look_for_buffer(model: Any, bucket: int, source: Source | None) -> int | None:
    """See `_buffer_of`."""
    try:
        limits = _limits_of(model, bucket)
        limits.find(model.params, model.state, 1, source, warns=False)
    except TooFewPositionsError as error:
        return _look_for_buffer(model, error.most, source) if error.most > 1 else None
    except ValueError:  # the layers say in the end, of the length that is asked for
        return None
    return bucket if limits.why_uncached is None else None


# ---------------------------------------------------------------- encoders


def within_positions(model: Any, work: Work) -> Work:
    """The work, without padding where with it the encoder has too few positions."""
    source = work.source_rows(1, 1)
    if source is None:
        return work
    sizes = tuple(value.shape[1:] for value in source.values())
    if cached_on(model, ("source", sizes), lambda: _has_positions(model, source)):
        return work
    return dataclasses.replace(work, source=without_padding(work.source))


def _has_positions(model: Any, source: Source) -> bool:
    """Whether the encoder has positions for its inputs."""
    try:
        limits = Limits(model, 2, None)
        limits.look_at(model.params, model.state, complete(model, source))
    except (ValueError, TypeError):  # without padding its layers say what is wrong
        return False
    return True
