"""The pure pair and the pure step under jit, grad, vmap, scan and checkpoint."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jkeras
from jkeras import Input, Model, Sequential, layers
from jkeras.core.errors import StateWriteError
from jkeras.training import init_train_state, make_eval_step, make_predict_step, make_train_step
from tests.design.tools import (
    assert_same_history,
    assert_trees_close,
    assert_trees_equal,
    dense,
    mse,
    normal,
    real_keras,
    sgd_by_hand,
)


def small(rate=0.1, optimizer="SGD"):
    model = Sequential(
        [
            Input((4,)),
            layers.Dense(6, activation="tanh", name="a"),
            layers.BatchNormalization(name="n"),
            layers.Dropout(0.3, name="d"),
            layers.Dense(1, name="b"),
        ]
    )
    model.compile(getattr(jkeras.optimizers, optimizer)(rate), "mse", metrics=["mae"])
    return model


# ---------------------------------------------------------------- pair, init, apply


@pytest.mark.promise("`model.init` and `model.apply`")
@pytest.mark.promise("`net.pair()` gives the")
@pytest.mark.promise("`variables = model.init(key, x)`")
def test_pair_is_two_pure_functions():
    init, apply = layers.Dense(3, activation="relu").pair()
    x = normal(5, 2)
    params, state = init(jax.random.key(0), x)
    again, _ = init(jax.random.key(0), jax.ShapeDtypeStruct((1, 2), "float32"))
    other, _ = init(jax.random.key(1), x)
    assert_trees_equal(params, again)
    assert not np.array_equal(params["kernel"], other["kernel"])
    assert state == {}
    y, state = jax.jit(apply)(params, state, x)
    np.testing.assert_allclose(
        y, np.maximum(x @ params["kernel"] + params["bias"], 0), rtol=1e-5, atol=1e-6
    )


@pytest.mark.promise("A gradient for each sample")
@pytest.mark.promise("`torch.func.vmap`, `grad`, `functional_call`")
@pytest.mark.promise("a gradient for each sample, sixteen trainings in one `vmap`")
def test_per_sample_gradients():
    model, x, y = Sequential([Input((3,)), layers.Dense(1, name="d")]), normal(6, 3), normal(6, 1)
    init, apply = model.pair()
    params, state = init(jax.random.key(0), x)
    loss = lambda p, x, y: jnp.sum((apply(p, state, x[None])[0] - y) ** 2)  # noqa: E731
    grads = jax.jit(jax.vmap(jax.grad(loss), in_axes=(None, 0, 0)))(params, x, y)
    error = 2 * (x @ params["d"]["kernel"] + params["d"]["bias"] - y)
    np.testing.assert_allclose(grads["d"]["kernel"], (error * x)[:, :, None], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(grads["d"]["bias"], error, rtol=1e-4, atol=1e-5)


def test_vmap_over_seeds_makes_what_single_seeds_make():
    model, x = small(), normal(2, 4)
    keys = jax.random.split(jax.random.key(5), 3)
    stacked, _ = jax.vmap(lambda key: model.init(key, x))(keys)
    for i in range(3):
        assert_trees_close(
            jax.tree_util.tree_map(lambda v, i=i: v[i], stacked),
            model.init(keys[i], x)[0],
            rtol=1e-6,
        )


def test_apply_leaves_no_tracer_behind_and_changes_nothing():
    model, x = small(), normal(8, 4)
    before = model.get_weights()
    params, state = model.params, model.state
    with jax.checking_leaks():
        jax.jit(lambda p, s, x: model.apply(p, s, x, training=True, rng=jax.random.key(0)))(
            params, state, x
        )
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)


@pytest.mark.promise("so it survives `jit`, `scan` and `grad`")
def test_apply_goes_through_scan():
    norm, xs = layers.BatchNormalization(momentum=0.8), normal(5, 16, 3) + 1
    params, state = norm.init(jax.random.key(0), xs[0])

    def body(state, x):
        y, state = norm.apply(params, state, x, training=True)
        return state, y

    state, ys = jax.jit(lambda s: jax.lax.scan(body, s, xs))(state)
    mean, variance = np.zeros(3), np.ones(3)
    for x in xs:
        mean, variance = 0.8 * mean + 0.2 * x.mean(0), 0.8 * variance + 0.2 * x.var(0)
    np.testing.assert_allclose(state["moving_mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(state["moving_variance"], variance, rtol=1e-5)
    last = (xs[-1] - xs[-1].mean(0)) / np.sqrt(xs[-1].var(0) + 1e-3)
    np.testing.assert_allclose(ys[-1], last, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------- state written in an inner
# transformation


class Scanning(layers.Layer):
    """Runs its BatchNormalization inside `lax.scan`: the mistake that must be explained."""

    def __init__(self, wrong=True):
        super().__init__()
        self.norm, self.wrong = layers.BatchNormalization(momentum=0.8), wrong

    def build(self, shape):
        self.norm.build((shape[0], shape[2]))

    def call(self, x, training=None):
        def body(carry, step):
            return carry, self.norm(step, training=training)

        return jnp.swapaxes(jax.lax.scan(body, 0.0, jnp.swapaxes(x, 0, 1))[1], 0, 1)


class ScanningRight(Scanning):
    """The same with the state in the carry."""

    def call(self, x, training=None):
        params = {"gamma": self.norm.gamma.value, "beta": self.norm.beta.value}
        state = {
            "moving_mean": self.norm.moving_mean.value,
            "moving_variance": self.norm.moving_variance.value,
        }

        def body(state, step):
            y, state = self.norm.apply(params, state, step, training=training)
            return state, y

        state, y = jax.lax.scan(body, state, jnp.swapaxes(x, 0, 1))
        if training:
            self.norm.moving_mean.assign(state["moving_mean"])
            self.norm.moving_variance.assign(state["moving_variance"])
        return jnp.swapaxes(y, 0, 1)


@pytest.mark.promise("A write inside a `lax.scan`")
@pytest.mark.parametrize("use", ["apply", "jit", "fit", "eager"])
def test_batchnorm_inside_scan_is_an_explained_error(use):
    x = normal(4, 5, 3)
    layer = Scanning()
    model = Sequential([Input((5, 3)), layer])
    params, state = model.init(jax.random.key(0), x)
    apply = lambda p, s, x: model.apply(p, s, x, training=True)  # noqa: E731
    model.compile("sgd", "mse")
    run = {
        "apply": lambda: apply(params, state, x),
        "jit": lambda: jax.jit(apply)(params, state, x),
        "fit": lambda: model.fit(x, x, verbose=0),
        "eager": lambda: model(x, training=True),
    }[use]
    with pytest.raises(StateWriteError, match="moving_(mean|variance)") as error:
        run()
    for word in ("apply",) if use == "eager" else ("scan", "apply", "carry"):
        assert word in str(error.value)
    y, _ = model.apply(params, state, x, training=False)  # inference writes nothing and works
    np.testing.assert_allclose(y, x / np.sqrt(1 + 1e-3), rtol=1e-5, atol=1e-6)
    assert model.predict(x, verbose=0).shape == (4, 5, 3)


@pytest.mark.promise("so it survives `jit`, `scan` and `grad`")
def test_batchnorm_inside_scan_the_right_way():
    x = normal(4, 5, 3)
    layer = ScanningRight()
    params, state = layer.init(jax.random.key(0), x)
    y, state = jax.jit(lambda p, s, x: layer.apply(p, s, x, training=True))(params, state, x)
    mean = np.zeros(3)
    for t in range(5):
        mean = 0.8 * mean + 0.2 * x[:, t].mean(0)
    np.testing.assert_allclose(state["norm"]["moving_mean"], mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        y[:, 2], (x[:, 2] - x[:, 2].mean(0)) / np.sqrt(x[:, 2].var(0) + 1e-3), rtol=1e-4, atol=1e-5
    )
    model = Sequential([Input((5, 3)), layer])
    model.compile("sgd", "mse")
    model.fit(x, x, epochs=1, verbose=0)
    np.testing.assert_allclose(layer.norm.moving_mean, mean, rtol=1e-4, atol=1e-6)


@pytest.mark.promise("`call` may write to variables")
@pytest.mark.promise("That raises an error that says so")
@pytest.mark.parametrize("transform", ["cond", "vmap", "grad", "checkpoint"])
def test_writes_in_other_inner_transformations_are_explained(transform):
    class Writes(layers.Layer):
        def build(self, shape):
            self.count = self.add_weight(
                shape=(), initializer="zeros", trainable=False, name="count"
            )

        def call(self, x):
            def inner(v):
                self.count.assign_add(1.0)
                return jnp.sum(v)

            if transform == "cond":
                return jax.lax.cond(x.sum() > 0, inner, lambda v: 0.0, x)
            return {"vmap": jax.vmap, "grad": jax.grad, "checkpoint": jax.checkpoint}[transform](
                inner
            )(x)

    layer = Writes()
    layer.build((None, 3))
    with pytest.raises(StateWriteError, match="count"):
        jax.jit(layer.apply)(layer.params, layer.state, jnp.ones((4, 3)))


@pytest.mark.parametrize("transform", ["scan", "checkpoint"])
def test_add_loss_in_an_inner_transformation_is_explained(transform):
    class Adds(layers.Layer):
        def call(self, x):
            def inner(carry, v):
                self.add_loss(jnp.sum(v))
                return carry, v

            if transform == "scan":
                return jax.lax.scan(inner, 0.0, x)[1]
            return jax.checkpoint(inner)(0.0, x)[1]

    layer = Adds()
    with pytest.raises((StateWriteError, ValueError), match="add_loss|loss"):
        params, state = layer.init(jax.random.key(0), jnp.ones((2, 3)))
        jax.jit(layer.apply)(params, state, jnp.ones((2, 3)))


# ---------------------------------------------------------------- remat


class Remat(layers.Layer):
    """Its block's activations are computed again in the backward pass."""

    def __init__(self, remat, **kwargs):
        super().__init__(**kwargs)
        self.remat = remat
        self.block = Sequential(
            [
                layers.Dense(8, activation="tanh", name="h"),
                layers.Dropout(0.4, name="d"),
                layers.Dense(3, name="o"),
            ],
            name="block",
        )

    def build(self, shape):
        self.block.build(shape)

    def call(self, x, training=None):
        run = lambda x: self.block(x, training=training)  # noqa: E731
        return jax.checkpoint(run)(x) if self.remat else run(x)


@pytest.mark.promise("`jax.hessian`, `jax.lax.scan`, `jax.checkpoint`")
def test_remat_block_gives_the_same_numbers_and_gradients():
    x = normal(6, 3)
    found = []
    for remat in (False, True):
        layer = Remat(remat)
        params, state = layer.init(jax.random.key(0), x)

        def loss(p, layer=layer, state=state):
            y, _ = layer.apply(p, state, x, training=True, rng=jax.random.key(3))
            return jnp.sum(y**2)

        value, grads = jax.jit(jax.value_and_grad(loss))(params)
        program = str(jax.make_jaxpr(jax.grad(loss))(params))
        found.append((value, grads, program))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-6)
    assert_trees_close(found[0][1], found[1][1], rtol=1e-5)
    text = found[1][2].lower()
    assert "remat" in text or "checkpoint" in text
    p = params["block"]
    y, _ = layer.apply(params, state, x)
    np.testing.assert_allclose(y, dense(p["o"], dense(p["h"], x, jnp.tanh)), rtol=1e-5, atol=1e-6)


def test_remat_block_in_fit():
    x, y = normal(8, 3), normal(8, 3, seed=1)
    model = Sequential([Input((3,)), Remat(True, name="r")])
    model.get_layer("r").block.layers[1].rate = 0.0
    first = model.params
    model.compile(jkeras.optimizers.SGD(0.1), "mse")
    model.fit(x, y, epochs=3, verbose=0)
    by_hand = sgd_by_hand(
        lambda p, x, y: mse(
            y, dense(p["r"]["block"]["o"], dense(p["r"]["block"]["h"], x, jnp.tanh))
        ),
        first,
        [(x, y)] * 3,
        0.1,
    )
    assert_trees_close(model.params, by_hand)


# ---------------------------------------------------------------- the pure step


@pytest.mark.promise("`metrics` | totals of the metrics since they were reset")
@pytest.mark.promise("`step` | number of steps taken")
@pytest.mark.promise("`make_eval_step` gives a step")
def test_pure_step_is_gradient_descent_by_hand():
    model = Sequential(
        [Input((3,)), layers.Dense(2, activation="tanh", name="a"), layers.Dense(1, name="b")]
    )
    model.compile(jkeras.optimizers.SGD(0.2), "mse", metrics=["mae"])
    state, step = init_train_state(model, jax.random.key(0)), jax.jit(make_train_step(model))
    x, y = normal(8, 3), normal(8, 1)
    loss = lambda p, x, y: mse(y, dense(p["b"], dense(p["a"], x, jnp.tanh)))  # noqa: E731
    p = state.params
    for i in range(4):
        state, logs = step(
            state._replace(metrics=jax.tree_util.tree_map(jnp.zeros_like, state.metrics)), (x, y)
        )
        np.testing.assert_allclose(logs["loss"], loss(p, x, y), rtol=1e-5)
        np.testing.assert_allclose(
            logs["mae"], jnp.mean(abs(y - dense(p["b"], dense(p["a"], x, jnp.tanh)))), rtol=1e-5
        )
        p = sgd_by_hand(loss, p, [(x, y)], 0.2)
        assert int(state.step) == i + 1
    assert_trees_close(state.params, p)
    logs = make_eval_step(model)(
        state._replace(metrics=jax.tree_util.tree_map(jnp.zeros_like, state.metrics)), (x, y)
    )[1]
    np.testing.assert_allclose(logs["loss"], loss(p, x, y), rtol=1e-5)
    np.testing.assert_allclose(
        make_predict_step(model)(state, x),
        dense(p["b"], dense(p["a"], x, jnp.tanh)),
        rtol=1e-5,
        atol=1e-6,
    )


def test_sample_weights_in_the_pure_step():
    model = Sequential([Input((3,)), layers.Dense(1, name="a")])
    model.compile(jkeras.optimizers.SGD(0.2), "mse")
    state = init_train_state(model, jax.random.key(0))
    x = normal(8, 3)
    y = normal(8, 1)
    w = abs(normal(8, seed=3))
    after, logs = jax.jit(make_train_step(model))(state, (x, y, w))
    loss = lambda p: jnp.sum((dense(p["a"], x) - y)[:, 0] ** 2 * w) / 8  # noqa: E731
    np.testing.assert_allclose(logs["loss"], loss(state.params), rtol=1e-5)
    assert_trees_close(
        after.params,
        jax.tree_util.tree_map(
            lambda p, g: p - 0.2 * g, state.params, jax.grad(loss)(state.params)
        ),
    )


@pytest.mark.promise("`opt_state` | the optimizer's; its learning rate")
@pytest.mark.promise("Ten trainings at once, each")
@pytest.mark.promise("Trainings that differ in")
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_one_vmap_trains_eight_models(optimizer):
    model = small(optimizer=optimizer)
    step = make_train_step(model)
    keys = jax.random.split(jax.random.key(0), 8)
    rates = np.geomspace(0.3, 0.003, 8).astype("float32")

    def start(key, rate):
        state = init_train_state(model, key)
        return state._replace(opt_state={**state.opt_state, "learning_rate": rate})

    states = jax.vmap(start)(keys, rates)
    batches = [(normal(16, 4, seed=i), normal(16, 1, seed=100 + i)) for i in range(6)]
    together = jax.jit(jax.vmap(step, in_axes=(0, None)))
    for batch in batches:
        states, logs = together(states, batch)
    assert logs["loss"].shape == (8,)
    alone = jax.jit(step)
    for i in range(8):
        state = start(keys[i], rates[i])
        for batch in batches:
            state, mine = alone(state, batch)
        assert_trees_close(
            jax.tree_util.tree_map(lambda v: v[i], states),  # noqa: B023
            state,
            rtol=1e-3,
            atol=1e-5,
        )
        np.testing.assert_allclose(logs["loss"][i], mine["loss"], rtol=1e-4)
    assert len({round(float(v), 5) for v in logs["loss"]}) == 8


@pytest.mark.promise("`jax.hessian`, `jax.lax.scan`, `jax.checkpoint`")
@pytest.mark.promise("whatever JAX can do to a function it can do to a model")
def test_a_whole_training_under_vmap_and_scan():
    model = Sequential([Input((3,)), layers.Dense(1, name="a")])
    model.compile(jkeras.optimizers.SGD(0.1), "mse")
    step, xs, ys = make_train_step(model), normal(5, 8, 3), normal(5, 8, 1)

    @jax.jit
    @jax.vmap
    def train(key):
        state, logs = jax.lax.scan(step, init_train_state(model, key), (xs, ys))
        return state.params, logs["loss"]

    keys = jax.random.split(jax.random.key(1), 4)
    params, losses = train(keys)
    assert losses.shape == (4, 5)
    for i in range(4):
        by_hand = sgd_by_hand(
            lambda p, x, y: mse(y, dense(p["a"], x)),
            init_train_state(model, keys[i]).params,
            zip(xs, ys),
            0.1,
        )
        assert_trees_close(jax.tree_util.tree_map(lambda v: v[i], params), by_hand)  # noqa: B023


def test_gradient_through_two_training_steps():
    model = Sequential(
        [Input((3,)), layers.Dense(2, activation="tanh", name="a"), layers.Dense(1, name="b")]
    )
    model.compile(jkeras.optimizers.SGD(0.1), "mse")
    step, state = make_train_step(model), init_train_state(model, jax.random.key(0))
    batches = [(normal(8, 3, seed=i), normal(8, 1, seed=9 + i)) for i in range(2)]
    x, y = normal(8, 3, seed=5), normal(8, 1, seed=6)
    loss = lambda p, x, y: mse(y, dense(p["b"], dense(p["a"], x, jnp.tanh)))  # noqa: E731

    def outer(rate, params):
        now = state._replace(params=params, opt_state={**state.opt_state, "learning_rate": rate})
        for batch in batches:
            now, _ = step(now, batch)
        return loss(now.params, x, y)

    def by_hand(rate, params):
        for batch in batches:
            grads = jax.grad(loss)(params, *batch)
            params = jax.tree_util.tree_map(lambda p, g: p - rate * g, params, grads)
        return loss(params, x, y)

    rate = jnp.float32(0.1)
    found = jax.jit(jax.grad(outer, argnums=(0, 1)))(rate, state.params)
    assert_trees_close(
        found, jax.grad(by_hand, argnums=(0, 1))(rate, state.params), rtol=1e-4, atol=1e-6
    )
    epsilon = 0.02  # finite differences
    numeric = (outer(rate + epsilon, state.params) - outer(rate - epsilon, state.params)) / (
        2 * epsilon
    )
    np.testing.assert_allclose(found[0], numeric, rtol=2e-2)


def test_gradient_through_two_steps_of_adam():
    model = Sequential([Input((3,)), layers.Dense(1, name="a")])
    model.compile(jkeras.optimizers.Adam(0.1), "mse")
    step, state = jax.jit(make_train_step(model)), init_train_state(model, jax.random.key(0))
    x, y = normal(8, 3), normal(8, 1)

    def outer(rate):
        now = state._replace(opt_state={**state.opt_state, "learning_rate": rate})
        for _ in range(2):
            now, _ = step(now, (x, y))
        return mse(y, dense(now.params["a"], x))

    found = jax.grad(outer)(jnp.float32(0.1))
    epsilon = 0.01
    np.testing.assert_allclose(
        found, (outer(0.1 + epsilon) - outer(0.1 - epsilon)) / (2 * epsilon), rtol=2e-2
    )


def test_step_does_not_retrace_for_another_learning_rate():
    model, count = small(optimizer="Adam"), []
    inner = make_train_step(model)

    def step(state, batch):
        count.append(1)
        return inner(state, batch)

    step, state = jax.jit(step), init_train_state(model, jax.random.key(0))
    for rate in (0.1, 0.01, 0.001):
        state = state._replace(opt_state={**state.opt_state, "learning_rate": jnp.float32(rate)})
        state, _ = step(state, (normal(4, 4), normal(4, 1)))
    assert len(count) == 1


# ---------------------------------------------------------------- back under the Keras view


def test_load_train_state():
    model, x, y = small(optimizer="Adam"), normal(16, 4), normal(16, 1)
    state, step = init_train_state(model, jax.random.key(3)), jax.jit(make_train_step(model))
    for _ in range(3):
        state, _ = step(state, (x, y))
    model.load_train_state(state)
    np.testing.assert_allclose(
        model.predict(x, verbose=0), make_predict_step(model)(state, x), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(
        model.get_layer("a").get_weights()[0], state.params["a"]["kernel"]
    )
    np.testing.assert_array_equal(
        model.get_layer("n").get_weights()[2], state.state["n"]["moving_mean"]
    )
    assert int(model.optimizer.iterations) == 3
    kernel = np.array(state.params["a"]["kernel"])
    model.fit(x, y, epochs=2, verbose=0)  # consumes copies, never the state that was loaded
    np.testing.assert_array_equal(state.params["a"]["kernel"], kernel)
    assert int(model.optimizer.iterations) == 5
    state, _ = step(state, (x, y))


@pytest.mark.promise("`state` is a `TrainState`")
@pytest.mark.promise("Nothing else is needed to go on, and nothing else changes")
def test_a_state_goes_on_where_fit_stopped():
    model = Sequential(
        [Input((4,)), layers.Dense(3, activation="tanh", name="a"), layers.Dense(1, name="b")]
    )
    model.compile(jkeras.optimizers.Adam(0.05), "mse")
    x, y = normal(16, 4), normal(16, 1)
    theirs = real_keras().Sequential(
        [
            real_keras().Input((4,)),
            real_keras().layers.Dense(3, activation="tanh"),
            real_keras().layers.Dense(1),
        ]
    )
    theirs.set_weights(model.get_weights())
    theirs.compile(real_keras().optimizers.Adam(0.05), "mse")
    theirs.fit(x, y, batch_size=16, epochs=6, shuffle=False, verbose=0)
    model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    state, step = init_train_state(model), make_train_step(model)
    for _ in range(2):
        state, _ = step(state, (x, y))
    model.load_train_state(state)
    model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), theirs.weights):
        np.testing.assert_allclose(a, b.value, rtol=1e-4, atol=1e-6)


def test_optimizer_state_continues_over_two_fits():
    keras = real_keras()
    x, y = normal(16, 4), normal(16, 1)

    def make(k):
        model = k.Sequential([k.Input((4,)), k.layers.Dense(1)])
        model.compile(k.optimizers.Adam(0.05), "mse")
        return model

    mine, theirs = make(jkeras), make(keras)
    theirs.set_weights(mine.get_weights())
    histories = [mine.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0) for _ in range(2)]
    both = theirs.fit(x, y, batch_size=4, epochs=4, shuffle=False, verbose=0)
    np.testing.assert_allclose(
        histories[0].history["loss"] + histories[1].history["loss"], both.history["loss"], rtol=1e-4
    )
    assert int(mine.optimizer.iterations) == 16


@pytest.mark.promise("Any optax transform is")
@pytest.mark.promise("Optax transforms are optimizers ([Training]")
@pytest.mark.parametrize(
    "make",
    [
        lambda: optax.adamw(0.05, weight_decay=0.1),
        lambda: optax.sgd(0.1, momentum=0.9),
        lambda: optax.chain(optax.clip_by_global_norm(0.5), optax.rmsprop(0.01)),
        lambda: optax.adam(optax.cosine_decay_schedule(0.1, 10)),
    ],
)
def test_optax_transformations_in_compile(make):
    model = Sequential(
        [Input((3,)), layers.Dense(2, activation="tanh", name="a"), layers.Dense(1, name="b")]
    )
    x, y, p = normal(8, 3), normal(8, 1), model.params
    model.compile(make(), "mse")
    for _ in range(2):
        model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    tx = make()
    opt_state = tx.init(p)
    loss = lambda p, x, y: mse(y, dense(p["b"], dense(p["a"], x, jnp.tanh)))  # noqa: E731

    @jax.jit
    def step(p, opt_state, x, y):
        updates, opt_state = tx.update(jax.grad(loss)(p, x, y), opt_state, p)
        return optax.apply_updates(p, updates), opt_state

    for _ in range(4):
        for rows in (slice(0, 4), slice(4, 8)):
            p, opt_state = step(p, opt_state, x[rows], y[rows])
    assert_trees_close(model.params, p, rtol=1e-4, atol=1e-5)


def test_functional_model_of_several_inputs_is_a_pure_function():
    a, b = Input((2,), name="a"), Input((3,), name="b")
    y = layers.Concatenate()([layers.Dense(2, name="da")(a), b])
    model = Model(
        {"a": a, "b": b}, {"y": layers.Dense(1, name="out")(y), "mean": jkeras.ops.mean(y, axis=-1)}
    )
    data = {"a": normal(4, 2), "b": normal(4, 3)}
    params, state = model.init(jax.random.key(0), data)
    out, _ = jax.jit(model.apply)(params, state, data)
    joined = np.concatenate(
        [data["a"] @ params["da"]["kernel"] + params["da"]["bias"], data["b"]], -1
    )
    np.testing.assert_allclose(out["mean"], joined.mean(-1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        out["y"], joined @ params["out"]["kernel"] + params["out"]["bias"], rtol=1e-5, atol=1e-6
    )


def test_history_of_compiled_loops_equals_single_steps():
    """Many steps in one dispatch and one at a time are the same training."""
    x, y = normal(40, 4), normal(40, 1)
    models = [small(optimizer="Adam") for _ in range(2)]
    for mine, variable in zip(models[1].variables, models[0].variables, strict=True):
        mine.assign(variable)
    watch = jkeras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    a = models[0].fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    b = models[1].fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0, callbacks=[watch])
    assert_same_history(a, b, rtol=1e-5)
    for v, w in zip(models[0].get_weights(), models[1].get_weights()):
        np.testing.assert_allclose(v, w, rtol=1e-4, atol=1e-6)


def test_a_layer_called_losses_beside_the_losses_that_are_added():
    """Both stand under this name in the state: weights by their names, losses by numbers."""
    models, x = [], jnp.arange(12.0).reshape(3, 4)
    for name in ("losses", "norm"):
        penalized = layers.Activation("linear", activity_regularizer="l2", name="last")
        models.append(Sequential([layers.BatchNormalization(name=name), penalized]))
    (y, state), (other_y, other_state) = [
        model.apply(*model.init(jax.random.key(0), x), x, training=True) for model in models
    ]
    np.testing.assert_array_equal(y, other_y)
    added = other_state.pop("losses")
    assert state["losses"].keys() == added.keys() | other_state["norm"].keys()
    np.testing.assert_allclose(added["0"], 0.01 * np.sum(np.square(y)) / 3, rtol=1e-6)
    for key, value in {**added, **other_state["norm"]}.items():
        np.testing.assert_array_equal(state["losses"][key], value)
