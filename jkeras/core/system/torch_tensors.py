"""Tensors of PyTorch, which jkeras does not import, as arrays of numpy."""

import typing

import numpy as np


def of_torch(value: typing.Any) -> np.ndarray:
    """The numbers of a tensor, which may lie on a device, have a gradient, be sparse, or be in
    bfloat16, which numpy does not have.
    """
    value = value.detach().cpu()
    if value.is_sparse:
        value = value.to_dense()
    if str(value.dtype) == "torch.bfloat16":
        value = value.float()
    return value.numpy()
