"""Images read at other coordinates: affine and projective maps, elastic distortion."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from jkeras.core.errors import ShapeError, check_choice
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.weights.rng import as_key
from jkeras.core.session.settings import standardize_data_format
from jkeras.ops.image_common import axes_of, check_rank, image_op
from jkeras.ops.image_filter import blur
from jkeras.ops.promotion import result_type
from jkeras.core.weights.types import (
    DataFormat,
    FillMode,
    Function,
    Interpolation,
    Operand,
    Seed,
    TensorLike,
)

ORDERS = {"nearest": 0, "bilinear": 1}
FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")


@image_op(inputs=2)
def map_coordinates(
    inputs: TensorLike,
    coordinates: TensorLike,
    order: int,
    fill_mode: FillMode = "constant",
    fill_value: float = 0,
) -> jax.Array:
    """The values of an array at any coordinates: result[i] = inputs[coordinates[0][i],
    coordinates[1][i], ...].

    Args:
        inputs: array of any axes.
        coordinates: (number of axes of `inputs`, *shape of the result).
        order: 0 takes the nearest value, 1 interpolates linearly.
        fill_mode: what lies outside: "constant" (`fill_value`), "nearest", "wrap", "mirror" or
            "reflect".
        fill_value: number.
    Returns:
        Array of the inputs' dtype, of the shape of a row of coordinates.
    Raises:
        ValueError: coordinates that do not fit, or another order or mode.

    >>> print(map_coordinates(jnp.arange(4.0), jnp.array([[0.5, 2.0]]), order=1))
    [0.5 2. ]
    """
    inputs = jnp.asarray(inputs)
    coordinates = jnp.asarray(coordinates)
    if coordinates.ndim < 2:
        raise ShapeError(
            "`coordinates` has a row for each axis of the image: expected at least rank 2, "
            f"received coordinates.shape={coordinates.shape}"
        )
    if coordinates.shape[0] != inputs.ndim:
        raise ValueError(
            "`coordinates` has a row for each axis of the image: their count must be the same "
            f"as the rank of `inputs`. Received: inputs.shape={inputs.shape}, "
            f"coordinates.shape={coordinates.shape}"
        )
    check_choice("fill_mode", fill_mode, FILL_MODES)
    check_choice("order", order, (0, 1))
    return read_at(inputs, coordinates, order, fill_mode, fill_value)


def read_at(
    inputs: jax.Array, coordinates: jax.Array, order: int, fill_mode: FillMode, fill_value: float
) -> jax.Array:
    """`map_coordinates` of arrays, without checks."""
    from jax.scipy import ndimage  # on first use: `import jax` leaves it out too

    return ndimage.map_coordinates(inputs, coordinates, order, fill_mode, fill_value)


def sample(
    images: jax.Array,
    grid: jax.Array,
    interpolation: Interpolation,
    fill_mode: FillMode,
    fill_value: float,
    data_format: DataFormat | None,
) -> jax.Array:
    """A batch of images read at `grid`: (batch, 2, height, width), rows and columns, or one set
    for each channel.
    """
    channels = axes_of(data_format).channels

    def channel(plane: jax.Array, grid: jax.Array) -> jax.Array:
        return read_at(plane, grid, ORDERS[interpolation], fill_mode, fill_value)

    grid_axis = 0
    if grid.ndim == 4:
        grid_axis = None
    image = jax.vmap(channel, (channels, grid_axis), channels)
    return jax.vmap(image)(images, grid)


def grid_of(images: jax.Array, transform: jax.Array, data_format: DataFormat | None) -> jax.Array:
    """Where a batch of images is read under projective maps (batch, 8): a0, a1, a2, b0, b1, b2, c0,
    c1.

    The pixel (x, y) is read at ((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k), k = c0 x + c1 y +
    1.
    """
    axes = axes_of(data_format)
    y, x = jnp.meshgrid(
        *(jnp.arange(images.shape[a], dtype="float32") for a in axes[:2]), indexing="ij"
    )
    transform = jnp.broadcast_to(transform, (images.shape[0], 8)).astype("float32")
    a0, a1, a2, b0, b1, b2, c0, c1 = jnp.moveaxis(transform, -1, 0)[:, :, None, None]
    k = c0 * x + c1 * y + 1
    # (batch, 2, height, width)
    return jnp.stack([(b0 * x + b1 * y + b2) / k, (a0 * x + a1 * y + a2) / k], 1)


def warp(
    images: jax.Array,
    transform: jax.Array,
    interpolation: Interpolation,
    fill_mode: FillMode,
    fill_value: float,
    data_format: DataFormat | None,
) -> jax.Array:
    """A batch of images under projective maps (batch, 8); see `grid_of`."""
    return sample(
        images,
        grid_of(images, transform, data_format),
        interpolation,
        fill_mode,
        fill_value,
        data_format,
    )


def _on_batch(function: Function, images: jax.Array) -> jax.Array:
    """`function` on a batch of images; one image becomes a batch of one."""
    check_rank(images)
    if images.ndim == 4:
        return function(images)
    return function(images[None])[0]


def _affine_spec(images: Operand, transform: Operand, **config: Any) -> KerasTensor:
    check_rank(images)
    _check_rank_of_maps(transform)
    return KerasTensor(images.shape, images.dtype)


def _check_rank_of_maps(transform: Operand) -> None:
    if len(transform.shape) not in (1, 2):
        raise ValueError(
            "Invalid transform rank: expected rank 1, (8,), for all images, or (images, 8). "
            f"Received: transform.shape={tuple(transform.shape)}"
        )


@image_op(inputs=2, spec=_affine_spec)
def affine_transform(
    images: TensorLike,
    transform: TensorLike,
    interpolation: Literal["nearest", "bilinear"] = "bilinear",
    fill_mode: FillMode = "constant",
    fill_value: float = 0,
    data_format: DataFormat | None = None,
) -> jax.Array:
    """Images under affine maps: the pixel (x, y) is read at (a0 x + a1 y + a2, b0 x + b1 y + b2).

    Args:
        images: one image or a batch of them.
        transform: a0, a1, a2, b0, b1, b2, c0, c1: (8,) or (batch, 8). c0 and c1 should be 0; as in
            Keras on JAX, channel i is read c0 * i rows and c1 * i columns further on.
        interpolation: "nearest" or "bilinear".
        fill_mode: what lies outside: "constant" (`fill_value`), "nearest", "wrap", "mirror" or
            "reflect".
        fill_value: number.
        data_format: "channels_last" or "channels_first"; None: what
            `jkeras.config.image_data_format()` says.
    Returns:
        Images of the same shape and dtype.
    Raises:
        ValueError: ranks that do not fit, or an unknown mode.

    >>> shift = jnp.array([1.0, 0, 1, 0, 1, 0, 0, 0])
    >>> print(affine_transform(jnp.arange(3.0).reshape(1, 3, 1), shift).ravel())
    [1. 2. 0.]
    """
    images = jnp.asarray(images)
    transform = jnp.asarray(transform)
    check_choice("interpolation", interpolation, ORDERS)
    check_choice("fill_mode", fill_mode, FILL_MODES)
    check_rank(images)
    _check_rank_of_maps(transform)
    if transform.shape not in ((8,), (1, 8), (*images.shape[:-3], 8)):
        raise ShapeError(
            "`transform` must have the shape (8,) or (batch, 8), one map for each image. Received: "
            f"images.shape={images.shape}, transform.shape={transform.shape}"
        )
    transform = jnp.atleast_2d(transform).astype("float32")
    channels = jnp.arange(images.shape[axes_of(data_format).channels])
    drift = channels[:, None] * transform[:, None, 6:]  # (batch, channels, 2)

    def read(images: jax.Array) -> jax.Array:
        grid = grid_of(images, transform.at[:, 6:].set(0), data_format)
        grid = grid[:, None] + drift[..., None, None]
        return sample(images, grid, interpolation, fill_mode, fill_value, data_format)

    return _on_batch(read, images)


def homography(start_points: jax.Array, end_points: jax.Array) -> jax.Array:
    """The maps that take four end points to four start points: (batch, 4, 2) twice -> (batch, 8),
    as `warp` has them.

    Each pair of points gives two linear equations in the eight numbers.
    """
    (u, v), (x, y) = (jnp.moveaxis(p, -1, 0) for p in (start_points, end_points))  # (batch, 4) each
    one = jnp.ones_like(x)
    zero = jnp.zeros_like(x)
    equations_of_u = jnp.stack([x, y, one, zero, zero, zero, -u * x, -u * y], -1)
    equations_of_v = jnp.stack([zero, zero, zero, x, y, one, -v * x, -v * y], -1)
    matrix = jnp.concatenate([equations_of_u, equations_of_v], 1)  # (batch, 8, 8)
    return jnp.linalg.solve(matrix, jnp.concatenate([u, v], -1)[..., None])[..., 0]


def _check_points(start: Operand, end: Operand) -> None:
    if (
        tuple(start.shape[-2:]) != (4, 2)
        or len(start.shape) not in (2, 3)
        or start.shape != end.shape
    ):
        raise ValueError(
            "Invalid start_points shape: expected (4, 2) or (batch, 4, 2), and the same of "
            "end_points. "
            f"Received: start_points.shape={tuple(start.shape)}, "
            f"end_points.shape={tuple(end.shape)}"
        )


def _perspective_spec(
    images: Operand, start_points: Operand, end_points: Operand, **config: Any
) -> KerasTensor:
    check_rank(images)
    _check_points(start_points, end_points)
    return KerasTensor(images.shape, images.dtype)


@image_op(inputs=3, spec=_perspective_spec)
def perspective_transform(
    images: TensorLike,
    start_points: TensorLike,
    end_points: TensorLike,
    interpolation: Literal["nearest", "bilinear"] = "bilinear",
    fill_value: float = 0,
    data_format: DataFormat | None = None,
) -> jax.Array:
    """Images under the projective maps that take four points to four others.

    Args:
        images: one image or a batch of them.
        start_points, end_points: the points before and after, (x, y): (4, 2) or (batch, 4, 2).
        interpolation: "nearest" or "bilinear".
        fill_value: what lies outside.
        data_format: "channels_last" or "channels_first"; None: what
            `jkeras.config.image_data_format()` says.
    Returns:
        Images of the same shape and dtype.
    Raises:
        ValueError: ranks that do not fit, or an unknown interpolation.

    >>> corners = jnp.array([[0.0, 0], [2, 0], [0, 2], [2, 2]])
    >>> x = jnp.arange(9.0).reshape(3, 3, 1)
    >>> print(perspective_transform(x, corners, corners * 0.5)[:, :, 0])
    [[0. 2. 0.]
     [6. 8. 0.]
     [0. 0. 0.]]
    """
    images = jnp.asarray(images)
    start = jnp.asarray(start_points)
    end = jnp.asarray(end_points)
    check_choice("interpolation", interpolation, ORDERS)
    check_rank(images)
    _check_points(start, end)
    start, end = (p.reshape(-1, 4, 2).astype("float32") for p in (start, end))

    def read(images: jax.Array) -> jax.Array:
        maps = homography(start, end)
        return warp(images, maps, interpolation, "constant", fill_value, data_format)

    return _on_batch(read, images)


class Noise(NamedTuple):
    """What displaces pixels.

    Attributes:
        alpha: its strength.
        sigma: standard deviation of the noise, and of the Gaussian that smooths it.
        kernel_size: of the smoothing.
    """

    alpha: float | jax.Array
    sigma: float | jax.Array
    kernel_size: int


def distort(
    images: jax.Array,
    key: jax.Array,
    noise: Noise,
    interpolation: Interpolation,
    fill_mode: FillMode,
    fill_value: float,
    data_format: DataFormat,
) -> jax.Array:
    """A batch of images with every pixel displaced by smooth noise."""
    alpha, sigma, kernel_size = noise
    axes = axes_of(data_format)
    height = images.shape[axes.height]
    width = images.shape[axes.width]
    dtype = result_type(images.dtype, float)
    values = jax.random.normal(key, (images.shape[0], height, width, 2), dtype) * sigma
    values = blur(values, (kernel_size,) * 2, (sigma,) * 2, "channels_last")
    displacement = alpha * jnp.moveaxis(values, -1, 1)
    grid = jnp.stack(jnp.meshgrid(jnp.arange(height), jnp.arange(width), indexing="ij"))
    return sample(images, grid + displacement, interpolation, fill_mode, fill_value, data_format)


def _elastic_spec(images: Operand, **config: Any) -> KerasTensor:
    # without a look at the seed: a generator must not step on while a graph is made
    check_rank(images)
    return KerasTensor(images.shape, images.dtype)


@image_op(spec=_elastic_spec)
def elastic_transform(
    images: TensorLike,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: Literal["nearest", "bilinear"] = "bilinear",
    fill_mode: FillMode = "reflect",
    fill_value: float = 0.0,
    seed: Seed = None,
    data_format: DataFormat | None = None,
) -> jax.Array:
    """Images with each pixel displaced by a smooth random field (Simard et al. 2003, ICDAR).

    Args:
        images: one image or a batch of them.
        alpha: strength of the displacement.
        sigma: standard deviation of the noise and of the Gaussian that smooths it, a Python number.
        interpolation: "nearest" or "bilinear".
        fill_mode, fill_value: as for `affine_transform`.
        seed: an integer, a JAX key or a `SeedGenerator`.
        data_format: "channels_last" or "channels_first"; None: what
            `jkeras.config.image_data_format()` says.
    Returns:
        Images of the same shape and dtype.
    Raises:
        ValueError: not 3 or 4 axes, or an unknown mode.

    >>> x = jnp.arange(64.0).reshape(8, 8, 1)
    >>> for alpha in (0.0, 5.0):
    ...     moved = elastic_transform(x, alpha, sigma=1.0, seed=3) != x
    ...     print(float(moved.mean()) > 0.5)
    False
    True
    """
    images = jnp.asarray(images)
    data_format = standardize_data_format(data_format)
    check_choice("interpolation", interpolation, ORDERS)
    check_choice("fill_mode", fill_mode, FILL_MODES)

    def read(images: jax.Array) -> jax.Array:
        noise = Noise(alpha, sigma, kernel_size_for(sigma))
        return distort(
            images, as_key(seed), noise, interpolation, fill_mode, fill_value, data_format
        )

    return _on_batch(read, images)


def kernel_size_for(sigma: float) -> int:
    """The odd size of a Gaussian kernel that reaches three standard deviations.

    >>> kernel_size_for(1.0)
    7
    """
    return int(6 * sigma) | 1
