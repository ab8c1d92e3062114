"""The counter-based generator of JAX's default keys, in operations that XLA makes one loop of.

JAX's own operation runs its rounds in a loop on a CPU, whose every turn goes over all bits again:
it takes two times as long, and four times to compile.
"""

import jax
import numpy as np

ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)  # bits, of the even and the odd groups of rounds
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


def _rotated(bits: jax.Array, count: np.uint32) -> jax.Array:
    return (bits << count) | (bits >> (np.uint32(32) - count))
