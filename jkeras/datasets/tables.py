"""What the data sets that are tables share: one file with `x` and `y`, shuffled and split."""

import numpy as np

from jkeras.datasets.published import fetched


def load(
    file: str, path: str, test_split: float, seed: int, rows: int | None = None
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """`(x_train, y_train), (x_test, y_test)` of a published file.

    Args:
        rows: how many of it, from the first.

    Raises:
        ValueError: `test_split` is no part.
        OSError: the file does not come.
    """
    if not 0 <= test_split < 1:
        raise ValueError(
            f"`test_split` must be at least 0 and less than 1. Received: test_split={test_split}"
        )
    with np.load(fetched(file, path), allow_pickle=False) as arrays:
        x = arrays["x"][:rows]
        y = arrays["y"][:rows]
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    count = int(len(x) * (1 - test_split))
    train = order[:count]
    test = order[count:]
    return (x[train], y[train]), (x[test], y[test])
