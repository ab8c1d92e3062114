"""Layers and models that are made at random and write on themselves: `init` and `apply` leave them
as they are, and give the same eagerly, under `jit` and row by row under `vmap`.
"""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st

import jkeras
from jkeras import layers
from tests.design.test_purity import snapshot
from tests.properties.tools import KEY, SEEDS, normal, property_of

# what a forward pass does to the object besides computing: `(layer, its input)`
WRITES = {
    "attribute": lambda layer, x: setattr(layer, "last", x),
    "list": lambda layer, x: layer.seen.append(x),
    "dict": lambda layer, x: layer.by_name.update({len(layer.by_name): x}),
    "nested": lambda layer, x: layer.deep["a"][0]["b"].append(x),
    "tuple": lambda layer, x: layer.pair[0].append(x),
    "set": lambda layer, x: layer.shapes.add(x.shape),
    "count": lambda layer, x: setattr(layer, "count", layer.count + 1),
    "new list": lambda layer, x: setattr(layer, "seen", [*layer.seen, x]),
    "gone": lambda layer, x: layer.by_name.pop("x", None),
    "child": lambda layer, x: setattr(layer.parts[-1], "last", x) if layer.parts else None,
}


def prepare(layer, writes, parts):
    """What a constructor sets."""
    layer.writes, layer.parts = writes, parts
    layer.seen, layer.by_name, layer.count, layer.last = [], {"x": 0}, 0, None
    layer.deep, layer.pair, layer.shapes = {"a": [{"b": []}]}, ([], 1), set()


def write(layer, x):
    for name in layer.writes:
        WRITES[name](layer, x)


class Called(layers.Layer):
    def __init__(self, writes, parts):
        super().__init__()
        prepare(self, writes, parts)

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, x):
        write(self, x)
        for part in self.parts:
            x = part(x)
        return x * self.scale + len(self.seen) * 0.0


class Model(jkeras.Model):
    def __init__(self, writes, parts):
        super().__init__()
        prepare(self, writes, parts)

    def call(self, x):
        write(self, x)
        for part in self.parts:
            x = part(x)
        write(self, x)
        return x


class Forward(layers.Layer):
    """Written on values; it has no parts."""

    def __init__(self, writes, parts):
        super().__init__()
        prepare(self, writes, [])

    def weight_specs(self, x):
        return {"scale": self.weight("scale", x.shape[-1:], initializer="ones")}

    def forward(self, w, x, ctx):
        write(self, x)
        return jnp.tanh(x) * w["scale"]


def as_sequential(writes, parts):
    return jkeras.Sequential([jkeras.Input((3,)), *parts, Called(writes, [])])


def as_graph(writes, parts):
    x = y = jkeras.Input((3,))
    shared = Called(writes, parts)
    return jkeras.Model(x, shared(y) + shared(2 * y))


PLAIN = {"dense": lambda: layers.Dense(3), "norm": lambda: layers.LayerNormalization()}
KINDS = {"layer": Called, "model": Model, "forward": Forward}
KINDS |= {"sequential": as_sequential, "graph": as_graph}
WRITING = st.sets(st.sampled_from(sorted(WRITES)), min_size=1, max_size=5).map(sorted)
# a layer as data: the name of a plain one, or (kind, what it writes, its parts)
RECIPES = st.recursive(
    st.sampled_from(sorted(PLAIN)),
    lambda inner: st.tuples(st.sampled_from(sorted(KINDS)), WRITING, st.lists(inner, max_size=2)),
    max_leaves=3,
)
ROOTS = st.tuples(st.sampled_from(sorted(KINDS)), WRITING, st.lists(RECIPES, max_size=2))


def made(recipe):
    """The layer of a recipe."""
    if isinstance(recipe, str):
        return PLAIN[recipe]()
    kind, writes, parts = recipe
    return KINDS[kind](writes, [made(part) for part in parts])


@property_of(8, recipe=ROOTS, seed=SEEDS, is_built=st.booleans())
def test_nothing_is_written(recipe, seed, is_built):
    layer = made(recipe)
    x = normal(seed, 4, 3)
    if is_built:
        layer(x)
    before = snapshot(layer)
    params, state = layer.init(KEY, x)
    eager, new_state = layer.apply(params, state, x)
    again, _ = layer.apply(params, state, x)
    compiled, compiled_state = jax.jit(layer.apply)(params, state, x)
    rows = jax.vmap(lambda row: layer.apply(params, state, row[None])[0][0])(x)
    assert snapshot(layer) == before
    np.testing.assert_array_equal(again, eager)
    for other in (compiled, rows):
        np.testing.assert_allclose(other, eager, rtol=1e-5, atol=1e-6)
    assert jax.tree.structure(new_state) == jax.tree.structure(compiled_state)
