"""What callbacks that watch one number share: which one, and whether lower or higher is better."""

import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np

from jkeras.callbacks.base import Callback
from jkeras.core.errors import readable, suggestion

if TYPE_CHECKING:
    from jkeras.metrics.base import Metric

# what a checkpoint keeps of the callbacks that watch a value, beside the best one
COUNTS = {"wait", "cooldown_counter", "best_epoch", "stopped_epoch"}


Mode = Literal["auto", "min", "max"]  # which values of what is monitored are better


# parts of the names of results that are better when higher, or lower
HIGHER = (
    "acc",
    "auc",
    "precision",
    "recall",
    "iou",
    "f1",
    "fbeta",
    "score",
    "similarity",
    "coefficient",
)
LOWER = ("loss", "error", "mae", "mse", "divergence", "entropy")


class MonitorCallback(Callback):
    """Base of callbacks that watch one entry of the logs.

    Args:
        monitor: name in the logs.
        mode: "min", "max" or "auto": by the metric's own direction, else by its name.
        initial_value_threshold: best value to begin with.
        min_delta: by how much a value must be better.

    Raises:
        ValueError: in training, mode "auto" where neither the model's metrics nor the name tell the
            direction.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        mode: Mode = "auto",
        initial_value_threshold: float | None = None,
        min_delta: float = 0,
    ) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            warnings.warn(
                f"{type(self).__name__} mode '{mode}' is unknown, fallback to auto mode."
                f"{suggestion(mode, ('auto', 'min', 'max'))}",
                stacklevel=3,
            )
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.best = initial_value_threshold
        self.min_delta = abs(min_delta)

    @property
    def higher_is_better(self) -> bool:
        """The direction of the watched value."""
        if self.mode != "auto":
            return self.mode == "max"
        name = self.monitor.removeprefix("val_").removesuffix("_members")
        if name == "loss":
            return False
        for metric in self._metrics():
            if metric.name == name:
                direction = getattr(metric, "_direction", None)
                if direction is None:
                    self._explain()
                return direction == "up"
        higher = any(word in name.lower() for word in HIGHER)
        if not higher and not any(word in name.lower() for word in LOWER):
            self._explain()
        return higher

    @property
    def monitor_op(self) -> Callable[..., Any]:
        """`ops.greater` or `ops.less`: what a better value is to the best one."""
        from jkeras import ops

        return ops.greater if self.higher_is_better else ops.less

    def _metrics(self) -> "list[Metric]":
        return getattr(self.model, "compiled_metrics", lambda: [])()

    def _explain(self) -> NoReturn:
        raise ValueError(
            f"{type(self).__name__} watches '{self.monitor}', and whether lower or higher is "
            "better there cannot be told from the model's metrics "
            f"{[m.name for m in self._metrics()]}. Pass `mode='min'` or `mode='max'`, or the "
            "`monitor` that was meant."
        )

    def is_better(self, value: Any, reference: Any) -> Any:
        """Whether a value beats a reference by more than `min_delta`; anything beats None."""
        if reference is None:
            return True
        if self.higher_is_better:
            return np.greater(value - self.min_delta, reference)
        return np.less(value + self.min_delta, reference)

    def found(self, logs: dict[str, Any] | None) -> Any:
        """The watched value, or None; an error where neither the logs nor the model's metrics have
        the name.
        """
        value = (logs or {}).get(self.monitor)
        names = {"loss", *(metric.name for metric in self._metrics())}
        if value is None and self.mode == "auto" and self.monitor.removeprefix("val_") not in names:
            self._explain()
        return value

    def current(self, logs: dict[str, Any] | None, consequence: str) -> Any:
        """The watched value; None, with a warning, where the logs lack it."""
        value = self.found(logs)
        if value is None:
            warnings.warn(
                f"{consequence} conditioned on metric `{self.monitor}` which is not available. "
                f"Available metrics are: {','.join(logs or {})}",
                stacklevel=3,
            )
        return value

    def get_state(self) -> dict[str, Any]:
        """The best value."""
        return {"best": None if self.best is None else float(self.best)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes the best value back, and the numbers beside it.

        Raises:
            ValueError: there are other ones.
        """
        saved = self.get_state()
        for name, value in state.items():
            if name not in saved or not _is_valid(name, value):
                raise ValueError(
                    f"{type(self).__name__}: expected {sorted(saved)}, with a number or null for "
                    f"'best' and numbers from 0 on for {sorted(COUNTS & saved.keys())}. Received: "
                    f"{readable(repr(name), 100)}, {type(value).__name__}"
                )
        vars(self).update(state)
        self._restored = True


def _is_valid(name: str, value: Any) -> bool:
    """Whether a checkpoint keeps such a value under a name."""
    is_number = type(value) in (int, float)  # True and False are none
    if name in COUNTS:
        return is_number and 0 <= value < math.inf
    return name != "best" or value is None or is_number
