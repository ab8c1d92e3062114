# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.quantizers.configs import AWQConfig as AWQConfig
from jkeras.quantizers.configs import Float8QuantizationConfig as Float8QuantizationConfig
from jkeras.quantizers.configs import GPTQConfig as GPTQConfig
from jkeras.quantizers.configs import Int4QuantizationConfig as Int4QuantizationConfig
from jkeras.quantizers.configs import Int8QuantizationConfig as Int8QuantizationConfig
from jkeras.quantizers.configs import QuantizationConfig as QuantizationConfig
from jkeras.quantizers.configs import TernaryQuantizationConfig as TernaryQuantizationConfig
from jkeras.quantizers.quantizers import AbsMaxQuantizer as AbsMaxQuantizer
from jkeras.quantizers.quantizers import Quantizer as Quantizer
from jkeras.quantizers.report import QuantizationReport as QuantizationReport

def abs_max_quantize(
    inputs: Any,
    axis: Any,
    value_range: Any = ...,
    dtype: Any = 'int8',
    epsilon: Any = 1e-07,
    to_numpy: Any = False,
) -> Any: ...
def abs_max_quantize_grouped_with_zero_point(
    inputs: Any,
    block_size: Any,
    value_range: Any = ...,
    dtype: Any = 'int8',
    epsilon: Any = 1e-07,
    to_numpy: Any = False,
) -> Any: ...
def compute_float8_amax_history(x: Any, amax_history: Any) -> Any: ...
def compute_float8_scale(amax: Any, scale: Any, dtype_max: Any, margin: Any = 0) -> Any: ...
def deserialize(config: Any, custom_objects: Any = None) -> Any: ...
def fake_quant_with_min_max_vars(
    inputs: Any,
    min_vals: Any,
    max_vals: Any,
    num_bits: Any = 8,
    narrow_range: Any = False,
    axis: Any = None,
) -> Any: ...
def get(identifier: Any, **kwargs: Any) -> Any: ...
def pack_int2(arr: Any, axis: Any = 0, dtype: Any = 'int8') -> Any: ...
def pack_int4(arr: Any, axis: Any = 0, dtype: Any = 'int8') -> Any: ...
def pack_ternary(arr: Any, axis: Any = 0) -> Any: ...
def quantize_and_dequantize(
    inputs: Any,
    scale: Any,
    quantized_dtype: Any,
    compute_dtype: Any,
) -> Any: ...
def serialize(initializer: Any) -> Any: ...
def unpack_int2(packed: Any, orig_len: Any, axis: Any = 0, dtype: Any = 'int8') -> Any: ...
def unpack_int4(packed: Any, orig_len: Any, axis: Any = 0, dtype: Any = 'int8') -> Any: ...
def unpack_ternary(packed: Any, orig_len: Any, axis: Any = 0) -> Any: ...
