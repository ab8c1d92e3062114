"""`keras.ops`: functions of arrays, symbolic tensors and variables under Keras's names, over jnp
and lax.
"""

from jkeras.core.names.exports import exported
from jkeras.ops import linalg, nn, numpy
from jkeras.ops.attention_ring import ring_attention
from jkeras.ops.core import (  # noqa: A004
    associative_scan,
    cast,
    cond,
    convert_to_numpy,
    convert_to_tensor,
    custom_gradient,
    dtype,
    fori_loop,
    is_tensor,
    map,
    saturate_cast,
    scan,
    scatter,
    scatter_update,
    shape,
    slice,
    slice_update,
    stop_gradient,
    switch,
    unstack,
    vectorized_map,
    while_loop,
)
from jkeras.ops.linalg import *
from jkeras.ops.nn import *
from jkeras.ops.numpy import *

__all__ = exported(
    globals(),
    "linalg",
    "nn",
    "numpy",
    on_first_use={
        "jkeras.ops.einops": "rearrange",
        "jkeras.ops.image": "",
        "jkeras.ops.math": (
            "cdist erf erfc erfinv extract_sequences fft fft2 gammainc ifft2 in_top_k irfft "
            "istft logdet logsumexp rfft rsqrt segment_max segment_min segment_prod "
            "segment_sum stft top_k view_as_complex view_as_real"
        ),
    },
)
