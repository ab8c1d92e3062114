# Written by `python -m tests.make_stubs`.
from collections.abc import Callable, Sequence
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.weights.types import (
    Axis,
    DType,
    DataFormat,
    Function,
    Operand,
    PadMode,
    Padding,
    PerAxis,
    Shape,
    Structure,
    TensorLike,
)
from typing import Any, Literal, overload
import jax
from jkeras.ops import image as image
from jkeras.ops import linalg as linalg
from jkeras.ops import nn as nn
from jkeras.ops import numpy as numpy
from jkeras.ops.core import convert_to_numpy as convert_to_numpy
from jkeras.ops.core import custom_gradient as custom_gradient
from jkeras.ops.core import dtype as dtype
from jkeras.ops.core import is_tensor as is_tensor
from jkeras.ops.core import shape as shape
from jkeras.ops.core import switch as switch
from jkeras.ops.indexing import vectorize as vectorize

@overload
def abs(x: KerasTensor) -> KerasTensor: ...
@overload
def abs(x: TensorLike) -> jax.Array: ...
@overload
def absolute(x: KerasTensor) -> KerasTensor: ...
@overload
def absolute(x: TensorLike) -> jax.Array: ...
@overload
def adaptive_average_pool(
    inputs: KerasTensor,
    output_size: PerAxis,
    data_format: DataFormat | None = None,
) -> KerasTensor: ...
@overload
def adaptive_average_pool(
    inputs: TensorLike,
    output_size: PerAxis,
    data_format: DataFormat | None = None,
) -> jax.Array: ...
@overload
def adaptive_max_pool(
    inputs: KerasTensor,
    output_size: PerAxis,
    data_format: DataFormat | None = None,
) -> KerasTensor: ...
@overload
def adaptive_max_pool(
    inputs: TensorLike,
    output_size: PerAxis,
    data_format: DataFormat | None = None,
) -> jax.Array: ...
@overload
def add(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def add(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def add(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def all(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def all(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def allclose(
    x1: KerasTensor,
    x2: Operand,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> KerasTensor: ...
@overload
def allclose(
    x1: TensorLike,
    x2: KerasTensor,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> KerasTensor: ...
@overload
def allclose(
    x1: TensorLike,
    x2: TensorLike,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> jax.Array: ...
@overload
def amax(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def amax(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def amin(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def amin(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def angle(x: KerasTensor) -> KerasTensor: ...
@overload
def angle(x: TensorLike) -> jax.Array: ...
@overload
def any(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def any(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def append(x1: KerasTensor, x2: Operand, axis: int | None = None) -> KerasTensor: ...
@overload
def append(x1: TensorLike, x2: KerasTensor, axis: int | None = None) -> KerasTensor: ...
@overload
def append(x1: TensorLike, x2: TensorLike, axis: int | None = None) -> jax.Array: ...
@overload
def arange(
    start: KerasTensor,
    stop: Operand | None = None,
    step: Operand | None = None,
    dtype: DType | None = None,
) -> KerasTensor: ...
@overload
def arange(
    start: TensorLike,
    stop: Operand | None = None,
    step: Operand | None = None,
    dtype: DType | None = None,
) -> jax.Array: ...
@overload
def arccos(x: KerasTensor) -> KerasTensor: ...
@overload
def arccos(x: TensorLike) -> jax.Array: ...
@overload
def arccosh(x: KerasTensor) -> KerasTensor: ...
@overload
def arccosh(x: TensorLike) -> jax.Array: ...
@overload
def arcsin(x: KerasTensor) -> KerasTensor: ...
@overload
def arcsin(x: TensorLike) -> jax.Array: ...
@overload
def arcsinh(x: KerasTensor) -> KerasTensor: ...
@overload
def arcsinh(x: TensorLike) -> jax.Array: ...
@overload
def arctan(x: KerasTensor) -> KerasTensor: ...
@overload
def arctan(x: TensorLike) -> jax.Array: ...
@overload
def arctan2(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def arctan2(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def arctan2(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def arctanh(x: KerasTensor) -> KerasTensor: ...
@overload
def arctanh(x: TensorLike) -> jax.Array: ...
@overload
def argmax(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def argmax(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def argmin(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def argmin(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def argpartition(x: KerasTensor, kth: int, axis: int = -1) -> KerasTensor: ...
@overload
def argpartition(x: TensorLike, kth: int, axis: int = -1) -> jax.Array: ...
@overload
def argsort(x: KerasTensor, axis: int | None = -1) -> KerasTensor: ...
@overload
def argsort(x: TensorLike, axis: int | None = -1) -> jax.Array: ...
@overload
def array(x: KerasTensor, dtype: DType | None = None) -> KerasTensor: ...
@overload
def array(x: TensorLike, dtype: DType | None = None) -> jax.Array: ...
@overload
def array_split(
    x: KerasTensor,
    indices_or_sections: PerAxis,
    axis: int = 0,
) -> list[KerasTensor]: ...
@overload
def array_split(x: TensorLike, indices_or_sections: PerAxis, axis: int = 0) -> list[jax.Array]: ...
def associative_scan(
    f: Function,
    elems: Structure,
    reverse: bool = False,
    axis: int = 0,
) -> Structure: ...
@overload
def average(
    x: KerasTensor,
    axis: Axis | None = None,
    weights: Operand | None = None,
) -> KerasTensor: ...
@overload
def average(
    x: TensorLike,
    axis: Axis | None = None,
    weights: Operand | None = None,
) -> jax.Array: ...
@overload
def average_pool(
    inputs: KerasTensor,
    pool_size: PerAxis,
    strides: PerAxis | None = None,
    padding: Padding = 'valid',
    data_format: DataFormat | None = None,
) -> KerasTensor: ...
@overload
def average_pool(
    inputs: TensorLike,
    pool_size: PerAxis,
    strides: PerAxis | None = None,
    padding: Padding = 'valid',
    data_format: DataFormat | None = None,
) -> jax.Array: ...
@overload
def bartlett(x: KerasTensor) -> KerasTensor: ...
@overload
def bartlett(x: TensorLike) -> jax.Array: ...
@overload
def batch_normalization(
    x: KerasTensor,
    mean: Operand,
    variance: Operand,
    axis: int,
    offset: Operand | None = None,
    scale: Operand | None = None,
    epsilon: float = 0.001,
) -> KerasTensor: ...
@overload
def batch_normalization(
    x: TensorLike,
    mean: KerasTensor,
    variance: Operand,
    axis: int,
    offset: Operand | None = None,
    scale: Operand | None = None,
    epsilon: float = 0.001,
) -> KerasTensor: ...
@overload
def batch_normalization(
    x: TensorLike,
    mean: TensorLike,
    variance: KerasTensor,
    axis: int,
    offset: Operand | None = None,
    scale: Operand | None = None,
    epsilon: float = 0.001,
) -> KerasTensor: ...
@overload
def batch_normalization(
    x: TensorLike,
    mean: TensorLike,
    variance: TensorLike,
    axis: int,
    offset: Operand | None = None,
    scale: Operand | None = None,
    epsilon: float = 0.001,
) -> jax.Array: ...
@overload
def binary_crossentropy(
    target: KerasTensor,
    output: Operand,
    from_logits: bool = False,
) -> KerasTensor: ...
@overload
def binary_crossentropy(
    target: TensorLike,
    output: KerasTensor,
    from_logits: bool = False,
) -> KerasTensor: ...
@overload
def binary_crossentropy(
    target: TensorLike,
    output: TensorLike,
    from_logits: bool = False,
) -> jax.Array: ...
@overload
def bincount(
    x: KerasTensor,
    weights: Operand | None = None,
    minlength: int = 0,
    sparse: bool = False,
) -> KerasTensor: ...
@overload
def bincount(
    x: TensorLike,
    weights: Operand | None = None,
    minlength: int = 0,
    sparse: bool = False,
) -> jax.Array: ...
@overload
def bitwise_and(x: KerasTensor, y: Operand) -> KerasTensor: ...
@overload
def bitwise_and(x: TensorLike, y: KerasTensor) -> KerasTensor: ...
@overload
def bitwise_and(x: TensorLike, y: TensorLike) -> jax.Array: ...
@overload
def bitwise_invert(x: KerasTensor) -> KerasTensor: ...
@overload
def bitwise_invert(x: TensorLike) -> jax.Array: ...
@overload
def bitwise_left_shift(x: KerasTensor, y: Operand) -> KerasTensor: ...
@overload
def bitwise_left_shift(x: TensorLike, y: KerasTensor) -> KerasTensor: ...
@overload
def bitwise_left_shift(x: TensorLike, y: TensorLike) -> jax.Array: ...
@overload
def bitwise_not(x: KerasTensor) -> KerasTensor: ...
@overload
def bitwise_not(x: TensorLike) -> jax.Array: ...
@overload
def bitwise_or(x: KerasTensor, y: Operand) -> KerasTensor: ...
@overload
def bitwise_or(x: TensorLike, y: KerasTensor) -> KerasTensor: ...
@overload
def bitwise_or(x: TensorLike, y: TensorLike) -> jax.Array: ...
@overload
def bitwise_right_shift(x: KerasTensor, y: Operand) -> KerasTensor: ...
@overload
def bitwise_right_shift(x: TensorLike, y: KerasTensor) -> KerasTensor: ...
@overload
def bitwise_right_shift(x: TensorLike, y: TensorLike) -> jax.Array: ...
@overload
def bitwise_xor(x: KerasTensor, y: Operand) -> KerasTensor: ...
@overload
def bitwise_xor(x: TensorLike, y: KerasTensor) -> KerasTensor: ...
@overload
def bitwise_xor(x: TensorLike, y: TensorLike) -> jax.Array: ...
@overload
def blackman(x: KerasTensor) -> KerasTensor: ...
@overload
def blackman(x: TensorLike) -> jax.Array: ...
@overload
def broadcast_to(x: KerasTensor, shape: Shape) -> KerasTensor: ...
@overload
def broadcast_to(x: TensorLike, shape: Shape) -> jax.Array: ...
@overload
def cast(x: KerasTensor, dtype: DType) -> KerasTensor: ...
@overload
def cast(x: TensorLike, dtype: DType) -> jax.Array: ...
@overload
def categorical_crossentropy(
    target: KerasTensor,
    output: Operand,
    from_logits: bool = False,
    axis: int = -1,
) -> KerasTensor: ...
@overload
def categorical_crossentropy(
    target: TensorLike,
    output: KerasTensor,
    from_logits: bool = False,
    axis: int = -1,
) -> KerasTensor: ...
@overload
def categorical_crossentropy(
    target: TensorLike,
    output: TensorLike,
    from_logits: bool = False,
    axis: int = -1,
) -> jax.Array: ...
@overload
def cbrt(x: KerasTensor) -> KerasTensor: ...
@overload
def cbrt(x: TensorLike) -> jax.Array: ...
@overload
def cdist(x: KerasTensor, y: Operand) -> KerasTensor: ...
@overload
def cdist(x: TensorLike, y: KerasTensor) -> KerasTensor: ...
@overload
def cdist(x: TensorLike, y: TensorLike) -> jax.Array: ...
@overload
def ceil(x: KerasTensor) -> KerasTensor: ...
@overload
def ceil(x: TensorLike) -> jax.Array: ...
@overload
def celu(x: KerasTensor, alpha: float = 1.0) -> KerasTensor: ...
@overload
def celu(x: TensorLike, alpha: float = 1.0) -> jax.Array: ...
@overload
def cholesky(x: KerasTensor, upper: bool = False) -> KerasTensor: ...
@overload
def cholesky(x: TensorLike, upper: bool = False) -> jax.Array: ...
@overload
def cholesky_inverse(x: KerasTensor, upper: bool = False) -> KerasTensor: ...
@overload
def cholesky_inverse(x: TensorLike, upper: bool = False) -> jax.Array: ...
@overload
def clip(x: KerasTensor, x_min: Operand, x_max: Operand) -> KerasTensor: ...
@overload
def clip(x: TensorLike, x_min: KerasTensor, x_max: Operand) -> KerasTensor: ...
@overload
def clip(x: TensorLike, x_min: TensorLike, x_max: KerasTensor) -> KerasTensor: ...
@overload
def clip(x: TensorLike, x_min: TensorLike, x_max: TensorLike) -> jax.Array: ...
@overload
def column_stack(xs: Sequence[KerasTensor]) -> KerasTensor: ...
@overload
def column_stack(xs: Sequence[TensorLike]) -> jax.Array: ...
@overload
def concatenate(xs: Sequence[KerasTensor], axis: int = 0) -> KerasTensor: ...
@overload
def concatenate(xs: Sequence[TensorLike], axis: int = 0) -> jax.Array: ...
def cond(pred: Operand, true_fn: Function, false_fn: Function) -> Structure: ...
@overload
def conj(x: KerasTensor) -> KerasTensor: ...
@overload
def conj(x: TensorLike) -> jax.Array: ...
@overload
def conjugate(x: KerasTensor) -> KerasTensor: ...
@overload
def conjugate(x: TensorLike) -> jax.Array: ...
@overload
def conv(
    inputs: KerasTensor,
    kernel: Operand,
    strides: PerAxis = 1,
    padding: Padding = 'valid',
    data_format: DataFormat | None = None,
    dilation_rate: Any = 1,
) -> KerasTensor: ...
@overload
def conv(
    inputs: TensorLike,
    kernel: KerasTensor,
    strides: PerAxis = 1,
    padding: Padding = 'valid',
    data_format: DataFormat | None = None,
    dilation_rate: Any = 1,
) -> KerasTensor: ...
@overload
def conv(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: PerAxis = 1,
    padding: Padding = 'valid',
    data_format: DataFormat | None = None,
    dilation_rate: Any = 1,
) -> jax.Array: ...
@overload
def conv_transpose(
    inputs: KerasTensor,
    kernel: Operand,
    strides: PerAxis = 1,
    padding: Padding = 'valid',
    output_padding: PerAxis | None = None,
    data_format: DataFormat | None = None,
    dilation_rate: PerAxis = 1,
) -> KerasTensor: ...
@overload
def conv_transpose(
    inputs: TensorLike,
    kernel: KerasTensor,
    strides: PerAxis = 1,
    padding: Padding = 'valid',
    output_padding: PerAxis | None = None,
    data_format: DataFormat | None = None,
    dilation_rate: PerAxis = 1,
) -> KerasTensor: ...
@overload
def conv_transpose(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: PerAxis = 1,
    padding: Padding = 'valid',
    output_padding: PerAxis | None = None,
    data_format: DataFormat | None = None,
    dilation_rate: PerAxis = 1,
) -> jax.Array: ...
@overload
def convert_to_tensor(
    x: KerasTensor,
    dtype: DType | None = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
) -> KerasTensor: ...
@overload
def convert_to_tensor(
    x: TensorLike,
    dtype: DType | None = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
) -> jax.Array: ...
@overload
def copy(x: KerasTensor) -> KerasTensor: ...
@overload
def copy(x: TensorLike) -> jax.Array: ...
@overload
def corrcoef(x: KerasTensor) -> KerasTensor: ...
@overload
def corrcoef(x: TensorLike) -> jax.Array: ...
@overload
def correlate(
    x1: KerasTensor,
    x2: Operand,
    mode: Literal['valid', 'same', 'full'] = 'valid',
) -> KerasTensor: ...
@overload
def correlate(
    x1: TensorLike,
    x2: KerasTensor,
    mode: Literal['valid', 'same', 'full'] = 'valid',
) -> KerasTensor: ...
@overload
def correlate(
    x1: TensorLike,
    x2: TensorLike,
    mode: Literal['valid', 'same', 'full'] = 'valid',
) -> jax.Array: ...
@overload
def cos(x: KerasTensor) -> KerasTensor: ...
@overload
def cos(x: TensorLike) -> jax.Array: ...
@overload
def cosh(x: KerasTensor) -> KerasTensor: ...
@overload
def cosh(x: TensorLike) -> jax.Array: ...
@overload
def count_nonzero(x: KerasTensor, axis: Axis | None = None) -> KerasTensor: ...
@overload
def count_nonzero(x: TensorLike, axis: Axis | None = None) -> jax.Array: ...
@overload
def cross(
    x1: KerasTensor,
    x2: Operand,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> KerasTensor: ...
@overload
def cross(
    x1: TensorLike,
    x2: KerasTensor,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> KerasTensor: ...
@overload
def cross(
    x1: TensorLike,
    x2: TensorLike,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> jax.Array: ...
@overload
def ctc_decode(
    inputs: KerasTensor,
    sequence_lengths: Operand,
    strategy: Literal['greedy', 'beam_search'] = 'greedy',
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int = 0,
) -> tuple[KerasTensor, KerasTensor]: ...
@overload
def ctc_decode(
    inputs: TensorLike,
    sequence_lengths: KerasTensor,
    strategy: Literal['greedy', 'beam_search'] = 'greedy',
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int = 0,
) -> tuple[KerasTensor, KerasTensor]: ...
@overload
def ctc_decode(
    inputs: TensorLike,
    sequence_lengths: TensorLike,
    strategy: Literal['greedy', 'beam_search'] = 'greedy',
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int = 0,
) -> tuple[jax.Array, jax.Array]: ...
@overload
def ctc_loss(
    target: KerasTensor,
    output: Operand,
    target_length: Operand,
    output_length: Operand,
    mask_index: int = 0,
) -> KerasTensor: ...
@overload
def ctc_loss(
    target: TensorLike,
    output: KerasTensor,
    target_length: Operand,
    output_length: Operand,
    mask_index: int = 0,
) -> KerasTensor: ...
@overload
def ctc_loss(
    target: TensorLike,
    output: TensorLike,
    target_length: KerasTensor,
    output_length: Operand,
    mask_index: int = 0,
) -> KerasTensor: ...
@overload
def ctc_loss(
    target: TensorLike,
    output: TensorLike,
    target_length: TensorLike,
    output_length: KerasTensor,
    mask_index: int = 0,
) -> KerasTensor: ...
@overload
def ctc_loss(
    target: TensorLike,
    output: TensorLike,
    target_length: TensorLike,
    output_length: TensorLike,
    mask_index: int = 0,
) -> jax.Array: ...
@overload
def cumprod(x: KerasTensor, axis: int | None = None, dtype: DType | None = None) -> KerasTensor: ...
@overload
def cumprod(x: TensorLike, axis: int | None = None, dtype: DType | None = None) -> jax.Array: ...
@overload
def cumsum(x: KerasTensor, axis: int | None = None, dtype: DType | None = None) -> KerasTensor: ...
@overload
def cumsum(x: TensorLike, axis: int | None = None, dtype: DType | None = None) -> jax.Array: ...
@overload
def deg2rad(x: KerasTensor) -> KerasTensor: ...
@overload
def deg2rad(x: TensorLike) -> jax.Array: ...
@overload
def depth_to_space(
    x: KerasTensor,
    block_size: int,
    data_format: DataFormat = 'channels_last',
) -> KerasTensor: ...
@overload
def depth_to_space(
    x: TensorLike,
    block_size: int,
    data_format: DataFormat = 'channels_last',
) -> jax.Array: ...
@overload
def depthwise_conv(
    inputs: KerasTensor,
    kernel: Operand,
    strides: PerAxis = 1,
    padding: Padding = 'valid',
    data_format: DataFormat | None = None,
    dilation_rate: Any = 1,
) -> KerasTensor: ...
@overload
def depthwise_conv(
    inputs: TensorLike,
    kernel: KerasTensor,
    strides: PerAxis = 1,
    padding: Padding = 'valid',
    data_format: DataFormat | None = None,
    dilation_rate: Any = 1,
) -> KerasTensor: ...
@overload
def depthwise_conv(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: PerAxis = 1,
    padding: Padding = 'valid',
    data_format: DataFormat | None = None,
    dilation_rate: Any = 1,
) -> jax.Array: ...
@overload
def det(x: KerasTensor) -> KerasTensor: ...
@overload
def det(x: TensorLike) -> jax.Array: ...
@overload
def diag(x: KerasTensor, k: int = 0) -> KerasTensor: ...
@overload
def diag(x: TensorLike, k: int = 0) -> jax.Array: ...
@overload
def diagflat(x: KerasTensor, k: int = 0) -> KerasTensor: ...
@overload
def diagflat(x: TensorLike, k: int = 0) -> jax.Array: ...
@overload
def diagonal(x: KerasTensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> KerasTensor: ...
@overload
def diagonal(x: TensorLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> jax.Array: ...
@overload
def diff(a: KerasTensor, n: int = 1, axis: int = -1) -> KerasTensor: ...
@overload
def diff(a: TensorLike, n: int = 1, axis: int = -1) -> jax.Array: ...
@overload
def digitize(x: KerasTensor, bins: Operand) -> KerasTensor: ...
@overload
def digitize(x: TensorLike, bins: KerasTensor) -> KerasTensor: ...
@overload
def digitize(x: TensorLike, bins: TensorLike) -> jax.Array: ...
@overload
def divide(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def divide(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def divide(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def divide_no_nan(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def divide_no_nan(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def divide_no_nan(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def dot(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def dot(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def dot(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def dot_product_attention(
    query: KerasTensor,
    key: Operand,
    value: Operand,
    bias: Operand | None = None,
    mask: Operand | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> KerasTensor: ...
@overload
def dot_product_attention(
    query: TensorLike,
    key: KerasTensor,
    value: Operand,
    bias: Operand | None = None,
    mask: Operand | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> KerasTensor: ...
@overload
def dot_product_attention(
    query: TensorLike,
    key: TensorLike,
    value: KerasTensor,
    bias: Operand | None = None,
    mask: Operand | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> KerasTensor: ...
@overload
def dot_product_attention(
    query: TensorLike,
    key: TensorLike,
    value: TensorLike,
    bias: Operand | None = None,
    mask: Operand | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> jax.Array: ...
@overload
def dsplit(x: KerasTensor, indices_or_sections: PerAxis) -> list[KerasTensor]: ...
@overload
def dsplit(x: TensorLike, indices_or_sections: PerAxis) -> list[jax.Array]: ...
@overload
def dstack(xs: Sequence[KerasTensor]) -> KerasTensor: ...
@overload
def dstack(xs: Sequence[TensorLike]) -> jax.Array: ...
@overload
def eig(x: KerasTensor) -> tuple[KerasTensor, KerasTensor]: ...
@overload
def eig(x: TensorLike) -> tuple[jax.Array, jax.Array]: ...
@overload
def eigh(x: KerasTensor) -> tuple[KerasTensor, KerasTensor]: ...
@overload
def eigh(x: TensorLike) -> tuple[jax.Array, jax.Array]: ...
@overload
def einsum(subscripts: str, *operands: KerasTensor, **kwargs: Any) -> KerasTensor: ...
@overload
def einsum(subscripts: str, *operands: TensorLike, **kwargs: Any) -> jax.Array: ...
@overload
def elu(x: KerasTensor, alpha: float = 1.0) -> KerasTensor: ...
@overload
def elu(x: TensorLike, alpha: float = 1.0) -> jax.Array: ...
def empty(shape: Shape, dtype: DType | None = None) -> jax.Array: ...
@overload
def empty_like(x: KerasTensor, dtype: DType | None = None) -> KerasTensor: ...
@overload
def empty_like(x: TensorLike, dtype: DType | None = None) -> jax.Array: ...
@overload
def equal(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def equal(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def equal(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def erf(x: KerasTensor) -> KerasTensor: ...
@overload
def erf(x: TensorLike) -> jax.Array: ...
@overload
def erfc(x: KerasTensor) -> KerasTensor: ...
@overload
def erfc(x: TensorLike) -> jax.Array: ...
@overload
def erfinv(x: KerasTensor) -> KerasTensor: ...
@overload
def erfinv(x: TensorLike) -> jax.Array: ...
@overload
def exp(x: KerasTensor) -> KerasTensor: ...
@overload
def exp(x: TensorLike) -> jax.Array: ...
@overload
def exp2(x: KerasTensor) -> KerasTensor: ...
@overload
def exp2(x: TensorLike) -> jax.Array: ...
@overload
def expand_dims(x: KerasTensor, axis: Axis) -> KerasTensor: ...
@overload
def expand_dims(x: TensorLike, axis: Axis) -> jax.Array: ...
@overload
def expm1(x: KerasTensor) -> KerasTensor: ...
@overload
def expm1(x: TensorLike) -> jax.Array: ...
@overload
def extract_sequences(
    x: KerasTensor,
    sequence_length: int,
    sequence_stride: int,
) -> KerasTensor: ...
@overload
def extract_sequences(x: TensorLike, sequence_length: int, sequence_stride: int) -> jax.Array: ...
def eye(N: int, M: int | None = None, k: int = 0, dtype: DType | None = None) -> jax.Array: ...
@overload
def fabs(x: KerasTensor) -> KerasTensor: ...
@overload
def fabs(x: TensorLike) -> jax.Array: ...
@overload
def fft(x: Sequence[KerasTensor]) -> tuple[KerasTensor, KerasTensor]: ...
@overload
def fft(x: Sequence[TensorLike]) -> tuple[jax.Array, jax.Array]: ...
@overload
def fft2(x: Sequence[KerasTensor]) -> tuple[KerasTensor, KerasTensor]: ...
@overload
def fft2(x: Sequence[TensorLike]) -> tuple[jax.Array, jax.Array]: ...
@overload
def flip(x: KerasTensor, axis: Axis | None = None) -> KerasTensor: ...
@overload
def flip(x: TensorLike, axis: Axis | None = None) -> jax.Array: ...
@overload
def fliplr(x: KerasTensor) -> KerasTensor: ...
@overload
def fliplr(x: TensorLike) -> jax.Array: ...
@overload
def flipud(x: KerasTensor) -> KerasTensor: ...
@overload
def flipud(x: TensorLike) -> jax.Array: ...
@overload
def floor(x: KerasTensor) -> KerasTensor: ...
@overload
def floor(x: TensorLike) -> jax.Array: ...
@overload
def floor_divide(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def floor_divide(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def floor_divide(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def fmax(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def fmax(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def fmax(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def fmin(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def fmin(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def fmin(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def fmod(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def fmod(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def fmod(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def fold(
    x: KerasTensor,
    output_size: PerAxis,
    kernel_size: PerAxis,
    dilation: PerAxis = 1,
    padding: PerAxis = 0,
    stride: PerAxis = 1,
) -> KerasTensor: ...
@overload
def fold(
    x: TensorLike,
    output_size: PerAxis,
    kernel_size: PerAxis,
    dilation: PerAxis = 1,
    padding: PerAxis = 0,
    stride: PerAxis = 1,
) -> jax.Array: ...
def fori_loop(
    lower: Operand,
    upper: Operand,
    body_fun: Function,
    init_val: Structure,
) -> Structure: ...
@overload
def full(shape: Shape, fill_value: KerasTensor, dtype: DType | None = None) -> KerasTensor: ...
@overload
def full(shape: Shape, fill_value: TensorLike, dtype: DType | None = None) -> jax.Array: ...
@overload
def full_like(x: KerasTensor, fill_value: Operand, dtype: DType | None = None) -> KerasTensor: ...
@overload
def full_like(
    x: TensorLike,
    fill_value: KerasTensor,
    dtype: DType | None = None,
) -> KerasTensor: ...
@overload
def full_like(x: TensorLike, fill_value: TensorLike, dtype: DType | None = None) -> jax.Array: ...
@overload
def gammainc(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def gammainc(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def gammainc(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def gcd(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def gcd(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def gcd(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def gelu(x: KerasTensor, approximate: bool = True) -> KerasTensor: ...
@overload
def gelu(x: TensorLike, approximate: bool = True) -> jax.Array: ...
@overload
def geomspace(
    start: KerasTensor,
    stop: Operand,
    num: int = 50,
    endpoint: bool = True,
    dtype: DType | None = None,
    axis: int = 0,
) -> KerasTensor: ...
@overload
def geomspace(
    start: TensorLike,
    stop: KerasTensor,
    num: int = 50,
    endpoint: bool = True,
    dtype: DType | None = None,
    axis: int = 0,
) -> KerasTensor: ...
@overload
def geomspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    dtype: DType | None = None,
    axis: int = 0,
) -> jax.Array: ...
@overload
def get_item(x: KerasTensor, key: Any) -> KerasTensor: ...
@overload
def get_item(x: TensorLike, key: Any) -> jax.Array: ...
@overload
def glu(x: KerasTensor, axis: int = -1) -> KerasTensor: ...
@overload
def glu(x: TensorLike, axis: int = -1) -> jax.Array: ...
@overload
def greater(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def greater(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def greater(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def greater_equal(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def greater_equal(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def greater_equal(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def hamming(x: KerasTensor) -> KerasTensor: ...
@overload
def hamming(x: TensorLike) -> jax.Array: ...
@overload
def hanning(x: KerasTensor) -> KerasTensor: ...
@overload
def hanning(x: TensorLike) -> jax.Array: ...
@overload
def hard_shrink(x: KerasTensor, threshold: float = 0.5) -> KerasTensor: ...
@overload
def hard_shrink(x: TensorLike, threshold: float = 0.5) -> jax.Array: ...
@overload
def hard_sigmoid(x: KerasTensor) -> KerasTensor: ...
@overload
def hard_sigmoid(x: TensorLike) -> jax.Array: ...
@overload
def hard_silu(x: KerasTensor) -> KerasTensor: ...
@overload
def hard_silu(x: TensorLike) -> jax.Array: ...
@overload
def hard_swish(x: KerasTensor) -> KerasTensor: ...
@overload
def hard_swish(x: TensorLike) -> jax.Array: ...
@overload
def hard_tanh(x: KerasTensor) -> KerasTensor: ...
@overload
def hard_tanh(x: TensorLike) -> jax.Array: ...
@overload
def heaviside(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def heaviside(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def heaviside(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def histogram(
    x: KerasTensor,
    bins: int | Operand = 10,
    range: tuple[float, float] | None = None,
) -> tuple[KerasTensor, KerasTensor]: ...
@overload
def histogram(
    x: TensorLike,
    bins: int | Operand = 10,
    range: tuple[float, float] | None = None,
) -> tuple[jax.Array, jax.Array]: ...
@overload
def hsplit(x: KerasTensor, indices_or_sections: PerAxis) -> list[KerasTensor]: ...
@overload
def hsplit(x: TensorLike, indices_or_sections: PerAxis) -> list[jax.Array]: ...
@overload
def hstack(xs: Sequence[KerasTensor]) -> KerasTensor: ...
@overload
def hstack(xs: Sequence[TensorLike]) -> jax.Array: ...
@overload
def hypot(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def hypot(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def hypot(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def i0(x: KerasTensor) -> KerasTensor: ...
@overload
def i0(x: TensorLike) -> jax.Array: ...
def identity(n: int, dtype: DType | None = None) -> jax.Array: ...
@overload
def ifft2(x: Sequence[KerasTensor]) -> tuple[KerasTensor, KerasTensor]: ...
@overload
def ifft2(x: Sequence[TensorLike]) -> tuple[jax.Array, jax.Array]: ...
@overload
def imag(x: KerasTensor) -> KerasTensor: ...
@overload
def imag(x: TensorLike) -> jax.Array: ...
@overload
def in_top_k(targets: KerasTensor, predictions: Operand, k: int) -> KerasTensor: ...
@overload
def in_top_k(targets: TensorLike, predictions: KerasTensor, k: int) -> KerasTensor: ...
@overload
def in_top_k(targets: TensorLike, predictions: TensorLike, k: int) -> jax.Array: ...
@overload
def inner(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def inner(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def inner(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def inv(x: KerasTensor) -> KerasTensor: ...
@overload
def inv(x: TensorLike) -> jax.Array: ...
@overload
def irfft(x: Sequence[KerasTensor], fft_length: int | None = None) -> KerasTensor: ...
@overload
def irfft(x: Sequence[TensorLike], fft_length: int | None = None) -> jax.Array: ...
@overload
def isclose(
    x1: KerasTensor,
    x2: Operand,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> KerasTensor: ...
@overload
def isclose(
    x1: TensorLike,
    x2: KerasTensor,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> KerasTensor: ...
@overload
def isclose(
    x1: TensorLike,
    x2: TensorLike,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> jax.Array: ...
@overload
def isfinite(x: KerasTensor) -> KerasTensor: ...
@overload
def isfinite(x: TensorLike) -> jax.Array: ...
@overload
def isin(
    x1: KerasTensor,
    x2: Operand,
    assume_unique: bool = False,
    invert: bool = False,
) -> KerasTensor: ...
@overload
def isin(
    x1: TensorLike,
    x2: KerasTensor,
    assume_unique: bool = False,
    invert: bool = False,
) -> KerasTensor: ...
@overload
def isin(
    x1: TensorLike,
    x2: TensorLike,
    assume_unique: bool = False,
    invert: bool = False,
) -> jax.Array: ...
@overload
def isinf(x: KerasTensor) -> KerasTensor: ...
@overload
def isinf(x: TensorLike) -> jax.Array: ...
@overload
def isnan(x: KerasTensor) -> KerasTensor: ...
@overload
def isnan(x: TensorLike) -> jax.Array: ...
@overload
def isneginf(x: KerasTensor) -> KerasTensor: ...
@overload
def isneginf(x: TensorLike) -> jax.Array: ...
@overload
def isposinf(x: KerasTensor) -> KerasTensor: ...
@overload
def isposinf(x: TensorLike) -> jax.Array: ...
@overload
def isreal(x: KerasTensor) -> KerasTensor: ...
@overload
def isreal(x: TensorLike) -> jax.Array: ...
@overload
def istft(
    x: Sequence[KerasTensor],
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: str | Operand | None = 'hann',
    center: bool = True,
) -> KerasTensor: ...
@overload
def istft(
    x: Sequence[TensorLike],
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: str | Operand | None = 'hann',
    center: bool = True,
) -> jax.Array: ...
def jvp(
    fun: Callable[..., Any],
    primals: Sequence[Structure],
    tangents: Sequence[Structure],
    has_aux: bool = False,
) -> tuple[Structure, ...]: ...
@overload
def kaiser(x: KerasTensor, beta: float) -> KerasTensor: ...
@overload
def kaiser(x: TensorLike, beta: float) -> jax.Array: ...
@overload
def kron(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def kron(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def kron(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def layer_normalization(
    x: KerasTensor,
    gamma: Operand | None = None,
    beta: Operand | None = None,
    axis: Axis = -1,
    epsilon: float | None = None,
    **kwargs: Any,
) -> KerasTensor: ...
@overload
def layer_normalization(
    x: TensorLike,
    gamma: Operand | None = None,
    beta: Operand | None = None,
    axis: Axis = -1,
    epsilon: float | None = None,
    **kwargs: Any,
) -> jax.Array: ...
@overload
def lcm(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def lcm(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def lcm(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def ldexp(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def ldexp(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def ldexp(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def leaky_relu(x: KerasTensor, negative_slope: float = 0.2) -> KerasTensor: ...
@overload
def leaky_relu(x: TensorLike, negative_slope: float = 0.2) -> jax.Array: ...
@overload
def left_shift(x: KerasTensor, y: Operand) -> KerasTensor: ...
@overload
def left_shift(x: TensorLike, y: KerasTensor) -> KerasTensor: ...
@overload
def left_shift(x: TensorLike, y: TensorLike) -> jax.Array: ...
@overload
def less(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def less(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def less(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def less_equal(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def less_equal(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def less_equal(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def linspace(
    start: KerasTensor,
    stop: Operand,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DType | None = None,
    axis: int = 0,
) -> KerasTensor | tuple[KerasTensor, KerasTensor]: ...
@overload
def linspace(
    start: TensorLike,
    stop: KerasTensor,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DType | None = None,
    axis: int = 0,
) -> KerasTensor | tuple[KerasTensor, KerasTensor]: ...
@overload
def linspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DType | None = None,
    axis: int = 0,
) -> jax.Array | tuple[jax.Array, jax.Array]: ...
@overload
def log(x: KerasTensor) -> KerasTensor: ...
@overload
def log(x: TensorLike) -> jax.Array: ...
@overload
def log10(x: KerasTensor) -> KerasTensor: ...
@overload
def log10(x: TensorLike) -> jax.Array: ...
@overload
def log1p(x: KerasTensor) -> KerasTensor: ...
@overload
def log1p(x: TensorLike) -> jax.Array: ...
@overload
def log2(x: KerasTensor) -> KerasTensor: ...
@overload
def log2(x: TensorLike) -> jax.Array: ...
@overload
def log_sigmoid(x: KerasTensor) -> KerasTensor: ...
@overload
def log_sigmoid(x: TensorLike) -> jax.Array: ...
@overload
def log_softmax(x: KerasTensor, axis: Axis = -1) -> KerasTensor: ...
@overload
def log_softmax(x: TensorLike, axis: Axis = -1) -> jax.Array: ...
@overload
def logaddexp(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def logaddexp(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def logaddexp(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def logaddexp2(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def logaddexp2(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def logaddexp2(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def logdet(x: KerasTensor) -> KerasTensor: ...
@overload
def logdet(x: TensorLike) -> jax.Array: ...
@overload
def logical_and(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def logical_and(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def logical_and(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def logical_not(x: KerasTensor) -> KerasTensor: ...
@overload
def logical_not(x: TensorLike) -> jax.Array: ...
@overload
def logical_or(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def logical_or(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def logical_or(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def logical_xor(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def logical_xor(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def logical_xor(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def logspace(
    start: KerasTensor,
    stop: Operand,
    num: int = 50,
    endpoint: bool = True,
    base: float = 10,
    dtype: DType | None = None,
    axis: int = 0,
) -> KerasTensor: ...
@overload
def logspace(
    start: TensorLike,
    stop: KerasTensor,
    num: int = 50,
    endpoint: bool = True,
    base: float = 10,
    dtype: DType | None = None,
    axis: int = 0,
) -> KerasTensor: ...
@overload
def logspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    base: float = 10,
    dtype: DType | None = None,
    axis: int = 0,
) -> jax.Array: ...
@overload
def logsumexp(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def logsumexp(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def lstsq(a: KerasTensor, b: Operand, rcond: float | None = None) -> KerasTensor: ...
@overload
def lstsq(a: TensorLike, b: KerasTensor, rcond: float | None = None) -> KerasTensor: ...
@overload
def lstsq(a: TensorLike, b: TensorLike, rcond: float | None = None) -> jax.Array: ...
@overload
def lu_factor(x: KerasTensor) -> tuple[KerasTensor, KerasTensor]: ...
@overload
def lu_factor(x: TensorLike) -> tuple[jax.Array, jax.Array]: ...
def map(f: Function, xs: Structure) -> Structure: ...
@overload
def matmul(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def matmul(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def matmul(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def matrix_power(x: KerasTensor, n: int) -> KerasTensor: ...
@overload
def matrix_power(x: TensorLike, n: int) -> jax.Array: ...
@overload
def matrix_rank(x: KerasTensor, tol: float | None = None) -> KerasTensor: ...
@overload
def matrix_rank(x: TensorLike, tol: float | None = None) -> jax.Array: ...
@overload
def max(
    x: KerasTensor,
    axis: Axis | None = None,
    keepdims: bool = False,
    initial: Operand | None = None,
) -> KerasTensor: ...
@overload
def max(
    x: TensorLike,
    axis: Axis | None = None,
    keepdims: bool = False,
    initial: Operand | None = None,
) -> jax.Array: ...
@overload
def max_pool(
    inputs: KerasTensor,
    pool_size: PerAxis,
    strides: PerAxis | None = None,
    padding: Padding = 'valid',
    data_format: DataFormat | None = None,
) -> KerasTensor: ...
@overload
def max_pool(
    inputs: TensorLike,
    pool_size: PerAxis,
    strides: PerAxis | None = None,
    padding: Padding = 'valid',
    data_format: DataFormat | None = None,
) -> jax.Array: ...
@overload
def maximum(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def maximum(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def maximum(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def mean(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def mean(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def median(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def median(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def meshgrid(*x: KerasTensor, indexing: Literal['xy', 'ij'] = 'xy') -> list[KerasTensor]: ...
@overload
def meshgrid(*x: TensorLike, indexing: Literal['xy', 'ij'] = 'xy') -> list[jax.Array]: ...
@overload
def min(
    x: KerasTensor,
    axis: Axis | None = None,
    keepdims: bool = False,
    initial: Operand | None = None,
) -> KerasTensor: ...
@overload
def min(
    x: TensorLike,
    axis: Axis | None = None,
    keepdims: bool = False,
    initial: Operand | None = None,
) -> jax.Array: ...
@overload
def minimum(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def minimum(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def minimum(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def mod(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def mod(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def mod(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def moments(
    x: KerasTensor,
    axes: Axis,
    keepdims: bool = False,
    synchronized: bool = False,
) -> tuple[KerasTensor, KerasTensor]: ...
@overload
def moments(
    x: TensorLike,
    axes: Axis,
    keepdims: bool = False,
    synchronized: bool = False,
) -> tuple[jax.Array, jax.Array]: ...
@overload
def moveaxis(x: KerasTensor, source: Axis, destination: Axis) -> KerasTensor: ...
@overload
def moveaxis(x: TensorLike, source: Axis, destination: Axis) -> jax.Array: ...
@overload
def multi_hot(
    inputs: KerasTensor,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: DType | None = None,
    sparse: bool = False,
    **kwargs: Any,
) -> KerasTensor: ...
@overload
def multi_hot(
    inputs: TensorLike,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: DType | None = None,
    sparse: bool = False,
    **kwargs: Any,
) -> jax.Array: ...
@overload
def multiply(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def multiply(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def multiply(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def nan_to_num(
    x: KerasTensor,
    nan: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
) -> KerasTensor: ...
@overload
def nan_to_num(
    x: TensorLike,
    nan: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
) -> jax.Array: ...
@overload
def nanargmax(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def nanargmax(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def nanargmin(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def nanargmin(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def nancumprod(
    x: KerasTensor,
    axis: int | None = None,
    dtype: DType | None = None,
) -> KerasTensor: ...
@overload
def nancumprod(x: TensorLike, axis: int | None = None, dtype: DType | None = None) -> jax.Array: ...
@overload
def nancumsum(
    x: KerasTensor,
    axis: int | None = None,
    dtype: DType | None = None,
) -> KerasTensor: ...
@overload
def nancumsum(x: TensorLike, axis: int | None = None, dtype: DType | None = None) -> jax.Array: ...
@overload
def nanmax(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def nanmax(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def nanmean(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def nanmean(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def nanmedian(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def nanmedian(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def nanmin(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def nanmin(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def nanpercentile(
    x: KerasTensor,
    q: Operand,
    axis: Axis | None = None,
    method: Literal['linear', 'lower', 'higher', 'midpoint', 'nearest'] = 'linear',
    keepdims: bool = False,
) -> KerasTensor: ...
@overload
def nanpercentile(
    x: TensorLike,
    q: KerasTensor,
    axis: Axis | None = None,
    method: Literal['linear', 'lower', 'higher', 'midpoint', 'nearest'] = 'linear',
    keepdims: bool = False,
) -> KerasTensor: ...
@overload
def nanpercentile(
    x: TensorLike,
    q: TensorLike,
    axis: Axis | None = None,
    method: Literal['linear', 'lower', 'higher', 'midpoint', 'nearest'] = 'linear',
    keepdims: bool = False,
) -> jax.Array: ...
@overload
def nanprod(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def nanprod(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def nanquantile(
    x: KerasTensor,
    q: Operand,
    axis: Axis | None = None,
    method: Literal['linear', 'lower', 'higher', 'midpoint', 'nearest'] = 'linear',
    keepdims: bool = False,
) -> KerasTensor: ...
@overload
def nanquantile(
    x: TensorLike,
    q: KerasTensor,
    axis: Axis | None = None,
    method: Literal['linear', 'lower', 'higher', 'midpoint', 'nearest'] = 'linear',
    keepdims: bool = False,
) -> KerasTensor: ...
@overload
def nanquantile(
    x: TensorLike,
    q: TensorLike,
    axis: Axis | None = None,
    method: Literal['linear', 'lower', 'higher', 'midpoint', 'nearest'] = 'linear',
    keepdims: bool = False,
) -> jax.Array: ...
@overload
def nanstd(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def nanstd(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def nansum(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def nansum(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def nanvar(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def nanvar(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def ndim(x: KerasTensor) -> KerasTensor: ...
@overload
def ndim(x: TensorLike) -> int: ...
@overload
def negative(x: KerasTensor) -> KerasTensor: ...
@overload
def negative(x: TensorLike) -> jax.Array: ...
@overload
def nextafter(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def nextafter(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def nextafter(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def nonzero(x: KerasTensor) -> tuple[KerasTensor, ...]: ...
@overload
def nonzero(x: TensorLike) -> tuple[jax.Array, ...]: ...
@overload
def norm(
    x: KerasTensor,
    ord: int | float | Literal['fro', 'nuc'] | None = None,
    axis: Axis | None = None,
    keepdims: bool = False,
) -> KerasTensor: ...
@overload
def norm(
    x: TensorLike,
    ord: int | float | Literal['fro', 'nuc'] | None = None,
    axis: Axis | None = None,
    keepdims: bool = False,
) -> jax.Array: ...
@overload
def normalize(
    x: KerasTensor,
    axis: Axis = -1,
    order: float = 2,
    epsilon: float | None = None,
) -> KerasTensor: ...
@overload
def normalize(
    x: TensorLike,
    axis: Axis = -1,
    order: float = 2,
    epsilon: float | None = None,
) -> jax.Array: ...
@overload
def not_equal(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def not_equal(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def not_equal(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def one_hot(
    x: KerasTensor,
    num_classes: int,
    axis: int = -1,
    dtype: DType | None = None,
    sparse: bool = False,
) -> KerasTensor: ...
@overload
def one_hot(
    x: TensorLike,
    num_classes: int,
    axis: int = -1,
    dtype: DType | None = None,
    sparse: bool = False,
) -> jax.Array: ...
def ones(shape: Shape, dtype: DType | None = None) -> jax.Array: ...
@overload
def ones_like(x: KerasTensor, dtype: DType | None = None) -> KerasTensor: ...
@overload
def ones_like(x: TensorLike, dtype: DType | None = None) -> jax.Array: ...
@overload
def outer(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def outer(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def outer(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def pad(
    x: KerasTensor,
    pad_width: int | Sequence[int] | Sequence[Sequence[int]],
    mode: PadMode | Function = 'constant',
    constant_values: Operand | None = None,
) -> KerasTensor: ...
@overload
def pad(
    x: TensorLike,
    pad_width: int | Sequence[int] | Sequence[Sequence[int]],
    mode: PadMode | Function = 'constant',
    constant_values: Operand | None = None,
) -> jax.Array: ...
@overload
def percentile(
    x: KerasTensor,
    q: Operand,
    axis: Axis | None = None,
    method: Literal['linear', 'lower', 'higher', 'midpoint', 'nearest'] = 'linear',
    keepdims: bool = False,
) -> KerasTensor: ...
@overload
def percentile(
    x: TensorLike,
    q: KerasTensor,
    axis: Axis | None = None,
    method: Literal['linear', 'lower', 'higher', 'midpoint', 'nearest'] = 'linear',
    keepdims: bool = False,
) -> KerasTensor: ...
@overload
def percentile(
    x: TensorLike,
    q: TensorLike,
    axis: Axis | None = None,
    method: Literal['linear', 'lower', 'higher', 'midpoint', 'nearest'] = 'linear',
    keepdims: bool = False,
) -> jax.Array: ...
@overload
def pinv(x: KerasTensor, rcond: float | None = None) -> KerasTensor: ...
@overload
def pinv(x: TensorLike, rcond: float | None = None) -> jax.Array: ...
@overload
def polar(abs_: KerasTensor, angle: Operand) -> KerasTensor: ...
@overload
def polar(abs_: TensorLike, angle: KerasTensor) -> KerasTensor: ...
@overload
def polar(abs_: TensorLike, angle: TensorLike) -> jax.Array: ...
@overload
def power(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def power(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def power(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def prod(
    x: KerasTensor,
    axis: Axis | None = None,
    keepdims: bool = False,
    dtype: DType | None = None,
) -> KerasTensor: ...
@overload
def prod(
    x: TensorLike,
    axis: Axis | None = None,
    keepdims: bool = False,
    dtype: DType | None = None,
) -> jax.Array: ...
@overload
def psnr(x1: KerasTensor, x2: Operand, max_val: float) -> KerasTensor: ...
@overload
def psnr(x1: TensorLike, x2: KerasTensor, max_val: float) -> KerasTensor: ...
@overload
def psnr(x1: TensorLike, x2: TensorLike, max_val: float) -> jax.Array: ...
@overload
def ptp(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def ptp(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def qr(
    x: KerasTensor,
    mode: Literal['reduced', 'complete'] = 'reduced',
) -> tuple[KerasTensor, KerasTensor]: ...
@overload
def qr(
    x: TensorLike,
    mode: Literal['reduced', 'complete'] = 'reduced',
) -> tuple[jax.Array, jax.Array]: ...
@overload
def quantile(
    x: KerasTensor,
    q: Operand,
    axis: Axis | None = None,
    method: Literal['linear', 'lower', 'higher', 'midpoint', 'nearest'] = 'linear',
    keepdims: bool = False,
) -> KerasTensor: ...
@overload
def quantile(
    x: TensorLike,
    q: KerasTensor,
    axis: Axis | None = None,
    method: Literal['linear', 'lower', 'higher', 'midpoint', 'nearest'] = 'linear',
    keepdims: bool = False,
) -> KerasTensor: ...
@overload
def quantile(
    x: TensorLike,
    q: TensorLike,
    axis: Axis | None = None,
    method: Literal['linear', 'lower', 'higher', 'midpoint', 'nearest'] = 'linear',
    keepdims: bool = False,
) -> jax.Array: ...
@overload
def rad2deg(x: KerasTensor) -> KerasTensor: ...
@overload
def rad2deg(x: TensorLike) -> jax.Array: ...
@overload
def ravel(x: KerasTensor) -> KerasTensor: ...
@overload
def ravel(x: TensorLike) -> jax.Array: ...
@overload
def real(x: KerasTensor) -> KerasTensor: ...
@overload
def real(x: TensorLike) -> jax.Array: ...
@overload
def rearrange(tensor: KerasTensor, pattern: str, **axes_lengths: int) -> KerasTensor: ...
@overload
def rearrange(tensor: TensorLike, pattern: str, **axes_lengths: int) -> jax.Array: ...
@overload
def reciprocal(x: KerasTensor) -> KerasTensor: ...
@overload
def reciprocal(x: TensorLike) -> jax.Array: ...
@overload
def relu(x: KerasTensor) -> KerasTensor: ...
@overload
def relu(x: TensorLike) -> jax.Array: ...
@overload
def relu6(x: KerasTensor) -> KerasTensor: ...
@overload
def relu6(x: TensorLike) -> jax.Array: ...
@overload
def repeat(x: KerasTensor, repeats: Operand, axis: int | None = None) -> KerasTensor: ...
@overload
def repeat(x: TensorLike, repeats: KerasTensor, axis: int | None = None) -> KerasTensor: ...
@overload
def repeat(x: TensorLike, repeats: TensorLike, axis: int | None = None) -> jax.Array: ...
@overload
def reshape(x: KerasTensor, newshape: Shape) -> KerasTensor: ...
@overload
def reshape(x: TensorLike, newshape: Shape) -> jax.Array: ...
@overload
def rfft(x: KerasTensor, fft_length: int | None = None) -> tuple[KerasTensor, KerasTensor]: ...
@overload
def rfft(x: TensorLike, fft_length: int | None = None) -> tuple[jax.Array, jax.Array]: ...
@overload
def right_shift(x: KerasTensor, y: Operand) -> KerasTensor: ...
@overload
def right_shift(x: TensorLike, y: KerasTensor) -> KerasTensor: ...
@overload
def right_shift(x: TensorLike, y: TensorLike) -> jax.Array: ...
def ring_attention(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    axis_name: str,
    *,
    segments: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
    window: int | None = None,
) -> jax.Array: ...
@overload
def rms_normalization(
    x: KerasTensor,
    scale: Operand | None = None,
    axis: Axis = -1,
    epsilon: float | None = None,
) -> KerasTensor: ...
@overload
def rms_normalization(
    x: TensorLike,
    scale: Operand | None = None,
    axis: Axis = -1,
    epsilon: float | None = None,
) -> jax.Array: ...
@overload
def roll(x: KerasTensor, shift: PerAxis, axis: Axis | None = None) -> KerasTensor: ...
@overload
def roll(x: TensorLike, shift: PerAxis, axis: Axis | None = None) -> jax.Array: ...
@overload
def rot90(array: KerasTensor, k: int = 1, axes: Sequence[int] = ...) -> KerasTensor: ...
@overload
def rot90(array: TensorLike, k: int = 1, axes: Sequence[int] = ...) -> jax.Array: ...
@overload
def round(x: KerasTensor, decimals: int = 0) -> KerasTensor: ...
@overload
def round(x: TensorLike, decimals: int = 0) -> jax.Array: ...
@overload
def rsqrt(x: KerasTensor) -> KerasTensor: ...
@overload
def rsqrt(x: TensorLike) -> jax.Array: ...
@overload
def saturate_cast(x: KerasTensor, dtype: DType) -> KerasTensor: ...
@overload
def saturate_cast(x: TensorLike, dtype: DType) -> jax.Array: ...
def scan(
    f: Function,
    init: Structure,
    xs: Structure = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: bool | int = 1,
) -> tuple[Structure, Structure]: ...
@overload
def scatter(indices: KerasTensor, values: Operand, shape: Shape) -> KerasTensor: ...
@overload
def scatter(indices: TensorLike, values: KerasTensor, shape: Shape) -> KerasTensor: ...
@overload
def scatter(indices: TensorLike, values: TensorLike, shape: Shape) -> jax.Array: ...
@overload
def scatter_update(
    inputs: KerasTensor,
    indices: Operand,
    updates: Operand,
    reduction: Literal['add', 'max', 'min', 'mul'] | None = None,
) -> KerasTensor: ...
@overload
def scatter_update(
    inputs: TensorLike,
    indices: KerasTensor,
    updates: Operand,
    reduction: Literal['add', 'max', 'min', 'mul'] | None = None,
) -> KerasTensor: ...
@overload
def scatter_update(
    inputs: TensorLike,
    indices: TensorLike,
    updates: KerasTensor,
    reduction: Literal['add', 'max', 'min', 'mul'] | None = None,
) -> KerasTensor: ...
@overload
def scatter_update(
    inputs: TensorLike,
    indices: TensorLike,
    updates: TensorLike,
    reduction: Literal['add', 'max', 'min', 'mul'] | None = None,
) -> jax.Array: ...
@overload
def searchsorted(
    sorted_sequence: KerasTensor,
    values: Operand,
    side: Literal['left', 'right'] = 'left',
) -> KerasTensor: ...
@overload
def searchsorted(
    sorted_sequence: TensorLike,
    values: KerasTensor,
    side: Literal['left', 'right'] = 'left',
) -> KerasTensor: ...
@overload
def searchsorted(
    sorted_sequence: TensorLike,
    values: TensorLike,
    side: Literal['left', 'right'] = 'left',
) -> jax.Array: ...
@overload
def segment_max(
    data: KerasTensor,
    segment_ids: Operand,
    num_segments: int | None = None,
    sorted: bool = False,
) -> KerasTensor: ...
@overload
def segment_max(
    data: TensorLike,
    segment_ids: KerasTensor,
    num_segments: int | None = None,
    sorted: bool = False,
) -> KerasTensor: ...
@overload
def segment_max(
    data: TensorLike,
    segment_ids: TensorLike,
    num_segments: int | None = None,
    sorted: bool = False,
) -> jax.Array: ...
@overload
def segment_min(
    data: KerasTensor,
    segment_ids: Operand,
    num_segments: int | None = None,
    sorted: bool = False,
) -> KerasTensor: ...
@overload
def segment_min(
    data: TensorLike,
    segment_ids: KerasTensor,
    num_segments: int | None = None,
    sorted: bool = False,
) -> KerasTensor: ...
@overload
def segment_min(
    data: TensorLike,
    segment_ids: TensorLike,
    num_segments: int | None = None,
    sorted: bool = False,
) -> jax.Array: ...
@overload
def segment_prod(
    data: KerasTensor,
    segment_ids: Operand,
    num_segments: int | None = None,
    sorted: bool = False,
) -> KerasTensor: ...
@overload
def segment_prod(
    data: TensorLike,
    segment_ids: KerasTensor,
    num_segments: int | None = None,
    sorted: bool = False,
) -> KerasTensor: ...
@overload
def segment_prod(
    data: TensorLike,
    segment_ids: TensorLike,
    num_segments: int | None = None,
    sorted: bool = False,
) -> jax.Array: ...
@overload
def segment_sum(
    data: KerasTensor,
    segment_ids: Operand,
    num_segments: int | None = None,
    sorted: bool = False,
) -> KerasTensor: ...
@overload
def segment_sum(
    data: TensorLike,
    segment_ids: KerasTensor,
    num_segments: int | None = None,
    sorted: bool = False,
) -> KerasTensor: ...
@overload
def segment_sum(
    data: TensorLike,
    segment_ids: TensorLike,
    num_segments: int | None = None,
    sorted: bool = False,
) -> jax.Array: ...
@overload
def select(
    condlist: Sequence[KerasTensor],
    choicelist: Sequence[Operand],
    default: Operand = 0,
) -> KerasTensor: ...
@overload
def select(
    condlist: Sequence[TensorLike],
    choicelist: Sequence[KerasTensor],
    default: Operand = 0,
) -> KerasTensor: ...
@overload
def select(
    condlist: Sequence[TensorLike],
    choicelist: Sequence[TensorLike],
    default: Operand = 0,
) -> jax.Array: ...
@overload
def selu(x: KerasTensor) -> KerasTensor: ...
@overload
def selu(x: TensorLike) -> jax.Array: ...
@overload
def separable_conv(
    inputs: KerasTensor,
    depthwise_kernel: Operand,
    pointwise_kernel: Operand,
    strides: PerAxis = 1,
    padding: Padding = 'valid',
    data_format: DataFormat | None = None,
    dilation_rate: PerAxis = 1,
) -> KerasTensor: ...
@overload
def separable_conv(
    inputs: TensorLike,
    depthwise_kernel: KerasTensor,
    pointwise_kernel: Operand,
    strides: PerAxis = 1,
    padding: Padding = 'valid',
    data_format: DataFormat | None = None,
    dilation_rate: PerAxis = 1,
) -> KerasTensor: ...
@overload
def separable_conv(
    inputs: TensorLike,
    depthwise_kernel: TensorLike,
    pointwise_kernel: KerasTensor,
    strides: PerAxis = 1,
    padding: Padding = 'valid',
    data_format: DataFormat | None = None,
    dilation_rate: PerAxis = 1,
) -> KerasTensor: ...
@overload
def separable_conv(
    inputs: TensorLike,
    depthwise_kernel: TensorLike,
    pointwise_kernel: TensorLike,
    strides: PerAxis = 1,
    padding: Padding = 'valid',
    data_format: DataFormat | None = None,
    dilation_rate: PerAxis = 1,
) -> jax.Array: ...
@overload
def sigmoid(x: KerasTensor) -> KerasTensor: ...
@overload
def sigmoid(x: TensorLike) -> jax.Array: ...
@overload
def sign(x: KerasTensor) -> KerasTensor: ...
@overload
def sign(x: TensorLike) -> jax.Array: ...
@overload
def signbit(x: KerasTensor) -> KerasTensor: ...
@overload
def signbit(x: TensorLike) -> jax.Array: ...
@overload
def silu(x: KerasTensor) -> KerasTensor: ...
@overload
def silu(x: TensorLike) -> jax.Array: ...
@overload
def sin(x: KerasTensor) -> KerasTensor: ...
@overload
def sin(x: TensorLike) -> jax.Array: ...
@overload
def sinc(x: KerasTensor) -> KerasTensor: ...
@overload
def sinc(x: TensorLike) -> jax.Array: ...
@overload
def sinh(x: KerasTensor) -> KerasTensor: ...
@overload
def sinh(x: TensorLike) -> jax.Array: ...
@overload
def size(x: KerasTensor) -> KerasTensor: ...
@overload
def size(x: TensorLike) -> int: ...
@overload
def slice(inputs: KerasTensor, start_indices: Operand, shape: Shape) -> KerasTensor: ...
@overload
def slice(inputs: TensorLike, start_indices: KerasTensor, shape: Shape) -> KerasTensor: ...
@overload
def slice(inputs: TensorLike, start_indices: TensorLike, shape: Shape) -> jax.Array: ...
@overload
def slice_update(inputs: KerasTensor, start_indices: Operand, updates: Operand) -> KerasTensor: ...
@overload
def slice_update(
    inputs: TensorLike,
    start_indices: KerasTensor,
    updates: Operand,
) -> KerasTensor: ...
@overload
def slice_update(
    inputs: TensorLike,
    start_indices: TensorLike,
    updates: KerasTensor,
) -> KerasTensor: ...
@overload
def slice_update(
    inputs: TensorLike,
    start_indices: TensorLike,
    updates: TensorLike,
) -> jax.Array: ...
@overload
def slogdet(x: KerasTensor) -> tuple[KerasTensor, KerasTensor]: ...
@overload
def slogdet(x: TensorLike) -> tuple[jax.Array, jax.Array]: ...
@overload
def soft_shrink(x: KerasTensor, threshold: float = 0.5) -> KerasTensor: ...
@overload
def soft_shrink(x: TensorLike, threshold: float = 0.5) -> jax.Array: ...
@overload
def softmax(x: KerasTensor, axis: Axis = -1) -> KerasTensor: ...
@overload
def softmax(x: TensorLike, axis: Axis = -1) -> jax.Array: ...
@overload
def softplus(x: KerasTensor) -> KerasTensor: ...
@overload
def softplus(x: TensorLike) -> jax.Array: ...
@overload
def softsign(x: KerasTensor) -> KerasTensor: ...
@overload
def softsign(x: TensorLike) -> jax.Array: ...
@overload
def solve(a: KerasTensor, b: Operand) -> KerasTensor: ...
@overload
def solve(a: TensorLike, b: KerasTensor) -> KerasTensor: ...
@overload
def solve(a: TensorLike, b: TensorLike) -> jax.Array: ...
@overload
def solve_triangular(a: KerasTensor, b: Operand, lower: bool = False) -> KerasTensor: ...
@overload
def solve_triangular(a: TensorLike, b: KerasTensor, lower: bool = False) -> KerasTensor: ...
@overload
def solve_triangular(a: TensorLike, b: TensorLike, lower: bool = False) -> jax.Array: ...
@overload
def sort(x: KerasTensor, axis: int | None = -1) -> KerasTensor: ...
@overload
def sort(x: TensorLike, axis: int | None = -1) -> jax.Array: ...
@overload
def space_to_depth(
    x: KerasTensor,
    block_size: int,
    data_format: DataFormat = 'channels_last',
) -> KerasTensor: ...
@overload
def space_to_depth(
    x: TensorLike,
    block_size: int,
    data_format: DataFormat = 'channels_last',
) -> jax.Array: ...
@overload
def sparse_categorical_crossentropy(
    target: KerasTensor,
    output: Operand,
    from_logits: bool = False,
    axis: int = -1,
) -> KerasTensor: ...
@overload
def sparse_categorical_crossentropy(
    target: TensorLike,
    output: KerasTensor,
    from_logits: bool = False,
    axis: int = -1,
) -> KerasTensor: ...
@overload
def sparse_categorical_crossentropy(
    target: TensorLike,
    output: TensorLike,
    from_logits: bool = False,
    axis: int = -1,
) -> jax.Array: ...
@overload
def sparse_plus(x: KerasTensor) -> KerasTensor: ...
@overload
def sparse_plus(x: TensorLike) -> jax.Array: ...
@overload
def sparse_sigmoid(x: KerasTensor) -> KerasTensor: ...
@overload
def sparse_sigmoid(x: TensorLike) -> jax.Array: ...
@overload
def sparsemax(x: KerasTensor, axis: int = -1) -> KerasTensor: ...
@overload
def sparsemax(x: TensorLike, axis: int = -1) -> jax.Array: ...
@overload
def split(x: KerasTensor, indices_or_sections: PerAxis, axis: int = 0) -> list[KerasTensor]: ...
@overload
def split(x: TensorLike, indices_or_sections: PerAxis, axis: int = 0) -> list[jax.Array]: ...
@overload
def sqrt(x: KerasTensor) -> KerasTensor: ...
@overload
def sqrt(x: TensorLike) -> jax.Array: ...
@overload
def square(x: KerasTensor) -> KerasTensor: ...
@overload
def square(x: TensorLike) -> jax.Array: ...
@overload
def squareplus(x: KerasTensor, b: float = 4) -> KerasTensor: ...
@overload
def squareplus(x: TensorLike, b: float = 4) -> jax.Array: ...
@overload
def squeeze(x: KerasTensor, axis: Axis | None = None) -> KerasTensor: ...
@overload
def squeeze(x: TensorLike, axis: Axis | None = None) -> jax.Array: ...
@overload
def stack(x: Sequence[KerasTensor], axis: int = 0) -> KerasTensor: ...
@overload
def stack(x: Sequence[TensorLike], axis: int = 0) -> jax.Array: ...
@overload
def std(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def std(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def stft(
    x: KerasTensor,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    window: str | Operand | None = 'hann',
    center: bool = True,
) -> tuple[KerasTensor, KerasTensor]: ...
@overload
def stft(
    x: TensorLike,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    window: str | Operand | None = 'hann',
    center: bool = True,
) -> tuple[jax.Array, jax.Array]: ...
@overload
def stop_gradient(variable: KerasTensor) -> KerasTensor: ...
@overload
def stop_gradient(variable: TensorLike) -> jax.Array: ...
@overload
def subtract(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def subtract(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def subtract(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def sum(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def sum(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def svd(
    x: KerasTensor,
    full_matrices: bool = True,
    compute_uv: bool = True,
) -> KerasTensor | tuple[KerasTensor, KerasTensor, KerasTensor]: ...
@overload
def svd(
    x: TensorLike,
    full_matrices: bool = True,
    compute_uv: bool = True,
) -> jax.Array | tuple[jax.Array, jax.Array, jax.Array]: ...
@overload
def swapaxes(x: KerasTensor, axis1: int, axis2: int) -> KerasTensor: ...
@overload
def swapaxes(x: TensorLike, axis1: int, axis2: int) -> jax.Array: ...
@overload
def swish(x: KerasTensor) -> KerasTensor: ...
@overload
def swish(x: TensorLike) -> jax.Array: ...
@overload
def take(x: KerasTensor, indices: Operand, axis: int | None = None) -> KerasTensor: ...
@overload
def take(x: TensorLike, indices: KerasTensor, axis: int | None = None) -> KerasTensor: ...
@overload
def take(x: TensorLike, indices: TensorLike, axis: int | None = None) -> jax.Array: ...
@overload
def take_along_axis(x: KerasTensor, indices: Operand, axis: int | None = None) -> KerasTensor: ...
@overload
def take_along_axis(
    x: TensorLike,
    indices: KerasTensor,
    axis: int | None = None,
) -> KerasTensor: ...
@overload
def take_along_axis(x: TensorLike, indices: TensorLike, axis: int | None = None) -> jax.Array: ...
@overload
def tan(x: KerasTensor) -> KerasTensor: ...
@overload
def tan(x: TensorLike) -> jax.Array: ...
@overload
def tanh(x: KerasTensor) -> KerasTensor: ...
@overload
def tanh(x: TensorLike) -> jax.Array: ...
@overload
def tanh_shrink(x: KerasTensor) -> KerasTensor: ...
@overload
def tanh_shrink(x: TensorLike) -> jax.Array: ...
@overload
def tensordot(x1: KerasTensor, x2: Operand, axes: int | Sequence[Axis] = 2) -> KerasTensor: ...
@overload
def tensordot(x1: TensorLike, x2: KerasTensor, axes: int | Sequence[Axis] = 2) -> KerasTensor: ...
@overload
def tensordot(x1: TensorLike, x2: TensorLike, axes: int | Sequence[Axis] = 2) -> jax.Array: ...
@overload
def threshold(x: KerasTensor, threshold: float, default_value: float) -> KerasTensor: ...
@overload
def threshold(x: TensorLike, threshold: float, default_value: float) -> jax.Array: ...
@overload
def tile(x: KerasTensor, repeats: PerAxis) -> KerasTensor: ...
@overload
def tile(x: TensorLike, repeats: PerAxis) -> jax.Array: ...
@overload
def top_k(
    x: KerasTensor,
    k: int,
    sorted: bool = True,
    *,
    is_stable: bool = True,
) -> tuple[KerasTensor, KerasTensor]: ...
@overload
def top_k(
    x: TensorLike,
    k: int,
    sorted: bool = True,
    *,
    is_stable: bool = True,
) -> tuple[jax.Array, jax.Array]: ...
@overload
def trace(x: KerasTensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> KerasTensor: ...
@overload
def trace(x: TensorLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> jax.Array: ...
@overload
def transpose(x: KerasTensor, axes: Sequence[int] | None = None) -> KerasTensor: ...
@overload
def transpose(x: TensorLike, axes: Sequence[int] | None = None) -> jax.Array: ...
@overload
def trapezoid(
    y: KerasTensor,
    x: Operand | None = None,
    dx: Operand = 1.0,
    axis: int = -1,
) -> KerasTensor: ...
@overload
def trapezoid(
    y: TensorLike,
    x: Operand | None = None,
    dx: Operand = 1.0,
    axis: int = -1,
) -> jax.Array: ...
def tri(N: int, M: int | None = None, k: int = 0, dtype: DType | None = None) -> jax.Array: ...
@overload
def tril(x: KerasTensor, k: int = 0) -> KerasTensor: ...
@overload
def tril(x: TensorLike, k: int = 0) -> jax.Array: ...
@overload
def triu(x: KerasTensor, k: int = 0) -> KerasTensor: ...
@overload
def triu(x: TensorLike, k: int = 0) -> jax.Array: ...
@overload
def true_divide(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def true_divide(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def true_divide(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
@overload
def trunc(x: KerasTensor) -> KerasTensor: ...
@overload
def trunc(x: TensorLike) -> jax.Array: ...
@overload
def unfold(
    x: KerasTensor,
    kernel_size: PerAxis,
    dilation: PerAxis = 1,
    padding: PerAxis = 0,
    stride: PerAxis = 1,
) -> KerasTensor: ...
@overload
def unfold(
    x: TensorLike,
    kernel_size: PerAxis,
    dilation: PerAxis = 1,
    padding: PerAxis = 0,
    stride: PerAxis = 1,
) -> jax.Array: ...
@overload
def unique(
    x: KerasTensor,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: float | None = None,
) -> KerasTensor | tuple[KerasTensor, ...]: ...
@overload
def unique(
    x: TensorLike,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: float | None = None,
) -> jax.Array | tuple[jax.Array, ...]: ...
@overload
def unravel_index(indices: KerasTensor, shape: Shape) -> tuple[KerasTensor, ...]: ...
@overload
def unravel_index(indices: TensorLike, shape: Shape) -> tuple[jax.Array, ...]: ...
@overload
def unstack(x: KerasTensor, num: int | None = None, axis: int = 0) -> list[KerasTensor]: ...
@overload
def unstack(x: TensorLike, num: int | None = None, axis: int = 0) -> list[jax.Array]: ...
@overload
def vander(x: KerasTensor, N: int | None = None, increasing: bool = False) -> KerasTensor: ...
@overload
def vander(x: TensorLike, N: int | None = None, increasing: bool = False) -> jax.Array: ...
@overload
def var(x: KerasTensor, axis: Axis | None = None, keepdims: bool = False) -> KerasTensor: ...
@overload
def var(x: TensorLike, axis: Axis | None = None, keepdims: bool = False) -> jax.Array: ...
@overload
def vdot(x1: KerasTensor, x2: Operand) -> KerasTensor: ...
@overload
def vdot(x1: TensorLike, x2: KerasTensor) -> KerasTensor: ...
@overload
def vdot(x1: TensorLike, x2: TensorLike) -> jax.Array: ...
def vectorized_map(function: Function, elements: Structure) -> Structure: ...
@overload
def view(x: KerasTensor, dtype: DType | None = None) -> KerasTensor: ...
@overload
def view(x: TensorLike, dtype: DType | None = None) -> jax.Array: ...
@overload
def view_as_complex(x: KerasTensor) -> KerasTensor: ...
@overload
def view_as_complex(x: TensorLike) -> jax.Array: ...
@overload
def view_as_real(x: KerasTensor) -> KerasTensor: ...
@overload
def view_as_real(x: TensorLike) -> jax.Array: ...
@overload
def vsplit(x: KerasTensor, indices_or_sections: PerAxis) -> list[KerasTensor]: ...
@overload
def vsplit(x: TensorLike, indices_or_sections: PerAxis) -> list[jax.Array]: ...
@overload
def vstack(xs: Sequence[KerasTensor]) -> KerasTensor: ...
@overload
def vstack(xs: Sequence[TensorLike]) -> jax.Array: ...
@overload
def where(
    condition: KerasTensor,
    x1: Operand | None = None,
    x2: Operand | None = None,
) -> KerasTensor: ...
@overload
def where(
    condition: TensorLike,
    x1: Operand | None = None,
    x2: Operand | None = None,
) -> jax.Array: ...
def while_loop(
    cond: Function,
    body: Function,
    loop_vars: Structure,
    maximum_iterations: int | None = None,
) -> Structure: ...
def zeros(shape: Shape, dtype: DType | None = None) -> jax.Array: ...
@overload
def zeros_like(x: KerasTensor, dtype: DType | None = None) -> KerasTensor: ...
@overload
def zeros_like(x: TensorLike, dtype: DType | None = None) -> jax.Array: ...
