"""MixtureOfExperts beside a loop over tokens and experts in numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.distribution.cuts import Cuts
from jkeras.layers import routing

EXPERTS, WIDTH, INNER = 5, 6, 7
RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 8, WIDTH)).astype("float32")


def silu(x):
    return x / (1 + np.exp(-x))


def softmax(x):
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def weights_of(params):
    return {name: np.asarray(value, "float64") for name, value in params.items()}


def network(w, number, x):
    """One expert on one token."""

    def through(name, x):
        return x @ w[name][number] + w.get(f"{name}_bias", np.zeros(EXPERTS))[number]

    inner = through("expert_up", x)
    if "expert_gate" in w:
        inner = silu(through("expert_gate", x)) * inner
    else:
        inner = silu(inner)
    return through("expert_down", inner)


def by_hand(params, x, top_k, normalizes=True, capacity=None, mask=None):
    """Token by token: first choices of all tokens of a row before their second ones."""
    w = weights_of(params)
    y = np.zeros(x.shape)
    shares = softmax(np.asarray(x, "float64") @ w["router"])
    order = np.argsort(-shares, axis=-1, kind="stable")[..., :top_k]
    for row in range(len(x)):
        free = np.full(EXPERTS, np.inf if capacity is None else capacity)
        for choice in range(top_k):
            for token in range(x.shape[1]):
                if mask is not None and not mask[row, token]:
                    continue
                number = order[row, token, choice]
                taken = shares[row, token, order[row, token]]
                weight = taken[choice] / (taken.sum() if normalizes else 1)
                if free[number] >= 1:
                    free[number] -= 1
                    y[row, token] += weight * network(w, number, x[row, token])
    return y


def made(**options):
    layer = layers.MixtureOfExperts(EXPERTS, INNER, **options)
    params, state = layer.init(jax.random.key(1), X)
    noisy = {k: v + 0.3 * RNG.normal(size=v.shape).astype("float32") for k, v in params.items()}
    return layer, noisy, state


OPTIONS = [
    {},
    {"top_k": 1, "normalize_weights": False},
    {"top_k": 5},
    {"top_k": 3, "gated": False, "use_bias": True},
    {"use_bias": True, "normalize_weights": False},
]


@pytest.mark.promise("Without a `capacity_factor` no token is dropped")
@pytest.mark.promise("a router gives each token to the `top_k` networks")
@pytest.mark.parametrize("factor", [None, 0.5, 1.0, 100.0])
@pytest.mark.parametrize("options", OPTIONS)
def test_as_by_hand(options, factor):
    layer, params, state = made(capacity_factor=factor, **options)
    y, _ = jax.jit(layer.apply)(params, state, X)
    capacity = None
    if factor is not None:
        capacity = routing.capacity_of(X.shape[1], layer.top_k, EXPERTS, factor)
    expected = by_hand(params, X, layer.top_k, layer.normalize_weights, capacity)
    np.testing.assert_allclose(y, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("factor", [None, 1.0])
def test_padding_takes_no_expert(factor):
    """It gets 0, and leaves experts to others."""
    mask = RNG.random((3, 8)) > 0.4
    layer, params, state = made(capacity_factor=factor)
    capacity = None if factor is None else routing.capacity_of(8, 2, EXPERTS, factor)
    y, _ = layer.apply(params, state, X, mask=mask)
    expected = by_hand(params, X, 2, capacity=capacity, mask=mask)
    np.testing.assert_allclose(y, expected, rtol=2e-5, atol=2e-5)


def test_gradients_are_those_of_the_loop_over_experts():
    layer, params, state = made(top_k=2, use_bias=True)
    everything = layers.MixtureOfExperts(EXPERTS, INNER, top_k=2, use_bias=True, capacity_factor=99)

    def dense(params, x):
        """All experts on all tokens."""
        shares = jax.nn.softmax(x @ params["router"])
        best, chosen = jax.lax.top_k(shares, 2)
        best = best / best.sum(-1, keepdims=True)
        total = 0.0
        for number in range(EXPERTS):
            up, gate = (
                x @ params[f"expert_{name}"][number] + params[f"expert_{name}_bias"][number]
                for name in ("up", "gate")
            )
            inner = jax.nn.silu(gate) * up
            y = inner @ params["expert_down"][number] + params["expert_down_bias"][number]
            total += (best * (chosen == number)).sum(-1, keepdims=True) * y
        return total

    def gradient(function):
        return jax.grad(lambda params, x: (function(params, x) ** 2).sum(), argnums=(0, 1))

    expected = gradient(dense)(params, X)
    for one in (layer, everything):
        found = gradient(lambda params, x, one=one: one.apply(params, state, x)[0])(params, X)
        for a, b in zip(*map(jax.tree_util.tree_leaves, (found, expected))):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


# ---------------------------------------------------------------- losses


@pytest.mark.promise("In training it adds the load balancing loss of Switch Transformers")
def test_losses_in_closed_form():
    scores = RNG.normal(size=(2, 6, EXPERTS)).astype("float32")
    counts = np.array([[1, 1, 1, 1, 0, 0], [1] * 6], bool)
    found = routing.routes(jnp.asarray(scores), 2, True, jnp.asarray(counts))
    shares = softmax(scores.astype("float64"))[counts]
    chosen = np.argsort(-shares, axis=-1)[:, :2]
    taken = np.stack([(chosen == number).mean(-1) for number in range(EXPERTS)], -1)
    expected = EXPERTS * (taken.mean(0) * shares.mean(0)).sum()
    np.testing.assert_allclose(routing.load_balancing_loss(found), expected, rtol=1e-5)
    sums = np.log(np.exp(scores.astype("float64")).sum(-1))[counts]
    np.testing.assert_allclose(routing.router_z_loss(found), (sums**2).mean(), rtol=1e-5)


def test_they_are_added_in_training_alone():
    layer, params, state = made(load_balancing_loss=0.5, router_z_loss=0.25)
    model = jkeras.Sequential([jkeras.Input((8, WIDTH)), layer])
    model(X, training=False)
    assert not model.losses
    model(X, training=True)
    found = routing.routes(jnp.asarray(X @ np.asarray(layer.weights[0])), 2, True)
    expected = 0.5 * routing.load_balancing_loss(found) + 0.25 * routing.router_z_loss(found)
    np.testing.assert_allclose(sum(model.losses), expected, rtol=1e-5)
    silent, *_ = made(load_balancing_loss=0.0)
    assert not jkeras.Sequential([silent]).losses


def test_experts_become_equally_busy():
    """What the loss is for: one expert has all tokens at first."""
    layer = layers.MixtureOfExperts(4, 8, top_k=1, load_balancing_loss=1.0)
    model = jkeras.Sequential([jkeras.Input((16, WIDTH)), layer])
    model.compile(jkeras.optimizers.Adam(0.03), "mse")
    x = RNG.normal(size=(64, 16, WIDTH)).astype("float32") + 1
    router = np.zeros((WIDTH, 4), "float32")
    router[:, 0] = 1
    layer.weights[0].assign(router)

    def shares():
        scores = jnp.asarray(x @ np.asarray(layer.weights[0]))
        chosen = routing.routes(scores, 1, True).experts
        return np.bincount(np.ravel(chosen), minlength=4) / chosen.size

    assert shares().max() > 0.95
    model.fit(x, np.zeros_like(x), epochs=20, batch_size=16, verbose=0)
    assert shares().max() < 0.5


# ---------------------------------------------------------------- as any layer


@pytest.mark.parametrize("factor", [None, 1.0])
def test_inputs_of_rank_two_and_four(factor):
    layer, params, state = made(capacity_factor=factor)
    flat, _ = layer.apply(params, state, X[0])
    row, _ = layer.apply(params, state, X[:1])
    np.testing.assert_allclose(flat, row[0], rtol=1e-5, atol=1e-6)
    whole, _ = layer.apply(params, state, X.reshape(1, 3, 8, WIDTH))
    rows, _ = layer.apply(params, state, X)
    np.testing.assert_allclose(whole[0], rows, rtol=1e-5, atol=1e-6)


def test_the_router_computes_in_float32():
    layer = layers.MixtureOfExperts(EXPERTS, INNER, dtype="mixed_bfloat16")
    params, state = layer.init(0, X)
    text = str(jax.make_jaxpr(lambda params, x: layer.apply(params, state, x))(params, X))
    assert f"f32[3,8,{EXPERTS}] = dot_general" in text and "bf16" in text
    assert layer.apply(params, state, X)[0].dtype == "bfloat16"


def test_each_expert_begins_as_a_network_alone():
    layer = layers.MixtureOfExperts(EXPERTS, 400, kernel_initializer="glorot_uniform")
    params, _ = layer.init(0, np.ones((1, 200), "float32"))
    limit = np.sqrt(6 / (200 + 400))
    for kernel in (params["expert_up"], params["expert_down"]):
        assert 0.95 * limit < np.abs(kernel).max() <= limit
    assert np.abs(params["expert_up"][0] - params["expert_up"][1]).max() > 0.1 * limit


@pytest.mark.parametrize("factor", [None, 1.5])
def test_saving_stacks_and_training(tmp_path, factor):
    block = layers.MixtureOfExperts(4, 8, capacity_factor=factor)
    model = jkeras.Sequential([jkeras.Input((8, WIDTH)), layers.Stack(block, 2), layers.Dense(1)])
    model.compile("adam", "mse")
    history = model.fit(X, X[..., :1], epochs=30, verbose=0).history["loss"]
    assert history[-1] < history[0]
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = jkeras.saving.load_model(path)
    np.testing.assert_array_equal(model.predict(X, verbose=0), loaded.predict(X, verbose=0))
    assert loaded.layers[0].layer.capacity_factor == factor


def test_vmap_over_weights():
    layer, params, state = made()
    two = jax.tree_util.tree_map(lambda v: jnp.stack([v, 2 * v]), params)
    many = jax.vmap(lambda params: layer.apply(params, state, X)[0])(two)
    for number in range(2):
        one = jax.tree_util.tree_map(lambda v, number=number: v[number], two)
        np.testing.assert_allclose(
            many[number], layer.apply(one, state, X)[0], rtol=1e-4, atol=1e-5
        )


def test_rows_do_not_meet_where_the_last_batch_is_filled_up():
    """With losses over the batch, or experts that rows of features share, padding would count."""
    x = RNG.normal(size=(10, WIDTH)).astype("float32")
    for options in ({}, {"capacity_factor": 0.5}):
        jkeras.utils.set_random_seed(0)
        model = jkeras.Sequential([layers.MixtureOfExperts(3, 4, **options)])
        model.compile("sgd", "mse")
        model.build((None, WIDTH))
        losses = []
        for start in range(0, 10, 4):
            part = x[start : start + 4]
            losses += [model.evaluate(part, 0 * part, verbose=0)] * len(part)
        found = model.evaluate(x, 0 * x, batch_size=4, verbose=0)
        np.testing.assert_allclose(found, np.mean(losses), rtol=1e-5)
        whole = [model.predict(x[i : i + 4], verbose=0) for i in range(0, 10, 4)]
        found = model.predict(x, batch_size=4, verbose=0)
        np.testing.assert_allclose(found, np.concatenate(whole), rtol=1e-5, atol=1e-6)


def test_texts_with_a_cache_are_those_without():
    tokens = jkeras.Input((None,), dtype="int32")
    x = layers.Embedding(11, WIDTH)(tokens)
    x = x + layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True)
    moe = layers.MixtureOfExperts(4, 8)
    outputs = layers.Dense(11)(x + moe(x))
    model = jkeras.Model(tokens, outputs)
    prompts = np.array([[1, 2, 3], [4, 5, 6]], "int32")
    found = np.asarray(model.generate(prompts, max_length=9))
    texts = prompts
    while texts.shape[1] < 9:
        logits = np.asarray(model(texts))[:, -1]
        texts = np.concatenate([texts, logits.argmax(-1)[:, None]], axis=1).astype("int32")
    np.testing.assert_array_equal(found, texts)


@pytest.mark.parametrize(
    "options",
    [
        {"num_experts": 0},
        {"top_k": 6},
        {"top_k": 0},
        {"hidden_dim": 2.5},
        {"capacity_factor": 0},
        {"capacity_factor": -1.0},
        {"load_balancing_loss": float("nan")},
    ],
)
def test_wrong_arguments(options):
    with pytest.raises(ValueError, match=f"MixtureOfExperts.*{next(iter(options))}"):
        layers.MixtureOfExperts(**{"num_experts": EXPERTS, "hidden_dim": INNER, **options})


@pytest.mark.promise("weights of the experts of `MixtureOfExperts`")
def test_experts_are_cut_over_devices():
    cuts = Cuts(parts=4, min_size=1)
    assert cuts.of("net/moe/expert_up", (8, 64, 256)).axis == 0
    assert cuts.of("net/moe/expert_down_bias", (8, 64)).axis == 0
    assert cuts.of("net/stack/moe_expert_gate", (12, 8, 64, 256)).axis == 1
    assert cuts.of("net/moe/expert_up", (6, 64, 256)).axis == 2  # six are no multiple of four
