"""`model.quantize` goes through the layers; `quantization_summary` says in what they lie."""

import math
import re
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from jkeras.core.layer.view import layers_of
from jkeras.core.session.keras_version import is_316
from jkeras.core.weights.policy import NEED_DATA
from jkeras.layers.input import InputLayer
from jkeras.quantizers.report import QuantizationReport
from jkeras.training.shell.trainer import Trainer

if TYPE_CHECKING:
    from jkeras.quantizers.configs import QuantizationConfig


def quantize_layers(
    model: Any,
    layers: Iterable[Any],
    config: "QuantizationConfig",
    filters: Any,
    type_check: bool,
) -> QuantizationReport:
    """Quantizes those of a model's layers that can be; what is wrong with blocks and data is said
    before a layer changes.
    """
    is_selected = layer_filter(filters)
    calibration = None
    if config.mode in NEED_DATA:
        from jkeras.quantizers.calibration import Calibration  # few programs need it

        calibration = Calibration(model, config)
    report = QuantizationReport(config.mode)
    for layer in filter(_is_asked, layers):
        if calibration is not None and not calibration.reaches(layer):
            report.add_skipped(layer.path, report.SKIP_OUTSIDE_STRUCTURE)
        elif not is_selected(layer):
            report.add_skipped(layer.path, report.SKIP_FILTERED)
        elif layer.quantization_mode is not None and is_316():  # Keras 3.15 refuses
            report.add_skipped(layer.path, report.SKIP_ALREADY_QUANTIZED)
        else:
            _quantize(layer, config, type_check, report)
    if calibration is not None:
        calibration.run()
    return report


def _is_asked(layer: Any) -> bool:
    """Whether a layer is one to quantize: in Keras 3.15 only one that has no others in it.

    An input layer is none in either; that Keras 3.15 warns of each helps nobody.
    """
    if isinstance(layer, InputLayer):
        return False
    if is_316():
        return not isinstance(layer, Trainer)
    return len(layers_of(layer)) == 1


def _quantize(
    layer: Any, config: "QuantizationConfig", type_check: bool, report: QuantizationReport
) -> None:
    """Quantizes a layer, and notes it."""
    try:
        layer.quantize(config=config, type_check=type_check)
    except NotImplementedError as error:
        report.add_skipped(layer.path, report.SKIP_NO_SUPPORT)
        if not is_316():  # which says it once, of all layers
            warnings.warn(str(error), stacklevel=4)
        return
    report.add_quantized(layer.path, config.mode, layer.dtype_policy.name)


def layer_filter(filters: Any) -> Callable[[Any], bool]:
    """A function that says whether a layer is among those that `filters` names."""
    if callable(filters):
        return filters
    if filters is None:
        return lambda layer: True
    if isinstance(filters, str):
        filters = [filters]
    if not isinstance(filters, (list, tuple)):
        raise ValueError(
            "`filters`: expected a regular expression, several in a list, or a function of a "
            f"layer. Received: {type(filters)}"
        )
    return lambda layer: any(re.search(pattern, layer.name) for pattern in filters)


def summary_of(name: str, layers: Iterable[Any]) -> str:
    """What `model.quantization_summary` says of layers."""
    title = [f"Quantization summary for '{name}'", "=" * 65]
    quantized = [layer for layer in layers if layer.quantization_mode and layer.weights]
    if not quantized:
        return "\n".join([*title, "No layer is quantized."])
    lines, stored, numbers = [], 0, 0
    for layer in quantized:
        weight = max(layer.weights, key=lambda weight: math.prod(weight.shape))
        size = math.prod(weight.shape) * jnp.dtype(weight.dtype).itemsize
        lines += [
            f"Layer: {layer.path}",
            f"  dtype policy : {layer.dtype_policy.name}",
            f"  weight store : {weight.dtype} ({size} bytes)",
        ]
        stored += size
        numbers += _numbers_in(layer, weight)
    total = [
        "-" * 65,
        f"Quantized layers : {len(quantized)}",
        f"Quantized params : {numbers}",
        f"Weight storage   : {stored} bytes; {4 * numbers} in float32, "
        f"{4 * numbers / stored:.2f}x smaller",
    ]
    return "\n".join([*title, *lines, *total])


def _numbers_in(layer: Any, weight: Any) -> int:
    """How many numbers the largest weight of a layer holds; a byte may hold several."""
    shapes = getattr(layer, "shapes_in_few_bits", dict)()
    return max(map(math.prod, shapes.values()), default=math.prod(weight.shape))
