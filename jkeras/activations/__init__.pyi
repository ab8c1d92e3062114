# Written by `python -m tests.make_stubs`.
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.weights.types import TensorLike
from typing import overload
import jax
from jkeras.activations.serialization import deserialize as deserialize
from jkeras.activations.serialization import get as get
from jkeras.activations.serialization import serialize as serialize
from jkeras.ops import celu as celu
from jkeras.ops import elu as elu
from jkeras.ops import glu as glu
from jkeras.ops import hard_shrink as hard_shrink
from jkeras.ops import hard_sigmoid as hard_sigmoid
from jkeras.ops import hard_silu as hard_silu
from jkeras.ops import hard_swish as hard_swish
from jkeras.ops import hard_tanh as hard_tanh
from jkeras.ops import leaky_relu as leaky_relu
from jkeras.ops import log_sigmoid as log_sigmoid
from jkeras.ops import log_softmax as log_softmax
from jkeras.ops import relu6 as relu6
from jkeras.ops import selu as selu
from jkeras.ops import sigmoid as sigmoid
from jkeras.ops import silu as silu
from jkeras.ops import soft_shrink as soft_shrink
from jkeras.ops import softmax as softmax
from jkeras.ops import softplus as softplus
from jkeras.ops import softsign as softsign
from jkeras.ops import sparse_plus as sparse_plus
from jkeras.ops import sparse_sigmoid as sparse_sigmoid
from jkeras.ops import sparsemax as sparsemax
from jkeras.ops import squareplus as squareplus
from jkeras.ops import swish as swish
from jkeras.ops import tanh as tanh
from jkeras.ops import tanh_shrink as tanh_shrink
from jkeras.ops import threshold as threshold

@overload
def exponential(x: KerasTensor) -> KerasTensor: ...
@overload
def exponential(x: TensorLike) -> jax.Array: ...
@overload
def gelu(x: KerasTensor, approximate: bool = False) -> KerasTensor: ...
@overload
def gelu(x: TensorLike, approximate: bool = False) -> jax.Array: ...
@overload
def linear(x: KerasTensor) -> KerasTensor: ...
@overload
def linear(x: TensorLike) -> jax.Array: ...
@overload
def mish(x: KerasTensor) -> KerasTensor: ...
@overload
def mish(x: TensorLike) -> jax.Array: ...
@overload
def relu(
    x: KerasTensor,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> KerasTensor: ...
@overload
def relu(
    x: TensorLike,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> jax.Array: ...
