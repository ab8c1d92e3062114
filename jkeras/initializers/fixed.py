"""Initializers without randomness."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import check_choice
from jkeras.core.names.dtypes import as_numbers, standardize_dtype
from jkeras.core.record import Kind, record
from jkeras.core.names.registry import deserialize
from jkeras.initializers.base import Initializer
from jkeras.core.weights.types import DType, Shape


class Value(Kind):
    """A number or an array, which a config holds as plain data."""

    def read(self, value: Any) -> Any:
        if isinstance(value, dict):
            return deserialize(value)
        return value


@record("keras.initializers", "keras.initializers.zeros")
class Zeros(Initializer):
    """All elements 0.

    >>> print(Zeros()((2,)))
    [0. 0.]
    """

    by_numpy = staticmethod(np.zeros)

    def __call__(self, shape: Shape, dtype: DType | None = None) -> jax.Array:
        return jnp.zeros(shape, standardize_dtype(dtype))


@record("keras.initializers", "keras.initializers.ones")
class Ones(Initializer):
    """All elements 1.

    >>> print(Ones()((2,)))
    [1. 1.]
    """

    by_numpy = staticmethod(np.ones)

    def __call__(self, shape: Shape, dtype: DType | None = None) -> jax.Array:
        return jnp.ones(shape, standardize_dtype(dtype))


@record("keras.initializers", "keras.initializers.constant")
class Constant(Initializer):
    """All elements the same number, or those of an array.

    Args:
        value: a number, or an array that broadcasts to the shape.
    Raises:
        ValueError: on a call, a value that is no number.

    >>> print(Constant([1.0, 2.0])((3, 2)))
    [[1. 2.]
     [1. 2.]
     [1. 2.]]
    """

    value: Value() = 0.0

    def __call__(self, shape: Shape, dtype: DType | None = None) -> jax.Array:
        dtype = standardize_dtype(dtype)
        return as_numbers(self.value, "value").astype(dtype) * jnp.ones(shape, dtype)


@record(
    "keras.initializers", "keras.initializers.identity", "keras.initializers.IdentityInitializer"
)
class Identity(Initializer):
    """`gain` on the diagonal of a matrix, 0 elsewhere.

    Args:
        gain: a number; in no config, as in Keras.
    Raises:
        ValueError: on a call, a shape that is not 2D.

    >>> print(Identity(2.0)((2, 3)))
    [[2. 0. 0.]
     [0. 2. 0.]]
    """

    gain: float = 1.0

    def __call__(self, shape: Shape, dtype: DType | None = None) -> jax.Array:
        if len(shape) != 2:
            raise ValueError(
                "Identity: expected a 2D shape, the rows and columns of a matrix. "
                f"Received: shape={tuple(shape)} of rank {len(shape)}"
            )
        return self.gain * jnp.eye(*shape, dtype=standardize_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        """Empty, since Keras's files do not hold the gain either."""
        return {}


@record("keras.initializers", "keras.initializers.stft", "keras.initializers.STFTInitializer")
class STFT(Initializer):
    """The Fourier basis as a convolution kernel: shape (frame_length, 1, fft_length // 2 + 1).

    Element (t, 0, f) is `window[t] * cos(-2 pi t f / fft_length) / norm`, or its sine.

    Args:
        side: "real" (cosine) or "imag" (sine).
        window: name of a scipy window, an array of frame_length values, or None.
        scaling: divide by the root of the window's energy ("density"), by its sum ("spectrum"), or
            not (None).
        periodic: whether the window is made for periodic use; handed to scipy.
    Raises:
        ValueError: another `side`, `scaling` or name of a window; on a call, a window of another
            length.

    >>> print(STFT("imag", window=None)((4, 1, 3))[:, 0, 1].round(2) + 0.0)  # -sin(2 pi t / 4)
    [ 0. -1.  0.  1.]
    """

    side: str = "real"
    window: Value() = "hann"
    scaling: str | None = "density"
    periodic: bool = False

    def __post_init__(self) -> None:
        check_choice("side", self.side, ("real", "imag"), "STFT")
        if self.scaling not in (None, "density", "spectrum"):
            raise ValueError(
                "STFT: `scaling` should be None, 'density' or 'spectrum'. "
                f"Received: scaling={self.scaling!r}"
            )
        if isinstance(self.window, str):
            self._window(1)  # raises ValueError for an unknown name

    def _window(self, length: int) -> np.ndarray:
        from scipy.signal import get_window

        if isinstance(self.window, str):
            return get_window(self.window, length, self.periodic)
        return self.window

    def _norm(self, window: np.ndarray) -> jax.Array:
        if self.scaling == "density":
            return jnp.sqrt(jnp.sum(jnp.square(window)))
        if self.scaling == "spectrum":
            return jnp.sum(jnp.abs(window))
        return 1

    def __call__(self, shape: Shape, dtype: DType | None = None) -> jax.Array:
        dtype = standardize_dtype(dtype)
        length, _, bins = shape
        frequency = jnp.arange(bins, dtype=dtype).reshape(1, 1, bins) / ((bins - 1) * 2)
        time = jnp.arange(length, dtype=dtype).reshape(length, 1, 1)
        angle = -2 * time * frequency * jnp.arccos(jnp.asarray(-1, dtype))
        wave = jnp.cos if self.side == "real" else jnp.sin
        kernel = wave(angle).astype(dtype)
        if self.window is None:
            return kernel
        window = jnp.asarray(self._window(length), dtype)
        if window.shape != (length,):
            raise ValueError(
                f"STFT: expected a window of shape ({length},), the frame length. "
                f"Received shape {window.shape}"
            )
        return kernel * window.reshape(length, 1, 1) / self._norm(window)
