"""The settings of a session."""

from jkeras.core.names.exports import exported
from jkeras.backend import backend
from jkeras.core.weights.policy import dtype_policy, set_dtype_policy
from jkeras.core.names.registry import enable_unsafe_deserialization
from jkeras.core.session.keras_version import keras_version, set_keras_version
from jkeras.core.session.settings import (
    disable_compilation_cache,
    disable_flash_attention,
    disable_interactive_logging,
    disable_traceback_filtering,
    enable_compilation_cache,
    enable_flash_attention,
    enable_interactive_logging,
    enable_traceback_filtering,
    epsilon,
    floatx,
    image_data_format,
    is_flash_attention_enabled,
    is_interactive_logging_enabled,
    is_traceback_filtering_enabled,
    max_epochs,
    max_steps_per_epoch,
    set_epsilon,
    set_floatx,
    set_image_data_format,
    set_max_epochs,
    set_max_steps_per_epoch,
)


def is_nnx_enabled():
    """False: layers here are pure functions already, so flax's NNX has nothing to add.

    >>> is_nnx_enabled()
    False
    """
    return False


def set_backend(backend):  # noqa: F811 (Keras's name for it)
    """Takes "jax", the only backend there is.

    Raises:
        ValueError: for another one.

    >>> set_backend("jax")
    """
    if backend != "jax":
        raise ValueError(
            f"jkeras runs on JAX alone. Expected backend='jax', received: backend={backend!r}. For "
            "another backend use Keras itself: files and configs go both ways."
        )


__all__ = exported(globals())
