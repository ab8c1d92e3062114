"""New values for many variables, which Ctrl-C does not part."""

import collections.abc
import typing

import jax

from jkeras.core.signals import Signals


def assign_all(pairs: collections.abc.Iterable[tuple[typing.Any, typing.Any]]) -> None:
    """Gives variables new values. Ctrl-C waits until all have theirs. Old ones go one by one, so
    that a device need not hold both.

    Args:
        pairs: (variable, array), of fitting shapes.

    >>> import jkeras
    >>> a, b = jkeras.Variable(1.0), jkeras.Variable(2.0)
    >>> assign_all([(a, 3.0), (b, 4.0)])
    >>> float(a.value), float(b.value)
    (3.0, 4.0)
    """
    with Signals():
        for variable, value in pairs:
            # each device gets its part alone: none has to hold all of it
            variable.assign(jax.device_put(variable.placed(value)))
