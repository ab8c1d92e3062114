"""What a sweep is to reach, where the caller does not say."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jkeras.callbacks.monitor import MonitorCallback
from jkeras.core.errors import check_choice, explain
from jkeras.search.strategies import Limit, Objective

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


def objectives_of(
    model: "Trainer",
    names: Any,
    mode: Any,
    validates: bool,
    constraints: Mapping[str, Limit] | None,
) -> list[Objective]:
    """The objectives of one name or several, all with the same limits.

    Raises:
        ValueError: as of `objective_of`; no names, other modes than names, what is no limit.
    """
    if not isinstance(names, (list, tuple)):
        names = [names]
    modes = mode
    if not isinstance(mode, (list, tuple)):
        modes = [mode] * len(names)
    if not names or len(modes) != len(names) or len(set(names)) < len(names):
        wanted = "different names as `objective`, and a `mode` for each or for all"
        raise ValueError(explain("sweep", wanted, f"objective={names}, mode={mode}"))
    limits = tuple((constraints or {}).items())
    for name, limit in limits:
        if not isinstance(limit, Limit):
            wanted = f"`search.at_least(number)` or `search.at_most(number)` for {name!r}"
            raise ValueError(explain("sweep", wanted, repr(limit)))
    found = [objective_of(model, name, one, validates) for name, one in zip(names, modes)]
    return [objective._replace(limits=limits) for objective in found]


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
    Objective(name='val_accuracy', mode='max', limits=())
    """
    check_choice("mode", mode, ("auto", "min", "max"), "sweep")
    if name is None:
        name = "loss"
        if validates:
            name = "val_loss"
    watched = MonitorCallback(name, mode)
    watched.set_model(model)
    return Objective(name, "max" if watched.higher_is_better else "min")
