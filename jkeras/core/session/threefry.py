"""The counter-based generator of JAX's default keys, in operations that XLA makes one loop of.

JAX's own operation runs its rounds in a loop on a CPU, whose every turn goes over all bits again:
it takes two times as long, and four times to compile.
"""

import functools
import math
from collections.abc import Callable, Hashable

import jax
import numpy as np

ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)  # bits, of the even and the odd groups of rounds
TESTED_BELOW = (0, 13)  # the first JAX whose bits were not compared with these
GROUPS = 5  # of four rounds each
PARITY = np.uint32(0x1BD11BDA)  # with which the third word of a key is made of the other two


def bits_of(key: jax.Array, numbers: jax.Array) -> jax.Array:
    """The 32 random bits that `jax.random.bits` gives to each element of some numbers (uint32), by
    a raw key (two uint32).

    Source: Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3" (Threefry-2x32-20).

    >>> import jax
    >>> key = jax.random.key(0)
    >>> bits = bits_of(jax.random.key_data(key), jax.numpy.arange(3, dtype="uint32"))
    >>> bool((bits == jax.random.bits(key, (3,))).all())
    True
    """
    words = key[0], key[1], key[0] ^ key[1] ^ PARITY
    first, second = words[0], numbers + words[1]  # the upper half of an element's number is 0
    for group in range(GROUPS):
        for rotation in ROTATIONS[group % 2]:
            first = first + second
            second = first ^ _rotated(second, np.uint32(rotation))
        first = first + words[(group + 1) % 3]
        second = second + words[(group + 2) % 3] + np.uint32(group + 1)
    return first ^ second


def is_threefry(key: jax.Array) -> bool:
    """Whether a key, raw or typed, is of the generator whose bits follow from elements' numbers.

    >>> is_threefry(jax.random.key(0)), is_threefry(jax.random.key(0, impl="rbg"))
    (True, False)
    """
    if not getattr(jax.config, "jax_threefry_partitionable", False) or not _are_bits_of_jax():
        return False
    if jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key):
        return str(jax.random.key_impl(key)) in ("threefry2x32", "fry")
    default = getattr(jax.config, "jax_default_prng_impl", None)
    return key.shape == (2,) and default == "threefry2x32"


@functools.cache
def _are_bits_of_jax() -> bool:
    """Whether bits made here are those of `jax.random`: with a JAX that is newer than those tested,
    it is looked.
    """
    if jax.__version_info__ < TESTED_BELOW:
        return True
    numbers = np.arange(64, dtype=np.uint32)
    with jax.ensure_compile_time_eval():
        for number in range(3):
            key = jax.random.key(number, impl="threefry2x32")
            made = bits_of(jax.random.key_data(key), numbers)
            if not np.array_equal(made, jax.random.bits(key, (64,))):
                return False
    return True


def in_one_loop(key: jax.Array) -> jax.Array:
    """A typed key for a threefry key, whose samples by `jax.random` are the same, bit by bit. Where
    JAX does not let a generator be defined as here, it is JAX's own.

    >>> key = jax.random.key(0)
    >>> bool((jax.random.normal(in_one_loop(key), (3,)) == jax.random.normal(key, (3,))).all())
    True
    """
    if jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.key_data(key)
    return jax.random.wrap_key_data(key, impl=_implementation())


@functools.cache
def _implementation() -> Hashable:
    """The generator as an implementation of keys, or the name of JAX's own."""
    try:
        from jax.extend.random import define_prng_impl

        return _defined(define_prng_impl)
    except (ImportError, TypeError):  # not there, or of another signature
        return "threefry2x32"


def _defined(define_prng_impl: Callable) -> Hashable:

    def usual(key: jax.Array) -> jax.Array:
        return jax.random.wrap_key_data(key, impl="threefry2x32")

    def split(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return jax.random.key_data(jax.random.split(usual(key), shape))

    def fold_in(key: jax.Array, data: jax.Array) -> jax.Array:
        return jax.random.key_data(jax.random.fold_in(usual(key), data))

    def seed(number: jax.Array) -> jax.Array:
        return jax.random.key_data(jax.random.key(number, impl="threefry2x32"))

    def random_bits(key: jax.Array, width: int, shape: tuple[int, ...]) -> jax.Array:
        size = math.prod(shape)
        if width > 32 or not isinstance(size, int) or size > 2**32:
            return jax.random.bits(usual(key), shape, f"uint{width}")
        bits = bits_of(key, jax.lax.iota("uint32", size))
        return bits.reshape(shape).astype(f"uint{width}")

    return define_prng_impl(
        key_shape=(2,),
        seed=seed,
        split=split,
        random_bits=random_bits,
        fold_in=fold_in,
        name="threefry2x32 in one loop",
        tag="fry1",
    )


def _rotated(bits: jax.Array, count: np.uint32) -> jax.Array:
    return (bits << count) | (bits >> (np.uint32(32) - count))
