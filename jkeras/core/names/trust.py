"""Whether a config that is read may be anybody's, and what is refused then beside what `limits.py`
says of its numbers.
"""

import contextlib
import contextvars
import re
import typing
from collections.abc import Iterator, Set

from jkeras.core.errors import SerializationError, readable
from jkeras.core.names.limits import LIMITED, check_numbers, too_large

Config = dict[str, typing.Any]
MOST_OUTPUTS = 2**16  # of one call: a graph names each by its number
LARGEST_TABLE = 10**7  # elements of what is made on the host for one call
LONGEST_SHOWN = 500  # characters of a config in a message
# what stands beside the config of an object
ENTRIES = {
    "module",
    "class_name",
    "config",
    "registered_name",
    "build_config",
    "compile_config",
    "shared_object_id",
    "name",
    "inbound_nodes",  # this and the name are of a graph's
    "private",  # a model that was compiled with privacy, see `jkeras.privacy`
    "keras_version",  # these two of a text of Keras 2, and of no effect
    "backend",
}


class _Around(typing.NamedTuple):
    """What is around the configs that are read or written now.

    Attributes:
        trust: of a config being read, "trusted" or "untrusted".
        shared: what was met in a `sharing` block.
        in_process: {registered name: class} of the classes met in an `in_process` block.
        scopes: dicts of custom objects, the innermost last.
    """

    trust: str | None = None
    shared: dict | None = None
    in_process: dict[str, type] | None = None
    scopes: tuple[dict[str, typing.Any], ...] = ()


_NOTHING = _Around()
_around = contextvars.ContextVar("jkeras_configs", default=_NOTHING)


@contextlib.contextmanager
def _with(**changes: typing.Any) -> Iterator[None]:
    """Inside this block some of what is around is other; the rest is left to other blocks."""
    before = _around.get()
    _around.set(before._replace(**changes))
    try:
        yield
    finally:
        old = {name: getattr(before, name) for name in changes}
        _around.set(_around.get()._replace(**old))


def loading(safe_mode: bool = True) -> contextlib.AbstractContextManager[None]:
    """Inside this block a config is read; with `safe_mode=False`, here or further out, one that is
    trusted.
    """
    before = _around.get().trust
    trust = "trusted" if not safe_mode or before == "trusted" else "untrusted"
    return contextlib.nullcontext() if trust == before else _with(trust=trust)


def is_untrusted() -> bool:
    """Whether what is being made comes from a config that may be anybody's."""
    around = _around.get()
    return around.trust == "untrusted" and around.in_process is None


def refuse_untrusted(what: str, way_out: str) -> None:
    """Raises where a config that may be anybody's asks for something that reaches beyond it.

    Raises:
        SerializationError: says what it was, and the way out.
    """
    if is_untrusted():
        raise SerializationError(
            f"It asks for {what}, which is not done for a file that may be anybody's. {way_out} "
            "If you trust it as you trust a program, load it with `safe_mode=False`."
        )


def in_process() -> contextlib.AbstractContextManager[None]:
    """Inside this block configs are for this process alone: functions in them stay what they are,
    and classes that were met are resolved again, registered or not. For copies, never for files.
    """
    return _with(in_process={})


def is_in_process() -> bool:
    """Whether configs are for this process alone."""
    return _around.get().in_process is not None


def sharing() -> contextlib.AbstractContextManager[None]:
    """Inside this block an object met twice is written once and read back as one object."""
    return _with(shared={})


def is_trusted() -> bool:
    """Whether what is being made comes from a config that the caller said to trust."""
    return _around.get().trust == "trusted"


def met_in_process() -> dict[str, type] | None:
    """{registered name: class} of the classes that were met in an `in_process` block; None outside
    of one.
    """
    return _around.get().in_process


def shared_objects() -> dict | None:
    """What was met in a `sharing` block; None outside of one."""
    return _around.get().shared


def scopes() -> tuple[dict[str, typing.Any], ...]:
    """The dicts of custom objects of the scopes that are around, the innermost last."""
    return _around.get().scopes


def in_scope(
    custom_objects: dict[str, typing.Any] | None,
) -> contextlib.AbstractContextManager[None]:
    """Inside this block a dict of custom objects is the innermost scope, if there is one."""
    if custom_objects is None:
        return contextlib.nullcontext()
    return _with(scopes=(*scopes(), custom_objects))


# ---------------------------------------------------------------- what is refused


def check_count(name: str, what: str, count: int, most: int) -> None:
    """Raises a SerializationError where a config that may be anybody's leads to more of something
    than is made for it; a model of one's own, built by code, has no limit.

    Args:
        name: of the op or layer.
        what: is counted, in words.
    """
    if count > most and is_untrusted():
        raise too_large(name, f"{count} {what}", most)


def check_object(name: str, config: Config, arguments: Config) -> None:
    """Raises for what the config of an object that may be anybody's must not have.

    Args:
        name: of its class.
        arguments: of its constructor.
    """
    if not config.keys() <= ENTRIES:
        check_entries(name, config, ENTRIES)
    if not LIMITED.isdisjoint(arguments):
        check_numbers(name, arguments)
    check_name(arguments.get("name"))


def check_entries(name: str, config: Config, supported: Set[str]) -> None:
    """Raises for an entry of a config that may be anybody's whose meaning is unknown."""
    unknown = sorted(map(str, config.keys() - supported))
    if unknown and is_untrusted():
        raise SerializationError(
            f"{shown(name)} has the entry {shown(repr(unknown[0]))}, which is not known: a newer "
            f"version wrote it. Expected some of {sorted(supported)}."
        )


CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def check_name(name: object) -> None:
    """Raises for a name that a terminal, on which a summary shows it, takes for commands."""
    if isinstance(name, str) and CONTROL.search(name):
        raise SerializationError(f"A name has control characters: {shown(repr(name))}.")


def shown(config: object) -> str:
    """A config in a message: as much as can be read."""
    return readable(config, LONGEST_SHOWN)
