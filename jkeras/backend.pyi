# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.core.graph.keras_tensor import is_symbolic as _is_keras_tensor
from jkeras.core.names.dtypes import is_float as _is_float_dtype
from jkeras.core.names.dtypes import standardize_dtype as standardize_dtype
from jkeras.core.session.settings import clear_session as clear_session
from jkeras.core.session.settings import epsilon as epsilon
from jkeras.core.session.settings import floatx as floatx
from jkeras.core.session.settings import get_uid as get_uid
from jkeras.core.session.settings import image_data_format as image_data_format
from jkeras.core.session.settings import set_epsilon as set_epsilon
from jkeras.core.session.settings import set_floatx as set_floatx
from jkeras.core.session.settings import set_image_data_format as set_image_data_format
from jkeras.ops.promotion import result_type as result_type

def backend() -> Any: ...
def global_generator() -> Any: ...
is_float_dtype = _is_float_dtype
def is_int_dtype(dtype: Any) -> Any: ...
is_keras_tensor = _is_keras_tensor
