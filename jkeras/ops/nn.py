"""`keras.ops.nn`: everything of the nn_* files."""

from jkeras.core.names.exports import exported
from jkeras.ops.nn_activations import (
    celu,
    elu,
    gelu,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    relu,
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
    tanh_shrink,
    threshold,
)
from jkeras.ops.nn_attention import dot_product_attention
from jkeras.ops.nn_conv import (
    conv,
    conv_transpose,
    depth_to_space,
    depthwise_conv,
    fold,
    separable_conv,
    space_to_depth,
    unfold,
)
from jkeras.ops.nn_encoding import multi_hot, one_hot, polar
from jkeras.ops.nn_losses import (
    binary_crossentropy,
    categorical_crossentropy,
    ctc_decode,
    ctc_loss,
    psnr,
    sparse_categorical_crossentropy,
)
from jkeras.ops.nn_normalization import (
    batch_normalization,
    layer_normalization,
    moments,
    normalize,
    rms_normalization,
)
from jkeras.ops.nn_pool import adaptive_average_pool, adaptive_max_pool, average_pool, max_pool

swish = silu
hard_swish = hard_silu

__all__ = exported(globals())
