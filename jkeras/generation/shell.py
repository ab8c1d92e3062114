"""`model.generate`: texts for prompts of any lengths, with a progress bar or as a stream."""

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from jkeras.callbacks.progress import screen
from jkeras.core.errors import explain
from jkeras.core.session.settings import default_seed
from jkeras.generation.completion import Ended, completion_of
from jkeras.generation.inputs import tokens_name
from jkeras.generation.request import Request, Work
from jkeras.generation.rows import Logs, Rows
from jkeras.generation.texts import Pieces, StopTexts, decoder_of, tokenizer_of
from jkeras.generation.writers import DraftingWriter, Writer, within_positions, writer_for

AT_ONCE = 16  # tokens between two looks at texts that are being written


def generate(model: Any, prompts: Any, request: Request) -> Any:
    """See `Model.generate`."""
    tokenizer = tokenizer_of(model, request.tokenizer)
    request = dataclasses.replace(request, tokenizer=tokenizer)
    work = within_positions(model, Work.of_model(model, prompts, request))
    finder = request.finder()
    writer = writer_for(model, work, request)
    tokens, lengths, sampling, samples = work.rows(request.n, writer.is_cached)
    source = work.source_rows(request.n, len(tokens))
    if source is not None:
        tokens = {**source, tokens_name(model): tokens}
    rng = _rng(request, sampling)
    writer.begin(tokens, lengths, rng, sampling=sampling, samples=samples)
    writing = Writing(writer, work, request, finder)
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


# ---------------------------------------------------------------- writing


class Writing:
    """Texts that are being written for a request, on the host.

    Args:
        writer: that writes them.
        work, request: what is asked for.
        finder: finds texts that end a text; None: there are none.
    """

    def __init__(
        self,
        writer: Writer | DraftingWriter,
        work: Work,
        request: Request,
        finder: StopTexts | None,
    ) -> None:
        self.writer = writer
        self.work, self.request, self.finder = work, request, finder
        self.count = len(work.prompts) * request.n
        self.ended: dict[int, Ended] = {}  # by row, where a text ended it

    @property
    def rows(self) -> Rows:
        """The texts so far."""
        return self.writer.rows

    def go_on(self, steps: int | None = None) -> None:
        """Writes more tokens, in so many steps, or up to the ends."""
        if self.finder is None:
            self.writer.go_on(steps)
            return
        left = self.writer.max_length if steps is None else steps
        while left > 0 and not self.is_over:
            some = min(left, AT_ONCE)
            self.writer.go_on(some)
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
        self.writer.end(done)

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
        whole = dataclasses.replace(whole, **self.writer.counts(row))
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
        lengths = np.array(self.rows.lengths)[: self.count]
        for row, ended in self.ended.items():
            lengths[row] = ended.length
        return lengths

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
        """`(tokens, is new)`, (rows,) of each new token; `pad` for texts that have ended. One comes
        as soon as each text has it or has ended: a draft may give several of a text at once.
        """
        begins = np.repeat([len(prompt) for prompt in self.work.prompts], self.request.n)
        rows, given, is_over = np.arange(self.count), 0, self.is_over
        while not is_over:
            self.go_on(1)
            is_over, done = self.is_over, np.asarray(self.rows.done)[: self.count]
            tokens, new = np.asarray(self.rows.tokens), self._lengths() - begins
            ready = new.max() if is_over else new[~done].min()
            for number in range(given, ready):
                is_new = number < new
                place = np.where(is_new, begins + number, 0)
                yield np.where(is_new, tokens[rows, place], self.writer.pad), is_new
            given = max(given, ready)
