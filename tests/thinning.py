"""A part of a long table in the quick suite, and another part in the slow one: the rows take turns
there, since one idea is behind all of a table. Whose turn it is follows from the day of the
commit, so that none is never asked, and the commits of a day are asked the same.

Where the whole suite is run, every other row of each table rests until the next day; where paths
are given (`pytest tests/ops`), all their rows are run.

Whole files take turns, too, where `.ci/run` says so: `pytest -m slow --file-turns 2`.

`JKERAS_TURN=5 pytest -m slow` asks as on another day, `pytest -m "slow or resting"` all.
"""

import collections
import os
import pathlib
import shutil
import subprocess
import zlib

import pytest

SECONDS_OF_A_DAY = 24 * 60 * 60
TURN = "20787"
ROOT = pathlib.Path(__file__).resolve().parent.parent


def turn_of_commit():
    """The day of the commit as a number, as text; that of this file where there is none."""
    if shutil.which("git") is None:
        return TURN
    done = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return str(int(done.stdout) // SECONDS_OF_A_DAY) if done.stdout else TURN


def is_turn(number, turns):
    """Whether it is the turn of the row of a number, where each has one in so many."""
    return number % turns == int(os.environ.get("JKERAS_TURN", "0")) % turns


def is_file_in_turn(path, turns):
    """Whether it is the turn of a file, where each has its turn on one of so many days."""
    return is_turn(zlib.crc32(path.encode()), turns)


def let_rows_rest(items):
    """Marks every other row of the tables of four rows or more as resting, those whose turn it is
    not; rows that are marked already stay as they are.
    """
    tables = collections.defaultdict(list)
    for item in items:
        is_marked = item.get_closest_marker("slow") or item.get_closest_marker("resting")
        if hasattr(item, "callspec") and not is_marked:
            tables[item.nodeid.partition("[")[0]].append(item)
    for rows in tables.values():
        for number, row in enumerate(rows if len(rows) > 3 else ()):
            if not is_turn(number, 2):
                row.add_marker(pytest.mark.resting)


def some_slow(values, *quick):
    """The values for `parametrize`, all but the quick ones marked slow."""
    return [v if v in quick else pytest.param(v, marks=pytest.mark.slow) for v in values]


def in_turn(values, turns, quick=(), slow=()):
    """The values for `parametrize`, of which those that are neither quick nor slow take turns at
    being slow.
    """
    others = [value for value in values if value not in quick and value not in slow]
    marks = {value: _in_turn(i, turns) for i, value in enumerate(others)}
    marks |= {**dict.fromkeys(slow, [pytest.mark.slow]), **dict.fromkeys(quick, [])}
    return [pytest.param(value, marks=marks[value]) for value in values]


def every(step, values, slow=3):
    """The values as `pytest.param`s, of which each `step`-th one, from the first on, is quick; of
    the others each `slow`-th one is slow, in turn.

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
    return _in_turn(i - i // step - 1, slow)  # the number among those that are not quick


def _in_turn(number, turns):
    return [pytest.mark.slow if is_turn(number, turns) else pytest.mark.resting]


def _marked(value, marks):
    """A value of `parametrize`, which may be one already, with more marks."""
    if isinstance(value, type(pytest.param())):
        return pytest.param(*value.values, id=value.id, marks=[*value.marks, *marks])
    is_several = isinstance(value, tuple) and not hasattr(value, "_fields")
    given = value if is_several else (value,)
    return pytest.param(*given, marks=marks)
