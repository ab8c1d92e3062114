"""Scopes, operations, functions, state trees and settings: as Keras's."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.core.session.settings import settings

LIBRARIES = pytest.mark.parametrize("lib", [keras, jkeras], ids=["keras", "jkeras"])
X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
Y = np.random.default_rng(1).normal(size=(6, 2)).astype("float32")


def network(lib, **options):
    return lib.Sequential(
        [
            lib.Input((4,)),
            lib.layers.Dense(8, activation="tanh", name="a"),
            lib.layers.BatchNormalization(name="b"),
            lib.layers.Dropout(0.5, seed=3, name="drop"),
            lib.layers.Dense(2, activity_regularizer="l2", name="c"),
        ],
        name="net",
        **options,
    )


# ---------------------------------------------------------------- stateless scope


@LIBRARIES
def test_stateless_scope_keeps_variables_and_collects_updates(lib):
    model = network(lib)
    before = [np.asarray(w) for w in model.get_weights()]
    ones = [np.ones(v.shape, v.dtype) for v in model.trainable_variables]
    with lib.StatelessScope(zip(model.trainable_variables, ones), collect_losses=True) as scope:
        model(X, training=True)
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))
    mean = next(v for v in model.non_trainable_variables if v.path.endswith("moving_mean"))
    assert np.abs(np.asarray(scope.get_current_value(mean))).max() > 0
    assert scope.get_current_value(model.trainable_variables[0]).shape == (4, 8)
    assert scope.get_current_value(lib.Variable(1.0)) is None
    assert len(scope.losses) == 1


def test_stateless_scope_computes_what_keras_computes():
    results = []
    for lib in (keras, jkeras):
        model = network(lib)
        values = [
            np.linspace(-1, 1, v.shape.count(0) or int(np.prod(v.shape)))
            .reshape(v.shape)
            .astype(v.dtype)
            for v in model.trainable_variables
        ]

        def loss(values, lib=lib, model=model):
            with lib.StatelessScope(zip(model.trainable_variables, values)):
                return jnp.mean(model(X, training=False) ** 2)

        results.append(jax.jit(jax.value_and_grad(loss))(values))
    for a, b in zip(*map(jax.tree_util.tree_leaves, results)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@LIBRARIES
def test_stateless_scope_refuses_what_does_not_fit(lib):
    v = lib.Variable(np.ones(3, "float32"))
    with pytest.raises(ValueError):
        lib.StatelessScope([("v", np.ones(3))])
    with pytest.raises(ValueError, match="shape"):
        lib.StatelessScope([(v, np.ones(4))])


def test_scopes_nest_and_see_outer_values():
    v, w = jkeras.Variable(1.0), jkeras.Variable(2.0)
    with jkeras.StatelessScope([(v, 5.0)]):
        with jkeras.StatelessScope() as inner:
            w.assign(v + 1.0)
            inner.add_update((v, jnp.float32(9.0)))
            assert (float(v), float(w)) == (9.0, 6.0)
        assert (float(v), float(w)) == (5.0, 2.0)
    assert (float(v), float(w)) == (1.0, 2.0)
    assert float(inner.get_current_value(w)) == 6.0


def test_layers_may_be_built_inside_a_stateless_scope():
    layer = layers.Dense(2)
    with jkeras.StatelessScope():
        y = layer(X)
    np.testing.assert_allclose(y, layer(X), rtol=1e-6)


def test_symbolic_scope_changes_nothing():
    model = network(jkeras)
    before = model.get_weights()
    with jkeras.SymbolicScope():
        model(X, training=True)
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))


# ---------------------------------------------------------------- names, devices


@LIBRARIES
def test_name_scope_stands_in_paths(lib):
    with lib.name_scope("outer"):
        with lib.name_scope("inner"):
            v = lib.Variable(1.0, name="v")
            layer = lib.layers.Dense(2, name="d")
            layer.build((None, 3))
        with lib.name_scope("elsewhere", override_parent="root"):
            w = lib.Variable(1.0, name="w")
    assert (v.path, layer.kernel.path, w.path) == (
        "outer/inner/v",
        "outer/inner/d/kernel",
        "root/elsewhere/w",
    )
    assert lib.Variable(1.0, name="v").path == "v"
    with pytest.raises(ValueError):
        lib.name_scope("a/b")


@LIBRARIES
def test_device(lib):
    with lib.device("cpu:0"):
        assert jnp.ones(2).device == jax.devices("cpu")[0]
    with lib.device(jax.devices()[0]):
        jnp.ones(2)
    with pytest.raises(ValueError):
        lib.device(3)


# ---------------------------------------------------------------- rematerialization


def checkpoints(function, *args):
    return str(jax.make_jaxpr(function)(*args)).count("prevent_cse")


@pytest.mark.parametrize(
    "options, least",
    [
        ({"mode": "full"}, 5),
        ({"mode": "activations"}, 1),
        ({"mode": "larger_than", "output_size_threshold": 40}, 3),
        ({"mode": "list_of_layers", "layer_names": ["a"]}, 1),
        ({"mode": None}, 0),
    ],
)
def test_remat_scope_changes_no_number(options, least):
    plain = network(jkeras)
    with jkeras.RematScope(**options):
        saving = network(jkeras)
    params, state = plain.init(jax.random.key(0), X)

    def loss_of(model):
        def loss(params):
            y, new = model.apply(params, state, X, training=True, rng=jax.random.key(1))
            return jnp.mean((y - Y) ** 2) + sum(jax.tree_util.tree_leaves(new["losses"])), new

        return jax.value_and_grad(loss, has_aux=True)

    assert checkpoints(loss_of(plain), params) == 0
    assert checkpoints(loss_of(saving), params) >= least
    for a, b in zip(
        *(jax.tree_util.tree_leaves(jax.jit(loss_of(m))(params)) for m in (plain, saving))
    ):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_model_of_a_remat_scope_trains_alike():
    logs = []
    for scope in (jkeras.RematScope(mode=None), jkeras.RematScope()):
        jkeras.utils.set_random_seed(0)
        with scope:
            model = network(jkeras)
        model.compile("sgd", "mse")
        logs.append(model.fit(X, Y, epochs=3, batch_size=3, verbose=0).history["loss"])
    np.testing.assert_allclose(*logs, rtol=1e-5)


@LIBRARIES
def test_remat_of_a_function(lib):
    def f(x):
        return jnp.sum(jnp.sin(x) ** 2)

    np.testing.assert_allclose(jax.grad(lib.remat(f))(X), jax.grad(f)(X), rtol=1e-6)
    with pytest.raises(ValueError, match="Invalid mode"):
        lib.RematScope(mode="some")


# ---------------------------------------------------------------- operations and functions


def scaled(lib):
    class Scaled(lib.Operation):
        def __init__(self, factor, name=None):
            super().__init__(name=name)
            self.factor = factor

        def call(self, x, shift=0.0):
            return x * self.factor + shift

        def compute_output_spec(self, x, shift=0.0):
            return lib.KerasTensor(x.shape, x.dtype)

    return Scaled


@LIBRARIES
def test_operation_in_a_model_and_in_a_function(lib):
    operation = scaled(lib)(3.0, name="scaled")
    np.testing.assert_allclose(operation(X), X * 3, rtol=1e-6)
    x = lib.Input((4,))
    y = operation(x, shift=1.0)
    assert (y.shape, operation.output.shape, operation.input is x) == ((None, 4), (None, 4), True)
    for graph in (lib.Model(x, y), lib.Function(x, y)):
        np.testing.assert_allclose(graph(X), X * 3 + 1, rtol=1e-6)
    assert operation.get_config() == {"name": "scaled", "factor": 3.0}
    assert scaled(lib).from_config({"factor": 2.0, "name": "s"}).factor == 2.0
    with pytest.raises(NotImplementedError):
        lib.Operation()(X)


@LIBRARIES
def test_function_of_several_tensors(lib):
    a, b = lib.KerasTensor((None, 4)), lib.KerasTensor((None, 4))
    function = lib.Function(
        [a, b], {"sum": a + b, "dense": lib.layers.Dense(2, kernel_initializer="ones")(a)}, name="f"
    )
    out = function([X, X])
    np.testing.assert_allclose(out["sum"], 2 * X, rtol=1e-6)
    np.testing.assert_allclose(
        out["dense"], X.sum(1, keepdims=True) * np.ones((1, 2)), rtol=1e-4, atol=1e-5
    )
    assert function.compute_output_shape([(5, 4), (5, 4)]) == {"sum": (5, 4), "dense": (5, 2)}
    assert len(function.operations) == 2 if lib is jkeras else True
    with pytest.raises(ValueError):
        function([X, X[:, :3]])


def test_model_with_an_operation_comes_back_from_its_config():
    cls = jkeras.saving.register_keras_serializable("test_scopes")(scaled(jkeras))
    x = jkeras.Input((4,))
    model = jkeras.Model(x, cls(2.0)(x, shift=1.0))
    np.testing.assert_allclose(
        jkeras.models.model_from_json(model.to_json())(X), X * 2 + 1, rtol=1e-6
    )


def test_layers_are_operations():
    assert isinstance(layers.Dense(1), jkeras.Operation)


# ---------------------------------------------------------------- state trees, settings


def test_state_tree_is_that_of_keras():
    trees = []
    for lib in (keras, jkeras):
        model = network(lib)
        model.compile("adam", "mse", metrics=["mae"])
        model.fit(X, Y, verbose=0)
        trees.append(model.get_state_tree("numpy_array"))
        fresh = network(lib)
        fresh.compile("adam", "mse", metrics=["mae"])
        fresh.fit(X * 0, Y, verbose=0)
        fresh.set_state_tree(
            {k: trees[-1][k] for k in ("trainable_variables", "optimizer_variables")}
        )
        np.testing.assert_array_equal(fresh.get_weights()[0], model.get_weights()[0])
        with pytest.raises(ValueError, match="Unknown variable name"):
            model.set_state_tree({"weights": {}})
        with pytest.raises(ValueError, match="value_format"):
            model.get_state_tree("list")
    shapes = [jax.tree_util.tree_map(np.shape, t) for t in trees]
    assert shapes[0] == shapes[1]


@LIBRARIES
@pytest.mark.parametrize("name", ["max_epochs", "max_steps_per_epoch"])
def test_limits(lib, name):
    getter, setter = getattr(lib.config, name), getattr(lib.config, f"set_{name}")
    setter(2)
    assert getter() == 2
    setter(None)
    assert getter() is None


def test_flash_attention_switch_reaches_new_layers(monkeypatch):
    monkeypatch.setattr(settings, "flash_attention", None)  # as it was before any switch
    jkeras.config.enable_flash_attention()
    try:
        with pytest.raises(ValueError, match="flash attention"):
            layers.MultiHeadAttention(2, 3, dropout=0.5)
    finally:
        jkeras.config.disable_flash_attention()
    layers.MultiHeadAttention(2, 3, dropout=0.5)


def test_other_settings():
    jkeras.config.set_backend("jax")
    with pytest.raises(ValueError, match="jkeras runs on JAX alone"):
        jkeras.config.set_backend("torch")
    jkeras.config.disable_traceback_filtering()
    assert not jkeras.config.is_traceback_filtering_enabled()
    jkeras.config.enable_traceback_filtering()
    assert jkeras.config.is_traceback_filtering_enabled() and not jkeras.config.is_nnx_enabled()
