"""Optimizers from names, configs and optax transformations, and back."""

from typing import Any

from jkeras.core.names.family import Family
from jkeras.core.names.registry import deserialize as _deserialize
from jkeras.core.names.registry import get_registered_object, public
from jkeras.optimizers.base import Optimizer
from jkeras.optimizers.optax_wrapper import OptaxOptimizer


class OptimizerFamily(Family):
    """Names in any case; optax transformations are wrapped."""

    def deserialize(self, config: dict, custom_objects: dict | None = None) -> Any:
        cls = self.aliases.get(config["class_name"].lower())
        if cls is not None and (config.get("module") or "keras").startswith("keras"):
            return cls.from_config(dict(config.get("config") or {}), custom_objects)
        return _deserialize(config, custom_objects)

    def get(self, identifier: Any) -> Optimizer | None:
        if identifier is None or isinstance(identifier, Optimizer):
            return identifier
        if isinstance(identifier, str):
            self._require_registered(identifier)
            identifier = {"class_name": identifier, "config": {}}
        if isinstance(identifier, dict):
            made = self.deserialize(identifier)
        else:
            made = None
        if isinstance(made, Optimizer):
            return made
        if _is_optax(identifier):
            return OptaxOptimizer(identifier)
        if isinstance(identifier, type):
            name = identifier.__name__
            raise ValueError(
                f"Could not interpret optimizer identifier: the class {name}. Write `{name}()`."
            )
        raise ValueError(
            f"Could not interpret optimizer identifier: {identifier}. Expected a name such as "
            "'adam', a config, an Optimizer or an optax transformation."
        )

    def _require_registered(self, name: str):
        if name.lower() not in self.aliases and get_registered_object(name) is None:
            raise ValueError(
                f"Could not interpret optimizer identifier: {name!r}.{self.advice(name)}"
            )


def _is_optax(thing: Any) -> bool:
    """Whether it is a transformation of optax, or its `MultiSteps`."""
    if hasattr(thing, "gradient_transformation"):
        return True
    return isinstance(thing, tuple) and hasattr(thing, "init") and hasattr(thing, "update")


_family = OptimizerFamily("optimizers", "optimizer", spellings=lambda name, thing: (name.lower(),))


@public("keras.optimizers.get")
def get(identifier: Any) -> Optimizer | None:
    """The optimizer that a name, config or optax transformation stands for; None for None.

    Args:
        identifier: name in any case, config, `Optimizer`, transformation of optax, or None.
    Returns:
        An `Optimizer`, or None.
    Raises:
        ValueError: nothing of that name, or none of these; a class is none.

    >>> get("Adam").beta_1
    0.9
    """
    return _family.get(identifier)


@public("keras.optimizers.serialize")
def serialize(optimizer: Optimizer) -> dict:
    """The config of an optimizer, with its class.

    Args:
        optimizer: an `Optimizer`.
    Returns:
        A dict of plain data, which `deserialize` takes.

    >>> from jkeras.optimizers import SGD
    >>> serialize(SGD())["class_name"]
    'SGD'
    """
    return _family.serialize(optimizer)


@public("keras.optimizers.deserialize")
def deserialize(config: dict, custom_objects: dict | None = None) -> Optimizer:
    """The optimizer of a config.

    Args:
        config: dict with "class_name", in any case, and "config".
        custom_objects: dict from names to optimizers of yours.
    Returns:
        A new `Optimizer`.
    Raises:
        ValueError: nothing of that name.

    >>> deserialize({"class_name": "sgd", "config": {"momentum": 0.5}}).momentum
    0.5
    """
    return _family.deserialize(config, custom_objects)
