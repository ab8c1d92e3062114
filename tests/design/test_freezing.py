"""`trainable`: what is frozen has no gradient and no optimizer state, and stays as it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import Input, Model, Sequential, layers
from jkeras.training import init_train_state, make_train_step
from tests.design.tools import (
    assert_same_history,
    assert_same_weights,
    assert_trees_close,
    both,
    dense,
    mse,
    normal,
    sgd_by_hand,
    weights_of,
)


def three(k):
    return k.Sequential(
        [
            k.Input((4,)),
            k.layers.Dense(3, activation="tanh", name="low"),
            k.layers.BatchNormalization(name="norm"),
            k.layers.Dense(1, name="head"),
        ]
    )


@pytest.mark.promise("What is frozen takes no")
@pytest.mark.promise("`frozen` | what a step")
@pytest.mark.promise("`params` are the arrays")
@pytest.mark.promise("`params` | what is trained")
def test_frozen_layers_have_no_gradient_and_no_optimizer_state():
    model = three(jkeras)
    model.get_layer("low").trainable = False
    model.compile("adam", "mse")
    state = init_train_state(model)
    assert set(state.params) == {"norm", "head"}
    assert set(state.frozen) == {"low"} and set(state.frozen["low"]) == {"kernel", "bias"}
    assert set(state.opt_state["slots"]["momentum"]) == {"norm", "head"}
    assert set(state.opt_state["slots"]["velocity"]) == {"norm", "head"}
    x, y = normal(8, 4), normal(8, 1)
    after, _ = jax.jit(make_train_step(model))(state, (x, y))
    assert jax.tree_util.tree_structure(after) == jax.tree_util.tree_structure(state)
    np.testing.assert_array_equal(after.frozen["low"]["kernel"], state.frozen["low"]["kernel"])
    assert not np.array_equal(after.params["head"]["kernel"], state.params["head"]["kernel"])

    before = model.get_layer("low").get_weights()
    model.fit(x, y, epochs=2, verbose=0)
    for a, b in zip(before, model.get_layer("low").get_weights()):
        np.testing.assert_array_equal(a, b)
    assert len(model.optimizer.variables) == 2 + 2 * 4  # iteration, rate; gamma, beta, kernel, bias


@pytest.mark.promise("What is frozen takes no")
def test_frozen_gradients_are_not_computed():
    """The program of a step with a frozen first layer has no product that makes its weights'
    gradient.
    """

    def count(trainable):
        model = Sequential(
            [Input((64,)), layers.Dense(32, name="low"), layers.Dense(1, name="head")]
        )
        model.get_layer("low").trainable = trainable
        model.compile("sgd", "mse")
        program = jax.make_jaxpr(make_train_step(model))(
            init_train_state(model), (normal(8, 64), normal(8, 1))
        )
        return str(program).count("dot_general")

    assert count(True) - count(False) == 2  # dL/dh of the head, dL/dkernel of the first layer


def freeze_train_unfreeze(model, k, x, y):
    history = []
    for trainable in (False, True, False):
        model.get_layer("low").trainable = trainable
        model.compile(k.optimizers.Adam(0.02), "mse")
        history.append(model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0))
    return history


@pytest.mark.promise("Freeze it, train a head, then")
@pytest.mark.promise("The `trainable` flags are")
@pytest.mark.promise("`compile` after each change, as in Keras")
def test_freeze_train_unfreeze_recompile_train_as_in_keras():
    import keras

    mine, theirs = both(three)
    x, y = normal(16, 4), normal(16, 1, seed=1)
    for a, b in zip(
        freeze_train_unfreeze(mine, jkeras, x, y), freeze_train_unfreeze(theirs, keras, x, y)
    ):
        assert_same_history(a, b, rtol=1e-4)
    assert_same_weights(mine, theirs, rtol=1e-4, atol=1e-5)


def test_each_part_trains_only_when_it_may():
    model = Sequential([Input((3,)), layers.Dense(3, name="a"), layers.Dense(1, name="b")])
    x, y, p = normal(8, 3), normal(8, 1), model.params
    loss = lambda p, x, y: mse(y, dense(p["b"], dense(p["a"], x)))  # noqa: E731
    for frozen, free in (("a", "b"), ("b", "a")):
        model.get_layer(frozen).trainable, model.get_layer(free).trainable = False, True
        model.compile(jkeras.optimizers.SGD(0.1), "mse")
        model.fit(x, y, epochs=2, batch_size=8, verbose=0)
        part = sgd_by_hand(
            lambda part, x, y, p=p, free=free: loss({**p, free: part}, x, y),
            p[free],
            [(x, y)] * 2,
            0.1,
        )
        p = {**p, free: part}
        assert_trees_close(model.params, p)


def test_freezing_a_model_freezes_all_below():
    inner = Sequential([Input((3,)), layers.Dense(3), layers.Dense(3)], name="inner")
    inputs = Input((3,))
    model = Model(inputs, layers.Dense(1, name="head")(inner(inputs)))
    inner.trainable = False
    assert [v.path.split("/")[-2] for v in model.trainable_variables] == ["head", "head"]
    assert len(model.non_trainable_variables) == 4
    model.compile("adam", "mse")
    assert set(init_train_state(model).params) == {"head"}
    inner.trainable = True
    assert len(model.trainable_variables) == 6


@pytest.mark.parametrize("how", ["layer", "model"])
def test_frozen_batchnorm_uses_its_statistics(how):
    norm = layers.BatchNormalization(name="norm")
    model, x = Sequential([Input((3,)), norm]), normal(16, 3) * 3 + 5
    norm.set_weights([np.full(3, 2.0), np.full(3, 0.5), np.full(3, 4.0), np.full(3, 9.0)])
    (norm if how == "layer" else model).trainable = False
    expected = 2.0 * (x - 4.0) / np.sqrt(9.0 + 1e-3) + 0.5
    np.testing.assert_allclose(model(x, training=True), expected, rtol=1e-5, atol=1e-5)
    y, state = model.apply(model.params, model.state, x, training=True)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(state["norm"]["moving_mean"], np.full(3, 4.0))

    wide = Sequential([Input((3,)), norm, layers.Dense(1, name="head")])
    wide.compile("sgd", "mse")
    wide.fit(x, normal(16, 1), verbose=0)
    np.testing.assert_array_equal(weights_of(norm)[2], np.full(3, 4.0))
    np.testing.assert_array_equal(weights_of(norm)[0], np.full(3, 2.0))


@pytest.mark.promise("BatchNormalization's moving mean")
@pytest.mark.promise("`state` are the others")
def test_batchnorm_statistics_move_in_training_and_only_there():
    model = Sequential([Input((3,)), layers.BatchNormalization(momentum=0.9, name="norm")])
    x = normal(16, 3) + 2
    model.compile("sgd", "mse")
    model.evaluate(x, x, verbose=0)
    model.predict(x, verbose=0)
    np.testing.assert_array_equal(model.state["norm"]["moving_mean"], np.zeros(3))
    model.fit(x, x, batch_size=8, epochs=1, shuffle=False, verbose=0)
    mean = np.zeros(3)
    variance = np.ones(3)
    for batch in (x[:8], x[8:]):
        mean, variance = 0.9 * mean + 0.1 * batch.mean(0), 0.9 * variance + 0.1 * batch.var(0)
    np.testing.assert_allclose(model.state["norm"]["moving_mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(model.state["norm"]["moving_variance"], variance, rtol=1e-5)


def test_a_layer_made_frozen_stays_frozen_when_built():
    model = Sequential([layers.Dense(2, trainable=False, name="a"), layers.Dense(1, name="b")])
    model(np.ones((1, 3)))
    assert len(model.trainable_variables) == 2
    model.compile("sgd", "mse")
    assert set(init_train_state(model).frozen) == {"a"}


@pytest.mark.promise("freezing a layer between")
def test_unfreezing_without_compiling_again():
    """The next `fit` reads the flags, and nothing breaks."""
    model, x, y = three(jkeras), normal(8, 4), normal(8, 1)
    model.get_layer("low").trainable = False
    model.compile("adam", "mse")
    model.fit(x, y, verbose=0)
    kept = model.get_layer("low").get_weights()[0]
    model.get_layer("low").trainable = True
    model.fit(x, y, verbose=0)
    assert not np.array_equal(kept, model.get_layer("low").get_weights()[0])
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert jnp.isfinite(model.evaluate(x, y, verbose=0))
