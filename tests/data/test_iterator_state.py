"""Data whose iterator tells its state, as Grain's do: a training that goes on puts it where it was;
no row is read again or left out.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys

import numpy as np
import pytest

from jkeras.saving import Checkpointer
from jkeras.training.data import make_source
from tests.faults.tools import ROOT
from tests.thinning import some_slow

pytest.importorskip("grain")
from tests.data import rows_of_grain as rows  # noqa: E402

IN_ONE_PROCESS = [kind for kind in rows.KINDS if "worker" not in kind]
ALL_STEPS = rows.STEPS * rows.EPOCHS


@pytest.fixture(scope="module")
def whole():
    """Trainings that were never cut, by the kind of their data."""
    found = {}

    def get(kind):
        if kind not in found:
            found[kind] = rows.train(kind)
        return found[kind]

    return get


class Stop(Exception):
    pass


def stop():
    raise Stop


def cut(kind, folder, step, **options):
    """A training that ends in the middle."""
    with pytest.raises(Stop):
        rows.train(kind, folder, [rows.Seen(step, stop)], **options)


def saved_step(folder):
    return Checkpointer(folder).latest_step()


@pytest.mark.promise("An iterator that has a state, as Grain's")
@pytest.mark.promise("without workers that has `get_state()`")
@pytest.mark.promise("Any iterator of yours will")
@pytest.mark.promise("whatever was made ahead, and puts the new iterator there at once")
@pytest.mark.parametrize("kind", IN_ONE_PROCESS)
def test_goes_on_at_the_row(whole, tmp_path, kind):
    weights, seen, _ = whole(kind)
    cut(kind, tmp_path, 13)
    step = saved_step(tmp_path)
    again, seen_again, read = rows.train(kind, tmp_path)
    assert 10 <= step <= 12 and seen_again == seen[step:]
    for a, b in zip(weights, again, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.promise("No row is read again or")
@pytest.mark.parametrize("kind", ["IterDataset", "DataLoader", "iterator"])
def test_no_row_is_read_again(whole, tmp_path, kind):
    """But for the first batches, which are looked at for their shapes, nothing that was read
    before.
    """
    seen = whole(kind)[1]
    cut(kind, tmp_path, 13)
    step = saved_step(tmp_path)
    _, _, read = rows.train(kind, tmp_path)
    wanted = [int(row) for batch in seen[step:] for row in batch]
    looked_at = 4 * rows.BATCH  # those that Grain reads ahead, too
    start = next(i for i in range(len(read)) if read[i : i + len(wanted)] == wanted)
    assert start <= looked_at and len(read) <= looked_at + len(wanted) + 4 * rows.BATCH


def process(kind, folder, output, *step):
    told = output.with_suffix(".txt")
    with open(told, "w") as file:  # workers that are left would hold a pipe open
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.data.rows_of_grain", kind, folder, output, *step],
            cwd=ROOT,
            env={**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)},
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        code = process.wait(300)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert code == (-signal.SIGKILL if step else 0), told.read_text()[-3000:]


@pytest.mark.parametrize("kind", some_slow(rows.KINDS, "DataLoader"))
def test_killed_at_a_random_step(tmp_path, kind):
    """In processes of their own: the objects of the second have other addresses."""
    output, moments = tmp_path / "end.npz", random.Random(kind)
    process(kind, tmp_path / "never", output)
    expected = dict(np.load(output))
    process(kind, tmp_path / "run", output, str(moments.randint(6, ALL_STEPS - 2)))
    step = saved_step(tmp_path / "run")
    process(kind, tmp_path / "run", output)
    found = dict(np.load(output))
    np.testing.assert_array_equal(found.pop("seen"), expected.pop("seen")[step:])
    assert step > 0 and found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])


# ---------------------------------------------------------------- what does not fit


@pytest.mark.promise("If the state does not fit")
@pytest.mark.parametrize(
    "make, words",
    [
        (lambda r: rows._loader(r, seed=4), "`sampler` was IndexSampler.*seed=3.*and is.*seed=4"),
        pytest.param(
            lambda r: rows._loader(r, workers=1),
            "`worker_count` was 0, and is 1",
            marks=pytest.mark.slow,
        ),
        (lambda r: rows._loader(r, batch=4), "first batch had 2 rows, and has 4"),
        (lambda r: rows.KINDS["IterDataset"](r), "state of a DataLoaderIterator; the data is"),
        (lambda r: Plain(), "has no `get_state`"),
    ],
    ids=["seed", "workers", "batch size", "kind", "no state"],
)
def test_other_data(tmp_path, make, words):
    cut("DataLoader", tmp_path, 7)
    with pytest.raises(ValueError, match=f"{words}.*Go on with the same data.*resume='skip'"):
        rows.train(None, tmp_path, make=make)


class Plain:
    """Batches again and again, whose iterator has no state."""

    def __iter__(self):
        while True:
            yield rows.X[: rows.BATCH], rows.X[: rows.BATCH, :1]


@pytest.mark.promise("If the state does not fit")
def test_other_data_may_be_passed_over(whole, tmp_path):
    """As many batches as were taken, where that is asked for."""
    make = lambda r: rows._loader(r, seed=4)  # noqa: E731
    cut("DataLoader", tmp_path, 7)
    step = saved_step(tmp_path)
    with pytest.warns(UserWarning, match="does not fit.*passed over instead"):
        _, seen, _ = rows.train(None, tmp_path, make=make, resume="skip")
    assert seen == rows.train(None, make=make)[1][step:]


@pytest.mark.promise("A checkpoint without a")
def test_a_checkpoint_without_a_state(whole, tmp_path, monkeypatch):
    """As they were written before: batches are passed over."""
    from jkeras.training.loop.resume import Resume

    with monkeypatch.context() as patched:
        patched.setattr(Resume, "_iterator_states", lambda self: {})
        cut("DataLoader", tmp_path, 13)
    weights, seen, _ = whole("DataLoader")
    step = saved_step(tmp_path)
    again, seen_again, _ = rows.train("DataLoader", tmp_path)
    assert seen_again == seen[step:]
    np.testing.assert_array_equal(weights[0], again[0])


@pytest.mark.promise("A checkpoint has the state")
@pytest.mark.promise("then a warning says that as many batches are passed over")
@pytest.mark.promise("Where each process is given the same data, the states are one")
def test_states_of_other_processes(tmp_path):
    """Those of several are passed over with a warning, unless all were one."""
    from jkeras.training.loop.resume import state_of_this_process

    first, second = ["A", "json", "1"], ["A", "json", "2"]
    assert state_of_this_process({}) is None
    assert state_of_this_process({"states": [first]}).text == "1"
    assert state_of_this_process({"states": [first, first]}).text == "1"
    with pytest.warns(UserWarning, match="made by 2 processes.*there are 1 now"):
        assert state_of_this_process({"states": [first, second]}) is None


class Odd:
    """An iterator whose state no checkpoint can hold."""

    def __iter__(self):
        return self

    def __next__(self):
        return (np.zeros((1, 1)),)

    def get_state(self):
        return {"rows": np.zeros(3)}

    def set_state(self, state):
        raise AssertionError


def test_a_state_that_is_no_json_counts_as_none():
    source = make_source(Odd())
    next(source.batches())
    assert source.state() is None
