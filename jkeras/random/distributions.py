"""Draws from distributions, dropout and shuffling, all from the key that a seed stands for."""

from __future__ import annotations


import jax
import jax.numpy as jnp

from jkeras.core.names.dtypes import is_float, standardize_dtype
from jkeras.core.names.registry import public
from jkeras.core.weights.rng import as_key
from jkeras.kernel.numbers import is_zero, like
from jkeras.random.from_tensorflow import also_from_tensorflow
from jkeras.random.keys import sampling_key
from jkeras.core.weights.types import DType, Seed, Shape, TensorLike


@public("keras.random.normal")
@also_from_tensorflow
def normal(
    shape: Shape,
    mean: TensorLike = 0.0,
    stddev: TensorLike = 1.0,
    dtype: DType | None = None,
    seed: Seed = None,
) -> jax.Array:
    """From the normal distribution.

    >>> normal((2,), seed=3).shape
    (2,)
    """
    return jax.random.normal(sampling_key(seed), shape, standardize_dtype(dtype)) * stddev + mean


@public("keras.random.truncated_normal")
@also_from_tensorflow
def truncated_normal(
    shape: Shape,
    mean: TensorLike = 0.0,
    stddev: TensorLike = 1.0,
    dtype: DType | None = None,
    seed: Seed = None,
) -> jax.Array:
    """From the normal distribution, within two standard deviations of the mean.

    >>> bool(abs(truncated_normal((99,), seed=3)).max() <= 2)
    True
    """
    dtype = standardize_dtype(dtype)
    return jax.random.truncated_normal(sampling_key(seed), -2.0, 2.0, shape, dtype) * stddev + mean


@public("keras.random.uniform")
@also_from_tensorflow
def uniform(
    shape: Shape,
    minval: TensorLike = 0.0,
    maxval: TensorLike = 1.0,
    dtype: DType | None = None,
    seed: Seed = None,
) -> jax.Array:
    """Floats from [minval, maxval), all equally likely.

    Raises:
        ValueError: `dtype` is not a float type.

    >>> uniform((2,), seed=3).dtype.name
    'float32'
    """
    dtype = standardize_dtype(dtype)
    if not is_float(dtype):
        raise ValueError(
            "`keras.random.uniform` requires a floating point `dtype`. For integers use "
            "`random.randint`. "
            f"Received: dtype={dtype}"
        )
    return jax.random.uniform(sampling_key(seed), shape, dtype, minval, maxval)


@public("keras.random.randint")
@also_from_tensorflow
def randint(
    shape: Shape, minval: TensorLike, maxval: TensorLike, dtype: DType = "int32", seed: Seed = None
) -> jax.Array:
    """Integers from minval to maxval - 1, all equally likely.

    Raises:
        ValueError: `dtype` is not an integer type.

    >>> randint((3,), 4, 5, seed=3)
    Array([4, 4, 4], dtype=int32)
    """
    if dtype is None:
        dtype = "int32"
    dtype = standardize_dtype(dtype)
    if "int" not in dtype:
        raise ValueError(
            "`keras.random.randint` requires an integer `dtype`. For floats use `random.uniform`. "
            f"Received: dtype={dtype}"
        )
    return jax.random.randint(sampling_key(seed), shape, minval, maxval, dtype)


@public("keras.random.beta")
@also_from_tensorflow
def beta(
    shape: Shape, alpha: TensorLike, beta: TensorLike, dtype: DType | None = None, seed: Seed = None
) -> jax.Array:
    """From the beta distribution; alpha and beta broadcast to the shape.

    >>> beta((2,), 1.0, 2.0, seed=3).shape
    (2,)
    """
    return jax.random.beta(
        as_key(seed), jnp.asarray(alpha), jnp.asarray(beta), shape, standardize_dtype(dtype)
    )


@public("keras.random.gamma")
@also_from_tensorflow
def gamma(
    shape: Shape, alpha: TensorLike, dtype: DType | None = None, seed: Seed = None
) -> jax.Array:
    """From the gamma distribution with scale 1.

    >>> gamma((2,), 1.0, seed=3).shape
    (2,)
    """
    return jax.random.gamma(as_key(seed), alpha, shape, standardize_dtype(dtype))


@public("keras.random.binomial")
@also_from_tensorflow
def binomial(
    shape: Shape,
    counts: TensorLike,
    probabilities: TensorLike,
    dtype: DType | None = None,
    seed: Seed = None,
) -> jax.Array:
    """The number of successes in `counts` trials, floats; counts and probabilities broadcast to the
    shape.

    >>> binomial((2,), 5, 1.0, seed=3)
    Array([5., 5.], dtype=float32)
    """
    return jax.random.binomial(
        as_key(seed),
        jnp.asarray(counts),
        jnp.asarray(probabilities),
        shape,
        standardize_dtype(dtype),
    )


@public("keras.random.categorical")
@also_from_tensorflow
def categorical(
    logits: TensorLike, num_samples: int, dtype: DType = "int32", seed: Seed = None
) -> jax.Array:
    """Classes drawn with unnormalized log-probabilities: (batch, classes) -> (batch, num_samples).

    Raises:
        ValueError: logits without exactly two axes.

    >>> categorical(jnp.array([[-100.0, 0.0]]), 3, seed=3)
    Array([[1, 1, 1]], dtype=int32)
    """
    logits = jnp.asarray(logits)
    if logits.ndim != 2:
        raise ValueError(
            "`logits` should have the shape (batch, classes). Received: "
            f"logits.shape={logits.shape}"
        )
    shape = (logits.shape[0], num_samples)
    classes = jax.random.categorical(sampling_key(seed), logits[..., None], axis=1, shape=shape)
    return classes.astype(standardize_dtype(dtype))


@public("keras.random.dropout")
@also_from_tensorflow
def dropout(
    inputs: TensorLike, rate: float, noise_shape: Shape | None = None, seed: Seed = None
) -> jax.Array:
    """The inputs with a share of `rate` of them set to 0 and the others scaled so that the mean
    stays.

    Args:
        noise_shape: the shape of the mask, which broadcasts to the inputs; None in it stands for
            the inputs' size.

    >>> dropout(jnp.ones(3), rate=0.0)
    Array([1., 1., 1.], dtype=float32)
    """
    inputs = jnp.asarray(inputs)
    if is_zero(rate):
        return inputs
    share = 1.0 - rate
    if is_zero(share):
        return jnp.zeros_like(inputs)
    if noise_shape is None:
        noise_shape = inputs.shape
    shape = list(noise_shape)
    for axis, size in enumerate(noise_shape):
        if size is None:
            shape[axis] = inputs.shape[axis]
    kept = jax.random.bernoulli(sampling_key(seed), share, shape)
    return jnp.where(kept, inputs / like(share, inputs), jnp.zeros_like(inputs))


@public("keras.random.shuffle")
@also_from_tensorflow
def shuffle(x: TensorLike, axis: int = 0, seed: Seed = None) -> jax.Array:
    """The elements along an axis in another order; each line along the axis gets its own.

    >>> sorted(shuffle(jnp.arange(3), seed=3).tolist())
    [0, 1, 2]
    """
    return jax.random.permutation(as_key(seed), x, axis, independent=True)
