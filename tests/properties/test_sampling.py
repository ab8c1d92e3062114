"""First values are drawn by programs of a fixed size: the bits of `jax.random`."""

import jax
import numpy as np
import pytest
from hypothesis import strategies as st

from jkeras.core import sampling
from tests.properties.tools import SEEDS, property_of

SHAPES = st.lists(st.integers(1, 40), min_size=0, max_size=3).map(tuple)
PAIRS = {
    "uniform": (
        lambda key, shape: sampling.uniform(key, shape, -0.3, 0.7, "float32"),
        lambda key, shape: jax.random.uniform(key, shape, "float32", -0.3, 0.7),
    ),
    "normal": (lambda key, shape: sampling.normal(key, shape, "float32"), jax.random.normal),
    "truncated": (
        lambda key, shape: sampling.truncated_normal(key, shape, -2.0, 2.0, "float32"),
        lambda key, shape: jax.random.truncated_normal(key, -2.0, 2.0, shape),
    ),
    "mean and standard deviation": (
        lambda key, shape: sampling.normal(key, shape, "float32", 0.3, 0.7),
        lambda key, shape: jax.random.normal(key, shape) * 0.7 + 0.3,
    ),
}


@pytest.mark.parametrize("kind", PAIRS)
@property_of(seed=SEEDS, shape=SHAPES, raw=st.booleans(), examples=6)
def test_the_bits_of_jax_random(kind, seed, shape, raw):
    mine, theirs = PAIRS[kind]
    key = jax.random.key(seed)
    np.testing.assert_array_equal(
        mine(jax.random.key_data(key) if raw else key, shape), theirs(key, shape)
    )


@pytest.mark.parametrize("kind", PAIRS)
def test_more_elements_than_a_program_makes(kind, monkeypatch):
    monkeypatch.setattr(sampling, "SMALL", 2**7)
    monkeypatch.setattr(sampling, "LARGE_ON_CPU", 2**9)
    monkeypatch.setattr(sampling, "LARGE", 2**9)
    mine, theirs = PAIRS[kind]
    for shape in ((129,), (30, 100)):
        np.testing.assert_array_equal(
            mine(jax.random.key(1), shape), theirs(jax.random.key(1), shape)
        )


def test_traced_keys_other_types_and_other_generators_are_left_to_jax():
    key = jax.random.key(0)
    np.testing.assert_array_equal(
        jax.jit(lambda key: sampling.normal(key, (3,), "float32"))(key),
        jax.random.normal(key, (3,)),
    )
    assert sampling.uniform(key, (3,), 0, 1, "bfloat16").dtype == "bfloat16"
    assert sampling.normal(key, (0, 3), "float32").shape == (0, 3)
    other = jax.random.key(0, impl="rbg")
    np.testing.assert_array_equal(
        sampling.normal(other, (3,), "float32"), jax.random.normal(other, (3,))
    )


def test_a_new_shape_compiles_nothing(caplog):
    for kind in PAIRS:
        PAIRS[kind][0](jax.random.key(0), (3, 4))
    with jax.log_compiles():
        for kind in PAIRS:
            PAIRS[kind][0](jax.random.key(0), (67, 3, 5))
    assert not [record for record in caplog.records if "Compiling" in record.message]
