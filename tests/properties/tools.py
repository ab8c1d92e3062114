"""How the property tests draw: few tiny examples, the same ones each time; `JKERAS_EXAMPLES=300`
draws many others.
"""

import os

import jax
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import jkeras

MANY = int(os.environ.get("JKERAS_EXAMPLES", 0))
SEEDS = st.integers(0, 2**16)
KEY = jax.random.key(0)


def property_of(examples=10, **strategies):
    """Decorator: a test on random arguments. What numbers an array has comes from a drawn seed, not
    from hypothesis.
    """

    def decorate(test):
        quick = settings(
            deadline=None,
            max_examples=MANY or examples,
            derandomize=not MANY,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        return quick(given(**strategies)(test))

    return decorate


def start_afresh(seed):
    """Starts names and random numbers afresh: weights follow from names, so that what was drawn
    before would be in them otherwise, and a seed would not show what it failed on.
    """
    jkeras.utils.clear_session(free_memory=False)
    jkeras.utils.set_random_seed(seed)


def normal(seed, *shape):
    """Normal numbers in float32."""
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def insert(seed, x, length, fill=50.0):
    """Rows of `x` spread over a longer axis, each row of the batch in its own way, with nonsense
    between them.

    Returns:
        (padded, mask, take): `mask` is (batch, length), `take(y)` brings what stands at the old
        entries back.
    """
    rng = np.random.default_rng(seed)
    batch, steps = x.shape[:2]
    places = np.stack([np.sort(rng.permutation(length)[:steps]) for _ in range(batch)])
    padded = (fill * rng.normal(size=(batch, length, *x.shape[2:]))).astype(x.dtype)
    mask = np.zeros((batch, length), bool)
    rows = np.arange(batch)[:, None]
    padded[rows, places], mask[rows, places] = x, True
    return padded, mask, lambda y: np.asarray(y)[rows, places]
