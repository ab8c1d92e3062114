"""EinsumDense: an affine map along the axes that an equation names."""

import typing

import copy
import math
import re
import string
from types import MappingProxyType
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import ShapeError, explain
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.layer import layer
from jkeras.core.record import HIDDEN, Activation, Constraint, Initializer, Regularizer
from jkeras.core.names.typed import Sizes
from jkeras.initializers import VarianceScaling
from jkeras.layers.base import activated
from jkeras.layers.calibrated import CalibratedLayer
from jkeras.layers.lora import AdaptedWeight
from jkeras.layers.quantized import Quantization
from jkeras.ops.kernels_dot import einsum_with_kernel
from jkeras.quantizers.coding import Coding
from jkeras.quantizers.groups import rows_and_columns
from jkeras.core.weights.types import DType, OwnWeight, Structure
from jkeras.core.run.context import Context
from jkeras.kernel.spec import Spec, Weight


@layer("keras.layers")
class EinsumDense(CalibratedLayer, announces_compute_dtype=True):
    """Affine map along the axes that an einsum equation names: `activation(einsum(equation, x,
    kernel) + bias)`.

    Args:
        The same as for `Dense`: kernel_initializer, bias_initializer, kernel_regularizer,
            bias_regularizer, kernel_constraint, bias_constraint, quantization_config.
        equation: such as "abc,cd->abd"; its first operand is the input, "..." stands for batch
            axes.
        output_shape: shape of the output without the batch axis; None where it follows from the
            input.
        bias_axes: letters of the output's axes that have a bias, such as "d"; None: no bias.
        activation: function of the result, by default none.
        lora_rank, lora_alpha: if set, the kernel is frozen and a low-rank addition is trained; see
            `enable_lora`.
        gptq_unpacked_column_size: of a kernel that GPTQ packed, the number of its columns before;
            files have it.

    >>> import numpy as np
    >>> layer = EinsumDense("ab,bc->ac", output_shape=2, bias_axes="c", kernel_initializer="ones")
    >>> print(layer(np.array([[1.0, 2.0, 3.0]])), layer.kernel.shape, layer.bias.shape)
    [[6. 6.]] (3, 2) (2,)
    """

    equation: str
    output_shape: Sizes
    activation: Activation = None
    bias_axes: str | None = None
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None
    lora_rank: HIDDEN = None
    lora_alpha: HIDDEN = None
    gptq_unpacked_column_size: HIDDEN = None
    quantization_config: Quantization = None
    kernel = AdaptedWeight()
    quantization_modes = ("int8", "int4", "float8", "gptq", "awq")
    _shown_names = MappingProxyType({"quantized_kernel": "kernel", "kernel_zero": "zero_point"})
    writes_activity_regularizer = True

    if typing.TYPE_CHECKING:
        bias = OwnWeight()

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = self.output_shape
        if isinstance(shape, int):
            shape = (shape,)
        self.output_shape = tuple(shape)

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        kernel, bias = einsum_weight_shapes(
            self.equation, self.bias_axes, x.shape, self.output_shape, self._where
        )
        specs = {"kernel": self.weight("kernel", kernel, initializer=self._scaled_initializer())}
        if bias is not None:
            specs["bias"] = self.weight("bias", bias)
        return specs

    def attributes_when_built(self, x: Spec) -> dict[str, Any]:
        return {"_axes": spelled(self.equation, len(x.shape))}

    def _scaled_initializer(self) -> Any:
        """The kernel's initializer; where it scales by fans, with the equation's axes of input and
        output.
        """
        initializer = self.kernel_initializer
        if not isinstance(initializer, VarianceScaling) or None not in (
            initializer.input_axes,
            initializer.output_axes,
        ):
            return initializer
        _, kernel, outputs = re.split(",|->", self.equation)
        scaled = copy.copy(initializer)
        scaled.input_axes = [i for i, letter in enumerate(kernel) if letter not in outputs]
        scaled.output_axes = [i for i, letter in enumerate(kernel) if letter in outputs]
        return scaled

    def compute_output_spec(self, x: Any, **kwargs: Any) -> Structure:
        """A size that `output_shape` leaves open stays open, even where the input has it: so do
        Keras's shapes.
        """
        out = super().compute_output_spec(x, **kwargs)
        first_axis = 1
        if "..." in self.equation:
            first_axis = len(x.shape)
        open_axes = {i for i, d in enumerate(self.output_shape, first_axis) if d is None}
        shape = [None if i in open_axes else d for i, d in enumerate(out.shape)]
        return KerasTensor(shape, out.dtype)

    def contract(
        self, x: jax.Array, kernel: jax.Array, preferred_element_type: DType | None = None
    ) -> jax.Array:
        try:
            return einsum_with_kernel(self.equation, x, kernel, preferred_element_type)
        except ValueError as error:
            wanted = f"an input that fits {self.equation!r} and a kernel of shape {kernel.shape}"
            raise ValueError(explain(self._where, wanted, f"shape {x.shape}")) from error

    def low_rank_product(self, x: jax.Array, a: jax.Array, b: jax.Array) -> Any:
        inputs, kernel, outputs = re.split(",|->", self.equation)
        cut, rank = a.ndim - 1, _free_letter(self.equation)
        equation = f"{inputs},{kernel[:cut]}{rank},{rank}{kernel[cut:]}->{outputs}"
        return jnp.einsum(equation, x, a, b)

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        y = self.product(x, w, ctx)
        if self.bias_axes is not None:
            y = y + w["bias"]
        return activated(self, y)

    # ------------------------------------------------------------ in few bits

    def _summed(self) -> tuple[Any, ...]:
        """The kernel's axes that products sum over, and the letters of its other axes."""
        _, kernel, outputs = self._axes
        return tuple(i for i, c in enumerate(kernel) if c not in outputs), "".join(
            c for c in kernel if c in outputs
        )

    def codings(self, bits: int, block: int) -> dict[str, Any]:
        """8 bits: a scale for each index of the output; 4 bits: the kernel as (summed, other)
        matrix.
        """
        summed, _ = self._summed()
        columns = math.prod(
            d for i, d in enumerate(self._float_shapes["kernel"]) if i not in summed
        )
        if bits == 8:
            return {"kernel": Coding(8, summed, -1, None)}
        return {"kernel": Coding(4, 0, -1, columns, block, whole=False)}

    def _make_quantized(self, mode: str) -> None:
        super()._make_quantized(mode)
        if mode == "gptq":
            _, self.gptq_unpacked_column_size = rows_and_columns(self._float_shapes["kernel"])

    def encode(self, name: str, value: jax.Array, quantizer: Any = None) -> dict[str, Any]:
        """The arrays that stand for the kernel; a scale of 8 bits has the axes of the output."""
        if self.is_in_groups:
            return super().encode(name, value, quantizer)
        if self._codings[name].bits == 4:
            return super().encode(name, value.reshape(-1, self._codings[name].length))
        encoded = super().encode(name, value, quantizer)
        return {
            **encoded,
            "kernel_scale": relabel(encoded["kernel_scale"], self._summed()[1], self._axes[2]),
        }

    def decode(self, name: str, w: Mapping[str, Any]) -> jax.Array:
        """The float kernel that the layer's arrays stand for."""
        if self.is_in_groups:
            return super().decode(name, w)
        if self._codings[name].bits == 8:
            w = {**w, "kernel_scale": relabel(w["kernel_scale"], self._axes[2], self._summed()[1])}
        return super().decode(name, w).reshape(self._float_shapes[name])

    def round_inputs(self, x: jax.Array, quantizer: Any) -> Any:
        """(rounded inputs, their scale with the axes of the output)."""
        inputs, _, outputs = self._axes
        x, scale = quantizer(x, axis=tuple(i for i, c in enumerate(inputs) if c not in outputs))
        return x, relabel(scale, inputs, outputs)


def _free_letter(equation: str) -> Any:
    return next(letter for letter in string.ascii_letters if letter not in equation)


def spelled(equation: str, ndim: int) -> tuple[str, ...]:
    """The letters of an equation's inputs, kernel and outputs for inputs of `ndim` axes, with
    letters for "...".

    >>> spelled("...b,bc->...c", 3)
    ('ABb', 'bc', 'ABc')
    """
    inputs, kernel, outputs = re.split(",|->", equation.replace("...", "0"))
    free = [
        c
        for c in string.ascii_uppercase + string.ascii_lowercase
        if c not in inputs + kernel + outputs
    ]
    batch = "".join(free[: ndim - len(inputs.replace("0", ""))])
    return inputs.replace("0", batch), kernel, outputs.replace("0", batch)


def relabel(x: jax.Array, source: str, target: str) -> jax.Array:
    """x with axes named by the letters of `target`: axes only in `source`, of size 1, go; others of
    size 1 come.

    >>> relabel(jnp.ones((3, 1)), "ab", "cda").shape
    (1, 1, 3)
    """
    reduced = jnp.einsum(f"{source}->{''.join(c for c in target if c in source)}", x)
    return jnp.expand_dims(reduced, [i for i, c in enumerate(target) if c not in source])


def _named_sizes(letters: str, shape: tuple[int | None, ...]) -> list[tuple[Any, ...]]:
    """(letter, size) of the axes of a shape, without those that "0" stands for."""
    left, elided, right = letters.partition("0")
    pairs = list(zip(left, shape))
    if elided:
        pairs += zip(reversed(right), reversed(shape))
    return pairs


def einsum_weight_shapes(
    equation: str,
    bias_axes: str | None,
    input_shape: tuple[int, ...],
    output_shape: tuple[int | None, ...],
    where: str,
) -> tuple[tuple[Any, ...], ...] | tuple[tuple[Any, ...] | None, ...]:
    """Shapes of the kernel and the bias (None without one) that an einsum equation asks for.

    The sizes of the input's letters come from `input_shape`, those of the output's from
    `output_shape`, whose batch axis is left out; "..." is on the left or the right of the letters.
    """
    spaced = equation.replace("...", "0")
    match = re.fullmatch(r"([a-zA-Z0]+),([a-zA-Z]+)->([a-zA-Z0]+)", spaced)
    if match is None or spaced.count("0") not in (0, 2):
        raise ValueError(
            explain(
                where,
                "an einsum equation such as 'ab,bc->ac', '...b,bc->...c' or 'ab...,bc->ac...'",
                repr(equation),
                "name the axes of input, kernel and output",
            )
        )
    inputs, kernel, outputs = match.groups()
    axes = len(inputs.replace("0", ""))
    is_longer = "0" not in inputs and len(input_shape) > axes
    if len(input_shape) < axes or is_longer:
        raise ShapeError(
            explain(where, f"an input with the axes of {equation!r}", f"shape {input_shape}")
        )
    output_shape = (input_shape[0], *output_shape)
    sizes = _letter_sizes(inputs, input_shape, outputs, output_shape, where)
    for letter in kernel:
        if letter not in sizes:
            raise ValueError(
                explain(
                    where,
                    f"every axis of the kernel '{kernel}' in the input or the output",
                    f"'{letter}' in neither",
                )
            )
    elided = 0
    if outputs.endswith("0"):
        elided = len(input_shape) - len(inputs.replace("0", ""))
    return tuple(sizes[c] for c in kernel), _bias_shape(bias_axes, outputs, sizes, elided, where)


def _letter_sizes(
    inputs: str,
    input_shape: tuple[int, ...],
    outputs: str,
    output_shape: tuple[int | None, ...],
    where: str,
) -> dict[str, Any]:
    """The sizes of the letters of input and output, None where none is static."""
    sizes = {}
    for letter, size in _named_sizes(inputs, input_shape):
        if sizes.get(letter) is None:
            sizes[letter] = size
    for letter, size in _named_sizes(outputs, output_shape):
        expected = sizes.get(letter)
        if expected is None:
            sizes[letter] = size
        elif size not in (expected, None):
            raise ValueError(
                explain(
                    where,
                    f"size {expected} of axis '{letter}' in the output",
                    f"{size}",
                    "make input shape and `output_shape` agree",
                )
            )
    return sizes


def _bias_shape(
    bias_axes: str | None, outputs: str, sizes: dict[str, Any], elided: int, where: str
) -> tuple[int, ...] | None:
    """The bias has the size of its axes, and 1 on the output's axes to the right of the first of
    them.

    `elided`: the number of axes that "..." at the end stands for.
    """
    if bias_axes is None:
        return None
    letters = outputs.replace("0", "")
    for letter in bias_axes:
        if letter not in letters:
            raise ValueError(
                explain(where, f"bias axes among those of the output '{letters}'", repr(bias_axes))
            )
    first_axis = min(letters.index(letter) for letter in bias_axes)
    return tuple(sizes[c] if c in bias_axes else 1 for c in letters[first_axis:]) + (1,) * elided
