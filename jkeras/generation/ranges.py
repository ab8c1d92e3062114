"""Which numbers settings of sampling may be."""

import math
import numbers
from collections.abc import Mapping
from typing import Any, NamedTuple

from jkeras.core.errors import explain


class Range(NamedTuple):
    """The numbers that a setting may be.

    Attributes:
        words: what they are, for errors.
        least, most: the smallest and the largest; both may be infinite, numbers may not.
        is_whole: whether they are whole numbers.
        is_open: whether the smallest one is not among them.
    """

    words: str
    least: float
    most: float = math.inf
    is_whole: bool = False
    is_open: bool = False

    def has(self, value: Any) -> bool:
        """Whether a value is one of the numbers."""
        kind = numbers.Real
        if self.is_whole:
            kind = numbers.Integral
        if not isinstance(value, kind) or isinstance(value, bool) or not math.isfinite(value):
            return False
        if self.is_open and value == self.least:
            return False
        return self.least <= value <= self.most


RANGES = {
    "temperature": Range("0 or more", 0.0),
    "top_k": Range("1 or more", 1, is_whole=True),
    "top_p": Range("above 0 and at most 1", 0.0, 1.0, is_open=True),
    "min_p": Range("from 0 to 1", 0.0, 1.0),
    "typical_p": Range("above 0 and at most 1", 0.0, 1.0, is_open=True),
    "repetition_penalty": Range("above 0", 0.0, is_open=True),
    "presence_penalty": Range("any finite number", -math.inf),
    "frequency_penalty": Range("any finite number", -math.inf),
    "no_repeat_ngram_size": Range("0 or more", 0, is_whole=True),
    "max_new_tokens": Range("0 or more", 0, is_whole=True),
    "min_new_tokens": Range("0 or more", 0, is_whole=True),
    "seed": Range("a whole number", -(2.0**63), 2.0**63, is_whole=True),
}


def check_ranges(where: str, values: Mapping[str, Any]) -> None:
    """Raises ValueError for a setting out of its range; None is in all of them."""
    for name, value in values.items():
        if value is not None and not RANGES[name].has(value):
            expected = f"`{name}` of {RANGES[name].words}"
            raise ValueError(explain(where, expected, f"{name}={value!r}"))
