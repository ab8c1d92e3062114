"""Attention layers with `cache=` and `position=`: step by step they give what one causal call over
the whole gives.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers

LENGTH = 12
X = np.random.default_rng(0).normal(size=(3, LENGTH, 8)).astype("float32")
MAKERS = {
    "heads": lambda **options: layers.MultiHeadAttention(2, 4, **options),
    "value sizes": lambda **options: layers.MultiHeadAttention(2, 4, 3, **options),
    "gate": lambda **options: layers.MultiHeadAttention(2, 4, use_gate=True, **options),
    "groups": lambda **options: layers.GroupQueryAttention(4, 4, 2, **options),
}


def made(name="heads", **options):
    layer = MAKERS[name](**options)
    layer.build(X.shape, X.shape)
    return layer


def compiled(layer):
    """Its calls with a cache, of one program for each number of positions."""

    @jax.jit
    def call(x, y, cache, position=0):
        return layer(x, y, cache=cache, position=position)

    return call


def in_steps(call, cache, sizes):
    """The outputs of calls on so many positions each, side by side."""
    outputs, position = [], 0
    for size in sizes:
        x = X[:, position : position + size]
        y, cache = call(x, x, cache=cache, position=position)
        outputs.append(y)
        position += size
    return np.concatenate(outputs, axis=1)


@pytest.mark.promise("An attention layer alone")
@pytest.mark.promise("Attention is causal then")
@pytest.mark.promise("With `sliding_window` the")
@pytest.mark.parametrize("window", [None, 3, 5])
@pytest.mark.parametrize("name", MAKERS)
def test_in_steps(name, window):
    """The cache of a window is a ring, over whose end the steps go: steps of fewer positions than
    it has, of as many and of more; eagerly those of one layer.
    """
    layer = made(name, sliding_window=window)
    call = layer if (name, window) == ("groups", 3) else compiled(layer)
    whole = layer(X, X, use_causal_mask=True)
    cache = layer.init_cache(3, LENGTH)
    assert cache["value"].shape[2] == (window or LENGTH)
    for sizes in ([1] * LENGTH, [3, 1, 1, 3, 1, 3], [9, 3]):
        np.testing.assert_allclose(in_steps(call, cache, sizes), whole, atol=1e-5)


@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("name", ["heads", "groups"])
def test_a_text_and_then_a_scan(name, window):
    """First positions without a `position`, all others in one compiled loop."""
    layer = made(name, sliding_window=window)
    whole = layer(X, X, use_causal_mask=True)

    @jax.jit
    def run(x):
        def step(carry, x):
            cache, position = carry
            y, cache = layer(x[:, None], x[:, None], cache=cache, position=position)
            return (cache, position + 1), y[:, 0]

        first, cache = layer(x[:, :5], x[:, :5], cache=layer.init_cache(3, LENGTH))
        _, others = jax.lax.scan(step, (cache, jnp.array(5)), jnp.swapaxes(x[:, 5:], 0, 1))
        return jnp.concatenate([first, jnp.swapaxes(others, 0, 1)], axis=1)

    np.testing.assert_allclose(run(X), whole, atol=1e-5)


@pytest.mark.promise("Several new positions at")
@pytest.mark.promise("`position` says how many")
@pytest.mark.parametrize("window", [None, 4])
def test_each_row_at_its_own_position(window):
    layer = made("groups", sliding_window=window)
    whole = np.asarray(layer(X, X, use_causal_mask=True))
    lengths = np.array([6, 2, 4])
    first = compiled(layer)
    rows = [
        first(x[None, :n], x[None, :n], layer.init_cache(1, LENGTH))[1] for x, n in zip(X, lengths)
    ]
    cache = jax.tree.map(lambda *parts: jnp.concatenate(parts), *rows)
    for size in (1, 3, 2):
        places = lengths[:, None] + np.arange(size)
        new = np.take_along_axis(X, places[..., None], axis=1)
        y, cache = layer(new, new, cache=cache, position=lengths)
        expected = np.take_along_axis(whole, places[..., None], axis=1)
        np.testing.assert_allclose(y, expected, atol=1e-5)
        lengths = lengths + size


def test_pure_and_mapped_over_rows():
    layer = made("groups")
    whole = layer(X, X, use_causal_mask=True)
    cache = layer(X[:, :8], X[:, :8], cache=layer.init_cache(3, LENGTH))[1]

    def step(x, cache):
        x, cache = x[None], jax.tree.map(lambda v: v[None], cache)
        options = {"cache": cache, "position": jnp.array(8)}
        return layer.apply(layer.params, layer.state, x, x, **options)[0][0][0]

    y = jax.jit(jax.vmap(step))(X[:, 8:9], cache)
    np.testing.assert_allclose(y, whole[:, 8:9], atol=1e-5)


@pytest.mark.promise("`return_attention_scores=True` gives `(output, scores, cache)`")
def test_scores():
    layer = made("groups")
    _, whole = layer(X, X, use_causal_mask=True, return_attention_scores=True)
    call = functools.partial(layer, return_attention_scores=True)
    y, scores, cache = call(X[:, :4], X[:, :4], cache=layer.init_cache(3, LENGTH))
    np.testing.assert_allclose(scores, whole[:, :, :4, :4], atol=1e-6)
    y, scores, cache = call(X[:, 4:6], X[:, 4:6], cache=cache, position=4)
    assert y.shape == (3, 2, 8) and set(cache) == {"key", "value"}
    np.testing.assert_allclose(scores, whole[:, :, 4:6], atol=1e-6)


@pytest.mark.promise("Several new positions at")
def test_in_half_precision():
    layer = made("groups", dtype="mixed_bfloat16")
    cache = layer.init_cache(3, LENGTH)
    assert cache["key"].dtype == "bfloat16"
    whole = np.asarray(layer(X, X, use_causal_mask=True), "float32")
    y = in_steps(layer, cache, [5, 1, 1, 5])
    np.testing.assert_allclose(np.asarray(y, "float32"), whole, atol=2e-2)


@pytest.mark.parametrize("policy, kept", [("float32", "bfloat16"), ("mixed_bfloat16", "float32")])
def test_a_cache_keeps_its_dtype(policy, kept):
    layer = made(dtype=policy)
    x, cache = X[:, :2], layer.init_cache(3, LENGTH, dtype=kept)
    whole = np.asarray(layer(x, x, use_causal_mask=True), "float32")
    for position in range(2):
        new = x[:, position : position + 1]
        y, cache = layer(new, new, cache=cache, position=position)
        assert y.dtype == layer.compute_dtype and cache["key"].dtype == kept
        found = np.asarray(y, "float32")
        np.testing.assert_allclose(found, whole[:, position : position + 1], atol=2e-2)


@pytest.mark.promise("An attention layer alone")
def test_in_a_functional_model():
    """The cache and the position as inputs, the cache as an output."""
    layer = made()
    x, position = jkeras.Input((1, 8)), jkeras.Input((), dtype="int32")
    cache = {name: jkeras.Input((2, LENGTH, 4)) for name in ("key", "value")}
    y, after = layer(x, x, cache=cache, position=position)
    assert y.shape == (None, 1, 8) and after["key"].shape == (None, 2, LENGTH, 4)
    model = jkeras.Model({"x": x, "position": position, **cache}, {"y": y, **after})
    model = jkeras.Model.from_config(model.get_config())
    model.set_weights(layer.get_weights())
    whole, kept = layer(X, X, use_causal_mask=True), layer.init_cache(3, LENGTH)
    for place in range(3):
        places = np.full(3, place, "int32")
        kept = model({"x": X[:, place : place + 1], "position": places, **kept})
        np.testing.assert_allclose(kept.pop("y"), whole[:, place : place + 1], atol=1e-5)


@pytest.mark.promise("Where positions are known")
@pytest.mark.parametrize(
    "change, message",
    [
        ({"cache": 3}, "a cache of shapes .*int"),
        ({"cache": {"key": X}}, "a cache of shapes"),
        ({"rows": 2}, r"'key': \(3, 2, length, 4\).*make a cache by `layer.init_cache"),
        ({"position": 11}, "at most 12 positions.*received 11 . 2"),
        ({"position": 1.5}, "a whole number.*float32"),
        ({"position": np.array([1, 2])}, "one for each of 3 rows"),
        ({"attention_mask": np.ones((3, 2, 2))}, "masks or segments"),
        ({"segment_ids": np.ones((3, 2), int)}, "masks or segments"),
        ({"value": X}, "queries of length 2, keys of length 12"),
    ],
)
def test_what_does_not_fit(change, message):
    layer = made()
    call = {"query": X[:, :2], "value": X[:, :2], "position": 0} | change
    call.setdefault("cache", layer.init_cache(call.pop("rows", 3), LENGTH))
    with pytest.raises(ValueError, match=message):
        layer(call.pop("query"), call.pop("value"), **call)


def test_what_has_no_cache():
    grid = X.reshape(3, 3, 4, 8)
    layer = MAKERS["heads"]()
    with pytest.raises(ValueError, match="an input of shape"):
        layer(grid, grid, cache=layer.init_cache(3, LENGTH))

    class Own(layers.MultiHeadAttention):
        def _compute_attention(self, query, key, value, *args, **kwargs):
            return value, None

    layer = Own(2, 4)
    with pytest.raises(ValueError, match="`_compute_attention` of a subclass"):
        layer(X, X, cache=layer.init_cache(3, LENGTH))
