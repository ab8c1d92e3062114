"""What tokenizers of other libraries have in common."""

from collections.abc import Callable
from typing import Any


def encoder_of(tokenizer: Any) -> Callable[[list[str]], list]:
    """`texts -> sequences of numbers` of a tokenizer.

    Raises:
        TypeError: it has no method `encode`, and cannot be called.

    >>> encoder_of(str.split)(["a b", "c"])
    [['a', 'b'], ['c']]
    """
    encode = getattr(tokenizer, "encode", tokenizer)
    if not callable(encode):
        raise TypeError(
            "Expected a tokenizer: an object with a method `encode`, or a function from a text to "
            f"numbers. Received: {type(tokenizer).__name__}"
        )

    def encoded(texts: list[str]) -> list:
        if hasattr(tokenizer, "encode_batch"):  # which works in several threads
            encodings = tokenizer.encode_batch(texts)
        else:
            encodings = [encode(text) for text in texts]
        return [getattr(one, "ids", one) for one in encodings]  # of an `Encoding` of `tokenizers`

    return encoded
