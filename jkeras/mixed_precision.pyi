# Written by `python -m tests.make_stubs`.
from jkeras.core.weights.policy import DTypePolicy as DTypePolicy
from jkeras.core.weights.policy import DTypePolicy as _Policy
from jkeras.core.weights.policy import dtype_policy as _global_policy
from jkeras.core.weights.policy import dtype_policy as dtype_policy
from jkeras.core.weights.policy import set_dtype_policy as _set_global_policy
from jkeras.core.weights.policy import set_dtype_policy as set_dtype_policy
from jkeras.optimizers.loss_scale import LossScaleOptimizer as LossScaleOptimizer

Policy = _Policy
global_policy = _global_policy
set_global_policy = _set_global_policy
