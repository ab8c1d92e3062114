"""Memory that runs out inside a step: the model is as it was after its last step, and all goes on
with smaller batches. In processes of their own, whose memory is limited.
"""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras.core.system import free_memory
from jkeras.training.loop import memory
from jkeras.training.loop.program import Program
from tests.thinning import some_slow

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")

PROGRAM = """
import resource, sys
import jax
import numpy as np
import jkeras
from jkeras import layers

def used(name):
    line = next(l for l in open("/proc/self/status") if l.startswith(name))
    return int(line.split()[1]) * 1024

def limit_to(more):
    most = used("VmSize") + more
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))

x, y = np.ones((40, 4), "float32"), np.ones((40, 1), "float32")
model = jkeras.Sequential([jkeras.Input((4,))])
for layer in (layers.RepeatVector(3000), layers.Dense(2000, "relu"), layers.Dense(4)):
    model.add(layer)  # six million numbers for each row
for layer in (layers.GlobalAveragePooling1D(), layers.Dense(1)):
    model.add(layer)
model.compile("adam", "mse", metrics=["mae"])
model.fit(x[:1], y[:1], batch_size=1, verbose=0)
before = model.get_weights() + [v.numpy() for v in model.optimizer.variables]
limit_to(2**30)

def fails(work):
    try:
        work()
    except MemoryError as error:
        assert "memory" in str(error) and "batch_size" in str(error), error
        return
    except jax.errors.JaxRuntimeError as error:  # libraries of XLA's take more than it says
        assert "failed" in str(error), error
        return
    raise AssertionError("ran")
"""

WORK = {
    "fit": "fails(lambda: model.fit(x, y, batch_size=40, verbose=0))",
    "fit on batches": "fails(lambda: model.fit(iter([(x, y)]), verbose=0))",
    "train_on_batch": "fails(lambda: model.train_on_batch(x, y))",
    "evaluate": "fails(lambda: model.evaluate(x, y, batch_size=40, verbose=0))",
    "predict": "fails(lambda: model.predict(x, batch_size=40, verbose=0))",
    "again": "[fails(lambda: model.fit(x, y, batch_size=40, verbose=0)) for _ in range(3)]",
}
CHECK = """
after = model.get_weights() + [v.numpy() for v in model.optimizer.variables]
assert all(map(np.array_equal, before, after))
model.save(sys.argv[1])
assert model.predict(x[:1], verbose=0).shape == (1, 1)
model.fit(x[:2], y[:2], batch_size=1, verbose=0)
print("all is there")
"""


@pytest.mark.promise("Mostly it is said before")
@pytest.mark.parametrize("name", some_slow(WORK, "fit", "again"))
def test_a_step_that_memory_does_not_suffice_for(name, tmp_path):
    code = PROGRAM + WORK[name] + CHECK
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "m.keras"], capture_output=True, text=True
    )
    assert done.stdout == "all is there\n", done.stderr


VALIDATION = """
try:
    large = dict(validation_data=(x, y), validation_batch_size=40)
    model.fit(x[:1], y[:1], batch_size=1, verbose=0, **large)
except (MemoryError, jax.errors.JaxRuntimeError):
    before = model.get_weights() + [v.numpy() for v in model.optimizer.variables]
"""


@pytest.mark.slow
def test_a_validation_that_memory_does_not_suffice_for(tmp_path):
    """The step before it counts."""
    code = PROGRAM + VALIDATION + "assert int(model.optimizer.iterations) == 2" + CHECK
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "m.keras"], capture_output=True, text=True
    )
    assert done.stdout == "all is there\n", done.stderr


MISJUDGED = """
from jkeras.training.loop import memory
memory.check = lambda *arguments: None
"""


@pytest.mark.parametrize(
    "name", some_slow(["fit", "fit on batches", "train_on_batch"], "fit on batches")
)
def test_a_step_whose_need_is_misjudged(name, tmp_path):
    """It fails within, after it has consumed the state."""
    code = PROGRAM + MISJUDGED + WORK[name] + CHECK
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "m.keras"], capture_output=True, text=True
    )
    assert done.stdout == "all is there\n", done.stderr


def test_what_is_free(monkeypatch, tmp_path):
    """The least of what the machine, the container and the process have left."""
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 300\n")
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.max").write_text("5000\n")
    assert list(free_memory._of_container(tmp_path)) == [4300]
    (tmp_path / "memory.max").write_text("max\n")
    assert list(free_memory._of_container(tmp_path)) == []
    (free,) = free_memory._of_machine()
    assert 2**26 < free < 2**50
    monkeypatch.setattr(free_memory, "_of_container", lambda: [2**40])
    monkeypatch.setattr(free_memory, "_of_process", lambda: [100])
    assert free_memory.free_on_host(4) == 25


def test_what_a_step_consumes_is_kept_where_memory_is_scarce_alone(monkeypatch):
    """What is kept cannot be given away, so that the step takes as much memory again."""
    monkeypatch.setattr(memory, "LITTLE", 0)
    needed = 4 * 1000

    def is_consumed(free):
        monkeypatch.setattr(memory, "_free", lambda devices: free)
        program = Program(lambda state, x: (state + 1, x * 2), donate=(0,))
        state = jnp.zeros(3)
        place = state.unsafe_buffer_pointer()
        new, _ = program(state, jnp.ones(1000))
        return new.unsafe_buffer_pointer() == place

    assert is_consumed(10 * needed)
    assert not is_consumed(2 * needed)
    assert not is_consumed(None)


def test_each_shape_is_compiled_once(monkeypatch):
    """What is measured is what is run; a refusal leaves nothing behind that would be run."""
    compiled = []
    monkeypatch.setattr(memory, "LITTLE", 0)
    program = Program(lambda state, x: (state + 1, compiled.append(1) or x * 2), donate=(0,))
    state, x = jnp.zeros(3), jnp.ones(1000)
    for _ in range(2):
        state, _ = program(state, x)
    assert program.traces == len(compiled) == 1
    with monkeypatch.context() as patch:
        patch.setattr(memory, "_free", lambda devices: 7000)
        for _ in range(2):
            with pytest.raises(MemoryError, match="needs 0.0 MiB"):
                program(state, jnp.ones(5000))
    np.testing.assert_array_equal(state, np.full(3, 2.0))
    assert program.traces == 1
    jax.block_until_ready(program(state, x))
