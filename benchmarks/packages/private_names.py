"""Stands in for private modules of Keras of which a package takes a name or two."""

import jax

from jkeras import StatelessScope
from jkeras.core import frame
from jkeras.core.registry import is_untrusted as in_safe_mode
from jkeras.core.rng import global_generator as global_seed_generator
from jkeras.distribution import distribute_tensor, distribution
from jkeras.losses.base import LossFunctionWrapper
from jkeras.training.data.weights import class_weights

__all__ = [
    "LossFunctionWrapper",
    "StatelessScope",
    "class_weight_to_sample_weights",
    "distribute_tensor",
    "distribution",
    "get_keras_mask",
    "global_seed_generator",
    "in_grain_data_pipeline",
    "in_safe_mode",
    "in_symbolic_scope",
    "is_tensor",
    "no_automatic_dependency_tracking",
    "set_keras_mask",
]


def no_automatic_dependency_tracking(function):
    """Of keras.src.utils.tracking: jkeras tracks by attribute alone."""
    return function


def in_symbolic_scope():
    """Of keras.src.backend.common.symbolic_scope: whether shapes alone are computed."""
    run = frame.current()
    return run is not None and run.abstract


def in_grain_data_pipeline():
    """Of keras.src.utils.backend_utils."""
    return False


def class_weight_to_sample_weights(y, class_weight):
    """Of keras.src.trainers.data_adapters.data_adapter_utils."""
    return class_weights(y, None, class_weight)


def is_tensor(x):
    """Of keras.src.backend."""
    return isinstance(x, jax.Array)


def get_keras_mask(x):
    """Of keras.src.backend: the mask that travels beside an array."""
    run = frame.current()
    return getattr(x, "_keras_mask", None) if run is None else run.mask_of(x)


def set_keras_mask(x, mask):
    """Of keras.src.backend."""
    frame.current().set_mask(x, mask)
