"""Accounts as plain data, in files and checkpoints that anybody may have written: nothing can bind
an account to its weights, so what cannot be is refused, and the rest is believed.
"""

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

from jkeras.core.errors import explain
from jkeras.privacy.account import Account, Current, Trained

WHERE = "An account of privacy"
MOST_STEPS = 2**53
MOST_RUNS = 10_000


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(least: int) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return is_whole and least <= value <= MOST_STEPS

    return check


def _is_key(value: Any) -> bool:
    if not isinstance(value, (list, tuple)) or not value or len(value) % 2:
        return False
    return all(map(_is_whole(0), value))


CHECKS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "id": (
        "32 hexadecimal digits",
        lambda v: isinstance(v, str) and re.fullmatch("[0-9a-f]{32}", v) is not None,
    ),
    "noise_multiplier": ("a finite number of 0 or more", lambda v: _is_number(v) and v >= 0),
    "q": ("a probability above 0, at most 1", lambda v: _is_number(v) and 0 < v <= 1),
    "steps": ("a whole number of 0 or more", _is_whole(0)),
    "delta": ("a number between 0 and 1", lambda v: _is_number(v) and 0 < v < 1),
    "overflow": ("a probability from 0 to 1", lambda v: _is_number(v) and 0 <= v <= 1),
    "steps_of_a_turn": ("a whole number of 1 or more", _is_whole(1)),
    "trials": ("a finite number of 1 or more", lambda v: _is_number(v) and v >= 1),
    "batch_size": ("a whole number of 1 or more", _is_whole(1)),
    "key": ("two whole numbers for each member", _is_key),
    "members": ("a whole number of 1 or more", _is_whole(1)),
    "bands": ("a whole number of 1 or more", _is_whole(1)),
    "first": ("a whole number of 0 or more", _is_whole(0)),
    "end": ("a whole number of 0 or more", _is_whole(0)),
}
# `trials` is there where a run is the best of several
OF_FILES = tuple(n for n in Trained._fields if n not in ("key", "first", "end", "trials"))
OF_CHECKPOINTS = (*OF_FILES, "key", "first", "end")


def run_as_json(run: Trained) -> dict:
    """A run for the file of a model."""
    names = OF_FILES if run.trials == 1 else (*OF_FILES, "trials")
    return {name: getattr(run, name) for name in names}


def runs_from_json(data: Any) -> tuple[Trained, ...]:
    """Of what `run_as_json` gave, a list.

    Raises:
        ValueError: it cannot be.
    """
    return tuple(_run_from_json(run, OF_FILES) for run in _checked_list(data))


def runs_of_file(record: Any) -> tuple[Trained, ...]:
    """The runs in the account of a file, with a seal or without.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(record, dict):
        return runs_from_json(record)
    if set(record) != {"runs", "seal"} or not isinstance(record["seal"], str):
        raise _refused("'runs' and 'seal'", record)
    return runs_from_json(record["runs"])


def account_as_json(account: Account) -> dict:
    """An account for a checkpoint, which has the keys of random numbers anyway."""
    runs = [run_as_json(run) if run.key is None else _with_key(run) for run in account.runs]
    current = account.current
    if current is not None:
        current = current._replace(key=list(current.key))._asdict()
    return {"runs": runs, "current": current}


def account_from_json(data: Any, begun: int, step: int) -> Account:
    """Of what `account_as_json` gave.

    Args:
        begun, step: steps of the model between which it had privacy, at least.

    Raises:
        ValueError: it cannot be.
    """
    if not isinstance(data, dict) or sorted(data) != ["current", "runs"]:
        raise _refused("'runs' and 'current'", data)
    runs = []
    for run in _checked_list(data["runs"]):
        names = OF_CHECKPOINTS if isinstance(run, dict) and "key" in run else OF_FILES
        read = _run_from_json(run, names)
        runs.append(read if read.key is None else read._replace(key=tuple(read.key)))
    if data["current"] is None:
        raise _refused("the run that was going on", None)
    values = _checked(_with_bands(data["current"]), Current._fields)
    current = Current(**values | {"key": tuple(values["key"])})
    if len(current.key) != 2 * current.members:
        raise _refused("a key for each member", data["current"])
    account = Account(tuple(runs), current)
    _check_steps(account, begun, step)
    return account


def _with_key(run: Trained) -> dict:
    """A run of this process for a checkpoint."""
    return {**run_as_json(run), "key": list(run.key), "first": run.first, "end": run.end}


def _run_from_json(data: Any, names: tuple[str, ...]) -> Trained:
    """A run that has these names, and `trials` where it is the best of several."""
    if isinstance(data, dict) and "trials" in data:
        names = (*names, "trials")
    return Trained(**_checked(data, names))


def _with_bands(current: Any) -> Any:
    """A run that was going on, of a checkpoint that is older than correlated noise."""
    return {"bands": 1, "members": 1, **current} if isinstance(current, dict) else current


def _check_steps(account: Account, begun: int, step: int) -> None:
    """Sees that the runs are as long as their steps are many, and that there is one for each step.

    Raises:
        ValueError: steps are missing.
    """
    ranges = [(account.current.first, step)]
    for run in account.runs:
        if run.key is None:
            continue
        taken = run.end - run.first
        if not 0 < taken <= run.steps * run.steps_of_a_turn or run.end > step:
            wanted = f"a run of {run.steps} steps, up to step {step} of its checkpoint"
            raise _refused(wanted, f"one from step {run.first} to {run.end}")
        ranges.append((run.first, run.end))
    reached = begun
    for first, end in sorted(ranges):
        if first > reached:
            break
        reached = max(reached, end)
    if account.current.first > step or reached < step:
        wanted = f"a run for each step from {begun} to {step} of its checkpoint"
        raise _refused(wanted, f"none from step {reached} on")


def _checked_list(data: Any) -> list:
    if not isinstance(data, list) or len(data) > MOST_RUNS:
        raise _refused(f"a list of runs, at most {MOST_RUNS}", data)
    return data


def _checked(data: Any, names: Iterable[str]) -> dict[str, Any]:
    """A dict that has these names with plausible values."""
    if not isinstance(data, dict) or set(data) != set(names):
        raise _refused(f"a run with {', '.join(names)}", data)
    for name in names:
        wanted, is_right = CHECKS[name]
        if not is_right(data[name]):
            raise _refused(f"{wanted} as '{name}'", data[name])
    return data


def _refused(wanted: str, received: Any) -> ValueError:
    fix = "the file was damaged or changed: take another copy of it"
    return ValueError(explain(WHERE, wanted, repr(received)[:80], fix))
