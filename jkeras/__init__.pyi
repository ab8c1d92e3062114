# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras import activations as activations
from jkeras import applications as applications
from jkeras import as_keras_store as as_keras_store
from jkeras import backend as backend
from jkeras import callbacks as callbacks
from jkeras import config as config
from jkeras import constraints as constraints
from jkeras import datasets as datasets
from jkeras import distillation as distillation
from jkeras import distribution as distribution
from jkeras import dtype_policies as dtype_policies
from jkeras import explain as explain
from jkeras import export as export
from jkeras import generation as generation
from jkeras import initializers as initializers
from jkeras import kernel as kernel
from jkeras import layers as layers
from jkeras import lora as lora
from jkeras import losses as losses
from jkeras import metrics as metrics
from jkeras import mixed_precision as mixed_precision
from jkeras import models as models
from jkeras import ops as ops
from jkeras import optimizers as optimizers
from jkeras import preprocessing as preprocessing
from jkeras import privacy as privacy
from jkeras import quantizers as quantizers
from jkeras import random as random
from jkeras import regularizers as regularizers
from jkeras import robust as robust
from jkeras import saving as saving
from jkeras import search as search
from jkeras import training as training
from jkeras import tree as tree
from jkeras import uncertainty as uncertainty
from jkeras import utils as utils
from jkeras import visualization as visualization
from jkeras import wrappers as wrappers
from jkeras.core.graph.input_spec import InputSpec as InputSpec
from jkeras.core.graph.keras_tensor import KerasTensor as KerasTensor
from jkeras.core.layer.contract import Layer as Layer
from jkeras.core.layer.operation import Function as Function
from jkeras.core.layer.operation import Operation as Operation
from jkeras.core.run.remat import RematScope as RematScope
from jkeras.core.run.scopes import StatelessScope as StatelessScope
from jkeras.core.run.scopes import SymbolicScope as SymbolicScope
from jkeras.core.run.scopes import name_scope as name_scope
from jkeras.core.weights.policy import DTypePolicy as DTypePolicy
from jkeras.core.weights.policy import FloatDTypePolicy as FloatDTypePolicy
from jkeras.core.weights.variable import Variable as Variable
from jkeras.initializers.base import Initializer as Initializer
from jkeras.layers.input import Input as Input
from jkeras.losses.base import Loss as Loss
from jkeras.metrics.base import Metric as Metric
from jkeras.models.functional import Functional as Functional
from jkeras.models.model import Model as Model
from jkeras.models.sequential import Sequential as Sequential
from jkeras.optimizers.base import Optimizer as Optimizer
from jkeras.quantizers.quantizers import Quantizer as Quantizer
from jkeras.regularizers.regularizers import Regularizer as Regularizer

__version__: str
def device(device_name: Any) -> Any: ...
def install_as_keras(private: Any = None, keras2: Any = False) -> Any: ...
def remat(f: Any, *, policy: Any = None) -> Any: ...
def version() -> Any: ...
