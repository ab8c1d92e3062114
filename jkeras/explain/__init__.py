"""`jkeras.explain`: why a model gives what it gives.

Each method is called on a model and its data, `explain.saliency(model, x, target=3)`; with `params`
and `state` it is a pure function of these and of `x`, for `jax.jit`, `jax.vmap` and `jax.grad`.
"""

from jkeras.core.exports import exported
from jkeras.explain.cam import grad_cam, grad_cam_plus_plus
from jkeras.explain.gradients import (
    gradient_shap,
    input_x_gradient,
    integrated_gradients,
    saliency,
    smooth_grad,
)
from jkeras.explain.occlusion import occlusion
from jkeras.explain.shapley import kernel_shap, shapley_values

__all__ = exported(globals())
