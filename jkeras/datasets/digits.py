"""The UCI handwritten digits, shipped with the package."""

import importlib.resources
import io

import numpy as np

TEST_ROWS = 359  # a fifth of the 1,797


def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """1,797 handwritten digits as images of 8 by 8 pixels; nothing is downloaded.

    Pixels are whole numbers from 0 to 16, dark is high. The order of the rows is one fixed
    permutation (`numpy.random.RandomState(0)`), of which the last 359 are the test data, so the
    split is the same everywhere.

    Source: "Optical Recognition of Handwritten Digits", E. Alpaydin and C. Kaynak (1998), UCI
    Machine Learning Repository, https://doi.org/10.24432/C50P49, licence CC BY 4.0.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: fresh uint8 arrays of the shapes (1438, 8, 8),
        (1438,), (359, 8, 8) and (359,).

    >>> (x_train, y_train), (x_test, y_test) = load_data()
    >>> x_train.shape, y_test.shape, int(x_train.max()), sorted(set(y_test.tolist()))
    ((1438, 8, 8), (359,), 16, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    file = importlib.resources.files("jkeras.datasets").joinpath("data", "digits.npz")
    with np.load(io.BytesIO(file.read_bytes())) as arrays:
        images = arrays["images"]
        labels = arrays["labels"]
    # a frozen stream: NumPy keeps it as it is
    order = np.random.RandomState(0).permutation(len(images))
    images = images[order]
    labels = labels[order]
    return (images[:-TEST_ROWS], labels[:-TEST_ROWS]), (images[-TEST_ROWS:], labels[-TEST_ROWS:])
