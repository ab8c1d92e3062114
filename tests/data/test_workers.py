"""PyDataset with workers: the same training as without, errors with their cause, nothing left
behind.
"""

import os
import time

import numpy as np
import pytest

import jkeras

WORKERS = {
    "none": {},
    "threads": dict(workers=3, max_queue_size=2),
    "processes": dict(workers=2, use_multiprocessing=True),
}


class Batches(jkeras.utils.PyDataset):
    """Five batches of three rows; `mistake(i)` runs before batch i is made."""

    def __init__(self, mistake=None, count=5, **kwargs):
        super().__init__(**kwargs)
        self.mistake, self.count, self.hooks = mistake, count, []

    @property
    def num_batches(self):
        return self.count

    def __getitem__(self, i):
        if self.mistake is not None:
            self.mistake(i)
        x = np.random.default_rng(i).normal(size=(3, 4)).astype("float32")
        return x, x.sum(1, keepdims=True)

    def on_epoch_begin(self):
        self.hooks.append("begin")

    def on_epoch_end(self):
        self.hooks.append("end")


def boom(i):
    if i == 3:
        raise KeyError("boom")


def die(i):
    if i == 3:
        os._exit(9)


def model():
    jkeras.utils.set_random_seed(1)
    net = jkeras.Sequential([jkeras.Input((4,)), jkeras.layers.Dense(1)])
    net.compile("sgd", "mse")
    return net


@pytest.fixture(scope="module")
def alone():
    return trained({})


def trained(kwargs):
    net, train, validation = model(), Batches(**kwargs), Batches(**kwargs)
    history = net.fit(train, epochs=2, shuffle=True, verbose=0, validation_data=validation).history
    assert train.hooks == ["begin", "end"] * 3  # once for the shapes, as in Keras
    return (
        history,
        net.evaluate(Batches(**kwargs), verbose=0),
        net.predict(Batches(**kwargs), verbose=0),
    )


@pytest.mark.promise("`PyDataset(workers=4, max_queue_size=10)` makes")
@pytest.mark.promise("`on_epoch_begin` and `on_epoch_end`")
@pytest.mark.promise("The batches come in the same order as without")
@pytest.mark.promise("what the workers of a `PyDataset` made ahead")
@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_the_same_batches_in_the_same_order(kind, alone):
    for mine, other in zip(trained(WORKERS[kind]), alone):
        np.testing.assert_equal(mine, other)


@pytest.mark.promise("`This happened in batch 17 of Images.`")
@pytest.mark.promise("An error that the data raises comes out of `fit` with the class")
@pytest.mark.parametrize("kind", WORKERS)
def test_errors_keep_their_class_and_say_where(kind):
    net = model()
    with pytest.raises(KeyError, match="boom") as error:
        net.fit(Batches(boom, **WORKERS[kind]), shuffle=False, verbose=0)
    assert "batch 3 of Batches" in error.value.__notes__[0]
    assert np.isfinite(net.get_weights()[0]).all()
    net.fit(Batches(**WORKERS[kind]), verbose=0)  # it goes on


@pytest.mark.promise("A worker process that dies")
def test_a_worker_that_dies():
    with pytest.raises(RuntimeError, match="worker process died"):
        model().fit(Batches(die, **WORKERS["processes"]), shuffle=False, verbose=0)


@pytest.mark.parametrize("kind", WORKERS)
def test_without_an_end(kind):
    """A data set of unknown length: as many steps as asked for, in predict too."""
    net = model()
    assert (
        len(
            net.fit(
                Batches(count=None, **WORKERS[kind]), steps_per_epoch=3, epochs=2, verbose=0
            ).epoch
        )
        == 2
    )
    assert net.predict(Batches(count=None, **WORKERS[kind]), steps=2, verbose=0).shape == (6, 1)


@pytest.mark.promise("When `fit` ends, is stopped or raises, the workers are gone")
@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_stopping_early_stops_the_workers(kind):
    stop = jkeras.callbacks.LambdaCallback(
        on_train_batch_end=lambda step, logs: setattr(net, "stop_training", True)
    )
    net = model()
    net.fit(Batches(**WORKERS[kind]), epochs=3, verbose=0, callbacks=[stop])


@pytest.mark.promise("makes up to ten batches ahead in four threads")
@pytest.mark.parametrize("workers, size", [(4, 10), (2, 3)])
def test_no_more_are_made_ahead_than_the_queue_holds(workers, size):
    made, ahead = [], []
    data = Batches(made.append, count=25, workers=workers, max_queue_size=size)
    look = jkeras.callbacks.LambdaCallback(
        on_train_batch_end=lambda step, logs: time.sleep(0.02) or ahead.append(len(made) - step - 1)
    )
    model().fit(data, verbose=0, callbacks=[look])
    assert 1 < max(ahead) <= size
