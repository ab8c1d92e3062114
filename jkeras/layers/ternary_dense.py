"""TernaryDense: an affine map whose weights count as -1, 0 or 1."""

from collections.abc import Mapping, MutableMapping
from typing import Any

import jax

from jkeras.core.errors import explain
from jkeras.core.graph.input_spec import InputSpec
from jkeras.core.layer import layer
from jkeras.core.record import (
    Activation,
    ActivityRegularizer,
    Constraint,
    Initializer,
    Regularizer,
)
from jkeras.layers.base import activated
from jkeras.layers.quantized import QuantizedLayer
from jkeras.ops.kernels_dot import contract_last
from jkeras.quantizers.coding import ternary
from jkeras.core.run.context import Context
from jkeras.kernel.spec import Spec, Weight


@layer("keras.layers")
class TernaryDense(QuantizedLayer, announces_compute_dtype=True):
    """Affine map of the last axis by the signs of the larger weights: (..., in) -> (..., units).

    `activation(scale * x @ sign + bias)`, where `sign` is 0 for weights below the threshold. The
    gradient takes the signs for the weights themselves, so these can be trained. After training
    `quantize("ternary")` keeps the signs alone, five in a byte. Of Keras's development branch; Ma
    et al. 2024, arXiv:2402.17764.

    Args:
        The same as for `Dense`: kernel_initializer, bias_initializer, kernel_regularizer,
            bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint.
        units: size of the output's last axis.
        threshold: the magnitude over which a weight counts, with scale 1; None: half of the mean
            magnitude, and the mean is the scale.
        activation: function of the result, by default none.
        use_bias: whether a vector is added.
    Raises:
        ValueError: `units` that is no positive integer, or a threshold below 0.

    >>> import numpy as np
    >>> kernel = np.array([[3.0], [-2.0], [0.1]])
    >>> layer = TernaryDense(1, threshold=1.0, kernel_initializer=lambda *_, **__: kernel)
    >>> print(layer(np.array([[1.0, 2.0, 4.0]])))
    [[-1.]]
    """

    units: int
    threshold: float | None = None
    activation: Activation = None
    use_bias: bool = True
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    activity_regularizer: ActivityRegularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None
    supports_masking = True
    quantization_modes = ("ternary",)
    quantization_config = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.units, int) or self.units <= 0:
            raise ValueError(
                explain(self._where, "a positive integer for `units`", f"units={self.units}")
            )
        is_number = isinstance(self.threshold, (int, float))
        fits = is_number and self.threshold >= 0
        if self.threshold is not None and not fits:
            raise ValueError(
                explain(
                    self._where,
                    "a non-negative float or None for `threshold`",
                    f"threshold={self.threshold}",
                )
            )
        self.input_spec = InputSpec(min_ndim=2)

    @property
    def ternary_threshold(self) -> Any:
        """From which magnitude on a weight has a sign; None: by the mean."""
        return self.threshold

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        kernel = self.weight("kernel", (x.shape[-1], self.units), autocast=False)
        specs = {"kernel": kernel}
        if self.use_bias:
            specs["bias"] = self.weight("bias", (self.units,))
        return specs

    def attributes_when_built(self, x: Spec) -> dict[str, Any]:
        return {"input_spec": InputSpec(min_ndim=2, axes={-1: x.shape[-1]})}

    def _stored(self) -> Any:
        """The variables as files number them: kernel, bias, scale."""
        return dict(sorted(self._own.items(), key=lambda pair: (pair[0] != "kernel", pair[0])))

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        if "kernel_scale" in w:
            y = self.quantized_product(x, w, contract_last)
        else:
            y = self._product_of_signs(x, w["kernel"])
        if self.use_bias:
            y = y + w["bias"]
        return activated(self, y)

    def _product_of_signs(self, x: jax.Array, stored: MutableMapping[str, Any]) -> jax.Array:
        """scale * x @ sign, with the gradient of the weights that the signs stand for."""
        signs, scale = ternary(stored, self.threshold)
        kernel, signs = stored.astype(self.compute_dtype), signs.astype(self.compute_dtype)
        kernel = kernel + jax.lax.stop_gradient(signs - kernel)
        y = contract_last(x, kernel)
        return y * scale.astype(y.dtype)
