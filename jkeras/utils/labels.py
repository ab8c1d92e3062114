"""Labels in other forms."""

import numpy as np

from jkeras.core.registry import public


@public("keras.utils.to_categorical")
def to_categorical(x, num_classes=None):
    """Whole numbers as one-hot rows: (…,) -> (…, num_classes), float32. A last axis of size 1 is dropped first.

    Args:
        x: array of whole numbers.
        num_classes: by default the largest number plus one.

    >>> to_categorical([0, 2], 3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    x = np.asarray(x, dtype="int64")
    shape = x.shape[:-1] if x.ndim > 1 and x.shape[-1] == 1 else x.shape
    x = x.reshape(-1)
    classes = int(x.max()) + 1 if not num_classes else num_classes
    if x.size and (x.min() < -classes or x.max() >= classes):
        raise ValueError(f"The labels must be below num_classes={classes}. Received labels from {x.min()} to {x.max()}.")
    rows = np.zeros((x.size, classes), "float32")
    rows[np.arange(x.size), x] = 1.0
    return rows.reshape(*shape, classes)
