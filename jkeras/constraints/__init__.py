"""Constraints: projections of a weight, applied after each step of an optimizer."""

from jkeras.constraints.constraints import Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm
from jkeras.constraints.serialization import deserialize, get, serialize
from jkeras.core.names.exports import exported

max_norm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = NonNeg
unit_norm = UnitNorm

__all__ = exported(globals())
