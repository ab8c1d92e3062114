"""Regularizers: a penalty on a weight or an output, a number added to the loss."""

from jkeras.core.exports import exported
from jkeras.regularizers.regularizers import L1, L1L2, L2, OrthogonalRegularizer, Regularizer
from jkeras.regularizers.serialization import deserialize, get, serialize

l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer

__all__ = exported(globals())
