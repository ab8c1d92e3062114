"""Relevance through attention and normalization, by the rules of AttnLRP (Achtibat et al. 2024,
arXiv:2402.05602): their closed forms, what each of them keeps, and whole blocks beside lxt.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import explain, layers
from jkeras.kernel import tree

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(3, 4, 6)).astype("float32")
WEIGHTS = RANDOM.normal(size=(4, 6)).astype("float32")


def summed(function):
    """The score that adds up what a function gives with weights: the relevance of each output is
    what it adds.
    """
    return lambda x: (function(x) * WEIGHTS).sum((1, 2))[:, None]


def relevance(function, x=X, **options):
    return explain.lrp(summed(function), x, epsilon=1e-12, **options)


def close(ours, wanted, tolerance=1e-5):
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


SOFTMAXES = {
    "jax": lambda x: jax.nn.softmax(x),
    "by hand": lambda x: jnp.exp(x) / jnp.exp(x).sum(-1, keepdims=True),
    "layer": lambda x: layers.Softmax()(x),
    "precision": lambda x: jax.nn.softmax(x.astype("float32") * 2.0).astype("float32"),
}


@pytest.mark.promise("`lrp` goes through attention")
@pytest.mark.parametrize("name", SOFTMAXES)
def test_softmax_by_its_slope(name):
    """Proposition 3.1: `x (R - s sum(R))`."""
    s = np.asarray(SOFTMAXES[name](X))
    given = s * WEIGHTS
    logits = 2 * X if name == "precision" else X
    close(relevance(SOFTMAXES[name]), logits * (given - s * given.sum(-1, keepdims=True)))


def test_softmax_over_other_axes_and_with_a_mask():
    s = np.asarray(jax.nn.softmax(X, (1, 2)))
    given = s * WEIGHTS
    wanted = X * (given - s * given.sum((1, 2), keepdims=True))
    close(relevance(lambda x: jax.nn.softmax(x, (1, 2))), wanted)
    mask = np.arange(6) < 4
    s = np.asarray(jax.nn.softmax(X[..., :4]))
    given = s * WEIGHTS[:, :4]
    wanted = X[..., :4] * (given - s * given.sum(-1, keepdims=True))
    for masked in (
        lambda x: jax.nn.softmax(jnp.where(mask, x, -jnp.inf)),
        lambda x: jax.nn.softmax(x + jnp.where(mask, 0.0, -1e9)),
        lambda x: jax.nn.softmax(x, where=mask),
    ):
        ours = relevance(masked)
        close(ours[..., :4], wanted)
        assert not ours[..., 4:].any()


def test_a_sum_along_other_axes_is_no_softmax():
    """Of a square matrix both have one shape."""
    square = X[:, :4, :4]
    other = lambda x: jnp.exp(x) / jnp.exp(x).sum(1)[:, :, None]  # noqa: E731
    with pytest.raises(ValueError, match="a rule for, received `div`"):
        explain.lrp(lambda x: other(x).sum(1), square, 0)
    different = lambda x: jnp.exp(x) / jnp.exp(2 * x).sum(-1, keepdims=True)  # noqa: E731
    with pytest.raises(ValueError, match="a rule for, received `div`"):
        explain.lrp(lambda x: different(x).sum(1), square, 0)


@pytest.mark.promise("a product of two values that both depend on")
def test_products_are_divided_evenly():
    """Propositions 3.2 and 3.3: of two factors each has a half, and nothing is lost."""
    a, b = RANDOM.normal(size=(3, 4, 5)), RANDOM.normal(size=(3, 5, 6))
    ours = relevance(lambda x: x["a"] @ x["b"], {"a": np.float32(a), "b": np.float32(b)})
    each = a[:, :, :, None] * b[:, None] * WEIGHTS[None, :, None] / 2
    close(ours["a"], each.sum(3))
    close(ours["b"], each.sum(1))
    gate = RANDOM.normal(size=(3, 4, 6)).astype("float32")
    ours = relevance(lambda x: jax.nn.silu(x["a"]) * x["b"], {"a": X, "b": gate})
    half = np.asarray(jax.nn.silu(X)) * gate * WEIGHTS / 2
    close(ours["a"], half)
    close(ours["b"], half)


@pytest.mark.parametrize("activation", ["gelu", "silu", "relu", "tanh"])
def test_functions_of_one_number_hand_all_on(activation):
    function = getattr(jkeras.activations, activation)
    close(relevance(function), np.asarray(function(X)) * WEIGHTS)


def normalized(x, axes, mean, epsilon):
    """(what is normalized, its factor)."""
    center = x.mean(axes, keepdims=True) if mean else 0.0
    return x - center, 1 / np.sqrt(((x - center) ** 2).mean(axes, keepdims=True) + epsilon)


NORMS = {
    "LayerNormalization": (lambda: layers.LayerNormalization(epsilon=0.1), True),
    "RMSNormalization": (lambda: layers.RMSNormalization(epsilon=0.1), False),
    "by hand": (
        lambda: layers.Lambda(lambda x: x / jnp.sqrt((x**2).mean(-1, keepdims=True) + 0.1)),
        False,
    ),
    "inverse": (
        lambda: layers.Lambda(lambda x: x * (1 / jnp.sqrt((x * x).mean(-1, keepdims=True) + 0.1))),
        False,
    ),
}


@pytest.mark.promise("a product of two values that both depend on")
@pytest.mark.parametrize("name", NORMS)
def test_norms_are_constants(name):
    """Proposition 3.4: all goes to what is normalized, and nothing is lost."""
    make, mean = NORMS[name]
    layer = make()
    layer(X)
    gamma = RANDOM.normal(size=6).astype("float32")
    for weight in layer.weights:
        if "gamma" in weight.path or "scale" in weight.path:
            weight.assign(gamma)
    has_weights = bool(layer.weights)
    ours = relevance(lambda x: layer(x))
    _, factor = normalized(X, -1, mean, 0.1)
    back = factor * WEIGHTS * (gamma if has_weights else 1.0)
    if mean:
        back = back - back.mean(-1, keepdims=True)
    close(ours, X * back)
    np.testing.assert_allclose(ours.sum((1, 2)), summed(layer)(X)[:, 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "layer", [layers.GroupNormalization(2), layers.UnitNormalization(), layers.GlobalMaxPooling1D()]
)
def test_other_norms_and_pooling_keep_all(layer):
    ours = explain.lrp(lambda x: layer(x).reshape(3, -1), X, 2, epsilon=1e-12)
    y = np.asarray(layer(X)).reshape(3, -1)[:, 2]
    np.testing.assert_allclose(ours.sum((1, 2)), y, rtol=1e-4, atol=1e-6)


def test_a_norm_of_something_else_is_a_factor():
    """It is part of the product then, and half goes to it."""
    function = lambda x: x["a"] * jax.lax.rsqrt((x["b"] ** 2).sum(-1, keepdims=True))  # noqa: E731
    x = {"a": X, "b": RANDOM.normal(size=X.shape).astype("float32")}
    ours = relevance(function, x)
    close(ours["a"], np.asarray(function(x)) * WEIGHTS / 2)


@pytest.mark.promise("`lrp` goes through attention")
@pytest.mark.parametrize("masked", [False, True])
def test_global_pooling_of_texts(masked):
    """What has a mask: only words have a part, and what is pooled has all."""
    texts = np.array([[1, 2, 3, 0], [4, 1, 0, 0], [2, 2, 2, 2]])
    jkeras.utils.set_random_seed(0)
    ids = jkeras.Input((4,), dtype="int32")
    words = layers.Embedding(5, 6, mask_zero=masked, name="words")(ids)
    y = layers.LayerNormalization(center=False)(words)
    y = layers.Dense(6, activation="gelu", use_bias=False)(y)
    y = layers.GlobalAveragePooling1D()(y)
    model = jkeras.Model(ids, layers.Dense(2, use_bias=False)(y))
    ours = explain.lrp(model, texts, 1, at="words", epsilon=1e-12)
    scores = model.predict(texts, verbose=0)[:, 1]
    np.testing.assert_allclose(ours.sum((1, 2)), scores, atol=1e-6)
    assert (not ours[texts == 0].any()) == masked


# ---------------------------------------------------------------- whole blocks


def block(gated, norm):
    """A block of a transformer, with a head."""
    jkeras.utils.set_random_seed(1)
    inputs = jkeras.Input((4, 6))
    y = norm(name="first")(inputs)
    y = layers.Add()([inputs, layers.MultiHeadAttention(2, 3, name="attention")(y, y)])
    z = norm(name="second")(y)
    hidden = layers.Dense(8, activation="silu" if gated else "gelu", name="up")(z)
    if gated:
        hidden = layers.Multiply()([hidden, layers.Dense(8, name="gate")(z)])
    y = layers.Add()([y, layers.Dense(6, name="down")(hidden)])
    y = layers.GlobalAveragePooling1D()(y)
    model = jkeras.Model(inputs, layers.Dense(3, name="head")(y))
    for weight in model.weights:
        weight.assign(0.6 * RANDOM.normal(size=weight.shape))
    return model


def half(x):
    """A number that hands half of its gradient on."""
    return x / 2 + jax.lax.stop_gradient(x / 2)


def handed_on(function):
    """A function of one number whose gradient is that of a constant factor."""
    return lambda x: x * jax.lax.stop_gradient(function(x) / x)


def by_gradient(model, x, gated, is_rms):
    """Input times gradient of the block with the gradients that the rules stand for."""
    w = {layer.name: [v.numpy() for v in layer.weights] for layer in model.layers}

    def norm(x, name):
        gamma, *beta = w[name]
        center = 0.0 if is_rms else x.mean(-1, keepdims=True)
        epsilon = 1e-6 if is_rms else 1e-3
        variance = ((x - center) ** 2).mean(-1, keepdims=True)
        y = (x - center) * jax.lax.stop_gradient(1 / jnp.sqrt(variance + epsilon)) * gamma
        return y + beta[0] if beta else y

    def attention(y):
        names = "query key value".split()
        kernels = dict(zip(names, zip(w["attention"][0:6:2], w["attention"][1:6:2])))
        q, k, v = (jnp.einsum("bte,ehd->bthd", y, kernels[n][0]) + kernels[n][1] for n in names)
        scores = jnp.einsum("bqhd,bkhd->bhqk", half(q), half(k)) / math.sqrt(3)
        mixed = jnp.einsum("bhqk,bkhd->bqhd", half(jax.nn.softmax(scores)), half(v))
        return jnp.einsum("bqhd,hde->bqe", mixed, w["attention"][6]) + w["attention"][7]

    def dense(x, name):
        return x @ w[name][0] + w[name][1]

    def score(x):
        y = x + attention(norm(x, "first"))
        z = norm(y, "second")
        activation = jax.nn.silu if gated else lambda v: jax.nn.gelu(v, approximate=False)
        hidden = handed_on(activation)(dense(z, "up"))
        if gated:
            hidden = half(hidden) * half(dense(z, "gate"))
        y = y + dense(hidden, "down")
        return dense(y.mean(1), "head")[:, 1]

    np.testing.assert_allclose(score(x), model.predict(x, verbose=0)[:, 1], rtol=1e-4, atol=1e-5)
    return x * jax.grad(lambda x: score(x).sum())(x)


@pytest.mark.promise("`lrp` goes through attention")
@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("norm", [layers.LayerNormalization, layers.RMSNormalization])
def test_a_block_as_by_its_gradient(gated, norm):
    model = block(gated, norm)
    ours = explain.lrp(model, X, 1, epsilon=1e-12)
    wanted = by_gradient(model, jnp.asarray(X), gated, norm is layers.RMSNormalization)
    close(ours, wanted, 1e-4)


def test_blocks_in_a_loop_are_as_blocks_in_a_row():
    inputs = jkeras.Input((4, 6))
    y = layers.LayerNormalization()(inputs)
    y = layers.Add()([inputs, layers.MultiHeadAttention(2, 3)(y, y)])
    stack = layers.Stack(jkeras.Model(inputs, y), 3)
    model = jkeras.Sequential([jkeras.Input((4, 6)), stack])
    params = next(iter(model.params.values()))
    one = jkeras.Model(inputs, y)

    def in_a_row(x):
        for i in range(3):
            of_block = {path: params["_".join(path)][i] for path, _ in tree.flatten(one.params)}
            x = one.apply(tree.unflatten(of_block.items()), one.state, x)[0]
        return x

    np.testing.assert_allclose(in_a_row(X), model.predict(X, verbose=0), rtol=1e-4, atol=1e-5)
    ours = explain.lrp(model, X, (1, 2))
    close(ours, explain.lrp(in_a_row, X, (1, 2)), 1e-4)


def test_as_lxt():
    """The operations of a block, in torch."""
    torch = pytest.importorskip("torch")
    lxt = pytest.importorskip("lxt.explicit.functional")
    kernels = [RANDOM.normal(size=(6, 6)).astype("float32") for _ in range(5)]
    gamma = RANDOM.normal(size=6).astype("float32")
    wq, wk, wv, up, gate = (torch.tensor(k) for k in kernels)
    x = torch.tensor(X, requires_grad=True)
    linear = lambda x, w: lxt.linear_epsilon(x, w.T.contiguous(), epsilon=1e-12)  # noqa: E731
    y = lxt.rms_norm_identity(x, torch.tensor(gamma), 1e-6)
    scores = lxt.matmul(linear(y, wq), linear(y, wk).transpose(1, 2), epsilon=1e-12)
    mixed = lxt.matmul(lxt.softmax(lxt.mul2(scores, 0.5), -1), linear(y, wv), epsilon=1e-12)
    y = lxt.add2(x, mixed, epsilon=1e-12)
    z = lxt.layer_norm(y, torch.tensor(gamma), torch.zeros(6), 1e-3)
    hidden = lxt.mul2(linear(z, up), linear(z, gate))
    score = (hidden * torch.tensor(WEIGHTS)).sum((1, 2))
    (hidden_relevance,) = (hidden.detach() * torch.tensor(WEIGHTS),)
    hidden.backward(hidden_relevance)

    rms, norm = layers.RMSNormalization(epsilon=1e-6), layers.LayerNormalization(center=False)
    for layer in (rms, norm):
        layer(X)
        layer.weights[0].assign(gamma)
    wq, wk, wv, up, gate = kernels

    def function(x):
        y = rms(x)
        mixed = jax.nn.softmax(0.5 * ((y @ wq) @ (y @ wk).swapaxes(1, 2))) @ (y @ wv)
        z = norm(x + mixed)
        return (z @ up) * (z @ gate)

    np.testing.assert_allclose(summed(function)(X)[:, 0], score.detach(), rtol=1e-3)
    close(relevance(function), x.grad.numpy(), 1e-3)
