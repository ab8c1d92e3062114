"""Fashion-MNIST: photographs of clothes, in place of MNIST's digits."""

import gzip
import math
import os
import struct
import zlib

import numpy as np

from jkeras.core.names.registry import public
from jkeras.datasets.published import fetched

FOLDER = os.path.join("datasets", "fashion-mnist")
MOST = 2**28  # bytes of the numbers in a file


@public("keras.datasets.fashion_mnist.load_data")
def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """70,000 photographs of clothes as images of 28 by 28 pixels; downloaded once, 30 MB.

    The classes are 0 T-shirt or top, 1 trousers, 2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt, 7
    sneaker, 8 bag and 9 ankle boot.

    Source: H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST" (2017),
    https://arxiv.org/abs/1708.07747. Copyright Zalando SE, licence MIT.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 arrays of the shapes (60000, 28, 28),
        (60000,), (10000, 28, 28) and (10000,).

    Raises:
        OSError: it cannot be downloaded; the message says where to put the file.
        ValueError: a file is damaged.

    >>> (x_train, y_train), (x_test, y_test) = load_data()  # doctest: +SKIP
    >>> x_train.shape, y_test.shape  # doctest: +SKIP
    ((60000, 28, 28), (10000,))
    """

    def arrays(name: str) -> tuple[np.ndarray, np.ndarray]:
        images = _numbers(fetched(f"{name}-images-idx3-ubyte.gz", folder=FOLDER), 3)
        labels = _numbers(fetched(f"{name}-labels-idx1-ubyte.gz", folder=FOLDER), 1)
        return images, labels

    return arrays("train"), arrays("t10k")


def _numbers(path: str, rank: int) -> np.ndarray:
    """The array in a packed file of MNIST's format: 0, 0, 8 for bytes, the rank, the sides, the
    bytes.
    """
    try:
        with gzip.open(path) as file:
            *begin, own_rank = file.read(4)
            shape = struct.unpack(f">{rank}I", file.read(4 * rank))
            size = math.prod(shape)
            content = file.read(min(size, MOST) + 1)
    except (OSError, EOFError, zlib.error, ValueError, struct.error) as error:
        raise _damaged(path) from error
    if (begin, own_rank, len(content)) != ([0, 0, 8], rank, size):
        raise _damaged(path)
    return np.frombuffer(bytearray(content), np.uint8).reshape(shape)


def _damaged(path: str) -> ValueError:
    return ValueError(
        f"{path} is not a file of Fashion-MNIST, or damaged. Remove it, and it is downloaded anew."
    )
