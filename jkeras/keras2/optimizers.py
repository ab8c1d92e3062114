"""Optimizers with `lr` and `decay`."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from jkeras import optimizers
from jkeras.config import floatx
from jkeras.core.errors import explain
from jkeras.keras2 import arguments
from jkeras.keras2.gradient_tape import GradientTape
from jkeras.keras2.old_class import OldClass
from jkeras.optimizers.schedules import InverseTimeDecay
from jkeras.optimizers.transform import Transform, stepping


class WithLr:
    """Gives an optimizer the names that Keras 2 has for its learning rate."""

    decay = 0.0

    @property
    def lr(self) -> Any:
        """The learning rate."""
        return self.learning_rate

    @lr.setter
    def lr(self, value: Any) -> None:
        self.learning_rate = value

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as Keras 2 has them."""
        return {**super().get_config(), "decay": self.decay}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """A new optimizer from `get_config()`."""
        return from_config(cls.__bases__[1], config, custom_objects)

    def as_in_files(self) -> contextlib.AbstractContextManager:
        """Within it the rate is as files have it."""
        return contextlib.nullcontext()

    def minimize(self, loss: Any, var_list: Any, grad_loss: Any = None, tape: Any = None) -> Any:
        """One step that makes a loss smaller.

        Args:
            loss: a function of nothing that computes it, or what was computed within `tape`.
            var_list: variables, or a function that gives them.
        """
        if callable(loss):
            with GradientTape() as tape:
                loss = loss()
        if tape is None:
            expected = "a function that computes the loss, or `tape=` within which it was computed"
            raise ValueError(explain(f"{self.name}.minimize", expected, type(loss).__name__))
        variables = list(var_list() if callable(var_list) else var_list)
        gradients = tape.gradient(loss, variables, output_gradients=grad_loss)
        return self.apply_gradients(zip(gradients, variables))


class WithDecay(WithLr):
    """Divides the learning rate by 1 + decay * steps, as Keras 2 does: the rate itself stays what
    it was set to, and schedulers set it.
    """

    def _chain(self, link: Transform) -> Transform:
        return super()._chain(slower(link, self.decay))

    def constants(self) -> tuple:
        """What a compiled step depends on."""
        return *super().constants(), self.decay

    def take_rate(self, rate: float) -> None:
        """Has a rate that can be set in the place of a schedule: the second of the variables."""
        variable = self._own(np.asarray(rate, floatx()), "learning_rate")
        self._variables.insert(1, self._variables.pop())
        self._learning_rate = variable
        if self._at:
            first = {address: self._at.pop(address) for address in [("iterations",)]}
            self._at = {**first, ("learning_rate",): variable, **self._at}

    @contextlib.contextmanager
    def as_in_files(self) -> Iterator[None]:
        """Within it the rate follows a schedule, which Keras 3 has for a decay."""
        held = self._learning_rate, self._variables, dict(self._at)
        self.learning_rate = InverseTimeDecay(float(held[0]), 1, self.decay)
        try:
            yield
        finally:
            self._learning_rate, self._variables, self._at = held


def slower(link: Transform, decay: float) -> Transform:
    """A link whose learning rate falls with the steps that were made."""

    def step(grads: Any, state: Any, params: Any, **extra: Any) -> Any:
        rate = extra["learning_rate"]
        rate = rate / (1.0 + decay * extra["count"].astype(rate.dtype))
        return link.step(grads, state, params, **{**extra, "learning_rate": rate})

    return stepping(link.init, step)


def with_lr(optimizer: Any) -> Any:
    """The optimizer itself, which now has `lr` too."""
    cls = type(optimizer)
    if not issubclass(cls, WithLr):
        optimizer.__class__ = type(cls.__name__, (WithLr, cls), {"__module__": __name__})
    return optimizer


def with_decay(optimizer: Any, decay: float) -> Any:
    """The optimizer itself, whose rate falls."""
    cls = type(optimizer)
    names = {"__module__": __name__, "decay": float(decay)}
    optimizer.__class__ = type(cls.__name__, (WithDecay, cls), names)
    return optimizer


def resumed(optimizer: Any) -> Any:
    """An optimizer of a file with `lr`; where it has a decay, one whose rate can be set."""
    rate = optimizer.get_config().get("learning_rate")
    is_decay = isinstance(rate, dict) and rate["class_name"] == "InverseTimeDecay"
    if not is_decay:
        return with_lr(optimizer)
    schedule = rate["config"]
    if schedule["decay_steps"] != 1 or schedule["staircase"]:
        return with_lr(optimizer)
    with_decay(optimizer, schedule["decay_rate"]).take_rate(schedule["initial_learning_rate"])
    return optimizer


@contextlib.contextmanager
def of_files(optimizer: Any) -> Iterator[None]:
    """Within it the optimizer is of the class that files name."""
    cls = type(optimizer)
    if not issubclass(cls, WithLr):
        yield
        return
    with optimizer.as_in_files():
        optimizer.__class__ = cls.__bases__[1]
        try:
            yield
        finally:
            optimizer.__class__ = cls


def from_config(cls: type, config: dict[str, Any], custom_objects: Any = None) -> Any:
    """An optimizer of the arguments of Keras 2 or of Keras 3.

    Args:
        cls: the class of today.
    """
    config = dict(config)
    decay = config.pop("decay", None)
    return _configured(cls.from_config(config, custom_objects), decay)


def _configured(optimizer: Any, decay: float | None) -> Any:
    """An optimizer of a config with the decay that stands there; None: the config is of Keras 3."""
    if decay is None:
        return resumed(optimizer)
    if decay:
        return with_decay(optimizer, decay)
    return with_lr(optimizer)


def serialize(optimizer: Any) -> dict[str, Any]:
    """The config of an optimizer, with its class.

    >>> serialize(with_decay(optimizers.SGD(0.5), 0.1))["config"]["decay"]
    0.1
    """
    return {"class_name": type(optimizer).__name__, "config": optimizer.get_config()}


def deserialize(config: dict[str, Any], custom_objects: Any = None) -> Any:
    """The optimizer of a config, of Keras 2 or of Keras 3."""
    inner = dict(config.get("config", {}))
    decay = inner.pop("decay", None)
    return _configured(optimizers.deserialize({**config, "config": inner}, custom_objects), decay)


def get(identifier: Any) -> Any:
    """An optimizer by its name, by its config, or itself."""
    if isinstance(identifier, dict):
        return deserialize(identifier)
    return with_lr(optimizers.get(identifier))


class OldOptimizer(OldClass):
    """A class of optimizers, which takes the configs of Keras 2 as well."""

    def from_config(self, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """A new optimizer from `get_config()`."""
        return from_config(self.today, config, custom_objects)


def old_optimizer(cls: type, notes: Any) -> OldOptimizer:
    """A class of optimizers as Keras 2 has it."""

    def make(cls: Any, args: tuple, kwargs: dict) -> Any:
        args, kwargs = arguments.translate(cls.__name__, args, kwargs, notes)
        if kwargs.get("epsilon", 0) is None:
            del kwargs["epsilon"]
        decay = kwargs.pop("decay", 0.0)
        optimizer = cls(*args, **kwargs)
        if not decay:
            return with_lr(optimizer)
        notes.add(
            f"{cls.__name__}(decay=)",
            f"{cls.__name__}(learning_rate=schedules.InverseTimeDecay(…))",
        )
        return with_decay(optimizer, decay)

    return OldOptimizer(cls, make, lambda: cls)
