"""History: the results of each epoch, what `fit` returns."""

import numbers
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from jkeras.callbacks.base import Callback
from jkeras.core.names.registry import public


@public("keras.callbacks.History")
class History(Callback):
    """Remembers the logs of each epoch: `history` has a list for each name, `epoch` the epochs'
    numbers.

    Given to a second `fit`, the lists of `history` go on, and `epoch` starts anew, as in Keras.

    >>> History().epoch
    []
    """

    def __init__(self) -> None:
        super().__init__()
        self.history = {}
        self.epoch = []

    def __repr__(self) -> str:
        """What the last epoch gave; a notebook shows it where a `fit` ends a cell."""
        if not self.epoch:
            return f"<{type(self).__name__} of no epochs>"
        last = {name: values[-1] for name, values in self.history.items() if values}
        shown = "".join(f", {name}: {_short(value)}" for name, value in last.items())
        return f"<{type(self).__name__} of {len(self.epoch)} epoch(s){shown}; .plot() draws it>"

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Counts anew, unless a checkpoint has just been restored."""
        if not self.was_restored():
            self.epoch = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds an epoch."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        vars(self.model)["history"] = self

    def plot(self, names: Iterable[str] | None = None) -> Any:
        """Draws the results over the epochs, training and validation of a name in one picture;
        needs matplotlib.

        Args:
            names: which results to draw, without "val_"; None: all.

        Returns:
            The matplotlib figure; `matplotlib.pyplot.show()` shows it outside notebooks.
        Raises:
            ImportError: matplotlib is not installed.
        """
        from jkeras.callbacks.curves import by_epoch, new_figure

        try:
            from matplotlib import pyplot
        except ImportError as error:
            raise ImportError(
                "`history.plot()` needs matplotlib. Install it with `pip install matplotlib`."
            ) from error
        return new_figure(pyplot.figure, by_epoch(self.history), names)

    def get_state(self) -> dict[str, Any]:
        """Both lists."""
        return {
            "epoch": self.epoch,
            "history": {k: [np.asarray(x).tolist() for x in v] for k, v in self.history.items()},
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes both lists back.

        Raises:
            ValueError: they are none.
        """
        epochs, history = state["epoch"], state["history"]
        is_table = isinstance(history, dict) and all(isinstance(v, list) for v in history.values())
        if not is_table or not isinstance(epochs, list) or set(map(type, epochs)) - {int}:
            raise ValueError("History: expected numbers of epochs, and lists by name.")
        self.epoch = list(epochs)
        self.history = dict(history)
        self._restored = True


def _short(value: Any) -> str:
    """A result in few digits; of what is no number its type.

    >>> _short(0.123456), _short(np.zeros(3)), _short(None)
    ('0.1235', 'ndarray', 'NoneType')
    """
    if isinstance(value, (numbers.Real, np.ndarray, jax.Array)) and np.ndim(value) == 0:
        return f"{float(value):.4g}"
    return type(value).__name__
