"""Data sets of whole batches: PyDataset, and batches as tuples."""

import itertools
from collections.abc import Iterator
from typing import Any

from jkeras.core.names.registry import public


@public("keras.utils.PyDataset", "keras.utils.Sequence")
class PyDataset:
    """Base of data sets that give whole batches: a subclass defines `__getitem__(index)` and
    `__len__`.

    Args:
        workers: threads that make batches ahead; 1 makes each when it is needed.
        use_multiprocessing: processes instead of threads. They import what they need anew, so a
            program that starts them is under `if __name__ == "__main__":`; they get the data set,
            pickled, once and when it has changed; `__getitem__` has JAX on the CPU only.
        max_queue_size: how many batches are made ahead at most.

    >>> class Squares(PyDataset):
    ...     def __len__(self):
    ...         return 2
    ...     def __getitem__(self, i):
    ...         return [i], [i * i]
    >>> Squares().num_batches
    2
    """

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(
            f"{type(self).__name__} must define `__getitem__(self, index)`: one batch."
        )

    @property
    def num_batches(self) -> int | None:
        """The number of batches; None if it is unknown."""
        if type(self).__len__ is PyDataset.__len__:
            raise NotImplementedError(
                f"{type(self).__name__} must define `__len__` or the property `num_batches`."
            )
        return len(self)

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator:
        """The batches of one epoch; without an end where their number is unknown."""
        try:
            count = self.num_batches
        except NotImplementedError:
            count = None
        numbers = itertools.count() if count is None else range(count)
        return map(self.__getitem__, numbers)

    def on_epoch_begin(self) -> None:
        """Before an epoch."""

    def on_epoch_end(self) -> None:
        """After an epoch."""


Sequence = PyDataset


@public("keras.utils.pack_x_y_sample_weight")
def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """The tuple that `fit` understands, without what is None.

    Args:
        x: inputs.
        y: targets.
        sample_weight: weights of the examples; without `y` it is left out.
    Returns:
        (x, y, sample_weight), (x, y), or `x`, as (x,) where it is a list or tuple.

    >>> pack_x_y_sample_weight(1, 2)
    (1, 2)
    >>> pack_x_y_sample_weight([1, 2])
    ([1, 2],)
    """
    if sample_weight is not None and y is not None:
        return (x, y, sample_weight)
    if y is not None:
        return (x, y)
    if isinstance(x, (tuple, list)):
        return (x,)
    return x


@public("keras.utils.unpack_x_y_sample_weight")
def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """(x, y, sample_weight) of a batch, None where there is none.

    Args:
        data: a tuple or list of one to three, or inputs alone.
    Returns:
        a tuple of three.
    Raises:
        ValueError: a tuple of another length.

    >>> unpack_x_y_sample_weight((1, 2))
    (1, 2, None)
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            f"A batch is `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`. Received: {data}"
        )
    return (*data, None, None)[:3]
