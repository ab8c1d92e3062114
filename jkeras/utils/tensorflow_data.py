"""Data sets of `tf.data`, where TensorFlow is installed: from a `Dataset`, and from samples."""

import sys
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from jkeras import tree
from jkeras.core.run import tensorflow_graph
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.system.loaded import loaded_tensorflow
from jkeras.core.session.host_random import untouched

if TYPE_CHECKING:
    from jkeras.utils.datasets import Dataset


def tensorflow() -> types.ModuleType | None:
    """TensorFlow, or None where there is none.

    If it was not imported before, it leaves the GPUs to JAX: it would take all of their memory.
    """
    is_new = "tensorflow" not in sys.modules
    try:
        with untouched():  # from which it draws
            import tensorflow  # noqa: F401
    except ImportError:
        return None
    module = loaded_tensorflow()
    if is_new and module is not None:
        module.config.set_visible_devices([], "GPU")
    return module


def is_tf_data(value: Any) -> bool:
    """Whether a value is a `tf.data.Dataset`.

    >>> is_tf_data([1, 2])
    False
    """
    module = loaded_tensorflow()
    return module is not None and isinstance(value, module.data.Dataset)


def kind_of(array: np.ndarray) -> KerasTensor:
    """The shape and dtype of the rows of an array.

    >>> kind_of(np.zeros((5, 2), "int32")).shape
    (2,)
    """
    is_text = array.dtype.kind in "OUS"
    return KerasTensor(array.shape[1:], "string" if is_text else array.dtype.name)


def image_of(path: str, channels: int) -> np.ndarray:
    """The pixels of an image file (height, width, channels), read by TensorFlow."""
    module = tensorflow()
    data = module.io.read_file(path)
    decoded = module.io.decode_image(data, channels=channels, expand_animations=False)
    return decoded.numpy().astype("float32")


def as_tf_data(dataset: "Dataset", sample: Any, is_ragged: bool = False) -> Any:
    """A `Dataset` as one of `tf.data`, in the order that Keras has for the same seed; without
    TensorFlow the `Dataset` itself.

    Args:
        sample: KerasTensors: what one sample is.
        is_ragged: the first part of the samples is of several lengths, and stays so in batches.
    """
    module = tensorflow()
    if module is None:
        return dataset
    size = dataset.batch_size
    made = module.data.Dataset.from_tensor_slices(dataset.order)
    if dataset.shuffle_samples:
        buffer_size = 1024 if size is None else 8 * size
        made = made.shuffle(buffer_size, seed=dataset.seed)
    if size is not None and not is_ragged:
        made = made.batch(size)
    made = made.map(_reader(dataset.gather, sample), module.data.AUTOTUNE)
    if is_ragged:
        made = made.map(_ragged_first(module))
        if size is not None:
            made = made.batch(size)
    made = made.prefetch(module.data.AUTOTUNE)
    vars(made).update(dataset.attributes)
    return made


def _reader(gather: Callable[[np.ndarray], Any], sample: Any) -> Callable[[Any], Any]:
    """The function from sample numbers, or one of them, to tensors."""

    def read(numbers: Any) -> Any:
        batch = gather(np.atleast_1d(numbers))
        if np.ndim(numbers):
            return batch
        return tree.map_structure(lambda v: v[0], batch)

    def announce(numbers: KerasTensor) -> Any:
        return tree.map_structure(
            lambda kind: KerasTensor((*numbers.shape, *kind.shape), kind.dtype), sample
        )

    return lambda numbers: tensorflow_graph.call_in_graph(read, announce, (numbers,), {})


def _ragged_first(module: types.ModuleType) -> Callable[..., Any]:
    """The function that makes the first part of a sample ragged."""

    def function(first: Any, *others: Any) -> Any:
        first = module.RaggedTensor.from_tensor(first)
        return (first, *others) if others else first

    return function


# ---------------------------------------------------------------- samples of a data set


def samples_of(dataset: Any) -> tuple[Any, int | None]:
    """(all samples of a `tf.data.Dataset` as arrays, the size of its batches or None)."""
    leaves = tree.flatten(dataset.element_spec)
    size = None
    if hasattr(dataset, "_batch_size") or all(leaf.shape[:1] == [None] for leaf in leaves):
        size = max(len(tree.flatten(batch)[0]) for batch in dataset.take(1))
        dataset = dataset.unbatch()
    samples = list(dataset.as_numpy_iterator())
    return tree.map_structure(lambda *rows: np.stack(rows), *samples), size


def sliced(arrays: Any, batch_size: int | None = None) -> Any:
    """The `tf.data.Dataset` of the rows of arrays."""
    module = tensorflow()
    made = module.data.Dataset.from_tensor_slices(arrays)
    if batch_size is not None:
        made = made.batch(batch_size)
    return made.prefetch(module.data.AUTOTUNE)
