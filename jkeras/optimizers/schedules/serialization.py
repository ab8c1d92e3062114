"""Learning rate schedules from configs, and back."""

from jkeras.core.names.family import Family
from jkeras.core.names.registry import public
from jkeras.optimizers.schedules.decays import LearningRateSchedule

_family = Family(
    "optimizers.schedules", "learning rate schedule", spellings=lambda name, thing: (name,)
)


@public("keras.optimizers.schedules.serialize")
def serialize(learning_rate_schedule: LearningRateSchedule) -> dict:
    """The config of a schedule, with its class.

    Args:
        learning_rate_schedule: a `LearningRateSchedule`.
    Returns:
        A dict of plain data, which `deserialize` takes.

    >>> from jkeras.optimizers.schedules import CosineDecay
    >>> serialize(CosineDecay(0.1, 10))["class_name"]
    'CosineDecay'
    """
    return _family.serialize(learning_rate_schedule)


@public("keras.optimizers.schedules.deserialize")
def deserialize(config: dict, custom_objects: dict | None = None) -> LearningRateSchedule:
    """The schedule of a config.

    Args:
        config: from `serialize`.
        custom_objects: dict from names to schedules of yours.
    Returns:
        A new `LearningRateSchedule`.
    Raises:
        ValueError: nothing of that name, or a config without a class name.

    >>> from jkeras.optimizers.schedules import CosineDecay
    >>> deserialize(serialize(CosineDecay(0.1, 10)))
    CosineDecay(initial_learning_rate=0.1, decay_steps=10)
    """
    return _family.deserialize(config, custom_objects)
