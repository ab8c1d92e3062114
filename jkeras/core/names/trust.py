"""Whether a config that is read may be anybody's, and what is refused then beside what `limits.py`
says of its numbers.
"""

import contextlib
import contextvars
import re

from jkeras.core.errors import SerializationError, readable
from jkeras.core.names.limits import too_large

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

# of a config being read: whether it is to be trusted
_loading = contextvars.ContextVar("loading", default=None)
_shared = contextvars.ContextVar("shared_objects", default=None)
_process = contextvars.ContextVar("in_process", default=None)


@contextlib.contextmanager
def loading(safe_mode=True):
    """Inside this block a config is read; with `safe_mode=False`, here or further out, one that is
    trusted.
    """
    token = _loading.set("trusted" if not safe_mode or _loading.get() == "trusted" else "untrusted")
    try:
        yield
    finally:
        _loading.reset(token)


def is_untrusted():
    """Whether what is being made comes from a config that may be anybody's."""
    return _loading.get() == "untrusted" and not is_in_process()


def refuse_untrusted(what, way_out):
    """Raises where a config that may be anybody's asks for something that reaches beyond it.

    Raises:
        SerializationError: says what it was, and the way out.
    """
    if is_untrusted():
        raise SerializationError(
            f"It asks for {what}, which is not done for a file that may be anybody's. {way_out} "
            "If you trust it as you trust a program, load it with `safe_mode=False`."
        )


@contextlib.contextmanager
def in_process():
    """Inside this block configs are for this process alone: functions in them stay what they are,
    and classes that were met are resolved again, registered or not. For copies, never for files.
    """
    token = _process.set({})
    try:
        yield
    finally:
        _process.reset(token)


def is_in_process():
    """Whether configs are for this process alone."""
    return _process.get() is not None


@contextlib.contextmanager
def sharing():
    """Inside this block an object met twice is written once and read back as one object."""
    token = _shared.set({})
    try:
        yield
    finally:
        _shared.reset(token)


def is_trusted():
    """Whether what is being made comes from a config that the caller said to trust."""
    return _loading.get() == "trusted"


def met_in_process():
    """{name: class} of the classes that were met in an `in_process` block; None outside of one."""
    return _process.get()


def shared_objects():
    """What was met in a `sharing` block; None outside of one."""
    return _shared.get()


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


def check_entries(name, config, supported):
    """Raises for an entry of a config that may be anybody's whose meaning is unknown."""
    unknown = sorted(map(str, config.keys() - supported))
    if unknown and is_untrusted():
        raise SerializationError(
            f"{shown(name)} has the entry {shown(repr(unknown[0]))}, which is not known: a newer "
            f"version wrote it. Expected some of {sorted(supported)}."
        )


CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def check_name(name):
    """Raises for a name that a terminal, on which a summary shows it, takes for commands."""
    if isinstance(name, str) and CONTROL.search(name):
        raise SerializationError(f"A name has control characters: {shown(repr(name))}.")


def shown(config):
    """A config in a message: as much as can be read."""
    return readable(config, LONGEST_SHOWN)
