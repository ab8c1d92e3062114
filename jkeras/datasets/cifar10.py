"""CIFAR-10: small photographs of ten kinds."""

from typing import Any

import numpy as np

from jkeras.core.names.registry import public
from jkeras.datasets.cifar import batches, images

FOLDER = "cifar-10-batches-py"
MEMBERS = [f"{FOLDER}/{name}" for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")]


@public("keras.datasets.cifar10.load_data")
def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """60,000 photographs as images of 32 by 32 pixels in color; downloaded once, 170 MB.

    The classes are 0 airplane, 1 automobile, 2 bird, 3 cat, 4 deer, 5 dog, 6 frog, 7 horse, 8 ship
    and 9 truck.

    Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (2009),
    https://www.cs.toronto.edu/~kriz/cifar.html; no licence is stated there.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 arrays of the shapes (50000, 32, 32, 3),
        (50000, 1), (10000, 32, 32, 3) and (10000, 1); channels first if that is the session's data
        format.

    Raises:
        OSError: it cannot be downloaded; the message says where to put the file.

    >>> (x_train, y_train), (x_test, y_test) = load_data()  # doctest: +SKIP
    >>> x_train.shape, y_test.shape  # doctest: +SKIP
    ((50000, 32, 32, 3), (10000, 1))
    """
    *train, test = batches("cifar-10-python.tar.gz", f"{FOLDER}-target_archive", MEMBERS)
    x_train = np.concatenate([images(batch) for batch in train])
    return (x_train, _labels(*train)), (images(test), _labels(test))


def _labels(*parts: Any) -> np.ndarray:
    return np.concatenate([np.array(batch[b"labels"], "uint8") for batch in parts])[:, None]
