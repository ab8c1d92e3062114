"""Attention layers with `segment_ids`: what the mask of the same segments gives, without one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.ops.kernels import traced_for

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 6, 8)).astype("float32")
IDS = np.array([[1, 1, 2, 2, 2, 0], [1, 1, 1, 1, 2, 2]])
SAME = IDS[:, :, None] == IDS[:, None, :]
MAKERS = {
    "heads": lambda **options: layers.MultiHeadAttention(2, 4, **options),
    "groups": lambda **options: layers.GroupQueryAttention(4, 4, 2, **options),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("causal", [False, True])
def test_as_the_mask(make, causal):
    layer = make()
    expected = layer(X, X, attention_mask=SAME, use_causal_mask=causal)
    fused = layer(X, X, segment_ids=IDS, use_causal_mask=causal)
    explicit, scores = layer(
        X, X, segment_ids=IDS, use_causal_mask=causal, return_attention_scores=True
    )
    np.testing.assert_allclose(fused, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(explicit, expected, rtol=1e-5, atol=1e-6)
    assert np.all(np.asarray(scores)[np.broadcast_to(~SAME[:, None], scores.shape)] == 0)


def test_a_pair_for_query_and_key():
    layer = MAKERS["heads"]()
    sources = IDS[:, 1:5]
    mask = IDS[:, :, None] == sources[:, None, :]
    y = layer(X, X[:, 1:5], segment_ids=(IDS, sources))
    expected = layer(X, X[:, 1:5], attention_mask=mask)
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)


def test_with_the_mask_of_an_embedding():
    tokens = np.array([[3, 1, 2, 4, 0, 0]])
    ids = np.array([[1, 1, 2, 2, 2, 2]])
    embedding, layer = layers.Embedding(5, 8, mask_zero=True), MAKERS["heads"]()
    x = embedding(tokens)
    seen = (ids[:, :, None] == ids[:, None, :]) & (tokens != 0)[:, None, :]
    expected = layer(np.asarray(x), np.asarray(x), attention_mask=seen)
    y = layer(x, x, segment_ids=ids)
    np.testing.assert_allclose(y[:, :4], expected[:, :4], rtol=1e-6, atol=1e-6)


def test_saved_in_a_graph():
    x, ids = jkeras.Input((6, 8)), jkeras.Input((6,), dtype="int32")
    model = jkeras.Model([x, ids], MAKERS["heads"]()(x, x, segment_ids=ids))
    again = jkeras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again([X, IDS]), model([X, IDS]))
    assert not np.allclose(model([X, IDS]), model([X, np.ones_like(IDS)]))


@pytest.mark.promise("Splash on TPUs and ring")
def test_in_the_kernel():
    """On a TPU: the fused kernel, also for a segment of the query that no source belongs to."""
    layer, length = layers.GroupQueryAttention(8, 2, 1), 600
    x = jnp.asarray(RANDOM.normal(size=(1, length, 8)), "float32")
    layer.build(x.shape, x.shape)
    of_query = jnp.asarray(np.sort(RANDOM.integers(0, 4, (1, length))))
    of_key = jnp.where(of_query == 2, 1, of_query)

    def call():  # another function each time, since JAX keeps what it traced
        return jax.jit(lambda x: layer(x, x, segment_ids=(of_query, of_key)))

    expected = call()(x)
    with traced_for("interpreter"):
        assert "pallas_call" in str(jax.make_jaxpr(call())(x))
        np.testing.assert_allclose(call()(x), expected, rtol=1e-4, atol=1e-5)


class Block(layers.Layer):
    """A block of a stack that looks at segments."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attention = layers.MultiHeadAttention(2, 4)

    def call(self, x, segment_ids=None):
        return x + self.attention(x, x, segment_ids=segment_ids, use_causal_mask=True)


@pytest.mark.promise("`Stack` hands them on to")
@pytest.mark.parametrize("remat", [False, True])
def test_in_a_stack(remat):
    stack = layers.Stack(Block(), 3, remat=remat)
    y = stack(X, segment_ids=IDS)
    expected = X
    for number in range(3):
        block = Block()
        block(X)
        block.set_weights([np.asarray(w)[number] for w in stack.weights])
        expected = block(expected, segment_ids=IDS)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="a block whose call takes `segment_ids`.*Dense"):
        layers.Stack(layers.Dense(8), 2)(X, segment_ids=IDS)


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (IDS[0], r"whole numbers \(batch, time\)"),
        (IDS.astype("float32"), "float32"),
        (IDS[:, :5], r"pair `segment_ids=\(of_query, of_key\)`"),
    ],
)
def test_ids_that_do_not_fit(ids, words):
    with pytest.raises(ValueError, match=words):
        MAKERS["heads"]()(X, X, segment_ids=ids)
