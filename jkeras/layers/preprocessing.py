"""Scaling of features: Rescaling, Normalization."""

import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.names import typed
from jkeras.core.errors import explain, violated
from jkeras.core.graph.host_numbers import refuse_masked
from jkeras.core.layer import layer
from jkeras.core.record import OF_BASE
from jkeras.core.session.settings import epsilon, image_data_format
from jkeras.core.names.typed import Sizes
from jkeras.kernel.spec import Spec, Weight
from jkeras.initializers import Ones, Zeros
from jkeras.layers.adapting import shown
from jkeras.layers.base import DataLayer, Value
from jkeras.core.run.context import Context


@layer("keras.layers")
class Rescaling(DataLayer, announces_compute_dtype=True):
    """`inputs * scale + offset`, in the compute dtype.

    Args:
        scale, offset: a number, or one for each channel.

    >>> import numpy as np
    >>> print(Rescaling(1 / 255)(np.array([0, 255], "uint8")))
    [0. 1.]
    """

    scale: Value()
    offset: Value() = 0.0
    supports_masking = True

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        inputs, scale, offset = (
            jnp.asarray(v, self.compute_dtype) for v in (inputs, self.scale, self.offset)
        )
        if scale.ndim and image_data_format() == "channels_first":
            scale = scale.reshape(*scale.shape, *(1,) * (3 - scale.ndim))
        return inputs * scale + offset


@layer("keras.layers", arguments="axis, mean, variance, invert")
class Normalization(DataLayer, announces_compute_dtype=True):
    """`(inputs - mean) / sqrt(variance)`, with a mean and a variance that are set or learnt by
    `adapt`.

    Args:
        axis: the axes that have statistics of their own, by default the last one; None: one mean
            for everything.
        mean, variance: the statistics, instead of `adapt`.
        invert: whether to go back: `inputs * sqrt(variance) + mean`.
    Raises:
        ValueError: only one of `mean` and `variance`, shapes or axes that do not fit; of `adapt`,
            no rows, or values that are not finite.

    >>> import numpy as np
    >>> layer = Normalization()
    >>> layer.adapt(np.array([[1.0], [3.0]]))
    >>> print(layer(np.array([[5.0]])))
    [[3.]]
    """

    axis: Sizes | None = -1
    mean: OF_BASE
    variance: OF_BASE
    invert: bool = False
    supports_masking = True

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            axis: typed.Sizes | None = -1,
            mean: typing.Any = None,
            variance: typing.Any = None,
            invert: bool = False,
            *,
            activity_regularizer: typed.Regularization = None,
            input_dim: int | None = None,
            **base: typing.Unpack[typed.LayerArguments],
        ) -> None: ...

    def _base_init(self, mean: Any = None, variance: Any = None, **kwargs: Any) -> None:
        super()._base_init(**kwargs)
        self.set_untracked(
            input_mean=mean, input_variance=variance, _axes=None, _statistics_shape=None
        )

    def __post_init__(self) -> None:
        axis = self.axis
        if axis is None:
            axis = ()
        elif isinstance(axis, int):
            axis = (axis,)
        self.axis = tuple(axis)
        mean, variance = self.input_mean, self.input_variance
        if (mean is None) != (variance is None):
            raise ValueError(
                violated(
                    self._where,
                    "both `mean` and `variance` must be set, or none of them",
                    f"mean={mean} and variance={variance}",
                )
            )
        misfit = np.shape(mean) != np.shape(variance) or np.ndim(mean) > len(self.axis)
        if mean is not None and misfit:
            raise ValueError(
                explain(
                    self._where,
                    f"`mean` and `variance` of one shape with at most {len(self.axis)} "
                    f"axes (axis={self.axis})",
                    f"shapes {np.shape(mean)} and {np.shape(variance)}",
                )
            )

    def weight_specs(self, inputs: Spec) -> dict[str, Weight]:
        axes, _ = self._axes_and_shape(inputs.shape)
        if self.input_mean is not None:
            return {}
        sizes = tuple(inputs.shape[a] for a in axes)
        return {
            "mean": Weight(sizes, Zeros(), trainable=False),
            "variance": Weight(sizes, Ones(), trainable=False),
            # it stays 0: files have it
            "count": Weight((), Zeros(), dtype="int32", trainable=False),
        }

    def attributes_when_built(self, inputs: Spec) -> dict[str, Any]:
        axes, statistics_shape = self._axes_and_shape(inputs.shape)
        return {"_axes": axes, "_statistics_shape": statistics_shape}

    def _axes_and_shape(self, shape: tuple[int, ...]) -> tuple[tuple[Any, ...], ...]:
        """(axes with statistics of their own, the shape of the statistics with all axes)."""
        ndim = len(shape)
        if any(not -ndim <= a < ndim for a in self.axis):
            raise ValueError(
                violated(
                    self._where,
                    f"All `axis` values must be in the range [{-ndim}, {ndim})",
                    f"axis={self.axis}",
                )
            )
        axes = sorted(a % ndim for a in self.axis)
        if any(shape[a] is None for a in axes):
            raise ValueError(
                violated(
                    self._where,
                    "All `axis` values to be kept are axes whose sizes are known",
                    f"axes {axes} of the input shape {shape}",
                )
            )
        return tuple(axes), tuple(n if a in axes else 1 for a, n in enumerate(shape))

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        inputs = jnp.asarray(inputs, self.compute_dtype)
        axes_and_shape = self._axes_and_shape(inputs.shape)
        mean, variance = self._aligned(w.get("mean"), w.get("variance"), axes_and_shape)
        deviation = jnp.maximum(jnp.sqrt(variance), epsilon())
        if self.invert:
            return inputs * deviation + mean
        return (inputs - mean) / deviation

    def _aligned(
        self, mean: jax.Array, variance: jax.Array, axes_and_shape: tuple[tuple[Any, ...], ...]
    ) -> Iterator[Any]:
        """Learnt or fixed statistics in the compute dtype, with the input's axes: size 1 where they
        are shared.
        """
        if self.input_mean is not None:
            mean, variance = self.input_mean, self.input_variance
        return (self._align(jnp.asarray(v, "float32"), *axes_and_shape) for v in (mean, variance))

    def _align(
        self, value: jax.Array, axes: tuple[int, ...], statistics_shape: tuple[int, ...]
    ) -> jax.Array:
        shape = [1] * len(statistics_shape)
        for axis, size in zip(reversed(axes), reversed(value.shape)):
            shape[axis] = size
        return jnp.broadcast_to(value.reshape(shape), statistics_shape).astype(self.compute_dtype)

    mean = property(
        lambda self: self._statistic(0),
        doc="The mean, with the input's axes; None before the layer is built.",
    )
    variance = property(lambda self: self._statistic(1), doc="The variance, likewise.")
    adapt_mean = property(lambda self: self._own.get("mean"), doc="The learnt mean, a variable.")
    adapt_variance = property(
        lambda self: self._own.get("variance"), doc="The learnt variance, a variable."
    )

    def _statistic(self, which) -> Any:
        if not self.built:
            return None
        own = {k: v.value for k, v in self._own.items()}
        axes_and_shape = (self._axes, self._statistics_shape)
        return tuple(self._aligned(own.get("mean"), own.get("variance"), axes_and_shape))[which]

    def get_config(self) -> dict[str, Any]:
        statistics = {"mean": self.input_mean, "variance": self.input_variance}
        return {**super().get_config(), **{k: np.array(v).tolist() for k, v in statistics.items()}}

    # ------------------------------------------------------------ learning the statistics

    def adapt(self, data: Any) -> None:
        """Sets mean and variance to those of `data`.

        Args:
            data: an array, or an iterable of batches (of tuples, the first part).
        """
        if self.input_mean is not None:
            raise ValueError(
                explain(
                    self._where,
                    "a layer without given statistics",
                    "`mean` and `variance`",
                    "leave them out to learn them with `adapt`",
                )
            )
        if isinstance(data, (np.ndarray, jax.Array)):
            refuse_masked(data, "data")
            batches = [data]
        else:
            batches = shown(_batches(data, self._where), data)
        total, mean, variance = self._moments(batches)
        if not total:
            raise ValueError(
                violated(
                    self._where,
                    "`adapt` needs at least one row",
                    "none",
                    "pass an array or a list of batches",
                )
            )
        with np.errstate(over="ignore"):
            statistics = {
                "mean": np.asarray(mean, "float32"),
                "variance": np.asarray(variance, "float32"),
            }
        self._check_finite(statistics)
        for name, value in statistics.items():
            self._own[name].assign(value)
            self._own[name].forget_initializer()  # `init` starts from what was learnt
        self._state_kept = True

    def _moments(self, batches: Iterable) -> tuple[int, Any, Any]:
        """(number of rows, mean, variance) of all batches."""
        total, mean, variance = 0, 0.0, 0.0
        for batch in batches:
            if getattr(batch, "dtype", None) is not None and np.dtype(batch.dtype).kind in "USMm":
                received = f"dtype {batch.dtype}"
                raise TypeError(explain(f"{self._where}: `adapt`", "numbers", received))
            self._prepare(np.shape(batch))
            axes = tuple(a for a in range(np.ndim(batch)) if a not in self._axes)
            count = int(np.prod([batch.shape[a] for a in axes]))
            if not count:
                continue
            new_mean, new_variance = np.mean(batch, axis=axes), np.var(batch, axis=axes)
            if not total:
                total, mean, variance = count, new_mean, new_variance
                continue
            total += count
            share, shift = count / total, new_mean - mean
            variance = (
                (1 - share) * variance + share * new_variance + share * (1 - share) * shift**2
            )
            mean = mean + share * shift
        return total, mean, variance

    def _check_finite(self, statistics: dict[str, Any]) -> None:
        """Raises for statistics of NaN or infinity, which make NaN or 0 of every row."""
        for name, value in statistics.items():
            missing = np.argwhere(~np.isfinite(value)).tolist()
            if missing:
                raise ValueError(
                    explain(
                        f"{self._where}: `adapt`",
                        "numbers with a finite mean and variance",
                        f"some whose {name} is NaN or infinity at {len(missing)} of {value.size} "
                        f"places, first at {missing[0]}",
                        "fill NaN in, or leave it out; scale what is huge",
                    )
                )

    def _prepare(self, shape: tuple[int, ...]) -> None:
        if not self.built:
            self.build(tuple(shape))
        elif len(shape) != len(self._statistics_shape) or any(
            shape[a] != self._statistics_shape[a] for a in self._axes
        ):
            raise ValueError(
                violated(
                    self._where,
                    f"data has an incompatible shape: its sizes on axes {self._axes} are not those "
                    f"of {self._statistics_shape}",
                    f"shape {tuple(shape)}",
                )
            )


def _batches(data: Any, where: str) -> Iterator[Any]:
    """The arrays in an iterable of batches."""
    if not hasattr(data, "__iter__"):
        raise TypeError(
            explain(where, "an array or an iterable of batches", f"{type(data).__name__}")
        )
    for batch in data:
        if isinstance(batch, tuple):
            batch = batch[0]
        if not hasattr(batch, "shape"):
            raise TypeError(
                explain(
                    where,
                    "batches that are arrays, with a `.shape`",
                    f"{type(batch).__name__}",
                    "convert the data with `numpy.asarray`",
                )
            )
        refuse_masked(batch, "data")
        yield np.asarray(batch)
