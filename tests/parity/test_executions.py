"""`steps_per_execution` beside Keras: the batches of an epoch, the numbers that callbacks are
given.
"""

import warnings

import numpy as np
import pytest

from tests.parity.both import LIBRARIES

X = np.arange(400.0).reshape(100, 4) / 400
Y = np.ones((100, 1))


def endless():
    while True:
        for first in range(0, 100, 10):
            yield X[first : first + 10], Y[first : first + 10]


def model_of(library, execution):
    model = library.Sequential([library.layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", steps_per_execution=execution)
    return model


def log_of(library):
    """A callback that writes down all that it is told of batches."""

    class Log(library.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.lines = []

    for kind in ("train", "test", "predict"):
        for moment in ("begin", "end"):
            name = f"on_{kind}_batch_{moment}"
            method = lambda self, batch, logs=None, name=name: self.lines.append((name, batch))  # noqa: E731
            setattr(Log, name, method)
    return Log()


@pytest.mark.parametrize("execution", [1, 3, 101])
@pytest.mark.parametrize(
    "options",
    [
        dict(batch_size=16, epochs=2),
        dict(batch_size=10, epochs=4, steps_per_epoch=5),
        dict(batch_size=10, epochs=3, steps_per_epoch=4),
        dict(batch_size=10, epochs=2, steps_per_epoch=30),
        dict(epochs=2, steps_per_epoch=5),
        dict(batch_size=10, validation_data=(X, Y), validation_steps=4, validation_batch_size=10),
    ],
)
def test_fit_takes_keras_batches(options, execution):
    found = []
    for library in LIBRARIES:
        model, log = model_of(library, execution), log_of(library)
        data = (X, Y) if "batch_size" in options else (endless(),)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            training = model.fit(*data, **options, shuffle=False, verbose=0, callbacks=[log])
        short = any("ran out of data" in str(w.message) for w in caught)
        found.append((training.history, log.lines, short))
    (ours, *our_log), (theirs, *their_log) = found
    assert our_log == their_log
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("steps", [None, 1, 4, 5, 20])
def test_evaluate_and_predict_too(steps):
    found = []
    for library in LIBRARIES:
        model, log = model_of(library, 3), log_of(library)
        options = dict(batch_size=10, steps=steps, verbose=0, callbacks=[log])
        score, outputs = model.evaluate(X, Y, **options), model.predict(X, **options)
        if steps is not None:
            options = dict(steps=steps, verbose=0, callbacks=[log])
            outputs = np.concatenate([outputs, model.predict(endless(), **options)])
        found.append((log.lines, score, outputs))
    (our_log, our_score, ours), (their_log, their_score, theirs) = found
    assert our_log == their_log
    np.testing.assert_allclose(our_score, their_score, rtol=1e-5)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
