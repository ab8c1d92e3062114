"""Compiling ahead, and the cache of compiled programs."""

import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest

import jkeras
from jkeras.training.loop.program import Program
from tests.compilations import compilations

X = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


@pytest.fixture
def compiled():
    """Names of the programs that are compiled while the test runs."""
    with compilations() as names:
        yield names


def model():
    jkeras.utils.set_random_seed(2)
    net = jkeras.Sequential(
        [
            jkeras.Input((4,)),
            jkeras.layers.Dense(3),
            jkeras.layers.Dropout(0.2),
            jkeras.layers.BatchNormalization(),
            jkeras.layers.Dense(1),
        ]
    )
    net.compile("adam", "mse", metrics=["mae"])
    return net


def sizes(net):
    return {
        key[0]: function.traces
        for key, function in net._functions.items()
        if hasattr(function, "traces")
    }


@pytest.mark.promise("`model.precompile(x, y)` compiles before")
@pytest.mark.promise("keeps compiled programs")
@pytest.mark.parametrize("batch_size", [10, 16, 64])
def test_precompile(batch_size):
    other = model()
    theirs = other.fit(
        X, Y, batch_size=batch_size, epochs=2, verbose=0, validation_data=(X, Y)
    ).history
    ready = model()
    weights = ready.get_weights()
    seconds = ready.precompile(X, Y, batch_size=batch_size)
    assert list(seconds) == ["train", "test", "predict"] and min(seconds.values()) > 0
    np.testing.assert_equal(ready.get_weights(), weights)
    compiled = sizes(ready)
    mine = ready.fit(
        X, Y, batch_size=batch_size, epochs=2, verbose=0, validation_data=(X, Y)
    ).history
    ready.predict(X[:batch_size], batch_size=batch_size, verbose=0)
    assert sizes(ready) == compiled, "nothing was left to compile"
    assert mine == theirs


def test_precompile_for_a_source_of_batches():
    traces = []
    net = jkeras.Sequential(
        [
            jkeras.Input((4,)),
            jkeras.layers.Lambda(lambda x: (traces.append(1), x)[1]),
            jkeras.layers.Dense(1),
        ]
    )
    net.compile("sgd", "mse")
    batches = [(X[:8], Y[:8])] * 3
    net.precompile(iter(batches), kinds=["train"])
    before = len(traces)
    net.fit(iter(batches), verbose=0)
    assert len(traces) == before


PROGRAM = """
import sys, time, numpy as np, jax, jkeras
jkeras.config.enable_compilation_cache(sys.argv[1], min_seconds=0)
found = []
jax.monitoring.register_event_listener(lambda event, **_: found.append(event))
net = jkeras.Sequential([jkeras.Input((4,)), jkeras.layers.Dense(3)])
net.compile("sgd", "mse")
net.precompile(np.ones((8, 4), "float32"), np.ones((8, 3), "float32"), kinds=["train"])
print(sum(event.endswith("cache_hits") for event in found))
"""


@pytest.mark.promise("`jkeras.config.enable_compilation_cache` keeps programs")
@pytest.mark.promise("`jkeras.config.enable_compilation_cache` keeps the program for")
@pytest.mark.promise("`jkeras.config.enable_compilation_cache` keeps the programs")
@pytest.mark.promise("keeps compiled programs")
def test_the_cache_outlives_the_process(tmp_path):
    hits = [
        int(
            subprocess.run(
                [sys.executable, "-c", PROGRAM, str(tmp_path)],
                check=True,
                capture_output=True,
                text=True,
            ).stdout.splitlines()[-1]
        )
        for _ in range(2)
    ]
    assert hits[1] > hits[0] and any(tmp_path.iterdir())


def test_a_cache_can_be_switched_off(tmp_path):
    jkeras.config.enable_compilation_cache(str(tmp_path))
    assert jax.config.jax_compilation_cache_dir == str(tmp_path)
    jkeras.config.disable_compilation_cache()
    assert jax.config.jax_compilation_cache_dir is None


def test_programs_are_kept_for_all_tests():
    """Those after the one above too."""

    def program(x):
        return 3 * x + 17

    program.__name__ = f"of_process_{os.getpid()}"
    jax.jit(program)(np.ones(3))
    folder = pathlib.Path(os.environ["JAX_COMPILATION_CACHE_DIR"])
    assert list(folder.glob(f"jit_{program.__name__}-*"))


def lengths(*sizes):
    """Batches of sequences of these lengths."""
    return [(np.ones((4, n, 2), "float32"), np.ones((4, 1), "float32")) for n in sizes]


def test_ever_new_shapes_are_told_once():
    net = jkeras.Sequential(
        [jkeras.Input((None, 2)), jkeras.layers.GlobalAveragePooling1D(), jkeras.layers.Dense(1)]
    )
    net.compile("sgd", "mse")
    with pytest.warns(UserWarning, match=r"x from float32\[4,5,2\] to float32\[4,6,2\]") as told:
        net.fit(iter(lengths(5, 6, 7, 8, 9)), verbose=0)
    assert len(told) == 1
    net.fit(iter(lengths(5, 5, 5)), verbose=0)  # warnings are errors in these tests


def test_later_calls_of_a_program_do_not_run_the_python_of_jit():
    """Whatever other shapes it was called with in between."""
    program = Program(lambda params, x: params + x.sum())
    few, many = np.ones(3, "float32"), np.ones(4, "float32")
    called = []

    def note(frame, event, argument):
        if event == "call" and frame.f_code.co_filename.endswith("pjit.py"):
            called.append(frame.f_code.co_name)

    for x in (few, many, few, many):
        program(few, x)
    sys.setprofile(note)
    try:
        results = [program(few, x) for x in (few, many, few)]
    finally:
        sys.setprofile(None)
    assert called == [] and program.traces == 2
    np.testing.assert_array_equal(results[1], few + 4)


def aligned(values):
    """An array of numpy whose memory JAX could share."""
    memory = np.zeros(values.nbytes + 64, "uint8")
    start = -memory.ctypes.data % 64
    array = memory[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
    array[...] = values
    return array


@pytest.mark.parametrize("dtype", ["float32", "int32", "bfloat16", "float16", "bool"])
def test_arrays_of_the_host_need_no_program_and_are_not_shared(dtype, compiled):
    variable = jkeras.Variable(np.zeros((5, 7)), dtype=dtype, trainable=False)
    host = aligned(np.arange(35).reshape(5, 7).astype(dtype))
    want = host.astype("float32")
    compiled.clear()
    tensor = jkeras.ops.convert_to_tensor(host)
    variable.assign(host)
    host[...] = 0
    for got in (tensor, variable.value):
        assert got.dtype == dtype and not got.weak_type and not got.committed
        np.testing.assert_array_equal(np.asarray(got, "float32"), want)
    assert not compiled


FIRST_FIT = """
import jax, numpy as np, jkeras
from jkeras import layers

compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda name, seconds, **more: compiled.append(name) if "backend_compile" in name else None
)
rng = np.random.default_rng(0)
for inputs, body, x in (
    ((8,), [layers.Dense(8, "relu"), layers.BatchNormalization(), layers.Dropout(0.2)],
     rng.normal(size=(50, 8)).astype("float32")),
    ((6,), [layers.Embedding(20, 8), layers.LSTM(8, dropout=0.1)], rng.integers(0, 20, (50, 6))),
):
    model = jkeras.Sequential([jkeras.Input(inputs), *body, layers.Dense(3)])
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    compiled.clear()
    model.fit(x, rng.integers(0, 3, 50), batch_size=10, verbose=0)
    print(len(compiled))
"""


@pytest.mark.slow
def test_a_first_fit_compiles_few_programs():
    done = subprocess.run([sys.executable, "-c", FIRST_FIT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = [int(line) for line in done.stdout.split()]
    assert len(found) == 2 and max(found) <= 5
