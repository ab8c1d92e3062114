"""Metrics from names and configs, and back."""

from typing import Any

from jkeras.core.names.family import Family
from jkeras.core.names.registry import public
from jkeras.metrics.wrapped import (
    BinaryCrossentropy,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
)

_short = {
    "bce": BinaryCrossentropy,
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "msle": MeanSquaredLogarithmicError,
}
_family = Family(
    "metrics", "metric", {**_short, **{name.upper(): cls for name, cls in _short.items()}}
)


@public("keras.metrics.get")
def get(identifier: Any) -> Any:
    """The metric that a name, config, class or function stands for; None for None.

    Args:
        identifier: "mse", "mean_squared_error", "MeanSquaredError", a config, a `Metric`, a
            function.
    Returns:
        A `Metric`, or a function.
    Raises:
        ValueError: no metric has this name, or it is none of these.

    >>> type(get("mse")).__name__
    'MeanSquaredError'
    """
    return _family.get(identifier)


@public("keras.metrics.serialize")
def serialize(metric: Any) -> Any:
    """The config of a metric object or function.

    Args:
        metric: a `Metric` or a function.
    Returns:
        A dict of plain data, which `deserialize` takes.

    >>> from jkeras.metrics import Mean
    >>> serialize(Mean())["config"]
    {'name': 'mean', 'dtype': 'float32'}
    """
    return _family.serialize(metric)


@public("keras.metrics.deserialize")
def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The metric object or function of a config or name.

    Args:
        config: from `serialize`, or a name as for `get`.
        custom_objects: dict from names to metrics of yours.
    Returns:
        A `Metric` or a function.
    Raises:
        ValueError: no metric has this name, or the config has no class name.

    >>> from jkeras.metrics import Mean
    >>> deserialize(serialize(Mean(name="m"))).name
    'm'
    """
    return _family.deserialize(config, custom_objects)
