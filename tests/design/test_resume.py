"""`fit(..., checkpoint=folder)`: killed at any moment and run again, it ends with the bits of a run
never killed.
"""

import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import Input, Sequential, layers
from jkeras.saving import Checkpointer
from jkeras.training import init_train_state
from tests.design import resumable
from tests.design.tools import assert_trees_equal, normal
from jkeras.training.step.state import train_key

ROOT = pathlib.Path(__file__).parents[2]


def command(*arguments):
    return [sys.executable, "-m", "tests.design.resumable", *map(str, arguments)]


def environment():
    return {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}


def run(*arguments):
    """Runs to the end, or to a suicide; returns the exit code."""
    done = subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The end of a run in this process."""
    output = tmp_path_factory.mktemp("whole") / "whole.npz"
    resumable.main("-", output)
    return dict(np.load(output))


def assert_same_end(output, expected):
    found = dict(np.load(output))
    assert found.keys() == expected.keys()
    for name in expected:
        if name != "loss":
            np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


@pytest.mark.promise("`jkeras.saving.Checkpointer`: [Files and")
@pytest.mark.promise("resumes where it was killed")
@pytest.mark.promise("the same command resumes from there")
@pytest.mark.promise("can be interrupted or killed, and resumes with bitwise identical results")
def test_killed_in_an_epoch_and_run_again(tmp_path, uninterrupted):
    output = tmp_path / "end.npz"
    assert run(tmp_path / "run", output, 2, 1) == -signal.SIGKILL
    assert not output.exists()
    assert run(tmp_path / "run", output) == 0
    assert_same_end(output, uninterrupted)


@pytest.mark.slow
@pytest.mark.parametrize("moments", [[(0, 0), (0, 3), (4, 2)], [(1, 3), (3, 0), (3, 1), (5, 3)]])
def test_killed_several_times(tmp_path, uninterrupted, moments):
    output = tmp_path / "end.npz"
    for moment in moments:
        run(tmp_path / "run", output, *moment)
    assert run(tmp_path / "run", output) == 0
    assert_same_end(output, uninterrupted)


@pytest.mark.promise("One that is killed resumes from its last checkpoint")
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_killed_from_outside_at_random_moments(tmp_path, uninterrupted, seed):
    output, moments = tmp_path / "end.npz", random.Random(seed)
    for _ in range(3):
        process = subprocess.Popen(
            command(tmp_path / "run", output),
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # wait until the first checkpoint is being written, then a random moment
        limit = time.monotonic() + 60
        while (
            not (tmp_path / "run").exists() and time.monotonic() < limit and process.poll() is None
        ):
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 2.0))
        process.kill()
        process.wait()
    assert run(tmp_path / "run", output) == 0
    assert_same_end(output, uninterrupted)


@pytest.mark.slow
def test_a_finished_run_started_again_changes_nothing(tmp_path, uninterrupted):
    output = tmp_path / "end.npz"
    for _ in range(2):
        assert run(tmp_path / "run", output) == 0
        assert_same_end(output, uninterrupted)
        output.unlink()


# ---------------------------------------------------------------- in one process


def model_of(units=3, name="a", optimizer="adam"):
    model = Sequential(
        [
            Input((4,)),
            layers.Dense(units, name=name),
            layers.BatchNormalization(name="n"),
            layers.Dense(1, name="b"),
        ]
    )
    model.compile(optimizer, "mse")
    return model


@pytest.mark.parametrize("moment", ["epoch", "batch"])
def test_an_exception_and_a_second_call_of_fit(tmp_path, moment):
    x, y = normal(32, 4), normal(32, 1)

    class Stop(jkeras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch
            if moment == "epoch" and epoch == 2:
                raise OSError("power")

        def on_train_batch_end(self, batch, logs=None):
            if moment == "batch" and (self.epoch, batch) == (2, 1):
                raise OSError("power")

    whole, broken, again = model_of(), model_of(), model_of()
    for model in (broken, again):
        model.set_weights(whole.get_weights())
        model.__dict__["_train_key"] = train_key(whole)
    watch = jkeras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    fit = lambda model, callbacks: model.fit(
        x,
        y,
        batch_size=8,
        epochs=4,
        shuffle=False,
        verbose=0,  # noqa: E731
        callbacks=callbacks,
        checkpoint=tmp_path / "run",
    )
    with pytest.raises(OSError, match="power"):
        fit(broken, [Stop()])
    history = fit(again, [watch])
    assert history.epoch[-1] == 3 and len(history.history["loss"]) in (2, 4)
    whole.fit(x, y, batch_size=8, epochs=4, shuffle=False, verbose=0, callbacks=[watch])
    for a, b in zip(whole.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(whole.optimizer.variables, again.optimizer.variables):
        np.testing.assert_array_equal(a.value, b.value)


def test_more_epochs_go_on_where_the_last_call_stopped(tmp_path):
    x, y = normal(16, 4), normal(16, 1)
    whole, parts = model_of(), model_of()
    parts.set_weights(whole.get_weights())
    parts.__dict__["_train_key"] = train_key(whole)
    for epochs in (2, 5):
        parts.fit(x, y, epochs=epochs, verbose=0, shuffle=False, checkpoint=tmp_path)
    whole.fit(x, y, epochs=5, verbose=0, shuffle=False)
    for a, b in zip(whole.get_weights(), parts.get_weights()):
        np.testing.assert_array_equal(a, b)
    assert int(parts.optimizer.iterations) == 5


def test_a_model_made_again_in_the_same_process_resumes(tmp_path):
    """Names that count ("dense_1") must not decide whether a checkpoint fits."""

    def make():
        model = Sequential([Input((4,)), layers.Dense(3), layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    x, y = normal(16, 4), normal(16, 1)
    first = make()
    first.fit(x, y, epochs=2, verbose=0, checkpoint=tmp_path)
    second = make()
    second.fit(x, y, epochs=2, verbose=0, checkpoint=tmp_path)
    for a, b in zip(first.get_weights(), second.get_weights()):
        np.testing.assert_array_equal(a, b)


@pytest.mark.promise("a training that can resume")
def test_checkpointer_round_trip_of_a_train_state(tmp_path):
    model = model_of()
    model.fit(normal(8, 4), normal(8, 1), verbose=0)
    state = init_train_state(model)
    with Checkpointer(tmp_path) as checkpointer:
        checkpointer.save(state, {"note": "x"})
        checkpointer.save(state._replace(step=state.step + 1), step=7)
        assert checkpointer.latest_step() == 7 and checkpointer.steps() == [int(state.step), 7]
        back, extra = checkpointer.restore(
            jax.tree_util.tree_map(jnp.zeros_like, state), step=int(state.step)
        )
    assert extra == {"note": "x"}
    assert_trees_equal(back, state)


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(units=5), ["a/kernel", "(4, 3)", "(4, 5)", "b/kernel", "n/gamma"]),
        (dict(name="c"), ["a/kernel", "c/kernel", "issing", "nexpected", "opt_state"]),
        (dict(optimizer="sgd"), ["opt_state", "velocity", "nexpected"]),
    ],
)
def test_restore_into_a_changed_model_is_one_error_with_all_paths(tmp_path, change, words):
    model_of().fit(normal(8, 4), normal(8, 1), verbose=0, checkpoint=tmp_path)
    other = model_of(**change)
    before = other.get_weights()
    with pytest.raises(ValueError) as error:
        other.fit(normal(8, 4), normal(8, 1), epochs=2, verbose=0, checkpoint=tmp_path)
    for word in (*words, str(tmp_path), "another folder"):
        assert word in str(error.value)
    for a, b in zip(before, other.get_weights()):
        np.testing.assert_array_equal(a, b)
    with Checkpointer(tmp_path) as checkpointer, pytest.raises(ValueError) as again:
        checkpointer.restore(init_train_state(other))
    for word in words:
        assert word in str(again.value)


def test_restore_from_an_empty_folder(tmp_path):
    with (
        Checkpointer(tmp_path) as checkpointer,
        pytest.raises(FileNotFoundError, match="no complete checkpoint"),
    ):
        checkpointer.restore({"w": np.zeros(2)})


def test_a_step_in_place_of_the_folder_of_all(tmp_path):
    with Checkpointer(tmp_path / "run") as checkpointer:
        checkpointer.save({"w": np.zeros(2)}, step=3)
    with (
        Checkpointer(tmp_path / "run" / "3") as checkpointer,
        pytest.raises(FileNotFoundError, match="one of its steps: give the folder of all, .*run"),
    ):
        checkpointer.restore({"w": np.zeros(2)})
