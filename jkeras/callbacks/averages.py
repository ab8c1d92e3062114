"""SwapEMAWeights: the moving averages in place of the weights while a model is evaluated."""

from typing import TYPE_CHECKING, Any

from jkeras.callbacks.base import Callback
from jkeras.core.names.registry import public
from jkeras.optimizers.variables import addressed_variables

if TYPE_CHECKING:
    from jkeras.core.weights.variable import Variable
    from jkeras.optimizers.base import Optimizer


@public("keras.callbacks.SwapEMAWeights")
class SwapEMAWeights(Callback):
    """Exchanges the weights and their moving averages for evaluation, prediction and, on request,
    after epochs.

    The optimizer keeps the averages: make it with `use_ema=True`.

    Args:
        swap_on_epoch: also from the end of an epoch to the begin of the next, so that callbacks
            after this one, such as `ModelCheckpoint`, see the averages.

    Raises:
        ValueError: in training, an optimizer without averages.

    >>> SwapEMAWeights(swap_on_epoch=True).swap_on_epoch
    True
    """

    every_batch = False

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._averages_in_model = False

    def _pairs(self) -> "list[tuple[Variable, Variable]]":
        """(weight, its average) for all weights that have one."""
        averaging = [o for o in _optimizers(self.model.optimizer) if getattr(o, "use_ema", False)]
        if not averaging:
            raise ValueError(
                "SwapEMAWeights must be used when `use_ema=True` is set: the optimizer keeps "
                f"no averages otherwise. Received: optimizer={self.model.optimizer!r}"
            )
        return [
            (v, addressed_variables(optimizer)["ema", i])
            for optimizer in averaging
            for i, v in enumerate(optimizer.built_for)
        ]

    def _swap(self, to_averages: bool) -> None:
        if self._averages_in_model != to_averages:
            for weight, average in self._pairs():
                value = weight.value
                weight.assign(average.value)
                average.assign(value)
            self._averages_in_model = to_averages

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Puts the weights back."""
        if self.swap_on_epoch:
            self._swap(False)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Puts the averages in."""
        if self.swap_on_epoch and not self._averages_in_model:
            self._swap(True)
            if epoch == self.params["epochs"] - 1:  # training ends with the averages anyway
                for weight, average in self._pairs():
                    average.assign(weight.value)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Puts the averages in."""
        self._swap(True)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Puts the weights back."""
        self._swap(False)

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Puts the averages in."""
        self._swap(True)

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        """Puts the weights back."""
        self._swap(False)


def _optimizers(optimizer: "Optimizer") -> "list[Optimizer]":
    """An optimizer, or those that it is made of."""
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        return _optimizers(inner)
    several = getattr(optimizer, "optimizers", None)
    if several is None:
        return [optimizer]
    return [o for each in several for o in _optimizers(each)]
