"""Texts as tokens and back, by whatever tokenizer there is."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jkeras.core.errors import explain
from jkeras.core.system.tokenizers import encoder_of

UNFINISHED = "\ufffd"  # what decoders give for the first bytes of a letter


def tokenizer_of(model: Any, tokenizer: Any) -> Any:
    """The tokenizer that is given, or the one that a model has; None: there is none."""
    if tokenizer is not None:
        return tokenizer
    of_model = getattr(model, "tokenizer", None)
    if of_model is not None:
        return of_model
    return getattr(getattr(model, "preprocessor", None), "tokenizer", None)


def encode(tokenizer: Any, text: str) -> np.ndarray:
    """The tokens of a text.

    >>> encode(str.encode, "ab").tolist()
    [97, 98]
    """
    if not hasattr(tokenizer, "encode") and hasattr(tokenizer, "tokenize"):
        return np.asarray(tokenizer.tokenize(text))  # of keras-hub
    (tokens,) = encoder_of(tokenizer)([text])
    return np.array(list(tokens), "int64")


def decoder_of(tokenizer: Any) -> Callable[[Sequence[int]], str]:
    """`tokens -> text` of a tokenizer.

    Raises:
        ValueError: it has no such method.
    """
    for name in ("decode", "detokenize"):
        decode = getattr(tokenizer, name, None)
        if decode is not None:
            return lambda tokens: _as_text(decode([int(token) for token in tokens]))
    expected = "a tokenizer with a method `decode` (or `detokenize`), which makes texts of tokens"
    raise ValueError(explain("generate", expected, f"{type(tokenizer).__name__}"))


def _as_text(text: Any) -> str:
    """What a tokenizer gives, as a text."""
    if isinstance(text, bytes):
        return text.decode("utf-8", "replace")
    return str(text)


class StopTexts:
    """Finds where a text of these ends what is written.

    Args:
        texts: that end it; they belong to it.
        decode: `tokens -> text`.
    """

    def __init__(self, texts: Sequence[str], decode: Callable[[Sequence[int]], str]) -> None:
        self.texts = tuple(texts)
        self.decode = decode

    def end(self, text: str, begin: int = 0) -> int | None:
        """Where the first of the texts ends that ends behind a place; None: there is none."""
        places = [(text.find(stop, max(begin - len(stop) + 1, 0)), stop) for stop in self.texts]
        return min((at + len(stop) for at, stop in places if at >= 0), default=None)

    def found(self, tokens: Sequence[int], least: int) -> tuple[int, int] | None:
        """`(tokens, letters)`, how many there are up to the end of a stop text; None: there is
        none.

        Args:
            tokens: the new ones.
            least: a stop text that ends within so many of them does not count.
        """
        begin = 0
        if least:
            begin = len(self.decode(tokens[:least]))
        if self.end(self.decode(tokens), begin) is None:
            return None
        for count in range(max(least, 1), len(tokens) + 1):
            end = self.end(self.decode(tokens[:count]), begin)
            if end is not None:
                return count, end
        return None


class Pieces:
    """A text piece by piece, as its tokens come.

    Args:
        decode: `tokens -> text`.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self.decode = decode
        self.tokens: list[int] = []
        self.given = ""

    def piece(self, token: int | None) -> str:
        """What a new token adds; "" where a letter is not whole yet. None: the end has come, and
        the rest is given.
        """
        if token is not None:
            self.tokens.append(token)
        text = self.decode(self.tokens)
        if token is not None and text.endswith(UNFINISHED):
            return ""
        new = text[len(self.given) :]
        self.given = text
        return new
