"""CIFAR-100: small photographs of a hundred kinds."""

from typing import Any

import numpy as np

from jkeras.core.names.registry import public
from jkeras.datasets.cifar import batches, images

FOLDER = "cifar-100-python"


@public("keras.datasets.cifar100.load_data")
def load_data(
    label_mode: str = "fine",
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """60,000 photographs as images of 32 by 32 pixels in color, of 100 kinds in 20 groups;
    downloaded once, 169 MB.

    Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (2009),
    https://www.cs.toronto.edu/~kriz/cifar.html; no licence is stated there.

    Args:
        label_mode: "fine": the labels are the kinds, or "coarse": the groups.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of the shapes (50000, 32, 32, 3), (50000, 1),
        (10000, 32, 32, 3) and (10000, 1), uint8 the images and int64 the labels; channels first if
        that is the session's data format.

    Raises:
        ValueError: another `label_mode`.
        OSError: it cannot be downloaded; the message says where to put the file.

    >>> (x_train, y_train), (x_test, y_test) = load_data("coarse")  # doctest: +SKIP
    >>> x_train.shape, int(y_train.max())  # doctest: +SKIP
    ((50000, 32, 32, 3), 19)
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError(
            f'`label_mode` must be "fine" or "coarse". Received: label_mode={label_mode}'
        )
    train, test = batches(
        "cifar-100-python.tar.gz", f"{FOLDER}-target_archive", [f"{FOLDER}/train", f"{FOLDER}/test"]
    )

    def arrays(batch: dict[bytes, Any]) -> tuple[np.ndarray, np.ndarray]:
        labels = batch[f"{label_mode}_labels".encode()]
        return images(batch), np.array(labels)[:, None]

    return arrays(train), arrays(test)
