"""Keys as samples are made of them, in the form that is fast where they run."""

from __future__ import annotations

import jax

from jkeras.core.session import threefry
from jkeras.core.weights.rng import as_key
from jkeras.ops.kernels import on_cpu
from jkeras.core.weights.types import Seed


def sampling_key(seed: Seed) -> jax.Array:
    """The key of a seed (`as_key`) for many samples at once, which are the same everywhere.

    >>> bool((jax.random.bits(sampling_key(3)) == jax.random.bits(as_key(3))).all())
    True
    """
    key = as_key(seed)
    return threefry.in_one_loop(key) if on_cpu() and threefry.is_threefry(key) else key
