"""Threads, forks and copies: predictions while `fit` runs; pickle, copy, deepcopy and clone of all
that is held.
"""

import copy
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.saving.model_steps import ModelSteps
from tests.thinning import some_slow

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(jkeras.__file__)))
RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 4)).astype("float32")
Y = (X[:, :1] * X[:, 1:2] > 0).astype("float32")


def made(optimizer="adam"):
    model = jkeras.Sequential(
        [
            jkeras.Input((4,)),
            layers.Dense(5, "tanh"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


def trained(**options):
    model = made(**options)
    model.fit(X, Y, batch_size=8, verbose=0)
    return model


def test_eight_threads_predict_while_fit_runs():
    """With a rate of 0 the model stays what it is: 400 predictions are equal, whenever they are
    made.
    """
    model = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(5, "tanh"), layers.Dense(1)])
    model.compile(jkeras.optimizers.SGD(0.0), "mse")
    wanted, wrong, counts = model.predict(X, verbose=0), [], [0] * 8
    ready = threading.Barrier(9)

    def predict(number):
        ready.wait()
        for _ in range(50):
            try:
                if not np.array_equal(model.predict(X, verbose=0), wanted):
                    wrong.append("other numbers")
            except Exception as error:  # any is wrong here
                wrong.append(f"{type(error).__name__}: {error}")
            counts[number] += 1

    threads = [threading.Thread(target=predict, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    ready.wait()
    while any(thread.is_alive() for thread in threads):
        model.fit(X, Y, batch_size=8, epochs=3, verbose=0)
    assert counts == [50] * 8 and not wrong, wrong[:3]


class InStep(layers.Layer):
    """Thirty weights, all of which gain one with every step."""

    def build(self, shape):
        for i in range(30):
            self.add_weight(shape=(), initializer="zeros", name=f"w{i}")

    def call(self, x):
        self.add_loss(-sum(self.weights))
        return x


SAVED = {
    "m.keras": "save",
    "m.h5": "save",
    "m.weights.h5": "save_weights",
    "m.weights.json": "save_weights",
    "m.safetensors": "save_weights",
    "m.npz": "save_weights",
    "steps": "steps",
}


@pytest.mark.parametrize("name", some_slow(SAVED, "m.keras", "m.safetensors", "steps"))
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_file_written_while_fit_runs_has_the_weights_of_one_moment(name, tmp_path):
    model = jkeras.Sequential([jkeras.Input((4,)), InStep()])
    model.compile(jkeras.optimizers.SGD(1.0))
    again = jkeras.models.clone_model(model)
    path, over = tmp_path / name, threading.Event()

    def train():
        while not over.is_set():
            model.fit(X, batch_size=1, verbose=0, steps_per_epoch=3)

    thread = threading.Thread(target=train)
    thread.start()
    found = []
    try:
        for number in range(10):
            if SAVED[name] == "steps":
                steps = ModelSteps(path, background=False)
                steps.save(number, model, weights_only=True)
                steps.restore(again)
            else:
                more = {"max_shard_size": 3e-8} if name.endswith(".json") else {}
                getattr(model, SAVED[name])(path, **more)
                again.load_weights(path)
            found.append(np.unique(again.get_weights()))
    finally:
        over.set()
        thread.join()
    assert all(len(values) == 1 for values in found), found
    assert len({float(values[0]) for values in found}) > 1  # it did train


FORK = """
import os, signal, warnings
import numpy as np
import jkeras
model = jkeras.Sequential([jkeras.Input((4,)), jkeras.layers.Dense(1)])
x = np.ones((2, 4), "float32")
wanted = model.predict(x, verbose=0)
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        os._exit(0 if np.array_equal(model.predict(x, verbose=0), wanted) else 1)
status = os.waitpid(child, 0)[1]
print(any("fork" in str(w.message) for w in said), status in (0, signal.SIGALRM),
      np.array_equal(model.predict(x, verbose=0), wanted))
"""


def test_a_fork_is_warned_of():
    """The child predicts what its parent does, or hangs, which the warning tells of; the parent
    goes on.
    """
    done = subprocess.run(
        [sys.executable, "-c", FORK],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": ROOT},
        check=True,
    )
    assert done.stdout.split() == ["True"] * 3, done.stderr


WORKERS = r"""
import multiprocessing, os, sys, time, warnings
import numpy as np
import jkeras

class Parents(jkeras.utils.PyDataset):
    def __len__(self):
        return 4
    def __getitem__(self, i):
        if len(sys.argv) > 1 and multiprocessing.parent_process():
            os.write(1, b"%d\n" % os.getpid())  # at once: `print` may mix lines of two processes
            time.sleep(60)
        return np.full((2, 4), os.getppid(), "float32"), np.zeros((2, 1), "float32")

if __name__ == "__main__":
    dense = jkeras.layers.Dense(1, kernel_initializer="ones")
    model = jkeras.Sequential([jkeras.Input((4,)), dense])
    model.compile("sgd", "mse")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        parents = model.predict(Parents(workers=2, use_multiprocessing=True), verbose=0)
    print(bool((parents == 4 * np.float32(os.getpid())).any()), [str(w.message) for w in said])
"""


def program(*command):
    return subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": ROOT},
    )


@pytest.mark.promise("The processes are never forked from the one that runs JAX")
def test_workers_are_not_forked(tmp_path):
    """They come from a process that never ran JAX."""
    (tmp_path / "train.py").write_text(WORKERS)
    out, errors = program(str(tmp_path / "train.py")).communicate(timeout=120)
    assert out.split(maxsplit=1) == ["False", "[]\n"], errors


@pytest.mark.promise("they are forked, and a warning says so")
def test_workers_are_forked_where_nothing_else_can_be_with_a_warning():
    """The class of a session, as of a notebook, is in no file that another process could import."""
    out, errors = program("-c", WORKERS).communicate(timeout=120)
    assert (
        out.startswith("True")
        and "Parents cannot be sent to a new process (it is defined in this session" in out
    )
    assert "fork while JAX runs may hang" in out, errors


def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    (tmp_path / "train.py").write_text(WORKERS)
    with program(str(tmp_path / "train.py"), "sleep") as parent:
        workers = [int(parent.stdout.readline()) for _ in range(2)]
        parent.kill()
    assert parent.returncode == -signal.SIGKILL
    end = time.monotonic() + 20
    while any(os.path.exists(f"/proc/{worker}") for worker in workers) and time.monotonic() < end:
        time.sleep(0.05)
    assert not [worker for worker in workers if os.path.exists(f"/proc/{worker}")]


# ---------------------------------------------------------------- copies

WAYS = {"pickle": lambda thing: pickle.loads(pickle.dumps(thing)), "deepcopy": copy.deepcopy}


def numbers(model):
    return [np.asarray(v) for v in model.weights + model.optimizer.variables]


def step(model):
    return model.train_on_batch(X[:8], Y[:8])


@pytest.mark.parametrize("way", WAYS)
def test_models(way):
    model = trained()
    twin = WAYS[way](model)
    np.testing.assert_array_equal(twin.predict(X, verbose=0), model.predict(X, verbose=0))
    assert int(twin.optimizer.iterations) == int(model.optimizer.iterations) == 4
    before = numbers(model)
    assert step(twin) == step(WAYS[way](model))  # the optimizer's state and the keys came along
    for mine, kept in zip(numbers(model), before, strict=True):
        np.testing.assert_array_equal(mine, kept)
    assert not np.array_equal(twin.get_weights()[0], model.get_weights()[0])


def test_a_clone_has_weights_of_its_own():
    model = trained()
    twin = jkeras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin.predict(X, verbose=0), model.predict(X, verbose=0))
    twin.set_weights([0 * w for w in twin.get_weights()])
    assert np.any(model.predict(X, verbose=0))


LAYERS = {
    "dense": lambda: layers.Dense(3),
    "batch norm": lambda: layers.BatchNormalization(),
    "dropout": lambda: layers.Dropout(0.5, seed=3),
    "rnn": lambda: layers.Bidirectional(layers.LSTM(2, return_sequences=True)),
    "attention": lambda: layers.MultiHeadAttention(2, 3),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", LAYERS)
def test_layers(kind, way):
    layer = LAYERS[kind]()
    x = RNG.normal(size=(2, 5, 4)).astype("float32")
    given = (x, x) if kind == "attention" else (x,)
    wanted = np.asarray(layer(*given))
    twin = WAYS[way](layer)
    np.testing.assert_array_equal(twin(*given), wanted)
    assert twin.get_config() == layer.get_config()
    if layer.weights:
        twin.set_weights([w + 1 for w in twin.get_weights()])
        np.testing.assert_array_equal(layer(*given), wanted)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["sgd", "adam", "rmsprop", "lion", "adafactor"])
def test_optimizers(name, way):
    variable = jkeras.Variable([1.0, 2.0])
    optimizer = jkeras.optimizers.get(name)
    optimizer.apply_gradients([(np.array([0.5, -1.0], "float32"), variable)])
    twin = WAYS[way](optimizer)
    for mine, other in zip(twin.variables, optimizer.variables, strict=True):
        np.testing.assert_array_equal(mine.value, other.value)
        assert mine is not other
    grads, values = [np.array([0.25, 1.0], "float32")], [np.array([1.0, 2.0], "float32")]
    states = [[v.value for v in o.variables] for o in (twin, optimizer)]
    results = [
        o.stateless_apply(state, grads, values) for o, state in zip((twin, optimizer), states)
    ]
    for a, b in zip(*results):
        for mine, other in zip(a, b, strict=True):
            np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("way", WAYS)
def test_metrics_losses_schedules(way):
    metric = jkeras.metrics.MeanAbsoluteError()
    metric.update_state([1.0, 2.0], [2.0, 4.0])
    twin = WAYS[way](metric)
    assert float(twin.result()) == float(metric.result()) == 1.5
    twin.reset_state()
    assert float(metric.result()) == 1.5
    loss = WAYS[way](jkeras.losses.Huber(delta=0.5))
    assert float(loss([1.0], [3.0])) == float(jkeras.losses.Huber(delta=0.5)([1.0], [3.0]))
    schedule = WAYS[way](jkeras.optimizers.schedules.CosineDecay(0.1, 10))
    assert float(schedule(5)) == pytest.approx(0.05)


def test_a_model_in_a_process_that_was_spawned(tmp_path):
    """A pickle is read by a process that knows nothing."""
    model = trained()
    (tmp_path / "m.pickle").write_bytes(pickle.dumps(model))
    np.save(tmp_path / "x.npy", X)
    code = (
        "import pickle, sys, numpy as np\nmodel = pickle.load(open(sys.argv[1] + '/m.pickle', "
        "'rb'))\nnp.save(sys.argv[1] + '/y.npy', model.predict(np.load(sys.argv[1] + '/x.npy'), "
        "verbose=0))\nmodel.train_on_batch(np.load(sys.argv[1] + '/x.npy'), np.ones((32, 1)))\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        check=True,
        timeout=300,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": ROOT},
    )
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), model.predict(X, verbose=0), rtol=1e-6)


def test_a_first_value_that_comes_late_is_not_taken():
    """Another thread has begun to train with one of its own."""
    calls, is_made, may_go_on = [], threading.Event(), threading.Event()

    def initializer(shape, dtype=None):
        calls.append(shape)
        if len(calls) == 1:
            is_made.set()
            may_go_on.wait(10)
        return np.zeros(shape, dtype)

    model = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(1, kernel_initializer=initializer)])
    kernel = model.layers[0].kernel
    late = threading.Thread(target=kernel.own_value)
    late.start()
    assert is_made.wait(10)
    kernel.assign(kernel.value + 5.0)
    may_go_on.set()
    late.join()
    assert kernel.numpy().tolist() == [[5.0]] * 4 and len(calls) == 2
