"""Mixed precision under its older names."""

from jkeras.core.names.exports import exported
from jkeras.core.weights.policy import DTypePolicy, dtype_policy, set_dtype_policy
from jkeras.optimizers import LossScaleOptimizer

Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy

__all__ = exported(globals())
