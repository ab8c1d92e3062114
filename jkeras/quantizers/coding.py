"""How a weight is kept in integers, and products with weights so kept: pure functions."""

import functools
import typing

import jax
import jax.numpy as jnp

from jkeras.quantizers.quantizers import (
    AbsMaxQuantizer,
    abs_max_quantize_grouped_with_zero_point,
    compute_float8_amax_history,
    compute_float8_scale,
    pack_int4,
    quantize_and_dequantize,
    unpack_int4,
)


class Coding(typing.NamedTuple):
    """How a matrix is kept: its integers, `scale`, and for blocks of 4-bit numbers `zero` and
    `g_idx`.

    Without blocks the matrix is about `integers / scale`, with them `(integers - zero) * scale`,
    where `g_idx` says for each place along the axis in which block it lies.

    Attributes:
        bits: 8 or 4.
        axis: 0 or -1, with 8 bits also several; what lies along it shares a scale.
        pack_axis: along it, two 4-bit numbers are in one byte.
        length: size of the matrix along `pack_axis`.
        block: how many numbers share a scale; None: all along the axis.
        whole: whether the scale is one for each output of a product, by which the product may be
            divided.
    """

    bits: int
    axis: int
    pack_axis: int
    length: int
    block: typing.Any = None
    whole: bool = True

    @property
    def outer(self):
        """Whether a product may be made with the integers and divided by the scale."""
        return self.whole and self.block is None

    def encode(self, matrix, quantizer=None):
        """The parts of a matrix, by name; `quantizer` instead of dividing by the largest
        magnitude.
        """
        if self.block is None:
            quantizer = quantizer or AbsMaxQuantizer(
                self.axis, (-127, 127) if self.bits == 8 else (-8, 7)
            )
            integers, scale = quantizer(matrix)
            parts = {"scale": jnp.squeeze(scale, self.axis)}
        else:
            upright = matrix.T if self.axis == -1 else matrix  # blocks lie along axis 0
            found = abs_max_quantize_grouped_with_zero_point(upright, self.block, to_numpy=True)
            integers, scale, zero = (v.T if self.axis == -1 else v for v in found)
            places = jnp.floor_divide(
                jnp.arange(matrix.shape[self.axis], dtype="float32"), self.block
            )
            parts = {"scale": scale, "zero": zero, "g_idx": places}
        return {
            "integers": integers if self.bits == 8 else pack_int4(integers, self.pack_axis)[0],
            **parts,
        }

    def integers(self, parts):
        """The integers, one in each element."""
        value = parts["integers"]
        return value if self.bits == 8 else unpack_int4(value, self.length, self.pack_axis)

    def decode(self, parts, dtype):
        """The matrix again, in a float type; also rows of it, in front of any batch axes."""
        integers = self.integers(parts)
        if self.block is None:
            return integers.astype(dtype) / jnp.expand_dims(parts["scale"], self.axis)
        groups = parts["g_idx"].astype("int32")
        scale, zero = (jnp.take(parts[k], groups, axis=self.axis) for k in ("scale", "zero"))
        return ((integers - zero.astype(scale.dtype)) * scale).astype(dtype)


# ---------------------------------------------------------------- products


def integer_product(contract, x, kernel):
    """`contract(x, kernel)`, added up in 32 bits where both are integers."""
    both = jnp.issubdtype(x.dtype, jnp.integer) and jnp.issubdtype(kernel.dtype, jnp.integer)
    return contract(x, kernel, preferred_element_type="int32" if both else None)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def straight_through(rounded, smooth, x, weights):
    """`rounded(x, weights)` with the gradient for x that `smooth(x, weights)` has; none for the
    weights.
    """
    return rounded(x, weights)


straight_through.defvjp(
    lambda rounded, smooth, x, weights: (rounded(x, weights), (x, weights)),
    lambda rounded, smooth, kept, upstream: (
        *jax.vjp(lambda x: smooth(x, kept[1]), kept[0])[1](upstream),
        None,
    ),
)


# ---------------------------------------------------------------- products of 8-bit floats


def _next(x, scale, history, dtype):
    """The scale and the history of the next step."""
    return (
        compute_float8_scale(jnp.max(history), scale, float(jnp.finfo(dtype).max)),
        compute_float8_amax_history(x, history),
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def round_to_float8(training, x, scale, history):
    """x rounded to float8_e4m3fn. The "gradients" of scale and history are their next values (zero
    outside training).

    >>> round_to_float8(False, jnp.array([0.3]), jnp.array(1.0), jnp.zeros(2)).tolist()
    [0.3125]
    """
    return quantize_and_dequantize(x, scale, "float8_e4m3fn", x.dtype)


def _round_backward(training, kept, upstream):
    x, scale, history = kept
    after = (
        _next(x, scale, history, "float8_e4m3fn")
        if training
        else (jnp.zeros_like(scale), jnp.zeros_like(history))
    )
    return upstream, *after


round_to_float8.defvjp(
    lambda training, *given: (round_to_float8(training, *given), given), _round_backward
)


@jax.custom_vjp
def round_gradient_to_float8(y, scale, history):
    """y as it is; its gradient is rounded to float8_e5m2, and those of scale and history are their
    next values.

    >>> round_gradient_to_float8(jnp.array([0.3]), jnp.array(1.0), jnp.zeros(2)).shape
    (1,)
    """
    return y


def _gradient_backward(kept, upstream):
    scale, history = kept
    return (
        quantize_and_dequantize(upstream, scale, "float8_e5m2", upstream.dtype),
        *_next(upstream, scale, history, "float8_e5m2"),
    )


round_gradient_to_float8.defvjp(lambda y, scale, history: (y, (scale, history)), _gradient_backward)


def float8_product(contract, x, kernel, w, training):
    """`contract(x, kernel)` of both rounded to float8; `w` has their scales and histories by
    name.
    """
    x, kernel = (
        round_to_float8(training, value, w[f"{name}_scale"], w[f"{name}_amax_history"])
        for name, value in (("inputs", x), ("kernel", kernel))
    )
    return round_gradient_to_float8(
        contract(x, kernel), w["outputs_grad_scale"], w["outputs_grad_amax_history"]
    )
