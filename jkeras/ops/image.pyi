# Written by `python -m tests.make_stubs`.
from collections.abc import Sequence
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.weights.types import (
    DataFormat,
    FillMode,
    Interpolation,
    Operand,
    Padding,
    PerAxis,
    Seed,
    Shape,
    TensorLike,
)
from typing import Literal, overload
import jax

@overload
def affine_transform(
    images: KerasTensor,
    transform: Operand,
    interpolation: Literal['nearest', 'bilinear'] = 'bilinear',
    fill_mode: FillMode = 'constant',
    fill_value: float = 0,
    data_format: DataFormat | None = None,
) -> KerasTensor: ...
@overload
def affine_transform(
    images: TensorLike,
    transform: KerasTensor,
    interpolation: Literal['nearest', 'bilinear'] = 'bilinear',
    fill_mode: FillMode = 'constant',
    fill_value: float = 0,
    data_format: DataFormat | None = None,
) -> KerasTensor: ...
@overload
def affine_transform(
    images: TensorLike,
    transform: TensorLike,
    interpolation: Literal['nearest', 'bilinear'] = 'bilinear',
    fill_mode: FillMode = 'constant',
    fill_value: float = 0,
    data_format: DataFormat | None = None,
) -> jax.Array: ...
@overload
def crop_images(
    images: KerasTensor,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: DataFormat | None = None,
) -> KerasTensor: ...
@overload
def crop_images(
    images: TensorLike,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: DataFormat | None = None,
) -> jax.Array: ...
@overload
def elastic_transform(
    images: KerasTensor,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: Literal['nearest', 'bilinear'] = 'bilinear',
    fill_mode: FillMode = 'reflect',
    fill_value: float = 0.0,
    seed: Seed = None,
    data_format: DataFormat | None = None,
) -> KerasTensor: ...
@overload
def elastic_transform(
    images: TensorLike,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: Literal['nearest', 'bilinear'] = 'bilinear',
    fill_mode: FillMode = 'reflect',
    fill_value: float = 0.0,
    seed: Seed = None,
    data_format: DataFormat | None = None,
) -> jax.Array: ...
@overload
def extract_patches(
    images: KerasTensor,
    size: PerAxis,
    strides: PerAxis | None = None,
    dilation_rate: PerAxis = 1,
    padding: Padding = 'valid',
    data_format: DataFormat | None = None,
) -> KerasTensor: ...
@overload
def extract_patches(
    images: TensorLike,
    size: PerAxis,
    strides: PerAxis | None = None,
    dilation_rate: PerAxis = 1,
    padding: Padding = 'valid',
    data_format: DataFormat | None = None,
) -> jax.Array: ...
@overload
def extract_patches_3d(
    volumes: KerasTensor,
    size: PerAxis,
    strides: PerAxis | None = None,
    dilation_rate: PerAxis = 1,
    padding: Padding = 'valid',
    data_format: DataFormat | None = None,
) -> KerasTensor: ...
@overload
def extract_patches_3d(
    volumes: TensorLike,
    size: PerAxis,
    strides: PerAxis | None = None,
    dilation_rate: PerAxis = 1,
    padding: Padding = 'valid',
    data_format: DataFormat | None = None,
) -> jax.Array: ...
@overload
def gaussian_blur(
    images: KerasTensor,
    kernel_size: PerAxis = ...,
    sigma: float | Sequence[float] | jax.Array = ...,
    data_format: DataFormat | None = None,
) -> KerasTensor: ...
@overload
def gaussian_blur(
    images: TensorLike,
    kernel_size: PerAxis = ...,
    sigma: float | Sequence[float] | jax.Array = ...,
    data_format: DataFormat | None = None,
) -> jax.Array: ...
@overload
def hsv_to_rgb(images: KerasTensor, data_format: DataFormat | None = None) -> KerasTensor: ...
@overload
def hsv_to_rgb(images: TensorLike, data_format: DataFormat | None = None) -> jax.Array: ...
@overload
def map_coordinates(
    inputs: KerasTensor,
    coordinates: Operand,
    order: int,
    fill_mode: FillMode = 'constant',
    fill_value: float = 0,
) -> KerasTensor: ...
@overload
def map_coordinates(
    inputs: TensorLike,
    coordinates: KerasTensor,
    order: int,
    fill_mode: FillMode = 'constant',
    fill_value: float = 0,
) -> KerasTensor: ...
@overload
def map_coordinates(
    inputs: TensorLike,
    coordinates: TensorLike,
    order: int,
    fill_mode: FillMode = 'constant',
    fill_value: float = 0,
) -> jax.Array: ...
@overload
def pad_images(
    images: KerasTensor,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: DataFormat | None = None,
) -> KerasTensor: ...
@overload
def pad_images(
    images: TensorLike,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: DataFormat | None = None,
) -> jax.Array: ...
@overload
def perspective_transform(
    images: KerasTensor,
    start_points: Operand,
    end_points: Operand,
    interpolation: Literal['nearest', 'bilinear'] = 'bilinear',
    fill_value: float = 0,
    data_format: DataFormat | None = None,
) -> KerasTensor: ...
@overload
def perspective_transform(
    images: TensorLike,
    start_points: KerasTensor,
    end_points: Operand,
    interpolation: Literal['nearest', 'bilinear'] = 'bilinear',
    fill_value: float = 0,
    data_format: DataFormat | None = None,
) -> KerasTensor: ...
@overload
def perspective_transform(
    images: TensorLike,
    start_points: TensorLike,
    end_points: KerasTensor,
    interpolation: Literal['nearest', 'bilinear'] = 'bilinear',
    fill_value: float = 0,
    data_format: DataFormat | None = None,
) -> KerasTensor: ...
@overload
def perspective_transform(
    images: TensorLike,
    start_points: TensorLike,
    end_points: TensorLike,
    interpolation: Literal['nearest', 'bilinear'] = 'bilinear',
    fill_value: float = 0,
    data_format: DataFormat | None = None,
) -> jax.Array: ...
@overload
def reconstruct_patches(
    patches: KerasTensor,
    size: PerAxis,
    output_size: PerAxis | None = None,
    strides: PerAxis | None = None,
    padding: Padding = 'valid',
    data_format: DataFormat | None = None,
) -> KerasTensor: ...
@overload
def reconstruct_patches(
    patches: TensorLike,
    size: PerAxis,
    output_size: PerAxis | None = None,
    strides: PerAxis | None = None,
    padding: Padding = 'valid',
    data_format: DataFormat | None = None,
) -> jax.Array: ...
@overload
def resize(
    images: KerasTensor,
    size: PerAxis,
    interpolation: Interpolation = 'bilinear',
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: FillMode = 'constant',
    fill_value: float = 0.0,
    data_format: DataFormat | None = None,
) -> KerasTensor: ...
@overload
def resize(
    images: TensorLike,
    size: PerAxis,
    interpolation: Interpolation = 'bilinear',
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: FillMode = 'constant',
    fill_value: float = 0.0,
    data_format: DataFormat | None = None,
) -> jax.Array: ...
@overload
def rgb_to_grayscale(images: KerasTensor, data_format: DataFormat | None = None) -> KerasTensor: ...
@overload
def rgb_to_grayscale(images: TensorLike, data_format: DataFormat | None = None) -> jax.Array: ...
@overload
def rgb_to_hsv(images: KerasTensor, data_format: DataFormat | None = None) -> KerasTensor: ...
@overload
def rgb_to_hsv(images: TensorLike, data_format: DataFormat | None = None) -> jax.Array: ...
@overload
def scale_and_translate(
    images: KerasTensor,
    output_shape: Shape,
    scale: Operand,
    translation: Operand,
    spatial_dims: Sequence[int],
    method: Literal['linear', 'cubic', 'lanczos3', 'lanczos5'],
    antialias: bool = True,
) -> KerasTensor: ...
@overload
def scale_and_translate(
    images: TensorLike,
    output_shape: Shape,
    scale: KerasTensor,
    translation: Operand,
    spatial_dims: Sequence[int],
    method: Literal['linear', 'cubic', 'lanczos3', 'lanczos5'],
    antialias: bool = True,
) -> KerasTensor: ...
@overload
def scale_and_translate(
    images: TensorLike,
    output_shape: Shape,
    scale: TensorLike,
    translation: KerasTensor,
    spatial_dims: Sequence[int],
    method: Literal['linear', 'cubic', 'lanczos3', 'lanczos5'],
    antialias: bool = True,
) -> KerasTensor: ...
@overload
def scale_and_translate(
    images: TensorLike,
    output_shape: Shape,
    scale: TensorLike,
    translation: TensorLike,
    spatial_dims: Sequence[int],
    method: Literal['linear', 'cubic', 'lanczos3', 'lanczos5'],
    antialias: bool = True,
) -> jax.Array: ...
@overload
def sobel_edges(images: KerasTensor, data_format: DataFormat | None = None) -> KerasTensor: ...
@overload
def sobel_edges(images: TensorLike, data_format: DataFormat | None = None) -> jax.Array: ...
@overload
def ssim(
    image1: KerasTensor,
    image2: Operand,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: DataFormat | None = None,
) -> KerasTensor: ...
@overload
def ssim(
    image1: TensorLike,
    image2: KerasTensor,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: DataFormat | None = None,
) -> KerasTensor: ...
@overload
def ssim(
    image1: TensorLike,
    image2: TensorLike,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: DataFormat | None = None,
) -> jax.Array: ...
