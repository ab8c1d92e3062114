"""Files and checkpoints where things are odd: names, locale, umask, a home that cannot be written
to, links.
"""

import locale
import os
import stat
import subprocess
import sys

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
        {"PYTHONUTF8": "0", "LC_ALL": "POSIX"},
        {"HOME": "/proc/nowhere"},
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
