"""The examples that a classifier gets most wrong, as a gallery."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.visualization.classes import TOLERANCE, compared
from jkeras.visualization.drawing import check_batch
from jkeras.visualization.galleries import Gallery, draw_gallery

SMALLEST = 1e-7  # probability, whose logarithm is taken


@public("jkeras.visualization.plot_worst_examples")
def plot_worst_examples(
    images: Any,
    y_true: Any,
    y_pred: Any,
    names: Sequence[str] | Mapping[Any, str] | None = None,
    count: int = 16,
    losses: Any = None,
    **kwargs: Any,
) -> np.ndarray:
    """Shows the images of the highest loss, the worst first, with their class, what they were taken
    for and how sure the model was of it.

    Args:
        images: (rows, height, width, channels), values from 0 to 255, or in `value_range`.
        y_true: labels (rows,), or one-hot rows.
        y_pred: probabilities (rows, classes), or of the second of two classes (rows, 1).
        names: of the classes in order, or {class: name}.
        count: how many are shown.
        losses: of each image, (rows,); by default the cross-entropy of its class.
        **kwargs: for `plot_image_gallery`, such as `path`, `cols` or `value_range`.

    Returns:
        The numbers of the images, the worst first.
    Raises:
        ValueError: predictions that are no probabilities, or different lengths.
            ImportError: no matplotlib.

    >>> images, p = np.zeros((3, 8, 8, 1)), np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]])
    >>> try:
    ...     plot_worst_examples(images, [0, 1, 1], p, count=2, show=False).tolist()
    ... except ImportError:
    ...     [1, 2]
    [1, 2]
    """
    check_batch(images)
    images, probabilities = np.asarray(images), _probabilities(y_pred)
    true, predicted, names = compared(y_true, probabilities, names, "plot_worst_examples")
    if len(true) != len(images):
        raise ValueError(
            explain("plot_worst_examples", f"{len(images)} labels, as images", f"{len(true)}")
        )
    at = np.arange(len(true))
    if losses is None:
        losses = -np.log(np.maximum(probabilities[at, true], SMALLEST))
    worst = np.argsort(-np.asarray(losses).reshape(len(true)), kind="stable")[:count]
    sure = probabilities[at, predicted]
    titles = [
        f"{names[true[i]]}\n{names[predicted[i]]}? {100 * sure[i]:.0f} %" for i in worst.tolist()
    ]
    draw_gallery(images[worst], titles, Gallery(transparent=False, **kwargs))
    return worst


def _probabilities(y_pred: Any) -> np.ndarray:
    """(rows, classes), each row of which sums to 1."""
    p = np.asarray(y_pred, "float64")
    if p.ndim == 1 or p.shape[-1:] == (1,):
        p = np.stack([1 - p.reshape(-1), p.reshape(-1)], axis=-1)
    is_off = p.ndim != 2 or (p < 0).any() or (np.abs(p.sum(axis=-1) - 1) > TOLERANCE).any()
    if is_off:
        raise ValueError(
            explain(
                "plot_worst_examples",
                "`y_pred` of probabilities, (rows, classes)",
                f"shape {np.shape(y_pred)}, values from {np.min(y_pred):g} to {np.max(y_pred):g}",
                "of logits pass `ops.softmax(logits)`, of two classes `ops.sigmoid(logits)`",
            )
        )
    return p
