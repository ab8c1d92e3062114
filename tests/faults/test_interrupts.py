"""Ctrl-C and SIGTERM: the step is finished, the model whole, the training saved; a second one is
immediate.
"""

import io
import os
import signal
import threading

import numpy as np
import pytest

import jkeras
from jkeras.core.system.signals import Signals
from jkeras.saving import Checkpointer
from jkeras.saving.hdf5 import reading
from jkeras.saving.hdf5_writing import writing
from jkeras.training.loop.program import Program
from tests.faults import programs
from tests.faults.tools import BATCH, STEPS, X, Y, assert_usable, plain, result, run, start
from tests.thinning import in_turn


def both_handlers():
    return signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)


@pytest.fixture(autouse=True)
def handlers_stay():
    """What a test does leaves the handlers of signals as they were."""
    before = both_handlers()
    yield
    assert both_handlers() == before


# ---------------------------------------------------------------- SIGTERM


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return programs.training(tmp_path_factory.mktemp("whole"), None, None)


def assert_same_end(found, whole):
    assert found.keys() == whole.keys()
    for name in whole:
        np.testing.assert_array_equal(found[name], whole[name], err_msg=name)


@pytest.mark.promise("SIGTERM, which a machine")
@pytest.mark.parametrize("point", programs.POINTS)
def test_sigterm_saves_and_exits_with_143(tmp_path, whole, point):
    """And the next run ends with the bits of one that was never ended."""
    with pytest.raises(SystemExit) as ended:
        programs.training(tmp_path, point, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert ended.value.code == 143
    steps = {"compile": 1, "step": STEPS + 2, "validation": 2 * STEPS, "callback": 2 * STEPS}
    assert Checkpointer(tmp_path).latest_step() == steps.get(point) or point == "save"
    assert_same_end(programs.training(tmp_path, None, None), whole)


@pytest.mark.slow
@pytest.mark.parametrize("point", programs.POINTS)
def test_sigterm_from_outside(tmp_path, whole, point):
    """The process ends with 143 in less than the ten seconds that are given to it."""
    process = start("train", tmp_path / "run", tmp_path / "end.npz", point)
    assert process.stdout.readline().strip() == f'"{point}"'
    process.send_signal(signal.SIGTERM)
    process.wait(10)
    result(process, 143)
    assert not (tmp_path / "end.npz").exists()
    run("train", tmp_path / "run", tmp_path / "end.npz", "-")
    with np.load(tmp_path / "end.npz") as found:
        assert_same_end({name.replace("|", "/"): found[name] for name in found}, whole)


@pytest.mark.promise("A second one ends it at")
def test_a_second_sigterm_leaves_at_once(tmp_path):
    """By the signal, in the middle of the step; what was saved before is there."""
    assert result(start("twice", tmp_path), -signal.SIGTERM) is None
    assert Checkpointer(tmp_path).latest_step() in (0, STEPS)


def test_between_the_epochs_where_only_steps_are_saved(tmp_path):
    """Nothing is lost that was done, though no checkpoint is due."""

    def end(epoch, logs):
        signal.raise_signal(signal.SIGTERM)

    with pytest.raises(SystemExit):
        plain().fit(
            X,
            Y,
            batch_size=BATCH,
            epochs=3,
            verbose=0,
            checkpoint=Checkpointer(tmp_path, every=100),
            callbacks=[jkeras.callbacks.LambdaCallback(on_epoch_end=end)],
        )
    assert Checkpointer(tmp_path).latest_step() == STEPS


def test_without_a_checkpoint_sigterm_is_left_alone():
    """There is nothing to save: whoever handles it, handles it."""
    came = []
    before = signal.signal(signal.SIGTERM, lambda *args: came.append(1))
    try:
        plain().fit(
            X,
            Y,
            batch_size=BATCH,
            verbose=0,
            callbacks=[
                jkeras.callbacks.LambdaCallback(
                    on_train_batch_end=lambda batch, logs: signal.raise_signal(signal.SIGTERM)
                )
            ],
        )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(came) == STEPS


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_error_does_not_swallow_a_signal(tmp_path, kind):
    def fail(batch, logs):
        signal.raise_signal(kind)
        raise OverflowError("in a callback")

    with pytest.raises((KeyboardInterrupt, SystemExit)) as ended:
        plain().fit(
            X,
            Y,
            verbose=0,
            checkpoint=tmp_path,
            callbacks=[jkeras.callbacks.LambdaCallback(on_train_batch_end=fail)],
        )
    assert isinstance(ended.value.__context__, OverflowError)


# ---------------------------------------------------------------- Ctrl-C


def test_a_second_ctrl_c_is_immediate():
    """Also inside a block that a block of its own holds."""
    reached = []

    def press(batch, logs):
        signal.raise_signal(signal.SIGINT)
        reached.append("held")
        with Signals():
            signal.raise_signal(signal.SIGINT)
            reached.append("not held")

    model = plain()
    with pytest.raises(KeyboardInterrupt):
        model.fit(
            X,
            Y,
            batch_size=BATCH,
            verbose=0,
            callbacks=[jkeras.callbacks.LambdaCallback(on_train_batch_end=press)],
        )
    assert reached == ["held"] and model._step == 1
    assert_usable(model)


@pytest.mark.parametrize("times", [2, 3])
def test_pressed_again_while_a_step_is_under_way(monkeypatch, times):
    """Its arrays are consumed by then: the second one waits until the new ones are there, a third
    one does not.
    """
    run = Program._run

    def pressed(self, *arguments):
        state_and_logs = run(self, *arguments)
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        return state_and_logs

    model = plain()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Program, "_run", pressed)
        model.fit(
            X,
            Y,
            batch_size=BATCH,
            verbose=0,
            callbacks=[
                jkeras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
            ],
        )
    if times == 2:
        assert model._step == 1
        assert_usable(model)


@pytest.mark.parametrize("method", ["evaluate", "predict"])
def test_between_the_steps(method):
    """An evaluation ends after the batch; the model keeps its arrays, its metrics and its state."""
    model, x = plain(metrics=["mae"]), X.repeat(2, 0)
    model.fit(X, Y, verbose=0)
    before, seen = [np.asarray(v.value) for v in model.variables + model.metrics_variables], []

    def press(batch, logs):
        seen.append(batch)
        if batch == 2:
            signal.raise_signal(signal.SIGINT)

    hook = "on_test_batch_begin" if method == "evaluate" else "on_predict_batch_begin"
    callback = type(
        "Press",
        (jkeras.callbacks.Callback,),
        {hook: lambda self, batch, logs=None: press(batch, logs)},
    )()
    with pytest.raises(KeyboardInterrupt):
        getattr(model, method)(
            *([x, Y.repeat(2, 0)] if method == "evaluate" else [x]),
            batch_size=BATCH,
            verbose=0,
            callbacks=[callback],
        )
    assert seen == [0, 1, 2]
    for value, v in zip(before, model.variables + model.metrics_variables, strict=True):
        np.testing.assert_array_equal(value, v.value)
    assert_usable(model)


class Pressing(io.BytesIO):
    """A file in whose methods Ctrl-C comes, which HDF5 calls from C."""

    pressed = False

    def press(self):
        if not self.pressed:
            self.pressed = True
            signal.raise_signal(signal.SIGINT)

    def write(self, data):
        self.press()
        return super().write(data)

    def readinto(self, buffer):
        self.press()
        return super().readinto(buffer)


def test_hdf5_is_not_broken_into():
    """It takes an error in the middle for a damaged file, and one while it closes a file ends the
    process.
    """
    file, done = Pressing(), []
    with pytest.raises(KeyboardInterrupt), writing(file) as content:
        content["a"] = np.ones(3)
        done.append("written")
    file = Pressing(file.getvalue())
    with pytest.raises(KeyboardInterrupt), reading(file) as content:
        done.append(content["a"][0])
    assert done == ["written", 1.0]


def test_another_thread_leaves_signals_alone():
    """Only the main thread may hold them; a training elsewhere goes on."""
    model, found = plain(), []
    thread = threading.Thread(target=lambda: found.append(model.fit(X, Y, epochs=2, verbose=0)))
    thread.start()
    thread.join()
    assert len(found[0].epoch) == 2


def check_random(count, seed):
    found = run("interrupts", count, seed)
    assert not found["wrong"], "\n".join(found["wrong"])


@pytest.mark.promise("A training that is stopped")
@pytest.mark.promise("After Ctrl-C or an exception")
@pytest.mark.promise("Ctrl-C in `fit` left a")
@pytest.mark.promise("variables are the truth")
def test_random_ctrl_c():
    """At any time of `fit`, `evaluate`, `predict`, `save` and `compile`, also pressed twice: a step
    is finished.
    """
    check_random(24, 0)


@pytest.mark.parametrize("seed", in_turn([1, 2], 2))
def test_more_random_ctrl_c(seed):
    """With those above 200 single ones, and 40 pressed twice."""
    check_random(108, seed)
