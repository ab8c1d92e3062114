"""First values are drawn by programs of a fixed size: the bits of `jax.random`."""

import jax
import numpy as np
import pytest
from hypothesis import strategies as st

import jkeras
from jkeras.core.session import sampling
from jkeras.random.keys import sampling_key
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


LOGITS = np.random.default_rng(0).normal(size=(5, 7)).astype("float32")
DRAWS = {
    "normal": (
        lambda key: jkeras.random.normal((3, 7), seed=key),
        lambda key: jax.random.normal(key, (3, 7)),
    ),
    "normal in bfloat16": (
        lambda key: jkeras.random.normal((3, 7), dtype="bfloat16", seed=key),
        lambda key: jax.random.normal(key, (3, 7), "bfloat16"),
    ),
    "uniform in float16": (
        lambda key: jkeras.random.uniform((9,), dtype="float16", seed=key),
        lambda key: jax.random.uniform(key, (9,), "float16"),
    ),
    "bytes": (
        lambda key: jkeras.random.randint((4, 5), 0, 200, "uint8", seed=key),
        lambda key: jax.random.randint(key, (4, 5), 0, 200, "uint8"),
    ),
    "integers": (
        lambda key: jkeras.random.randint((), -9, 10**6, seed=key),
        lambda key: jax.random.randint(key, (), -9, 10**6),
    ),
    "classes": (
        lambda key: jkeras.random.categorical(LOGITS, 4, seed=key),
        lambda key: jax.random.categorical(key, LOGITS[..., None], axis=1, shape=(5, 4)),
    ),
    "dropout": (
        lambda key: jkeras.random.dropout(np.ones((3, 50), "float32"), 0.25, seed=key) > 0,
        lambda key: jax.random.bernoulli(key, 0.75, (3, 50)),
    ),
    "keys": (
        lambda key: jax.random.key_data(jax.random.split(sampling_key(key), 3)),
        lambda key: jax.random.key_data(jax.random.split(key, 3)),
    ),
    "a folded key": (
        lambda key: jax.random.key_data(jax.random.fold_in(sampling_key(key), 3)),
        lambda key: jax.random.key_data(jax.random.fold_in(key, 3)),
    ),
}


@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize("raw", [False, True])
def test_samples_are_those_of_jax_random(kind, raw):
    mine, theirs = DRAWS[kind]
    keys = jax.random.split(jax.random.key(7), 3)
    given = jax.random.key_data(keys) if raw else keys
    np.testing.assert_array_equal(mine(given[0]), theirs(keys[0]))
    np.testing.assert_array_equal(jax.jit(jax.vmap(mine))(given), jax.jit(jax.vmap(theirs))(keys))


def test_keys_of_other_generators_stay():
    other = jax.random.key(0, impl="rbg")
    assert sampling_key(other) is other
    with jax.threefry_partitionable(False):
        key = jax.random.key(0)
        assert sampling_key(key) is key
