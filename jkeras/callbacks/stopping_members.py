"""EarlyStopping for each member of an ensemble on its own."""

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    from jkeras.callbacks.stopping import EarlyStopping


class MemberStopping:
    """Watches one value of each member, with the options of an `EarlyStopping`: members that have
    not improved for some epochs are trained no longer, the others go on.

    Args:
        callback: the `EarlyStopping`.
        members: of the model.
    """

    def __init__(self, callback: "EarlyStopping", members: Any) -> None:
        self.callback = callback
        self.members = members
        self.best = self.best_weights = None
        self.wait = np.zeros(members.size, int)

    def look(self, epoch: int, values: "npt.ArrayLike") -> bool:
        """Takes the values of an epoch; whether all members are stopped."""
        values = np.asarray(values)
        is_active = self.members.is_active
        self.wait += 1
        better = is_active & self._is_better(values, self.best)
        self._remember(better if self.best is not None else is_active)
        self.best = values if self.best is None else np.where(better, values, self.best)
        if self.callback.baseline is None:
            self.wait[better] = 0
        else:
            self.wait[better & self._is_better(values, self.callback.baseline)] = 0
        tired = is_active & ~better & (self.wait >= self.callback.patience) & (epoch > 0)
        if tired.any():
            self.members.stop(tired)
        return not (is_active & ~tired).any()

    def _is_better(self, values: np.ndarray, reference: Any) -> np.ndarray:
        return np.broadcast_to(self.callback.is_better(values, reference), values.shape)

    def _remember(self, which: np.ndarray) -> None:
        """Keeps the weights of some members, where the best ones are put back."""
        if not self.callback.restore_best_weights:
            return
        now = self.members.get_weights()
        if self.best_weights is None:
            self.best_weights = now
            return
        self.best_weights = [
            np.where(which.reshape(-1, *(1,) * (new.ndim - 1)), new, old)
            for new, old in zip(now, self.best_weights)
        ]

    def restore(self) -> None:
        """Puts the best weights of each member back."""
        if self.best_weights is not None:
            self.members.set_weights(self.best_weights)

    def get_state(self) -> dict[str, Any]:
        """What a checkpoint keeps; which members are stopped stands in the training's state."""
        return {
            "best": None if self.best is None else self.best.tolist(),
            "wait": self.wait.tolist(),
            "best_weights": as_lists(self.best_weights),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes it back."""
        self.best = None if state["best"] is None else np.asarray(state["best"])
        self.wait = np.asarray(state["wait"])
        self.best_weights = as_arrays(state["best_weights"])


def as_lists(weights: list[np.ndarray] | None) -> list[tuple[Any, str]] | None:
    """Arrays as what JSON can write."""
    return None if weights is None else [(w.tolist(), str(w.dtype)) for w in weights]


def as_arrays(weights: list[tuple[Any, str]] | None) -> list[np.ndarray] | None:
    """Arrays from what `as_lists` gave.

    Raises:
        ValueError, TypeError: it gave something else.
    """
    if weights is None:
        return None
    arrays = [np.asarray(values, jnp.dtype(dtype)) for values, dtype in weights]
    if any(array.dtype.kind in "OSUM" for array in arrays):
        raise TypeError("Expected arrays of numbers as weights.")
    return arrays
