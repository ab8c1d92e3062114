"""New values for many variables: all of them or none, whatever comes in between."""

import collections.abc
import typing

import jax

from jkeras.core.system.signals import Signals


def assign_all(pairs: collections.abc.Iterable[tuple[typing.Any, typing.Any]]) -> None:
    """Gives variables new values. Ctrl-C waits until all have theirs; after an error all have their
    old ones.

    Old values on an accelerator, which may have no room for both, are not held: there only Ctrl-C
    is guarded against.

    Args:
        pairs: (variable, array), of fitting shapes.

    >>> import jkeras
    >>> a, b = jkeras.Variable(1.0), jkeras.Variable(2.0)
    >>> assign_all([(a, 3.0), (b, 4.0)])
    >>> float(a.value), float(b.value)
    (3.0, 4.0)
    """
    before = []  # (variable, what it held)
    with Signals() as signals:
        signals.busy = lambda: True  # a second Ctrl-C waits too
        try:
            for variable, value in pairs:
                if _has_room(variable.held):
                    before.append((variable, variable.held))
                variable.assign(value)
        except BaseException:
            for variable, held in reversed(before):
                variable.held = held
            raise


def load_all(pairs: collections.abc.Iterable[tuple[typing.Any, typing.Any]]) -> None:
    """`assign_all` of arrays with no other owner, such as those of a file; each device gets its
    part alone, none has to hold all of one.
    """
    assign_all((variable, jax.device_put(variable.placed(value))) for variable, value in pairs)


def _has_room(held):
    """Whether there is room for what a variable holds beside its new value."""
    if not isinstance(held, jax.Array):
        return True
    return all(device.platform == "cpu" for device in held.sharding.device_set)
