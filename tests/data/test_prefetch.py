"""Batches made ahead by a thread: in order, few at a time, errors where they belong, nothing left
behind.
"""

import contextvars
import threading

import numpy as np
import pytest

import jkeras
from jkeras.training.data import array_source, make_source
from jkeras.training.data.prefetch import DEPTH, Prefetched


def test_items_come_in_order_through_the_function():
    assert list(Prefetched(iter(range(20)), lambda i: i * i)) == [i * i for i in range(20)]


@pytest.mark.promise("two batches or two such reads at most")
def test_no_more_than_a_few_are_made_ahead():
    made, taken = [], threading.Semaphore(0)

    def items():
        for i in range(50):
            made.append(i)
            taken.release()
            yield i

    ahead = Prefetched(items())
    for _ in range(DEPTH + 1):
        taken.acquire()
    for i in range(10):
        assert next(ahead) == i
        taken.acquire()
        assert len(made) <= i + DEPTH + 3
    ahead.close()
    assert not ahead.thread.is_alive()


def test_an_error_comes_where_its_item_would_have_come():
    def items():
        yield 1
        raise KeyError("two")

    ahead = Prefetched(items())
    assert next(ahead) == 1
    with pytest.raises(KeyError, match="two"):
        next(ahead)
    with pytest.raises(StopIteration):
        next(ahead)
    assert not ahead.thread.is_alive()


def test_closing_ends_the_thread_and_the_generator_in_it():
    ended = []

    def items():
        try:
            while True:
                yield 0
        finally:
            ended.append(threading.current_thread())

    ahead = Prefetched(items())
    next(ahead)
    ahead.close()
    assert ended == [ahead.thread] and not ahead.thread.is_alive()


def test_open_scopes_hold_in_the_thread():
    scope = contextvars.ContextVar("scope", default=0)
    scope.set(3)
    assert next(Prefetched(iter([1]), lambda item: scope.get())) == 3


class Files:
    """Like a large array in a file: it is read by rows."""

    def __init__(self, rows, broken=None):
        self.shape, self.dtype, self.ndim = (rows, 4), np.dtype("float32"), 2
        self.broken, self.threads = broken, set()

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        self.threads.add(threading.current_thread().name)
        numbers = np.arange(len(self))[rows]
        if self.broken is not None and self.broken in numbers:
            raise OSError("the disk is gone")
        return np.outer(numbers, np.ones(4)).astype("float32") / len(self)


def model():
    jkeras.utils.set_random_seed(0)
    net = jkeras.Sequential([jkeras.Input((4,)), jkeras.layers.Dense(1)])
    net.compile("sgd", "mse")
    return net


@pytest.fixture(autouse=True)
def nothing_fits(monkeypatch):
    monkeypatch.setattr(array_source, "ON_DEVICE_LIMIT", 100)


def test_a_large_array_is_read_by_the_thread_and_trained_as_in_memory():
    stored, y = Files(45), np.arange(45, dtype="float32")
    ours, plain = model(), model()
    ours.fit(stored, y, batch_size=8, epochs=2, verbose=0, seed=3)
    plain.fit(np.asarray(stored[:]), y, batch_size=8, epochs=2, verbose=0, seed=3)
    assert "jkeras-prefetch" in stored.threads
    for a, b in zip(ours.get_weights(), plain.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    assert not [t for t in threading.enumerate() if t.name == "jkeras-prefetch"]


def test_an_error_of_the_disk_reaches_the_user_and_leaves_nothing_behind():
    with pytest.raises(OSError, match="the disk is gone") as error:
        model().fit(Files(64, broken=40), np.zeros(64), batch_size=8, verbose=0, shuffle=False)
    assert "batch 5" in "".join(error.value.__notes__)
    assert not [t for t in threading.enumerate() if t.name == "jkeras-prefetch"]


@pytest.mark.parametrize("stop", ["callback", "steps"])
def test_a_fit_that_ends_early_leaves_nothing_behind(stop):
    net, data = model(), (Files(640), np.zeros(640))
    if stop == "callback":
        callback = jkeras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: setattr(net, "stop_training", batch == 2)
        )
        net.fit(*data, batch_size=8, verbose=0, callbacks=[callback])
    else:
        net.fit(*data, batch_size=8, verbose=0, steps_per_epoch=3, epochs=2)
    assert not [t for t in threading.enumerate() if t.name == "jkeras-prefetch"]


@pytest.mark.promise("code of yours run in your own thread, as in Keras")
def test_code_of_the_users_own_stays_in_his_thread():
    threads = set()

    def batches():
        for _ in range(6):
            threads.add(threading.current_thread())
            yield np.ones((2, 4), "float32"), np.ones((2, 1), "float32")

    model().fit(batches(), verbose=0)
    assert threads == {threading.main_thread()}
    assert not make_source(batches()).from_any_thread
