# Written by `python -m tests.make_stubs`.
from typing import Any
import jax
from jkeras.quantizers.configs import AWQConfig as AWQConfig
from jkeras.quantizers.configs import Float8QuantizationConfig as Float8QuantizationConfig
from jkeras.quantizers.configs import GPTQConfig as GPTQConfig
from jkeras.quantizers.configs import Int4QuantizationConfig as Int4QuantizationConfig
from jkeras.quantizers.configs import Int8QuantizationConfig as Int8QuantizationConfig
from jkeras.quantizers.configs import QuantizationConfig as QuantizationConfig
from jkeras.quantizers.configs import TernaryQuantizationConfig as TernaryQuantizationConfig
from jkeras.quantizers.packing import pack_int2 as pack_int2
from jkeras.quantizers.packing import pack_ternary as pack_ternary
from jkeras.quantizers.packing import unpack_int2 as unpack_int2
from jkeras.quantizers.packing import unpack_ternary as unpack_ternary
from jkeras.quantizers.quantizers import AbsMaxQuantizer as AbsMaxQuantizer
from jkeras.quantizers.quantizers import Quantizer as Quantizer
from jkeras.quantizers.quantizers import abs_max_quantize as abs_max_quantize
from jkeras.quantizers.quantizers import abs_max_quantize_grouped_with_zero_point as abs_max_quantize_grouped_with_zero_point
from jkeras.quantizers.quantizers import compute_float8_amax_history as compute_float8_amax_history
from jkeras.quantizers.quantizers import compute_float8_scale as compute_float8_scale
from jkeras.quantizers.quantizers import pack_int4 as pack_int4
from jkeras.quantizers.quantizers import quantize_and_dequantize as quantize_and_dequantize
from jkeras.quantizers.quantizers import unpack_int4 as unpack_int4
from jkeras.quantizers.report import QuantizationReport as QuantizationReport
from jkeras.quantizers.serialization import deserialize as deserialize
from jkeras.quantizers.serialization import get as get
from jkeras.quantizers.serialization import serialize as serialize

def fake_quant_with_min_max_vars(
    inputs: Any,
    min_vals: Any,
    max_vals: Any,
    num_bits: int = 8,
    narrow_range: bool = False,
    axis: int | None = None,
) -> jax.Array: ...
