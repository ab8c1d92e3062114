"""Prices of houses in California."""

from typing import TYPE_CHECKING

from jkeras.core.names.registry import public
from jkeras.datasets import tables

if TYPE_CHECKING:
    import numpy as np

ROWS = {"small": 600, "large": None}


@public("keras.datasets.california_housing.load_data")
def load_data(
    version: str = "large",
    path: str = "california_housing.npz",
    test_split: float = 0.2,
    seed: int = 113,
) -> "tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]":
    """20,640 places in California with 8 numbers of each, and the median value of houses there;
    downloaded once.

    The numbers are those of the census of 1990: median income, age of the houses, rooms and
    bedrooms for each household, people, people for each household, latitude and longitude. Values
    are in dollars.

    Source: R. K. Pace and R. Barry, "Sparse Spatial Autoregressions" (1997),
    https://www.dcc.fc.up.pt/~ltorgo/Regression/cal_housing.html; no licence is stated there.

    Args:
        version: "large", or "small": the first 600 rows.
        path: the file's name in the folder "datasets" of the cache.
        test_split: which part of the rows is the test data.
        seed: of the order.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: float arrays of the shapes (16512, 8), (16512,),
        (4128, 8) and (4128,).

    Raises:
        ValueError: another `version`, or `test_split` is no part.
        OSError: it cannot be downloaded; the message says where to put the file.

    >>> (x_train, y_train), (x_test, y_test) = load_data("small")  # doctest: +SKIP
    >>> x_train.shape, y_test.shape  # doctest: +SKIP
    ((480, 8), (120,))
    """
    if version not in ROWS:
        raise ValueError(f'`version` must be "small" or "large". Received: version={version}')
    return tables.load("california_housing.npz", path, test_split, seed, ROWS[version])
