"""JaxLayer and FlaxLayer: parameters, state, keys, training, files of configs."""

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.saving import register_keras_serializable

X = np.random.default_rng(0).normal(size=(8, 5)).astype("float32")


@register_keras_serializable("test_jax_layer")
def call(params, inputs):
    return inputs @ params["dense"]["w"] + params["b"]


@register_keras_serializable("test_jax_layer")
def init(rng, inputs):
    return {"dense": {"w": jax.random.normal(rng, (inputs.shape[-1], 3))}, "b": jnp.zeros(3)}


def noisy(params, state, rng, inputs, training):
    y = inputs * params[0] + state["count"]
    if training:
        y = y + jax.random.normal(rng, y.shape)
    return y, {"count": state["count"] + training}


@pytest.mark.promise("`jkeras.layers.JaxLayer`, `jkeras.layers.FlaxLayer` and")
def test_params_are_weights():
    layer = layers.JaxLayer(call, init)
    y = layer(X)
    assert [w.shape for w in layer.weights] == [(3,), (5, 3)]
    b, w = layer.get_weights()
    np.testing.assert_allclose(y, X @ w + b, rtol=1e-5)
    params, state = layer.init(1, X)
    other, _ = layer.init(2, X)
    assert state == {} and not np.allclose(params["dense_w"], other["dense_w"])
    np.testing.assert_array_equal(layer.init(1, X)[0]["dense_w"], params["dense_w"])
    assert layers.JaxLayer.from_config(layer.get_config())(X).shape == (8, 3)


def test_training_moves_them():
    model = jkeras.Sequential([jkeras.Input((5,)), layers.JaxLayer(call, init), layers.Dense(1)])
    before = model.layers[0].get_weights()
    model.compile("sgd", "mse")
    losses = model.fit(X, X.sum(1), epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0] and not np.allclose(before[1], model.layers[0].get_weights()[1])


def test_state_and_keys():
    layer = layers.JaxLayer(noisy, params=[np.float32(2.0)], state={"count": 0}, seed=1)
    assert layer.built and len(layer.trainable_weights) == 1
    np.testing.assert_array_equal(layer(X), 2 * X)
    first, second = layer(X, training=True), layer(X, training=True)
    assert int(layer.non_trainable_variables[0].value) == 2 and not np.allclose(first, second - 1)
    params, state = layer.init(0, X)
    y, state = layer.apply(params, state, X, training=True, rng=jax.random.key(0))
    assert int(state["count"]) == 1


def test_wrong_functions():
    for arguments in ((lambda x: x,), (lambda params, inputs: inputs,), (call, lambda shape: 1)):
        with pytest.raises(ValueError):
            layers.JaxLayer(*arguments)


@pytest.mark.promise("modules are layers (`jkeras.layers.FlaxLayer`")
@pytest.mark.promise("The module is a layer like")
@pytest.mark.promise("`jkeras.layers.JaxLayer`, `jkeras.layers.FlaxLayer` and")
def test_flax():
    linen = pytest.importorskip("flax.linen")

    class Net(linen.Module):
        @linen.compact
        def __call__(self, inputs, training):
            x = linen.BatchNorm(use_running_average=not training)(linen.Dense(4)(inputs))
            return linen.Dropout(0.5, deterministic=not training)(x)

    layer = layers.FlaxLayer(Net())
    assert (
        layer(X).shape == (8, 4)
        and len(layer.trainable_weights) == 4
        and len(layer.non_trainable_weights) >= 2
    )
    before = [np.asarray(w) for w in layer.non_trainable_weights]
    layer(X, training=True)
    assert not all(np.allclose(a, w) for a, w in zip(before, layer.non_trainable_weights))
    variables = Net().init(jax.random.key(0), X, training=False)
    given = layers.FlaxLayer(Net(), variables=variables)
    np.testing.assert_allclose(given(X), Net().apply(variables, X, training=False), rtol=1e-5)
    model = jkeras.Sequential([jkeras.Input((5,)), layers.FlaxLayer(Net()), layers.Dense(1)])
    model.compile("adam", "mse")
    assert len(model.fit(X, X.sum(1), epochs=2, verbose=0).history["loss"]) == 2


class WithDropout(equinox.Module):
    """A module with everything: arrays, a function, dropout."""

    inner: equinox.nn.MLP
    dropout: equinox.nn.Dropout

    def __call__(self, x, key=None):
        return self.dropout(self.inner(x), key=key)


@pytest.mark.promise("modules are layers (`jkeras.layers.FlaxLayer`")
@pytest.mark.promise("`jkeras.layers.JaxLayer`, `jkeras.layers.FlaxLayer` and")
@pytest.mark.promise("`jkeras.layers.EquinoxLayer` does the same for Equinox")
def test_equinox():
    module = WithDropout(equinox.nn.MLP(5, 3, 4, 1, key=jax.random.key(0)), equinox.nn.Dropout(0.5))
    layer = layers.EquinoxLayer(module, seed=1)
    np.testing.assert_allclose(layer(X), jax.vmap(module.inner)(X), rtol=1e-5)
    assert sorted(w.shape for w in layer.trainable_weights) == [(3,), (3, 4), (4,), (4, 5)]
    first, second = layer(X, training=True), layer(X, training=True)
    assert (first == 0).any() and not np.allclose(first, second)
    model = jkeras.Sequential([jkeras.Input((5,)), layer, layers.Dense(1)])
    before = layer.get_weights()
    model.compile("sgd", "mse")
    losses = model.fit(X, X.sum(1), epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0] and not np.allclose(before[0], layer.get_weights()[0])
    with pytest.raises(NotImplementedError, match="save_weights"):
        layer.get_config()


# ---------------------------------------------------------------- modules of nnx


def nnx_net():
    nnx = pytest.importorskip("flax.nnx")

    class Net(nnx.Module):
        def __init__(self, rngs):
            self.first = nnx.Linear(3, 8, rngs=rngs)
            self.norm = nnx.BatchNorm(8, momentum=0.9, rngs=rngs)
            self.dropout = nnx.Dropout(0.5, rngs=rngs)
            self.last = nnx.Linear(8, 1, rngs=rngs)

        def __call__(self, x):
            return self.last(self.dropout(nnx.relu(self.norm(self.first(x)))))

    return Net(nnx.Rngs(0))


def test_nnx_as_its_module():
    net, x = nnx_net(), np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
    layer = jkeras.layers.FlaxLayer(net)
    assert [w.trainable for w in layer.weights] == [True] * 6 + [False] * 2
    net.eval()
    np.testing.assert_allclose(layer(x), net(x), rtol=1e-6)
    one, other = layer(x, training=True), layer(x, training=True)
    assert np.abs(one - other).max() > 0.01  # other numbers are dropped
    net.train()
    net(x), net(x)
    mean = dict(zip((w.path.split("/")[-1] for w in layer.weights), layer.weights))["norm_mean"]
    np.testing.assert_allclose(mean, net.norm.mean[...], rtol=1e-5)


def test_nnx_is_trained_and_saved(tmp_path):
    net, x = nnx_net(), np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    before = np.array(net.first.kernel[...])
    model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.FlaxLayer(net)])
    model.compile(jkeras.optimizers.Adam(0.01), "mse")
    losses = model.fit(x, x.sum(1, keepdims=True), epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    np.testing.assert_array_equal(net.first.kernel[...], before)  # the module is as it was
    model.save_weights(tmp_path / "m.weights.h5")
    again = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.FlaxLayer(nnx_net())])
    again.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_nnx_takes_a_method_and_no_variables():
    net, x = nnx_net(), np.ones((2, 3), "float32")
    layer = jkeras.layers.FlaxLayer(net, method=lambda module, inputs: module.first(inputs))
    np.testing.assert_allclose(layer(x), net.first(x), rtol=1e-6)
    with pytest.raises(ValueError, match="no `variables`"):
        jkeras.layers.FlaxLayer(net, variables={"params": {}})


@pytest.mark.promise("other libraries' programs cannot be compiled into one of JAX")
@pytest.mark.parametrize("name", ["TorchModuleWrapper", "TFSMLayer"])
def test_layers_of_other_frameworks_say_what_to_use(name):
    with pytest.raises(NotImplementedError, match="JaxLayer|\\.keras"):
        getattr(layers, name)("folder")
