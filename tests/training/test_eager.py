"""`run_eagerly` and `jit_compile=False` step through user code: concrete values, at every batch,
the same numbers.
"""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jkeras
from jkeras import layers, losses, metrics, ops
from tests.design.tools import assert_same_history, assert_same_weights, normal
from tests.thinning import some_slow
from jkeras.training.step.building import build_for_training

ROWS, SIZE = 20, 8  # two whole batches and a smaller one
WAYS = [dict(run_eagerly=True), pytest.param(dict(jit_compile=False), marks=pytest.mark.slow)]
COMPILED = dict()


class Watch:
    """Remembers what user code sees: for each call its name, and whether the values are
    concrete.
    """

    def __init__(self):
        self.seen = []

    def __call__(self, name, value):
        concrete = not isinstance(jax.lax.stop_gradient(value), jax.core.Tracer)
        self.seen.append((name, concrete))

    def calls(self, name):
        """How often it was called with concrete values."""
        found = [concrete for n, concrete in self.seen if n == name]
        return sum(found)


def network(watch, step=False):
    """A model whose layer, loss, metric and, if wanted, steps look at what they are given."""

    class Looking(layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

        def call(self, x, training=False):
            watch("call in training" if training else "call", x)
            watch("weight", self.scale.value)
            return x * self.scale

    class Far(losses.Loss):
        def call(self, y_true, y_pred):
            watch("loss", y_pred)
            return ops.mean(ops.square(y_true - y_pred), axis=-1)

    class Furthest(metrics.Metric):
        def __init__(self, name="furthest", **kwargs):
            super().__init__(name=name, **kwargs)
            self.largest = self.add_weight(name="largest", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            watch("metric", y_pred)
            self.largest.assign(ops.maximum(self.largest, ops.max(ops.abs(y_true - y_pred))))

        def result(self):
            return self.largest.value

    class Stepping(jkeras.Model):
        def train_step(self, state, data):
            watch("train_step", data[0])
            return super().train_step(state, data)

        def test_step(self, state, data):
            watch("test_step", data[0])
            return super().test_step(state, data)

    x = jkeras.Input((4,))
    y = layers.Dense(1, name="out")(
        Looking(name="looking")(layers.Dense(3, activation="tanh", name="in")(x))
    )
    return (Stepping if step else jkeras.Model)(x, y), Far(), Furthest()


def data():
    return normal(ROWS, 4), normal(ROWS, 1, seed=1)


def compiled(way, step=False):
    """(model, its watch), the same weights each time."""
    jkeras.utils.set_random_seed(4)
    watch = Watch()
    model, loss, metric = network(watch, step)
    model.compile("adam", loss, metrics=[metric, "mae"], **way)
    build_for_training(model, data())  # which learns shapes from abstract values
    watch.seen.clear()
    return model, watch


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("step", [False, True], ids=["plain", "own steps"])
def test_user_code_runs_at_every_batch(way, step):
    model, watch = compiled(way, step)
    model.fit(*data(), batch_size=SIZE, epochs=2, verbose=0, shuffle=False)
    for name in ("call in training", "loss", "metric", "weight"):
        assert watch.calls(name) == 6, name
    assert watch.calls("train_step") == (6 if step else 0)
    watch.seen.clear()
    model.evaluate(*data(), batch_size=SIZE, verbose=0)
    for name in ("call", "loss", "metric", "weight"):
        assert watch.calls(name) == 3, name
    assert watch.calls("test_step") == (3 if step else 0)
    watch.seen.clear()
    model.predict(data()[0], batch_size=SIZE, verbose=0)
    assert watch.calls("call") == watch.calls("weight") == 3


@pytest.mark.promise("always on in `fit`")
@pytest.mark.parametrize("step", some_slow([False, True], True), ids=["plain", "own steps"])
def test_compiled_it_runs_once(step):
    """What the tests here would see without eager steps."""
    model, watch = compiled(COMPILED, step)
    model.fit(*data(), batch_size=SIZE, epochs=2, verbose=0, shuffle=False)
    before = len(watch.seen)
    model.fit(*data(), batch_size=SIZE, epochs=3, verbose=0, shuffle=False)
    assert len(watch.seen) == before and not all(concrete for _, concrete in watch.seen)


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("step", some_slow([False, True], True), ids=["plain", "own steps"])
def test_the_same_numbers_as_compiled(way, step):
    found = []
    for arguments in (COMPILED, way):
        model, _ = compiled(arguments, step)
        history = model.fit(*data(), batch_size=SIZE, epochs=2, verbose=0, validation_split=0.2)
        found.append(
            (
                model,
                history,
                model.evaluate(*data(), batch_size=SIZE, verbose=0),
                model.predict(data()[0], batch_size=SIZE, verbose=0),
            )
        )
    assert_same_history(found[1][1], found[0][1], rtol=1e-4)
    assert_same_weights(found[1][0], found[0][0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[1][2], found[0][2], rtol=1e-4)
    np.testing.assert_allclose(found[1][3], found[0][3], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_values_can_be_looked_at(way, built, capsys):
    """In `call`, a loss and a metric: `if` on a value, float(), numpy; in training too, where
    gradients are taken.
    """

    def mean(x):
        return (
            f"{float(ops.stop_gradient(jnp.mean(x))):.3f} {np.asarray(ops.stop_gradient(x)).shape}"
        )

    class Careful(jkeras.Model):
        def __init__(self):
            super().__init__()
            self.out = layers.Dense(1)

        def call(self, x):
            if jnp.any(jnp.isnan(x)):
                raise FloatingPointError("not a number")
            print("call", mean(x))
            return self.out(x)

    def loss(y_true, y_pred):
        print("loss", mean(y_true))
        assert jnp.max(jnp.abs(y_pred)) < 1e6
        return jnp.mean(jnp.square(y_true - y_pred), axis=-1)

    def share(y_true, y_pred):
        print("metric", mean(y_true))
        return np.mean(np.asarray(y_pred) > 0, axis=-1)

    model, (x, y) = Careful(), data()
    if built:
        model(x)
    model.compile("sgd", loss, metrics=[share], **way)
    parts = [slice(i, i + SIZE) for i in range(0, ROWS, SIZE)]
    model.test_on_batch(x, y)
    for run, names in (
        (
            lambda: model.fit(x, y, batch_size=SIZE, verbose=0, shuffle=False),
            ("call", "loss", "metric"),
        ),
        (lambda: model.evaluate(x, y, batch_size=SIZE, verbose=0), ("call", "loss", "metric")),
        (lambda: model.predict(x, batch_size=SIZE, verbose=0), ("call",)),
    ):
        capsys.readouterr()
        run()
        lines = capsys.readouterr().out.splitlines()
        assert lines == [
            f"{name} {mean((x if name == 'call' else y)[part])}" for part in parts for name in names
        ]
    before = model.get_weights()
    bad = np.where(np.arange(ROWS)[:, None] == 10, np.nan, x).astype("float32")
    with pytest.raises(FloatingPointError, match="not a number"):
        model.fit(bad, y, batch_size=SIZE, verbose=0, shuffle=False)
    # the second batch was not taken, the first was
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert any((a != b).any() for a, b in zip(before, model.get_weights()))


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_debugger_sees_the_line(way):
    """An exception of user code comes with the user's frame, and nothing is between that hides
    it.
    """

    class Failing(layers.Layer):
        def call(self, x):
            value = np.asarray(x)
            raise RuntimeError(f"seen {value.shape}")

    model = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(2)])
    model.compile("sgd", "mse", **way)
    failing = Failing()
    model.compute_loss = lambda x, y, y_pred, sample_weight: failing(x)
    with pytest.raises(RuntimeError, match=r"seen \(8, 4\)") as caught:
        model.fit(normal(16, 4), normal(16, 2), batch_size=8, verbose=0)
    assert caught.traceback[-1].name == "call"


@pytest.mark.parametrize("k", [keras, jkeras])
def test_logs_of_an_own_step_survive_several_steps_in_one(k):
    """Those of the last step, as Keras has them."""

    class Counting(k.Model):
        def __init__(self):
            super().__init__()
            self.dense = k.layers.Dense(1)

        def call(self, x):
            return self.dense(x)

        def train_step(self, state, data):
            logs, state = super().train_step(state, data)
            return {"mine": 7.0 + 0 * logs["loss"]}, state

    model = Counting()
    model.compile("sgd", "mse", steps_per_execution=3)
    history = model.fit(
        np.ones((24, 2), "float32"), np.ones((24, 1), "float32"), batch_size=4, verbose=0
    ).history
    np.testing.assert_allclose(history["mine"], [7.0])
