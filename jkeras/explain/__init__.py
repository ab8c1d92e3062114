"""`jkeras.explain`: why a model gives what it gives.

Each method is called on a model and its data, `explain.saliency(model, x, target=3)`; with `params`
and `state` it is a pure function of these and of `x`, for `jax.jit`, `jax.vmap` and `jax.grad`.
"""

from jkeras.core.names.exports import exported
from jkeras.explain.activations import activations, steering_vector
from jkeras.explain.attention import attention_rollout
from jkeras.explain.autoencoder import SparseAutoencoder
from jkeras.explain.cam import grad_cam, grad_cam_plus_plus
from jkeras.explain.concepts import concept_direction, tcav
from jkeras.explain.conductance import conductance
from jkeras.explain.data import influence, tracin
from jkeras.explain.deep_lift import deep_lift
from jkeras.explain.for_quantus import quantus_function, quantus_model
from jkeras.explain.gradients import (
    gradient_shap,
    input_x_gradient,
    integrated_gradients,
    saliency,
    smooth_grad,
)
from jkeras.explain.importance import Importance, permutation_importance
from jkeras.explain.logits import LogitAttribution, logit_attribution, logit_lens
from jkeras.explain.lrp import lrp
from jkeras.explain.occlusion import occlusion
from jkeras.explain.patching import (
    Patched,
    ablation,
    activation_patching,
    edge_attribution,
    path_patching,
)
from jkeras.explain.places import Place, Places, place, places
from jkeras.explain.probes import Probe, linear_probe
from jkeras.explain.relu import deconvnet, guided_backprop, guided_grad_cam
from jkeras.explain.sanity import deletion, infidelity, insertion, randomization
from jkeras.explain.shapley import kernel_shap, shapley_values
from jkeras.explain.show import show

__all__ = exported(globals())
