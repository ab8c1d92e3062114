"""Prices of houses in Boston."""

from typing import TYPE_CHECKING

from jkeras.core.names.registry import public
from jkeras.datasets import tables

if TYPE_CHECKING:
    import numpy as np


@public("keras.datasets.boston_housing.load_data")
def load_data(
    path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113
) -> "tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]":
    """506 places in Boston with 13 numbers of each, and the median price of houses there in $1000;
    downloaded once.

    One of the numbers is made from the share of Black people in a place, as if prices followed from
    segregation. Use `california_housing` unless that is what you study.

    Source: D. Harrison and D. L. Rubinfeld, "Hedonic Housing Prices and the Demand for Clean Air"
    (1978), http://lib.stat.cmu.edu/datasets/boston; no licence is stated there.

    Args:
        path: the file's name in the folder "datasets" of the cache.
        test_split: which part of the rows is the test data.
        seed: of the order.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: float64 arrays of the shapes (404, 13), (404,),
        (102, 13) and (102,).

    Raises:
        ValueError: `test_split` is no part.
        OSError: it cannot be downloaded; the message says where to put the file.

    >>> (x_train, y_train), (x_test, y_test) = load_data()  # doctest: +SKIP
    >>> x_train.shape, y_test.shape  # doctest: +SKIP
    ((404, 13), (102,))
    """
    return tables.load("boston_housing.npz", path, test_split, seed)
