"""Untrusted JSON: no deeper than a model can be, no key twice, no number that is none."""

import collections
import json
import math
from collections.abc import Callable
from typing import Any

from jkeras.core.errors import SerializationError
from jkeras.core.names.registry import shown
from jkeras.saving.reading import opened
from jkeras.saving.types import Config

DEEPEST = 500  # levels; a model in a model takes four
LONGEST = 2**26  # characters; 3,000 layers take two and a half million
MOST_DIGITS = 20


def load(path: str, what: str) -> Any:
    """The value of a JSON file of a checkpoint: numbers need not be finite, and what it holds may
    be as large as the file.

    Raises:
        SerializationError: as of `loads`; or it is no regular file.
    """
    with opened(path) as file:
        return loads(file.read(), what, finite=False, longest=None)


def loads(text: str | bytes, what: str, finite: bool = True, longest: int | None = LONGEST) -> Any:
    """The value of a JSON text.

    Args:
        text: str, or bytes in UTF-8.
        what: names the text in messages.
        finite: refuse NaN and infinity.
        longest: the most characters; None: any number.

    Raises:
        SerializationError: it is no JSON, or breaks one of the rules above.

    >>> loads('{"a": [1, 2.5, null]}', "config")
    {'a': [1, 2.5, None]}
    >>> loads('{"a": 1, "a": 2}', "it")
    Traceback (most recent call last):
        ...
    jkeras.core.errors.SerializationError: it is not valid: the key 'a' comes twice in one object.
    """
    if longest is not None and len(text) > longest:
        raise SerializationError(
            f"{what} is too long: {len(text)} characters, at most {longest} are read."
        )
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number(finite),
            parse_constant=_constant(finite),
        )
    except RecursionError:
        raise SerializationError(f"{what} is nested too deeply.") from None
    except UnicodeDecodeError as error:
        raise SerializationError(f"{what} is damaged: it is no text in UTF-8 ({error}).") from error
    except json.JSONDecodeError as error:
        raise SerializationError(f"{what} is damaged: it is no JSON ({error}).") from error
    except ValueError as error:
        raise SerializationError(f"{what} is not valid: {error}") from None
    if _depth(value) > DEEPEST:
        raise SerializationError(f"{what} is nested too deeply: at most {DEEPEST} levels are read.")
    return value


def _object(pairs: list[tuple[str, Any]]) -> Config:
    value = dict(pairs)
    if len(value) != len(pairs):
        counts = collections.Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise ValueError(f"the key {shown(repr(twice))} comes twice in one object.")
    return value


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits.")
    return int(digits)


def _number(finite: bool) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = float(text)
        if finite and not math.isfinite(value):
            raise ValueError(f"the number {text[:30]} is too large.")
        return value

    return parse


def _constant(finite: bool) -> Callable[[str], float]:
    def parse(name: str) -> float:
        if finite:
            raise ValueError(
                f"it holds {name}, where numbers must be finite. If you trust it, load it with "
                "`safe_mode=False`."
            )
        return float(name)

    return parse


def _depth(value: Any) -> int:
    """How many lists and objects lie inside one another."""
    depth = 0
    level = [value]
    while level:
        below = []
        for container in level:
            if isinstance(container, dict):
                below += container.values()
            elif isinstance(container, list):
                below += container
        level = below
        depth += bool(level)
    return depth
