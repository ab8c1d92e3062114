# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.core.names.registry import enable_unsafe_deserialization as enable_unsafe_deserialization
from jkeras.core.session.keras_version import keras_version as keras_version
from jkeras.core.session.keras_version import set_keras_version as set_keras_version
from jkeras.core.session.settings import disable_compilation_cache as disable_compilation_cache
from jkeras.core.session.settings import disable_flash_attention as disable_flash_attention
from jkeras.core.session.settings import disable_interactive_logging as disable_interactive_logging
from jkeras.core.session.settings import disable_traceback_filtering as disable_traceback_filtering
from jkeras.core.session.settings import enable_compilation_cache as enable_compilation_cache
from jkeras.core.session.settings import enable_flash_attention as enable_flash_attention
from jkeras.core.session.settings import enable_interactive_logging as enable_interactive_logging
from jkeras.core.session.settings import enable_traceback_filtering as enable_traceback_filtering
from jkeras.core.session.settings import epsilon as epsilon
from jkeras.core.session.settings import floatx as floatx
from jkeras.core.session.settings import image_data_format as image_data_format
from jkeras.core.session.settings import is_flash_attention_enabled as is_flash_attention_enabled
from jkeras.core.session.settings import is_interactive_logging_enabled as is_interactive_logging_enabled
from jkeras.core.session.settings import is_traceback_filtering_enabled as is_traceback_filtering_enabled
from jkeras.core.session.settings import max_epochs as max_epochs
from jkeras.core.session.settings import max_steps_per_epoch as max_steps_per_epoch
from jkeras.core.session.settings import set_epsilon as set_epsilon
from jkeras.core.session.settings import set_floatx as set_floatx
from jkeras.core.session.settings import set_image_data_format as set_image_data_format
from jkeras.core.session.settings import set_max_epochs as set_max_epochs
from jkeras.core.session.settings import set_max_steps_per_epoch as set_max_steps_per_epoch
from jkeras.core.weights.policy import dtype_policy as dtype_policy
from jkeras.core.weights.policy import set_dtype_policy as set_dtype_policy

def backend() -> Any: ...
def is_nnx_enabled() -> Any: ...
def set_backend(backend: Any) -> Any: ...
