"""Weights as data: a spec says what an array is before it exists; arrays are made from specs and
one key.
"""

import functools
import typing
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.kernel.keys import drawing_from, key_of_path


class Weight(typing.NamedTuple):
    """What one weight is. `shape` never depends on the batch size."""

    shape: tuple[int, ...]
    initializer: typing.Any
    dtype: typing.Any = None  # None: the layer's variable dtype
    trainable: bool = True
    regularizer: typing.Any = None
    constraint: typing.Any = None
    autocast: bool = True  # cast to the compute dtype when the layer runs
    layout: typing.Any = None  # how it lies over devices; None: as the session's distribution says

    def replace(self, **changes: typing.Any) -> "Weight":
        """The same spec with other values of some of its fields."""
        return self._replace(**changes)


class Spec(typing.NamedTuple):
    """Shape and dtype of an input; None in the shape is a size not known yet."""

    shape: tuple[int | None, ...]
    dtype: typing.Any = "float32"

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)


def sample(
    initializer: Callable, key: jax.Array, shape: tuple[int, ...], dtype: typing.Any
) -> jax.Array:
    """One array from an initializer under a given key. A function of shape and dtype alone may draw
    without a seed: from that key, too.
    """
    from_key = getattr(initializer, "sample", None)
    with drawing_from(key):
        if from_key is None:
            value = initializer(shape, dtype=dtype)
        else:
            value = from_key(key, shape, dtype)
    return jnp.asarray(value, dtype=dtype)


def create(
    initializers: Sequence[Callable],
    shapes: Sequence[tuple[int, ...]],
    dtypes: Sequence,
    paths: Sequence[tuple[str, ...]],
    key: jax.Array,
) -> list[jax.Array]:
    """The arrays of many weights in one compiled call, each from the key of its path."""
    description = (tuple(initializers), tuple(shapes), tuple(dtypes), tuple(paths))
    try:
        compiled = _compiled(*description)
    except TypeError:  # an initializer that cannot be hashed
        compiled = jax.jit(functools.partial(_make, *description))
    return compiled(key)


@functools.lru_cache(maxsize=256)
def _compiled(*description) -> Callable:
    return jax.jit(functools.partial(_make, *description))


def _make(
    initializers: Sequence[Callable],
    shapes: Sequence[tuple[int, ...]],
    dtypes: Sequence,
    paths: Sequence[tuple[str, ...]],
    key: jax.Array,
) -> list[jax.Array]:
    keys = [key_of_path(key, "/".join(path)) for path in paths]
    return [sample(*each) for each in zip(initializers, keys, shapes, dtypes)]


def size_of(shape: tuple[int, ...]) -> int:
    """The number of elements of a shape.

    >>> size_of((2, 3)), size_of(())
    (6, 1)
    """
    return int(np.prod(shape, dtype=np.int64))
