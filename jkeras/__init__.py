"""jkeras: Keras as pure functions on JAX. Same names, arguments, numbers and files; parameters are values you hold."""

from jkeras import (
    activations,
    backend,
    callbacks,
    config,
    constraints,
    datasets,
    dtype_policies,
    initializers,
    layers,
    losses,
    metrics,
    mixed_precision,
    models,
    ops,
    optimizers,
    preprocessing,
    quantizers,
    random,
    regularizers,
    saving,
    training,
    tree,
    utils,
    visualization,
    wrappers,
)
from jkeras.core.graph import KerasTensor
from jkeras.core.input_spec import InputSpec
from jkeras.core.layer import Layer
from jkeras.core.policy import DTypePolicy
from jkeras.core.variable import Variable
from jkeras.initializers import Initializer
from jkeras.layers import Input
from jkeras.losses import Loss
from jkeras.metrics import Metric
from jkeras.models import Functional, Model, Sequential
from jkeras.optimizers import Optimizer
from jkeras.quantizers import Quantizer
from jkeras.regularizers import Regularizer

__version__ = "0.1.0"


def version():
    """The version of jkeras.

    >>> version().count(".")
    2
    """
    return __version__


__all__ = ["DTypePolicy", "Functional", "Initializer", "Input", "InputSpec", "KerasTensor", "Layer", "Loss", "Metric",
           "Model", "Optimizer", "Quantizer", "Regularizer", "Sequential", "Variable", "activations", "backend",
           "callbacks", "config", "constraints", "datasets", "dtype_policies", "initializers", "layers", "losses",
           "metrics", "mixed_precision", "models", "ops", "optimizers", "preprocessing", "quantizers", "random",
           "regularizers", "saving", "training", "tree", "utils", "version", "visualization", "wrappers"]
