"""Initializers that draw random numbers."""

import math
import types
import typing
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.session import sampling
from jkeras.core.errors import suggestion
from jkeras.core.names import typed
from jkeras.core.names.dtypes import standardize_dtype
from jkeras.core.record import Any, base_record, record
from jkeras.initializers.base import RandomInitializer, normal, truncated_normal
from jkeras.core.weights.types import DType, Shape

Distribution: typing.TypeAlias = typing.Literal[
    "truncated_normal", "untruncated_normal", "normal", "uniform"
]
VARIANCE_SCALING = {
    "mode": ("fan_in", "fan_out", "fan_avg"),
    "distribution": ("uniform", "normal", "truncated_normal", "untruncated_normal"),
}


@record("keras.initializers", "keras.initializers.random_normal")
class RandomNormal(RandomInitializer):
    """Normal distribution.

    Args:
        mean, stddev: of the distribution.
        seed: an integer, for the same values on each call; a `SeedGenerator`, for other ones each
            time; None draws an integer.
    Raises:
        ValueError: another `seed`.

    >>> x = RandomNormal(mean=3.0, stddev=0.1, seed=1)((10000,))
    >>> print(f"{x.mean():.1f}, {x.std():.1f}")
    3.0, 0.1
    """

    mean: float = 0.0
    stddev: float = 0.05
    seed: Any = None

    def sample(self, key: jax.Array, shape: Shape, dtype: DType | None = None) -> jax.Array:
        return normal(key, shape, self.mean, self.stddev, standardize_dtype(dtype))


@record("keras.initializers", "keras.initializers.truncated_normal")
class TruncatedNormal(RandomInitializer):
    """Normal distribution cut off at two standard deviations from the mean.

    Args:
        mean, stddev: of the distribution before it is cut; afterwards its standard deviation is
            0.88 stddev.
        seed: as for `RandomNormal`.
    Raises:
        ValueError: another `seed`.

    >>> x = TruncatedNormal(stddev=0.1, seed=1)((10000,))
    >>> print(f"{abs(x).max():.2f}, {x.std():.3f}")
    0.20, 0.088
    """

    mean: float = 0.0
    stddev: float = 0.05
    seed: Any = None

    def sample(self, key: jax.Array, shape: Shape, dtype: DType | None = None) -> jax.Array:
        return truncated_normal(key, shape, self.mean, self.stddev, standardize_dtype(dtype))


@record("keras.initializers", "keras.initializers.random_uniform")
class RandomUniform(RandomInitializer):
    """Uniform distribution on [minval, maxval).

    Args:
        minval, maxval: the bounds.
        seed: as for `RandomNormal`.
    Raises:
        ValueError: another `seed`.

    >>> x = RandomUniform(-1.0, 3.0, seed=1)((10000,))
    >>> print(f"{x.min():.1f}, {x.mean():.1f}, {x.max():.1f}")
    -1.0, 1.0, 3.0
    """

    minval: float = -0.05
    maxval: float = 0.05
    seed: Any = None

    def sample(self, key: jax.Array, shape: Shape, dtype: DType | None = None) -> jax.Array:
        return sampling.uniform(key, shape, self.minval, self.maxval, standardize_dtype(dtype))


def compute_fans(
    shape: Shape, input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
) -> tuple[int, int]:
    """(fan_in, fan_out): how many inputs and outputs one element of a kernel connects.

    Kernels are (in, out) or (*window, in, out); the axes may be named instead.

    >>> compute_fans((3, 3, 8, 16))
    (72, 144)
    """
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[a] for a in input_axes), math.prod(shape[a] for a in output_axes)
    if not shape:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


@base_record(
    "keras.initializers",
    "keras.initializers.variance_scaling",
    arguments="scale, mode, distribution, seed, input_axes, output_axes",
)
class VarianceScaling(RandomInitializer):
    """Random values of mean 0 and variance `scale / fan`, so that signals keep their size through a
    layer.

    Args:
        scale: positive number.
        mode: "fan_in" (inputs of a unit), "fan_out" (outputs) or "fan_avg".
        distribution: "truncated_normal" (or "normal"), "untruncated_normal" or "uniform".
        seed: as for `RandomNormal`.
        input_axes, output_axes: the axes of the kernel that count as inputs and outputs, where it
            is not (*window, in, out).
    Raises:
        ValueError: for any other value.

    >>> kernel = VarianceScaling(2.0, "fan_in", "uniform", seed=1)((200, 100))
    >>> print(f"{kernel.std():.2f}")  # sqrt(2 / 200)
    0.10
    """

    scale: float = 1.0
    mode: typing.Literal["fan_in", "fan_out", "fan_avg"] = "fan_in"
    distribution: Distribution = "truncated_normal"
    input_axes: Any = None
    output_axes: Any = None

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            scale: float = 1.0,
            mode: typing.Literal["fan_in", "fan_out", "fan_avg"] = "fan_in",
            distribution: Distribution = "truncated_normal",
            seed: typing.Any = None,
            input_axes: typing.Any = None,
            output_axes: typing.Any = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        if self.scale <= 0.0:
            raise ValueError(
                f"Argument `scale` must be positive float. Received: scale={self.scale}"
            )
        self.distribution = self.distribution.lower()
        for argument, choices in VARIANCE_SCALING.items():
            value = getattr(self, argument)
            if value not in choices:
                raise ValueError(
                    f"Invalid `{argument}` argument: expected one of {choices}, received "
                    f"{argument}={value!r}.{suggestion(value, choices)}"
                )
        if self.distribution == "normal":
            self.distribution = "truncated_normal"

    def sample(self, key: jax.Array, shape: Shape, dtype: DType | None = None) -> jax.Array:
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}[self.mode]
        variance = self.scale / max(1.0, fan)
        dtype = standardize_dtype(dtype)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return sampling.uniform(key, shape, -limit, limit, dtype)
        if self.distribution == "untruncated_normal":
            return normal(key, shape, 0.0, math.sqrt(variance), dtype)
        # the standard deviation of a normal distribution cut off at two
        return truncated_normal(key, shape, 0.0, math.sqrt(variance) / 0.87962566103423978, dtype)


@typed.fields
class Scaled(VarianceScaling):
    """Base of initializers whose variance is given."""

    seed: Any = None
    input_axes: Any = None
    output_axes: Any = None


@record("keras.initializers", "keras.initializers.glorot_uniform")
class GlorotUniform(Scaled):
    """Uniform on [-limit, limit) with limit = sqrt(6 / (fan_in + fan_out)), also called Xavier.

    Args:
        seed, input_axes, output_axes: as for `VarianceScaling`.

    Reference: Glorot and Bengio, 2010, "Understanding the difficulty of training deep feedforward
        neural networks".

    >>> kernel = GlorotUniform(seed=1)((200, 100))
    >>> print(f"{abs(kernel).max():.2f}")  # sqrt(6 / 300)
    0.14
    """

    mode = "fan_avg"
    distribution = "uniform"


@record("keras.initializers", "keras.initializers.glorot_normal")
class GlorotNormal(Scaled):
    """Truncated normal with variance 2 / (fan_in + fan_out), also called Xavier.

    Args:
        seed, input_axes, output_axes: as for `VarianceScaling`.

    Reference: Glorot and Bengio, 2010, "Understanding the difficulty of training deep feedforward
        neural networks".

    >>> kernel = GlorotNormal(seed=1)((200, 100))
    >>> print(f"{kernel.std():.2f}")  # sqrt(2 / 300)
    0.08
    """

    mode = "fan_avg"


@record("keras.initializers", "keras.initializers.lecun_normal")
class LecunNormal(Scaled):
    """Truncated normal with variance 1 / fan_in.

    Args:
        seed, input_axes, output_axes: as for `VarianceScaling`.

    Reference: Klambauer et al., 2017, "Self-Normalizing Neural Networks", arXiv:1706.02515.

    >>> kernel = LecunNormal(seed=1)((200, 100))
    >>> print(f"{kernel.std():.2f}")  # sqrt(1 / 200)
    0.07
    """


@record("keras.initializers", "keras.initializers.lecun_uniform")
class LecunUniform(Scaled):
    """Uniform on [-limit, limit) with limit = sqrt(3 / fan_in).

    Args:
        seed, input_axes, output_axes: as for `VarianceScaling`.

    Reference: Klambauer et al., 2017, "Self-Normalizing Neural Networks", arXiv:1706.02515.

    >>> kernel = LecunUniform(seed=1)((200, 100))
    >>> print(f"{abs(kernel).max():.2f}")  # sqrt(3 / 200)
    0.12
    """

    distribution = "uniform"


@record("keras.initializers", "keras.initializers.he_normal")
class HeNormal(Scaled):
    """Truncated normal with variance 2 / fan_in, for layers followed by relu.

    Args:
        seed, input_axes, output_axes: as for `VarianceScaling`.

    Reference: He et al., 2015, "Delving Deep into Rectifiers", arXiv:1502.01852.

    >>> kernel = HeNormal(seed=1)((200, 100))
    >>> print(f"{kernel.std():.2f}")  # sqrt(2 / 200)
    0.10
    """

    scale = 2.0


@record("keras.initializers", "keras.initializers.he_uniform")
class HeUniform(Scaled):
    """Uniform on [-limit, limit) with limit = sqrt(6 / fan_in), for layers followed by relu.

    Args:
        seed, input_axes, output_axes: as for `VarianceScaling`.

    Reference: He et al., 2015, "Delving Deep into Rectifiers", arXiv:1502.01852.

    >>> kernel = HeUniform(seed=1)((200, 100))
    >>> print(f"{abs(kernel).max():.2f}")  # sqrt(6 / 200)
    0.17
    """

    scale = 2.0
    distribution = "uniform"


@record(
    "keras.initializers",
    "keras.initializers.orthogonal",
    "keras.initializers.OrthogonalInitializer",
)
class Orthogonal(RandomInitializer):
    """A random matrix with orthonormal rows or columns, times `gain`; leading axes are taken
    together.

    Args:
        gain: a number.
        seed: as for `RandomNormal`.
    Raises:
        ValueError: another `seed`; on a call, a shape of fewer than two axes.

    Reference: Saxe et al., 2014, "Exact solutions to the nonlinear dynamics of learning in deep
        linear neural networks", arXiv:1312.6120.

    >>> q = Orthogonal(seed=1)((3, 3))
    >>> bool(abs(q @ q.T - jnp.eye(3)).max() < 1e-5)
    True
    """

    gain: float = 1.0
    seed: Any = None

    def sample(self, key: jax.Array, shape: Shape, dtype: DType | None = None) -> jax.Array:
        if len(shape) < 2:
            raise ValueError(
                "Orthogonal: expected a shape of at least two axes. "
                f"Received: shape={tuple(shape)} of rank {len(shape)}"
            )
        dtype = jnp.dtype(standardize_dtype(dtype))
        height = math.prod(shape[:-1])
        width = shape[-1]
        size = (max(height, width), min(height, width))
        wide = dtype if dtype.itemsize >= 4 else "float32"  # no QR in half precision
        numbers = sampling.normal(key, size, wide)
        if isinstance(numbers, jax.core.Tracer):
            return self._from_normal(jnp, numbers, shape, dtype)
        # by numpy, where nothing is compiled
        return jax.device_put(self._from_normal(np, np.asarray(numbers), shape, dtype))

    def _from_normal(
        self,
        library: types.ModuleType,
        numbers: jax.Array | np.ndarray,
        shape: Shape,
        dtype: DType | None,
    ) -> jax.Array | np.ndarray:
        """The array from normal numbers (larger, smaller side), by numpy or by JAX's numpy."""
        q, r = library.linalg.qr(numbers)
        q = q * library.sign(library.diagonal(r))  # makes the distribution uniform
        if shape[-1] == numbers.shape[0] > numbers.shape[1]:
            q = q.T
        return (self.gain * q.reshape(shape)).astype(dtype)
