"""Layers used in several places: one object is one set of weights, whoever holds it and whoever
trains it.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import Input, Model, Sequential, layers, ops
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
    slices,
)


class Transposed(layers.Layer):
    """Maps back through the transposed kernel of a dense layer, with a bias of its own."""

    def __init__(self, source, **kwargs):
        super().__init__(**kwargs)
        self.source = source

    def build(self, shape):
        self.bias = self.add_weight(
            shape=(self.source.kernel.shape[0],), initializer="zeros", name="bias"
        )

    def call(self, x):
        return ops.matmul(x, ops.transpose(self.source.kernel)) + self.bias


def tied():
    x = Input((6,))
    encoder = layers.Dense(3, activation="tanh", name="encoder")
    return Model(x, Transposed(encoder, name="decoder")(encoder(x)))


def test_tied_autoencoder_has_one_kernel_with_both_gradients():
    model, x = tied(), normal(16, 6)
    assert [v.path for v in model.weights] == ["encoder/kernel", "encoder/bias", "decoder/bias"]
    assert model.count_params() == 6 * 3 + 3 + 6
    first = model.params
    assert set(first) == {"encoder", "decoder"} and set(first["decoder"]) == {"bias"}

    def loss(p, x):
        code = jnp.tanh(x @ p["encoder"]["kernel"] + p["encoder"]["bias"])
        return mse(x, code @ p["encoder"]["kernel"].T + p["decoder"]["bias"])

    model.compile(jkeras.optimizers.SGD(0.3), "mse")
    model.fit(x, x, batch_size=8, epochs=3, shuffle=False, verbose=0)
    assert_trees_close(model.params, sgd_by_hand(loss, first, slices(16, 8, x) * 3, 0.3))


def test_tied_autoencoder_as_a_pure_pair():
    model, x = tied(), normal(4, 6)
    params, state = model.init(jax.random.key(1), x)
    assert_trees_close(
        jax.tree_util.tree_map(jnp.shape, params, is_leaf=lambda v: hasattr(v, "shape")),
        {"encoder": {"kernel": (6, 3), "bias": (3,)}, "decoder": {"bias": (6,)}},
    )
    y, _ = jax.jit(model.apply)(params, state, x)
    k, b = params["encoder"]["kernel"], params["encoder"]["bias"]
    np.testing.assert_allclose(y, np.tanh(x @ k + b) @ k.T, rtol=1e-5, atol=1e-6)


def siamese(k):
    encoder = k.Sequential(
        [k.Input((4,)), k.layers.Dense(5, activation="relu"), k.layers.Dense(3)], name="encoder"
    )
    a, b = k.Input((4,), name="a"), k.Input((4,), name="b")
    distance = k.ops.abs(encoder(a) - encoder(b))
    model = k.Model([a, b], k.layers.Dense(1, activation="sigmoid", name="same")(distance))
    model.compile(k.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    return model


def test_siamese_network_trains_as_in_keras():
    mine, theirs = both(siamese)
    assert len(mine.weights) == 6
    data = [normal(24, 4, seed=1), normal(24, 4, seed=2)]
    y = (normal(24, 1, seed=3) > 0).astype("float32")
    fitted = [
        m.fit(data, y, batch_size=8, epochs=3, shuffle=False, verbose=0) for m in (mine, theirs)
    ]
    assert_same_history(*fitted)
    assert_same_weights(mine, theirs)
    np.testing.assert_allclose(
        mine.predict(data, verbose=0), mine.predict(data[::-1], verbose=0), rtol=1e-6
    )


def test_encoder_and_decoder_follow_a_trained_autoencoder():
    x = normal(16, 5)
    inputs = Input((5,))
    code = layers.Dense(2, activation="relu", name="code")(inputs)
    autoencoder = Model(inputs, layers.Dense(5, name="out")(code))
    encoder = Model(inputs, code)
    inner = Input((2,))
    decoder = Model(inner, autoencoder.layers[-1](inner))
    before = encoder.predict(x, verbose=0)

    autoencoder.compile("adam", "mse")
    autoencoder.fit(x, x, epochs=3, batch_size=4, verbose=0)
    k1, b1, k2, b2 = autoencoder.get_weights()
    expected = np.maximum(x @ k1 + b1, 0)
    np.testing.assert_allclose(encoder.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        decoder.predict(expected, verbose=0), expected @ k2 + b2, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(autoencoder(x), expected @ k2 + b2, rtol=1e-5, atol=1e-6)
    assert not np.allclose(before, encoder.predict(x, verbose=0))

    encoder.set_weights([np.zeros_like(k1), np.ones_like(b1)])  # and the other way round
    np.testing.assert_allclose(
        autoencoder.predict(x, verbose=0), np.tile(k2.sum(0) + b2, (16, 1)), rtol=1e-5, atol=1e-6
    )


def test_encoder_sees_the_weights_during_the_training_of_the_whole():
    x = normal(8, 5)
    inputs = Input((5,))
    code = layers.Dense(2, name="code")(inputs)
    autoencoder, encoder = Model(inputs, layers.Dense(5, name="out")(code)), Model(inputs, code)
    autoencoder.compile(jkeras.optimizers.SGD(0.1), "mse")
    first, seen = autoencoder.params, []
    look = jkeras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(encoder.predict(x, verbose=0))
    )
    autoencoder.fit(x, x, batch_size=8, epochs=3, verbose=0, shuffle=False, callbacks=[look])
    for epoch in range(3):
        p = sgd_by_hand(
            lambda p, x: mse(x, dense(p["out"], dense(p["code"], x))),
            first,
            [(x,)] * (epoch + 1),
            0.1,
        )
        np.testing.assert_allclose(seen[epoch], dense(p["code"], x), rtol=1e-4, atol=1e-6)


@pytest.mark.promise("Nothing is copied; both share their layers")
def test_submodels_by_get_layer_share_weights():
    x = normal(8, 3)
    model = Sequential(
        [Input((3,)), layers.Dense(4, activation="tanh", name="h"), layers.Dense(1, name="y")]
    )
    hidden = Model(model.inputs, model.get_layer("h").output)
    model.compile("rmsprop", "mse")
    for _ in range(2):
        model.fit(x, normal(8, 1), epochs=2, verbose=0)
        k, b = model.get_weights()[:2]
        np.testing.assert_allclose(
            hidden.predict(x, verbose=0), np.tanh(x @ k + b), rtol=1e-5, atol=1e-6
        )
        np.testing.assert_allclose(hidden(x), np.tanh(x @ k + b), rtol=1e-5, atol=1e-6)
    assert hidden.get_layer("h") is model.get_layer("h")
    assert hidden.weights[0] is model.weights[0]


def test_a_submodel_of_a_nested_model_shares_weights():
    x = normal(4, 3)
    inner = Sequential(
        [Input((3,)), layers.Dense(4, name="h"), layers.Dense(2, name="g")], name="inner"
    )
    inputs = Input((3,))
    outer = Model(inputs, layers.Dense(1, name="y")(inner(inputs)))
    part = Model(inner.inputs, outer.get_layer("inner").get_layer("h").output)
    outer.compile("sgd", "mse")
    outer.fit(x, normal(4, 1), verbose=0)
    k, b = inner.get_layer("h").get_weights()
    np.testing.assert_allclose(part.predict(x, verbose=0), x @ k + b, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(outer.params["inner"]["h"]["kernel"], k)


def two_heads(k):
    encoder = k.Sequential(
        [k.Input((4,)), k.layers.Dense(3, activation="tanh", name="e")], name="shared"
    )
    models = []
    for name in ("left", "right"):
        x = k.Input((4,))
        models.append(k.Model(x, k.layers.Dense(1, name=name)(encoder(x))))
        models[-1].compile(k.optimizers.Adam(0.05), "mse")
    return models


def test_two_models_share_an_encoder_and_train_in_turn():
    mine, theirs = two_heads(jkeras), two_heads(real_keras())
    for a, b in zip(mine, theirs):
        b.set_weights(a.get_weights())
    x, targets = normal(16, 4), [normal(16, 1, seed=1), normal(16, 1, seed=2)]
    for turn in (0, 1, 0, 1, 1):
        for models in (mine, theirs):
            models[turn].fit(x, targets[turn], epochs=2, batch_size=8, shuffle=False, verbose=0)
        for a, b in zip(mine, theirs):
            assert_same_weights(a, b)
    np.testing.assert_array_equal(mine[0].get_weights()[0], mine[1].get_weights()[0])


@pytest.mark.promise("One object is one set of")
@pytest.mark.parametrize("calls", [2, 3])
def test_one_layer_called_several_times_in_a_row(calls):
    inputs = x = Input((3,))
    square = layers.Dense(3, name="square")
    for _ in range(calls):
        x = square(x)
    model, data = Model(inputs, x), normal(6, 3)
    assert model.count_params() == 12 and len(model.layers) == 2
    first = model.params

    def loss(p, x, y):
        for _ in range(calls):
            x = dense(p["square"], x)
        return mse(y, x)

    model.compile(jkeras.optimizers.SGD(0.05), "mse")
    model.fit(data, -data, batch_size=6, epochs=2, verbose=0)
    assert_trees_close(model.params, sgd_by_hand(loss, first, [(data, -data)] * 2, 0.05))


@pytest.mark.promise("One object is one set of")
def test_one_object_under_two_attributes_has_one_path():
    class Twice(Model):
        def __init__(self):
            super().__init__()
            self.first = layers.Dense(3)
            self.second = self.first
            self.both = [self.first, self.second]

        def call(self, x):
            return self.second(self.first(x))

    model, x = Twice(), normal(2, 3)
    params, state = model.init(jax.random.key(0), x)
    assert list(params) == ["first"]
    y, _ = model.apply(params, state, x)
    np.testing.assert_allclose(
        y, dense(params["first"], dense(params["first"], x)), rtol=1e-5, atol=1e-6
    )
