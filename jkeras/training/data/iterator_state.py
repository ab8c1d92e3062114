"""The state that an iterator tells of itself, as Grain's do: where it is, so that another one like
it can be put there at once.
"""

import collections.abc
import json
import re
import typing

from jkeras.core.errors import readable

# of an object in this process, as in the repr of a data source
ADDRESS = re.compile(r"(?<= at )0x[0-9a-fA-F]+")


class StateMisfit(ValueError):
    """The state of an iterator belongs to other data, or to data with other options.

    Its text shows parts of a file.
    """

    def __init__(self, text: str) -> None:
        super().__init__(readable(text, lines=False))


@typing.runtime_checkable
class Stateful(typing.Protocol):
    """An iterator that tells where it is; the state is JSON data, or bytes."""

    def get_state(self) -> typing.Any:
        """Where it is: after the last item that it gave."""

    def set_state(self, state: typing.Any) -> None:
        """Goes to where the state was taken."""


class IteratorState(typing.NamedTuple):
    """The state of an iterator, as it is written into checkpoints.

    Attributes:
        iterator: the name of its class.
        form: "json" or "bytes".
        text: the JSON, or the bytes in latin-1.
    """

    iterator: str
    form: str
    text: str


def state_of(iterator: collections.abc.Iterator) -> IteratorState | None:
    """A copy of the state of an iterator; None if it has none that a checkpoint can hold.

    >>> state_of(iter([]))
    """
    if not isinstance(iterator, Stateful):
        return None
    name = type(iterator).__name__
    try:
        state = iterator.get_state()
        if isinstance(state, bytes):
            return IteratorState(name, "bytes", state.decode("latin-1"))
        return IteratorState(name, "json", json.dumps(state))
    except (TypeError, ValueError, NotImplementedError):  # no JSON data, or no state after all
        return None


def put_back(iterator: collections.abc.Iterator, state: IteratorState) -> None:
    """Puts an iterator where the state was taken.

    Raises:
        StateMisfit: it is of another kind, or refuses the state.
    """
    fresh = state_of(iterator)
    if fresh is None:
        raise StateMisfit(
            f"it is the state of a {state.iterator}, and a {type(iterator).__name__} has no "
            "`get_state` and `set_state`"
        )
    if (fresh.iterator, fresh.form) != (state.iterator, state.form):
        raise StateMisfit(f"it is the state of a {state.iterator}; the data is {fresh.iterator}")
    text = _with_addresses(state.text, fresh.text)
    try:
        iterator.set_state(text.encode("latin-1") if state.form == "bytes" else json.loads(text))
    except Exception as error:  # whatever the iterator raises, the state is the cause
        words = "; ".join(_differences(text, fresh.text)) or f"{type(error).__name__}: {error}"
        raise StateMisfit(f"a {state.iterator} does not take it: {words}") from error


def _with_addresses(text: str, fresh: str) -> str:
    """A state with the addresses of this process: Grain compares the repr of a data source, which
    has one where its class defines none of its own.
    """
    here = ADDRESS.findall(fresh)
    if len(here) != len(ADDRESS.findall(text)):
        return text
    addresses = iter(here)
    return ADDRESS.sub(lambda match: next(addresses), text)


def _differences(text: str, fresh: str) -> list[str]:
    """In what two states in JSON differ beside the numbers that say where they are, in words."""
    try:
        was, now = json.loads(text), json.loads(fresh)
    except (RecursionError, ValueError):
        return []
    if not isinstance(was, dict) or not isinstance(now, dict):
        return []
    words = []
    if was.keys() != now.keys():
        words.append(f"it has {sorted(was)}, expected {sorted(now)}")
    for name in was.keys() & now.keys():
        is_option = isinstance(was[name], str) or name == "worker_count"
        if is_option and was[name] != now[name]:
            words.append(f"`{name}` was {was[name]}, and is {now[name]}")
    return sorted(words)
