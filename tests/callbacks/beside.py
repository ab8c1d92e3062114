"""The same script with both libraries: a model whose results and weights a test dictates."""

import warnings

import numpy as np

from tests.parity.both import LIBRARIES, clear

X, Y = np.zeros((12, 1), "float32"), np.zeros((12, 1), "float32")  # no gradient: only callbacks move the weight


def still(k, rate=1.0, metrics=("mae",), **options):
    """One weight that training leaves alone, since its input is 0."""
    model = k.Sequential([k.Input((1,)), k.layers.Dense(1, use_bias=False)])
    model.compile(k.optimizers.SGD(rate), "mse", metrics=list(metrics), **options)
    return model


def script(k, values, name="val_loss"):
    """A callback that sets the weight to the epoch's number and puts a dictated result into the logs; None: none."""
    class Script(k.callbacks.Callback):
        every_batch = False

        def on_epoch_begin(self, epoch, logs=None):
            self.model.set_weights([np.full((1, 1), epoch + 1.0, "float32")])

        def on_epoch_end(self, epoch, logs=None):
            if values[epoch] is not None:
                logs[name] = values[epoch]
    return Script()


def both(run, *folders):
    """What `run(library, folder)` gives with jkeras and with Keras and how often it warns; an error is its type."""
    results = []
    for k, folder in zip(LIBRARIES, folders or (None, None)):
        clear()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                results.append((run(k, folder), sum(issubclass(w.category, UserWarning) for w in caught)))
            except Exception as error:  # noqa: BLE001 - whatever Keras raises, we should
                results.append((type(error), None))
    return results


def same(run, *folders):
    """The result, after checking that both libraries have the same."""
    mine, theirs = both(run, *folders)
    assert mine == theirs
    return mine[0]
