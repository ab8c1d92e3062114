"""Models in layers in models; lists and dicts of layers; layers that extend layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import Input, Model, Sequential, layers
from tests.design.tools import (
    assert_same_history,
    assert_same_weights,
    assert_trees_close,
    both,
    dense,
    mse,
    normal,
    real_keras,
    sgd_by_hand,
)


def nested(k):
    a = k.Input((4,))
    b = k.layers.Dense(4, activation="relu", name="graph_dense")(a)
    graph = k.Model(a, k.layers.Add(name="skip")([a, b]), name="graph")

    class Block(k.layers.Layer):
        def __init__(self):
            super().__init__(name="block")
            self.graph, self.norm = graph, k.layers.LayerNormalization()

        def build(self, shape):
            self.norm.build(shape)

        def call(self, x):
            return self.norm(self.graph(x)) * 2.0

    model = k.Sequential(
        [k.Input((4,)), k.layers.Dense(4, name="in"), Block(), k.layers.Dense(1, name="out")]
    )
    model.compile(k.optimizers.Adam(0.05), "mse", metrics=["mae"])
    return model


def test_functional_in_subclass_in_sequential_trains_as_in_keras():
    mine, theirs = both(nested)
    assert [w.shape for w in mine.weights] == [w.shape for w in theirs.weights]
    x, y = normal(16, 4), normal(16, 1, seed=1)
    fitted = [m.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0) for m in (mine, theirs)]
    assert_same_history(*fitted)
    assert_same_weights(mine, theirs)
    np.testing.assert_allclose(
        mine.predict(x, verbose=0), theirs.predict(x, verbose=0), rtol=1e-4, atol=1e-5
    )


@pytest.mark.promise("A composite's `forward` runs each child")
@pytest.mark.promise("A layer that is an attribute")
@pytest.mark.promise("Its arrays lie below its")
@pytest.mark.promise("On the right `params` and")
@pytest.mark.promise("is the kernel of the layer")
def test_paths_of_nested_parameters():
    model = nested(jkeras)
    assert set(model.params) == {"in", "block", "out"}
    assert set(model.params["block"]) == {"graph", "norm"}
    assert set(model.params["block"]["graph"]["graph_dense"]) == {"kernel", "bias"}
    x = normal(3, 4)
    p = model.params
    h = dense(p["in"], x)
    h = h + dense(p["block"]["graph"]["graph_dense"], h, jax.nn.relu)
    h = (h - h.mean(-1, keepdims=True)) / jnp.sqrt(h.var(-1, keepdims=True) + 1e-3) * 2.0
    expected = dense(p["out"], h)
    np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-5)
    y, _ = model.apply(model.params, model.state, x)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


class ListModel(Model):
    """A list of layers and a dict of heads."""

    def __init__(self, depth=3):
        super().__init__()
        self.blocks = [layers.Dense(3, activation="tanh") for _ in range(depth)]
        self.heads = {"a": layers.Dense(1), "b": layers.Dense(2)}

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return {name: head(x) for name, head in self.heads.items()}


def list_model_by_hand(p, x):
    for i in range(3):
        x = dense(p[f"blocks_{i}"], x, jnp.tanh)
    return {name: dense(p[f"heads_{name}"], x) for name in "ab"}


@pytest.mark.promise("A layer that is an attribute")
def test_lists_and_dicts_of_layers_are_trained():
    model, x = ListModel(), normal(8, 3)
    y = {"a": normal(8, 1, seed=1), "b": normal(8, 2, seed=2)}
    model(x)
    assert len(model.weights) == 10
    first = model.params
    assert set(first) == {"blocks_0", "blocks_1", "blocks_2", "heads_a", "heads_b"}

    def loss(p, x, y):
        out = list_model_by_hand(p, x)
        return mse(y["a"], out["a"]) + 0.5 * mse(y["b"], out["b"])

    model.compile(
        jkeras.optimizers.SGD(0.2), {"a": "mse", "b": "mse"}, loss_weights={"a": 1.0, "b": 0.5}
    )
    history = model.fit(x, y, batch_size=8, epochs=3, verbose=0)
    np.testing.assert_allclose(history.history["loss"][0], loss(first, x, y), rtol=1e-5)
    by_hand = sgd_by_hand(loss, first, [(x, y)] * 3, 0.2)
    assert_trees_close(model.params, by_hand)
    out, expected = model.predict(x, verbose=0), list_model_by_hand(by_hand, x)
    for name in "ab":
        np.testing.assert_allclose(out[name], expected[name], rtol=1e-4, atol=1e-6)


def test_layers_appended_and_removed_later():
    model, x = ListModel(depth=1), normal(2, 3)
    model.blocks.append(layers.Dense(3))
    model.heads["c"] = layers.Dense(4)
    model(x)
    params, state = model.init(jax.random.key(0), x)
    assert set(params) == {"blocks_0", "blocks_1", "heads_a", "heads_b", "heads_c"}
    out, _ = model.apply(params, state, x)
    h = dense(params["blocks_1"], dense(params["blocks_0"], x, jnp.tanh))
    np.testing.assert_allclose(out["c"], dense(params["heads_c"], h), rtol=1e-5, atol=1e-6)
    model.blocks.pop()
    assert len(model.weights) == 2 + 6


def test_nested_lists_of_layers():
    class Deep(layers.Layer):
        def __init__(self):
            super().__init__()
            self.grid = [
                [layers.Dense(2), layers.Dense(2)],
                (layers.Dense(2), {"x": layers.Dense(2)}),
            ]

        def call(self, x):
            (a, b), (c, d) = self.grid
            return d["x"](c(b(a(x))))

    layer, x = Deep(), normal(3, 2)
    params, state = layer.init(jax.random.key(0), x)
    assert len(params) == 4
    expected = x
    for name in ("grid_0_0", "grid_0_1", "grid_1_0", "grid_1_1_x"):
        expected = dense(params[name], expected)
    np.testing.assert_allclose(layer.apply(params, state, x)[0], expected, rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------- super().call


class Scaled(layers.Dense):
    """A Dense whose output is multiplied by a weight of its own."""

    def build(self, shape):
        super().build(shape)
        self.scale = self.add_weight(
            shape=(), initializer=jkeras.initializers.Constant(3.0), name="scale"
        )

    def call(self, x):
        return super().call(x) * self.scale


def test_super_call_in_a_subclass_of_dense():
    layer, x = Scaled(2, activation="relu"), normal(5, 3)
    y = layer(x)
    k, b, s = layer.get_weights()
    assert s == 3.0
    np.testing.assert_allclose(y, np.maximum(x @ k + b, 0) * 3.0, rtol=1e-5, atol=1e-6)
    params, state = Scaled(2).init(jax.random.key(0), x)
    assert set(params) == {"kernel", "bias", "scale"}
    y, _ = jax.jit(Scaled(2).apply)(params, state, x)
    np.testing.assert_allclose(y, dense(params, x) * 3.0, rtol=1e-5, atol=1e-6)

    model = Sequential([Input((3,)), Scaled(1, name="s")])
    first = model.params
    model.compile(jkeras.optimizers.SGD(0.05), "mse")
    t = normal(5, 1, seed=4)
    model.fit(x, t, epochs=2, verbose=0)
    by_hand = sgd_by_hand(
        lambda p, x, t: mse(t, dense(p["s"], x) * p["s"]["scale"]), first, [(x, t)] * 2, 0.05
    )
    assert_trees_close(model.params, by_hand)


def test_subclass_of_dense_with_arguments_of_its_own():
    class Residual(layers.Dense):
        def __init__(self, units, factor=0.5, **kwargs):
            super().__init__(units, **kwargs)
            self.factor = factor

        def call(self, inputs, training=None):
            return inputs + self.factor * super().call(inputs)

        def get_config(self):
            return {**super().get_config(), "factor": self.factor}

    layer, x = Residual(3, factor=0.25, name="r"), normal(4, 3)
    y = layer(x)
    k, b = layer.get_weights()
    np.testing.assert_allclose(y, x + 0.25 * (x @ k + b), rtol=1e-5, atol=1e-6)
    twin = Residual.from_config(layer.get_config())
    assert (twin.factor, twin.units, twin.name) == (0.25, 3, "r")


def doubled_lstm(k):
    class Doubled(k.layers.LSTM):
        def call(self, sequences, initial_state=None, mask=None, training=False):
            return 2.0 * super().call(
                sequences, initial_state=initial_state, mask=mask, training=training
            )

    model = k.Sequential([k.Input((5, 3)), Doubled(4), k.layers.Dense(1)])
    model.compile(k.optimizers.Adam(0.05), "mse")
    return model


def test_super_call_in_a_subclass_of_lstm_trains_as_in_keras():
    mine, theirs = both(doubled_lstm)
    x, y = normal(8, 5, 3), normal(8, 1, seed=1)
    np.testing.assert_allclose(
        mine.predict(x, verbose=0), theirs.predict(x, verbose=0), rtol=1e-5, atol=1e-6
    )
    assert_same_history(
        *[m.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0) for m in (mine, theirs)]
    )
    assert_same_weights(mine, theirs)


# ---------------------------------------------------------------- Lambda


def test_lambda_closing_over_a_layer_of_the_same_model_shares_and_trains_its_weights():
    shared = layers.Dense(3, name="shared")
    inputs = Input((3,))
    h = shared(inputs)
    model = Model(inputs, layers.Lambda(lambda v: jnp.tanh(shared(v)), name="again")(h))
    x = normal(4, 3)
    first = model.params
    assert set(first) == {"shared"}
    model.compile(jkeras.optimizers.SGD(0.3), "mse")
    model.fit(x, -x, epochs=3, verbose=0)
    by_hand = sgd_by_hand(
        lambda p, x: mse(-x, jnp.tanh(dense(p["shared"], dense(p["shared"], x)))),
        first,
        [(x,)] * 3,
        0.3,
    )
    assert_trees_close(model.params, by_hand)


def test_lambda_closing_over_an_outside_layer_follows_its_weights_and_does_not_train_them():
    outside, x = layers.Dense(2, name="outside"), normal(4, 3)
    outside.build((None, 3))
    model = Sequential(
        [Input((3,)), layers.Lambda(lambda v: outside(v) ** 2), layers.Dense(1, name="out")]
    )
    assert len(model.weights) == 2
    expected = lambda: (
        (x @ outside.get_weights()[0] + outside.get_weights()[1]) ** 2
        @ (  # noqa: E731
            model.get_weights()[0]
        )
        + model.get_weights()[1]
    )
    np.testing.assert_allclose(model(x), expected(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected(), rtol=1e-5, atol=1e-6)
    kept = outside.get_weights()
    model.compile("sgd", "mse")
    model.fit(x, normal(4, 1), verbose=0)
    np.testing.assert_array_equal(outside.get_weights()[0], kept[0])
    outside.set_weights([np.ones((3, 2)), np.zeros(2)])
    np.testing.assert_allclose(model(x), expected(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected(), rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------- stateful layers, dtypes


@pytest.mark.parametrize("kind", ["SimpleRNN", "GRU", "LSTM"])
def test_stateful_rnn_goes_on_across_batches(kind):
    x = normal(2, 6, 3)
    plain = getattr(layers, kind)(4, return_sequences=True)
    whole = np.asarray(plain(x))
    model = Sequential(
        [
            Input(batch_shape=(2, 3, 3)),
            getattr(layers, kind)(4, return_sequences=True, stateful=True, name="rnn"),
        ]
    )
    model.layers[0].cell.set_weights(plain.get_weights())
    halves = [np.asarray(model(x[:, :3])), np.asarray(model(x[:, 3:]))]
    np.testing.assert_allclose(np.concatenate(halves, 1), whole, rtol=1e-5, atol=1e-6)
    model.layers[0].reset_state()
    np.testing.assert_allclose(model(x[:, :3]), whole[:, :3], rtol=1e-5, atol=1e-6)
    model.layers[0].reset_state()

    params, state = model.init(jax.random.key(0), x[:, :3])
    params = model.params
    first, state = jax.jit(model.apply)(params, state, x[:, :3])
    second, state = jax.jit(model.apply)(params, state, x[:, 3:])
    np.testing.assert_allclose(np.concatenate([first, second], 1), whole, rtol=1e-5, atol=1e-6)


def stateful(k):
    model = k.Sequential(
        [k.Input(batch_shape=(4, 5, 2)), k.layers.GRU(3, stateful=True), k.layers.Dense(1)]
    )
    model.compile(k.optimizers.SGD(0.1), "mse")
    return model


@pytest.mark.promise("`fit`, `evaluate` and `predict` give")
def test_stateful_rnn_in_fit_as_in_keras():
    mine, theirs = stateful(jkeras), stateful(real_keras())
    theirs.layers[0].cell.set_weights(mine.layers[0].cell.get_weights())
    theirs.layers[1].set_weights(mine.layers[1].get_weights())
    x, y = normal(16, 5, 2), normal(16, 1, seed=1)
    for _ in range(2):
        assert_same_history(
            *[m.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0) for m in (mine, theirs)]
        )
    np.testing.assert_allclose(
        mine.predict(x, batch_size=4, verbose=0),
        theirs.predict(x, batch_size=4, verbose=0),
        rtol=1e-4,
        atol=1e-5,
    )


def test_dtype_policy_of_single_layers():
    model = Sequential(
        [
            Input((4,)),
            layers.Dense(3, name="full"),
            layers.Dense(3, dtype="mixed_bfloat16", name="mixed"),
            layers.Dense(3, dtype="bfloat16", name="half"),
            layers.Dense(2, dtype="float32", name="out"),
        ]
    )
    assert [str(v.dtype) for v in model.weights] == ["float32"] * 4 + ["bfloat16"] * 2 + [
        "float32"
    ] * 2
    x, p = normal(5, 4), model.params
    half = jnp.bfloat16
    h = dense(p["full"], x)
    h = h.astype(half) @ p["mixed"]["kernel"].astype(half) + p["mixed"]["bias"].astype(half)
    h = h @ p["half"]["kernel"] + p["half"]["bias"]
    assert h.dtype == half
    expected = dense(p["out"], h.astype("float32"))
    y, _ = model.apply(p, model.state, x)
    assert y.dtype == "float32" and model.predict(x, verbose=0).dtype == np.float32
    np.testing.assert_allclose(y, expected, rtol=2e-2, atol=2e-2)
    assert not np.allclose(
        y, dense(p["out"], dense(p["mixed"], dense(p["full"], x))), rtol=1e-6, atol=1e-7
    )

    model.compile(jkeras.optimizers.SGD(0.1), "mse")
    model.fit(x, normal(5, 2, seed=1), epochs=2, verbose=0)
    assert [str(v.dtype) for v in model.weights] == ["float32"] * 4 + ["bfloat16"] * 2 + [
        "float32"
    ] * 2


def mixed(k):
    class Weighted(k.layers.Layer):
        def build(self, shape):
            self.w = self.add_weight(shape=(shape[-1],), initializer="ones", name="w")

        def call(self, x):
            assert str(x.dtype) == "bfloat16" and self.compute_dtype == "bfloat16"
            return x * self.w

    model = k.Sequential(
        [k.Input((4,)), k.layers.Dense(4), Weighted(dtype="mixed_bfloat16"), k.layers.Dense(1)]
    )
    model.compile(k.optimizers.SGD(0.1), "mse")
    return model


def test_policy_of_a_custom_layer_as_in_keras():
    mine, theirs = both(mixed)
    x, y = normal(8, 4), normal(8, 1, seed=1)
    assert_same_history(*[m.fit(x, y, epochs=3, verbose=0) for m in (mine, theirs)], rtol=1e-3)
    assert_same_weights(mine, theirs, rtol=1e-3, atol=1e-4)
