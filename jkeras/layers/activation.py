"""Element-wise non-linearities as layers, and softmax."""

import typing

import functools
import warnings
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jkeras import activations
from jkeras.core import record
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.errors import place_of
from jkeras.kernel.beside import note_logits
from jkeras.core.graph.input_spec import InputSpec
from jkeras.core.layer import Layer, layer
from jkeras.layers.base import ReadyLayer
from jkeras.ops import rectified
from jkeras.ops.promotion import in_float32
from jkeras.core.weights.types import OwnWeight, Structure
from jkeras.core.run.context import Context
from jkeras.kernel.spec import Spec, Weight


@layer("keras.layers")
class Activation(ReadyLayer):
    """An activation function as a layer.

    Args:
        activation: name, config or function.

    >>> import numpy as np
    >>> print(Activation("relu")(np.array([-1.0, 2.0])))
    [0. 2.]
    """

    activation: record.Activation

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        return self.activation(inputs)

    def compute_output_spec(self, inputs: Any, **kwargs: Any) -> Structure:
        # Keras announces the input's shape, also for glu, which halves an axis
        return KerasTensor(inputs.shape, self.compute_dtype)


def _not_negative(layer: Layer, *names: Any, none: bool = False) -> None:
    for name in names:
        value = getattr(layer, name)
        if value is None and none:
            continue
        if value is None or value < 0:
            forbidden = "a negative value" if none else "None or a negative value"
            raise ValueError(
                f"{place_of(layer)}: {name} of a {type(layer).__name__} layer cannot be "
                f"{forbidden}. Received: {name}={value}"
            )


@layer("keras.layers")
class ReLU(ReadyLayer, keeps_shape=True):
    """x above a threshold, `negative_slope * (x - threshold)` below it, at most `max_value`.

    Args:
        max_value: the largest output; None: no limit.
        negative_slope: slope below the threshold.
        threshold: below it the input counts as negative.

    >>> import numpy as np
    >>> print(ReLU(max_value=4.0, negative_slope=0.5)(np.array([-2.0, 3.0, 9.0])))
    [-1.  3.  4.]
    """

    max_value: record.Any = None
    negative_slope: float = 0.0
    threshold: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _not_negative(self, "max_value", none=True)
        _not_negative(self, "negative_slope", "threshold")

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        return activations.relu(
            inputs,
            negative_slope=self.negative_slope,
            max_value=self.max_value,
            threshold=self.threshold,
        )


@layer("keras.layers")
class LeakyReLU(ReadyLayer, keeps_shape=True):
    """x where positive, `negative_slope * x` elsewhere.

    Args:
        negative_slope: slope of the negative part, not below 0.

    >>> import numpy as np
    >>> print(LeakyReLU(negative_slope=0.5)(np.array([-2.0, 3.0])))
    [-1.  3.]
    """

    negative_slope: float = 0.3

    def _base_init(self, alpha: float | None = None, **kwargs: Any) -> None:
        super()._base_init(**kwargs)
        if alpha is not None:
            warnings.warn(
                "Argument `alpha` is deprecated. Use `negative_slope` instead.", stacklevel=4
            )
        self._alpha = alpha

    def __post_init__(self) -> None:
        super().__post_init__()
        if self._alpha is not None:
            self.negative_slope = self._alpha
        _not_negative(self, "negative_slope")

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        return activations.leaky_relu(inputs, negative_slope=self.negative_slope)


@layer("keras.layers")
class ELU(ReadyLayer, keeps_shape=True):
    """x where positive, `alpha * (exp(x) - 1)` elsewhere (Clevert et al. 2016, arXiv:1511.07289).

    Args:
        alpha: minus the value that very negative inputs get.

    >>> import numpy as np
    >>> print(ELU()(np.array([0.0, 3.0])))
    [0. 3.]
    """

    alpha: float = 1.0

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        return activations.elu(inputs, alpha=self.alpha)


@layer("keras.layers")
class PReLU(Layer, announces_compute_dtype=True, is_batchwise=True):
    """x where positive, `alpha * x` elsewhere, with a learned alpha for each feature.

    He et al. 2015, arXiv:1502.01852.

    Args:
        shared_axes: axes along which alpha is the same, such as [1, 2] for one alpha in each
            channel of an image.
        alpha_initializer, alpha_regularizer, alpha_constraint: as `kernel_initializer`, ... of
            `Dense`, for alpha.

    >>> import numpy as np
    >>> print(PReLU(alpha_initializer="ones")(np.array([[-2.0, 3.0]])))
    [[-2.  3.]]
    """

    alpha_initializer: record.Initializer = "Zeros"
    alpha_regularizer: record.Regularizer = None
    alpha_constraint: record.Constraint = None
    shared_axes: record.Any = None
    supports_masking = True

    if typing.TYPE_CHECKING:
        alpha = OwnWeight()

    def __post_init__(self) -> None:
        axes = self.shared_axes
        if isinstance(axes, (list, tuple)):
            self.shared_axes = list(axes)
        elif axes is not None:
            self.shared_axes = [axes]

    def weight_specs(self, inputs: Spec) -> dict[str, Weight]:
        shape, shared = list(inputs.shape[1:]), self.shared_axes or []
        for axis in shared:
            shape[axis - 1] = 1
        return {"alpha": self.weight("alpha", shape)}

    def attributes_when_built(self, inputs: Spec) -> dict[str, Any]:
        shared = self.shared_axes or range(inputs.ndim)
        fixed = {i: inputs.shape[i] for i in range(1, inputs.ndim) if i not in shared}
        return {"input_spec": InputSpec(ndim=inputs.ndim, axes=fixed)}

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        return rectified.relu(inputs) - w["alpha"] * rectified.relu(-inputs)


@layer("keras.layers")
class Softmax(ReadyLayer):
    """exp(x) divided by its sum along an axis, so that it sums to 1.

    Args:
        axis: the axis, or several that are normalized together.

    Call arguments:
        mask: True (or above 0.5) for the entries that count, of a shape that broadcasts to the
            input's; the others get 0.
    Raises:
        ValueError: a mask whose shape does not broadcast to the input's.

    >>> import numpy as np
    >>> print(Softmax()(np.array([1.0, 1.0, 9.0]), mask=np.array([True, True, False])))
    [0.5 0.5 0. ]
    """

    axis: record.Any = -1
    call_context = {"mask": None}

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        axis = self.axis
        if isinstance(axis, (list, tuple)):
            axis = tuple(axis)
        shares = functools.partial(in_float32, lambda x: jax.nn.softmax(x, axis=axis))
        if ctx.mask is None:
            y = shares(inputs)
            note_logits(y, inputs, axis)
            return y
        mask = self._checked(ctx.mask, inputs)
        lowest = -3e4 if inputs.dtype == "float16" else -1e9
        return jnp.where(mask, shares(jnp.where(mask, inputs, lowest)), 0.0)

    def _checked(self, mask: jax.Array, inputs: jax.Array) -> jax.Array:
        mask = jnp.asarray(mask)
        fits = mask.ndim <= inputs.ndim and all(
            m in (1, n) for m, n in zip(mask.shape[::-1], inputs.shape[::-1])
        )
        if not fits:
            raise ValueError(
                f"{self._where}: The mask must be broadcastable to the input's shape "
                f"{inputs.shape} and must not have more dimensions. Received a mask of shape "
                f"{mask.shape}"
            )
        if mask.dtype == bool:
            return mask
        return mask > 0.5
