"""Layers and models with losses, metrics, steps and optimizers of their own."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jkeras
from jkeras import Input, Model, Sequential, layers
from jkeras.training import init_train_state, make_train_step
from tests.design.tools import (
    adam_by_hand,
    assert_same_history,
    assert_same_weights,
    assert_trees_close,
    assert_trees_equal,
    both,
    dense,
    mse,
    normal,
    real_keras,
    sgd_by_hand,
    weights_of,
)
from tests.thinning import some_slow

# ---------------------------------------------------------------- a layer with weight, loss and
# metric


def watched(k, metric=True):
    class Watched(k.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            if metric:
                self.size = k.metrics.Mean(name="size")

        def build(self, shape):
            self.w = self.add_weight(shape=(shape[-1],), initializer="ones", name="w")

        def call(self, x):
            y = x * self.w
            self.add_loss(0.1 * k.ops.mean(k.ops.square(y)))
            if metric:
                self.size.update_state(k.ops.mean(k.ops.abs(y)))
            return y

    model = k.Sequential([k.Input((3,)), Watched(name="watched"), k.layers.Dense(1, name="out")])
    model.compile(k.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return model


def watched_loss(p, x, y):
    h = x * p["watched"]["w"]
    return mse(y, dense(p["out"], h)) + 0.1 * jnp.mean(h**2)


def test_weight_and_loss_of_a_layer_as_in_keras():
    # Keras on JAX cannot update metrics inside `call` during `fit`
    mine, theirs = both(watched, False)
    x, y = normal(16, 3), normal(16, 1, seed=1)
    fitted = [
        m.fit(
            x, y, batch_size=4, epochs=3, shuffle=False, verbose=0, validation_data=(x[:4], y[:4])
        )
        for m in (mine, theirs)
    ]
    assert_same_history(*fitted)
    assert_same_weights(mine, theirs)
    for a, b in zip(mine.evaluate(x, y, verbose=0), theirs.evaluate(x, y, verbose=0)):
        np.testing.assert_allclose(a, b, rtol=1e-5)


@pytest.mark.promise("A metric that a layer adds")
@pytest.mark.promise("metrics updated inside")
def test_metric_of_a_layer_is_reset_each_epoch_and_the_loss_counted_once():
    model, x, y = watched(jkeras), normal(8, 3), normal(8, 1)
    first = model.params
    history = model.fit(
        x, y, batch_size=4, epochs=3, shuffle=False, verbose=0, validation_data=(x[:4], y[:4])
    ).history
    p = first
    for epoch in range(3):
        losses, sizes = [], []
        for rows in (slice(0, 4), slice(4, 8)):
            losses.append(watched_loss(p, x[rows], y[rows]))
            sizes.append(np.mean(np.abs(x[rows] * p["watched"]["w"])))
            p = sgd_by_hand(watched_loss, p, [(x[rows], y[rows])], 0.1)
        np.testing.assert_allclose(history["loss"][epoch], np.mean(losses), rtol=1e-5)
        np.testing.assert_allclose(history["size"][epoch], np.mean(sizes), rtol=1e-5)
        np.testing.assert_allclose(
            history["val_size"][epoch], np.mean(np.abs(x[:4] * p["watched"]["w"])), rtol=1e-5
        )
        np.testing.assert_allclose(
            history["val_loss"][epoch], watched_loss(p, x[:4], y[:4]), rtol=1e-5
        )
    assert_trees_close(model.params, p)


def test_losses_and_metrics_keep_the_structure_of_the_state():
    layer, xs = watched(jkeras).get_layer("watched"), normal(5, 4, 3)
    params, state = layer.init(jax.random.key(0), xs[0])
    _, after = layer.apply(params, state, xs[0])
    assert jax.tree_util.tree_structure(after) == jax.tree_util.tree_structure(state)
    assert jax.tree_util.tree_map(lambda v: (v.shape, v.dtype), after) == jax.tree_util.tree_map(
        lambda v: (v.shape, v.dtype), state
    )

    def body(state, x):
        y, state = layer.apply(params, state, x)
        return state, state["losses"]["0"]

    state, losses = jax.lax.scan(body, state, xs)
    np.testing.assert_allclose(losses, 0.1 * (xs**2).mean((1, 2)), rtol=1e-5)
    mean = state["size"]["total"] / state["size"]["count"]
    np.testing.assert_allclose(mean, np.abs(xs).mean((1, 2)).mean(), rtol=1e-5)


def test_losses_of_several_layers_and_regularizers_add_up():
    class Penalty(layers.Layer):
        def call(self, x):
            self.add_loss(jnp.sum(x) * 2.0)
            self.add_loss(jnp.float32(1.0))
            return x

    one = Penalty()
    inputs = Input((2,))
    h = layers.Dense(
        2, kernel_regularizer="l2", activity_regularizer=jkeras.regularizers.L1(0.5), name="d"
    )(inputs)
    model, x = Model(inputs, one(one(h))), normal(4, 2)
    model.compile("sgd", "mse")
    p = model.params["d"]
    y = dense(p, x)
    expected = (
        mse(x, y)
        + 0.01 * np.sum(p["kernel"] ** 2)
        + 0.5 * np.sum(abs(y)) / 4
        + 2 * (2 * np.sum(y) + 1)
    )
    np.testing.assert_allclose(model.evaluate(x, x, verbose=0), expected, rtol=1e-5)
    model(x)
    np.testing.assert_allclose(sum(float(v) for v in model.losses), expected - mse(x, y), rtol=1e-5)
    model(x)
    np.testing.assert_allclose(sum(float(v) for v in model.losses), expected - mse(x, y), rtol=1e-5)


def test_add_loss_alone_trains_a_model_without_loss():
    class Norm(layers.Layer):
        def build(self, shape):
            self.w = self.add_weight(shape=(2,), initializer="ones", name="w")

        def call(self, x):
            self.add_loss(jnp.sum((self.w - 3.0) ** 2))
            return x

    model = Sequential([Input((2,)), Norm(name="n")])
    model.compile(jkeras.optimizers.SGD(0.25))
    history = model.fit(normal(4, 2), epochs=2, verbose=0).history["loss"]
    np.testing.assert_allclose(history, [8.0, 2.0], rtol=1e-5)
    np.testing.assert_allclose(model.params["n"]["w"], [2.5, 2.5], rtol=1e-6)


def test_a_model_with_nothing_to_train_can_be_fitted():
    model, x, y = Sequential([Input((3,)), layers.Dense(1, name="d")]), normal(4, 3), normal(4, 1)
    model.trainable = False
    model.compile("adam", "mse")
    history = model.fit(x, y, epochs=2, verbose=0).history["loss"]
    np.testing.assert_allclose(history, [mse(y, dense(model.params["d"], x))] * 2, rtol=1e-5)


# ---------------------------------------------------------------- train_step as Keras's guides
# write it


def guide_model(k):
    class Guide(k.Model):
        def compute_loss_and_updates(self, trainable, fixed, x, y, training=False):
            y_pred, fixed = self.stateless_call(trainable, fixed, x, training=training)
            return self.compute_loss(x, y, y_pred), (y_pred, fixed)

        def train_step(self, state, data):
            trainable, fixed, slots, metrics = state
            x, y = data
            grad = jax.value_and_grad(self.compute_loss_and_updates, has_aux=True)
            (loss, (y_pred, fixed)), grads = grad(trainable, fixed, x, y, training=True)
            trainable, slots = self.optimizer.stateless_apply(slots, grads, trainable)
            new = []
            logs = {}
            for metric in self.metrics:
                mine = metrics[len(new) : len(new) + len(metric.variables)]
                if metric.name == "loss":
                    mine = metric.stateless_update_state(mine, loss)
                else:
                    mine = metric.stateless_update_state(mine, y, y_pred)
                logs[metric.name] = metric.stateless_result(mine)
                new += mine
            return logs, (trainable, fixed, slots, new)

    inputs = k.Input((4,))
    h = k.layers.BatchNormalization()(k.layers.Dense(3, activation="tanh")(inputs))
    model = Guide(inputs, k.layers.Dense(1)(h))
    model.compile(k.optimizers.Adam(0.05), "mse", metrics=["mae"])
    return model


@pytest.mark.promise("Code for Keras stays as")
@pytest.mark.promise("Keras's own contract for JAX is")
@pytest.mark.promise("On the left nothing is new")
def test_train_step_of_the_keras_guide():
    mine, theirs = both(guide_model)
    x, y = normal(16, 4), normal(16, 1, seed=1)
    histories = [
        m.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0) for m in (mine, theirs)
    ]
    np.testing.assert_allclose(
        histories[0].history["loss"], histories[1].history["loss"], rtol=1e-4
    )
    assert_same_weights(mine, theirs, rtol=1e-4, atol=1e-5)
    assert_same_history(histories[0], histories[1], rtol=1e-4)


def super_model(k):
    class Super(k.Model):
        def train_step(self, state, data):
            x, y = data
            logs, state = super().train_step(state, (x, 2.0 * y))
            return {**logs, "more": logs["loss"] * 10.0}, state

    inputs = k.Input((4,))
    model = Super(inputs, k.layers.Dense(1)(inputs))
    model.compile(k.optimizers.SGD(0.1), "mse")
    return model


def test_train_step_that_calls_super():
    model, x, y = super_model(jkeras), normal(8, 4), normal(8, 1)
    model.layers[1].name = "d"
    first = model.layers[1].params
    history = model.fit(x, y, batch_size=8, epochs=2, verbose=0).history
    loss = lambda p, x, y: mse(2.0 * y, dense(p, x))  # noqa: E731
    np.testing.assert_allclose(history["loss"][0], loss(first, x, y), rtol=1e-5)
    np.testing.assert_allclose(history["more"], 10 * np.array(history["loss"]), rtol=1e-5)
    assert_trees_close(model.layers[1].params, sgd_by_hand(loss, first, [(x, y)] * 2, 0.1))


def test_a_train_step_that_is_the_wrapped_default_counts_as_the_users_own():
    default = Model.train_step

    class Wrapped(Model):
        @functools.wraps(default)
        def train_step(self, state, data):
            logs, state = default(self, state, data)
            return {**logs, "wrapped": 1.0}, state

    inputs = Input((3,))
    model = Wrapped(inputs, layers.Dense(1)(inputs))
    model.compile("sgd", "mse")
    logs = model.train_on_batch(normal(4, 3), normal(4, 1), return_dict=True)
    assert logs["wrapped"] == 1.0


def test_compute_loss_and_compute_metrics_of_a_users_own():
    class Own(Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return jnp.mean(jnp.abs(y - y_pred) ** 3)

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            return {
                **super().compute_metrics(x, y, y_pred, sample_weight),
                "largest": jnp.max(y_pred),
            }

    inputs = Input((3,))
    model, x, y = Own(inputs, layers.Dense(1, name="d")(inputs)), normal(8, 3), normal(8, 1)
    first = model.params
    model.compile(jkeras.optimizers.SGD(0.1))
    logs = model.train_on_batch(x, y, return_dict=True)
    loss = lambda p, x, y: jnp.mean(jnp.abs(y - dense(p["d"], x)) ** 3)  # noqa: E731
    np.testing.assert_allclose(logs["loss"], loss(first, x, y), rtol=1e-5)
    np.testing.assert_allclose(logs["largest"], np.max(dense(first["d"], x)), rtol=1e-5)
    assert_trees_close(model.params, sgd_by_hand(loss, first, [(x, y)], 0.1))


# ---------------------------------------------------------------- a GAN: two optimizers


def logits_loss(k, labels, logits):
    return k.ops.mean(k.ops.softplus(logits) - labels * logits)


def keras_gan(k):
    """The generator's optimizer is the second one; its variables are state of the model."""

    class GAN(k.Model):
        def __init__(self):
            super().__init__()
            self.critic = k.Sequential(
                [k.Input((2,)), k.layers.Dense(4, activation="tanh"), k.layers.Dense(1)]
            )
            self.generator = k.Sequential([k.Input((3,)), k.layers.Dense(2)])
            self.g_optimizer = k.optimizers.SGD(0.1, momentum=0.9)
            self.g_optimizer.build(self.generator.trainable_variables)
            self.g_slots = list(self.g_optimizer.variables)
            self.d_loss, self.g_loss = k.metrics.Mean(name="d_loss"), k.metrics.Mean(name="g_loss")
            self.built = True

        def call(self, z):
            return self.critic(self.generator(z))

        @property
        def metrics(self):
            return [self.d_loss, self.g_loss]

        def train_step(self, state, data):
            trainable, fixed, slots, metrics = state
            n = len(self.critic.trainable_variables)
            critic, generator = trainable[:n], trainable[n:]
            count = len(self.g_optimizer.variables)
            where = [
                next(i for i, v in enumerate(self.non_trainable_variables) if v is s)
                for s in self.g_optimizer.variables
            ]
            real, z = data

            def critic_loss(critic):
                fake, _ = self.generator.stateless_call(generator, [], z)
                right, _ = self.critic.stateless_call(critic, [], real)
                wrong, _ = self.critic.stateless_call(critic, [], fake)
                return logits_loss(k, 1.0, right) + logits_loss(k, 0.0, wrong)

            def generator_loss(generator):
                fake, _ = self.generator.stateless_call(generator, [], z)
                return logits_loss(k, 1.0, self.critic.stateless_call(critic, [], fake)[0])

            d_loss, grads = jax.value_and_grad(critic_loss)(critic)
            critic, slots = self.optimizer.stateless_apply(slots, grads, critic)
            g_loss, grads = jax.value_and_grad(generator_loss)(generator)
            generator, mine = self.g_optimizer.stateless_apply(
                [fixed[i] for i in where], grads, generator
            )
            fixed = list(fixed)
            for i, value in zip(where, mine):
                fixed[i] = value
            d = self.d_loss.stateless_update_state(metrics[:2], d_loss)
            g = self.g_loss.stateless_update_state(metrics[2:], g_loss)
            logs = {
                "d_loss": self.d_loss.stateless_result(d),
                "g_loss": self.g_loss.stateless_result(g),
            }
            assert count == len(mine)
            return logs, (list(critic) + list(generator), fixed, slots, list(d) + list(g))

    gan = GAN()
    gan.compile(optimizer=k.optimizers.SGD(0.2))
    gan.optimizer.build(gan.critic.trainable_variables)
    return gan


def gan_by_hand(critic, generator, batches):
    """(critic, generator, losses) after SGD(0.2) for the critic and SGD(0.1) with momentum for the
    generator.
    """
    tx = optax.sgd(0.1, momentum=0.9)
    opt_state = tx.init(generator)
    network = lambda p, x: dense(p[1], dense(p[0], x, jnp.tanh))  # noqa: E731
    cross = lambda label, logits: jnp.mean(jax.nn.softplus(logits) - label * logits)  # noqa: E731
    losses = []
    for real, z in batches:
        d, grads = jax.value_and_grad(
            lambda c, g=generator, real=real, z=z: (
                cross(1, network(c, real)) + cross(0, network(c, dense(g, z)))
            )
        )(critic)
        critic = jax.tree_util.tree_map(lambda p, g: p - 0.2 * g, critic, grads)
        g, grads = jax.value_and_grad(lambda g, c=critic, z=z: cross(1, network(c, dense(g, z))))(
            generator
        )
        updates, opt_state = tx.update(grads, opt_state, generator)
        generator = optax.apply_updates(generator, updates)
        losses.append((float(d), float(g)))
    return critic, generator, losses


def gan_data():
    return normal(16, 2) + 2, normal(16, 3, seed=1)


def test_gan_with_two_optimizers_in_the_keras_contract():
    gan, (real, z) = keras_gan(jkeras), gan_data()
    critic = [layer.params for layer in gan.critic.layers]
    generator = gan.generator.layers[0].params
    history = gan.fit(real, z, batch_size=8, epochs=3, shuffle=False, verbose=0).history
    batches = [(real[:8], z[:8]), (real[8:], z[8:])] * 3
    critic, generator, losses = gan_by_hand(critic, generator, batches)
    assert_trees_close([layer.params for layer in gan.critic.layers], critic, rtol=1e-4, atol=1e-5)
    assert_trees_close(gan.generator.layers[0].params, generator, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        history["d_loss"], np.reshape([d for d, _ in losses], (3, 2)).mean(1), rtol=1e-4
    )
    np.testing.assert_allclose(
        history["g_loss"], np.reshape([g for _, g in losses], (3, 2)).mean(1), rtol=1e-4
    )
    assert int(gan.g_optimizer.iterations) == 6 and int(gan.optimizer.iterations) == 6


def test_the_same_gan_runs_in_keras_too():
    mine, theirs, (real, z) = keras_gan(jkeras), keras_gan(real_keras()), gan_data()
    for part in ("critic", "generator"):
        getattr(theirs, part).set_weights(getattr(mine, part).get_weights())
    assert_same_history(
        *[m.fit(real, z, batch_size=8, epochs=2, shuffle=False, verbose=0) for m in (mine, theirs)],
        rtol=1e-4,
    )
    for part in ("critic", "generator"):
        assert_same_weights(getattr(mine, part), getattr(theirs, part), rtol=1e-4, atol=1e-5)


class PureGAN(Model):
    """The better way: one tree of parameters, two optax transformations, one pure step."""

    def __init__(self):
        super().__init__()
        self.critic = Sequential(
            [Input((2,)), layers.Dense(4, activation="tanh", name="a"), layers.Dense(1, name="b")]
        )
        self.generator = Sequential([Input((3,)), layers.Dense(2, name="g")])
        self.transforms = (optax.sgd(0.2), optax.sgd(0.1, momentum=0.9))

    def call(self, z):
        return self.critic(self.generator(z))

    def init_opt_state(self, params):
        return {
            "critic": self.transforms[0].init(params["critic"]),
            "generator": self.transforms[1].init(params["generator"]),
        }

    def pure_train_step(self, state, batch):
        real, z = batch[:2]
        cross = lambda label, logits: jnp.mean(jax.nn.softplus(logits) - label * logits)
        judge = lambda p, x: self.critic.apply(p, {}, x)[0]
        make = lambda p: self.generator.apply(p, {}, z)[0]
        critic, generator = state.params["critic"], state.params["generator"]
        d_loss, grads = jax.value_and_grad(
            lambda p: cross(1, judge(p, real)) + cross(0, judge(p, make(generator)))
        )(critic)
        updates, d_state = self.transforms[0].update(grads, state.opt_state["critic"])
        critic = optax.apply_updates(critic, updates)
        g_loss, grads = jax.value_and_grad(lambda p: cross(1, judge(critic, make(p))))(generator)
        updates, g_state = self.transforms[1].update(grads, state.opt_state["generator"])
        generator = optax.apply_updates(generator, updates)
        state = state._replace(
            step=state.step + 1,
            params={"critic": critic, "generator": generator},
            opt_state={"critic": d_state, "generator": g_state},
        )
        return state, {"d_loss": d_loss, "g_loss": g_loss}


@pytest.mark.promise("A model with a method `pure_train_step(self, state, batch)`")
def test_gan_with_two_optimizers_as_a_pure_step():
    gan, (real, z) = PureGAN(), gan_data()
    gan(z)
    gan.compile()
    critic = [layer.params for layer in gan.critic.layers]
    generator = gan.generator.layers[0].params
    batches = [(real[:8], z[:8]), (real[8:], z[8:])] * 2
    history = gan.fit(real, z, batch_size=8, epochs=1, shuffle=False, verbose=0).history
    np.testing.assert_allclose(
        history["d_loss"], gan_by_hand(critic, generator, batches[:2])[2][-1][0], rtol=1e-4
    )
    gan.fit(real, z, batch_size=8, epochs=1, shuffle=False, verbose=0)  # the optimizers go on
    critic, generator, _ = gan_by_hand(critic, generator, batches)
    assert_trees_close([layer.params for layer in gan.critic.layers], critic, rtol=1e-4, atol=1e-5)
    assert_trees_close(gan.generator.layers[0].params, generator, rtol=1e-4, atol=1e-5)


def test_pure_gan_under_vmap_and_scan():
    gan, (real, z) = PureGAN(), gan_data()
    gan(z)
    gan.compile()
    step = make_train_step(gan)
    keys = jax.random.split(jax.random.key(0), 3)
    states = jax.vmap(lambda key: init_train_state(gan, key))(keys)
    states, logs = jax.jit(
        jax.vmap(lambda s: jax.lax.scan(lambda s, _: step(s, (real, z)), s, None, length=4))
    )(states)
    assert logs["d_loss"].shape == (3, 4)
    for i in range(3):
        p = init_train_state(gan, keys[i]).params
        critic, generator, losses = gan_by_hand(
            [p["critic"]["a"], p["critic"]["b"]], p["generator"]["g"], [(real, z)] * 4
        )
        np.testing.assert_allclose(logs["d_loss"][i], [d for d, _ in losses], rtol=1e-4)
        assert_trees_close(
            jax.tree_util.tree_map(lambda v, i=i: v[i], states.params["generator"]["g"]),
            generator,
            rtol=1e-4,
            atol=1e-5,
        )


# ---------------------------------------------------------------- callbacks that look and touch


def test_callback_reads_and_writes_weights_and_rate_mid_epoch():
    x, y = normal(16, 3), normal(16, 1)
    model = Sequential([Input((3,)), layers.Dense(1, name="d")])
    model.compile(jkeras.optimizers.SGD(0.1), "mse")
    first, seen = model.params["d"], []

    class Touch(jkeras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append([np.array(w) for w in self.model.get_weights()])
            if batch == 1:
                self.model.set_weights([w * 0.5 for w in self.model.get_weights()])
            if batch == 2:
                self.model.optimizer.learning_rate = 0.3

        def on_epoch_end(self, epoch, logs=None):
            self.model.get_layer("d").bias.assign([7.0])

    model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0, callbacks=[Touch()])

    loss, p, rate, expected = lambda p, x, y: mse(y, dense(p, x)), first, 0.1, []
    for _ in range(2):
        for batch in range(4):
            rows = slice(4 * batch, 4 * batch + 4)
            p = sgd_by_hand(loss, p, [(x[rows], y[rows])], rate)
            expected.append([p["kernel"], p["bias"]])
            if batch == 1:
                p = jax.tree_util.tree_map(lambda v: v * 0.5, p)
            if batch == 2:
                rate = 0.3
        p = {**p, "bias": jnp.array([7.0])}
    for a, b in zip(seen, expected, strict=True):
        for v, w in zip(a, b):
            np.testing.assert_allclose(v, w, rtol=1e-4, atol=1e-6)
    assert_trees_close(model.params["d"], p, rtol=1e-4)
    np.testing.assert_allclose(float(model.optimizer.learning_rate), 0.3, rtol=1e-6)


def test_weights_seen_in_a_callback_stay_readable():
    model, kept = Sequential([Input((3,)), layers.Dense(1)]), []
    model.compile("adam", "mse")

    class Keep(jkeras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            kept.append([v.value for v in self.model.variables + self.model.optimizer.variables])

    model.fit(normal(8, 3), normal(8, 1), batch_size=2, epochs=2, verbose=0, callbacks=[Keep()])
    for arrays in kept:
        assert all(np.isfinite(np.asarray(a)).all() for a in arrays)
    assert len({a[0].tobytes() for a in (list(map(np.asarray, arrays)) for arrays in kept)}) == 8


def test_learning_rate_by_a_schedule_callback_equals_keras():
    def make(k):
        model = k.Sequential([k.Input((3,)), k.layers.Dense(1)])
        model.compile(k.optimizers.Adam(0.1), "mse")
        return model

    keras = real_keras()
    mine, theirs = both(make)
    x, y = normal(8, 3), normal(8, 1)
    fitted = []
    for model, k in ((mine, jkeras), (theirs, keras)):
        halve = k.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)
        fitted.append(
            model.fit(x, y, epochs=4, batch_size=4, shuffle=False, verbose=0, callbacks=[halve])
        )
    assert_same_history(*fitted, rtol=1e-4)
    assert_same_weights(mine, theirs, rtol=1e-4, atol=1e-6)


# ---------------------------------------------------------------- whatever happens, the model is
# whole

MOMENTS = [
    "on_train_begin",
    "on_epoch_begin",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_begin",
    "on_test_batch_begin",
    "on_test_batch_end",
    "on_test_end",
    "on_epoch_end",
    "on_train_end",
]


@pytest.mark.promise("A training that is stopped")
@pytest.mark.promise("After Ctrl-C or an exception")
@pytest.mark.parametrize("error", some_slow([RuntimeError, KeyboardInterrupt], KeyboardInterrupt))
@pytest.mark.parametrize("moment", MOMENTS)
def test_after_an_exception_the_model_holds_the_last_completed_step(moment, error):
    x, y = normal(8, 3), normal(8, 1)
    model = Sequential([Input((3,)), layers.Dense(1, name="d")])
    model.compile(jkeras.optimizers.Adam(0.05), "mse")
    first, steps = model.params["d"], []

    class Count(jkeras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            steps.append(batch)

    calls = []

    def fail(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == (
            3 if "batch" in moment else 2 if "epoch" in moment or "test" in moment else 1
        ):
            raise error("stop")

    Fail = type("Fail", (jkeras.callbacks.Callback,), {moment: fail})
    with pytest.raises(error, match="stop"):
        model.fit(
            x,
            y,
            batch_size=2,
            epochs=3,
            shuffle=False,
            verbose=0,
            validation_data=(x, y),
            callbacks=[Count(), Fail()],
        )
    rows = [slice(2 * (step % 4), 2 * (step % 4) + 2) for step in range(len(steps))]
    p = adam_by_hand(lambda p, x, y: mse(y, dense(p, x)), first, [(x[r], y[r]) for r in rows], 0.05)
    assert_trees_close(model.params["d"], p, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.predict(x, verbose=0), dense(p, x), rtol=1e-4, atol=1e-5)
    assert int(model.optimizer.iterations) == len(steps)
    assert np.isfinite(model.fit(x, y, epochs=1, verbose=0).history["loss"]).all()


def test_ctrl_c_ends_at_a_step_boundary():
    import signal

    x, y, steps = normal(64, 3), normal(64, 1), []
    model = Sequential([Input((3,)), layers.Dense(1, name="d")])
    model.compile(jkeras.optimizers.SGD(0.05), "mse")
    first, before = model.params, signal.getsignal(signal.SIGINT)

    class Press(jkeras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 5:
                signal.raise_signal(signal.SIGINT)

        def on_train_batch_end(self, batch, logs=None):
            steps.append(batch)

    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0, callbacks=[Press()])
    assert signal.getsignal(signal.SIGINT) is before
    done = int(model.optimizer.iterations)
    assert done == 6
    by_hand = sgd_by_hand(
        lambda p, x, y: mse(y, dense(p["d"], x)),
        first,
        [(x[4 * i : 4 * i + 4], y[4 * i : 4 * i + 4]) for i in range(done)],
        0.05,
    )
    assert_trees_close(model.params, by_hand)
    model.fit(x, y, verbose=0)


def test_an_error_in_the_users_loss_leaves_the_weights():
    model = Sequential([Input((3,)), layers.Dense(1)])

    def broken(y_true, y_pred):
        raise ZeroDivisionError("in my loss")

    model.compile("adam", broken)
    before = model.get_weights()
    with pytest.raises(ZeroDivisionError, match="in my loss"):
        model.fit(normal(4, 3), normal(4, 1), verbose=0)
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)
    model.compile("adam", "mse")
    model.fit(normal(4, 3), normal(4, 1), verbose=0)


@pytest.mark.promise("The model then holds its")
def test_an_error_in_the_data_leaves_the_last_completed_step():
    model, x, y = Sequential([Input((3,)), layers.Dense(1, name="d")]), normal(4, 3), normal(4, 1)
    model.compile(jkeras.optimizers.SGD(0.1), "mse")
    first = model.params

    def batches():
        yield x, y
        yield x, y
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        model.fit(batches(), verbose=0)
    by_hand = sgd_by_hand(lambda p, x, y: mse(y, dense(p["d"], x)), first, [(x, y)] * 2, 0.1)
    assert_trees_close(model.params, by_hand)


def test_train_on_batch_equals_the_pure_step():
    model, x, y = Sequential([Input((3,)), layers.Dense(1)]), normal(4, 3), normal(4, 1)
    model.compile("adam", "mse")
    state, step = init_train_state(model), make_train_step(model)
    for _ in range(3):
        state, _ = step(state, (x, y))
        model.train_on_batch(x, y)
    assert_trees_close(model.params, state.params, rtol=1e-5)
    assert_trees_equal(
        jax.tree_util.tree_map(jnp.shape, weights_of(model)),
        jax.tree_util.tree_map(jnp.shape, model.get_weights()),
    )


@pytest.mark.promise("Ctrl-C in `fit` left a")
@pytest.mark.promise("Otherwise than in Keras")
def test_ctrl_c_ends_the_training_for_callbacks_too():
    ended = []

    class Stop(jkeras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                raise KeyboardInterrupt

        def on_train_end(self, logs=None):
            ended.append(int(self.model.optimizer.iterations))

    model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(KeyboardInterrupt):
        model.fit(np.ones((64, 3)), np.ones((64, 1)), batch_size=8, verbose=0, callbacks=[Stop()])
    assert ended == [2]


def test_states_that_do_not_fit_are_explained():
    """Flat lists of another shape, and a state collected before the metrics had their variables."""
    model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
    model.compile("sgd", "mse", metrics=["mae"])
    x, y = np.ones((4, 3), "float32"), np.ones((4, 2), "float32")
    kernel, bias = (v.value for v in model.trainable_variables)
    with pytest.raises(ValueError, match="kernel"):
        model.stateless_call([kernel.T, bias], [], x)
    state = [kernel, bias], [], [v.value for v in model.metrics_variables]
    with pytest.raises(ValueError, match="metrics_variables"):
        model.test_step(state, (x, y))
    model.test_on_batch(x, y)
    logs, _ = model.test_step((*state[:2], [v.value for v in model.metrics_variables]), (x, y))
    assert set(logs) == {"loss", "mae"}
