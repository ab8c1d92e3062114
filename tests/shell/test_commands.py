"""`python -m jkeras`, wrongly called: one line and the status 2; a traceback only of the user's own
program.
"""

import os
import pathlib
import subprocess
import sys
import types

import pytest

import jkeras
from jkeras.__main__ import main

ROOT = pathlib.Path(jkeras.__file__).parents[1]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with programs of all kinds in it."""
    files = {
        "ok.py": b"print('ran')",
        "binary.py": bytes(range(256)),
        "syntax.py": b"x = 1\nprint 'x'\n",
        "deep.py": b"(" * 5000 + b")" * 5000,
        "deeper.py": b"x = " + b"-" * 100_000 + b"1",
        "null.py": b"x = 1\n\0y = 2\n",
        "cookie.py": b"# -*- coding: nonsense -*-\n",
        "rot.py": b"# -*- coding: rot13 -*-\nvzcbeg bf\n",
        "lies.py": b"# -*- coding: utf-8 -*-\nx = '\xe9'\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


WRONG = {
    "no file": ["run", "nowhere.py"],
    "a folder": ["run", "empty"],
    "a name with codes": ["run", "\x1b[2J.py"],
    "private, none": ["run", "--private", "keras.src.x=nowhere_x", "ok.py"],
    "private, nothing": ["run", "--private", "keras.src.x=", "ok.py"],
    "private, in a module": ["run", "--private", "keras.src.x=os.path.y", "ok.py"],
    "private, not of Keras": ["run", "--private", "os=sys", "ok.py"],
    "private, of another name": ["run", "--private", "kerasx=sys", "ok.py"],
    "private, no pair": ["run", "--private", "abc", "ok.py"],
    "old, no file": ["modernize", "nowhere.py"],
    "old, a folder": ["modernize", "empty"],
    **{
        f"old, {name}": ["modernize", f"{name}.py"]
        for name in ("binary", "syntax", "deep", "deeper", "null", "cookie", "lies", "rot")
    },
    "an example": ["examples", "nowhere"],
    "examples": ["examples", "f"],
    "a report": ["reproduce", "nowhere.json"],
    "a report, a folder": ["reproduce", "empty"],
    "a report of bytes": ["reproduce", "binary.py"],
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls(folder, name, capsys):
    with pytest.raises(SystemExit) as ended:
        main(WRONG[name])
    told = capsys.readouterr()
    assert ended.value.code == 2 and told.out == ""
    assert told.err.startswith(f"jkeras {WRONG[name][0]}: ") and told.err.count("\n") == 1
    assert told.err.rstrip("\n").isprintable()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")
def test_a_program_that_cannot_be_written(folder, capsys, monkeypatch):
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(SystemExit) as ended:
        out = types.SimpleNamespace(buffer=full, flush=lambda: None)
        monkeypatch.setattr(sys, "stdout", out)
        main(["modernize", "ok.py"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "jkeras modernize: the program cannot be written: No space left on device\n"
    )


def run(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "jkeras", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "name",
    ["nowhere_x", *(pytest.param(name, marks=SLOW) for name in ("package", "package.x", "ok.x"))],
)
def test_a_module_that_is_not_there(folder, name):
    package = folder / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    done = run(folder, "run", "-m", name)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert name in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "own_package.train"],
        pytest.param(["own.py"], marks=SLOW),
        pytest.param(["-m", "own"], marks=SLOW),
    ],
)
def test_a_traceback_of_the_program_stays(folder, words):
    package = folder / "own_package"
    package.mkdir()
    (folder / "own.py").write_text("import nowhere_x")
    (package / "__init__.py").write_text("import nowhere_x")
    (package / "train.py").touch()
    done = run(folder, "run", *words)
    assert done.returncode == 1 and "Traceback" in done.stderr and "nowhere_x" in done.stderr


# ------------------------------------------------------------ texts of old programs

PROGRAM = "from keras.layers import Dense\ns = '\xe9'\n\x0c\nDense(output_dim=3)  # \xfc\n"
NEW = PROGRAM.replace("output_dim", "units")


@pytest.mark.promise("The encoding and the ends")
@pytest.mark.parametrize(
    "encoding, head, newline",
    [
        ("utf-8", "", "\n"),
        ("utf-8-sig", "", "\n"),
        ("latin-1", "# -*- coding: latin-1 -*-\n", "\n"),
        ("cp1252", "#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\n", "\n"),
        ("utf-8", "", "\r\n"),
    ],
)
def test_a_program_keeps_its_encoding(tmp_path, encoding, head, newline, capfdbinary):
    def encoded(text):
        return (head + text).replace("\n", newline).encode(encoding)

    (tmp_path / "old.py").write_bytes(encoded(PROGRAM))
    main(["modernize", str(tmp_path / "old.py")])
    assert capfdbinary.readouterr().out == encoded(NEW)
