"""`python -m jkeras reproduce`: a recorded program runs again in a process of its own, or does not
run.
"""

import io
import json
import os
import pathlib
import subprocess
import sys

import pytest

import jkeras
from jkeras.__main__ import main
from jkeras.training.report import reading, rerun
from tests.report import tools

ROOT = pathlib.Path(jkeras.__file__).parents[1]

SCRIPT = """
import numpy as np
import jkeras

jkeras.utils.set_random_seed(0)
x = np.loadtxt("x.txt", dtype="float32").reshape(24, 1)
model = jkeras.Sequential([jkeras.Input((1,)), jkeras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(x, 2 * x, batch_size=4, epochs=2, shuffle=False, verbose=0, report="run.json",
          checkpoint="kept")
"""


def reproduce(*arguments):
    """The exit status of the command."""
    with pytest.raises(SystemExit) as left:
        main(["reproduce", *map(str, arguments)])
    return left.value.code


def write_data(folder, **changes):
    values = [0.1 * i for i in range(24)]
    for row, value in changes.items():
        values[int(row[1:])] = value
    (folder / "x.txt").write_text("\n".join(map(str, values)))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The folder of a program that has run."""
    folder = tmp_path_factory.mktemp("recorded")
    write_data(folder)
    (folder / "train.py").write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "train.py"], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def in_root(monkeypatch):
    """Children find jkeras."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def edited(recorded, path, **program):
    report = tools.load(recorded / "run.json")
    report["program"] |= program
    path.write_text(json.dumps(report))
    return path


@pytest.mark.promise("with an exit status: 0, the same")
def test_a_program_runs_again_to_the_same_bits(recorded, in_root, tmp_path, capfd):
    before = (recorded / "run.json").read_bytes()
    again = tmp_path / "again.json"
    assert reproduce(recorded / "run.json", "--yes", "--into", again) == 0
    assert "the same to the bit: 2 epochs, 12 steps" in capfd.readouterr().out
    assert (recorded / "run.json").read_bytes() == before
    assert tools.load(again)["epochs"] == json.loads(before)["epochs"]
    assert reproduce(recorded / "run.json", again) == 0


@pytest.mark.promise("with an exit status: 0, the same")
@pytest.mark.slow
def test_the_step_at_which_a_run_parts(recorded, in_root, capfd):
    write_data(recorded, _9=5.0)
    try:
        assert reproduce(recorded / "run.json", "--yes") == 1
    finally:
        write_data(recorded)
    assert "in step 2 of epoch 1 (steps count from 0)" in capfd.readouterr().out


def test_nothing_runs_unasked(recorded, monkeypatch, capsys):
    monkeypatch.setattr(rerun.subprocess, "run", pytest.fail)
    monkeypatch.setattr("sys.stdin", io.StringIO())  # nobody answers
    assert reproduce(recorded / "run.json") == 2
    told = capsys.readouterr()
    assert "train.py" in told.out and "--yes" in told.err


def test_a_script_that_changed_is_not_run(recorded, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rerun.subprocess, "run", pytest.fail)
    assert reproduce(edited(recorded, tmp_path / "run.json", sha256="0" * 64), "--yes") == 2
    assert "--changed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "program, message",
    [
        ({"script": None}, "not of a script"),
        ({"module": "pip"}, "not of a script"),
        ({"launcher": ["-c", "import os"]}, "not of a script"),
        ({"launcher": None}, "not of a script"),
        ({"launcher": "run"}, "not of a script"),
        ({"script": "train.py"}, "no file"),
        ({"script": "/nowhere/train.py"}, "no file"),
        ({"script": "-c"}, "no file"),
        ({"folder": "/nowhere"}, "no folder"),
        ({"arguments": "-c"}, "no list"),
        ({"arguments": [1]}, "no list"),
    ],
)
def test_only_scripts_run(recorded, tmp_path, program, message, capsys):
    path = edited(recorded, tmp_path / "run.json", **program)
    with pytest.raises(rerun.CannotRun, match=message):
        rerun.program_of(reading.read(path))
    assert reproduce(path, "--yes", "--changed") == 2


def test_neither_options_nor_the_interpreter_come_from_the_file(recorded, tmp_path):
    path = edited(
        recorded, tmp_path / "run.json", python="/bin/evil", arguments=["-c", "x"], launcher=["run"]
    )
    program = rerun.program_of(reading.read(path))
    assert program.command == [
        *[sys.executable, "-m", "jkeras", "run"],
        *[str(recorded / "train.py"), "-c", "x"],
    ]


def test_a_program_that_fails_or_reports_nothing(tmp_path):
    for text, message in (("raise SystemExit(3)", "exit status is 3"), ("", "wrote no report")):
        (tmp_path / "train.py").write_text(text)
        program = rerun.Program([sys.executable, str(tmp_path / "train.py")], str(tmp_path), False)
        with pytest.raises(rerun.CannotRun, match=message):
            rerun.run(program, "/run.json", str(tmp_path))


def test_a_file_that_is_not_there(tmp_path, capsys):
    assert reproduce(tmp_path / "none.json") == 2
    assert "none.json" in capsys.readouterr().err
