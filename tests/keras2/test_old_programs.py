"""Ten programs for Keras 2, modernized, on Keras 3 itself: each line that does not run is named.

The programs of `old/` have behind such a line what a hand writes in its place: `# hand: ...`; and
behind one that only follows from it, `# then: ...`.
"""

import importlib.util
import re
import sys

import pytest

from jkeras import __main__ as commands
from jkeras.keras2.modernize import modernize
from tests.keras2.programs import OLD

PATHS = sorted(OLD.glob("*.py"))
MARKED = re.compile(r"^( *).*# (hand|then): (.*)$")
QUICK = ("a02_lstm_text",)
NEEDS = {"a06_gradient_tape": "tensorflow", "a10_regressor": "sklearn"}


def lines_marked(text, *words):
    """The numbers of lines with a mark."""
    found = enumerate(map(MARKED.match, text.splitlines()), start=1)
    return {number for number, line in found if line and line[2] in words}


def by_hand(text):
    """The program with what a hand writes in the place of marked lines."""
    return "\n".join(MARKED.sub(r"\1\3", line) for line in text.splitlines())


def test_there_are_ten():
    assert len(PATHS) == 10


@pytest.mark.promise("and names the lines that need a hand")
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_lines_that_need_a_hand_are_those_named(path):
    text = path.read_text()
    _, remarks = modernize(text)
    named = {int(re.match(r"line (\d+):", remark)[1]) for remark in remarks}
    assert named == lines_marked(text, "hand"), remarks


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=() if path.stem in QUICK else pytest.mark.slow, id=path.stem)
        for path in PATHS
    ],
)
def test_all_other_lines_run_on_keras_3(path, tmp_path, monkeypatch):
    if importlib.util.find_spec(NEEDS.get(path.stem, "keras")) is None:
        pytest.skip(f"{NEEDS[path.stem]} is not installed")
    monkeypatch.chdir(tmp_path)
    text, _ = modernize(path.read_text())
    exec(compile(by_hand(text), path.name, "exec"), {"__name__": "__main__"})


@pytest.mark.promise("the exit status is 1 if")
@pytest.mark.parametrize(
    ("program", "status"), [("import keras\n", 0), ("import keras.backend as K\nK.gradients\n", 1)]
)
def test_the_exit_status_says_whether_a_hand_is_needed(tmp_path, capsys, program, status):
    path = tmp_path / "old.py"
    path.write_text(program)
    with pytest.raises(SystemExit) as ended:
        commands.main(["modernize", str(path)])
        sys.exit(0)
    assert ended.value.code == status
    assert ("line 2" in capsys.readouterr().err) == bool(status)


def test_a_path_that_is_not_there_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        commands.main(["modernize", str(tmp_path / "no.py")])
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 1 and "no.py" in said.err
