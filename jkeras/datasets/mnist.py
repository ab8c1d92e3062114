"""MNIST: handwritten digits."""

import numpy as np

from jkeras.core.names.registry import public
from jkeras.datasets.published import fetched


@public("keras.datasets.mnist.load_data")
def load_data(
    path: str = "mnist.npz",
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """70,000 handwritten digits as images of 28 by 28 pixels, dark is high; downloaded once, 11 MB.

    Source: Y. LeCun, C. Cortes and C. Burges, http://yann.lecun.com/exdb/mnist, made of images of
    NIST, the National Institute of Standards and Technology. Licence CC BY-SA 3.0.

    Args:
        path: the file's name in the folder "datasets" of the cache.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 arrays of the shapes (60000, 28, 28),
        (60000,), (10000, 28, 28) and (10000,).

    Raises:
        OSError: it cannot be downloaded; the message says where to put the file.

    >>> (x_train, y_train), (x_test, y_test) = load_data()  # doctest: +SKIP
    >>> x_train.shape, y_test.shape  # doctest: +SKIP
    ((60000, 28, 28), (10000,))
    """
    with np.load(fetched("mnist.npz", path), allow_pickle=False) as arrays:
        return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
