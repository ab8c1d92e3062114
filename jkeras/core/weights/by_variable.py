"""Values by variable: a dict whose keys are variables, by their identity."""

from collections.abc import Iterable, Iterator
from typing import Any


class ByVariable:
    """Values by variable. Keys are compared by identity, since `==` compares its elements.

    >>> import jkeras
    >>> first, second = jkeras.Variable(1.0), jkeras.Variable(1.0)
    >>> values = ByVariable([(first, "a")])
    >>> values.find(first), values.find(second)
    ('a', None)
    """

    def __init__(self, pairs: Iterable[tuple[Any, Any]] = ()):
        self._entries = {id(variable): (variable, value) for variable, value in pairs}

    def find(self, variable: Any) -> Any:
        """The value of a variable; None where it has none."""
        entry = self._entries.get(id(variable))
        return None if entry is None else entry[1]

    def has(self, variable: Any) -> bool:
        """Whether a variable has a value here."""
        return id(variable) in self._entries

    def set(self, variable: Any, value: Any) -> None:
        """Sets the value of a variable."""
        self._entries[id(variable)] = variable, value

    def of(self, variables: Iterable[Any]) -> list:
        """The values of some variables, which must be here."""
        return [self._entries[id(variable)][1] for variable in variables]

    def updated(self, other: "ByVariable") -> "ByVariable":
        """The values of both; those of the other win."""
        return ByVariable([*self, *other])

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return iter(list(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)


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
    if isinstance(variables, ByVariable):
        return {id(variable) for variable, _ in variables}
    return set(map(id, variables))


def unique(variables: Iterable[Any]) -> list:
    """Variables, each once, in their order."""
    return list({id(variable): variable for variable in variables}.values())
