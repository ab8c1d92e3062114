"""What computes other numbers in Keras 3 than in Keras 2, under the same name."""

import warnings
from collections.abc import Iterator
from typing import Any

from jkeras.core.names import registry


def warn_of_other_numbers(config: Any, custom_objects: dict[str, Any] | None = None) -> None:
    """Warns where a model of Keras 2 has activations that are other functions now."""
    layers = list(_with_hard_sigmoid(config))
    if layers and registry.get_registered_object("hard_sigmoid", custom_objects) is None:
        warnings.warn(
            f"The layers {layers[:5]} use `hard_sigmoid`, which was clip(0.2 * x + 0.5, 0, 1) in "
            "Keras 2 and is clip(x / 6 + 0.5, 0, 1) now, here and in Keras 3: the model computes "
            "other numbers than it did. For the old ones pass `custom_objects={'hard_sigmoid': "
            "your_function}`.",
            stacklevel=4,
        )


def _with_hard_sigmoid(config: Any) -> Iterator[str | None]:
    """The names of layers with this activation."""
    if isinstance(config, dict):
        if "hard_sigmoid" in (config.get("activation"), config.get("recurrent_activation")):
            yield config.get("name")
        config = list(config.values())
    if isinstance(config, list):
        for item in config:
            yield from _with_hard_sigmoid(item)
