"""Transcript: a text on the host while its tokens come."""

from collections.abc import Callable, Sequence

from jkeras.generation.texts import UNFINISHED

CONTEXT = 6  # tokens of the prompt with which new ones are decoded: a first space is theirs

Decode = Callable[[Sequence[int]], str]


class Transcript:
    """A text piece by piece: whole letters alone, and nothing of what ends it.

    Args:
        decode: `tokens -> text`.
        prompt: the tokens before.
        stop: texts that end it; they do not belong to it.
        least: a stop text within so many tokens does not count.

    Attributes:
        text: what was given.

    >>> transcript = Transcript(lambda tokens: bytes(tokens).decode("utf-8", "replace"), [], ["!?"])
    >>> [transcript.add(piece)[0] for piece in (b"a\\xc3", b"\\xa4b!", b"c!?d")]
    ['a', 'äb', '!c']
    """

    def __init__(
        self, decode: Decode, prompt: Sequence[int], stop: Sequence[str] = (), least: int = 0
    ) -> None:
        self._decode, self._stop, self._least = decode, tuple(stop), least
        self._context = list(prompt[-CONTEXT:])
        self._before = decode(self._context) if self._context else ""
        if self._before.endswith(UNFINISHED):
            self._context, self._before = [], ""
        self._tokens: list[int] = []
        self.text = ""

    def add(self, tokens: Sequence[int]) -> tuple[str, int | None]:
        """`(new text, how many of the tokens are needed)`, the second where a stop text ended it.

        Args:
            tokens: new ones.
        """
        old = len(self._tokens)
        self._tokens.extend(tokens)
        if self._stop and self._place(self._whole(), len(self._tokens)) is not None:
            for count in range(old + 1, len(self._tokens) + 1):
                place = self._place(self._whole(count), count)
                if place is not None:
                    return self._give(self._whole(count)[:place]), count - old
        return self._give(self._safe(self._whole())), None

    def finish(self) -> str:
        """What was held back, at the end."""
        return self._give(self._whole())

    def _whole(self, count: int | None = None) -> str:
        """The text of the first tokens."""
        tokens = self._tokens[:count]
        if self._context:
            text = self._decode([*self._context, *tokens])
            if text.startswith(self._before):
                return text[len(self._before) :]
            self._context, self._before = [], ""
        return self._decode(tokens) if tokens else ""

    def _place(self, text: str, count: int) -> int | None:
        """Where the first stop text begins; None: there is none."""
        if count <= self._least:
            return None
        begin = 0
        if self._least:
            begin = len(self._whole(self._least))
        places = [text.find(stop, max(begin - len(stop) + 1, 0)) for stop in self._stop]
        return min((place for place in places if place >= 0), default=None)

    def _safe(self, text: str) -> str:
        """A text without letters that are not whole, and the beginning of a stop text."""
        text = text.rstrip(UNFINISHED)
        held = 0
        for stop in self._stop:
            for size in range(min(len(stop) - 1, len(text)), held, -1):
                if text.endswith(stop[:size]):
                    held = size
                    break
        return text[: len(text) - held]

    def _give(self, text: str) -> str:
        """What is new in a text."""
        new = text[len(self.text) :]
        self.text += new
        return new
