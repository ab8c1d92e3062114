"""Regular expressions for whole paths, as keys of maps; those from files, which run on names that
come from the same file.
"""

import re
from typing import NamedTuple

from jkeras.core.errors import SerializationError

LONGEST = 500  # characters of one
MOST = 1000  # of those in one object that are more than a name
MOST_LOOPS = 3  # repeats in one: matching takes the names' length to this power
MOST_WAYS = 1000  # in which options and alternatives of one can be chosen
SPECIAL = frozenset(r".^$*+?{}[]\|()")


def is_name(pattern):
    """Whether a regular expression fits itself alone.

    >>> is_name("encoder/dense"), is_name("encoder/.*")
    (True, False)
    """
    return SPECIAL.isdisjoint(pattern)


def fitting(patterns, path):
    """The regular expressions that fit a whole path; keys that are the path itself are not asked.

    >>> fitting(["encoder/.*", "decoder/.*", "encoder/dense"], "encoder/dense")
    ['encoder/.*']
    """
    special = [pattern for pattern in patterns if not is_name(pattern)]
    return [pattern for pattern in special if re.fullmatch(pattern, path)]


def check_patterns(patterns, what):
    """Raises a SerializationError for regular expressions that a file may not hold.

    Args:
        patterns: of one object.
        what: names the object in messages.

    >>> check_patterns([".*attention.*", "dense"], "it")
    >>> check_patterns(["(a+)+b"], "it")
    Traceback (most recent call last):
        ...
    jkeras.core.errors.SerializationError: it has the regular expression '(a+)+b', which repeats ...
    """
    special = [pattern for pattern in patterns if not is_name(pattern)]
    if len(special) > MOST:
        raise SerializationError(
            f"{what} has {len(special)} regular expressions; at most {MOST} are read."
        )
    for pattern in special:
        fault = _fault(pattern)
        if fault is not None:
            raise SerializationError(
                f"{what} has the regular expression {pattern[:100]!r}, which {fault}. If it is "
                "yours, build the object by code."
            )


def _fault(pattern):
    """What is wrong with a regular expression from a file; None: nothing."""
    if len(pattern) > LONGEST:
        return f"has {len(pattern)} characters; at most {LONGEST} are read"
    try:
        parsed = re._parser.parse(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"is none: {error}"
    cost = _cost(parsed)
    if not cost.is_simple:
        return "repeats more than single characters: matching could take for ever"
    if cost.loops > MOST_LOOPS:
        return f"has {cost.loops} repeats; at most {MOST_LOOPS} are read"
    if cost.ways > MOST_WAYS:
        return f"can be read in {cost.ways} ways; at most {MOST_WAYS} are tried"
    return None


REPEATS = (re._constants.MAX_REPEAT, re._constants.MIN_REPEAT, re._constants.POSSESSIVE_REPEAT)
LOOKS_BACK = (re._constants.GROUPREF, re._constants.GROUPREF_EXISTS)


class _Cost(NamedTuple):
    """What matching may cost.

    Attributes:
        loops: how many repeats there are, of single characters.
        ways: in how many ways the rest can be chosen, by options and alternatives.
        is_simple: whether nothing but single characters is repeated, and no group referred to.
    """

    loops: int = 0
    ways: int = 1
    is_simple: bool = True


def _cost(parsed):
    """What matching a parsed expression may cost."""
    total = _Cost()
    for operation, argument in parsed:
        inner = _Cost()
        for part in _parts(argument):
            cost = _cost(part)
            inner = _Cost(
                inner.loops + cost.loops, inner.ways * cost.ways, inner.is_simple and cost.is_simple
            )
        loops, ways, is_simple = inner
        if operation in REPEATS and argument[1] > 1:
            is_simple = is_simple and loops == 0 and ways == 1
            loops += 1
        elif operation in REPEATS:
            ways *= 2
        elif operation is re._constants.BRANCH:
            ways *= len(argument[1])
        elif operation in LOOKS_BACK:
            is_simple = False
        total = _Cost(total.loops + loops, total.ways * ways, total.is_simple and is_simple)
    return total


def _parts(argument):
    """The expressions inside an argument of an operation."""
    if isinstance(argument, re._parser.SubPattern):
        yield argument
    elif isinstance(argument, (list, tuple)):
        for value in argument:
            yield from _parts(value)
