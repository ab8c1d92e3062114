"""Random numbers for first values, from programs of a fixed size: the bits of `jax.random`, no
compiling for shapes.

XLA takes a fifth of a second and more to compile a random number generator for a shape, and a model
has many shapes. With a counter-based generator (Salmon et al. 2011, Threefry) the bits of an
element depend on the key and its number alone, so that a few programs serve all shapes.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.system import host_memory
from jkeras.core.session import threefry

SMALL = 2**14  # elements that a program makes
LARGE = 2**20  # the same for large arrays
LARGE_ON_CPU = 2**17  # where more leave the cache
LARGEST = 2**24  # elements up to which it pays
LARGEST_ON_CPU = 2**32  # all whose numbers have 32 bits: there it takes less time and memory


# {function of `jax.random`: what it calls the limits that it takes}
LIMITS = {"uniform": ("minval", "maxval"), "normal": (), "truncated_normal": ("lower", "upper")}


def uniform(key, shape, low, high, dtype):
    """`jax.random.uniform`: in [low, high)."""
    return _sample("uniform", key, shape, dtype, (low, high))


def normal(key, shape, dtype, mean=0.0, stddev=1.0):
    """`jax.random.normal`, times the standard deviation, plus the mean."""
    return _sample("normal", key, shape, dtype, scale=stddev, shift=mean)


def truncated_normal(key, shape, low, high, dtype, mean=0.0, stddev=1.0):
    """`jax.random.truncated_normal`, times the standard deviation, plus the mean."""
    return _sample("truncated_normal", key, shape, dtype, (low, high), stddev, mean)


def _sample(kind, key, shape, dtype, limits=(0.0, 1.0), scale=1.0, shift=0.0):
    size = math.prod(map(int, shape))
    is_threefry = threefry.is_threefry(key)
    is_supported = is_threefry and not isinstance(key, jax.core.Tracer)
    is_supported = is_supported and jnp.dtype(dtype) == jnp.float32 and 0 < size <= _largest()
    if not is_supported or not _is_as_in_jax(kind):
        if is_threefry and _on_cpu():
            key = threefry.in_one_loop(key)
        named = dict(zip(LIMITS[kind], limits))
        values = getattr(jax.random, kind)(key, shape=tuple(shape), dtype=dtype, **named)
        return values if (scale, shift) == (1.0, 0.0) else values * scale + shift
    key = np.asarray(
        jax.random.key_data(key) if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else key
    )
    limits = tuple(map(np.float32, limits))
    values = host_memory.aligned((size,), np.float32, in_huge_pages=True)
    with jax.ensure_compile_time_eval():
        for start, count in _chunks(size):
            chunk = values[start : start + count]
            made = np.asarray(_part(kind, key, _numbers(count), np.uint32(start), *limits))
            # by numpy: within a program, XLA may round a product with another only once
            np.multiply(made[: chunk.size], np.float32(scale), out=chunk)
            if shift != 0.0:
                chunk += np.float32(shift)
        return jax.device_put(values.reshape(shape))


@functools.cache
def _is_as_in_jax(kind):
    """Whether the numbers made here are those of `jax.random`: with a JAX that is newer than those
    known, it is looked.
    """
    if jax.__version_info__ < threefry.TESTED_BELOW:
        return True
    low, high = np.float32(-0.5), np.float32(1.5)
    limits = {"uniform": (low, high), "normal": ()}.get(kind, (low, high))
    with jax.ensure_compile_time_eval():
        for number in range(3):
            key = jax.random.key(number, impl="threefry2x32")
            expected = getattr(jax.random, kind)(key, *_in_order(kind, limits))
            numbers = np.arange(len(expected), dtype=np.uint32)
            data = np.asarray(jax.random.key_data(key))
            made = _part(kind, data, numbers, np.uint32(0), low, high)
            if not np.array_equal(made, expected):
                return False
    return True


def _in_order(kind, limits):
    """What `jax.random` takes behind the key, for 64 numbers."""
    if kind == "truncated_normal":
        return *limits, (64,), "float32"
    return (64,), "float32", *limits


def _on_cpu():
    return jax.default_backend() == "cpu"


def _largest():
    return LARGEST_ON_CPU if _on_cpu() else LARGEST


def _chunks(size):
    """(first element, number of elements) of the programs that make so many elements; the last one
    may make more.
    """
    start = 0
    if size > 16 * SMALL:
        count = LARGE_ON_CPU if _on_cpu() else LARGE
        while size - start > count // 2:
            yield start, count
            start += count
    while start < size:
        yield start, SMALL
        start += SMALL


@functools.cache
def _numbers(count):
    """The numbers below a count, which JAX on a CPU takes as they are."""
    numbers = host_memory.aligned((count,), np.uint32)
    numbers[:] = np.arange(count)
    return numbers


@functools.partial(jax.jit, static_argnums=0)
def _part(kind, key, numbers, start, low, high):
    """The elements from a number on, as `jax.random` makes them of their bits.

    The numbers are an argument: what is known before it runs would be computed by a program of its
    own.
    """
    bits = threefry.bits_of(key, start + numbers)
    if kind == "uniform":
        return _between(bits, low, high)
    root = np.float32(np.sqrt(2))
    if kind == "normal":
        above = np.nextafter(np.float32(-1), np.float32(0))
        return root * jax.lax.erf_inv(_between(bits, above, np.float32(1)))
    between = _between(bits, *(jax.lax.erf(limit / root) for limit in (low, high)))
    inside = jnp.nextafter(low, jnp.float32(np.inf)), jnp.nextafter(high, jnp.float32(-np.inf))
    return jnp.clip(root * jax.lax.erf_inv(between), *inside)


def _between(bits, low, high):
    """Floats in [low, high) whose mantissa are the upper 23 of 32 bits."""
    mantissa = (bits >> np.uint32(9)) | np.uint32(0x3F800000)  # those of a number in [1, 2)
    floats = jax.lax.bitcast_convert_type(mantissa, jnp.float32) - np.float32(1)
    return jnp.maximum(low, floats * (high - low) + low)
