"""Rules of one's own for primitives: every relu is found, differences add up, what has no rule is
named.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import explain, layers

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(4, 6)).astype("float32")


class OwnRelu(layers.Layer):
    def call(self, x):
        return jkeras.ops.relu(x)


class OwnMaximum(layers.Layer):
    def call(self, x):
        return jkeras.ops.maximum(x, 0.0)


RELUS = {
    "ReLU": layers.ReLU,
    "Activation": lambda: layers.Activation("relu"),
    "activation=": lambda: layers.Dense(6, activation="relu", kernel_initializer="identity"),
    "ops": OwnRelu,
    "maximum": OwnMaximum,
    "jax": lambda: layers.Lambda(jax.nn.relu),
}


@pytest.mark.parametrize("name", RELUS)
def test_every_relu(name):
    model = jkeras.Sequential([jkeras.Input((6,)), RELUS[name](), layers.Dense(1)])
    kernel = model.layers[-1].kernel.numpy()[:, 0]
    wanted = np.where(kernel > 0, kernel, 0) * np.ones_like(X)
    np.testing.assert_allclose(explain.deconvnet(model, X), wanted, atol=1e-6)
    np.testing.assert_allclose(explain.guided_backprop(model, X), wanted * (X > 0), atol=1e-6)


def test_no_relu_and_relu_in_a_loop():
    model = jkeras.Sequential([jkeras.Input((6,)), layers.Dense(1)])
    with pytest.raises(ValueError, match="a model with relu, received one without"):
        explain.guided_backprop(model, X)
    stack = layers.Stack(layers.Dense(6, activation="relu"), 2)
    model = jkeras.Sequential([jkeras.Input((6,)), stack, layers.Dense(1)])
    with pytest.raises(ValueError, match="relus that run once, received one within `scan`"):
        explain.guided_backprop(model, X)


def attention():
    inputs = jkeras.Input((6, 4))
    y = layers.MultiHeadAttention(2, 3)(inputs, inputs)
    y = layers.LayerNormalization()(layers.Add()([inputs, y]))
    y = layers.Dense(5, activation="gelu")(y)
    return jkeras.Model(inputs, layers.Dense(3, activation="softmax")(layers.Flatten()(y)))


def convolutional():
    return jkeras.Sequential(
        [
            jkeras.Input((6, 6, 2)),
            layers.Conv2D(4, 3, activation="silu"),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(2),
            layers.LeakyReLU(),
            layers.MaxPooling2D(2, strides=1),
            layers.GlobalAveragePooling2D(),
            layers.UnitNormalization(),
            layers.Dense(3),
        ]
    )


def gated():
    inputs = jkeras.Input((6,))
    a, b = layers.Dense(4, activation="tanh")(inputs), layers.Dense(4, activation="sigmoid")(inputs)
    return jkeras.Model(inputs, layers.Dense(3, activation="elu")(layers.Multiply()([a, b])))


@pytest.mark.parametrize(
    "make, shape", [(attention, (6, 4)), (convolutional, (6, 6, 2)), (gated, (6,))]
)
def test_differences_add_up(make, shape):
    jkeras.utils.set_random_seed(2)
    model = make()
    x, before = RANDOM.normal(size=(2, 3, *shape)).astype("float32")
    ours = explain.deep_lift(model, x, 1, baseline=before)
    assert ours.shape == x.shape
    outputs = model.predict(np.concatenate([x, before]), verbose=0)[:, 1]
    np.testing.assert_allclose(ours.reshape(3, -1).sum(1), outputs[:3] - outputs[3:], atol=1e-5)


class TestRelevance:
    def model(self, normalized):
        jkeras.utils.set_random_seed(3)
        model = jkeras.Sequential(
            [
                jkeras.Input((6, 6, 2)),
                layers.Conv2D(4, 3, use_bias=not normalized, name="conv"),
                *([layers.BatchNormalization(name="norm")] if normalized else []),
                layers.ReLU(),
                layers.AveragePooling2D(2),
                layers.Flatten(),
                layers.Dense(3, name="out"),
            ]
        )
        random = np.random.default_rng(4)
        for weight in model.weights:
            value = random.normal(size=weight.shape)
            weight.assign(np.abs(value) + 0.5 if "variance" in weight.path else value)
        return model

    @pytest.mark.parametrize("rule", ["epsilon", "gamma", "z_plus"])
    def test_normalization_is_folded_into_the_layer_before(self, rule):
        normalized, folded = self.model(True), self.model(False)
        norm = normalized.get_layer("norm")
        scale = norm.gamma.numpy() / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
        scale[0] = -abs(scale[0])  # one that turns signs round
        norm.gamma.assign(scale * np.sqrt(norm.moving_variance.numpy() + norm.epsilon))
        conv = folded.get_layer("conv")
        conv.kernel.assign(normalized.get_layer("conv").kernel.numpy() * scale)
        conv.bias.assign(norm.beta.numpy() - norm.moving_mean.numpy() * scale)
        for name in ("kernel", "bias"):
            weight = getattr(normalized.get_layer("out"), name)
            getattr(folded.get_layer("out"), name).assign(weight.numpy())
        x = RANDOM.normal(size=(3, 6, 6, 2)).astype("float32")
        ours = explain.lrp(normalized, x, 1, rule=rule)
        wanted = explain.lrp(folded, x, 1, rule=rule)
        np.testing.assert_allclose(ours, wanted, atol=1e-4 * np.abs(wanted).max())

    def test_without_biases_the_score_is_kept(self):
        model = jkeras.Sequential(
            [
                jkeras.Input((6,)),
                layers.Dense(5, activation="relu", use_bias=False),
                layers.Dense(4, activation="tanh", use_bias=False),
                layers.Dense(3, use_bias=False),
            ]
        )
        scores = model.predict(X, verbose=0)[:, 1]
        for rule in ("epsilon", "gamma"):
            ours = explain.lrp(model, X, 1, rule=rule, epsilon=1e-9)
            np.testing.assert_allclose(ours.sum(1), scores, rtol=1e-3, atol=1e-5)

    def test_errors(self):
        ratio = layers.Lambda(lambda x: x / (3 + x.sum(-1, keepdims=True)), name="ratio")
        model = jkeras.Sequential([jkeras.Input((5, 4)), ratio])
        with pytest.raises(ValueError, match=r"`div` in layer 'ratio' \(Lambda\)"):
            explain.lrp(model, np.ones((2, 5, 4), "float32"), (1, 1))
        with pytest.raises(ValueError, match="epsilon"):
            explain.lrp(model, np.ones((2, 5, 4), "float32"), (1, 1), rule="epsilom")


def test_equal_rows_have_no_difference():
    model = gated()
    np.testing.assert_array_equal(explain.deep_lift(model, X, 0, baseline=X), np.zeros_like(X))


def test_at_an_embedding():
    ids = np.array([[1, 2, 3], [3, 2, 0]])
    model = jkeras.Sequential(
        [
            jkeras.Input((3,), dtype="int32"),
            layers.Embedding(5, 4, name="words"),
            layers.Flatten(),
            layers.Dense(6, activation="tanh"),
            layers.Dense(2),
        ]
    )
    ours = explain.deep_lift(model, ids, 1, at="words")
    params, state = model.params, model.state
    y, _, seen = model.tap(params, state, ids, at=["words"])
    y_0 = model.tap(params, state, ids, add={"words": -seen["words"]})[0]
    np.testing.assert_allclose(ours.sum((1, 2)), (y - y_0)[:, 1], atol=1e-6)


def test_rows_that_are_stacked_and_tiled():
    """As where the same numbers are concatenated."""

    def stacked(x):
        first, *_, last = jnp.unstack(jax.nn.relu(jnp.tile(x, (1, 2)) - 0.1), axis=1)
        return (jnp.stack([first, last], 1) ** 2).sum(1, keepdims=True)

    def concatenated(x):
        doubled = jax.nn.relu(jnp.concatenate([x, x], 1) - 0.1)
        return (jnp.concatenate([doubled[:, :1], doubled[:, -1:]], 1) ** 2).sum(1, keepdims=True)

    for method in (explain.deep_lift, explain.lrp):
        np.testing.assert_allclose(method(stacked, X), method(concatenated, X), atol=1e-6)


@pytest.mark.promise("`deep_lift` and `lrp` work")
def test_what_has_no_rule_is_named():
    class Sorted(layers.Layer):
        def call(self, x):
            return jnp.sort(x, axis=-1)

    inner = jkeras.Sequential([layers.Dense(6), Sorted(name="sorting")], name="inner")
    model = jkeras.Sequential([jkeras.Input((6,)), inner, layers.Dense(2)])
    with pytest.raises(ValueError, match=r"`sort` in layer 'inner/sorting' \(Sorted\)"):
        explain.deep_lift(model, X, 0)

    class Sorting(layers.SimpleRNNCell):
        def call(self, x, states, **options):
            y, states = super().call(jnp.sort(x, axis=-1), states, **options)
            return y, states

    model = jkeras.Sequential([jkeras.Input((5, 2)), layers.RNN(Sorting(3), name="memory")])
    for method in (explain.deep_lift, explain.lrp):
        with pytest.raises(ValueError, match=r"`sort` in layer 'memory' \(RNN\)"):
            method(model, np.ones((1, 5, 2), "float32"), 0)
