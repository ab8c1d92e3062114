"""Optimizers: pure transformations of trees with Keras's interface."""

from jkeras.core.names.exports import exported
from jkeras.optimizers import schedules, transform
from jkeras.optimizers.base import Optimizer
from jkeras.optimizers.loss_scale import LossScaleOptimizer
from jkeras.optimizers.optax_wrapper import OptaxOptimizer
from jkeras.optimizers.serialization import deserialize, get, serialize

__all__ = exported(
    globals(),
    "schedules",
    "transform",
    on_first_use={
        "jkeras.optimizers.adam": "Adam AdamW Adamax Lamb Nadam ScheduleFreeAdamW",
        "jkeras.optimizers.adaptive": "Adadelta Adagrad Ftrl RMSprop",
        "jkeras.optimizers.multi": "MultiOptimizer OptimizerMap",
        "jkeras.optimizers.legacy": "",
        "jkeras.optimizers.other": "Adafactor Lion Muon",
        "jkeras.optimizers.sgd": "SGD",
    },
)
