"""Constraints: projections of a weight, applied after each step of an optimizer."""

from jkeras.core.exports import exported
from jkeras.constraints.constraints import Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm
from jkeras.constraints.serialization import deserialize, get, serialize

max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm

__all__ = exported(globals())
