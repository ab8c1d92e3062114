"""Training again and again keeps nothing; a model that is deleted takes its arrays and compiled
functions along.
"""

import gc
import threading
import weakref

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.training.data import array_source
from tests.design.tools import normal
from tests.thinning import some_slow

TIMES = 300
X, Y = normal(20, 4), np.arange(20) % 3


def network(loss="sparse_categorical_crossentropy"):
    model = jkeras.Sequential(
        [
            jkeras.Input((4,)),
            layers.Dense(5, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", loss, metrics=["accuracy"])
    return model


def alive():
    """(arrays, compiled programs, threads) that there are, garbage apart."""
    gc.collect()
    return (
        len(jax.live_arrays()),
        len(jax.devices()[0].client.live_executables()),
        threading.active_count(),
    )


def assert_no_more_than(before):
    """Nothing is alive that was not; what tests before left in caches may have gone meanwhile."""
    now = alive()
    assert all(a <= b for a, b in zip(now, before, strict=True)), (now, before)


class Looks(jkeras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.last = logs["loss"]


def batches():
    for start in range(0, 20, 8):
        yield X[start : start + 8], Y[start : start + 8]


REPEATED = {
    "fit": lambda model: model.fit(X, Y, batch_size=8, verbose=0),
    "new data": lambda model: model.fit(X.copy(), Y.copy(), batch_size=8, verbose=0),
    "validation": lambda model: model.fit(
        X, Y, batch_size=8, verbose=0, validation_data=(X[:9].copy(), Y[:9].copy())
    ),
    "callbacks": lambda model: model.fit(
        X,
        Y,
        batch_size=8,
        verbose=0,
        callbacks=[
            Looks(),
            jkeras.callbacks.EarlyStopping("loss"),
            jkeras.callbacks.LambdaCallback(),
        ],
    ),
    "generator": lambda model: model.fit(batches(), verbose=0),
    "weights": lambda model: model.fit(
        X, Y, batch_size=8, verbose=0, class_weight={0: 1.0, 1: 2.0, 2: 0.5}
    ),
    "evaluate": lambda model: model.evaluate(X.copy(), Y, batch_size=8, verbose=0),
    "predict": lambda model: model.predict(X.copy(), batch_size=8, verbose=0),
    "predict one": lambda model: model.predict(X[:1], verbose=0),
    "train_on_batch": lambda model: model.train_on_batch(X, Y),
    "call": lambda model: model(X, training=True),
    "weights read and set": lambda model: model.set_weights(model.get_weights()),
}


@pytest.mark.parametrize("name", some_slow(REPEATED, "fit", "predict"))
def test_repeating_keeps_nothing(name):
    model, again = network(), REPEATED[name]
    for _ in range(3):
        again(model)
    before = alive()
    for _ in range(TIMES):
        again(model)
    assert_no_more_than(before)


def test_weights_are_copies_of_what_they_are_set_to():
    """Else weights that go round make a chain of views, and an array that is written to later
    changes the model.
    """
    layer = layers.Dense(64, use_bias=False)
    layer.build((None, 64))
    room = np.zeros(64 * 64 + 16, "float32")
    begin = -room.ctypes.data % 64 // 4  # where JAX could take the memory as it is
    given = room[begin : begin + 64 * 64].reshape(64, 64)
    layer.set_weights([given])
    variable = jkeras.Variable(given)
    variable.assign(given)
    given[:] = 1.0
    assert not np.any(layer.get_weights()[0]) and not np.any(variable.value)


@pytest.mark.slow
def test_repeating_on_the_host_keeps_nothing(monkeypatch):
    """With the thread that makes batches ahead."""
    monkeypatch.setattr(array_source, "ON_DEVICE_LIMIT", 0)
    test_repeating_keeps_nothing("validation")


@pytest.mark.slow
def test_compiling_again_keeps_nothing():
    model = network()

    def again():
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(X, Y, batch_size=8, verbose=0)
        model.predict(X, verbose=0)

    again()
    again()
    before = alive()
    for _ in range(4):
        again()
    assert_no_more_than(before)


class Broken(jkeras.callbacks.Callback):
    """Breaks off in the middle of an epoch."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def on_train_batch_end(self, batch, logs=None):
        if batch == 1:
            raise self.error("broken")


def broken_data():
    yield from batches()
    raise OSError("no more")


def breaks(error, model, *data, callbacks=()):
    with pytest.raises(error):
        model.fit(*data, batch_size=8, verbose=0, callbacks=list(callbacks))


def pure(model):
    step = jax.jit(jkeras.training.make_train_step(model))
    return step, step(jkeras.training.init_train_state(model), (X, Y))


USES = {
    "fit": REPEATED["fit"],
    "validation": REPEATED["validation"],
    "callbacks": REPEATED["callbacks"],
    "generator": REPEATED["generator"],
    "evaluate": REPEATED["evaluate"],
    "train_on_batch": REPEATED["train_on_batch"],
    "predict": lambda model: [model.predict(X[:n], verbose=0) for n in (20, 1, 3)],
    "precompile": lambda model: model.precompile(X, Y, batch_size=8),
    "broken callback": lambda model: breaks(
        ValueError, model, X, Y, callbacks=[Broken(ValueError)]
    ),
    "Ctrl-C": lambda model: breaks(
        KeyboardInterrupt, model, X, Y, callbacks=[Broken(KeyboardInterrupt)]
    ),
    "broken data": lambda model: breaks(OSError, model, broken_data()),
    "pure": pure,
}


@pytest.mark.parametrize("host", some_slow([False, True], True), ids=["device", "host"])
@pytest.mark.parametrize("name", some_slow(USES, "validation", "broken data"))
def test_a_deleted_model_frees_everything(name, host, monkeypatch):
    if host:
        monkeypatch.setattr(array_source, "ON_DEVICE_LIMIT", 0)

    def live_and_die():
        model = network()
        held = USES[name](model)
        during = alive()
        functions = [f for f in model._functions.values() if hasattr(f, "traces")]
        assert functions or held
        return during, [
            weakref.ref(thing) for thing in (model, model.layers[0], model.optimizer, *functions)
        ]

    live_and_die()  # leaves the small functions that JAX compiles once for a shape
    before = alive()
    during, things = live_and_die()
    assert during[0] > before[0] and during[1] > before[1]
    assert_no_more_than(before)
    assert [thing() for thing in things] == [None] * len(things)


def test_a_submodel_keeps_only_what_it_needs():
    """Layers that live on in another model do not keep the first one's compiled functions."""
    first = network()
    first.fit(X, Y, batch_size=8, verbose=0)
    second = jkeras.Model(first.inputs, first.layers[0].output)
    second.predict(X, verbose=0)
    known, before = weakref.ref(first), alive()
    del first
    assert alive()[1] < before[1] and known() is None
    assert second.predict(X, verbose=0).shape == (20, 5)
