"""Values by object: a dict whose keys are objects themselves, whatever `==` says of them."""

from collections.abc import Iterable, Iterator
from typing import Any, Self


class ByIdentity:
    """Values by object. Keys are compared by identity: they need not be hashable, and their `==`
    may compare elements. They stay alive as long as they are keys.

    >>> first, second = [1], [1]
    >>> values = ByIdentity([(first, "a")])
    >>> values.find(first), values.find(second)
    ('a', None)
    """

    def __init__(self, pairs: Iterable[tuple[Any, Any]] = ()) -> None:
        self._entries = {id(key): (key, value) for key, value in pairs}

    @classmethod
    def of_keys(cls, keys: Iterable[Any]) -> Self:
        """A set of objects: those without a value.

        >>> len(ByIdentity.of_keys([(), (), []]))
        2
        """
        return cls((key, None) for key in keys)

    def find(self, key: Any, default: Any = None) -> Any:
        """The value of an object; the default where it has none."""
        entry = self._entries.get(id(key))
        return default if entry is None else entry[1]

    def has(self, key: Any) -> bool:
        """Whether an object has a value here."""
        return id(key) in self._entries

    def set(self, key: Any, value: Any) -> None:
        """Sets the value of an object."""
        self._entries[id(key)] = key, value

    def drop(self, key: Any) -> None:
        """Removes an object, if it is here."""
        self._entries.pop(id(key), None)

    def keys(self) -> list:
        """The objects, each once, in their order."""
        return [key for key, _ in self._entries.values()]

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return iter(list(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)
