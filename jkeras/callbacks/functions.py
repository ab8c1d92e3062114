"""LambdaCallback: functions as a callback."""

from jkeras.callbacks.base import TEST_HOOKS, TRAIN_HOOKS, Callback
from jkeras.core.registry import public


@public("keras.callbacks.LambdaCallback")
class LambdaCallback(Callback):
    """A callback made of functions, each with the arguments of the method it stands for.

    Args:
        on_epoch_begin, on_epoch_end: `(epoch, logs)`.
        on_train_begin, on_train_end: `(logs)`.
        on_train_batch_begin, on_train_batch_end: `(batch, logs)`.
        kwargs: further methods of `Callback`.

    >>> LambdaCallback(on_train_begin=lambda logs: print("begin")).on_train_begin(None)
    begin
    """

    def __init__(self, on_epoch_begin=None, on_epoch_end=None, on_train_begin=None, on_train_end=None,
                 on_train_batch_begin=None, on_train_batch_end=None, **kwargs):
        super().__init__()
        functions = dict(on_epoch_begin=on_epoch_begin, on_epoch_end=on_epoch_end, on_train_begin=on_train_begin,
                         on_train_end=on_train_end, on_train_batch_begin=on_train_batch_begin,
                         on_train_batch_end=on_train_batch_end, **kwargs)
        for name, function in functions.items():
            if function is not None:
                setattr(self, name, _positional(function))
        self.every_batch = any(functions.get(h) is not None for h in (*TRAIN_HOOKS, *TEST_HOOKS))


def _positional(function):
    """Callbacks are told `logs` by name; functions of the user take it by position."""
    def told(*args, logs=None):
        return function(*args) if logs is None and _takes(function) == len(args) else function(*args, logs)
    return told


def _takes(function):
    import inspect

    return len(inspect.signature(function).parameters)
