"""Activation functions: the ops of `ops.nn`, and those that are no ops or have other defaults."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jkeras import ops
from jkeras.core.graph.op import op
from jkeras.core.names.registry import public
from jkeras.ops import rectified
from jkeras.core.weights.types import TensorLike

MODULE = "keras.src.activations.activations"
SAME_AS_OPS = (
    "celu elu glu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu log_sigmoid "
    "log_softmax relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus "
    "sparse_sigmoid sparsemax squareplus tanh tanh_shrink threshold"
)

for _name in SAME_AS_OPS.split():
    public(f"keras.activations.{_name}")(getattr(ops, _name))
public("keras.activations.swish")(ops.silu)
public("keras.activations.hard_swish")(ops.hard_silu)


@op(MODULE, "keras.activations.relu", inputs=1, class_name="ReLU")
def relu(
    x: TensorLike,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> jax.Array:
    """x above the threshold, at most `max_value`; negative_slope * (x - threshold) below it.

    Args:
        x: array of any shape.
        negative_slope: slope below the threshold.
        max_value: the largest result; None for no limit.
        threshold: at and below which x does not pass.
    Returns:
        Array in the shape of `x`.

    >>> relu([-4.0, 2.0, 8.0], negative_slope=0.25, max_value=6.0)
    Array([-1.,  2.,  6.], dtype=float32)
    """
    if max_value is None and not threshold:
        if not negative_slope:
            return rectified.relu(x)
        return jax.nn.leaky_relu(jnp.asarray(x), negative_slope)
    x = jnp.asarray(x)
    if threshold:
        above = jnp.where(x > jnp.asarray(threshold, x.dtype), x, 0)
    elif max_value == 6:
        above = rectified.relu6(x)  # makes floats of integers, which the clip below does not
    else:
        above = rectified.relu(x)
    if max_value is not None:
        above = jnp.clip(above, jnp.asarray(0, x.dtype), jnp.asarray(max_value, x.dtype))
    if not negative_slope:
        return above
    return above - negative_slope * rectified.relu(threshold - x)


@public("keras.activations.gelu")
def gelu(x: TensorLike, approximate: bool = False) -> jax.Array:
    """x * P(N(0, 1) <= x); unlike `ops.gelu` with the error function by default (arXiv:1606.08415).

    Args:
        x: array of any shape.
        approximate: use the tanh formula instead of the error function.
    Returns:
        Array in the shape of `x`.

    >>> gelu([-1.0, 1.0])
    Array([-0.15865526,  0.8413447 ], dtype=float32)
    """
    return ops.gelu(x, approximate=approximate)


@public("keras.activations.exponential")
def exponential(x: TensorLike) -> jax.Array:
    """exp(x).

    Args:
        x: array of any shape.
    Returns:
        Array in the shape of `x`.

    >>> exponential([0.0, 1.0])
    Array([1.       , 2.7182817], dtype=float32)
    """
    return ops.exp(x)


@public("keras.activations.linear")
def linear(x: TensorLike) -> jax.Array:
    """x itself.

    Args:
        x: anything.
    Returns:
        The same object.

    >>> linear(3)
    3
    """
    return x


@op(MODULE, "keras.activations.mish")
def mish(x: TensorLike) -> jax.Array:
    """x * tanh(softplus(x)) (Misra 2019, arXiv:1908.08681).

    Args:
        x: array of any shape.
    Returns:
        Array in the shape of `x`.

    >>> mish([-1.0, 1.0])
    Array([-0.30340144,  0.8650985 ], dtype=float32)
    """
    return jax.nn.mish(jnp.asarray(x))
