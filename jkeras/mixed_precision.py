"""Mixed precision under its older names."""

from jkeras.core.policy import DTypePolicy, dtype_policy, set_dtype_policy
from jkeras.optimizers import LossScaleOptimizer

Policy = DTypePolicy
global_policy, set_global_policy = dtype_policy, set_dtype_policy

__all__ = ["DTypePolicy", "LossScaleOptimizer", "Policy", "dtype_policy", "global_policy", "set_dtype_policy",
           "set_global_policy"]
