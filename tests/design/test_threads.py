"""One model in several threads: predicting beside each other, and while it is trained."""

import collections
import copy
import sys
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import Input, Sequential, layers
from jkeras.core.weights.module import Parts
from tests.design.tools import dense, normal


def in_threads(count, work):
    """Runs `work(i)` in threads and raises what one of them raised."""
    errors, start = [], threading.Barrier(count)

    def run(i):
        try:
            start.wait()
            work(i)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def network():
    return Sequential(
        [
            Input((4,)),
            layers.Dense(8, activation="tanh", name="a"),
            layers.BatchNormalization(name="n"),
            layers.Dropout(0.5, name="d"),
            layers.Dense(1, name="b"),
        ]
    )


def by_hand(model, x):
    p, s = model.params, model.state["n"]
    h = dense(p["a"], x, jnp.tanh)
    h = (h - s["moving_mean"]) / jnp.sqrt(s["moving_variance"] + 1e-3) * p["n"]["gamma"] + p["n"][
        "beta"
    ]
    return np.asarray(dense(p["b"], h))


@pytest.mark.parametrize("how", ["predict", "call", "apply"])
def test_two_threads_predict(how):
    model = network()
    params, state = model.params, model.state
    data = [normal(10 + i, 4, seed=i) for i in range(4)]
    expected = [by_hand(model, x) for x in data]

    def work(i):
        for _ in range(20):
            y = {
                "predict": lambda: model.predict(data[i], verbose=0),
                "call": lambda: model(data[i]),
                "apply": lambda: model.apply(params, state, data[i])[0],
            }[how]()
            np.testing.assert_allclose(y, expected[i], rtol=1e-4, atol=1e-6)

    in_threads(4, work)


def test_keras_style_models_in_threads():
    class Own(jkeras.Model):
        def __init__(self):
            super().__init__()
            self.blocks = [layers.Dense(4, activation="tanh") for _ in range(3)]

        def call(self, x):
            for block in self.blocks:
                x = block(x)
            return x

    model, data = Own(), [normal(3 + i, 4, seed=i) for i in range(4)]
    model(data[0])
    expected = []
    for x in data:
        for i in range(3):
            x = dense(model.params[f"blocks_{i}"], x, jnp.tanh)
        expected.append(x)

    def work(i):
        for _ in range(5):
            np.testing.assert_allclose(
                jax.jit(lambda x: model(x))(data[i]), expected[i], rtol=1e-4, atol=1e-6
            )
            np.testing.assert_allclose(
                model.predict(data[i], verbose=0), expected[i], rtol=1e-4, atol=1e-6
            )

    in_threads(4, work)


def as_twin(twin, model):
    """Gives it all that the other has, the states of its seed generators too."""
    for mine, variable in zip(twin.variables, model.variables, strict=True):
        mine.assign(variable)


def trained(model, looks):
    x, y = normal(64, 4), normal(64, 1)
    model.compile(jkeras.optimizers.Adam(0.01), "mse")
    callbacks = (
        [jkeras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)]
        if looks
        else []
    )
    model.fit(x, y, batch_size=8, epochs=40, shuffle=False, verbose=0, callbacks=callbacks)
    return model.get_weights()


@pytest.mark.parametrize("look", ["predict", "weights", "call"])
def test_looking_at_a_model_while_another_thread_trains_it(look):
    model, twin = network(), network()
    as_twin(twin, model)
    x, done, count = normal(5, 4), threading.Event(), []

    def work(i):
        if i == 0:
            try:
                trained(model, True)
            finally:
                done.set()
        else:
            while not done.is_set() or not count:
                if look == "predict":
                    y = model.predict(x, verbose=0)
                elif look == "call":
                    y = model(x)
                else:
                    y = model.get_weights()[0]
                assert np.isfinite(y).all()
                count.append(1)

    in_threads(3, work)
    for a, b in zip(model.get_weights(), trained(twin, True)):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(model.predict(x, verbose=0), by_hand(model, x), rtol=1e-4, atol=1e-5)


def test_two_models_train_in_two_threads():
    models = [network(), network()]
    twins = [network(), network()]
    for model, twin in zip(models, twins):
        as_twin(twin, model)
    found = [None, None]

    def work(i):
        found[i] = trained(models[i], False)

    in_threads(2, work)
    for mine, twin in zip(found, twins):
        for a, b in zip(mine, trained(twin, False)):
            np.testing.assert_array_equal(a, b)


# ---------------------------------------------------------------- pure beside the first call


class Net(jkeras.Model):
    """A model in Keras's style, built by its first call."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(4)
        self.out = layers.Dense(2)

    def call(self, x):
        return self.out(self.hidden(x))


def attention():
    return layers.MultiHeadAttention(2, 3), 2


def stack_of_layers():
    return jkeras.Sequential([layers.Dense(4), layers.BatchNormalization(), layers.Dense(2)]), 1


def net():
    return Net(), 1


@pytest.mark.parametrize("make", [attention, stack_of_layers, net], ids=lambda f: f.__name__)
def test_init_and_apply_while_another_thread_builds_the_object(make):
    x = jnp.ones((2, 3, 5))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads change places all the time
    try:
        for _ in range(8):
            layer, count = make()
            outputs = []

            def work(i, layer=layer, inputs=(x,) * count, outputs=outputs):
                if i == 0:
                    layer(*inputs)
                    return
                params, state = layer.init(jax.random.key(0), *inputs)
                outputs.append(np.asarray(layer.apply(params, state, *inputs)[0]))

            in_threads(4, work)
            assert all((output == outputs[0]).all() for output in outputs)
    finally:
        sys.setswitchinterval(interval)


class BuiltMeanwhile(collections.deque):
    """What a copy is made of while the layer that holds it is built, as by another thread."""

    def __copy__(self):
        if self:
            self.pop()(jnp.ones((2, 3)))
        return collections.deque()


class Growing(layers.Layer):
    def __init__(self):
        super().__init__()
        self.begin = BuiltMeanwhile([self])
        self.parts = []

    def build(self, shape):
        self.parts.append(layers.Dense(3))

    def call(self, x):
        for part in self.parts:
            x = part(x)
        return x


def test_a_copy_is_what_the_layer_was_before_another_thread_began_to_build_it():
    layer = Growing()
    params, _ = layer.init(jax.random.key(0), jnp.ones((2, 3)))
    assert layer.built and len(layer.parts) == 1
    assert [np.shape(value) for value in jax.tree_util.tree_leaves(params)] == [(3,), (3, 3)]


def test_parts_are_copied_while_another_thread_adds_to_them():
    parts, done = Parts({str(i): i for i in range(50)}), threading.Event()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def work(i):
        if i == 0:
            try:
                for _ in range(2000):
                    assert copy.copy(parts).items() >= {("0", 0), ("49", 49)}
            finally:
                done.set()
        while not done.is_set():
            parts["more"] = 1
            del parts["more"]

    try:
        in_threads(2, work)
    finally:
        sys.setswitchinterval(interval)
