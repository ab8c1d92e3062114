"""Learning rate schedules."""

import inspect

from jkeras.core.registry import Family, public
from jkeras.optimizers.schedules.decays import (CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay,
                                                LearningRateSchedule, PiecewiseConstantDecay, PolynomialDecay)

_family = Family("schedules", "learning rate schedule", {c.__name__: c for c in (
    CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay)})


@public("keras.optimizers.schedules.serialize")
def serialize(learning_rate_schedule):
    """The config of a schedule, with its class.

    >>> serialize(CosineDecay(0.1, 10))["class_name"]
    'CosineDecay'
    """
    return _family.serialize(learning_rate_schedule)


@public("keras.optimizers.schedules.deserialize")
def deserialize(config, custom_objects=None):
    """The schedule of a config.

    >>> deserialize(serialize(CosineDecay(0.1, 10)))
    CosineDecay(initial_learning_rate=0.1, decay_steps=10)
    """
    found = _family.deserialize(config, custom_objects)
    return found() if inspect.isclass(found) else found


__all__ = ["CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay", "LearningRateSchedule",
           "PiecewiseConstantDecay", "PolynomialDecay", "deserialize", "serialize"]
