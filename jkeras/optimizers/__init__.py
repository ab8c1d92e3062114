"""Optimizers: pure transformations of trees with Keras's interface."""

from jkeras.core.exports import exported
from jkeras.optimizers import schedules, transform
from jkeras.optimizers.adam import Adam, Adamax, AdamW, Lamb, Nadam, ScheduleFreeAdamW
from jkeras.optimizers.adaptive import Adadelta, Adagrad, Ftrl, RMSprop
from jkeras.optimizers.base import Optimizer
from jkeras.optimizers.loss_scale import LossScaleOptimizer
from jkeras.optimizers.multi import MultiOptimizer, OptimizerMap
from jkeras.optimizers.optax_wrapper import OptaxOptimizer
from jkeras.optimizers.other import Adafactor, Lion, Muon
from jkeras.optimizers.serialization import deserialize, get, serialize
from jkeras.optimizers.sgd import SGD

__all__ = exported(globals(), "schedules", "transform")
