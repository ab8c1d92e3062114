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
from jkeras.report import installed, reading, rerun
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


@pytest.mark.promise("Only its reports go elsewhere")
@pytest.mark.promise("with an exit status: 0, the same")
def test_a_program_runs_again_to_the_same_bits(recorded, in_root, tmp_path, capfd):
    before = (recorded / "run.json").read_bytes()
    again = tmp_path / "again.json"
    assert reproduce(recorded / "run.json", "--yes", "--into", again) == 0
    assert "the same to the bit: 2 epochs, 12 steps" in capfd.readouterr().out
    assert (recorded / "run.json").read_bytes() == before
    assert tools.load(again)["epochs"] == json.loads(before)["epochs"]
    assert reproduce(recorded / "run.json", again) == 0


@pytest.mark.promise("writes what a run was, and")
@pytest.mark.promise("with an exit status: 0, the same")
@pytest.mark.slow
def test_the_step_at_which_a_run_parts(recorded, in_root, capfd):
    write_data(recorded, _9=5.0)
    try:
        assert reproduce(recorded / "run.json", "--yes") == 1
    finally:
        write_data(recorded)
    assert "in step 2 of epoch 1 (steps count from 0)" in capfd.readouterr().out


@pytest.mark.promise("The command prints the")
@pytest.mark.promise("`--yes` answers for you")
def test_nothing_runs_unasked(recorded, monkeypatch, capsys):
    monkeypatch.setattr(rerun.subprocess, "run", pytest.fail)
    monkeypatch.setattr("sys.stdin", io.StringIO())  # nobody answers
    assert reproduce(recorded / "run.json") == 2
    told = capsys.readouterr()
    assert "train.py" in told.out and "--yes" in told.err


@pytest.mark.promise("A script whose SHA-256")
def test_a_script_that_changed_is_not_run(recorded, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rerun.subprocess, "run", pytest.fail)
    assert reproduce(edited(recorded, tmp_path / "run.json", sha256="0" * 64), "--yes") == 2
    assert "--changed" in capsys.readouterr().err


@pytest.mark.promise("A notebook, a module run")
@pytest.mark.promise("It runs a script by its")
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


@pytest.mark.promise("It runs a script by its path with its arguments")
@pytest.mark.promise("No option of the interpreter")
def test_neither_options_nor_the_interpreter_come_from_the_file(recorded, tmp_path):
    path = edited(
        recorded, tmp_path / "run.json", python="/bin/evil", arguments=["-c", "x"], launcher=["run"]
    )
    program = rerun.program_of(reading.read(path))
    assert program.command == [
        *[sys.executable, "-P", "-m", "jkeras", "run"],
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


# ------------------------------------------------------------ reports of strangers

CODES = "\x1b[2K\x1b[1A\r\x9b31m\u202e\u2066\x07\x00"


def with_fact(recorded, path, change):
    report = tools.load(recorded / "run.json")
    change(report)
    path.write_text(json.dumps(report))
    return path


def edit_seeds(report):
    report["seeds"] = {"session": [], "fit": {}}
    report["weights"]["before"] = CODES


def is_plain(text):
    return all(c.isprintable() or c == "\n" for c in text)


def edit_arguments(report):
    report["program"]["arguments"] = ["--x", CODES + "a\nb"]


def edit_status(report):
    report["status"] = CODES + "\nfinished " + "x" * 5_000_000


def edit_names(report):
    report["settings"] |= {CODES + "k" * 100_000: 1, "a": CODES, "b": {CODES: [CODES]}}


def edit_results(report):
    report["epochs"][0]["logs"] |= {CODES + "x" * 100_000: 3}
    report["epochs"][0]["weights"] = CODES


@pytest.mark.parametrize(
    "edit", [edit_arguments, edit_status, edit_names, edit_results, edit_seeds]
)
def test_what_a_report_says_gives_the_terminal_no_commands(recorded, tmp_path, edit, capsys):
    first = recorded / "run.json"
    other = with_fact(recorded, tmp_path / "run.json", edit)
    for pair in ((other,), (first, other), (other, first)):
        reproduce(*pair)
        told = capsys.readouterr()
        assert is_plain(told.out) and is_plain(told.err)
        assert len(told.out) + len(told.err) < 20_000


@pytest.mark.parametrize(
    "program",
    [
        {"script": CODES},
        {"script": "/nowhere/" + CODES},
        {"folder": "/nowhere/" + CODES},
        {"arguments": [CODES, 3]},
        {"arguments": ["x" * 3_000_000]},
        {"arguments": [" " * 100] * 100},
    ],
)
def test_nothing_is_asked_that_is_not_shown(recorded, tmp_path, program, capsys, monkeypatch):
    monkeypatch.setattr(rerun.subprocess, "run", pytest.fail)
    monkeypatch.setattr("sys.stdin", Yes())
    monkeypatch.setattr("builtins.input", pytest.fail)
    path = edited(recorded, tmp_path / "run.json", **program)
    assert reproduce(path) == 2
    told = capsys.readouterr()
    assert is_plain(told.out) and is_plain(told.err) and len(told.out + told.err) < 10_000


class Yes(io.StringIO):
    """A user who agrees to all."""

    def isatty(self):
        return True


def of_python():
    """Scripts that everybody has, and that run what their arguments say."""
    import pip
    import timeit

    library = pathlib.Path(os.__file__).parent
    return [
        timeit.__file__,
        *(str(library / name) for name in ("pdb.py", "runpy.py", "trace.py", "cProfile.py")),
        str(pathlib.Path(pip.__file__).with_name("__main__.py")),
        str(pathlib.Path(pytest.__file__).with_name("__main__.py")),
        str(ROOT / "jkeras" / "__main__.py"),
    ]


def with_script(recorded, path, script, **program):
    content = {"script": str(script), "sha256": rerun.hash_of_file(script)}
    return edited(recorded, path, **content, **program)


@pytest.mark.promise("A script that is Python's")
@pytest.mark.parametrize("script", of_python(), ids=lambda path: "/".join(path.split("/")[-2:]))
def test_yes_does_not_run_what_is_pythons_own(recorded, tmp_path, script, monkeypatch, capsys):
    """The script is as it was, since everybody has it; its arguments are the stranger's."""
    monkeypatch.setattr(rerun.subprocess, "run", pytest.fail)
    link = tmp_path / "link.py"
    link.symlink_to(script)
    for place in (script, link, pathlib.Path(script).parent / "." / pathlib.Path(script).name):
        path = with_script(recorded, tmp_path / "run.json", place, arguments=["import os"])
        assert reproduce(path, "--yes") == 2
        assert "--yes does not hold" in capsys.readouterr().err


def test_commands_of_other_environments_are_packages(tmp_path):
    """`pip install ADDRESS` runs what lies there."""
    other = tmp_path / "other" / "bin"
    other.mkdir(parents=True)
    (other / "pip").touch()
    assert not installed.is_installed(other / "pip")
    (tmp_path / "other" / "pyvenv.cfg").touch()
    assert installed.is_installed(other / "pip")
    beside = tmp_path / "bin"
    beside.mkdir()
    (beside / "pip").touch()
    (beside / "python3").touch()
    assert installed.is_installed(beside / "pip")
    for path in ("/usr/bin/pip", "/usr/lib/python3.9/pdb.py", "/usr/local/bin/x", "/bin/x"):
        assert installed.is_installed(path), path
    for path in ("/usr/src/app/train.py", "/home/me/train.py", "/opt/work/train.py"):
        assert not installed.is_installed(path), path


def test_what_is_pythons_own_runs_where_the_user_says_so(
    recorded, tmp_path, in_root, monkeypatch, capfd
):
    monkeypatch.setattr("sys.stdin", Yes())
    monkeypatch.setattr("builtins.input", lambda text: "y")
    path = with_script(recorded, tmp_path / "run.json", of_python()[1], arguments=["--help"])
    assert reproduce(path) == 2
    told = capfd.readouterr()
    assert "part of Python" in told.out and "usage" in told.out
    # by the Python: pdb ends with 2 after --help before 3.13, with 0 since
    assert "status is 2" in told.err or "wrote no report" in told.err


@pytest.mark.promise("No option of the interpreter")
def test_no_module_comes_from_the_folder(recorded, tmp_path, monkeypatch, capfd):
    """Neither by `-m`, which looks into it, nor by a PYTHONPATH that means another one there."""
    folder = tmp_path / "evil"
    folder.mkdir()
    for name in ("jkeras", "numpy", "sitecustomize", "argparse"):
        (folder / f"{name}.py").write_text("print('EVIL', flush=True); raise SystemExit(9)")
    script = tmp_path / "own.py"
    script.write_text("import sys; print('OWN', sys.path, flush=True)")
    monkeypatch.setenv("PYTHONPATH", f":.:{ROOT}:")
    for launcher in ([], ["run"]):
        path = with_script(
            recorded,
            tmp_path / "run.json",
            script,
            folder=str(folder),
            launcher=launcher,
            arguments=[],
        )
        assert reproduce(path, "--yes") == 2
        told = capfd.readouterr()
        told = told._replace(out=told.out.replace(f"cd {folder}", ""))
        assert "EVIL" not in told.out and "OWN" in told.out and str(folder) not in told.out


def put(path, kind):
    """Puts something that is no report in a place; returns what must stay as it is."""
    if kind == "a folder":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind in ("a link", "a link to nothing"):
        target = path.with_name("mine.txt")
        path.symlink_to(target)
        if kind == "a link":
            target.write_text("mine")
            return target
    else:
        path.write_text(kind)
        return path


@pytest.mark.promise("Where something else lies")
@pytest.mark.parametrize(
    "kind", ["a folder", "a pipe", "a link", "a link to nothing", "a text", '{"a": "mine"}']
)
def test_a_report_takes_the_place_of_nothing_else(recorded, tmp_path, kind, monkeypatch, capsys):
    monkeypatch.setattr(rerun.subprocess, "run", pytest.fail)
    path = tmp_path / "run.json"
    kept = put(path, kind)
    before = kept and kept.read_bytes()
    with pytest.raises(OSError, match="run.json"):
        tools.fit(path, epochs=1)
    assert reproduce(recorded / "run.json", "--yes", "--into", path) == 2
    assert "run.json" in capsys.readouterr().err
    assert before == (kept and kept.read_bytes())
    assert sorted(found.name for found in tmp_path.iterdir()) == sorted(
        {path.name, kept.name if kept else path.name}
    )


def test_a_report_takes_the_place_of_a_report(tmp_path):
    path = tmp_path / "run.json"
    path.touch()
    tools.fit(path, epochs=1)
    tools.fit(path, epochs=1)
    assert tools.load(path)["status"] == "finished"


def test_the_package_is_installed_and_what_lies_beside_it_in_a_checkout_is_not():
    package = pathlib.Path(jkeras.__file__).parent
    assert installed.is_installed(package / "layers" / "dense.py")
    if (ROOT / "pyproject.toml").exists():  # a checkout
        assert not installed.is_installed(ROOT / "examples" / "digits_quickstart.py")
        assert installed.folder_of_a_checkout() == [str(ROOT)]
