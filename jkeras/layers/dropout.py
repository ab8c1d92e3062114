"""Noise in training: dropout in its variants, Gaussian noise; and the penalty on activities."""

import typing
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jkeras import random
from jkeras.core.names import typed
from jkeras.core.errors import check_number, explain
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.graph.input_spec import InputSpec
from jkeras.core.layer import layer
from jkeras.core.record import Any
from jkeras.core.weights.rng import SeedGenerator
from jkeras.core.session.settings import standardize_data_format
from jkeras.core.names.typed import fields
from jkeras.kernel.numbers import is_zero, like
from jkeras.layers.base import ReadyLayer, refuse_others
from jkeras.regularizers import L1L2
from jkeras.core.weights.types import DataFormat, PerAxis, Sizes, Structure
from jkeras.core.run.context import Context


def _is_positive(size: PerAxis) -> bool:
    return isinstance(size, int) and size > 0


class _Noise(ReadyLayer):
    """Base of layers that disturb their input in training and pass it on unchanged otherwise."""

    _amount = "rate"  # name of the field, in [0, 1], that is 0 for no noise
    call_context = {"training": False}

    def __post_init__(self) -> None:
        super().__post_init__()
        amount = getattr(self, self._amount)
        check_number(self._amount, amount)
        if not 0 <= amount <= 1:
            raise ValueError(
                explain(
                    self._where, f"`{self._amount}` between 0 and 1", f"{self._amount}={amount}"
                )
            )
        if amount > 0:
            self.seed_generator = SeedGenerator(self.seed)

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        if not ctx.training or is_zero(getattr(self, self._amount)):
            return inputs
        return self.disturb(inputs, ctx.key)

    def compute_output_spec(self, inputs: Any, **kwargs: Any) -> Structure:
        """The input's shape: nothing to trace, a `noise_shape` for one batch size need not fit
        another.
        """
        return KerasTensor(inputs.shape, self.compute_dtype)

    def disturb(self, inputs: Any, key: jax.Array) -> jax.Array:
        """The input with noise from a key."""
        raise NotImplementedError


@layer("keras.layers")
class Dropout(_Noise):
    """In training sets entries to 0 at random and scales the others by `1 / (1 - rate)` (Srivastava
    et al. 2014, JMLR).

    Args:
        rate: the share of entries that are dropped.
        noise_shape: shape of the random mask, 1 where an axis shares it, None where it is the
            input's.
        seed: integer; None: at random.
    Raises:
        ValueError: a rate outside [0, 1], or a `noise_shape` that is not of positive integers and
            None.

    >>> import numpy as np
    >>> print(Dropout(0.5)(np.ones(3)))
    [1. 1. 1.]
    >>> print(Dropout(0.5, seed=0)(np.ones(5), training=True))
    [0. 0. 2. 2. 0.]
    """

    rate: float
    noise_shape: tuple | list | None = None
    seed: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = self.noise_shape
        if shape is None:
            return
        valid = isinstance(shape, (tuple, list)) and all(
            d is None or _is_positive(d) for d in shape
        )
        if not valid:
            raise ValueError(
                explain(
                    self._where,
                    "`noise_shape` to be a tuple of positive integers and None",
                    f"noise_shape={shape!r}",
                )
            )
        self.noise_shape = tuple(shape)

    def disturb(self, inputs: jax.Array, key: jax.Array) -> jax.Array:
        return random.dropout(
            inputs, self.rate, noise_shape=self.mask_shape(inputs.shape), seed=key
        )

    def mask_shape(self, shape: Sizes) -> Any:
        """The shape of the random mask for an input's shape."""
        return self.noise_shape


@fields
class _SpatialDropout(Dropout):
    """Dropout of whole channels (Tompson et al. 2014, arXiv:1411.4280)."""

    data_format: DataFormat | None = None
    _ndim = None

    def _base_init(self, **kwargs: Any) -> None:
        refuse_others(type(self), kwargs, ("name", "dtype"))
        super()._base_init(**kwargs)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.data_format = standardize_data_format(self.data_format)
        self.input_spec = InputSpec(ndim=self._ndim)

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        ones = (1,) * (self._ndim - 2)
        if self.data_format == "channels_first":
            return (*shape[:2], *ones)
        return (shape[0], *ones, shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**self.field_config(), "name": self.name, "dtype": self.dtype}


@layer("keras.layers", arguments="rate, seed, name, dtype")
class SpatialDropout1D(_SpatialDropout):
    """Dropout of whole channels: in training a channel is 0 at all steps, or scaled: (batch, time,
    channels).

    Tompson et al. 2014, arXiv:1411.4280.

    Args:
        rate: the share of channels that are dropped, in [0, 1].
        seed: integer.
    Raises:
        ValueError: a rate outside [0, 1].

    >>> import numpy as np
    >>> print(SpatialDropout1D(0.5, seed=0)(np.ones((1, 2, 5)), training=True)[0])
    [[0. 0. 2. 2. 0.]
     [0. 0. 2. 2. 0.]]
    """

    data_format = "channels_last"
    _ndim = 3

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            rate: float,
            seed: typing.Any = None,
            *,
            activity_regularizer: typed.Regularization = None,
            input_dim: int | None = None,
            **base: typing.Unpack[typed.LayerArguments],
        ) -> None: ...


class _MapDropout(_SpatialDropout):
    """Base of those of images and volumes, whose channels may come first."""

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            rate: float,
            data_format: DataFormat | None = None,
            seed: typing.Any = None,
            *,
            activity_regularizer: typed.Regularization = None,
            input_dim: int | None = None,
            **base: typing.Unpack[typed.LayerArguments],
        ) -> None: ...


@layer("keras.layers", arguments="rate, data_format, seed, name, dtype", init=False)
class SpatialDropout2D(_MapDropout):
    """Dropout of whole feature maps: (batch, height, width, channels), or channels first.

    Args:
        rate, seed: as for `SpatialDropout1D`.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    Raises:
        ValueError: a rate outside [0, 1].

    >>> import numpy as np
    >>> image = SpatialDropout2D(0.5, seed=0)(np.ones((1, 2, 2, 5)), training=True)[0]
    >>> print(image[0, 0], bool((image == image[0, 0]).all()))
    [0. 0. 2. 2. 0.] True
    """

    _ndim = 4


@layer("keras.layers", arguments="rate, data_format, seed, name, dtype", init=False)
class SpatialDropout3D(_MapDropout):
    """Dropout of whole feature volumes: (batch, depth, height, width, channels), or channels first.

    Args:
        rate, seed: as for `SpatialDropout1D`.
        data_format: "channels_last", or "channels_first" for
            (batch, channels, depth, height, width).
    Raises:
        ValueError: a rate outside [0, 1].

    >>> import numpy as np
    >>> volume = SpatialDropout3D(0.5, seed=0)(np.ones((1, 2, 2, 2, 5)), training=True)[0]
    >>> print(volume[0, 0, 0], bool((volume == volume[0, 0, 0]).all()))
    [0. 0. 2. 2. 0.] True
    """

    _ndim = 5


@layer("keras.layers")
class GaussianDropout(_Noise):
    """In training multiplies by noise of mean 1 and standard deviation `sqrt(rate / (1 - rate))`.

    It has the first two moments of dropout (Srivastava et al. 2014, JMLR).

    Args:
        rate: of the dropout that it stands for, in [0, 1).
        seed: integer.
    Raises:
        ValueError: a rate outside [0, 1].

    >>> import numpy as np
    >>> print(GaussianDropout(0.5)(np.ones(3)))
    [1. 1. 1.]
    """

    rate: float
    seed: Any = None

    def disturb(self, inputs: Any, key: jax.Array) -> Any:
        if is_zero(1.0 - self.rate):
            raise ValueError(explain(self._where, "a `rate` below 1 in training", "rate=1.0"))
        deviation = like((self.rate / (1.0 - self.rate)) ** 0.5, inputs)
        return inputs * random.normal(
            inputs.shape, mean=1.0, stddev=deviation, dtype=self.compute_dtype, seed=key
        )


@layer("keras.layers")
class GaussianNoise(_Noise):
    """In training adds noise of mean 0.

    Args:
        stddev: standard deviation of the noise, in [0, 1].
        seed: integer.
    Raises:
        ValueError: `stddev` outside [0, 1].

    >>> import numpy as np
    >>> print(GaussianNoise(0.5)(np.ones(3)))
    [1. 1. 1.]
    """

    stddev: float
    seed: Any = None
    _amount = "stddev"

    def disturb(self, inputs: Any, key: jax.Array) -> Any:
        return inputs + random.normal(
            inputs.shape, stddev=like(self.stddev, inputs), dtype=self.compute_dtype, seed=key
        )


ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805  # of the selu function


@layer("keras.layers")
class AlphaDropout(_Noise):
    """Dropout for selu networks: dropped entries take selu's lowest value, and mean and variance
    stay as they were.

    Klambauer et al. 2017, arXiv:1706.02515.

    Args:
        rate, noise_shape, seed: as for `Dropout`.
    Raises:
        ValueError: a rate outside [0, 1].

    >>> import numpy as np
    >>> print(AlphaDropout(0.5)(np.ones(3)))
    [1. 1. 1.]
    """

    rate: float
    noise_shape: tuple | list | None = None
    seed: Any = None

    def disturb(self, inputs: Any, key: jax.Array) -> Any:
        noise_shape = self.noise_shape
        if noise_shape is None:
            noise_shape = inputs.shape
        shape = tuple(n if d is None else d for d, n in zip(noise_shape, inputs.shape))
        lowest = -ALPHA * SCALE
        mask = random.uniform(shape, seed=key) >= self.rate
        a = ((1 - self.rate) * (1 + self.rate * lowest**2)) ** -0.5
        return a * jnp.where(mask, inputs, lowest).astype(inputs.dtype) - a * lowest * self.rate


@layer("keras.layers")
class ActivityRegularization(ReadyLayer):
    """Its input, unchanged, with the penalty `l1 * sum(|x|) + l2 * sum(x ** 2)`, by batch size,
    added to the loss.

    Args:
        l1: weight of the sum of absolute values.
        l2: weight of the sum of squares.

    >>> import numpy as np
    >>> layer = ActivityRegularization(l1=0.5)
    >>> _ = layer(np.ones((2, 3)))
    >>> print(layer.losses[0])
    1.5
    """

    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.activity_regularizer = L1L2(l1=self.l1, l2=self.l2)

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        return inputs

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["activity_regularizer"]
        return config
