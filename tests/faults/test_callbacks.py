"""A callback that raises, in any hook: as with Ctrl-C, the model is what its last finished step
made of it.
"""

import threading

import numpy as np
import pytest

import jkeras
from jkeras import callbacks, layers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 4)).astype("float32")
Y = (X[:, :1] * X[:, 1:2] > 0).astype("float32")
# hook -> how many steps of eight-row batches are done when it raises, two epochs of four being
# asked for
STEPS = {
    "on_train_begin": 0,
    "on_epoch_begin": 0,
    "on_train_batch_begin": 0,
    "on_train_batch_end": 1,
    "on_test_begin": 4,
    "on_test_batch_begin": 4,
    "on_test_batch_end": 4,
    "on_test_end": 4,
    "on_epoch_end": 4,
    "on_train_end": 8,
}


class Broken(callbacks.Callback):
    """Raises in one hook."""

    def __init__(self, hook):
        super().__init__()

        def raises(*args, **kwargs):
            raise OSError(f"broken in {hook}")

        setattr(self, hook, raises)


class Ends(callbacks.Callback):
    """Counts how often it is told of the end."""

    every_batch = False
    count = 0

    def on_train_end(self, logs=None):
        self.count += 1


def made():
    jkeras.utils.set_random_seed(2)
    model = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(3, "tanh"), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def class_with(hook):
    """A callback whose class has the hook, as the list of callbacks looks for it there."""
    return type(
        "Raises",
        (Broken,),
        {hook: lambda self, *args, **kwargs: self.__dict__[hook](*args, **kwargs)},
    )(hook)


@pytest.mark.parametrize("hook", STEPS)
def test_the_model_holds_the_last_finished_step(hook):
    model, ends, threads = made(), [Ends(), Ends()], set(threading.enumerate())
    with pytest.raises(OSError, match=f"broken in {hook}"):
        model.fit(
            X,
            Y,
            batch_size=8,
            epochs=2,
            shuffle=False,
            verbose=0,
            validation_data=(X, Y),
            callbacks=[ends[0], class_with(hook), ends[1]],
        )
    assert [end.count for end in ends] == [1, 1] and set(threading.enumerate()) <= threads
    assert int(model.optimizer.iterations) == STEPS[hook]
    other = made()
    for start in range(STEPS[hook]):
        rows = slice(8 * (start % 4), 8 * (start % 4) + 8)
        other.train_on_batch(X[rows], Y[rows])
    for mine, wanted in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-5, atol=1e-6)
    model.fit(X, Y, batch_size=8, verbose=0)
    assert np.isfinite(model.predict(X, verbose=0)).all()


def test_several_that_raise_at_the_end():
    """The first error comes out, with the others as notes."""
    with pytest.raises(OSError, match="broken in on_train_end") as error:
        made().fit(
            X, Y, verbose=0, callbacks=[class_with("on_train_end"), class_with("on_train_end")]
        )
    assert error.value.__notes__ == ["Raises.on_train_end: OSError: broken in on_train_end"]


@pytest.mark.parametrize("hook", ["on_test_begin", "on_test_batch_end", "on_test_end"])
def test_in_evaluate(hook):
    model = made()
    before = model.get_weights()
    with pytest.raises(OSError, match="broken"):
        model.evaluate(X, Y, verbose=0, callbacks=[class_with(hook)])
    for mine, wanted in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, wanted)
    assert np.isfinite(model.evaluate(X, Y, verbose=0)).all()


@pytest.mark.parametrize("hook", ["on_predict_begin", "on_predict_batch_end", "on_predict_end"])
def test_in_predict(hook):
    model = made()
    wanted = model.predict(X, verbose=0)
    with pytest.raises(OSError, match="broken"):
        model.predict(X, verbose=0, callbacks=[class_with(hook)])
    np.testing.assert_array_equal(model.predict(X, verbose=0), wanted)


@pytest.mark.parametrize("hook", ["on_train_begin", "on_epoch_end", "on_train_batch_end"])
def test_a_callback_that_compiles(hook):
    """What is running cannot change its optimizer: it is said, and the model is as it was."""
    model = jkeras.Sequential([jkeras.Input((4,)), jkeras.layers.Dense(1)])
    model.compile("sgd", "mse")

    class Compiles(jkeras.callbacks.Callback):
        pass

    setattr(Compiles, hook, lambda self, *args, **kwargs: self.model.compile("adam", "mae"))
    x = np.ones((8, 4), "float32")
    with pytest.raises(RuntimeError, match="cannot be compiled while `fit` trains it"):
        model.fit(x, x[:, :1], verbose=0, callbacks=[Compiles()])
    assert type(model.optimizer).__name__ == "SGD"
    model.fit(x, x[:, :1], verbose=0)
    model.compile("adam", "mae")  # now it may
    model.fit(x, x[:, :1], verbose=0)


def test_a_callback_that_compiles_at_the_end():
    """When the training is over, as in Keras."""
    model = jkeras.Sequential([jkeras.Input((4,)), jkeras.layers.Dense(1)])
    model.compile("sgd", "mse")
    compiles = jkeras.callbacks.LambdaCallback(
        on_train_end=lambda logs: model.compile("adam", "mae")
    )
    x = np.ones((8, 4), "float32")
    model.fit(x, x[:, :1], verbose=0, callbacks=[compiles])
    assert type(model.optimizer).__name__ == "Adam"
