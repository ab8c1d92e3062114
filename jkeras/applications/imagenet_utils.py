"""What the models of ImageNet expect of images, and what their predictions mean."""

import functools
import json
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from jkeras import ops
from jkeras.core.session import settings
from jkeras.core.names.registry import public
from jkeras.utils.files import get_file

__all__ = ["decode_predictions", "preprocess_input"]

CLASS_INDEX = (
    "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json",
    "c2c37ea517e94d9795004a39431a14cb",
)
# of the channels as the mode has them
MEANS = {"caffe": (103.939, 116.779, 123.68), "torch": (0.485, 0.456, 0.406)}
DEVIATIONS = (0.229, 0.224, 0.225)


@public("keras.applications.imagenet_utils.preprocess_input")
def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Images as the weights of a family of models expect them.

    Args:
        x: images with three channels and values from 0 to 255, one or a batch; numpy arrays of
            floats are changed in place, as in Keras.
        data_format: "channels_last" or "channels_first"; by default the session's.
        mode: "caffe": blue, green, red, less the mean of each channel; "tf": from -1 to 1; "torch":
            from 0 to 1, then less the mean and over the deviation of each channel.

    Raises:
        ValueError: another mode or data format.

    >>> preprocess_input(np.array([[[0, 127.5, 255]]]), mode="tf").tolist()
    [[[-1.0, 0.0, 1.0]]]
    """
    if mode not in ("caffe", "tf", "torch"):
        raise ValueError(
            "Expected mode to be one of 'caffe', 'tf' and 'torch', by whose numbers the model "
            f"was trained. Received: {mode}"
        )
    if data_format is None:
        data_format = settings.image_data_format()
    if data_format not in ("channels_first", "channels_last"):
        raise ValueError(
            "Expected data_format to be one of 'channels_first' and 'channels_last'. Received: "
            f"{data_format}"
        )
    x = _as_floats(x)
    if mode == "tf":
        x /= 127.5
        x -= 1.0
        return x
    axis = len(x.shape) - 1
    if data_format == "channels_first":
        axis -= 2
    shape = [1] * len(x.shape)
    shape[axis] = 3
    dtype = jnp.dtype(x.dtype)
    means = np.reshape(MEANS[mode], shape).astype(dtype)
    if mode == "caffe":
        x = _flipped(x, axis)
        x -= means
        return x
    x /= 255.0
    x -= means
    x /= np.reshape(DEVIATIONS, shape).astype(dtype)
    return x


def _flipped(x: Any, axis: int) -> Any:
    if isinstance(x, np.ndarray):
        return np.flip(x, axis)
    return ops.flip(x, axis)


def _as_floats(x: Any) -> Any:
    """Images as they are, if they are floats already."""
    if not hasattr(x, "dtype"):
        x = np.asarray(x)
    if jnp.issubdtype(jnp.dtype(x.dtype), jnp.floating):
        return x
    if isinstance(x, np.ndarray):
        return x.astype(settings.floatx())
    return ops.cast(x, settings.floatx())


def expecting(mode: str | None, *modules: str) -> Callable[..., Any]:
    """The function `preprocess_input` of modules whose weights expect a mode; None: images as they
    are.
    """

    def function(x: Any, data_format: str | None = None) -> Any:
        if mode is None:
            return x
        return preprocess_input(x, data_format, mode)

    effect = "left as they are: the model does the rest"
    if mode is not None:
        effect = f'changed as by the mode "{mode}" of `imagenet_utils.preprocess_input`'
    function.__name__ = function.__qualname__ = "preprocess_input"
    function.__doc__ = f"""Images as the weights of these models expect them.

    Args:
        x: images with three channels and values from 0 to 255. They are {effect}.
        data_format: "channels_last" or "channels_first"; by default the session's.

    >>> import numpy as np
    >>> preprocess_input(np.full((1, 2, 2, 3), 255.0)).shape
    (1, 2, 2, 3)
    """
    names = [f"keras.applications.{module}.preprocess_input" for module in modules]
    return public(*names)(function)


@public("keras.applications.imagenet_utils.decode_predictions")
def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """The classes that predictions of a model of ImageNet speak of, the most probable first.

    Their names come from a file that is downloaded once, into the folder "models" of the cache.

    Args:
        preds: (images, 1000): a probability for each class.
        top: how many classes.

    Returns:
        For each image a list of tuples `(identifier, name, probability)`.

    Raises:
        ValueError: another shape.
        OSError: the names cannot be downloaded.
    """
    if len(preds.shape) != 2 or preds.shape[1] != 1000:
        raise ValueError(
            "`decode_predictions` takes the probabilities of 1000 classes for each image: an "
            f"array (images, 1000). Received one of shape {preds.shape}"
        )
    address, file_hash = CLASS_INDEX
    path = get_file(
        "imagenet_class_index.json", address, cache_subdir="models", file_hash=file_hash
    )
    classes = _classes(path)
    preds = np.asarray(preds)
    best = np.argsort(preds)[:, ::-1][:, :top]
    return [[(*classes[str(i)], row[i]) for i in numbers] for row, numbers in zip(preds, best)]


@functools.lru_cache(1)
def _classes(path: str) -> dict[str, list[str]]:
    with open(path, encoding="utf8") as file:
        return json.load(file)
