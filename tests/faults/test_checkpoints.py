"""Folders of checkpoints: damaged ones, ones of another model, saves that fail, two that write,
what is kept.
"""

import os
import re
import shutil
import subprocess
import sys
import threading

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.core.errors import SerializationError
from jkeras.saving import Checkpointer, arrays
from jkeras.training import init_train_state
from tests.faults.tools import ROOT, X, Y, plain

LIKE = {"a": np.zeros((2, 3), "float32"), "b": {"c": np.zeros(4, "int32")}}


def state(value):
    return jax.tree_util.tree_map(lambda v: np.full_like(v, value), LIKE)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A folder with two steps, 1 and 2, whose arrays are full of these numbers."""
    folder = tmp_path_factory.mktemp("good") / "run"
    with Checkpointer(folder, background=False) as checkpointer:
        for step in (1, 2):
            checkpointer.save(state(step), {"step": step}, step=step)
    return folder


def files_of(folder, step=2):
    return sorted(path for path in (folder / str(step)).rglob("*") if path.is_file())


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def empty(path):
    os.truncate(path, 0)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def remove(path):
    path.unlink()


def grow(path):
    path.write_bytes(path.read_bytes() + b"\0")


def link(path):
    """The same content, through a link: nothing that a link leads to is read."""
    path.rename(path.with_name("elsewhere"))
    os.symlink("elsewhere", path)


DAMAGES = (truncate, empty, flip, remove, grow, link)


def restored(folder):
    found, extra = Checkpointer(folder).restore(LIKE)
    values = {float(v) for leaf in jax.tree_util.tree_leaves(found) for v in np.unique(leaf)}
    assert len(values) == 1 and extra["step"] in values
    return values.pop()


def falls_back(good, folder, number, damage):
    """The step before is taken, and a warning says which file was damaged; without that step, an
    error does.
    """
    shutil.copytree(good, folder)
    path = files_of(folder)[number]
    if damage in (truncate, empty, flip) and not path.stat().st_size:
        return
    damage(path)
    # the list of files is damaged, or names the file
    named = f"step 2.*({re.escape(path.name)}|files.json)"
    with pytest.warns(UserWarning, match=f"step 1 was restored.*{named}"):
        assert restored(folder) == 1
    shutil.rmtree(folder / "1")
    with pytest.raises(SerializationError, match=f"(?s){re.escape(str(folder))}.*{named}"):
        Checkpointer(folder).restore(LIKE)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files(good, tmp_path, damage):
    numbers = {path.name: number for number, path in enumerate(files_of(good))}
    for number in (0, numbers["files.json"], len(numbers) - 1):
        falls_back(good, tmp_path / str(number), number, damage)


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_every_file_in_every_way(good, tmp_path, damage):
    for number in range(len(files_of(good))):
        falls_back(good, tmp_path / str(number), number, damage)


@pytest.mark.parametrize("what", ["empty folder", "file", "link", "odd names", "half written"])
def test_strange_things_beside_the_steps(good, tmp_path, what):
    folder = shutil.copytree(good, tmp_path / "run")
    if what == "empty folder":
        (folder / "3").mkdir()
        with pytest.warns(UserWarning, match="step 3: it is empty"):
            assert restored(folder) == 2
        return
    if what in ("file", "link"):
        if what == "file":
            (folder / "3").write_text("x")
        else:
            shutil.copytree(folder / "2", tmp_path / "other")
            (folder / "3").symlink_to(tmp_path / "other")
        with pytest.warns(UserWarning, match="step 3: it is a link or a file"):
            assert restored(folder) == 2
        assert Checkpointer(folder).steps() == [1, 2]
        return
    if what == "odd names":
        for name in ("-1", "1e9", "..x", "٣", "2 ", "007", "9" * 40):
            (folder / name).mkdir()
    else:
        shutil.copytree(folder / "2", folder / "3.orbax-checkpoint-tmp-17")
        shutil.copytree(folder / "2", folder / ".3.abcdef12.partial")
    assert restored(folder) == 2 and Checkpointer(folder).steps() == [1, 2]


def test_all_damaged_is_one_error_that_lists_each(good, tmp_path):
    folder = shutil.copytree(good, tmp_path / "run")
    for step in (1, 2):
        truncate(files_of(folder, step)[-1])
    with pytest.raises(SerializationError, match="step 2: .*step 1: ") as error:
        restored(folder)
    assert "begin afresh" in str(error.value)
    with pytest.raises(SerializationError, match="step 1 .*is damaged"):
        Checkpointer(folder).restore(LIKE, step=1)
    with pytest.raises(FileNotFoundError, match="no checkpoint of step 9"):
        Checkpointer(folder).restore(LIKE, step=9)


def test_a_step_that_was_being_replaced(good, tmp_path):
    """Killed between the two renames, the old one is still found."""
    folder = shutil.copytree(good, tmp_path / "run")
    os.rename(folder / "2", folder / ".2.0123abcd.old")
    assert restored(folder) == 2
    with Checkpointer(folder, background=False) as checkpointer:
        checkpointer.save(state(5), {"step": 5}, step=2)
    assert restored(folder) == 5 and not [n for n in os.listdir(folder) if n.startswith(".2")]


# ---------------------------------------------------------------- saves in the background


def failing(monkeypatch, times=1):
    left = [times]
    write = arrays.write

    def fails(*args):
        if left[0]:
            left[0] -= 1
            raise OSError(28, "No space left on device")
        return write(*args)

    monkeypatch.setattr(arrays, "write", fails)


def test_a_failure_is_raised_by_the_next_call(tmp_path, monkeypatch):
    for call in ("save", "wait", "restore", "steps", "close"):
        failing(monkeypatch)
        checkpointer = Checkpointer(tmp_path / call)
        checkpointer.save(state(1), step=1)
        arguments = {"save": (state(2), None, 2), "restore": (LIKE,)}.get(call, ())
        with pytest.raises(RuntimeError, match="could not be written.*No space left") as error:
            getattr(checkpointer, call)(*arguments)
        assert isinstance(error.value.__cause__, OSError)
        checkpointer.save(state(3), {"step": 3}, step=3)
        checkpointer.close()
        assert restored(tmp_path / call) == 3


LAST_SAVE_FAILS = """
import sys
import jax.numpy as jnp
from jkeras.saving import Checkpointer, arrays

def full(*args):
    raise OSError(28, "No space left on device")

arrays.write = full
Checkpointer(sys.argv[1]).save({"w": jnp.ones(3)}, step=1)
print("the end of the program", flush=True)
"""


def test_a_failure_of_the_last_save_is_said_at_the_exit_which_does_not_wait(tmp_path):
    """Parts of orbax would wait minutes for what does not come."""
    command = [sys.executable, "-c", LAST_SAVE_FAILS, str(tmp_path / "c")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "the end of the program" in done.stdout
    assert "could not be written" in done.stderr and "No space left" in done.stderr


@pytest.mark.promise("Checkpoints are written")
@pytest.mark.promise("What goes wrong is raised")
def test_a_failure_ends_a_training_at_the_next_step(tmp_path, monkeypatch):
    failing(monkeypatch)
    model, seen = plain(), []

    def count(batch, logs):
        seen.append(batch)
        if len(seen) == 1:
            for thread in threading.enumerate():
                if thread.name == "jkeras-saving":
                    thread.join()

    with pytest.raises(RuntimeError, match="could not be written"):
        model.fit(
            X,
            Y,
            batch_size=8,
            epochs=50,
            verbose=0,
            checkpoint=tmp_path,
            callbacks=[jkeras.callbacks.LambdaCallback(on_train_batch_end=count)],
        )
    assert len(seen) == 1
    model.fit(X, Y, verbose=0)


def test_a_failure_of_orbax_checkpoint_ends_a_training_at_the_next_step(tmp_path, monkeypatch):
    failing(monkeypatch)
    model, seen = plain(), []
    orbax = jkeras.callbacks.OrbaxCheckpoint(tmp_path)

    def wait(epoch, logs):
        for thread in threading.enumerate():
            if thread.name == "jkeras-saving":
                thread.join()

    told = jkeras.callbacks.LambdaCallback(
        on_epoch_end=wait, on_train_batch_end=lambda batch, logs: seen.append(batch)
    )
    with pytest.raises(RuntimeError, match="could not be written"):
        model.fit(X, Y, batch_size=8, epochs=50, verbose=0, callbacks=[orbax, told])
    assert seen == [0, 1, 2, 3]
    model.fit(X, Y, verbose=0)


@pytest.mark.promise("What goes wrong is raised")
def test_a_failure_of_the_last_save_is_raised_at_the_end(tmp_path, monkeypatch):
    model = plain()
    model.fit(X, Y, verbose=0, checkpoint=tmp_path)
    failing(monkeypatch, 9)
    with pytest.raises(RuntimeError, match="could not be written"):
        model.fit(X, Y, epochs=2, verbose=0, checkpoint=tmp_path)


HOLD = """
import sys, jkeras, numpy as np
checkpointer = jkeras.saving.Checkpointer(sys.argv[1])
checkpointer.save({"a": np.ones(2)}, step=1)
checkpointer.wait()
print("holds", flush=True)
sys.stdin.readline()
"""


@pytest.mark.promise("One process writes to a folder; a second one is refused")
def test_two_processes_and_one_folder(tmp_path):
    """The second one may read, and is refused when it writes; when the first one is killed, nothing
    stays locked.
    """
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)},
    )
    assert other.stdout.readline() == "holds\n"
    checkpointer = Checkpointer(tmp_path)
    assert checkpointer.restore({"a": np.zeros(2)})[0]["a"].tolist() == [1, 1]
    with pytest.raises(RuntimeError, match=f"is being written by process {other.pid}"):
        checkpointer.save({"a": np.zeros(2)}, step=2)
    with pytest.raises(RuntimeError, match="two trainings"):
        plain().fit(X, Y, verbose=0, checkpoint=tmp_path / ".")
    other.kill()
    other.communicate()
    checkpointer.save({"a": np.zeros(2)}, step=2)
    checkpointer.close()


def test_one_process_and_one_folder(tmp_path):
    """As in a notebook, whose cells make a `Checkpointer` each; one that holds the folder is
    named.
    """
    model = plain()
    for epochs, checkpoint in enumerate((Checkpointer(tmp_path), Checkpointer(tmp_path), tmp_path)):
        model.fit(X, Y, verbose=0, epochs=epochs + 1, checkpoint=checkpoint)
        model.fit(X, Y, verbose=0, epochs=epochs + 1, checkpoint=checkpoint)
    assert Checkpointer(tmp_path).restore(init_train_state(model))[1]["position"][0] == 3
    holds = Checkpointer(tmp_path)
    holds.save({"a": np.zeros(2)}, step=100)
    with pytest.raises(RuntimeError, match="which is this one: by another `Checkpointer`"):
        Checkpointer(tmp_path).save({"a": np.zeros(2)}, step=101)
    holds.wait()
    del holds
    Checkpointer(tmp_path).save({"a": np.zeros(2)}, step=101)


SAVE_AND_END = """
import sys
import numpy as np
import jkeras

checkpointer = jkeras.saving.Checkpointer(sys.argv[1])
checkpointer.save({"a": np.ones((500, 500))}, step=1)
"""


def test_a_save_at_the_end_of_the_process(tmp_path):
    """The process waits for it, and it does not meet executors that are shut down."""
    subprocess.run(
        [sys.executable, "-c", SAVE_AND_END, str(tmp_path)],
        cwd=ROOT,
        check=True,
        timeout=100,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)},
    )
    assert Checkpointer(tmp_path).latest_step() == 1


# ---------------------------------------------------------------- what is kept


@pytest.mark.promise("`max_to_keep`, `keep_every` and")
@pytest.mark.parametrize(
    "options, values, kept",
    [
        (dict(max_to_keep=2), [5, 4, 3, 2, 1], [4, 5]),
        (dict(max_to_keep=None), [5, 4, 3, 2, 1], [1, 2, 3, 4, 5]),
        (dict(max_to_keep=1, keep_every=2), [5, 4, 3, 2, 1], [2, 4, 5]),
        (dict(max_to_keep=1, keep_best="loss"), [3, 1, 2, 5, 4], [2, 5]),
        (dict(max_to_keep=1, keep_best="loss", mode="max"), [3, 1, 2, 5, 4], [4, 5]),
        (dict(max_to_keep=1, keep_best="loss"), [3, None, None, 5, 4], [1, 5]),
    ],
)
def test_what_is_kept(tmp_path, options, values, kept):
    # each by a process of its own, which must find the best one again
    for step, value in enumerate(values, 1):
        with Checkpointer(tmp_path, background=False, **options) as checkpointer:
            checkpointer.save(
                {"a": np.zeros(1)}, step=step, metrics={} if value is None else {"loss": value}
            )
    assert Checkpointer(tmp_path).steps() == kept


def test_the_best_epoch_of_a_training_is_kept(tmp_path):
    model = plain(jkeras.optimizers.SGD(0.3))
    history = model.fit(
        X,
        Y,
        batch_size=8,
        epochs=6,
        verbose=0,
        validation_data=(X, Y),
        checkpoint=Checkpointer(tmp_path, max_to_keep=1, keep_best="val_loss"),
    ).history["val_loss"]
    steps = [4 * (i + 1) for i in range(6)]
    assert Checkpointer(tmp_path).steps() == sorted({steps[int(np.argmin(history))], steps[-1]})


@pytest.mark.parametrize(
    "options",
    [
        dict(max_to_keep=0),
        dict(max_to_keep=1.5),
        dict(keep_every=-1),
        dict(mode="best"),
        dict(every="batch"),
        dict(every=0),
    ],
)
def test_wrong_arguments(tmp_path, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Checkpointer(tmp_path, **options)


# ---------------------------------------------------------------- into a changed model


def network(units=3, head="head", more=False, optimizer="adam"):
    parts = [layers.Dense(4, name="encoder"), layers.Dense(units, name="middle")]
    parts += [layers.Dense(2, name="more")] if more else []
    model = jkeras.Sequential([jkeras.Input((4,)), *parts, layers.Dense(1, name=head)])
    model.compile(optimizer, "mse")
    return model


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    model = network()
    model.fit(X, Y, verbose=0, checkpoint=folder)
    return folder, model


CHANGES = {
    "add": (dict(more=True), ["Missing", "params/more/kernel"]),
    "rename": (
        dict(head="top"),
        ["Missing", "params/top/kernel", "unexpected", "params/head/kernel"],
    ),
    "reshape": (
        dict(units=5),
        ["params/middle/kernel: saved ((4, 3), 'float32'), expected ((4, 5)"],
    ),
    "another optimizer": (dict(optimizer="sgd"), ["unexpected", "opt_state"]),
}


@pytest.mark.promise("Into another model:")
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_model(saved, change):
    folder, _ = saved
    options, words = CHANGES[change]
    with pytest.raises(ValueError) as error:
        Checkpointer(folder).restore(init_train_state(network(**options)))
    for word in (*words, str(folder), "only"):
        assert word in str(error.value)


def test_a_part_of_it(saved):
    folder, old = saved
    new = network(head="top", optimizer="sgd")
    first = init_train_state(new)
    checkpointer = Checkpointer(folder)
    found, _ = checkpointer.restore(first, only=["encoder/*", "middle/*", "top/*"], missing="init")
    report = checkpointer.report
    assert sorted(report.restored) == [
        "params/encoder/bias",
        "params/encoder/kernel",
        "params/middle/bias",
        "params/middle/kernel",
    ]
    assert sorted(report.missing) == ["params/top/bias", "params/top/kernel"]
    assert "params/head/kernel" in report.unexpected
    assert "4 restored" in str(report) and "missing: params/top/" in str(report)
    new.load_train_state(found)
    for name in ("encoder", "middle"):
        for a, b in zip(
            new.get_layer(name).get_weights(), old.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(found.params["top"]["kernel"], first.params["top"]["kernel"])
    new.fit(X, Y, verbose=0)


def test_all_that_fits(saved):
    folder, old = saved
    like = init_train_state(network(more=True, optimizer="sgd"))
    found, _ = Checkpointer(folder).restore(like, only="encoder/*", unexpected="ignore")
    np.testing.assert_array_equal(
        found.params["encoder"]["kernel"], old.get_layer("encoder").get_weights()[0]
    )
    with pytest.raises(ValueError, match="argument `missing`. Expected one of"):
        Checkpointer(folder).restore(like, missing="ignore")


@pytest.mark.parametrize("times", [1, 2])
def test_a_write_that_orbax_takes_for_too_long(tmp_path, monkeypatch, times):
    """It waits by the clock of the day: where that is set forth, the step is written once more."""
    write, failures = arrays.write, iter([TimeoutError("after 0.00 seconds")] * times)

    def late(*arguments):
        write(*arguments)
        for failure in failures:
            raise failure

    monkeypatch.setattr(arrays, "write", late)
    checkpointer = Checkpointer(tmp_path / "run")
    checkpointer.save(state(7), {"step": 7}, step=1)
    if times == 1:
        checkpointer.close()
        assert restored(tmp_path / "run") == 7
    else:
        with pytest.raises(RuntimeError, match="after 0.00 seconds"):
            checkpointer.close()
        assert os.listdir(tmp_path / "run") == []


@pytest.mark.promise("Checkpoints hold arrays as they are")
@pytest.mark.promise("Older checkpoints, and")
@pytest.mark.parametrize("compressed", [True, False])
def test_compressed_or_not(tmp_path, monkeypatch, compressed):
    """As of before, and from an orbax that knows no other way, or as arrays are stored now: orbax
    itself reads both.
    """
    import orbax.checkpoint as ocp

    value = {"a": np.zeros(100_000, "float32"), "b": np.arange(3)}
    if compressed:
        monkeypatch.setattr(arrays, "storage", lambda: {})
    with Checkpointer(tmp_path / "run", background=False) as checkpointer:
        checkpointer.save(value, step=1)
    monkeypatch.undo()
    size = sum(path.stat().st_size for path in files_of(tmp_path / "run", 1))
    assert (size < value["a"].nbytes) is compressed
    with Checkpointer(tmp_path / "run") as checkpointer:
        ours, _ = checkpointer.restore(value)
    theirs = ocp.StandardCheckpointer().restore(tmp_path / "run" / "1" / "state", value)
    for found in (ours, theirs):
        jax.tree_util.tree_map(np.testing.assert_array_equal, found, value)


def test_a_folder_of_something_else_under_the_number_of_a_step(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "data.csv").write_text("1,2")
    checkpointer = Checkpointer(tmp_path)
    assert checkpointer.steps() == []
    checkpointer.save(state(1), {"step": 7}, step=7)
    with pytest.raises(RuntimeError, match="holds files that are no checkpoint"):
        checkpointer.close()
    assert (tmp_path / "7" / "data.csv").read_text() == "1,2"
