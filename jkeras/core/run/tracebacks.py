"""Errors inside a user's own code: which layer was called with what, and a traceback without the
frames of jkeras and JAX.
"""

import contextlib
import functools
import inspect
import traceback
import types
import typing
from collections.abc import Iterator

import jax

from jkeras.core.run.building import known
from jkeras.core.errors import suggestion
from jkeras.core.names.registry import Thing
from jkeras.core.say.warning import MACHINERY
from jkeras.core.session.settings import is_traceback_filtering_enabled

BEGINNING = "Exception encountered when calling "
IS_NAMED = "_keras_call_info_injected"  # what libraries ask an error for
UNEXPECTED = "{}() got an unexpected keyword argument '{}'"  # Python's words


def leave_out_own_frames(error: Exception) -> None:
    """Drops the frames of jkeras and JAX from an error's traceback; the innermost one stays where
    there are no others.

    `jkeras.config.disable_traceback_filtering()` keeps them.

    >>> try:
    ...     raise ValueError("no")
    ... except ValueError as error:
    ...     leave_out_own_frames(error)
    ...     print(error.__traceback__.tb_next)
    None
    """
    if not is_traceback_filtering_enabled():
        return
    frames = list(traceback.walk_tb(error.__traceback__))
    kept = None
    for frame, line in reversed(list(_of_others(frames)) or frames[-1:]):
        kept = types.TracebackType(kept, frame, frame.f_lasti, line)
    error.__traceback__ = kept


def _of_others(frames: list) -> Iterator[tuple]:
    """Those of (frame, line) pairs that are not of jkeras and JAX, nor of a block that these begin
    with `contextlib`.
    """
    was_own = False
    for at in frames:
        file = at[0].f_code.co_filename
        if file != contextlib.__file__ or not was_own:
            was_own = file.startswith(MACHINERY)
        if not was_own:
            yield at


def without_own_frames(method: Thing) -> Thing:
    """Decorator: errors of a method of a layer are shown without the frames of jkeras and JAX; that
    of an argument it does not have says which one was meant.
    """

    @functools.wraps(method)
    def shown(*args: typing.Any, **kwargs: typing.Any) -> typing.Any:
        try:
            return method(*args, **kwargs)
        except Exception as error:
            if isinstance(error, AttributeError) and "_scope" not in vars(args[0]):
                raise not_initialized(args[0]) from None
            if isinstance(error, TypeError):
                _suggest_argument(error, method, kwargs)
            leave_out_own_frames(error)
            raise

    return shown


def not_initialized(layer: typing.Any) -> RuntimeError:
    """The error for a layer whose class did not call the constructor of `Layer`."""
    return RuntimeError(
        f"Layer {type(layer).__name__}: its `__init__()` sets attributes before that of `Layer` "
        "ran; you forgot to call `super().__init__()`, which comes first."
    )


def _suggest_argument(error, method, kwargs):
    """Adds what was meant to the error of an argument that a function does not have."""
    known = inspect.signature(method).parameters
    name = next((name for name in kwargs if name not in known), None)
    if name is not None and error.args == (UNEXPECTED.format(method.__qualname__, name),):
        error.args = (f"{error}.{suggestion(name, known)}",)


# ---------------------------------------------------------------- which layer, called with what


def name_call(error: Exception, layer, arguments: dict, is_abstract: bool = False) -> None:
    """Says in an error's message which layer was called, and with what; the innermost one counts.

    An error that holds no text, such as KeyError its key, gets it as a note.

    Args:
        layer: whose `call` or `forward` raised the error.
        arguments: of the call, by name.
        is_abstract: whether sizes may stand for unknown ones.

    >>> import jkeras
    >>> error = ValueError("no")
    >>> name_call(error, jkeras.layers.Dense(2, name="head"), {"x": jax.numpy.ones((2, 3))})
    >>> print(error)
    Exception encountered when calling Dense.forward() of layer 'head'.
    <BLANKLINE>
    no
    <BLANKLINE>
    Arguments received by Dense.forward():
      • x=Array(shape=(2, 3), dtype=float32)
    """
    function = f"{type(layer).__name__}.{'call' if layer.is_lifted() else 'forward'}()"
    _name_function(error, function, f" of layer '{layer.path}'", arguments, is_abstract)


def name_call_of_user(error: Exception, layer, arguments: dict, is_abstract: bool = False) -> None:
    """The same, but for a layer of jkeras's own, whose errors say where they come from."""
    if not is_built_in(layer):
        name_call(error, layer, arguments, is_abstract)


def name_operation(error: Exception, operation, args: tuple, kwargs: dict) -> None:
    """The same of an operation that is no layer, where `call` takes the arguments."""
    try:
        given = inspect.signature(operation.call).bind(*args, **kwargs)
    except TypeError:
        return
    given.apply_defaults()
    _name_function(error, f"{type(operation).__name__}.call()", "", given.arguments)


def _name_function(
    error: Exception, function: str, owner: str, arguments: dict, is_abstract: bool = False
) -> None:
    if not is_traceback_filtering_enabled() or _is_named(error):
        return
    with contextlib.suppress(Exception):  # an error may refuse attributes in its own way
        setattr(error, IS_NAMED, True)
    place = f"{BEGINNING}{function}{owner}."
    received = "\n".join(
        f"  • {name}={described(value, is_abstract)}" for name, value in arguments.items()
    )
    received = f"Arguments received by {function}:\n{received}"
    if len(error.args) == 1 and isinstance(error.args[0], str) and not isinstance(error, KeyError):
        error.args = (f"{place}\n\n{error}\n\n{received}",)
    else:
        error.add_note(f"{place}\n\n{received}")


def is_built_in(layer) -> bool:
    """Whether a layer is of jkeras's own, whose errors say where they come from.

    >>> import jkeras
    >>> is_built_in(jkeras.layers.Dense(2))
    True
    """
    return is_built_in_class(type(layer))


@functools.cache  # asked at every call of a layer
def is_built_in_class(cls) -> bool:
    """The same of a class."""
    return cls.__module__.startswith("jkeras.")


def _is_named(error):
    texts = [*error.args[:1], *getattr(error, "__notes__", ())]
    return any(isinstance(text, str) and text.startswith(BEGINNING) for text in texts)


def described(value, is_abstract: bool = False) -> str:
    """A call's argument as messages show it: arrays by shape and dtype.

    >>> described([jax.numpy.ones(2), None, "same"])
    "[Array(shape=(2,), dtype=float32), None, 'same']"
    """
    if isinstance(value, jax.Array):
        shape = tuple(value.shape)
        if is_abstract:
            shape = known(shape)
        return f"Array(shape={shape}, dtype={value.dtype})"
    if isinstance(value, dict):
        items = [f"{key!r}: {described(item, is_abstract)}" for key, item in value.items()]
        return "{" + ", ".join(items) + "}"
    if isinstance(value, (list, tuple)):
        items = ", ".join(described(item, is_abstract) for item in value)
        return f"[{items}]" if isinstance(value, list) else f"({items})"
    return _short(repr(value))


def _short(text, most=200):
    """A text cut after so many characters."""
    return text if len(text) <= most else f"{text[:most]}…"
