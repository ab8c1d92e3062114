"""The settings of a session."""

from jkeras.backend import backend
from jkeras.core.policy import dtype_policy, set_dtype_policy
from jkeras.core.registry import enable_unsafe_deserialization
from jkeras.core.settings import (
    disable_interactive_logging,
    enable_interactive_logging,
    epsilon,
    floatx,
    image_data_format,
    is_interactive_logging_enabled,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)

__all__ = ["backend", "disable_interactive_logging", "dtype_policy", "enable_interactive_logging",
           "enable_unsafe_deserialization", "epsilon", "floatx", "image_data_format", "is_interactive_logging_enabled",
           "set_dtype_policy", "set_epsilon", "set_floatx", "set_image_data_format"]
