"""The ratchet: no count with a target is worse than it was; where it is better, that is its limit
from then on.
"""

import json
import math
import pathlib

from benchmarks.structure.counts import TABLE

PATH = pathlib.Path(__file__).with_name("limits.json")
# lines grow with what the code can do: their limit is their target
LINES = {"code lines of the kernel"}


def limited() -> list[str]:
    """The names of the counts that have a limit."""
    rows = [row for rows in TABLE.values() for row in rows]
    return [row.name for row in rows if row.target is not None]


def read() -> dict[str, float]:
    """{count: its limit}."""
    return json.loads(PATH.read_text())


def broken(report: dict, limits: dict[str, float]) -> list[str]:
    """The counts of a report that are worse than their limits, in words."""
    return [
        f"{row['name']}: {row['now']}, the limit is {limits[row['name']]}"
        for row in _rows(report)
        if row["name"] in limits and _is_worse(row, limits[row["name"]])
    ]


def tightened(report: dict, limits: dict[str, float]) -> dict[str, float]:
    """Limits that are no looser, with what a report has reached."""
    rows = {row["name"]: row for row in _rows(report)}
    new = {}
    for name in limited():
        if name in LINES:
            new[name] = rows[name]["target"]
            continue
        reached, limit = _rounded(rows[name]), limits.get(name)
        keeps = limit is not None and _is_worse(rows[name], limit)
        new[name] = limit if keeps else reached
    return new


def _rows(report):
    return [row for rows in report["counts"].values() for row in rows]


def _is_worse(row, limit):
    if row["at_least"]:
        return row["now"] < limit
    return row["now"] > limit


def _rounded(row):
    """What is reached, a tenth looser where it is no whole number."""
    value = row["now"]
    if isinstance(value, int):
        return value
    if row["at_least"]:
        return math.floor(10 * value) / 10
    return math.ceil(10 * value) / 10
