"""Dense: an affine map of the last axis."""

import typing
from collections.abc import Mapping
from typing import Any

import jax

from jkeras.core.graph.input_spec import InputSpec
from jkeras.core.layer import layer
from jkeras.core.record import (
    HIDDEN,
    Activation,
    ActivityRegularizer,
    Constraint,
    Initializer,
    Regularizer,
)
from jkeras.layers.base import keeps_shape
from jkeras.layers.calibrated import CalibratedLayer
from jkeras.layers.lora import AdaptedWeight
from jkeras.layers.quantized import Quantization
from jkeras.ops.kernels_dot import affine, contract_last
from jkeras.core.weights.types import OwnWeight, Sizes
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.run.context import Context
from jkeras.kernel.beside import note_head
from jkeras.kernel.spec import Spec, Weight


@layer("keras.layers")
class Dense(CalibratedLayer, announces_compute_dtype=True, is_batchwise=True):
    """Affine map of the last axis, then an activation: `activation(x @ kernel + bias)`, (..., in)
    -> (..., units).

    The kernel is (in, units), the bias (units,).

    Args:
        units: size of the output's last axis.
        activation: function of the result, by default none.
        use_bias: whether a vector is added.
        kernel_initializer, bias_initializer: what makes the first values of a weight: a name, a
            config or an initializer.
        kernel_regularizer, bias_regularizer: function of a weight whose value is added to the loss.
        activity_regularizer: function of the output, whose value, divided by the batch size, is
            added to the loss.
        kernel_constraint, bias_constraint: function that a weight goes through after each update.
        lora_rank, lora_alpha: if set, the kernel is frozen and a low-rank addition is trained;
            see `enable_lora`, which takes an alpha that is not the rank (the one set here counts
            for nothing, as in Keras).
        quantization_config: how the kernel is stored in few bits; see `quantize`.
    Raises:
        ValueError: `units` that is no positive integer.

    >>> import numpy as np
    >>> print(Dense(2, kernel_initializer="ones", bias_initializer="ones")(np.ones((1, 5))))
    [[6. 6.]]
    """

    units: int
    activation: Activation = None
    use_bias: bool = True
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    activity_regularizer: ActivityRegularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None
    lora_rank: HIDDEN = None
    lora_alpha: HIDDEN = None
    quantization_config: Quantization = None
    supports_masking = True
    _keeps_alpha = False
    quantization_modes = ("int8", "int4", "float8", "gptq", "awq", "ternary")
    kernel = AdaptedWeight()

    if typing.TYPE_CHECKING:
        bias = OwnWeight()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.units, int) or self.units <= 0:
            raise ValueError(
                f"{self._where}: expected a positive integer for `units`. Received: "
                f"units={self.units!r}"
            )
        self.input_spec = InputSpec(min_ndim=2)

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        specs = {"kernel": self.weight("kernel", (x.shape[-1], self.units))}
        if self.use_bias:
            specs["bias"] = self.weight("bias", (self.units,))
        return specs

    def attributes_when_built(self, x: Spec) -> dict[str, Any]:
        return {"input_spec": InputSpec(min_ndim=2, axes={-1: x.shape[-1]})}

    def shape_by_rule(self, x: KerasTensor) -> Sizes | None:
        return (*x.shape[:-1], self.units) if keeps_shape(self.activation) else None

    contract = staticmethod(contract_last)

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        if w.keys() == {"kernel", "bias"} and not self.lora_rank:
            y = affine(x, w["kernel"], w["bias"])
        else:
            y = self.product(x, w, ctx)  # by a kernel that is adapted, or in few bits
            y = y + w["bias"] if self.use_bias else y
        if ctx.scope.flow.loss_chunks > 1 and w.keys() <= {"kernel", "bias"}:
            note_head(ctx.scope.flow, y, x, dict(w), self._logits)
        if self.activation is None:  # as programs set it, to take that of a head off
            return y
        return self.activation(y)

    @staticmethod
    def _logits(w: Mapping[str, Any], x: jax.Array) -> jax.Array:
        """What is before the activation, of some positions."""
        if "bias" in w:
            return affine(x, w["kernel"], w["bias"])
        return contract_last(x, w["kernel"])
