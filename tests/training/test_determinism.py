"""The same seed gives the same bits, in this process and in others, whatever way the data takes."""

import os
import pathlib
import subprocess
import sys
import threading

import numpy as np
import pytest

import jkeras
from jkeras.training.data import chunk_feed
from jkeras.training.data import array_source
from tests.thinning import some_slow
from tests.training.hashed import bits, network, trained

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


@pytest.mark.promise("The same seed gives the same numbers")
def test_twice_in_one_process_other_seeds_other_bits():
    first = bits(*trained(3))
    np.random.seed(1)  # what happens to other generators plays no part
    jkeras.utils.set_random_seed(99)
    assert bits(*trained(3)) == first
    assert bits(*trained(4)) != first


def test_in_other_processes():
    """Two at once, with other hash seeds; one takes its data from the host."""

    def start(*arguments, hash_seed):
        environment = dict(os.environ, PYTHONPATH=str(ROOT), PYTHONHASHSEED=hash_seed)
        return subprocess.Popen(
            [sys.executable, "-m", "tests.training.hashed", *arguments],
            cwd=ROOT,
            text=True,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    others = [start("3", hash_seed="1"), start("3", "host", hash_seed="2")]
    found = [other.communicate(timeout=120) for other in others]
    assert [other.returncode for other in others] == [0, 0], found
    assert len({out.split()[-1] for out, _ in found}) == 1
    assert found[0][0].split()[-1] == bits(*trained(3))


@pytest.mark.promise("It makes a whole program reproducible, to the bit")
@pytest.mark.slow
def test_the_sessions_seed_does_the_same():
    found = []
    for seed in (5, 5, 6):
        jkeras.utils.set_random_seed(seed)
        found.append(bits(*trained(None)))
    assert found[0] == found[1] != found[2]


@pytest.mark.promise("The data lies on the device once")
def test_made_ahead_by_a_thread_or_lying_on_the_device(monkeypatch):
    on_device, names = bits(*trained(3)), []

    class Threads(jkeras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            names.extend(thread.name for thread in threading.enumerate())

    monkeypatch.setattr(array_source, "ON_DEVICE_LIMIT", 0)
    for of_chunk in (chunk_feed.BYTES, 2000, 0):  # all steps, a few, each batch on its own
        monkeypatch.setattr(chunk_feed, "BYTES", of_chunk)
        assert bits(*trained(3)) == on_device
        assert bits(*trained(3, callbacks=[Threads()])) == on_device
    assert "jkeras-prefetch" in names


@pytest.mark.promise("The last two lines are")
@pytest.mark.promise("`fit` has early stopping")
@pytest.mark.promise("one step in a dispatch")
@pytest.mark.parametrize(
    "form", some_slow(["every batch", "three steps", "generator"], "three steps")
)
def test_however_steps_are_dispatched(form):
    """A generator gives the same batches one after the other, without a thread."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(44, 6, 6, 2)).astype("float32"), rng.integers(0, 3, 44)

    class Looks(jkeras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            """Each batch is a dispatch then."""

    def fit(steps=1, *data, **arguments):
        model = network()
        model.compile("adam", "sparse_categorical_crossentropy", steps_per_execution=steps)
        return bits(
            model, model.fit(*data, epochs=2, shuffle=False, verbose=0, seed=3, **arguments)
        )

    def batches():
        for _ in range(2):
            for start in range(0, 44, 8):
                yield x[start : start + 8], y[start : start + 8]

    plain = fit(1, x, y, batch_size=8)
    other = {
        "every batch": lambda: fit(1, x, y, batch_size=8, callbacks=[Looks()]),
        "three steps": lambda: fit(3, x, y, batch_size=8),
        "generator": lambda: fit(1, batches(), steps_per_epoch=6),
    }[form]()
    assert other == plain


@pytest.mark.slow
def test_training_in_two_calls_as_in_one():
    """Epochs 0 to 3 at once, or in two calls that say where they begin; shuffling follows seed and
    epoch.
    """
    whole, parts = network(), network()
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 6, 6, 2)).astype("float32"), rng.integers(0, 3, 20)
    whole.fit(x, y, batch_size=8, epochs=4, verbose=0, seed=8)
    parts.fit(x, y, batch_size=8, epochs=2, verbose=0, seed=8)
    parts.fit(x, y, batch_size=8, epochs=4, initial_epoch=2, verbose=0, seed=8)
    for a, b in zip(whole.get_weights(), parts.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_same_seed_same_start_same_losses():
    """Also where the model was trained before: dropout follows from the seed and the epoch."""
    x = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
    model = jkeras.Sequential(
        [jkeras.Input((4,)), jkeras.layers.Dropout(0.5), jkeras.layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    start = model.get_weights()

    def losses(**arguments):
        model.set_weights(start)
        fitted = model.fit(x, x[:, :1], batch_size=8, verbose=0, **arguments)
        return fitted.history["loss"]

    first = losses(seed=1, epochs=2)
    assert losses(seed=1, epochs=2) == first
    assert losses(seed=2, epochs=2) != first
    later = losses(seed=1, initial_epoch=1, epochs=2)
    assert losses(seed=1, initial_epoch=1, epochs=2) == later
