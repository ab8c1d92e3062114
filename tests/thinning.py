"""A part of a long table in the quick suite, the rest with `-m slow` or `-m thorough`, since one
idea is behind all of it.
"""

import pytest


def some_slow(values, *quick):
    """The values for `parametrize`, all but the quick ones marked slow."""
    return [v if v in quick else pytest.param(v, marks=pytest.mark.slow) for v in values]


def tiers(values, quick=(), slow=()):
    """The values for `parametrize`, those that are neither quick nor slow marked thorough."""
    mark = {**dict.fromkeys(slow, [pytest.mark.slow]), **dict.fromkeys(quick, [])}
    return [pytest.param(v, marks=mark.get(v, [pytest.mark.thorough])) for v in values]


def every(step, values, slow=3):
    """The values as `pytest.param`s, of which each `step`-th one, from the first on, is quick; of
    the others each `slow`-th one is slow, and the rest thorough.

    Args:
        step: how many values have one quick one among them.
        values: the values of one parameter, which may be named tuples, or tuples of those of
            several; `pytest.param`s keep what they have.
        slow: how many of the others have one slow one among them.
    """
    return [_marked(value, _tier(i, step, slow)) for i, value in enumerate(values)]


def _tier(i, step, slow):
    """The marks of the `i`-th value of a table."""
    if i % step == 0:
        return []
    number = i - i // step - 1  # among those that are not quick
    return [pytest.mark.slow if number % slow == 0 else pytest.mark.thorough]


def _marked(value, marks):
    """A value of `parametrize`, which may be one already, with more marks."""
    if isinstance(value, type(pytest.param())):
        return pytest.param(*value.values, id=value.id, marks=[*value.marks, *marks])
    is_several = isinstance(value, tuple) and not hasattr(value, "_fields")
    given = value if is_several else (value,)
    return pytest.param(*given, marks=marks)
