"""Normalization of values (batch, layer, group, RMS, unit), and of the weights of another layer
(spectral).

Statistics are computed in float32 at least, also where the layer computes in half precision.
"""

import math
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jkeras.core.names import typed
from jkeras.core.errors import AxisError, explain
from jkeras.core.graph.input_spec import InputSpec
from jkeras.core.layer import Composite, Layer, StatefulLayer, layer
from jkeras.core.record import Constraint, Initializer, Regularizer
from jkeras.kernel.spec import Spec, Weight
from jkeras.kernel.valid_rows import expand_like, over_valid_rows
from jkeras.core.session.settings import settings
from jkeras.core.names.typed import Sizes
from jkeras.initializers import Ones, TruncatedNormal
from jkeras.layers.base import ReadyLayer
from jkeras.layers.wrappers import Wrapper
from jkeras.ops.kernels import on_accelerator
from jkeras.ops.nn_normalization import (
    batch_normalization,
    layer_normalization,
    moments,
    normalize,
    rms_normalization,
)
from jkeras.core.weights.types import Axis, OwnWeight, Structure
from jkeras.core.run.context import Children, Context


class ScaleAndShift(Layer, announces_compute_dtype=True, is_batchwise=True, keeps_shape=True):
    """Base of the layers that multiply what they normalized by `gamma` and add `beta`."""

    axis: Sizes = -1
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: Initializer = "zeros"
    gamma_initializer: Initializer = "ones"
    beta_regularizer: Regularizer = None
    gamma_regularizer: Regularizer = None
    beta_constraint: Constraint = None
    gamma_constraint: Constraint = None
    supports_masking = True

    if typing.TYPE_CHECKING:
        gamma = OwnWeight()
        beta = OwnWeight()

    def _scale_and_shift(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """The specs of `gamma` and `beta`, as far as the layer has them."""
        has = {"gamma": self.scale, "beta": self.center}
        return {
            name: self.weight(name, shape, autocast=False)
            for name, present in has.items()
            if present
        }


def sizes_along(where: str, axes: list[int], shape: tuple[int | None, ...]) -> tuple[int, ...]:
    """The sizes of axes.

    >>> sizes_along("a layer", [1, -1], (2, 3, 4))
    (3, 4)
    """
    for axis in axes:
        if not -len(shape) <= axis < len(shape):
            raise AxisError(
                f"{where}: axis {axis} is out of bounds for an input of {len(shape)} axes. "
                f"Received: axis={axes}, shape={shape}"
            )
    return tuple(map(shape.__getitem__, axes))


def axis_list(axis: int | list[Any] | tuple[int, ...]) -> list[int]:
    """An axis, or several, as a sorted list.

    >>> axis_list(-1), axis_list((2, 1))
    ([-1], [1, 2])
    """
    if isinstance(axis, (list, tuple)):
        return sorted(axis)
    return [axis]


def axes_within(layer: Any, shape: tuple[int | None, ...]) -> list[int]:
    """The axes of a layer in the order in which its weights have them: as they were given, sorted;
    in Keras 3.16 counted from the first axis, each of them once.

    >>> axes_within(LayerNormalization(axis=[1, -1]), (2, 3, 4))
    [-1, 1]
    """
    axis = layer.axis
    if not isinstance(axis, (list, tuple)):
        axis = [axis]
    if settings.keras_version == "3.15":
        return sorted(axis)
    sizes_along(layer._where, axis, shape)
    counted = sorted(one % len(shape) for one in axis)
    if len(set(counted)) < len(counted):
        raise AxisError(
            f"{layer._where}: Duplicate axes: two of `axis` are the same one of an input of "
            f"{len(shape)} axes. Received: axis={axis}"
        )
    return counted


def int_or_list(where: str, axis: int) -> int:
    """An axis, or several as a list; TypeError for anything else."""
    if not isinstance(axis, (int, list, tuple)):
        raise TypeError(
            f"{where}: Expected an int or a list/tuple of ints for the argument 'axis'. Received: "
            f"axis={axis!r}"
        )
    if isinstance(axis, int):
        return axis
    return list(axis)


@layer("keras.layers")
class BatchNormalization(StatefulLayer, ScaleAndShift, is_for_training_alone=True):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, each feature over the batch and all
    other axes.

    In training the statistics are those of the batch, and the moving ones follow them: `moving =
    momentum * moving + (1 - momentum) * batch`. At inference, and always where the layer is frozen
    (`trainable = False`), the moving ones are used. Masked positions count for nothing in the
    statistics.

    Ioffe and Szegedy 2015, arXiv:1502.03167; with `renorm`: Ioffe 2017, arXiv:1702.03275.

    Args:
        The same as for `Dense`, for these weights: beta_initializer, gamma_initializer,
            moving_mean_initializer, moving_variance_initializer, beta_regularizer,
            gamma_regularizer, beta_constraint, gamma_constraint.
        momentum: share of the old value in the moving mean and variance.
        axis: the features' axis.
        epsilon: added to the variance.
        center, scale: whether there are a beta and a gamma.
        renorm: correct the batch's statistics towards the moving ones in training.
        renorm_clipping: dict of "rmin", "rmax" and "dmax", limits of the correction; what is
            missing is no limit.
        renorm_momentum: momentum of the statistics that the correction aims at.
        synchronized: must be False. Under JAX the statistics of a sharded batch are those of all of
            it anyway.
    Raises:
        ValueError: `synchronized`, senseless limits, or a mask that does not have one axis less
            than the input.

    >>> import numpy as np
    >>> layer = BatchNormalization(momentum=0.5)
    >>> y = layer(np.array([[1.0], [3.0]]), training=True)
    >>> print(np.round(y, 2).tolist(), layer.moving_mean.numpy())
    [[-1.0], [1.0]] [1.]
    """

    axis: typed.Sizes = -1
    momentum: float = 0.99
    epsilon: float = 0.001
    center: bool = True
    scale: bool = True
    beta_initializer: Initializer = "zeros"
    gamma_initializer: Initializer = "ones"
    moving_mean_initializer: Initializer = "zeros"
    moving_variance_initializer: Initializer = "ones"
    beta_regularizer: Regularizer = None
    gamma_regularizer: Regularizer = None
    beta_constraint: Constraint = None
    gamma_constraint: Constraint = None
    renorm: bool = False
    renorm_clipping: dict | None = None
    renorm_momentum: float = 0.99
    synchronized: bool = False
    call_context = {"training": None, "mask": None}

    if typing.TYPE_CHECKING:
        moving_mean = OwnWeight()
        moving_variance = OwnWeight()

    def __post_init__(self) -> None:
        self.axis = int(self.axis)
        self.momentum = float(self.momentum)
        self.epsilon = float(self.epsilon)
        if self.synchronized:
            raise ValueError(
                f"{self._where}: synchronized=True is only there for TensorFlow. Leave it False: "
                "under JAX the statistics of a sharded batch are those of the whole batch."
            )
        if self.renorm:
            self.renorm_clipping = self.renorm_clipping or {}
            check_clipping(self._where, self.renorm_clipping)

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        shape = sizes_along(self._where, [self.axis], x.shape)
        specs = self._scale_and_shift(shape)

        def statistic(name: str, initializer: Any) -> None:
            specs[name] = self.weight(
                name, shape, initializer=initializer, trainable=False, autocast=False
            )

        statistic("moving_mean", self.moving_mean_initializer)
        statistic("moving_variance", self.moving_variance_initializer)
        if self.renorm:
            statistic("moving_stddev", self._initial_stddev)
            statistic("renorm_mean", self.moving_mean_initializer)
            statistic("renorm_stddev", self._initial_stddev)
        return specs

    def attributes_when_built(self, x: Spec) -> dict[str, Any]:
        return {"input_spec": InputSpec(ndim=x.ndim, axes={self.axis: x.shape[self.axis]})}

    def _initial_stddev(self, shape: Sizes, dtype: Any = None) -> Any:
        return jnp.sqrt(self.moving_variance_initializer(shape, dtype=dtype))

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> Structure:
        if ctx.mask is not None and ctx.mask.ndim != x.ndim - 1:
            raise ValueError(
                explain(
                    self._where,
                    f"a mask with {x.ndim - 1} axes, one less than the input",
                    f"mask.shape={ctx.mask.shape}, inputs.shape={x.shape}",
                )
            )
        x = x.astype(jnp.promote_types(x.dtype, "float32"))
        w = {name: value.astype(x.dtype) for name, value in w.items()}
        gamma, beta, changed = w.get("gamma"), w.get("beta"), {}
        mean, variance = w["moving_mean"], w["moving_variance"]
        if ctx.training and not ctx.frozen:
            mean, variance = self._moments(x, ctx.mask, ctx.valid_rows)
            if self.renorm:
                gamma, beta, changed = self._renormalized(w, mean, variance)
            else:
                changed = {
                    "moving_mean": toward(mean, w["moving_mean"], self.momentum),
                    "moving_variance": toward(variance, w["moving_variance"], self.momentum),
                }
        y = batch_normalization(
            x, mean, variance, self.axis, offset=beta, scale=gamma, epsilon=self.epsilon
        )
        return y.astype(self.compute_dtype), changed

    def _moments(self, x: jax.Array, mask: jax.Array | None, valid_rows) -> tuple[jax.Array, ...]:
        """Mean and variance of the features, over the unmasked positions of the valid rows."""
        axes = tuple(a for a in range(x.ndim) if a != self.axis % x.ndim)
        if mask is None and valid_rows is None:
            if on_accelerator() and settings.distribution is None and 0 in axes:
                return moments_in_one_pass(x, axes)
            return moments(x, axes)
        if valid_rows is None:
            return masked_moments(x, mask[..., None].astype(bool), axes, settings.epsilon)
        if mask is None:
            return over_valid_rows(
                lambda valid, x: masked_moments(x, expand_like(valid, x), axes), valid_rows, x
            )

        def moments_of_valid(valid, x: jax.Array, mask: jax.Array | None) -> Any:
            mask = mask.astype(bool) & expand_like(valid, mask)
            return masked_moments(x, mask[..., None], axes, settings.epsilon)

        return over_valid_rows(moments_of_valid, valid_rows, x, mask)

    def _renormalized(self, w: Mapping[str, Any], mean: jax.Array, variance: jax.Array) -> Any:
        """(gamma, beta) that also correct the batch's statistics towards the moving ones, and the
        new state.
        """
        stddev = jnp.sqrt(variance + self.epsilon)
        goal = jnp.maximum(w["renorm_stddev"], self.epsilon**0.5)  # else huge early in training
        limit, d_limit = self.renorm_clipping, self.renorm_clipping.get("dmax")
        r = jnp.clip(stddev / goal, limit.get("rmin"), limit.get("rmax"))
        d = (mean - w["renorm_mean"]) / goal
        if d_limit is not None:
            d = jnp.clip(d, -d_limit, d_limit)
        gamma, beta = lax.stop_gradient((r, d))
        if "gamma" in w:
            gamma, beta = gamma * w["gamma"], beta * w["gamma"]
        if "beta" in w:
            beta = beta + w["beta"]

        moving_stddev = toward(stddev, w["moving_stddev"], self.momentum)
        return (
            gamma,
            beta,
            {
                "renorm_mean": toward(mean, w["renorm_mean"], self.renorm_momentum),
                "renorm_stddev": toward(stddev, w["renorm_stddev"], self.renorm_momentum),
                "moving_mean": toward(mean, w["moving_mean"], self.momentum),
                "moving_stddev": moving_stddev,
                "moving_variance": jnp.maximum(jnp.square(moving_stddev) - self.epsilon, 0),
            },
        )


def masked_moments(x: jax.Array, mask: jax.Array | None, axes: Axis, epsilon: float = 0.0) -> Any:
    """Mean and variance over some axes, each flat, of the positions where a mask is True.

    Args:
        epsilon: added to the number of positions.
    """
    mask = jnp.broadcast_to(mask, x.shape)
    count = jnp.sum(mask.astype(x.dtype), axes, keepdims=True) + epsilon
    mean = jnp.sum(jnp.where(mask, x, 0), axes, keepdims=True) / count
    variance = jnp.sum(jnp.where(mask, jnp.square(x - mean), 0), axes, keepdims=True) / count
    return mean.reshape(-1), variance.reshape(-1)


def moments_in_one_pass(x: jax.Array, axes: Axis) -> tuple[jax.Array, jax.Array]:
    """Mean and variance over some axes, the first one among them, each flat; x is read once, where
    the variance about a mean that is known waits for that.

    The mean square less the squared mean would lose the variance of numbers far from zero. Here
    both are about the mean of the first example (Chan, Golub and LeVeque 1983,
    doi:10.2307/2683386). It is one of n, so that it is at most sqrt(n) standard deviations away,
    and the variance is right to about n roundings; to one or two where examples are alike.

    >>> x = 1e4 + jnp.array([[0.0], [1.0], [2.0], [3.0]])
    >>> [float(v[0]) for v in moments_in_one_pass(x, (0,))]
    [10001.5, 1.25]
    """
    middle = lax.stop_gradient(jnp.mean(x[:1], axes, keepdims=True))
    shifted = x - middle
    mean = jnp.mean(shifted, axes, keepdims=True)
    variance = jnp.mean(jnp.square(shifted), axes, keepdims=True) - jnp.square(mean)
    return (mean + middle).reshape(-1), jnp.maximum(variance, 0).reshape(-1)


def toward(
    value: jax.Array | float, moving: jax.Array | float, momentum: float
) -> jax.Array | float:
    """A moving average that takes one step towards a value.

    >>> toward(2.0, 1.0, momentum=0.75)
    1.25
    """
    return moving * momentum + value * (1.0 - momentum)


def check_clipping(where: str, limits) -> None:
    """Raises ValueError for limits of batch renormalization that make no sense."""
    rmax, rmin, dmax = (limits.get(name) for name in ("rmax", "rmin", "dmax"))
    unknown = set(limits) - {"rmax", "rmin", "dmax"}
    crossed = None not in (rmax, rmin) and rmax < rmin
    negative = dmax is not None and dmax < 0
    if unknown or crossed or negative:
        raise ValueError(
            explain(
                where,
                "`renorm_clipping` with no other keys than 'rmax', 'rmin', 'dmax', with "
                "rmin <= rmax and dmax >= 0",
                f"renorm_clipping={limits}",
            )
        )


@layer("keras.layers", keyword_only="rms_scaling")
class LayerNormalization(ScaleAndShift):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, each sample over its own axes `axis`.

    Ba, Kiros and Hinton 2016, arXiv:1607.06450.

    Args:
        The same as for `Dense`, for these weights: beta_initializer, gamma_initializer,
            beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint.
        axis: an axis or a list of axes, by default the last; gamma and beta have their sizes.
        rms_scaling: deprecated: x / sqrt(variance + epsilon) * gamma. Use `RMSNormalization`.
        epsilon: added to the variance.
        center, scale: whether there are a beta and a gamma.
    Raises:
        TypeError: `axis` is neither an int nor a list of them.

    >>> import numpy as np
    >>> print(np.round(LayerNormalization()(np.array([[1.0, 3.0]])), 2))
    [[-1.  1.]]
    """

    axis: Sizes = -1
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: Initializer = "zeros"
    gamma_initializer: Initializer = "ones"
    beta_regularizer: Regularizer = None
    gamma_regularizer: Regularizer = None
    beta_constraint: Constraint = None
    gamma_constraint: Constraint = None
    rms_scaling: bool = False

    def __post_init__(self) -> None:
        self.axis = int_or_list(self._where, self.axis)
        self.autocast = False  # the input keeps its precision; only the result is cast

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        shape = sizes_along(self._where, axes_within(self, x.shape), x.shape)
        if self.rms_scaling:
            return {"gamma": self.weight("gamma", shape, autocast=False)}
        return self._scale_and_shift(shape)

    def attributes_when_built(self, x: Spec) -> dict[str, Any]:
        return {"axis": axes_within(self, x.shape)}

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        y = layer_normalization(
            x,
            w.get("gamma"),
            w.get("beta"),
            axis=axes_within(self, x.shape),
            epsilon=self.epsilon,
            rms_scaling=self.rms_scaling,
        )
        return y.astype(self.compute_dtype)


@layer("keras.layers")
class GroupNormalization(ScaleAndShift):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, each sample over groups of its
    channels.

    Wu and He 2018, arXiv:1803.08494.

    Args:
        The same as for `Dense`, for these weights: beta_initializer, gamma_initializer,
            beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint.
        groups: their number, a divisor of that of the channels; -1: a group for each channel
            (instance normalization); 1: all channels in one (layer normalization).
        axis: the channels' axis.
        epsilon: added to the variance.
        center, scale: whether there are a beta and a gamma.
    Raises:
        ValueError: `groups` is not positive or -1, or does not divide the channels.

    >>> import numpy as np
    >>> print(np.round(GroupNormalization(groups=2)(np.array([[1.0, 3.0, 5.0, 9.0]])), 2))
    [[-1.  1. -1.  1.]]
    """

    groups: int = 32
    axis: typed.Sizes = -1
    epsilon: float = 0.001
    center: bool = True
    scale: bool = True
    beta_initializer: Initializer = "zeros"
    gamma_initializer: Initializer = "ones"
    beta_regularizer: Regularizer = None
    gamma_regularizer: Regularizer = None
    beta_constraint: Constraint = None
    gamma_constraint: Constraint = None

    def __post_init__(self) -> None:
        if not isinstance(self.groups, int) or self.groups < -1 or self.groups == 0:
            raise ValueError(
                f"{self._where}: `groups` is how many there are, 1 or more, or -1 for one of "
                f"each channel. Received: {self.groups}"
            )
        self.autocast = False

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        (channels,) = sizes_along(self._where, [self.axis], x.shape)
        if channels is None:
            raise ValueError(
                explain(self._where, f"a known size of axis {self.axis}", f"input shape {x.shape}")
            )
        groups = self._number_of_groups(channels)
        if channels % groups:
            raise ValueError(
                explain(
                    self._where,
                    f"a number of channels that the {groups} groups divide",
                    f"{channels} channels",
                    "choose another `groups`",
                )
            )
        return self._scale_and_shift((channels,))

    def _number_of_groups(self, channels: int) -> int:
        if self.groups == -1:
            return channels
        return self.groups

    def attributes_when_built(self, x: Spec) -> dict[str, Any]:
        channels = x.shape[self.axis]
        return {
            "groups": self._number_of_groups(channels),
            "input_spec": InputSpec(ndim=x.ndim, axes={self.axis: channels}),
        }

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        channels = x.shape[self.axis]
        groups = self._number_of_groups(channels)
        axis, split = self.axis % x.ndim, (groups, channels // groups)
        # (batch, …, groups, channels of a group, …)
        grouped = x.reshape(x.shape[:axis] + split + x.shape[axis + 1 :])
        grouped = grouped.astype(jnp.promote_types(x.dtype, "float32"))
        shape = [1] * axis + [*split] + [1] * (x.ndim - axis - 1)
        # where the groups are; with axis=0 Keras leaves out the last axis instead
        group_axis = axis or x.ndim
        mean, variance = moments(
            grouped, [a for a in range(1, x.ndim + 1) if a != group_axis], keepdims=True
        )
        factor = lax.rsqrt(variance + self.epsilon)
        if self.scale:
            factor = factor * w["gamma"].astype(factor.dtype).reshape(shape)
        shift = -mean * factor
        if self.center:
            shift = shift + w["beta"].astype(factor.dtype).reshape(shape)
        return (
            (grouped * factor + shift).reshape(x.shape).astype(x.dtype).astype(self.compute_dtype)
        )


@layer("keras.layers")
class RMSNormalization(Layer, announces_compute_dtype=True, is_batchwise=True):
    """x / sqrt(mean(x**2) + epsilon) * scale over the axes `axis` (Zhang and Sennrich 2019,
    arXiv:1910.07467).

    Args:
        axis: an axis or a list of axes; `scale` has their sizes.
        epsilon: added to the mean square.

    >>> import numpy as np
    >>> print(np.round(RMSNormalization()(np.array([[3.0, -3.0]])), 2))
    [[ 1. -1.]]
    """

    axis: Sizes = -1
    epsilon: float = 1e-6

    if typing.TYPE_CHECKING:
        scale = OwnWeight()

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        shape = sizes_along(self._where, axis_list(self.axis), x.shape)
        return {"scale": self.weight("scale", shape, initializer=Ones())}

    def attributes_when_built(self, x: Spec) -> dict[str, Any]:
        return {"axis": axis_list(self.axis)}

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        axis_of_scale = axis_list(self.axis)
        axes = {axis % x.ndim for axis in axis_of_scale}
        if math.prod(x.shape[axis] for axis in axes) != w["scale"].size:
            raise ValueError(
                explain(
                    self._where,
                    f"an input of the sizes {w['scale'].shape} on the axes {axis_of_scale}",
                    f"shape {x.shape}",
                    "name each axis once, give the sizes it was built for",
                )
            )
        scale = w["scale"].reshape(
            [size if axis in axes else 1 for axis, size in enumerate(x.shape)]
        )
        return rms_normalization(x, scale=scale, axis=axis_of_scale, epsilon=self.epsilon)


@layer("keras.layers")
class UnitNormalization(ReadyLayer):
    """x divided by its Euclidean norm over the axes `axis`.

    Args:
        axis: an axis or a list of axes, by default the last.
    Raises:
        TypeError: `axis` is neither an int nor a list of them.

    >>> import numpy as np
    >>> print(UnitNormalization()(np.array([[3.0, 4.0]])))
    [[0.6 0.8]]
    """

    axis: Sizes = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.axis = int_or_list(self._where, self.axis)

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        axis = self.axis
        if not isinstance(axis, int):
            axis = tuple(axis)
        return normalize(x, axis=axis, order=2, epsilon=1e-12)


@layer("keras.layers")
class SpectralNormalization(
    StatefulLayer, Wrapper, is_for_training_alone=True, announces_compute_dtype=True
):
    """Divides the kernel of another layer by its largest singular value at each call in training.

    The value comes from power iterations that go on from call to call (Miyato et al. 2018,
    arXiv:1802.05957). It bounds how steep the layer is, as in the discriminator of a GAN.

    Args:
        layer: a layer with a `kernel` or `embeddings`.
        power_iterations: how many in one call.
    Raises:
        ValueError: no such weight, or `power_iterations` is not positive.

    >>> import numpy as np
    >>> from jkeras.layers import Dense
    >>> layer = SpectralNormalization(Dense(1, kernel_initializer="ones"))
    >>> print(np.round(layer(np.ones((1, 4)), training=True), 3), np.round(layer.kernel[0], 3))
    [[2.]] [0.5]
    """

    power_iterations: int = 1
    call_context = {"training": False}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.power_iterations <= 0:
            raise ValueError(
                f"{self._where}: expected a positive integer as `power_iterations`. "
                f"Received: power_iterations={self.power_iterations}"
            )

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Builds the layer inside, then the vector that the power iterations go on from."""
        super().build(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        names = [
            name for name in ("kernel", "embeddings") if getattr(self.layer, name, None) is not None
        ]
        kernel = getattr(self.layer, self._normalized_name(names))
        self.kernel = kernel
        kernel.is_updated = True
        self.vector_u = self.add_weight(
            (1, kernel.shape[-1]),
            TruncatedNormal(stddev=0.02),
            dtype=kernel.dtype,
            trainable=False,
            name="vector_u",
        )

    def is_native(self) -> bool:
        """Whether the layer runs on values by path: around a layer with a plain kernel."""
        plain = self.layer.quantization_mode is None and not isinstance(self.layer, Composite)
        return plain and super().is_native() and self.layer.is_native()

    def weight_specs(self, inputs: Spec) -> dict[str, Weight]:
        specs = self.layer.weight_specs(inputs)
        kernel = self.layer.resolved(specs[self._normalized_name(specs)])
        # a key decides its first values; the seed is there so that none is drawn
        initializer = TruncatedNormal(stddev=0.02, seed=0)
        vector = Weight((1, kernel.shape[-1]), initializer, kernel.dtype, trainable=False)
        return {"kernel": kernel, "vector_u": vector}

    def _normalized_name(self, names: Sequence[str]) -> str:
        """Which weight of the layer inside is normalized, of those it has."""
        for name in ("kernel", "embeddings"):
            if name in names:
                return name
        raise ValueError(
            explain(
                self._where,
                "a layer with a weight `kernel` or `embeddings`",
                type(self.layer).__name__,
            )
        )

    def normalized_weights(self) -> Any:
        """(vector, kernel) after the power iterations of one call."""
        return self._iterated(self.vector_u.value, self.kernel.value)

    def _iterated(self, u: jax.Array, kernel: jax.Array) -> tuple[jax.Array, ...]:
        matrix = kernel.reshape(-1, kernel.shape[-1])
        for _ in range(self.power_iterations):
            v = normalize(u @ matrix.T, axis=None)
            u = normalize(v @ matrix, axis=None)
        u, v = lax.stop_gradient((u, v))
        return u, kernel / (v @ matrix @ u.T)[0, 0]

    def forward(
        self, w: Mapping[str, Any], sub: Children, inputs: jax.Array, *, ctx: Context
    ) -> Structure:
        if self.is_native():
            names = self.layer.weight_specs(inputs)
            sub.share(self.layer, self._normalized_name(names), "kernel")
        changed = {}
        if ctx.training:
            u, kernel = lax.cond(
                jnp.all(w["kernel"] == 0),
                lambda: (w["vector_u"], w["kernel"]),
                lambda: self._iterated(w["vector_u"], w["kernel"]),
            )
            ctx.update({"kernel": kernel})  # before the layer inside reads it
            changed = {"vector_u": u}
        return sub.layer(inputs).astype(inputs.dtype), changed


SpectralNormalization.native_builds = (Layer.build, SpectralNormalization.build)
