"""Values by variable, and lists of variables compared by their identity."""

from collections.abc import Iterable
from typing import Any

from jkeras.core.graph.by_identity import ByIdentity


class ByVariable(ByIdentity):
    """Values by variable. Keys are compared by identity, since `==` compares its elements.

    >>> import jkeras
    >>> first, second = jkeras.Variable(1.0), jkeras.Variable(1.0)
    >>> values = ByVariable([(first, "a")])
    >>> values.find(first), values.find(second)
    ('a', None)
    """

    def of(self, variables: Iterable[Any]) -> list:
        """The values of some variables, which must be here."""
        return [self._entries[id(variable)][1] for variable in variables]

    def updated(self, other: "ByVariable") -> "ByVariable":
        """The values of both; those of the other win."""
        return ByVariable([*self, *other])


def among(variables: Iterable[Any], others: Any) -> list:
    """Those of some variables that are among others: a list of variables, or a `ByVariable`.

    >>> import jkeras
    >>> first, second = jkeras.Variable(1.0), jkeras.Variable(1.0)
    >>> len(among([first, second], [second])), among([first], [second])
    (1, [])
    """
    there = _identities(others)
    return [variable for variable in variables if id(variable) in there]


def without(variables: Iterable[Any], others: Any) -> list:
    """Those of some variables that are not among others."""
    there = _identities(others)
    return [variable for variable in variables if id(variable) not in there]


def _identities(variables):
    return set(map(id, variables.keys() if isinstance(variables, ByVariable) else variables))


def unique(variables: Iterable[Any]) -> list:
    """Variables, each once, in their order."""
    return list({id(variable): variable for variable in variables}.values())
