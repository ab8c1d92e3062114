"""Data sets of torch, where it is installed: parts of them, and those of arrays."""

import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from jkeras import tree


def is_torch_data(value: Any) -> bool:
    """Whether a value is a `torch.utils.data.Dataset`.

    >>> is_torch_data([1, 2])
    False
    """
    module = sys.modules.get("torch.utils.data")
    return module is not None and isinstance(value, module.Dataset)


def parts(dataset: Any, orders: Iterable[Iterable[int]]) -> tuple:
    """For each list of sample numbers the `Subset` with those.

    Args:
        dataset: one of torch, or a structure of arrays, whose rows become tuples of tensors.
    """
    import torch  # the caller has such a data set, or asked for one

    if not is_torch_data(dataset):
        columns = [torch.from_numpy(column) for column in tree.flatten(dataset)]
        dataset = torch.utils.data.TensorDataset(*columns)
    return tuple(torch.utils.data.Subset(dataset, [int(i) for i in order]) for order in orders)


def samples(dataset: Any, numbers: Iterable[int]) -> Any:
    """The samples with these numbers as arrays."""
    rows = [dataset[int(i)] for i in numbers]
    return tree.map_structure(lambda *leaves: np.stack([np.asarray(v) for v in leaves]), *rows)
