"""Random keys that follow from a key and a path, so that no sample depends on what ran before."""

import zlib

import contextlib
import itertools
from collections.abc import Iterator

import jax

from jkeras.kernel import in_force


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


DRAWN = "keys drawn without a seed"


@contextlib.contextmanager
def drawing_from(key: jax.Array) -> Iterator[None]:
    """A block in which random functions without a seed draw from a key, each from another one that
    follows from it: the first value of a weight is to depend on the weight's key alone.
    """
    with in_force.having(DRAWN, (jax.random.fold_in(key, i) for i in itertools.count())):
        yield


def drawn_key() -> jax.Array | None:
    """The next key of the innermost `drawing_from`, None outside of all.

    >>> with drawing_from(jax.random.key(0)):
    ...     one, two = drawn_key(), drawn_key()
    >>> bool(one == two), drawn_key()
    (False, None)
    """
    keys = in_force.value_of(DRAWN)
    return None if keys is None else next(keys)
