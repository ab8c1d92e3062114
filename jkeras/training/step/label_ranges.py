"""Labels that are no probabilities, or no counts, where a loss takes them for such: trained on, as
in Keras, with a warning.
"""

from typing import NamedTuple

import numpy as np

from jkeras import losses
from jkeras.core.say.warning import warn
from jkeras.losses import Loss

TOLERANCE = 0.01  # of the sum of a row of probabilities, which may have few bits
OVERSHOOT = 0.1  # beyond a range: data that was scaled or resized into it may leave it by a little


class Range(NamedTuple):
    """What labels of a loss are to be.

    Attributes:
        low, high: the smallest and the largest of them.
        sums_to_one: whether the last axis has probabilities of classes.
    """

    low: float
    high: float
    sums_to_one: bool = False


RANGES = {
    losses.binary_crossentropy: Range(0, 1),
    losses.binary_focal_crossentropy: Range(0, 1),
    losses.categorical_crossentropy: Range(0, 1, True),
    losses.categorical_focal_crossentropy: Range(0, 1, True),
    losses.poisson: Range(0, np.inf),
}


def range_of(loss: Loss) -> Range | None:
    """What the labels of a loss are to be; None: anything, or it is not known."""
    wanted = next((RANGES[one] for one in RANGES if one is getattr(loss, "fn", None)), None)
    if wanted is not None and wanted.sums_to_one and loss.fn_kwargs().get("axis", -1) != -1:
        return wanted._replace(sums_to_one=False)
    return wanted


def warn_of_range(
    y_true: np.ndarray, sample_weight: np.ndarray | None, loss: Loss, wanted: Range, where: str
) -> None:
    """Warns where labels are not what a loss takes them for; those of weight 0 may be anything.

    Args:
        where: what messages call the labels.
    """
    if not y_true.size or y_true.dtype.kind not in "fiu":
        return
    are_classes = y_true.ndim < 2 or y_true.shape[-1] == 1
    if wanted.sums_to_one and are_classes:
        return  # numbers of classes, which such a loss does not take: an error of their shape
    misfit = _misfit(y_true, wanted)
    if misfit is None:
        return
    if sample_weight is not None and not np.asarray(sample_weight).all():
        return
    expected, received = misfit
    fix = ""
    if wanted.high == 1 and not wanted.sums_to_one:
        fix = " To fix it: number two classes 0 and 1, or scale the labels."
    warn(
        f"{where}: the loss '{loss.name}' takes {expected}, and is given {received}: its value "
        f"means little.{fix}"
    )


def _misfit(y_true: np.ndarray, wanted: Range) -> tuple[str, str] | None:
    """What labels should be and what they are, in words; None where they fit."""
    low, high = y_true.min(), y_true.max()
    in_range = low >= wanted.low - OVERSHOOT and high <= wanted.high + OVERSHOOT
    if not in_range:  # nor is NaN
        return f"numbers from {wanted.low} to {wanted.high}", f"labels from {low} to {high}"
    if not wanted.sums_to_one:
        return None
    sums = y_true.sum(axis=-1, dtype="float32")
    sums = sums[sums != 0]  # a row of zeros counts nothing, as who leaves rows out writes it
    wrong = sums[~(np.abs(sums - 1) <= TOLERANCE)]
    if not wrong.size:
        return None
    return "probabilities that add up to 1 in each row", f"a row that adds up to {wrong[0]:g}"
