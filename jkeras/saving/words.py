"""The JSON data of a checkpoint, which may be anybody's: what each word may be, looked at before
anything is done by it.
"""

import collections.abc
import typing

import jax.numpy as jnp

from jkeras.core.errors import SerializationError, readable

LARGEST = 2**63  # of whole numbers
DEEPEST = 20  # lists of numbers in one another: an array has fewer axes


class Kind(typing.NamedTuple):
    """What a word may be.

    Attributes:
        words: says it in messages.
        holds: function of a value.
    """

    words: str
    holds: collections.abc.Callable[[typing.Any], bool]


def or_none(kind: Kind) -> Kind:
    """That, or nothing."""
    return Kind(f"{kind.words}, or null", lambda value: value is None or kind.holds(value))


def listing(kind: Kind) -> Kind:
    """A list of such."""
    return Kind(
        f"a list of {kind.words}",
        lambda value: isinstance(value, list) and all(map(kind.holds, value)),
    )


def row(*kinds: Kind, least: int | None = None) -> Kind:
    """A list with one of each, of which those from `least` on may be left out."""
    few = len(kinds) if least is None else least

    def holds(value: typing.Any) -> bool:
        if not isinstance(value, list) or not few <= len(value) <= len(kinds):
            return False
        return all(kind.holds(word) for kind, word in zip(kinds, value))

    return Kind(f"[{', '.join(kind.words for kind in kinds)}]", holds)


def table(kind: Kind) -> Kind:
    """A dict from texts to such."""
    return Kind(
        f"a dict from names to {kind.words}",
        lambda value: isinstance(value, dict) and all(map(kind.holds, value.values())),
    )


def one_of(*values: typing.Any) -> Kind:
    """One of a few values."""
    return Kind(f"one of {values}", lambda value: value in values)


def _is_number(value: typing.Any) -> bool:
    return type(value) in (int, float, bool)


def _is_numbers(value: typing.Any, levels: int = DEEPEST) -> bool:
    if isinstance(value, list) and levels:
        return all(_is_numbers(inner, levels - 1) for inner in value)
    return value is None or _is_number(value)


def _is_dtype(value: typing.Any) -> bool:
    try:
        return isinstance(value, str) and jnp.dtype(value).kind not in "OSUM"
    except TypeError:
        return False


ANY = Kind("anything", lambda value: True)
COUNT = Kind("a whole number from 0 on", lambda value: type(value) is int and 0 <= value < LARGEST)
NUMBER = Kind("a number", _is_number)
NUMBERS = Kind("a number, or lists of numbers", _is_numbers)
TRUTH = Kind("true or false", lambda value: type(value) is bool)
TEXT = Kind("a text", lambda value: isinstance(value, str))
DICT = Kind("a dict", lambda value: isinstance(value, dict))
DTYPE = Kind("the name of a dtype", _is_dtype)


def check_words(
    words: typing.Any,
    kinds: dict[str, Kind],
    what: str,
    optional: collections.abc.Collection[str] = (),
) -> None:
    """Raises unless data is a dict with these keys, each of its kind.

    Args:
        what: whose words they are; messages begin with it.
        optional: keys that may be missing.

    >>> check_words({"epoch": 3}, {"epoch": COUNT}, "it")
    >>> check_words({"epoch": "3"}, {"epoch": COUNT}, "it")
    Traceback (most recent call last):
        ...
    jkeras.core.errors.SerializationError: it: 'epoch' should be a whole number from 0 on; ...
    """
    advice = "It is damaged or was changed, or another program wrote it: restore another one."
    if not isinstance(words, dict):
        raise SerializationError(
            f"{what}: its words should be a dict; there is {_shown(words)}. {advice}"
        )
    missing = [key for key in kinds if key not in words and key not in optional]
    if missing:
        raise SerializationError(f"{what}: {missing[0]!r} is missing. {advice}")
    unknown = sorted(words.keys() - kinds.keys())
    if unknown:
        raise SerializationError(
            f"{what}: {_shown(unknown[0])} is not known here: a newer version wrote it, or it was "
            "changed. Go on with the version that wrote it."
        )
    for key in kinds.keys() & words.keys():
        if not kinds[key].holds(words[key]):
            raise SerializationError(
                f"{what}: {key!r} should be {kinds[key].words}; there is {_shown(words[key])}. "
                f"{advice}"
            )


def _shown(value: typing.Any) -> str:
    return readable(repr(value), 200)
