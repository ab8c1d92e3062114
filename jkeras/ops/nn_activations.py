"""Element-wise non-linearities, softmax and its relatives."""

from __future__ import annotations

import warnings

import jax
import jax.numpy as jnp
from jax import lax

from jkeras.core.errors import AxisError
from jkeras.kernel.beside import note_logits
from jkeras.kernel.scope import current_flow
from jkeras.ops import kernels_gelu, rectified
from jkeras.ops.naming import nn_op
from jkeras.ops.promotion import in_float32
from jkeras.core.weights.types import Axis, TensorLike


@nn_op()
def relu(x: TensorLike) -> jax.Array:
    """max(x, 0).

    Args:
        x: array or nested list of numbers.
    Returns:
        Array of x's shape.

    >>> relu([-1.0, 2.0])
    Array([0., 2.], dtype=float32)
    """
    return rectified.relu(x)


@nn_op()
def relu6(x: TensorLike) -> jax.Array:
    """min(max(x, 0), 6).

    Args:
        x: array or nested list of numbers.
    Returns:
        Array of x's shape.

    >>> relu6([-1.0, 2.0, 8.0])
    Array([0., 2., 6.], dtype=float32)
    """
    return rectified.relu6(x)


@nn_op()
def leaky_relu(x: TensorLike, negative_slope: float = 0.2) -> jax.Array:
    """x where positive, negative_slope * x elsewhere.

    Args:
        x: array or nested list of numbers.
        negative_slope: number.
    Returns:
        Array of x's shape.

    >>> leaky_relu([-1.0, 2.0], negative_slope=0.5)
    Array([-0.5,  2. ], dtype=float32)
    """
    return jax.nn.leaky_relu(jnp.asarray(x), negative_slope=negative_slope)


@nn_op()
def elu(x: TensorLike, alpha: float = 1.0) -> jax.Array:
    """x where positive, alpha * (exp(x) - 1) elsewhere (Clevert et al. 2016, arXiv:1511.07289).

    Args:
        x: array or nested list of numbers.
        alpha: number, what is approached from below as -alpha.
    Returns:
        Array of x's shape.

    >>> [round(float(y), 3) for y in elu([-1.0, 2.0])]
    [-0.632, 2.0]
    """
    return jax.nn.elu(jnp.asarray(x), alpha=alpha)


@nn_op()
def selu(x: TensorLike) -> jax.Array:
    """The self-normalizing 1.0507 * elu(x, 1.67326) (Klambauer et al. 2017, arXiv:1706.02515).

    Args:
        x: array or nested list of numbers.
    Returns:
        Array of x's shape.

    >>> selu([0.0, 1.0])
    Array([0.      , 1.050701], dtype=float32)
    """
    return jax.nn.selu(jnp.asarray(x))


@nn_op()
def celu(x: TensorLike, alpha: float = 1.0) -> jax.Array:
    """max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0) (Barron 2017, arXiv:1704.07483).

    Args:
        x: array or nested list of numbers.
        alpha: positive number, what is approached from below as -alpha.
    Returns:
        Array of x's shape.

    >>> [round(float(y), 3) for y in celu([-1.0, 2.0], alpha=2.0)]
    [-0.787, 2.0]
    """
    return jax.nn.celu(jnp.asarray(x), alpha=alpha)


@nn_op()
def gelu(x: TensorLike, approximate: bool = True) -> jax.Array:
    """x * P(N(0, 1) <= x) (Hendrycks and Gimpel 2016, arXiv:1606.08415).

    Args:
        x: array or nested list of numbers.
        approximate: use the tanh formula instead of the error function.
    Returns:
        Array of x's shape.

    >>> [round(float(y), 4) for y in gelu([-1.0, 1.0])]
    [-0.1588, 0.8412]
    >>> [round(float(y), 4) for y in gelu([-1.0, 1.0], approximate=False)]
    [-0.1587, 0.8413]
    """
    if approximate:
        return jax.nn.gelu(jnp.asarray(x))
    return kernels_gelu.gelu(jnp.asarray(x))


@nn_op("swish")
def silu(x: TensorLike) -> jax.Array:
    """x * sigmoid(x), also named swish (Ramachandran et al. 2017, arXiv:1710.05941).

    Args:
        x: array or nested list of numbers.
    Returns:
        Array of x's shape.

    >>> [round(float(y), 3) for y in silu([-1.0, 0.0, 20.0])]
    [-0.269, 0.0, 20.0]
    """
    return jax.nn.silu(jnp.asarray(x))


@nn_op("hard_swish")
def hard_silu(x: TensorLike) -> jax.Array:
    """x * relu6(x + 3) / 6, also named hard swish (Howard et al. 2019, arXiv:1905.02244).

    Args:
        x: array or nested list of numbers.
    Returns:
        Array of x's shape.

    >>> hard_silu([-3.0, 1.5, 3.0])
    Array([-0.   ,  1.125,  3.   ], dtype=float32)
    """
    return jax.nn.hard_silu(jnp.asarray(x))


@nn_op()
def sigmoid(x: TensorLike) -> jax.Array:
    """1 / (1 + exp(-x)).

    Args:
        x: array or nested list of numbers.
    Returns:
        Array of x's shape.

    >>> sigmoid([0.0, 100.0])
    Array([0.5, 1. ], dtype=float32)
    """
    x = jnp.asarray(x)
    y = jax.nn.sigmoid(x)
    flow = current_flow()
    if flow is not None and flow.sigmoids is not None:  # a loss asks for the log of the odds
        flow.sigmoids.append((y, x))
    return y


@nn_op()
def hard_sigmoid(x: TensorLike) -> jax.Array:
    """relu6(x + 3) / 6, a piecewise linear sigmoid.

    Args:
        x: array or nested list of numbers.
    Returns:
        Array of x's shape.

    >>> hard_sigmoid([-3.0, 0.0, 3.0])
    Array([0. , 0.5, 1. ], dtype=float32)
    """
    return jax.nn.hard_sigmoid(jnp.asarray(x))


@nn_op()
def sparse_sigmoid(x: TensorLike) -> jax.Array:
    """0 below -1, 1 above 1, (x + 1) / 2 between (Blondel et al. 2019, arXiv:1901.02324).

    Args:
        x: array or nested list of numbers.
    Returns:
        Array of x's shape.

    >>> sparse_sigmoid([-2.0, 0.0, 2.0])
    Array([0. , 0.5, 1. ], dtype=float32)
    """
    return jax.nn.sparse_sigmoid(jnp.asarray(x))


@nn_op()
def log_sigmoid(x: TensorLike) -> jax.Array:
    """log(sigmoid(x)), without overflow.

    Args:
        x: array or nested list of numbers.
    Returns:
        Array of x's shape.

    >>> log_sigmoid([-100.0])
    Array([-100.], dtype=float32)
    """
    return jax.nn.log_sigmoid(jnp.asarray(x))


@nn_op()
def softplus(x: TensorLike) -> jax.Array:
    """log(exp(x) + 1), without overflow.

    Args:
        x: array or nested list of numbers.
    Returns:
        Array of x's shape.

    >>> softplus([100.0])
    Array([100.], dtype=float32)
    """
    return jax.nn.softplus(jnp.asarray(x))


@nn_op()
def sparse_plus(x: TensorLike) -> jax.Array:
    """0 below -1, x above 1, (x + 1)**2 / 4 between: the integral of `sparse_sigmoid`.

    Args:
        x: array or nested list of numbers.
    Returns:
        Array of x's shape.

    >>> sparse_plus([-2.0, 0.0, 1.0, 3.0])
    Array([0.  , 0.25, 1.  , 3.  ], dtype=float32)
    """
    return jax.nn.sparse_plus(jnp.asarray(x))


@nn_op()
def squareplus(x: TensorLike, b: float = 4) -> jax.Array:
    """(x + sqrt(x**2 + b)) / 2, a smooth relu (Barron 2021, arXiv:2112.11687).

    Args:
        x: array or nested list of numbers.
        b: number from 0 on: how smooth it is; 0 gives relu.
    Returns:
        Array of x's shape.

    >>> squareplus([0.0])
    Array([1.], dtype=float32)
    """
    return jax.nn.squareplus(jnp.asarray(x), b=b)


@nn_op()
def softsign(x: TensorLike) -> jax.Array:
    """x / (|x| + 1).

    Args:
        x: array or nested list of numbers.
    Returns:
        Array of x's shape.

    >>> softsign([-1.0, 1.0])
    Array([-0.5,  0.5], dtype=float32)
    """
    return jax.nn.soft_sign(jnp.asarray(x))


@nn_op()
def soft_shrink(x: TensorLike, threshold: float = 0.5) -> jax.Array:
    """x moved towards 0 by the threshold, and 0 within it.

    Args:
        x: array or nested list of numbers.
        threshold: number from 0 on.
    Returns:
        Array of x's shape.

    >>> soft_shrink([-1.0, 0.2, 2.0])
    Array([-0.5,  0. ,  1.5], dtype=float32)
    """
    x = jnp.asarray(x)
    return jnp.where(x > threshold, x - threshold, jnp.where(x < -threshold, x + threshold, 0.0))


@nn_op()
def hard_shrink(x: TensorLike, threshold: float = 0.5) -> jax.Array:
    """x where |x| exceeds the threshold, 0 elsewhere.

    Args:
        x: array or nested list of numbers.
        threshold: number from 0 on.
    Returns:
        Array of x's shape.

    >>> hard_shrink([-1.0, 0.2, 2.0])
    Array([-1.,  0.,  2.], dtype=float32)
    """
    x = jnp.asarray(x)
    return jnp.where(jnp.abs(x) > threshold, x, 0.0)


@nn_op()
def hard_tanh(x: TensorLike) -> jax.Array:
    """x clipped to [-1, 1].

    Args:
        x: array or nested list of numbers.
    Returns:
        Array of x's shape.

    >>> hard_tanh([-3.0, 0.5, 2.0])
    Array([-1. ,  0.5,  1. ], dtype=float32)
    """
    return jax.nn.hard_tanh(jnp.asarray(x))


@nn_op()
def tanh_shrink(x: TensorLike) -> jax.Array:
    """x - tanh(x).

    Args:
        x: array or nested list of numbers.
    Returns:
        Array of x's shape.

    >>> [round(float(y), 3) for y in tanh_shrink([-2.0, 0.0, 2.0])]
    [-1.036, 0.0, 1.036]
    """
    x = jnp.asarray(x)
    return x - jnp.tanh(x)


@nn_op(inputs=1)
def threshold(x: TensorLike, threshold: float, default_value: float) -> jax.Array:
    """x where it exceeds the threshold, `default_value` elsewhere.

    Args:
        x: array or nested list of numbers.
        threshold, default_value: numbers.
    Returns:
        Array of x's shape.

    >>> threshold([1.0, 3.0], 2.0, -1.0)
    Array([-1.,  3.], dtype=float32)
    """
    x = jnp.asarray(x)
    return jnp.where(x > threshold, x, default_value)


@nn_op()
def glu(x: TensorLike, axis: int = -1) -> jax.Array:
    """a * sigmoid(b), where a and b are the two halves of x along an axis (Dauphin et al. 2016,
    arXiv:1612.08083).

    Args:
        x: array or nested list of numbers.
        axis: int.
    Returns:
        Array of x's shape, the axis half as long.
    Raises:
        ValueError: the axis has an odd size, or x does not have it.

    >>> glu([3.0, 0.0])
    Array([1.5], dtype=float32)
    """
    x = jnp.asarray(x)
    if not -x.ndim <= axis < x.ndim:
        raise AxisError(f"glu: axis {axis} is out of bounds for an input of shape {x.shape}.")
    half, odd = divmod(x.shape[axis], 2)
    if odd:
        raise ValueError(
            f"glu splits axis {axis} in halves, so its size must be even. Received: "
            f"x.shape={x.shape}"
        )
    a = lax.slice_in_dim(x, 0, half, axis=axis)
    b = lax.slice_in_dim(x, half, 2 * half, axis=axis)
    return a * jax.nn.sigmoid(b)


@nn_op()
def softmax(x: TensorLike, axis: Axis = -1) -> jax.Array:
    """exp(x) / sum(exp(x)) along an axis (int, tuple, or None for all).

    Args:
        x: logits, an array of floats; half precision is summed in float32.
        axis: along which the result sums to 1.
    Returns:
        Array of x's shape and dtype: positive numbers.

    >>> [round(float(y), 3) for y in softmax([1.0, 2.0, 3.0])]
    [0.09, 0.245, 0.665]
    """
    x = jnp.asarray(x)
    if isinstance(axis, int) and -x.ndim <= axis < x.ndim and x.shape[axis] == 1:
        warnings.warn(
            f"You are using a softmax over axis {axis} of a tensor of shape {x.shape}, whose "
            "size is 1: it gives 1 whatever goes in. Take a sigmoid for a single output.",
            stacklevel=3,
        )
    y = in_float32(lambda x: jax.nn.softmax(x, axis=axis), x)
    note_logits(y, x, axis)
    return y


@nn_op()
def log_softmax(x: TensorLike, axis: Axis = -1) -> jax.Array:
    """log(softmax(x)) along an axis (int, tuple, or None for all), without overflow.

    Args:
        x, axis: as for `softmax`.
    Returns:
        Array of x's shape and dtype: numbers up to 0.

    >>> log_softmax([0.0, 100.0])
    Array([-100.,    0.], dtype=float32)
    """
    return in_float32(lambda x: jax.nn.log_softmax(x, axis=axis), jnp.asarray(x))


@nn_op()
def sparsemax(x: TensorLike, axis: int = -1) -> jax.Array:
    """max(x - tau, 0) with tau from the largest entries, so that small ones become 0
    (arXiv:1602.02068).

    As in Keras, tau is taken from the sum of all partial sums in the support; with one entry in the
    support that is the projection on the simplex that the paper defines.

    Args:
        x: logits, an array of floats.
        axis: int.
    Returns:
        Array of x's shape: numbers from 0 on.

    >>> sparsemax([3.0, 0.0])
    Array([1., 0.], dtype=float32)
    """
    x = jnp.asarray(x)
    largest = -jnp.sort(-1 * x, axis=axis)  # -1 * x, since booleans have no negative
    shape = [1] * x.ndim
    shape[axis] = -1
    sums = jnp.cumsum(largest, axis=axis)
    rank = jnp.arange(1, x.shape[axis] + 1).reshape(shape)
    support = largest > (sums - 1) / rank
    size = jnp.sum(support, axis=axis, keepdims=True)
    tau = (jnp.sum(sums, axis=axis, keepdims=True, where=support) - 1) / size
    return jnp.maximum(x - tau, 0.0)
