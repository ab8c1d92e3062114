"""Adapters as values: `init`, `apply`, `merge`, several at once, kernels in few bits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, lora
from tests.lora.models import (
    FAMILIES,
    IDS,
    X,
    assert_within_a_millionth,
    changing,
    inputs_of,
    with_attention,
    with_dense,
)

LETTERS = {
    "query_dense": "iz,zhs->ihs",
    "key_dense": "iz,zhs->ihs",
    "value_dense": "iz,zhs->ihs",
    "output_dense": "hsz,zo->hso",
}


@pytest.mark.parametrize("make", FAMILIES)
def test_a_new_adapter_changes_nothing(make):
    model = make()
    x = inputs_of(model)
    adapter = lora.init(lora.kernels(model), 2, 0)
    params = lora.apply(model.params, adapter)
    np.testing.assert_array_equal(model.apply(params, model.state, x)[0], model(x))


@pytest.mark.promise("A kernel stays as it is")
def test_the_change_of_a_dense_kernel():
    model = with_dense()
    adapter = changing(model, rank=2, alpha=3.0)
    pair = adapter.matrices["dense/kernel"]
    changed = lora.merge(model.params, adapter)["dense"]["kernel"]
    expected = model.params["dense"]["kernel"] + 1.5 * np.asarray(pair["a"]) @ np.asarray(pair["b"])
    np.testing.assert_allclose(changed, expected, atol=1e-6)


@pytest.mark.promise("`lora.init` makes an adapter")
def test_the_changes_of_attention():
    model = with_attention()
    adapter = changing(model, rank=2, alpha=2.0)
    before, after = model.params, lora.merge(model.params, adapter)
    for name, letters in LETTERS.items():
        path = f"multi_head_attention/{name}/kernel"
        pair = adapter.matrices[path]
        kernels = (tree["multi_head_attention"][name]["kernel"] for tree in (after, before))
        change = np.subtract(*kernels)
        np.testing.assert_allclose(change, np.einsum(letters, pair["a"], pair["b"]), atol=1e-6)


@pytest.mark.parametrize("make", FAMILIES)
def test_merged_is_unmerged(make):
    model = make()
    x = inputs_of(model)
    adapter = changing(model)
    unmerged = jax.jit(
        lambda adapter: model.apply(lora.apply(model.params, adapter), model.state, x)[0]
    )(adapter)
    without = model(x)
    model.params = lora.merge(model.params, adapter)
    assert_within_a_millionth(model(x), unmerged)
    assert np.abs(unmerged - without).max() > 0.01


def test_first_values_are_those_of_peft():
    shapes = {"dense": {"kernel": jax.ShapeDtypeStruct((100, 50), "float32")}}
    pair = lora.init(shapes, 8, 0).matrices["dense/kernel"]
    limit = np.sqrt(6 / ((1 + 5) * 100))  # kaiming_uniform(a=sqrt(5)) of 100 inputs
    assert np.abs(pair["a"]).max() <= limit and np.abs(pair["a"]).max() > 0.97 * limit
    assert not np.any(pair["b"])


@pytest.mark.promise("Both are pure, so an adapter")
def test_the_gradient_follows_from_that_of_the_kernel():
    model = with_dense()
    adapter = changing(model, rank=2, alpha=3.0)
    x = inputs_of(model)

    def loss(params):
        return jnp.sum(model.apply(params, model.state, x)[0] ** 2)

    found = jax.grad(lambda adapter: loss(lora.apply(model.params, adapter)))(adapter)
    kernel = jax.grad(loss)(lora.merge(model.params, adapter))["dense"]["kernel"]
    pair = adapter.matrices["dense/kernel"]
    expected = {"a": 1.5 * kernel @ pair["b"].T, "b": 1.5 * pair["a"].T @ kernel}
    for name, value in expected.items():
        np.testing.assert_allclose(
            found.matrices["dense/kernel"][name], value, rtol=1e-4, atol=1e-3
        )


@pytest.mark.promise("Both are pure, so an adapter")
@pytest.mark.parametrize("make", [with_dense, with_attention])
def test_several_adapters_at_once(make):
    model = make()
    x = inputs_of(model)
    adapters = [changing(model, seed=seed) for seed in range(3)]

    def outputs(adapter):
        return model.apply(lora.apply(model.params, adapter), model.state, x)[0]

    together = jax.vmap(outputs)(jax.tree.map(lambda *v: jnp.stack(v), *adapters))
    for one, adapter in zip(together, adapters):
        assert_within_a_millionth(one, outputs(adapter))


# ---------------------------------------------------------------- what gets a change


@pytest.mark.promise("One argument of `compile` says")
def test_ranks_by_pattern():
    model = with_attention()
    spec = {".*query.*kernel": 4, ".*kernel": 1}
    ranks = lora.init(lora.kernels(model), spec, 0).ranks
    assert ranks["multi_head_attention/query_dense/kernel"] == 4
    assert sorted(ranks.values()) == [1, 1, 1, 4]


@pytest.mark.parametrize(
    "spec, words",
    [
        ({"dense/kernle": 2}, "which fits no path.*dense/kernel"),
        ({"dense/.*": 2}, "fits 'dense/bias' too.*end in `kernel`"),
        ({"dense/kernel": 0}, "a rank of 1 or more"),
    ],
)
def test_what_cannot_be(spec, words):
    with pytest.raises(ValueError, match=words):
        lora.init(with_dense().params, spec, 0)


def test_an_adapter_of_another_model():
    adapter = changing(with_attention())
    with pytest.raises(
        ValueError, match="expected a kernel at 'multi_head_attention.*received none"
    ):
        lora.apply(with_dense().params, adapter)
    other = jkeras.Sequential([jkeras.Input((5, 7)), layers.Dense(16), layers.Dense(8)])
    with pytest.raises(ValueError, match=r"shape \(7, 16\) at 'dense/kernel'"):
        lora.apply(other.params, changing(with_dense()))


@pytest.mark.promise("LoRA | its own parameters")
def test_rank_8_is_below_a_hundredth_of_a_large_model():
    shapes = {
        f"block_{i}": {"kernel": jax.ShapeDtypeStruct((4096, 4096), "float32")} for i in (1, 2)
    }
    adapter = jax.eval_shape(lambda key: lora.init(shapes, 8, key), jax.random.key(0))
    assert adapter.nbytes < 0.01 * 2 * 4096 * 4096 * 4


# ---------------------------------------------------------------- kernels in few bits


LAYERS = {
    "dense": lambda: layers.Dense(6),
    "heads": lambda: layers.EinsumDense("abc,cde->abde", (5, 2, 4)),
    "output of heads": lambda: layers.EinsumDense("abc,bcd->ad", (4,), bias_axes="d"),
    "embedding": lambda: layers.Embedding(20, 6),
    "reversible embedding": lambda: layers.ReversibleEmbedding(20, 6),
}


@pytest.mark.promise("`lora.init` makes an adapter")
@pytest.mark.parametrize("mode", ["int8", "int4"])
@pytest.mark.parametrize("name", LAYERS)
def test_beside_kernels_in_few_bits(name, mode):
    """A layer in few bits adds to its output what the change adds in floats."""
    x = IDS if "embedding" in name else X
    layer = LAYERS[name]()
    layer(x)
    adapter = changing(layer)
    float_params = lora.apply(layer.params, adapter)
    change = layer.apply(float_params, layer.state, x)[0] - layer(x)
    layer.quantize(mode)
    params = lora.apply(layer.params, adapter, layer.state)
    y, _ = jax.jit(layer.apply)(params, layer.state, x)
    np.testing.assert_allclose(y - layer(x), change, atol=2e-5)


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_the_way_back_of_an_embedding_in_few_bits(mode):
    layer = layers.ReversibleEmbedding(20, 8)
    layer(IDS)
    adapter = changing(layer)
    floats = lora.apply(layer.params, adapter)
    change = layer.apply(floats, layer.state, X, reverse=True)[0] - layer(X, reverse=True)
    layer.quantize(mode)
    params = lora.apply(layer.params, adapter, layer.state)
    y, _ = layer.apply(params, layer.state, X, reverse=True)
    np.testing.assert_allclose(y - layer(X, reverse=True), change, atol=2e-5)


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")
def test_attention_in_eight_bits_is_near_floats():
    model = with_attention()
    x = inputs_of(model)
    adapter = changing(model)
    expected = model.apply(lora.apply(model.params, adapter), model.state, x)[0]
    without = model(x)
    model.quantize("int8")
    y = model.apply(lora.apply(model.params, adapter, model.state), model.state, x)[0]
    assert np.abs(y - expected).max() < 0.05 * np.abs(without - expected).max()


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")
def test_kernels_in_few_bits_are_not_merged():
    model = with_dense()
    adapter = changing(model)
    model.quantize("int4")
    with pytest.raises(ValueError, match="expected float kernels, received none at 'dense/kernel'"):
        lora.merge(model.params, adapter)
    with pytest.raises(ValueError, match="its `state` too"):
        lora.apply(model.params, adapter)
