"""Round trips of trees, weights and configs; weights that follow from key and path alone; dropout's
expectation.
"""

import functools
import json
import zlib

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from hypothesis import strategies as st

import jkeras
from jkeras import layers
from jkeras.kernel import tree
from tests.properties.tools import KEY, SEEDS, property_of

# ---------------------------------------------------------------- trees

KEYS = st.text("abcxyz_0", min_size=1, max_size=3)
TREES = st.recursive(
    st.integers(), lambda inner: st.dictionaries(KEYS, inner, min_size=1, max_size=3), max_leaves=8
)
TREES = st.dictionaries(KEYS, TREES, max_size=4)
NESTED = st.recursive(
    st.integers() | st.none() | st.text(max_size=2),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(KEYS, inner, max_size=3),
    ),
    max_leaves=8,
)


def ordered(t):
    """A tree with the order of its keys."""
    return [(k, ordered(v)) for k, v in t.items()] if isinstance(t, dict) else t


@property_of(60, t=TREES)
def test_unflatten_undoes_flatten(t):
    assert ordered(tree.unflatten(tree.flatten(t))) == ordered(t)
    assert all(tree.get(t, path) == leaf for path, leaf in tree.flatten(t))


@property_of(60, t=TREES, seed=SEEDS)
def test_merge_undoes_partition(t, seed):
    chosen = {path for path, _ in tree.flatten(t) if zlib.crc32(repr((seed, path)).encode()) % 2}
    mine, rest = tree.partition(t, chosen.__contains__)
    assert {path for path, _ in tree.flatten(mine)} == chosen
    assert tree.merge(mine, rest) == tree.merge(rest, mine) == t


@property_of(60, structure=NESTED)
def test_public_tree_round_trip(structure):
    flat = jkeras.tree.flatten(structure)
    assert flat == keras.tree.flatten(structure)
    assert jkeras.tree.pack_sequence_as(structure, flat) == structure
    assert jkeras.tree.map_structure(lambda v: v, structure) == structure
    assert [v for _, v in jkeras.tree.flatten_with_path(structure)] == flat


# ---------------------------------------------------------------- random small graphs

UNARY = [
    lambda: layers.Dense(4, activation="tanh"),
    lambda: layers.Dropout(0.3),
    lambda: layers.BatchNormalization(),
    lambda: layers.Activation("relu"),
    lambda: layers.Reshape((4,)),
    lambda: layers.Rescaling(0.5),
    lambda: jkeras.Sequential(
        [layers.Dense(4, kernel_regularizer="l2"), layers.LayerNormalization()]
    ),
]
OPS = [
    lambda a, b: a + b,
    lambda a, b: jkeras.ops.maximum(a, 2.0 * b),
    lambda a, b: jkeras.ops.tanh(a) - b[:, :1],
]
STEP = st.tuples(
    st.sampled_from(["layer", "merge", "op", "shared"]),
    st.integers(0, 6),
    st.integers(0, 9),
    st.integers(0, 9),
)
STEPS = st.lists(STEP, min_size=1, max_size=5)


def grow(steps, outputs=1):
    """A functional model by random steps from two inputs of size 4: all its tensors have that
    size.
    """
    values, used = [jkeras.Input((4,)), jkeras.Input((4,))], []
    inputs = list(values)
    for kind, which, i, j in steps:
        a, b = values[i % len(values)], values[j % len(values)]
        if kind == "shared" and used:
            values.append(used[which % len(used)](a))
        elif kind == "merge":
            values.append((layers.Add() if which % 2 else layers.Multiply())([a, b]))
        elif kind == "op":
            values.append(OPS[which % len(OPS)](a, b))
        else:
            used.append(UNARY[which]())
            values.append(used[-1](a))
    return jkeras.Model(inputs, values[-outputs:] if outputs > 1 else values[-1])


@functools.cache
def inputs():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(2, 4)).astype("float32") for _ in range(2)]


@property_of(12, steps=STEPS, outputs=st.integers(1, 2))
def test_json_is_a_fixed_point(steps, outputs):
    model = grow(steps, outputs)
    text = model.to_json()
    twin = jkeras.models.model_from_json(text)
    assert json.loads(twin.to_json()) == json.loads(text)
    assert [(w.name, w.shape) for w in twin.weights] == [(w.name, w.shape) for w in model.weights]
    twin.set_weights(model.get_weights())
    for a, b in zip(outputs_of(model), outputs_of(twin), strict=True):
        np.testing.assert_array_equal(a, b)


def outputs_of(model):
    return jax.tree_util.tree_leaves(model(inputs()))


@property_of(10, steps=STEPS, seed=SEEDS)
def test_weights_round_trip(steps, seed):
    """`get_weights`, `params` with `state`, and the pure `apply` on them see the same arrays."""
    model, rng = grow(steps), np.random.default_rng(seed)
    new = [rng.random(w.shape).astype(w.dtype) for w in model.weights]
    model.set_weights(new)
    for a, b in zip(model.get_weights(), new, strict=True):
        np.testing.assert_array_equal(a, b)
    params, state = model.params, model.state
    before = model(inputs())
    np.testing.assert_allclose(
        model.apply(params, state, inputs())[0], before, rtol=1e-5, atol=1e-6
    )
    model.set_weights([w * 0 for w in new])
    model.params, model.state = params, state
    for a, b in zip(model.get_weights(), new, strict=True):
        np.testing.assert_array_equal(a, b)
    assert jax.tree_util.tree_structure(
        (model.params, model.state)
    ) == jax.tree_util.tree_structure((params, state))


@property_of(8, steps=STEPS)
def test_cloning_keeps_the_computation(steps):
    model = grow(steps)
    twin = jkeras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(model(inputs()), twin(inputs()))


# ---------------------------------------------------------------- keys

NAMES = st.lists(
    st.text("abc/_1", min_size=1, max_size=4).map(lambda s: s.replace("/", "x")),
    min_size=3,
    max_size=3,
    unique=True,
)


def chain(names, changed=None):
    return jkeras.Sequential(
        [
            jkeras.Input((4,)),
            *(
                layers.Dense(4, name=changed if i == 1 and changed else name)
                for i, name in enumerate(names)
            ),
        ]
    )


@pytest.mark.promise("`keys.py`: a random key")
@pytest.mark.promise("The same key gives the same params, always")
@property_of(8, names=NAMES, seed=SEEDS)
def test_initial_weights_follow_from_key_and_path(names, seed):
    """Renaming one layer changes no other's weights; other names, other weights."""
    key, x = jax.random.key(seed), inputs()[0]
    with jax.disable_jit():  # else each set of names is compiled anew
        first, again = (chain(names).init(key, x)[0] for _ in range(2))
        renamed = chain(names, "other").init(key, x)[0]
    for name in names:
        np.testing.assert_array_equal(first[name]["kernel"], again[name]["kernel"])
        if name != names[1]:
            np.testing.assert_array_equal(first[name]["kernel"], renamed[name]["kernel"])
    kernels = [np.asarray(first[name]["kernel"]).tobytes() for name in names]
    assert len({*kernels, np.asarray(renamed["other"]["kernel"]).tobytes()}) == 4


@property_of(
    6,
    rate=st.sampled_from([0.1, 0.5, 0.8]),
    seed=SEEDS,
    name=st.sampled_from(["Dropout", "GaussianDropout", "SpatialDropout1D", "AlphaDropout"]),
)
def test_dropout_keeps_the_expectation(rate, seed, name):
    layer = getattr(layers, name)(rate)
    x = jnp.asarray(
        np.random.default_rng(seed).normal(size=(40, 10, 40)) + (0 if name == "AlphaDropout" else 1)
    )
    y, _ = layer.apply(
        {}, {}, x.astype("float32"), training=True, rng=jax.random.fold_in(KEY, seed)
    )
    draws = 400 if name == "SpatialDropout1D" else 16000
    error = 6 * float(jnp.std(y)) / draws**0.5
    assert abs(float(jnp.mean(y)) - float(jnp.mean(x))) < error
    if name == "AlphaDropout":
        assert abs(float(jnp.std(y)) - 1) < 0.1  # it keeps the variance too
