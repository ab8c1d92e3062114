"""One class for each explained error. A message says where, what came, what was expected, what to
do.
"""

import contextlib
import difflib
import math
import numbers
import operator
from collections.abc import Iterable, Iterator
from typing import Any


class NotBuiltError(ValueError):
    """Weights were asked for before there was an input shape."""


class NotCompiledError(ValueError):
    """Training was asked for before `compile`."""


class InvalidLossError(RuntimeError):
    """A loss is NaN or infinite, and the training is to end as if it were cut off."""


class StateWriteError(RuntimeError):
    """A variable was written where the write would be lost or would leak a tracer."""


class RandomKeyError(ValueError):
    """A random layer ran in training mode without a key."""


class StepError(Exception):
    """What a compiled step does is wrong in a way that only the numbers show.

    Attributes:
        rows: of the batch, those that it is about, as far as that is known.
        count: how many rows the batch had there.
    """

    rows: tuple[int, ...] = ()
    count = 0


class SerializationError(ValueError):
    """A config names something unknown, or holds what is not allowed."""


class MissingFileError(SerializationError, FileNotFoundError):
    """There is no such file. Keras raises the one for `.keras` files, the other for `.h5`."""


class UnreadableFileError(SerializationError, PermissionError):
    """A file may not be read by this user."""


class ExportError(ValueError):
    """What no program of arrays can do was to be exported: texts, state, random numbers, Python on
    the host.
    """


class ConfigError(SerializationError, TypeError):
    """A class does not take its config. Keras raises TypeError there."""


class UnknownNameError(SerializationError, TypeError):
    """A config names an unknown class or function."""


class ShapeError(ValueError, TypeError, IndexError):
    """Shapes, or sequences of numbers for axes, that do not go together. Keras raises one of the
    three, by accident.
    """


class PaddingError(ValueError, RuntimeError):
    """A padding that does not exist. Keras raises the first where it looks at it, and leaves the
    second to XLA.
    """


class DtypeError(ValueError, TypeError):
    """What was passed as a dtype is none. Keras raises the one or the other, depending on who looks
    at it first.
    """


class ArgumentError(ValueError, TypeError):
    """An argument is not of the kind that is taken. Keras raises the one or the other, by accident
    where it does not look at the argument.
    """


class GraphCallError(ValueError, TypeError, IndexError):
    """An op was called on symbolic tensors whose shapes or dtypes it does not take.

    Keras's own rules for such calls raise one of the three, now this, now that; whoever catches it,
    catches this one.
    """


class LostMaskWarning(UserWarning):
    """The mask of padding is lost in a graph, and a layer behind would have heeded it."""


class AxisError(ValueError, IndexError):
    """An axis lies outside of the input's."""


LONGEST_MESSAGE = 2000  # characters of a file that a message shows


def readable(value: Any, longest: int = LONGEST_MESSAGE, lines: bool = True):
    r"""A text, or what an error says, parts of a file among it: cut where it is long, and without
    what a terminal takes for commands.

    Args:
        value: shown as `str` does.
        longest: characters.
        lines: keep the ends of lines.

    >>> readable(ValueError("red \x1b[31m"))
    'red \\x1b[31m'
    >>> readable("abc", longest=2)
    'ab …'
    """
    text = str(value)
    if len(text) > longest:
        text = f"{text[:longest]} …"
    if text.isprintable():
        return text
    allowed = "\n" if lines else ""
    shown = (
        c if c.isprintable() or c in allowed else c.encode("unicode_escape").decode() for c in text
    )
    return "".join(shown)


def make_readable(error: Exception):
    """Makes the texts of an error `readable`; it stays the same error."""
    error.args = tuple(readable(arg) if isinstance(arg, str) else arg for arg in error.args)


@contextlib.contextmanager
def about(subject: str) -> Iterator[None]:
    """In the block, messages of errors begin with what they are about; one that holds no text, such
    as KeyError its key, gets a note.

    >>> with about("`validation_data`"):
    ...     raise ValueError("no labels")
    Traceback (most recent call last):
    ValueError: `validation_data`: no labels
    """
    try:
        yield
    except Exception as error:
        if len(error.args) == 1 and isinstance(error.args[0], str):
            if not isinstance(error, KeyError):
                error.args = (f"{subject}: {error.args[0]}",)
                raise
        error.add_note(f"This happened in {subject}.")
        raise


def explain(where: str, expected: str, received: Any, fix: str | None = None):
    """The common form of a message.

    >>> explain("Dense 'head'", "2 or more axes", "shape (3,)", "add a batch axis")
    "Dense 'head': expected 2 or more axes, received shape (3,). To fix it: add a batch axis."
    """
    text = f"{where}: expected {expected}, received {received}."
    return f"{text} To fix it: {fix}." if fix else text


def violated(where: str, rule: str, received: Any, fix: str | None = None):
    """A message that names a rule in the words that people know, and search for.

    >>> violated("Layer 'hashing'", "`num_bins` cannot be `None`", "num_bins=None")
    "Layer 'hashing': `num_bins` cannot be `None`. Received: num_bins=None."
    """
    text = f"{where}: {rule}. Received: {received}."
    if fix is None:
        return text
    return f"{text} To fix it: {fix}."


def suggestion(value: Any, names: Iterable[str]):
    """Ends a message with " Did you mean 'relu'?" where one of the names is close to what came,
    else with nothing.

    Args:
        value: what came in place of a name, or a dict or list of such.
        names: the names there are; those that are no strings do not count.

    >>> suggestion("rellu", ["relu", "elu", "tanh"])
    " Did you mean 'relu'?"
    >>> suggestion("gaussian", ["relu", "elu", "tanh"]), suggestion(3, ["relu"])
    ('', '')
    """
    if isinstance(value, (dict, list)):
        return next(filter(None, (suggestion(name, names) for name in value)), "")
    if not isinstance(value, str):
        return ""
    lowered = {name.lower(): name for name in names if isinstance(name, str)}
    close = difflib.get_close_matches(value.lower(), lowered, n=1)
    return f" Did you mean {lowered[close[0]]!r}?" if close else ""


def check_choice(
    argument: str,
    value: Any,
    choices: Iterable[Any],
    where: str | None = None,
    error: type[Exception] = ValueError,
):
    """Raises where the value of an argument is none of the choices; says which name was meant if
    one is close.

    >>> check_choice("padding", "same", ("valid", "same"))
    >>> check_choice("padding", "smae", ("valid", "same"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: Invalid value for argument `padding`. Expected one of ('valid', 'same'), ...
    """
    choices = tuple(choices)
    if value not in choices:
        raise error(
            f"{f'{where}: ' if where else ''}Invalid value for argument `{argument}`. Expected one "
            f"of {choices}, received {argument}={value!r}.{suggestion(value, choices)}"
        )


def place_of(layer: Any) -> str:
    """What messages call a layer: "Layer 'net/dense' (Dense)"."""
    return layer._where


def check_name(name: Any) -> None:
    """Raises for a name that a layer or operation cannot have; None is one that is made."""
    if name is None:
        return
    if not isinstance(name, str) or "/" in name:
        raise ValueError(
            "Argument `name` must be a string and cannot contain character `/`. "
            f"Received: name={name}"
        )


def check_number(argument: str, value: Any) -> None:
    """Raises where the value of an argument is no number that can be compared, such as NaN; one of
    JAX's, which may be traced, is.

    >>> check_number("rate", 0.5)
    >>> check_number("rate", "a")
    Traceback (most recent call last):
    jkeras.core.errors.ArgumentError: `rate` must be a number. Received: rate='a'
    """
    is_number = hasattr(value, "__array__") or isinstance(value, numbers.Real)
    is_nan = isinstance(value, float) and math.isnan(value)
    if not is_number or is_nan:
        raise ArgumentError(f"`{argument}` must be a number. Received: {argument}={value!r}")


def check_whole(argument: str, value: Any, at_least: int | None = None) -> None:
    """Raises where the value of an argument is no whole number, or below another.

    >>> check_whole("epochs", 3)
    >>> check_whole("epochs", 1.5)
    Traceback (most recent call last):
    jkeras.core.errors.ArgumentError: `epochs` must be a whole number. Received: epochs=1.5
    """
    expected = "a whole number" if at_least is None else f"a whole number of at least {at_least}"
    try:
        fits = at_least is None or operator.index(value) >= at_least
        operator.index(value)
    except TypeError:
        fits = False
    if not fits:
        raise ArgumentError(f"`{argument}` must be {expected}. Received: {argument}={value!r}")
