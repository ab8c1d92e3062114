"""Optimizers with `lr` and `decay`."""

import jkeras
from jkeras.keras2 import arguments
from jkeras.keras2.old_class import OldClass


class WithLr:
    """Gives an optimizer the names that Keras 2 has for its learning rate."""

    @property
    def lr(self):
        """The learning rate."""
        return self.learning_rate

    @lr.setter
    def lr(self, value):
        self.learning_rate = value


def with_lr(optimizer):
    """The optimizer itself, which now has `lr` too."""
    cls = type(optimizer)
    if not issubclass(cls, WithLr):
        optimizer.__class__ = type(cls.__name__, (WithLr, cls), {"__module__": __name__})
    return optimizer


def without_lr(optimizer):
    """The optimizer itself, of the class that files name."""
    if isinstance(optimizer, WithLr):
        optimizer.__class__ = type(optimizer).__bases__[1]
    return optimizer


def old_optimizer(cls, notes):
    """A class of optimizers as Keras 2 has it."""

    def make(cls, args, kwargs):
        args, kwargs = arguments.translate(cls.__name__, args, kwargs, notes)
        if kwargs.get("epsilon", 0) is None:
            del kwargs["epsilon"]
        decay = kwargs.pop("decay", 0.0)
        if decay:
            rate = args[0] if args else kwargs.pop("learning_rate", cls().learning_rate)
            notes.add(
                f"{cls.__name__}(decay=)",
                f"{cls.__name__}(learning_rate=schedules.InverseTimeDecay(…))",
            )
            schedule = jkeras.optimizers.schedules.InverseTimeDecay(float(rate), 1, decay)
            args = (schedule, *args[1:])
        return with_lr(cls(*args, **kwargs))

    return OldClass(cls, make, lambda: cls)
