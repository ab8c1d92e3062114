"""Draws of layers inside a graph of TensorFlow, such as `tf.data`'s: they are TensorFlow's own
numbers there, as in Keras.
"""

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.names.dtypes import standardize_dtype
from jkeras.core.names.registry import Thing
from jkeras.core.weights.in_tensorflow import is_inside
from jkeras.core.weights.rng import as_key

MOST = 2**31 - 2  # seeds are taken modulo this number
BETWEEN_SEEDS = 12  # of the two draws that a beta distribution takes


def also_from_tensorflow(function: Thing) -> Thing:
    """Decorator of a random function: inside a graph of TensorFlow it draws with the function of
    the same name below.
    """
    inside, signature = OF_NAME[function.__name__], inspect.signature(function)

    @functools.wraps(function)
    def drawn(*args: Any, **kwargs: Any) -> Any:
        if not is_inside():
            return function(*args, **kwargs)
        arguments = signature.bind(*args, **kwargs).arguments
        key = as_key(arguments.pop("seed", None))
        if isinstance(key, jax.core.Tracer):  # of a key that was split: Keras has no such draw
            return function(**arguments, seed=key)
        return inside(_seed(key), **arguments)

    return drawn


def _seed(key: jax.Array) -> np.ndarray:
    """A key as a seed of TensorFlow's functions."""
    numbers = np.asarray(jax.random.key_data(key), "uint32")
    if numbers[
        1
    ]:  # a generator that has moved on: Keras has its state in signed 32 bits from then on
        numbers = numbers.astype("int32")
    return (numbers.astype("int64") % MOST).astype("int32")


def _stateless(name: str, dtype: Any, *args: Any, **kwargs: Any) -> jax.Array:
    """What a function `tf.random.stateless_…` draws."""
    draw = getattr(sys.modules["tensorflow"].random, f"stateless_{name}")
    return jnp.asarray(draw(*args, **kwargs).numpy()).astype(standardize_dtype(dtype))


def _normal(
    seed: np.ndarray, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None
) -> jax.Array:
    dtype = standardize_dtype(dtype)
    return _stateless("normal", dtype, shape, seed, _number(mean), _number(stddev), dtype)


def _truncated_normal(
    seed: np.ndarray, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None
) -> jax.Array:
    dtype, numbers = standardize_dtype(dtype), (_number(mean), _number(stddev))
    return _stateless("truncated_normal", dtype, shape, seed, *numbers, dtype)


def _uniform(
    seed: np.ndarray, shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None
) -> jax.Array:
    dtype = standardize_dtype(dtype)
    limits = [np.asarray(_number(v)).astype(dtype) for v in (minval, maxval)]
    return _stateless("uniform", dtype, shape, seed, *limits, dtype)


def _randint(
    seed: np.ndarray, shape: Any, minval: Any, maxval: Any, dtype: Any = "int32"
) -> jax.Array:
    dtype = standardize_dtype(dtype or "int32")
    drawn_as = dtype
    if dtype not in ("int32", "int64"):
        drawn_as = "int64"
    limits = [np.asarray(_number(v)).astype(drawn_as) for v in (minval, maxval)]
    return _stateless("uniform", dtype, shape, seed, *limits, drawn_as)


def _gamma(seed: np.ndarray, shape: Any, alpha: Any, dtype: Any = None) -> jax.Array:
    dtype = standardize_dtype(dtype)
    drawn_as = dtype
    if dtype == "bfloat16":
        drawn_as = "float32"
    alpha = np.asarray(_number(alpha)).astype(drawn_as)
    return _stateless("gamma", dtype, shape, seed, alpha, None, drawn_as)


def _beta(seed: np.ndarray, shape: Any, alpha: Any, beta: Any, dtype: Any = None) -> jax.Array:
    first = _gamma(seed, shape, np.broadcast_to(_number(alpha), shape), dtype)
    second = _gamma(seed + BETWEEN_SEEDS, shape, np.broadcast_to(_number(beta), shape), dtype)
    return first / (first + second)


def _binomial(
    seed: np.ndarray, shape: Any, counts: Any, probabilities: Any, dtype: Any = None
) -> jax.Array:
    dtype = standardize_dtype(dtype)
    drawn_as = dtype
    if dtype == "bfloat16":
        drawn_as = "float32"
    numbers = _number(counts), _number(probabilities)
    return _stateless("binomial", dtype, shape, seed, *numbers, drawn_as)


def _categorical(
    seed: np.ndarray, logits: Any, num_samples: int, dtype: Any = "int32"
) -> jax.Array:
    return _stateless("categorical", dtype, np.asarray(logits), num_samples, seed)


def _shuffle(seed: np.ndarray, x: Any, axis: int = 0) -> jax.Array:
    x = jnp.asarray(x)
    order = np.argsort(_uniform(seed, (x.shape[axis],), dtype="float32"), kind="stable")
    return jnp.take(x, order, axis=axis)


def _dropout(seed: np.ndarray, inputs: Any, rate: float, noise_shape: Any = None) -> jax.Array:
    inputs = jnp.asarray(inputs)
    if rate in (0.0, 1.0):
        return inputs * (1.0 - rate)
    shape = list(noise_shape or inputs.shape)
    for axis, size in enumerate(shape):
        if size is None:
            shape[axis] = inputs.shape[axis]
    is_kept = _uniform(seed, shape, dtype=inputs.dtype.name) >= rate
    return jnp.where(is_kept, inputs / (1.0 - rate), 0.0).astype(inputs.dtype)


def _number(value: Any) -> Any:
    """A parameter of a distribution as TensorFlow takes it."""
    if isinstance(value, jax.Array):
        return np.asarray(value)
    return value


OF_NAME: dict[str, Callable[..., jax.Array]] = {
    "normal": _normal,
    "truncated_normal": _truncated_normal,
    "uniform": _uniform,
    "randint": _randint,
    "gamma": _gamma,
    "beta": _beta,
    "binomial": _binomial,
    "categorical": _categorical,
    "shuffle": _shuffle,
    "dropout": _dropout,
}
