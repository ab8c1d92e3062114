"""What `tf.keras` of Keras 3 has beside `keras`: a little of Keras 2 for programs that stayed."""

import functools

from jkeras import losses, metrics
from jkeras.keras2 import image, layers, namespace, random_image, sequence, tables, text


class Reduction:
    """The names of reductions, as Keras 2 has them."""

    AUTO = "auto"
    NONE = "none"
    SUM = "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"


@functools.cache
def names_of(module):
    """{name: object} that a module of `tf.keras` has and the one of `keras` has not.

    >>> sorted(names_of("layers")), names_of("utils")
    (['ThresholdedReLU'], {})
    """
    if module == "backend":
        return namespace.old_backend()
    if module == "layers":
        return {"ThresholdedReLU": layers.ThresholdedReLU}
    if module in ("losses", "metrics"):
        today = losses if module == "losses" else metrics
        short = {name: getattr(today, new) for name, new in tables.SHORT.items() if name[1] != "o"}
        reduction = {"Reduction": Reduction} if module == "losses" else {}
        return short | reduction
    if module == "preprocessing.image":
        return namespace.members(image) | namespace.members(random_image)
    if module == "preprocessing.sequence":
        return namespace.members(sequence)
    return namespace.members(text) if module == "preprocessing.text" else {}
