"""The backend functions that programs call; the backend is JAX."""

from jkeras.core.names.exports import exported
from jkeras.core.graph.keras_tensor import is_symbolic as is_keras_tensor
from jkeras.core.weights.rng import global_generator
from jkeras.core.session.settings import (
    clear_session,
    epsilon,
    floatx,
    get_uid,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from jkeras.core.names.dtypes import is_float as is_float_dtype
from jkeras.core.names.dtypes import standardize_dtype
from jkeras.ops.promotion import result_type


def backend():
    """The name of the backend: "jax".

    Returns:
        Text.

    >>> backend()
    'jax'
    """
    return "jax"


def is_int_dtype(dtype):
    """Whether a dtype is an integer type.

    Args:
        dtype: name of a dtype, or a dtype of numpy or JAX.
    Returns:
        bool; False for "bool".

    >>> is_int_dtype("uint8"), is_int_dtype("float32")
    (True, False)
    """
    return standardize_dtype(dtype).startswith(("int", "uint"))


__all__ = exported(globals())
