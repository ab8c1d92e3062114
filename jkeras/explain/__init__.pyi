# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.explain.cam import grad_cam as grad_cam
from jkeras.explain.cam import grad_cam_plus_plus as grad_cam_plus_plus
from jkeras.explain.gradients import gradient_shap as gradient_shap
from jkeras.explain.gradients import input_x_gradient as input_x_gradient
from jkeras.explain.gradients import integrated_gradients as integrated_gradients
from jkeras.explain.gradients import saliency as saliency
from jkeras.explain.gradients import smooth_grad as smooth_grad
from jkeras.explain.occlusion import occlusion as occlusion
from jkeras.explain.shapley import kernel_shap as kernel_shap
from jkeras.explain.shapley import shapley_values as shapley_values
