"""What callbacks that watch one number share: which one, and whether lower or higher is better."""

import warnings

import numpy as np

from jkeras.callbacks.base import Callback


class MonitorCallback(Callback):
    """Base of callbacks that watch one entry of the logs.

    Args:
        monitor: name in the logs.
        mode: "min", "max" or "auto": by the metric's own direction, else by its name.
        initial_value_threshold: best value to begin with.
        min_delta: by how much a value must be better.
    """

    HIGHER = ("acc", "auc", "precision", "recall", "iou", "f1", "fbeta", "score", "similarity", "coefficient")

    def __init__(self, monitor="val_loss", mode="auto", initial_value_threshold=None, min_delta=0):
        super().__init__()
        if mode not in ("auto", "min", "max"):
            warnings.warn(f"{type(self).__name__} mode '{mode}' is unknown, fallback to auto mode.", stacklevel=3)
            mode = "auto"
        self.monitor, self.mode, self.best, self.min_delta = monitor, mode, initial_value_threshold, abs(min_delta)

    @property
    def higher_is_better(self):
        """The direction of the watched value."""
        if self.mode != "auto":
            return self.mode == "max"
        name = self.monitor.removeprefix("val_")
        if name == "loss":
            return False
        for metric in getattr(self.model, "_flat_metrics", lambda: [])():
            if metric.name == name and getattr(metric, "_direction", None) in ("up", "down"):
                return metric._direction == "up"
        return any(word in name.lower() for word in self.HIGHER)

    def is_better(self, value, reference):
        """Whether a value beats a reference by more than `min_delta`; anything beats None."""
        if reference is None:
            return True
        if self.higher_is_better:
            return np.greater(value - self.min_delta, reference)
        return np.less(value + self.min_delta, reference)

    def current(self, logs, consequence):
        """The watched value; None, with a warning, where the logs lack it."""
        value = (logs or {}).get(self.monitor)
        if value is None:
            warnings.warn(f"{consequence} conditioned on metric `{self.monitor}` which is not available. "
                          f"Available metrics are: {','.join(logs or {})}", stacklevel=3)
        return value

    def get_state(self):
        """The best value."""
        return {"best": None if self.best is None else float(self.best)}

    def set_state(self, state):
        """Takes the best value back."""
        self.__dict__.update(state, _restored=True)
