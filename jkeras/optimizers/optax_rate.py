"""The learning rate inside an optax transformation, where it can be seen.

optax keeps a rate in the state only under `inject_hyperparams`. A schedule that was passed to an
optimizer of optax is a function inside its `update`; the state counts the steps. Where a version of
optax is built otherwise, the rate is not seen, and nothing else changes.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax

MAKER = "scale_by_learning_rate"  # the function of optax that closes over the schedule


def scheduled_rate(transformation: Any, state: Any) -> jax.Array | None:
    """The rate of the step that comes after a state of optax; None where it is not seen."""
    schedule, count = schedule_of(transformation), steps_counted(state)
    if schedule is None or count is None:
        return None
    return schedule(count)


def schedule_of(transformation: Any) -> Callable[[jax.Array], jax.Array] | None:
    """The one schedule that a transformation scales its updates by; None: there is none, or there
    are several.

    >>> import optax
    >>> schedule_of(optax.adam(optax.linear_schedule(1.0, 0.0, 4)))(1)
    Array(0.75, dtype=float32, weak_type=True)
    >>> schedule_of(optax.adam(0.1))
    """
    schedules = {id(schedule): schedule for schedule in _schedules(transformation.update, set())}
    if len(schedules) != 1:
        return None
    return next(iter(schedules.values()))


def _schedules(function: Callable, seen: set[int]) -> Iterator[Callable]:
    """The schedules that a function and those in its closure hold."""
    if id(function) in seen or not hasattr(function, "__code__"):
        return
    seen.add(id(function))
    for name, value in _closure(function):
        if name == "learning_rate" and callable(value):
            if function.__qualname__.startswith(f"{MAKER}."):
                yield value
                continue
        for inner in _functions(value):
            yield from _schedules(inner, seen)


def _closure(function: Callable) -> Iterator[tuple[str, Any]]:
    """(name, value) of what a function closes over."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not filled yet
            continue


def _functions(value: Any) -> list[Callable]:
    """The functions that a value is or holds."""
    if hasattr(value, "init") and hasattr(value, "update"):
        return [value.update]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [function for entry in value for function in _functions(entry)]
    if callable(value):
        return [value]
    return []


def steps_counted(state: Any) -> jax.Array | None:
    """What the one counter of a schedule in a state of optax says; None: there is none, or there
    are several.
    """
    import optax

    is_counter = lambda part: isinstance(part, optax.ScaleByScheduleState)  # noqa: E731
    parts = jax.tree.leaves(state, is_leaf=is_counter)
    counters = [part.count for part in parts if is_counter(part)]
    if len(counters) != 1:
        return None
    return counters[0]
