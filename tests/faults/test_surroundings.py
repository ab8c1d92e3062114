"""Files and checkpoints where things are odd: names, locale, umask, a home that cannot be written
to, links.
"""

import locale
import os
import stat
import subprocess
import sys
import time

import numpy as np
import pytest

import jkeras
from jkeras import layers

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(jkeras.__file__)))
X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
FILES = ("m.keras", "m.h5", "m.weights.h5", "m.safetensors", "m.npz")


def made():
    model = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(3, name="größe"), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def round_trips(folder):
    """Every kind of file, and a checkpoint, goes out and comes back."""
    model = made()
    for name in FILES:
        path, other = os.path.join(folder, name), made()
        (model.save if name in FILES[:2] else model.save_weights)(path)
        other.load_weights(path)
        for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    run = os.path.join(folder, "run")
    model.fit(X, X[:, :1], verbose=0, checkpoint=run)
    again = made()
    assert again.fit(X, X[:, :1], verbose=0, checkpoint=run).epoch == [0]
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "name", ["größe 模型", "a'b\"c", "with space", "-x", "x.keras.d", "n" * 200]
)
def test_names_of_folders(tmp_path, name):
    (tmp_path / name).mkdir()
    round_trips(tmp_path / name)


def test_a_folder_that_is_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    round_trips(tmp_path / "link")
    assert {*FILES, "run"} <= set(os.listdir(tmp_path / "real"))


def test_a_file_that_is_a_link_stays_one(tmp_path):
    model = made()
    (tmp_path / "link.keras").symlink_to(tmp_path / "real.keras")
    model.save(tmp_path / "real.keras")
    model.save(tmp_path / "link.keras")
    assert (tmp_path / "link.keras").is_symlink() and not (tmp_path / "real.keras").is_symlink()
    jkeras.saving.load_model(tmp_path / "link.keras")


@pytest.mark.parametrize("mask, mode", [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_counts_and_a_files_mode_stays(tmp_path, mask, mode):
    model, path, before = made(), tmp_path / "m.keras", os.umask(mask)
    try:
        model.save(path)
        assert stat.S_IMODE(path.stat().st_mode) == mode
        path.chmod(0o640)
        model.save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        round_trips(tmp_path)
    finally:
        os.umask(before)


def test_a_relative_path_from_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    round_trips("sub")


PROGRAM = """
import sys, numpy as np, jkeras
from tests.faults.test_surroundings import round_trips
round_trips(sys.argv[1])
print("came through")
"""


@pytest.mark.parametrize(
    "surroundings",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"},
        pytest.param({"PYTHONUTF8": "0", "LC_ALL": "POSIX"}, marks=pytest.mark.slow),
        pytest.param({"HOME": "/proc/nowhere"}, marks=pytest.mark.slow),
        {"HOME": "/proc/nowhere", "KERAS_HOME": "/proc/nowhere"},
    ],
    ids=str,
)
def test_in_a_process_of_its_own(tmp_path, surroundings):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": ROOT, **surroundings},
        check=False,
    )
    assert done.stdout.endswith("came through\n"), done.stderr[-2000:]


def test_numbers_in_a_locale_with_commas(tmp_path):
    known = locale.setlocale(locale.LC_NUMERIC)
    try:
        for name in ("de_DE.UTF-8", "fr_FR.UTF-8"):
            try:
                locale.setlocale(locale.LC_NUMERIC, name)
                break
            except locale.Error:
                continue
        else:
            pytest.skip("no locale with commas is installed")
        round_trips(tmp_path)
    finally:
        locale.setlocale(locale.LC_NUMERIC, known)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["pipe", "link to a device", "folder"])
def test_what_is_no_file_is_not_replaced(tmp_path, name, kind):
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/null")
    before = os.stat(path)
    model = made()
    with pytest.raises(OSError, match="is a device, a pipe or the like|is a folder"):
        (model.save if name in FILES[:2] else model.save_weights)(path)
    assert os.path.samestat(os.stat(path), before)
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("jump", [-86_400, 86_400], ids=["back", "forth"])
def test_a_clock_that_jumps(tmp_path, monkeypatch, capsys, jump):
    """By a day, while orbax waits for the first files: it waits by this clock."""
    now, looks = time.time, []

    def jumping():
        if sys._getframe(1).f_code.co_filename.endswith("future.py"):
            looks.append(1)
        return now() + jump * (len(looks) > 1)

    monkeypatch.setattr(time, "time", jumping)
    model = made()
    logs = jkeras.callbacks.TensorBoard(str(tmp_path / "logs"), update_freq="batch")
    model.fit(X, X[:, :1], batch_size=2, epochs=4, callbacks=[logs], checkpoint=tmp_path / "run")
    assert len(looks) > 1
    said = capsys.readouterr().out
    assert "4/4" in said and "h" not in said.replace("Epoch", "")
    again = made()
    again.fit(X, X[:, :1], epochs=4, verbose=0, checkpoint=tmp_path / "run")
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
