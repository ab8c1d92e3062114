"""Transposed copies of matrices: the same texts, by the weights of now, where there is memory."""

import gc
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jkeras
from jkeras import generation, layers
from jkeras.generation import packing
from jkeras.generation.packing import Packed, Packing
from jkeras.programs.matrices import matrices_of, with_products

CONFIG = {
    "model_type": "llama",
    "vocab_size": 30,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
PROMPTS = np.random.default_rng(0).integers(1, 30, (3, 5)).astype("int32")


@pytest.fixture(autouse=True)
def small_matrices(monkeypatch):
    monkeypatch.setattr(packing, "SMALLEST", 64)


def llama():
    return jkeras.models.LanguageTransformer(CONFIG)


def attention():
    tokens = jkeras.Input((None,), dtype="int32")
    x = layers.Embedding(30, 16)(tokens)
    x = x + layers.MultiHeadAttention(2, 8)(x, x, use_causal_mask=True)
    return jkeras.Model(tokens, layers.Dense(30)(layers.LayerNormalization()(x)))


class Block(layers.Layer):
    supports_cache = True

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm, self.attention = layers.LayerNormalization(), layers.MultiHeadAttention(2, 8)
        self.up = layers.Dense(16, activation="tanh")

    def call(self, x):
        h = self.norm(x)
        h = x + self.attention(h, h, use_causal_mask=True)
        return h + self.up(h)


def stacked():
    tokens = jkeras.Input((None,), dtype="int32")
    x = layers.Stack(Block(), 2)(layers.Embedding(30, 16)(tokens))
    return jkeras.Model(tokens, layers.Dense(30)(x))


MODELS = {"llama": llama, "attention": attention, "stacked": stacked}


def written(model, prompts=PROMPTS, **options):
    return np.asarray(model.generate(prompts, max_new_tokens=9, **options))


def packed_matrices(model):
    """How many copies lie on a model."""
    found = getattr(model, "_generators", {}).values()
    return sum(len(one._copies.matrices) for one in found if isinstance(one, Packing))


@pytest.mark.promise("The texts are the same")
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("kind", MODELS)
def test_texts_are_those_without_copies(kind, rows, monkeypatch):
    model = MODELS[kind]()
    with_copies = written(model, PROMPTS[:rows], logprobs=0)
    assert packed_matrices(model) > 0
    monkeypatch.setattr(packing, "SMALLEST", 10**9)
    model.set_untracked(_generators={})
    without = written(model, PROMPTS[:rows], logprobs=0)
    assert packed_matrices(model) == 0
    for one, other in zip(with_copies.tolist(), without.tolist()):
        np.testing.assert_array_equal(one.tokens, other.tokens)
        np.testing.assert_allclose(one.logprobs, other.logprobs, atol=1e-5)


@pytest.mark.promise("Copies are made anew where the weights are others")
def test_texts_are_by_the_weights_of_now():
    model, other = llama(), llama()
    written(model)
    other.set_weights([w + 0.1 * np.sin(np.arange(w.size)).reshape(w.shape) for w in other.weights])
    model.set_weights(other.get_weights())
    np.testing.assert_array_equal(written(model), written(other))
    model.compile("sgd", jkeras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(PROMPTS, np.roll(PROMPTS, -1, 1), epochs=2, verbose=0)
    other.set_weights(model.get_weights())
    np.testing.assert_array_equal(written(model), written(other))


def test_weights_that_get_other_parts():
    model = attention()
    written(model)
    head = model.layers[-1]
    head.enable_lora(2)
    head.lora_kernel_b.assign(np.random.default_rng(1).normal(size=(2, 30)))
    text = PROMPTS
    for _ in range(9):
        last = np.asarray(model(text))[:, -1].argmax(-1)
        text = np.concatenate([text, last[:, None].astype("int32")], axis=1)
    np.testing.assert_array_equal(written(model), text)


@pytest.mark.promise("where these take no more than a quarter of the free memory")
def test_without_memory_there_are_no_copies(monkeypatch):
    model = llama()
    size = sum(v.nbytes for v in jax.tree_util.tree_leaves(model.params))
    monkeypatch.setattr(packing, "free_on_host", lambda: size)
    written(model)
    assert packed_matrices(model) == 0
    monkeypatch.setattr(packing, "free_on_host", lambda: None)  # it is not known
    written(model)
    assert packed_matrices(model) == 0


def test_copies_do_not_hold_the_weights():
    model = llama()
    written(model)
    model.set_weights([0 * w for w in model.get_weights()])
    (one,) = [p for p in model._generators.values() if isinstance(p, Packing)]
    gc.collect()
    assert one._copies.of and all(ref() is None for ref in one._copies.of)


def test_a_server_writes_what_generate_writes():
    model = llama()
    wanted = written(model)
    generator = generation.Generator(model, max_length=14)
    with generation.Server(generator, slots=4) as server:
        assert packed_matrices(model) > 0
        requests = [server.submit(prompt) for prompt in PROMPTS]
        for request, text in zip(requests, wanted):
            np.testing.assert_array_equal(request.result().tokens, text)


def test_two_threads_with_other_weights():
    model = llama()
    trees = [jax.tree_util.tree_map(lambda x, k=k: x + k, model.params) for k in (0.0, 1.0)]
    generator = generation.Generator(model, max_length=14)
    generator.limits.find(model.params, model.state, 1)
    wrong = []

    def look(params):
        for _ in range(40):
            found = generator.packed(params, model.state)
            leaves = jax.tree_util.tree_leaves(params)
            if isinstance(found, Packed):
                for number, matrix in found.matrices.items():
                    if not np.array_equal(matrix, leaves[number].reshape(len(matrix.T), -1).T):
                        wrong.append(number)

    threads = [threading.Thread(target=look, args=(params,)) for params in trees]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# ---------------------------------------------------------------- products


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 128), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1e-4, 1, 1e4]))
def test_a_product(rows, width, outputs, scale):
    rng = np.random.default_rng(rows)
    x, w = rng.normal(size=(rows, width)), scale * rng.normal(size=(width, outputs))
    x, w = x.astype("float32"), w.astype("float32")
    found = jax.jit(packing.product)(x, jnp.asarray(w.T))
    np.testing.assert_allclose(found, x @ w, rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.parametrize("rows", [1, 129])
def test_a_product_of_one_row_or_many_is_xlas_own(rows):
    assert packing.product(jnp.ones((rows, 3)), jnp.ones((4, 3))) is None


def test_matrices_of_a_program():
    x, w, square = jnp.ones((2, 3)), jnp.ones((3, 4)), jnp.ones((4, 4))

    @jax.custom_jvp
    def product(x, w):
        return x @ w

    product.defjvp(lambda given, tangents: (given[0] @ given[1], tangents[0]))

    def run(x, w, square, bias, table):
        h = jax.jit(product)(x, w) + bias
        h = jax.lax.scan(lambda h, _: (h @ square, None), h, length=2)[0]
        return jax.nn.relu(h) @ table.T + (x * x).sum()

    program = jax.make_jaxpr(run)(x, w, square, jnp.ones(4), jnp.ones((5, 4)))
    assert matrices_of(program) == {1}  # that of a scan, and one that is transposed, are none
    inputs = [x, w, square, jnp.ones(4), jnp.ones((5, 4))]
    asked = []

    def twice(rows, stand):
        asked.append(stand)
        return 2 * rows @ w

    (found,) = with_products(program, inputs, [None, "w", None, None, None], twice)
    assert asked == ["w"]
    wanted = run(x, 2 * w, *inputs[2:])
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
