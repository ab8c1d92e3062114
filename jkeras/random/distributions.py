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

    Args:
        shape: tuple of ints.
        mean, stddev: numbers, or arrays that broadcast to the shape.
        dtype: a float type; floatx by default.
        seed: an integer, which gives the same array each time, a JAX key, or a `SeedGenerator`;
            None: the session's generator.
    Returns:
        Array of this shape.

    >>> x = normal((10_000,), mean=5.0, stddev=2.0, seed=3)
    >>> round(float(x.mean()), 1), round(float(x.std()), 1)
    (5.0, 2.0)
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

    Args:
        shape, mean, stddev, dtype, seed: as for `normal`; mean and standard deviation are those
            before the distribution is cut.
    Returns:
        Array of this shape.

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

    Args:
        shape, seed: as for `normal`.
        minval, maxval: numbers, or arrays that broadcast to the shape.
        dtype: a float type; floatx by default.
    Returns:
        Array of this shape.
    Raises:
        ValueError: `dtype` is not a float type.

    >>> x = uniform((10_000,), 2.0, 4.0, seed=3)
    >>> bool(x.min() >= 2.0), bool(x.max() < 4.0), round(float(x.mean()), 1)
    (True, True, 3.0)
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

    Args:
        shape, seed: as for `normal`.
        minval, maxval: integers, or arrays of them that broadcast to the shape.
        dtype: an integer type.
    Returns:
        Array of this shape.
    Raises:
        ValueError: `dtype` is not an integer type.

    >>> x = randint((100,), 4, 7, seed=3)
    >>> sorted(set(x.tolist()))
    [4, 5, 6]
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

    Args:
        shape, dtype, seed: as for `normal`.
        alpha, beta: positive numbers, or arrays of them.
    Returns:
        Array of this shape, of numbers between 0 and 1, with the mean alpha / (alpha + beta).

    >>> round(float(beta((10_000,), 1.0, 3.0, seed=3).mean()), 2)
    0.25
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

    Args:
        shape, dtype, seed: as for `normal`.
        alpha: the shape parameter, positive numbers that broadcast to `shape`: mean and variance.
    Returns:
        Array of this shape, of positive numbers.

    >>> round(float(gamma((10_000,), 2.0, seed=3).mean()), 1)
    2.0
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

    Args:
        shape, dtype, seed: as for `normal`.
        counts: numbers of trials.
        probabilities: of a success, from 0 to 1.
    Returns:
        Array of this shape.

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

    Args:
        logits: (batch, classes).
        num_samples: how many classes are drawn for each row.
        dtype: an integer type.
        seed: as for `normal`.
    Returns:
        Array (batch, num_samples).
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
        inputs: array of floats.
        rate: from 0 to 1.
        noise_shape: the shape of the mask, which broadcasts to the inputs; None in it stands for
            the inputs' size.
        seed: as for `normal`.
    Returns:
        Array of the inputs' shape.

    >>> sorted(set(dropout(jnp.ones(99), rate=0.5, seed=3).tolist()))
    [0.0, 2.0]
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

    Args:
        x: array.
        axis: int.
        seed: as for `normal`.
    Returns:
        Array of x's shape.

    >>> sorted(shuffle(jnp.arange(3), seed=3).tolist())
    [0, 1, 2]
    """
    return jax.random.permutation(as_key(seed), x, axis, independent=True)
