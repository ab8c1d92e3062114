"""`model.generate`: texts for prompts of any lengths, with a progress bar or as a stream."""

import dataclasses
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from jkeras.callbacks.progress import screen
from jkeras.core.errors import explain
from jkeras.core.session.settings import default_seed
from jkeras.generation.completion import Ended, completion_of
from jkeras.generation.generator import Generator, cached_on
from jkeras.generation.inputs import tokens_name
from jkeras.generation.limits import Limits, TooFewPositionsError
from jkeras.generation.memory import Source
from jkeras.generation.processors import check_processors
from jkeras.generation.pairs import without_padding
from jkeras.generation.prompts import SECOND_BUCKET, bucket_of
from jkeras.generation.request import GREEDY, Request, Work
from jkeras.generation.rows import Logs, Rows
from jkeras.generation.source import complete
from jkeras.generation.texts import Pieces, StopTexts, decoder_of, tokenizer_of

if TYPE_CHECKING:
    from jkeras.kernel.tree import Tree

AT_ONCE = 16  # tokens between two looks at texts that are being written


def generate(model: Any, prompts: Any, request: Request) -> Any:
    """See `Model.generate`."""
    tokenizer = tokenizer_of(model, request.tokenizer)
    request = dataclasses.replace(request, tokenizer=tokenizer)
    work = _within_positions(model, Work.of_model(model, prompts, request))
    finder = request.finder()
    generator = generator_for(model, work, request)
    tokens, lengths, sampling, samples = work.rows(request.n, generator.why_uncached is None)
    source = work.source_rows(request.n, len(tokens))
    if source is not None:
        tokens = {**source, tokens_name(model): tokens}
    rng = _rng(request, sampling)
    options = {"sampling": sampling, "samples": samples}
    rows = generator.begin(model.params, tokens, lengths, rng, **options)
    writing = Writing(generator, model.params, rows, work, request, finder)
    if request.stream:
        return writing.stream()
    if request.verbose:
        writing.show()
    return writing.results()


def _rng(request: Request, sampling: list) -> Any:
    """What random numbers follow from: without one that is given from the global seed, which moves
    only where something is drawn.
    """
    if request.rng is not None:
        return request.rng
    draws = any(params.temperature > 0 and params.seed is None for params in sampling)
    if draws or request.own_sampler is not None:
        return default_seed()
    return None


# ---------------------------------------------------------------- generators


def generator_for(model: Any, work: Work, request: Request) -> Generator:
    """A generator of texts as long as are asked for, whose programs stay with the model.

    With a cache there is one for all lengths up to a power of two. Without one the whole text goes
    through the model, which may look at what is behind it: it gets no more than it is asked for.
    """
    processors = check_processors("generate", request.processors)
    sampler = GREEDY if request.own_sampler is None else request.own_sampler
    options = {"sampler": sampler, "processors": processors, "logprobs": request.logprobs}
    source = work.source_rows(1, 1)
    bucket = bucket_of(work.max_length, SECOND_BUCKET)
    length = cached_on(model, ("buffer", bucket), lambda: _buffer_of(model, bucket, source))
    if length is None or length < work.max_length:
        length = max(work.max_length, 2)
    key = (length, sampler, processors, request.logprobs)
    generator = cached_on(model, key, lambda: Generator(model, length, **options))
    generator.limits = _limits_of(model, length)
    generator.limits.find(model.params, model.state, 1, complete(model, source))
    return generator


def _within_positions(model: Any, work: Work) -> Work:
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


def _limits_of(model: Any, length: int) -> Limits:
    """What a model allows for texts of a length; it stays with the model."""
    return cached_on(model, ("limits", length), lambda: Limits(model, length, None))


def _buffer_of(model: Any, bucket: int, source: Source | None) -> int | None:
    """The length that stands for all up to a bucket: the bucket, or as many positions as the model
    has; None: each is one of its own.
    """
    try:
        limits = _limits_of(model, bucket)
        limits.find(model.params, model.state, 1, complete(model, source), warns=False)
    except TooFewPositionsError as error:
        return _buffer_of(model, error.most, source) if error.most > 1 else None
    except ValueError:  # the layers say in the end, of the length that is asked for
        return None
    return bucket if limits.why_uncached is None else None


# ---------------------------------------------------------------- writing


class Writing:
    """Texts that are being written for a request, on the host.

    Args:
        generator: that writes them.
        params: of the model.
        rows: the prompts.
        work, request: what is asked for.
        finder: finds texts that end a text; None: there are none.
    """

    def __init__(
        self,
        generator: Generator,
        params: "Tree",
        rows: Rows,
        work: Work,
        request: Request,
        finder: StopTexts | None,
    ) -> None:
        self.generator, self.params, self.rows = generator, params, rows
        self.work, self.request, self.finder = work, request, finder
        self.count = len(work.prompts) * request.n
        self.ended: dict[int, Ended] = {}  # by row, where a text ended it

    def go_on(self, steps: int | None = None) -> None:
        """Writes more tokens: so many, or up to the ends."""
        if self.finder is None:
            self.rows = self.generator.go_on(self.params, self.rows, steps)
            return
        left = self.generator.max_length if steps is None else steps
        while left > 0 and not self.is_over:
            some = min(left, AT_ONCE)
            self.rows = self.generator.go_on(self.params, self.rows, some)
            self._find_ends()
            left -= some

    @property
    def is_over(self) -> bool:
        """Whether all texts have ended."""
        return bool(np.asarray(self.rows.done).all())

    def _find_ends(self) -> None:
        """Ends the rows in which a stop text is."""
        tokens, lengths = np.asarray(self.rows.tokens), np.array(self.rows.lengths)
        done = np.array(self.rows.done)
        for row in range(self.count):
            if row in self.ended:
                continue
            number = row // self.request.n
            begin = len(self.work.prompts[number])
            least = self.work.sampling[number].min_new_tokens
            found = self.finder.found(tokens[row, begin : lengths[row]].tolist(), least)
            if found is not None:
                self.ended[row] = Ended(begin + found[0], found[1])
                done[row] = True
        self.rows = self.rows._replace(done=done)

    # ------------------------------------------------------------ as a whole

    def results(self) -> Any:
        """The texts, as they are asked for."""
        self.go_on()
        rows, work, n = self.rows, self.work, self.request.n
        logs = None
        if rows.logs is not None:
            logs = Logs(*map(np.asarray, rows.logs))
        arrays = {"tokens": np.asarray(rows.tokens), "lengths": np.asarray(rows.lengths)}
        rows = rows._replace(**arrays, logs=logs)
        texts = []
        for number in range(len(work.prompts)):
            several = [self._result(rows, number, number * n + i) for i in range(n)]
            texts.append(several[0] if n == 1 else several)
        return texts[0] if work.is_one else texts

    def _result(self, rows: Rows, number: int, row: int) -> Any:
        """The text of a row: tokens, a text where the prompt was one, or a `Completion`."""
        request, work = self.request, self.work
        decode = None
        if work.is_text[number]:
            decode = decoder_of(request.tokenizer)
        begin = len(work.prompts[number])
        stop = work.sampling[number].stop
        whole = completion_of(rows, row, begin, stop, self.ended.get(row), decode)
        if request.strip_prompt:
            whole = whole.stripped()
        if request.logprobs is not None:
            return whole
        return whole.tokens if whole.text is None else whole.text

    def show(self) -> None:
        """Writes all tokens, with a line that says how far they are."""
        show, begin = screen(), time.perf_counter()
        first = self._lengths().sum()
        is_over = False
        while not is_over:
            self.go_on(AT_ONCE)
            ends, is_over = self._lengths(), self.is_over
            rate = (int(ends.sum()) - int(first)) / (time.perf_counter() - begin)
            line = f"{ends.max()}/{self.work.max_length} tokens - {rate:.0f} tokens/s"
            if show.live:
                show.redraw(line, end=is_over)
            elif is_over:
                show.write(f"{line}\n")

    def _lengths(self) -> np.ndarray:
        """Of the texts that are asked for."""
        return np.asarray(self.rows.lengths)[: self.count]

    # ------------------------------------------------------------ as a stream

    def stream(self) -> Iterator[Any]:
        """The new tokens as they come: numbers for one text, else arrays; or pieces of text."""
        is_single = self.work.is_one and self.request.n == 1
        steps = self._steps()
        if any(self.work.is_text):
            steps = self._texts(self._pieces(), steps)
        else:
            steps = (tokens for tokens, _ in steps)
        for given in steps:
            if not is_single:
                yield given
            elif isinstance(given[0], str):
                yield given[0]
            else:
                yield int(given[0])

    def _texts(
        self, pieces: list[Pieces], steps: Iterator[tuple[np.ndarray, np.ndarray]]
    ) -> Iterator[list[str]]:
        """What each step adds to the texts, and in the end what was held back."""
        for tokens, is_new in steps:
            each = zip(pieces, tokens.tolist(), is_new.tolist())
            yield [piece.piece(token) if new else "" for piece, token, new in each]
        rest = [piece.piece(None) for piece in pieces]
        if any(rest):
            yield rest

    def _pieces(self) -> list[Pieces]:
        """Of each row.

        Raises:
            ValueError: only some of the prompts are texts.
        """
        if not all(self.work.is_text):
            expected = "for a stream prompts that are all texts, or all tokens"
            raise ValueError(explain("generate", expected, "both"))
        decode = decoder_of(self.request.tokenizer)
        return [Pieces(decode) for _ in range(self.count)]

    def _steps(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """`(tokens, is new)`, (rows,) of each step; `pad` for texts that have ended."""
        while not self.is_over:
            before = self._lengths()
            self.go_on(1)
            tokens = np.asarray(self.rows.tokens)[: self.count]
            new = tokens[np.arange(self.count), before % self.generator.max_length]
            is_new = self._lengths() > before
            yield np.where(is_new, new, self.generator.pad), is_new
