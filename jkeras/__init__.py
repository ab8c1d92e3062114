"""jkeras: Keras as pure functions on JAX. Same names, arguments, numbers and files; parameters are
values you hold.
"""

from jkeras import (
    activations,
    backend,
    callbacks,
    config,
    constraints,
    distribution,
    dtype_policies,
    initializers,
    layers,
    losses,
    metrics,
    mixed_precision,
    models,
    ops,
    optimizers,
    quantizers,
    random,
    regularizers,
    saving,
    training,
    tree,
    utils,
    wrappers,
)
from jkeras.as_keras import install_as_keras
from jkeras.core.names.exports import exported
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.graph.input_spec import InputSpec
from jkeras.core.layer import Layer
from jkeras.core.layer.operation import Function, Operation
from jkeras.core.weights.policy import DTypePolicy, FloatDTypePolicy
from jkeras.core.run.remat import RematScope, remat
from jkeras.core.run.scopes import StatelessScope, SymbolicScope, device, name_scope
from jkeras.core.weights.variable import Variable
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


__all__ = exported(
    globals(),
    # all that is imported here but what is for jkeras itself
    *(
        globals().keys()
        - {"as_keras", "as_keras_inside", "as_keras_names", "core", "programs"}
        - {"ensembles", "plans", "report"}
    ),
    on_first_use={
        "jkeras.alignment": "",
        "jkeras.applications": "",
        "jkeras.datasets": "",
        "jkeras.debug": "",
        "jkeras.distillation": "",
        "jkeras.explain": "",
        "jkeras.generation": "",
        "jkeras.export": "",
        "jkeras.legacy": "",
        "jkeras.lora": "",
        "jkeras.preprocessing": "",
        "jkeras.privacy": "",
        "jkeras.robust": "",
        "jkeras.search": "",
        "jkeras.uncertainty": "",
        "jkeras.visualization": "",
    },
)
