"""Request: the handle of one text that a server writes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import numpy as np

from jkeras.core.names.registry import public
from jkeras.generation.completion import Completion
from jkeras.generation.sampling_params import SamplingParams
from jkeras.generation.serving.progress import CANCELLED, FINISHED, OVER, Piece, Progress


@public("jkeras.generation.Request")
class Request:
    """A text that a `Server` was asked for; any thread may look at it, and any event loop.

    Iterate over it for the new tokens as they come, with `for` or `async for`.

    Attributes:
        prompt: its tokens.
        params: what it is asked for, `stop` of the generator among it, and the seed that what is
            sampled follows from.

    The server makes it, with `progress`, where both look, `cancel`, which asks the server to stop,
    and `has_text`, whether there are texts of the tokens.

    >>> import jkeras
    >>> tokens = jkeras.Input((None,), dtype="int32")
    >>> model = jkeras.Model(tokens, jkeras.layers.Embedding(20, 20)(tokens))
    >>> with jkeras.generation.Server(jkeras.generation.Generator(model, max_length=6)) as server:
    ...     request = server.submit([1, 2])
    ...     len(list(request)), request.result(60.0).finish_reason
    (4, 'length')
    """

    def __init__(
        self,
        prompt: np.ndarray,
        params: SamplingParams,
        progress: Progress,
        cancel: Callable[[], None],
        has_text: bool,
    ) -> None:
        self.prompt, self.params = prompt, params
        self._progress, self._cancel, self._has_text = progress, cancel, has_text

    def __repr__(self) -> str:
        return f"<Request: {self.status}, {len(self.prompt)} + {self._progress.count()} tokens>"

    @property
    def status(self) -> str:
        """ "waiting", "running", "finished", "failed" or "cancelled"."""
        return self._progress.status

    @property
    def error(self) -> BaseException | None:
        """Why there is no whole text; None: there is one, or it is being written."""
        return self._progress.error

    @property
    def tokens(self) -> list[int]:
        """The new tokens so far."""
        return self._progress.since(0, 0).tokens

    @property
    def text(self) -> str:
        """The new text so far, whole letters alone; "" without a tokenizer."""
        return self._progress.since(0, 0).text

    def cancel(self) -> None:
        """Ends the text here; its slot is free at the next dispatch."""
        self._cancel()

    def result(self, timeout: float | None = None) -> Completion:
        """The whole text. Of a server that is run by hand it is there when `step` has written it.

        Args:
            timeout: so many seconds are waited; None: without an end.

        Raises:
            TimeoutError: it is not there in time.
            RequestCancelledError: it was cancelled.
            ValueError: the prompt or the params are refused.
            DeviceFailedError: the device failed.
        """
        if not self._progress.wait(lambda: self._progress.is_over, timeout):
            raise TimeoutError(f"{self!r} has not ended within {timeout} s")
        self._raise_if_lost()
        return self._completion()

    def _raise_if_lost(self) -> None:
        if self._progress.error is not None:
            raise self._progress.error

    def _completion(self) -> Completion:
        """The text as a value. Of probabilities that were not kept there is NaN."""
        piece = self._progress.since(0, 0)
        new = np.array(piece.tokens, "int32")
        count = len(new)
        chosen = np.full(count, np.nan, "float32")
        top, likeliest = np.zeros((count, 0), "int32"), np.zeros((count, 0), "float32")
        if piece.logs:
            chosen = np.array([log.chosen for log in piece.logs], "float32")
            top = np.stack([log.tokens for log in piece.logs])
            likeliest = np.stack([log.likeliest for log in piece.logs])
        text = piece.text if self._has_text else None
        whole = np.concatenate([self.prompt.astype("int32"), new])
        reason = self._progress.finish_reason or ""
        return Completion(whole, text, reason, chosen, top, likeliest, text)

    # ------------------------------------------------------------ as a stream

    def __iter__(self) -> Iterator[int]:
        count = 0
        enough = lambda: self._progress.count() > count or self._progress.is_over  # noqa: E731
        while True:
            self._progress.wait(enough, None)
            piece = self._progress.since(count, 0)
            yield from piece.tokens
            count += len(piece.tokens)
            if piece.status in OVER:
                self._raise_if_lost()
                return

    async def __aiter__(self) -> AsyncIterator[int]:
        async for piece in self.pieces():
            for token in piece.tokens:
                yield token

    async def pieces(self) -> AsyncIterator[Piece]:
        """What comes, a `Piece` at a time: tokens, text, and the logarithms of probabilities; the
        last one may be empty. A text of a server without a tokenizer is "".

        Raises:
            RequestCancelledError, ValueError, DeviceFailedError: as of `result`.
        """
        loop, wake = asyncio.get_running_loop(), asyncio.Event()

        def listener() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(wake.set)

        self._progress.listen(listener)
        try:
            token = letter = 0
            while True:
                wake.clear()
                piece = self._progress.since(token, letter)
                token, letter = token + len(piece.tokens), letter + len(piece.text)
                if piece.tokens or piece.text or piece.status == FINISHED:
                    yield piece
                if piece.status in OVER:
                    self._raise_if_lost()
                    return
                await wake.wait()
        finally:
            self._progress.unlisten(listener)

    @property
    def is_cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._progress.status == CANCELLED
