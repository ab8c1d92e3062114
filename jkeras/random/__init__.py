"""`keras.random`: random arrays from a seed, which is an integer, a JAX key or a `SeedGenerator`.

An integer seed gives the same array each time, the very numbers of Keras on JAX; a `SeedGenerator`
gives another one each time. Without a seed a generator of the session is used, which
`set_random_seed` controls.
"""

from jkeras.core.names.exports import exported
from jkeras.core.weights.rng import SeedGenerator
from jkeras.random.distributions import (
    beta,
    binomial,
    categorical,
    dropout,
    gamma,
    normal,
    randint,
    shuffle,
    truncated_normal,
    uniform,
)

__all__ = exported(globals())
