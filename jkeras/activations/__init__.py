"""`keras.activations`: activation functions, by name, config or as they are."""

from jkeras.core.names.exports import exported
from jkeras.activations.activations import exponential, gelu, linear, mish, relu
from jkeras.activations.serialization import deserialize, get, serialize
from jkeras.ops import (
    celu,
    elu,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    tanh,
    tanh_shrink,
    threshold,
)

swish = silu
hard_swish = hard_silu

__all__ = exported(globals())
