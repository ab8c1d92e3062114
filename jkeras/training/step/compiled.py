"""What `compile` sets, as one value that does not change: steps, layouts and programs read it from
`model.compilation`.
"""

import dataclasses
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jkeras.core.weights.variable import Variable
from jkeras.metrics import Metric
from jkeras.optimizers import Optimizer
from jkeras.training.types import Structure

if TYPE_CHECKING:
    from jkeras.training.step.compile_loss import CompileLoss
    from jkeras.training.step.compile_metrics import CompileMetrics


@dataclasses.dataclass(frozen=True, eq=False)
class Compilation:
    """The settings of a training.

    Attributes:
        optimizer: with what scales the loss, where something does.
        loss: as `compile` was given it; `losses` is what it made of it.
        metrics: of the labels and outputs; None: there are none.
        loss_tracker: the mean of the loss.
        links: the user's own, around the training step.
        nonfinite_steps: counts the steps that `nonfinite` left out.
        distribution: in whose scope the model was compiled.
        has_own_opt_state: the model overrides `init_opt_state`.
        arguments: those of `compile` that files have.
        run_eagerly, steps_per_execution, jit_compile, microbatches, loss_chunks, nonfinite,
            adversarial, privacy: as of `compile`.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(1)])
    >>> model.compile("sgd", "mse", microbatches=2)
    >>> model.compilation.microbatches, model.compilation.loss
    (2, 'mse')
    """

    optimizer: Optimizer | None = None
    loss: Structure = None
    losses: "CompileLoss | None" = None
    metrics: "CompileMetrics | None" = None
    loss_tracker: Metric | None = None
    run_eagerly: bool = False
    steps_per_execution: int = 1
    jit_compile: bool = True
    microbatches: int = 1
    loss_chunks: int = 1
    nonfinite: str | None = None
    nonfinite_steps: Variable | None = None
    adversarial: Any = None
    privacy: Any = None
    links: tuple[Callable, ...] = ()
    distribution: Any = None
    has_own_opt_state: bool = False
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)


def settable(name: str) -> Any:
    """The property of a model that is a setting of its compilation; one that is set replaces the
    value.
    """

    def set_setting(model: Any, value: Any) -> None:
        new = dataclasses.replace(model.compilation, **{name: value})
        model.set_untracked(compilation=new)

    # no function of ours is called to read it
    return property(operator.attrgetter(f"compilation.{name}"), set_setting)


# attributes that models of Keras have, too
SETTABLE = "optimizer", "loss", "run_eagerly", "steps_per_execution", "jit_compile"


class Readable:
    """The attribute of a model that is a setting of its compilation. An attribute of that name of a
    user's own model replaces it, and is no setting.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, model: Any, owner: type | None = None) -> Any:
        return self if model is None else getattr(model.compilation, self.name)
