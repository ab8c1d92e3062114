"""Each program of a report runs, and says what it should."""

import pytest

from tests.reports import add, running
from tests.reports.running import PROGRAMS, fault_of, for_keras


@pytest.mark.parametrize("name", sorted(path.stem for path in PROGRAMS.glob("*.py")))
def test_a_report(name, tmp_path):
    fault = fault_of((PROGRAMS / f"{name}.py").read_text(), tmp_path)
    assert not fault, fault


@pytest.mark.parametrize(
    "program, fault",
    [
        ("import jkeras\nassert jkeras.ops.add(1, 2) == 3", ""),
        ("import jkeras\nassert jkeras.ops.add(1, 2) == 4", "ends with"),
        ("import jkeras\nx = 1", "prints nothing"),
        ("import jkeras\nprint(jkeras.__name__)", "it prints 'jkeras"),
        ("import jkeras\nprint(float(jkeras.ops.sum([1.0, 2.0])))", ""),
    ],
    ids=["right", "wrong", "silent", "other", "same"],
)
@pytest.mark.slow  # seven processes
def test_what_is_wrong_with_a_program(program, fault, tmp_path):
    found = fault_of(program, tmp_path)
    assert fault in found and bool(found) == bool(fault)


def test_the_names_of_keras():
    program = (
        "import jkeras.layers as l\nimport jkeras\nfrom jkeras import ops\nx = 'import jkeras'"
    )
    wanted = "import keras.layers as l\nimport keras as jkeras\nfrom keras import ops\n"
    assert for_keras(program) == f"{wanted}x = 'import jkeras'"


def test_a_program_becomes_a_test(tmp_path, monkeypatch, capsys):
    for module in (add, running):
        monkeypatch.setattr(module, "PROGRAMS", tmp_path)
    report = tmp_path / "report.txt"
    report.write_text("import jkeras\nassert not jkeras")
    add.main([str(report), "odd"])
    assert "AssertionError" in capsys.readouterr().out
    assert (tmp_path / "odd.py").read_text() == report.read_text()
    for name in ("odd", "no-module"):
        with pytest.raises(SystemExit):
            add.main([str(report), name])
