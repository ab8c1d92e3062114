"""Random keys that follow from a key and a path, so that no sample depends on what ran before."""

import zlib

import jax


def key_of_path(key: jax.Array, path: str, index: int = 0) -> jax.Array:
    """The key of the `index`-th sample at a path: `fold_in` of a hash of "path#index".

    The separator keeps ("ab", "c") and ("a", "bc") apart; the hash is the same on every machine.

    >>> key = jax.random.key(0)
    >>> bool(key_of_path(key, "dense/kernel") == key_of_path(key, "dense/kernel"))
    True
    >>> bool(key_of_path(key, "dense/kernel") == key_of_path(key, "dense/kernel", 1))
    False
    """
    return jax.random.fold_in(key, zlib.crc32(f"{path}#{index}".encode()))
