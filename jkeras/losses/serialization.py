"""Losses from names and configs, and back."""

from typing import Any

from jkeras.core.names.family import Family
from jkeras.core.names.registry import public
from jkeras.losses.base import LossFunctionWrapper
from jkeras.losses.crossentropy import binary_crossentropy
from jkeras.losses.margin import kl_divergence
from jkeras.losses.regression import (
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)

_short = {
    "bce": binary_crossentropy,
    "kld": kl_divergence,
    "mae": mean_absolute_error,
    "mse": mean_squared_error,
    "mape": mean_absolute_percentage_error,
    "msle": mean_squared_logarithmic_error,
}
_family = Family(
    "losses",
    "loss",
    {
        "LossFunctionWrapper": LossFunctionWrapper,
        **_short,
        **{name.upper(): function for name, function in _short.items()},
    },
    spellings=lambda name, thing: (name,),
)


@public("keras.losses.get")
def get(identifier: Any) -> Any:
    """The loss that a name, config, class or function stands for; None for None.

    Args:
        identifier: "mse", "mean_squared_error" (functions), "MeanSquaredError" (an object), a
            config, a callable.
    Returns:
        A function `(y_true, y_pred) -> values`, or a `Loss`.
    Raises:
        ValueError: no loss has this name, or it is none of these.

    >>> get("mse").__name__, get("Huber").name
    ('mean_squared_error', 'huber_loss')
    """
    return _family.get(identifier)


@public("keras.losses.serialize")
def serialize(loss: Any) -> Any:
    """The config of a loss object or function.

    Args:
        loss: a `Loss` or a function.
    Returns:
        A dict of plain data, which `deserialize` takes.

    >>> from jkeras.losses import Hinge
    >>> serialize(Hinge())["class_name"]
    'Hinge'
    """
    return _family.serialize(loss)


@public("keras.losses.deserialize")
def deserialize(name: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The loss object or function of a config or name.

    Args:
        name: config, as from `serialize`, or a name as for `get`.
        custom_objects: dict from names to losses of yours.
    Returns:
        A `Loss` or a function.
    Raises:
        ValueError: no loss has this name, or the config has no class name.

    >>> from jkeras.losses import Hinge
    >>> deserialize(serialize(Hinge(reduction="sum"))).reduction
    'sum'
    """
    return _family.deserialize(name, custom_objects)
