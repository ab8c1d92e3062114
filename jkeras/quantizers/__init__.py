"""`keras.quantizers`: numbers in few bits, and how a model is set to use them."""

from jkeras.core.names.exports import exported
from jkeras.quantizers.configs import (
    AWQConfig,
    Float8QuantizationConfig,
    GPTQConfig,
    Int4QuantizationConfig,
    Int8QuantizationConfig,
    QuantizationConfig,
    TernaryQuantizationConfig,
)
from jkeras.quantizers.quantizers import (
    AbsMaxQuantizer,
    Quantizer,
    abs_max_quantize,
    abs_max_quantize_grouped_with_zero_point,
    compute_float8_amax_history,
    compute_float8_scale,
    fake_quant_with_min_max_vars,
    pack_int4,
    quantize_and_dequantize,
    unpack_int4,
)
from jkeras.quantizers.serialization import deserialize, get, serialize

__all__ = exported(
    globals(),
    on_first_use={
        "jkeras.quantizers.packing": "pack_int2 pack_ternary unpack_int2 unpack_ternary",
        "jkeras.quantizers.report": "QuantizationReport",
    },
)
