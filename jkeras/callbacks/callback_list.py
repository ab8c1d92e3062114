"""CallbackList: tells several callbacks of the course of a training."""

import collections
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from jkeras.callbacks.base import HOOKS, Callback
from jkeras.callbacks.history import History
from jkeras.callbacks.logs import Logs
from jkeras.callbacks.progress import ProgbarLogger
from jkeras.core.errors import InvalidLossError, readable
from jkeras.core.names.registry import public


@public("keras.callbacks.CallbackList")
class CallbackList(Callback):
    """Several callbacks as one.

    Args:
        callbacks: a callback or a list of them.
        add_history: add a `History` and set `model.history`.
        add_progbar: add a `ProgbarLogger`.
        model: the model they are called for.
        rows: of an epoch, where it is known: the `ProgbarLogger` shows rows per second.
        params: "epochs", "steps", "verbose".

    Raises:
        ValueError: something that is no callback.

    >>> CallbackList([Callback()], add_history=True).callbacks[1].history
    {}
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        *,
        rows: int | None = None,
        **params: Any,
    ) -> None:
        super().__init__()
        self.callbacks = _as_list(callbacks)
        history = self._last_of(History, add_history)
        if self._last_of(ProgbarLogger, add_progbar) is not None:
            for callback in self.callbacks:
                if isinstance(callback, ProgbarLogger):
                    callback.rows = rows
        self._sort()
        self.set_params(params)
        if model is not None:
            self.set_model(model)
            if history is not None:
                vars(model)["history"] = history

    def _last_of(self, kind: type, is_added: bool) -> Any:
        """The last callback of a kind, which is added where there is none and one is to be."""
        for callback in reversed(self.callbacks):
            if isinstance(callback, kind):
                return callback
        if is_added:
            self.callbacks.append(kind())
            return self.callbacks[-1]
        return None

    def append(self, callback: Any) -> None:
        """Adds a callback."""
        self.callbacks.append(callback)
        self._sort()
        callback.set_params(self.params)
        if self.model is not None:
            callback.set_model(self.model)

    def set_params(self, params: dict[str, Any]) -> None:
        """Hands the parameters on."""
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        """Hands the model on."""
        self._model = model
        for callback in self.callbacks:
            callback.set_model(model)

    def _sort(self) -> None:
        """Which callbacks look at batches of which kind; the others are not called for them."""
        self._looking = collections.defaultdict(list)
        for callback in self.callbacks:
            for kind in _kinds_of(callback):
                self._looking[kind].append(callback)

    def looks_at_batches(self, kind: str) -> bool:
        """Whether a callback is called for every batch of training ("train") or evaluation
        ("test").
        """
        return any(map(_looks_at_batches, self._looking[kind], itertools.repeat(kind)))

    def end_after(self, error: BaseException) -> None:
        """Tells the callbacks of the end of a training that an error ended; what they raise becomes
        a note of it. Of an `InvalidLossError` they are not called: a backup has to stay.
        """
        if not isinstance(error, InvalidLossError):
            self._notify_end({}, error)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Tells the callbacks, all of them; what the first one raises comes out then."""
        error = self._notify_end(dict(logs or {}))
        if error is not None:
            raise error

    def _notify_end(
        self, logs: dict[str, Any], error: BaseException | None = None
    ) -> BaseException | None:
        """The error, or the first that a callback raises; further ones become notes of it."""
        for callback in self.callbacks:
            try:
                callback.on_train_end(logs)
            except Exception as another:
                if error is None:
                    error = another
                else:
                    error.add_note(
                        f"{type(callback).__name__}.on_train_end: {type(another).__name__}: "
                        f"{another}"
                    )
        return error

    def get_state(self) -> dict[str, Any]:
        """What a checkpoint must remember, by the names of the callbacks' classes."""
        return {
            name: callback.get_state()
            for name, callback in self._by_name()
            if hasattr(callback, "get_state")
        }

    def set_state(self, states: dict[str, Any]) -> None:
        """Takes back what `get_state` gave, also where other callbacks stand beside it now."""
        for name, callback in self._by_name():
            if states.get(name):
                callback.set_state(states[name])

    def _by_name(self) -> Iterator[tuple[str, Any]]:
        counts = collections.Counter()
        for callback in self.callbacks:
            name = type(callback).__name__
            counts[name] += 1
            yield f"{name}_{counts[name]}", callback


def _as_list(callbacks: Any) -> list:
    """One callback or several as a new list.

    Raises:
        ValueError: something that is no callback.
    """
    if callbacks is None:
        return []
    if not isinstance(callbacks, (list, tuple)):
        callbacks = [callbacks]
    for callback in callbacks:
        if isinstance(callback, type):
            raise ValueError(
                "All elements of `callbacks` must be instances of Callback. Received the class "
                f"{callback.__name__}: write `{callback.__name__}()`."
            )
        if not all(hasattr(callback, name) for name in dir(Callback) if name.startswith("on_")):
            kind = type(callback).__name__
            raise ValueError(
                "All elements of `callbacks` must be instances of Callback. Received: "
                f"{readable(repr(callback), 100)} (of type {kind}). A class of your own begins "
                "`class Mine(callbacks.Callback):`."
            )
    return list(callbacks)


def _looks_at_batches(callback: Any, kind: str) -> bool:
    if isinstance(callback, CallbackList):
        return callback.looks_at_batches(kind)
    return getattr(callback, "every_batch", True)


def _kinds_of(callback: Any) -> list[str]:
    """The kinds of batches, of "train", "test" and "predict", for which a callback has methods."""
    if not isinstance(callback, Callback) or not frozenset(NAMES).isdisjoint(vars(callback)):
        return _kinds(tuple(getattr(callback, name) for name in NAMES))
    # by the methods, which a program may put into the class later
    return _kinds_of_class(tuple(map(getattr, itertools.repeat(type(callback)), NAMES)))


def _kinds(methods: tuple) -> list[str]:
    """The kinds of the methods by `NAMES` that are a callback's own."""
    own = [name for name, method in zip(NAMES, methods) if _overrides(method, name)]
    return [kind for kind, hooks in HOOKS.items() if not set(hooks).isdisjoint(own)]


NAMES = tuple(hook for hooks in HOOKS.values() for hook in hooks)
_kinds_of_class = functools.cache(_kinds)


def _overrides(method: Any, hook: str) -> bool:
    """Whether a method is a callback's own; those that Keras's `Callback` comes with are marked."""
    function = getattr(method, "__func__", method)
    return function is not getattr(Callback, hook) and not hasattr(method, "_is_default")


def _of_batches(kind: str, name: str) -> Callable[..., None]:
    """A method that tells those that look at batches of a kind; results are fetched when one of
    them reads them.
    """

    def hook(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if not self._looking[kind]:
            return
        logs = Logs(logs) if logs else {}
        for callback in self._looking[kind]:
            getattr(callback, name)(batch, logs=logs)

    return hook


def _of_epochs(name: str) -> Callable[..., None]:
    """A method with a number that tells every callback. What one of them adds to the logs, as a
    schedule does, those behind it see, and no others.
    """

    def hook(self, number: int, logs: dict[str, Any] | None = None) -> None:
        logs = dict(logs or {})
        for callback in self.callbacks:
            getattr(callback, name)(number, logs)

    return hook


def _of_all(name: str) -> Callable[..., None]:
    """A method that tells every callback."""

    def hook(self, logs: dict[str, Any] | None = None) -> None:
        logs = dict(logs or {})
        for callback in self.callbacks:
            getattr(callback, name)(logs)

    return hook


def _define() -> None:
    """Gives `CallbackList` its hooks."""
    hooks = {name: _of_batches(kind, name) for kind, names in HOOKS.items() for name in names}
    hooks |= {name: _of_epochs(name) for name in ("on_epoch_begin", "on_epoch_end")}
    hooks |= {
        f"on_{kind}_{end}": _of_all(f"on_{kind}_{end}")
        for kind in HOOKS
        for end in ("begin", "end")
    }
    del hooks["on_train_end"]  # it has its own
    for name, hook in hooks.items():
        hook.__name__ = name
        hook.__doc__ = "Tells the callbacks."
        setattr(CallbackList, name, hook)


_define()
