"""What the tests of data share: one small model, and a look at what they leave behind."""

import multiprocessing
import re
import threading

import pytest

import jkeras

# Threads that zarr, tqdm and grain keep for the whole process.
OF_LIBRARIES = re.compile(r"zarr_io|asyncio_|Thread-\d+ \((worker|_handle_)")


@pytest.fixture(autouse=True)
def nothing_stays():
    """No thread or process that a test started is there after it."""
    before = set(threading.enumerate())
    yield
    left = [
        t
        for t in threading.enumerate()
        if t not in before and not OF_LIBRARIES.match(t.name) and type(t).__name__ != "TMonitor"
    ]
    for thread in left:
        thread.join(5)
    assert not [t.name for t in left if t.is_alive()] and not multiprocessing.active_children()


@pytest.fixture(scope="session")
def shared_model():
    model = jkeras.Sequential([jkeras.Input((4,)), jkeras.layers.Dense(1)])
    model.compile(jkeras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return model


@pytest.fixture
def model(shared_model):
    """The model with the weights that it has in every test."""
    shared_model.set_weights([[[0.1], [-0.2], [0.3], [0.4]], [0.5]])
    return shared_model
