"""`tf.GradientTape` beside `jax.grad`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras.keras2 import namespace, recording
from jkeras.keras2.gradient_tape import GradientTape
from jkeras.keras2.notes import Notes

X = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def modules():
    return namespace.modules(Notes())


def network(modules, *last):
    layers = modules["keras.layers"]
    first = layers.Dense(2, activation="tanh", input_shape=(3,))
    return modules["keras.models"].Sequential([first, layers.Dense(1), *last])


def of_weights(w, x=X):
    return jnp.tanh(x @ w[0] + w[1]) @ w[2] + w[3]


def values(model):
    return [v.value for v in model.trainable_variables]


def assert_equal(found, expected):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, expected
    )


@pytest.mark.promise("`tf.GradientTape` differentiates what JAX computed")
def test_a_training_loop(modules):
    """Gradients and three steps of it, and what the block computed stays an array."""
    tf, model = modules["tensorflow"], network(modules)
    optimizer, weights = jkeras.optimizers.SGD(0.1), values(model)
    loss_of = lambda w: jnp.mean((of_weights(w) - Y) ** 2)  # noqa: E731
    for _ in range(3):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(X, training=True) - Y))
        gradients = tape.gradient(loss, model.trainable_variables)
        assert_equal(gradients, jax.grad(loss_of)(weights))
        assert float(loss) == pytest.approx(float(loss_of(weights)), rel=1e-5)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        weights = [w - 0.1 * g for w, g in zip(weights, jax.grad(loss_of)(weights))]
        assert_equal(values(model), weights)


def test_dropout_and_losses_of_layers(modules):
    """The draws of the block are those of the gradient."""
    layers = modules["keras.layers"]
    model = modules["keras.models"].Sequential(
        [
            layers.Dense(2, activation="tanh", input_shape=(3,), kernel_regularizer="l2"),
            layers.Dense(1),
            layers.Dropout(0.5, seed=1),
        ]
    )
    with GradientTape() as tape:
        y = model(X, training=True)
        loss = jnp.sum(y) + sum(model.losses)
    mask = np.asarray(y) != 0
    expected = jax.grad(
        lambda w: jnp.sum(jnp.where(mask, of_weights(w) * 2, 0)) + 0.01 * jnp.sum(w[0] ** 2)
    )(values(model))
    assert_equal(tape.gradient(loss, model.trainable_variables), expected)


def test_minimize(modules):
    """As programs without a tape have it."""
    model, optimizer = network(modules), modules["keras.optimizers"].SGD(lr=0.1)
    weights = values(model)
    optimizer.minimize(lambda: jnp.sum(model(X) ** 2), lambda: model.trainable_variables)
    gradients = jax.grad(lambda w: jnp.sum(of_weights(w) ** 2))(weights)
    assert_equal(values(model), [w - 0.1 * g for w, g in zip(weights, gradients)])
    with pytest.raises(ValueError, match="minimize.*tape="):
        optimizer.minimize(jnp.ones(()), model.trainable_variables)


@pytest.mark.promise("Two tapes at a time work")
def test_two_tapes_and_variables_assigned_between(modules):
    """As of two networks against each other: the second gradient is that of the block."""
    first, second = network(modules), network(modules)
    weights = values(second)
    with GradientTape() as a, GradientTape() as b:
        one, two = jnp.sum(first(X) ** 2), jnp.sum(second(X) ** 3)
    jkeras.optimizers.SGD(1.0).apply_gradients(
        zip(a.gradient(one, first.trainable_variables), first.trainable_variables)
    )
    second.set_weights([w + 1 for w in weights])
    expected = jax.grad(lambda w: jnp.sum(of_weights(w) ** 3))(weights)
    assert_equal(b.gradient(two, second.trainable_variables), expected)


def test_a_gradient_of_a_gradient(modules):
    """As the penalty of a Wasserstein GAN has it."""
    model, x = network(modules), jnp.asarray(X)
    with GradientTape() as outer:
        with GradientTape() as inner:
            inner.watch(x)
            y = jnp.sum(model(x))
        penalty = jnp.sum(inner.gradient(y, x) ** 2)
    found = outer.gradient(penalty, model.trainable_variables)
    slope = jax.grad(lambda x, w: jnp.sum(of_weights(w, x)))
    expected = jax.grad(lambda w: jnp.sum(slope(x, w) ** 2))(values(model))
    assert_equal(found[:3], expected[:3])
    assert found[3] is None  # a bias that is only added


def test_functions_with_derivatives_of_their_own():
    @jax.custom_vjp
    def five(x):
        return x

    five.defvjp(lambda x: (x, None), lambda _, g: (5 * g,))
    x = jnp.array([-1.0, 2.0])
    with GradientTape(persistent=True) as tape:
        y = five(jax.nn.relu(x)) + jax.nn.silu(x)
    expected = jnp.array([0.0, 5.0]) + jax.vmap(jax.grad(jax.nn.silu))(x)
    assert_equal(tape.gradient(y, x), expected)
    assert_equal(tape.jacobian(y, x), jnp.diag(expected))
    assert_equal(tape.gradient(y, {"x": x})["x"], expected)
    assert_equal(
        tape.gradient(y, x, output_gradients=jnp.array([1.0, 2.0])), expected * jnp.array([1.0, 2])
    )


def test_control_flow_and_compiled_functions():
    x = jnp.array([0.5, 1.5])

    def scanned(start):
        return jax.lax.scan(jax.jit(lambda c, _: (jnp.sin(c) * 2, None)), start, None, 3)[0]

    with GradientTape() as tape:
        y = jax.lax.cond(True, scanned, lambda c: c, x)
    assert_equal(tape.gradient(y, x), jax.grad(lambda x: jnp.sum(scanned(x)))(x))


def refused(tape, target, sources):
    return lambda: tape.gradient(target, sources)


@pytest.mark.promise("The loss has to be computed within the block")
def test_what_cannot_be_done_rightly_is_refused(modules):
    model, other = network(modules), network(modules)
    with GradientTape(persistent=True) as tape, GradientTape() as once:
        loss = jnp.sum(model(X))
    variables = model.trainable_variables
    cases = [
        (refused(tape, float(loss), variables), ValueError, "within the block"),
        (refused(tape, np.asarray(loss), variables), ValueError, "not with numpy"),
        (refused(tape, loss, X), TypeError, "ndarray"),
    ]
    for call, error, text in cases:
        with pytest.raises(error, match=text):
            call()
    with pytest.raises(ValueError, match="used within the block"):
        tape.gradient(loss, [*variables, *other.trainable_variables])
    once.gradient(loss, variables)
    with pytest.raises(RuntimeError, match="persistent=True"):
        once.gradient(loss, variables)
    with pytest.raises(TypeError, match="arrays of JAX"), GradientTape() as tape:
        tape.watch(X)
    with pytest.raises(NotImplementedError, match="batch_jacobian"):
        tape.batch_jacobian(loss, variables)


def test_what_does_not_depend_is_none_or_zeros(modules):
    model = network(modules)
    head = modules["keras.models"].Sequential([jkeras.layers.Dense(1)])
    with GradientTape(persistent=True) as tape:
        loss = jnp.sum(model(X))
        head(X)
    assert tape.gradient(loss, head.trainable_variables) == [None, None]
    zeros = tape.gradient(loss, head.trainable_variables, unconnected_gradients="zero")
    assert [float(jnp.sum(z)) for z in zeros] == [0.0, 0.0]


def test_where_jax_lets_nothing_be_recorded(monkeypatch):
    monkeypatch.setattr(recording, "IS_THERE", False)
    with pytest.raises(NotImplementedError, match="jax.grad"):
        GradientTape()


# ---------------------------------------------------------------- steps of a program's own


def own_model(modules):
    """A class with the step that pages about tf.keras have."""
    tf = modules["tensorflow"]

    class Own(modules["keras.models"].Model):
        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compiled_loss(y, y_pred, regularization_losses=self.losses)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
            self.compiled_metrics.update_state(y, y_pred)
            return {metric.name: metric.result() for metric in self.metrics}

    return Own


def compiled(cls):
    jkeras.utils.set_random_seed(0)
    x = jkeras.Input((3,))
    model = cls(x, jkeras.layers.Dense(1, kernel_regularizer="l2")(x))
    model.compile("sgd", "mse", metrics=["mae"])
    return model


class Batches(jkeras.utils.Sequence):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return X[4 * index : 4 * index + 4], Y[4 * index : 4 * index + 4]


@pytest.mark.promise("A model's own `train_step(self, data)` in the form of TensorFlow")
@pytest.mark.parametrize("data", [(X, Y), (Batches(),)], ids=["arrays", "batches"])
def test_a_step_of_its_own_trains_as_fit_does(modules, data):
    """Beside `fit` of the same model without it, an odd batch and callbacks included."""
    options = {"epochs": 2, "verbose": 0, "shuffle": False, "validation_data": (X, Y)}
    if len(data) > 1:
        options["batch_size"] = 4
    own, plain = compiled(own_model(modules)), compiled(modules["keras.models"].Model)
    seen = []
    callback = jkeras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs))
    found = own.fit(*data, callbacks=[callback], **options).history
    expected = plain.fit(*data, **options).history
    assert set(found) == set(expected) and len(seen) == 2
    for name in expected:
        assert found[name] == pytest.approx(expected[name], rel=1e-5), name
    assert_equal(values(own), values(plain))


def test_a_step_of_its_own_on_one_batch_and_an_end(modules):
    own, plain = compiled(own_model(modules)), compiled(modules["keras.models"].Model)
    assert own.train_on_batch(X, Y) == pytest.approx(plain.train_on_batch(X, Y), rel=1e-5)
    logs = own.train_on_batch(X, Y, return_dict=True)
    assert list(logs) == ["loss", "mae"]
    stop = jkeras.callbacks.EarlyStopping(monitor="loss", patience=0, min_delta=100)
    assert len(own.fit(X, Y, epochs=5, callbacks=[stop], verbose=0).history["loss"]) == 2


def test_what_a_step_of_its_own_cannot_have_is_refused(modules):
    own = compiled(own_model(modules))
    with pytest.raises(NotImplementedError, match="Own.fit.*class_weight"):
        own.fit(X, Y, class_weight={0: 1.0}, verbose=0)
    with pytest.raises(ValueError, match="labels in the batches"):
        own.fit(Batches(), Y, verbose=0)

    class Nothing(modules["keras.models"].Model):
        def train_step(self, data):
            return None

        def test_step(self, data):
            return {}

    with pytest.raises(NotImplementedError, match="Nothing.test_step.*compute_loss"):
        compiled(Nothing).evaluate(X, Y, verbose=0)

    with pytest.raises(TypeError, match="train_step.*a dict of numbers"):
        compiled(Nothing).fit(X, Y, verbose=0)
