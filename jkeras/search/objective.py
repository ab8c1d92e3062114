"""What a sweep is to reach, where the caller does not say."""

from typing import TYPE_CHECKING

from jkeras.callbacks.monitor import MonitorCallback
from jkeras.core.errors import check_choice
from jkeras.search.strategies import Objective

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


def objective_of(model: "Trainer", name: str | None, mode: str, validates: bool) -> Objective:
    """The objective of a name in the logs, by default the loss, of the validation if there is one.

    Args:
        mode: "min", "max", or "auto": by the metric's own direction.

    Raises:
        ValueError: another mode, or a direction that nothing says.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(1)])
    >>> model.compile("sgd", "mse", metrics=["accuracy"])
    >>> objective_of(model, "val_accuracy", "auto", validates=True)
    Objective(name='val_accuracy', mode='max')
    """
    check_choice("mode", mode, ("auto", "min", "max"), "sweep")
    if name is None:
        name = "loss"
        if validates:
            name = "val_loss"
    watched = MonitorCallback(name, mode)
    watched.set_model(model)
    return Objective(name, "max" if watched.higher_is_better else "min")
