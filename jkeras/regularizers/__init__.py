"""Regularizers: a penalty on a weight or an output, a number added to the loss."""

from jkeras.core.names.exports import exported
from jkeras.regularizers.regularizers import L1, L1L2, L2, OrthogonalRegularizer, Regularizer
from jkeras.regularizers.serialization import deserialize, get, serialize

l1 = L1
l2 = L2
l1_l2 = L1L2
orthogonal_regularizer = OrthogonalRegularizer

__all__ = exported(globals())
