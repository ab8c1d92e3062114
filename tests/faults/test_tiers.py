"""Checkpoints in two tiers: often into a local folder, seldom into a durable one; the newest that
is whole of either is restored.
"""

import os
import shutil
import signal

import jax
import numpy as np
import pytest

import jkeras
from jkeras.saving import Checkpointer, arrays, local_arrays
from tests.faults.tools import BATCH, X, Y, assert_same, everything, fill, plain

LIKE = {"a": np.zeros((2, 3), "float32"), "b": {"c": np.zeros((), "int32")}}


def state(value):
    return jax.tree_util.tree_map(lambda v: np.full_like(v, value), LIKE)


def two(folder, **options):
    return Checkpointer(local=folder / "local", then=folder / "durable", **options)


def fill_folders(folder, local, durable):
    """Checkpoints of these numbers, whose arrays are full of them."""
    for tier, steps in zip(two(folder, keep_local=None, max_to_keep=None).tiers, (local, durable)):
        for step in steps:
            tier.save(state(step), {"step": step}, step=step)
        tier.close()


def restored(folder):
    found, extra = two(folder).restore(LIKE)
    values = {float(v) for leaf in jax.tree_util.tree_leaves(found) for v in np.unique(leaf)}
    assert values == {extra["step"]}
    return extra["step"]


# ---------------------------------------------------------------- which one is restored


@pytest.mark.promise("The newest checkpoint of both is restored")
@pytest.mark.parametrize(
    "local, durable, newest", [([3, 4], [2], 4), ([1], [1, 5], 5), ([], [2], 2), ([3], [], 3)]
)
def test_the_newest_of_both(tmp_path, local, durable, newest):
    fill_folders(tmp_path, local, durable)
    assert restored(tmp_path) == newest
    assert two(tmp_path).steps() == sorted({*local, *durable})
    assert two(tmp_path).latest_step() == newest


@pytest.mark.promise("the local folder is lost")
def test_a_local_folder_that_was_lost(tmp_path):
    fill_folders(tmp_path, [3, 4], [2])
    shutil.rmtree(tmp_path / "local")
    assert restored(tmp_path) == 2


@pytest.mark.promise("the next older one of either folder, with a warning that says why")
@pytest.mark.parametrize("damaged, whole", [([4], 3), ([4, 3], 2)])
@pytest.mark.parametrize("name", ["parts", "index.json", "text.json", "files.json"])
def test_damaged_local_ones_are_passed_over(tmp_path, damaged, whole, name):
    fill_folders(tmp_path, [3, 4], [2])
    for step in damaged:
        (path,) = (tmp_path / "local" / str(step)).rglob(name)
        os.truncate(path, path.stat().st_size // 2)
    with pytest.warns(UserWarning, match=f"step {whole} was restored.*step 4 in .*local"):
        assert restored(tmp_path) == whole


@pytest.mark.promise("of two equally new ones the local one")
def test_the_same_step_in_both(tmp_path):
    """A damaged local one is made up for by the durable one."""
    fill_folders(tmp_path, [4], [4])
    (path,) = (tmp_path / "local" / "4").rglob("parts")
    path.unlink()
    with pytest.warns(UserWarning, match="durable: step 4 was restored"):
        assert restored(tmp_path) == 4
    found, extra = two(tmp_path).restore(LIKE, step=4)
    assert extra == {"step": 4} and (found["a"] == 4).all()
    with pytest.raises(FileNotFoundError, match="no checkpoint of step 9"):
        two(tmp_path).restore(LIKE, step=9)


def test_nothing_in_either(tmp_path):
    with pytest.raises(FileNotFoundError, match="local and .*durable"):
        two(tmp_path).restore(LIKE)


# ---------------------------------------------------------------- what local folders hold


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "bool", "int8", "uint32"])
@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (2, 3, 4)])
def test_arrays_of_a_local_folder(tmp_path, dtype, shape):
    values = jax.numpy.asarray(np.random.default_rng(0).normal(size=shape) > 0, dtype)
    local_arrays.write(tmp_path, {"state": {"x": {"y": values}}}, {"note": {"a": 1}})
    plan = {("x", "y"): (shape, dtype, None)}
    found = local_arrays.read(tmp_path, "state", plan)[("x", "y")]
    assert found.dtype == values.dtype and local_arrays.covers(tmp_path, "state", plan)
    np.testing.assert_array_equal(found, values)
    assert local_arrays.read_text(tmp_path, "note") == {"a": 1}
    assert not local_arrays.covers(tmp_path, "state", {("z",): (shape, dtype, None)})


# ---------------------------------------------------------------- trainings


def fit(folder, epochs=3, callbacks=(), **options):
    """The state after a training of four steps an epoch."""
    model = plain()
    fill(model, 0.1)
    model.fit(
        X,
        Y,
        batch_size=BATCH,
        epochs=epochs,
        seed=1,
        verbose=0,
        checkpoint=None if folder is None else two(folder, **options),
        callbacks=list(callbacks),
    )
    return everything(model)


def steps_in(folder):
    return [tier.steps() for tier in two(folder).tiers]


@pytest.mark.promise("Either is written in the")
@pytest.mark.promise("The end of a training is")
@pytest.mark.promise("`max_to_keep`, `keep_every` and")
def test_when_each_is_written(tmp_path):
    options = dict(keep_local=None, max_to_keep=None)
    fit(tmp_path / "steps", every=2, every_remote=5, **options)
    assert steps_in(tmp_path / "steps") == [[0, 2, 4, 6, 8, 10, 12], [0, 5, 10, 12]]
    fit(tmp_path / "epochs", every=3, **options)
    assert steps_in(tmp_path / "epochs") == [[0, 3, 6, 9, 12], [0, 4, 8, 12]]
    fit(tmp_path / "few", every=1)
    assert steps_in(tmp_path / "few") == [[11, 12], [4, 8, 12]]


class Raise(jkeras.callbacks.Callback):
    """Ends the training in its seventh step, by an error or a signal."""

    def __init__(self, act):
        super().__init__()
        self.act, self.left = act, 7

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            self.act()


def fails():
    raise OSError("power")


@pytest.mark.promise("the process is killed | the")
@pytest.mark.parametrize("lost", [False, True])
def test_goes_on_from_the_local_one_or_the_durable_one(tmp_path, lost):
    with pytest.raises(OSError, match="power"):
        fit(tmp_path, every=2, callbacks=[Raise(fails)])
    assert steps_in(tmp_path) == [[4, 6], [0, 4]]
    if lost:
        shutil.rmtree(tmp_path / "local")
    again = two(tmp_path, every=2)
    model = plain()
    model.fit(X, Y, batch_size=BATCH, epochs=3, seed=1, verbose=0, checkpoint=again)
    assert again.report.step == (4 if lost else 6)
    assert_same(everything(model), fit(None))


@pytest.mark.promise("SIGTERM | that step: it")
def test_sigterm_saves_into_both(tmp_path):
    with pytest.raises(SystemExit):
        fit(tmp_path, every=50, callbacks=[Raise(lambda: signal.raise_signal(signal.SIGTERM))])
    assert [steps[-1] for steps in steps_in(tmp_path)] == [7, 7]
    assert_same(fit(tmp_path, every=50), fit(None))


@pytest.mark.promise("Either is written in the")
@pytest.mark.parametrize("form", [arrays, local_arrays])
def test_a_failure_in_either_is_raised_at_the_next_step(tmp_path, monkeypatch, form):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(form, "write", full)
    with pytest.raises(RuntimeError, match="could not be written.*No space left"):
        fit(tmp_path, epochs=100, every=2)


# ---------------------------------------------------------------- arguments


def test_two_names_of_the_durable_folder(tmp_path):
    one = Checkpointer(tmp_path, local=tmp_path / "l", every=5, every_remote=7)
    other = Checkpointer(local=tmp_path / "l", every=5, then=tmp_path, every_remote=7)
    for checkpointer in (one, other):
        assert [tier.every for tier in checkpointer.tiers] == [5, 7]
        assert checkpointer.folder == str(tmp_path)


@pytest.mark.promise("a path such as `gs://…` is refused")
@pytest.mark.parametrize(
    "options, words",
    [
        (dict(), "needs a durable folder"),
        (dict(local="a"), "needs a durable folder.*local='a'"),
        (dict(folder="a", then="b"), "`folder` and `then` name the same thing"),
        (dict(folder="a", local="b", every_remote=0), "every_remote"),
        (dict(folder="a", local="b", keep_local=0), "keep_local"),
        (dict(folder="a", every_remote=3), "`every_remote` is for"),
        (dict(folder="a", local="a"), "the same folder"),
        (dict(folder="gs://bucket/run"), "mount the bucket.*gs://bucket/run"),
    ],
)
def test_wrong_arguments(options, words):
    with pytest.raises(ValueError, match=words):
        Checkpointer(**options)
