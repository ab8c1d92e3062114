"""What `tf.keras` of Keras 3 has beside `keras`: a little of Keras 2 for programs that stayed."""

import functools
from typing import Any

from jkeras import losses, metrics
from jkeras.keras2 import image, layers, namespace, sequence, tables, text


class Reduction:
    """The names of reductions, as Keras 2 has them."""

    AUTO = "auto"
    NONE = "none"
    SUM = "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"


@functools.cache
def names_of(module: str) -> dict[str, Any]:
    """{name: object} that a module of `tf.keras` has and the one of `keras` has not.

    >>> sorted(names_of("layers")), names_of("utils")
    (['ThresholdedReLU'], {})
    """
    return OF_MODULES[module]() if module in OF_MODULES else {}


LONGER = {"kullback_leibler_divergence": "kl_divergence", "logcosh": "log_cosh"}


def _short(today: Any) -> dict[str, Any]:
    """Losses or metrics under short names, and under two that are longer than today's."""
    names = {name: new for name, new in tables.SHORT.items() if name != "cosine"} | LONGER
    return {name: getattr(today, new) for name, new in names.items() if hasattr(today, new)}


OF_MODULES = {
    "backend": namespace.old_backend,
    "layers": lambda: {"ThresholdedReLU": layers.ThresholdedReLU},
    "losses": lambda: _short(losses) | {"Reduction": Reduction},
    "metrics": lambda: _short(metrics),
    "preprocessing.image": lambda: namespace.members(image),
    "preprocessing.sequence": lambda: namespace.members(sequence),
    "preprocessing.text": lambda: namespace.members(text),
}
