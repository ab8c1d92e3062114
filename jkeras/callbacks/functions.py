"""LambdaCallback: functions as a callback."""

from collections.abc import Callable
from typing import Any

from jkeras.callbacks.base import HOOKS, Callback
from jkeras.core.names.registry import public


@public("keras.callbacks.LambdaCallback")
class LambdaCallback(Callback):
    """A callback made of functions, each with the arguments of the method it stands for.

    Args:
        on_epoch_begin, on_epoch_end: `(epoch, logs)`.
        on_train_begin, on_train_end: `(logs)`.
        on_train_batch_begin, on_train_batch_end: `(batch, logs)`; the second has this name.
        kwargs: further methods of `Callback`.

    >>> LambdaCallback(on_train_begin=lambda logs: print("begin")).on_train_begin(None)
    begin
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        functions = dict(
            on_epoch_begin=on_epoch_begin,
            on_epoch_end=on_epoch_end,
            on_train_begin=on_train_begin,
            on_train_end=on_train_end,
            on_train_batch_begin=on_train_batch_begin,
            on_train_batch_end=on_train_batch_end,
            **kwargs,
        )
        hooks = {name: function for name, function in functions.items() if function is not None}
        vars(self).update(hooks)
        self.every_batch = any(hook in hooks for hook in (*HOOKS["train"], *HOOKS["test"]))
