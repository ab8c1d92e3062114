"""The same script with both libraries: a model whose results and weights a test dictates."""

import warnings

import numpy as np

from tests.parity.both import LIBRARIES, clear

# no gradient: only callbacks move the weight
X, Y = np.zeros((12, 1), "float32"), np.zeros((12, 1), "float32")


def still(k, rate=1.0, metrics=("mae",), **options):
    """One weight that training leaves alone, since its input is 0."""
    model = k.Sequential([k.Input((1,)), k.layers.Dense(1, use_bias=False)])
    model.compile(k.optimizers.SGD(rate), "mse", metrics=list(metrics), **options)
    return model


def script(k, values, name="val_loss"):
    """A callback that sets the weight to the epoch's number and puts a dictated result into the
    logs; None: none.
    """

    class Script(k.callbacks.Callback):
        every_batch = False

        def on_epoch_begin(self, epoch, logs=None):
            self.model.set_weights([np.full((1, 1), epoch + 1.0, "float32")])

        def on_epoch_end(self, epoch, logs=None):
            if values[epoch] is not None:
                logs[name] = values[epoch]

    return Script()


def same(run, *folders, errors=()):
    """What `run(library, folder)` gives; with jkeras the same as with Keras, with as many warnings.

    An error that is one of `errors`, in both, is given as its type.
    """
    results = []
    for k, folder in zip(LIBRARIES, folders or (None, None)):
        clear()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                results.append(
                    (run(k, folder), sum(issubclass(w.category, UserWarning) for w in caught))
                )
            except errors as error:
                results.append((type(error), None))
    mine, theirs = results
    assert mine == theirs
    return mine[0]
