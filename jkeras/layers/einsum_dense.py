"""EinsumDense: an affine map along the axes that an equation names."""

import copy
import re

import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.core.graph import KerasTensor
from jkeras.core.layer import layer
from jkeras.core.record import HIDDEN, Activation, Any, Constraint, Initializer, Regularizer
from jkeras.initializers import VarianceScaling
from jkeras.layers.lora import LoraLayer


@layer("keras.layers")
class EinsumDense(LoraLayer):
    """Affine map along the axes that an einsum equation names: `activation(einsum(equation, x, kernel) + bias)`.

    Args:
        equation: such as "abc,cd->abd"; its first operand is the input, "..." stands for batch axes.
        output_shape: shape of the output without the batch axis; None where it follows from the input.
        bias_axes: letters of the output's axes that have a bias, such as "d"; None: no bias.

    >>> import numpy as np
    >>> EinsumDense("abc,cd->abd", output_shape=(None, 4), bias_axes="d")(np.ones((2, 3, 5))).shape
    (2, 3, 4)
    """

    equation: str
    output_shape: Any
    activation: Activation = None
    bias_axes: Any = None
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None
    lora_rank: HIDDEN = None
    lora_alpha: HIDDEN = None
    gptq_unpacked_column_size: HIDDEN = None
    quantization_config: Any = None
    writes_activity_regularizer = True

    def __post_init__(self):
        super().__post_init__()
        shape = self.output_shape
        self.output_shape = (shape,) if isinstance(shape, int) else tuple(shape)

    def weight_specs(self, x):
        kernel, bias = einsum_weight_shapes(self.equation, self.bias_axes, x.shape, self.output_shape, self._where)
        specs = {"kernel": self.weight("kernel", kernel, initializer=self._scaled_initializer())}
        if bias is not None:
            specs["bias"] = self.weight("bias", bias)
        return specs

    def _scaled_initializer(self):
        """The kernel's initializer; where it scales by fans, with the equation's axes of input and output."""
        initializer = self.kernel_initializer
        if not isinstance(initializer, VarianceScaling) or None not in (initializer.input_axes,
                                                                        initializer.output_axes):
            return initializer
        _, kernel, outputs = re.split(",|->", self.equation)
        scaled = copy.copy(initializer)
        scaled.input_axes = [i for i, letter in enumerate(kernel) if letter not in outputs]
        scaled.output_axes = [i for i, letter in enumerate(kernel) if letter in outputs]
        return scaled

    def compute_output_spec(self, x, **kwargs):
        """A size that `output_shape` leaves open stays open, even where the input has it: so do Keras's shapes."""
        out = super().compute_output_spec(x, **kwargs)
        open_axes = {i for i, d in enumerate(self.output_shape, 1 if "..." not in self.equation else len(x.shape))
                     if d is None}
        return KerasTensor([None if i in open_axes else d for i, d in enumerate(out.shape)], out.dtype)

    def forward(self, w, x, ctx):
        y = jnp.einsum(self.equation, x, self.adapted(w))
        return self.activation(y + w["bias"] if self.bias_axes is not None else y)


def einsum_weight_shapes(equation, bias_axes, input_shape, output_shape, where):
    """Shapes of the kernel and the bias (None without one) that an einsum equation asks for.

    The sizes of the input's letters come from `input_shape`, those of the output's from `output_shape`, whose batch
    axis is left out; "..." is on the left or the right of the letters.
    """
    spaced = equation.replace("...", "0")
    match = re.fullmatch(r"([a-zA-Z0]+),([a-zA-Z]+)->([a-zA-Z0]+)", spaced)
    if match is None or spaced.count("0") not in (0, 2):
        raise ValueError(explain(where, "an einsum equation such as 'ab,bc->ac', '...b,bc->...c' or 'ab...,bc->ac...'",
                                 repr(equation), "name the axes of input, kernel and output"))
    inputs, kernel, outputs = match.groups()
    output_shape = (input_shape[0], *output_shape)
    sizes = {}
    for letters, shape in ((inputs, input_shape), (outputs, output_shape)):
        left, _, right = letters.partition("0")
        pairs = list(zip(left, shape)) + (list(zip(reversed(right), reversed(shape))) if "0" in letters else [])
        for letter, size in pairs:
            if letters is outputs and letter in sizes and size is not None and sizes[letter] not in (size, None):
                raise ValueError(explain(where, f"size {sizes[letter]} of axis '{letter}' in the output", f"{size}",
                                         "make input shape and `output_shape` agree"))
            sizes[letter] = size if sizes.get(letter) is None else sizes[letter]
    for letter in kernel:
        if letter not in sizes:
            raise ValueError(explain(where, f"every axis of the kernel '{kernel}' in the input or the output",
                                     f"'{letter}' in neither"))
    return tuple(sizes[c] for c in kernel), _bias_shape(bias_axes, outputs, sizes, where)


def _bias_shape(bias_axes, outputs, sizes, where):
    """The bias has the size of its axes, and 1 on the output's axes to the right of the first of them."""
    if bias_axes is None:
        return None
    letters = outputs.replace("0", "")
    for letter in bias_axes:
        if letter not in letters:
            raise ValueError(explain(where, f"bias axes among those of the output '{letters}'", repr(bias_axes)))
    first = min(letters.index(letter) for letter in bias_axes)
    return tuple(sizes[c] if c in bias_axes else 1 for c in letters[first:])
