"""Learning rate schedules."""

from jkeras.core.names.exports import exported
from jkeras.optimizers.schedules.decays import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LearningRateSchedule,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from jkeras.optimizers.schedules.serialization import deserialize, serialize

__all__ = exported(globals())
