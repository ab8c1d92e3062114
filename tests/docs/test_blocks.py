"""The programs in docs/, README.md and CONTRIBUTING.md run: those of a page in order, in one
namespace.
"""

import collections
import importlib.util
import os
import pathlib
import re
import sys
import textwrap

import pytest

import jkeras

ROOT = pathlib.Path(jkeras.__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    ]
}
BLOCK = re.compile(r"^( *)```python\n(.*?)^\1```", re.M | re.S)
# how a block begins that cannot run here, for its reader to see, too
NOT_RUN = "# Not run by the tests: "
# and one that runs where a package is installed
NEEDS = re.compile(r"# Needs (\w+)\n")
# an excerpt of a file: what is left out between its parts is a line "# …"
EXCERPT = re.compile(r"^```\w+\n# From (examples/\S+)\n(.*?)^```", re.M | re.S)
GAP = re.compile(r"^ *# …\n|\n\n\n", re.M)
NAMED = re.compile(r"`((?:tests|examples|docs|jkeras|colab|benchmarks|\.ci)/[\w/.-]*)`")


def programs(text):
    """(number of the first line, program) of each block of a page."""
    return [
        (text[: found.start(2)].count("\n"), textwrap.dedent(found[2]))
        for found in BLOCK.finditer(text)
    ]


def runs_here(program):
    needed = NEEDS.match(program)
    is_missing = needed and importlib.util.find_spec(needed[1]) is None
    return not (is_missing or program.startswith((NOT_RUN, "# From examples/")))


def check_readme(names):
    assert names["logs"]["loss"].shape == (8,)


def check_callbacks(names):
    assert 1e-7 < names["found"].suggestion < 10
    losses = [loss for _, loss in names["remember"].losses]
    assert losses and losses[-1] < losses[0]


def check_export(names):
    assert names["y"].shape == (8, 10)
    both = names["both"]
    assert (
        sorted(both.endpoints) == ["classes", "probabilities"]
        and len(both.collections["head"]) == 2
    )
    assert sorted(os.listdir()) == ["both.stablehlo", "digits.stablehlo", "pairs.stablehlo"]


def check_uncertainty(names):
    assert names["after"] < names["before"]
    held = names["sets"][range(len(names["y_test"])), names["y_test"]]
    assert held.mean() > 0.9
    assert (names["parts"].epistemic > 0).all()


def check_laplace(names):
    assert names["confidence"](names["fitted"].predict(names["inverted"])) < 0.4
    assert names["variance"][1] > 2 * names["variance"][0]


def check_saving(names):
    assert {"run1", "run2", "model.keras"} <= set(os.listdir())
    assert "kept" in str(names["checkpoints"].report) and names["checkpoints"].report.restored


LEFT_OUT = {  # how many blocks of which page
    "docs/callbacks.md": 2,
    "docs/compatibility.md": 1,
    "docs/data-at-rate.md": 3,
    "docs/data.md": 1,
    "docs/explain.md": 1,
    "docs/from-flax.md": 1,
    "docs/language-models.md": 1,
    "docs/pretrained.md": 4,
    "docs/scaling.md": 2,
    "docs/search.md": 2,
}
SLOW = {  # other tests have what is in them, in small
    "docs/functional-core.md",
    "docs/language-models.md",
    "docs/laplace.md",
    "docs/performance.md",
    "docs/privacy.md",
    "docs/scaling.md",
    "docs/training.md",
    "docs/tuning.md",
}
BESIDE = {"docs/shipping.md": "examples/serving"}  # the folder in which a page's programs stand
WIDTH = 100
CHECKS = {
    "README.md": check_readme,
    "docs/callbacks.md": check_callbacks,
    "docs/export.md": check_export,
    "docs/laplace.md": check_laplace,
    "docs/saving.md": check_saving,
    "docs/uncertainty.md": check_uncertainty,
}


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.slow] if page in SLOW else [])
        for page, text in PAGES.items()
        if programs(text)
    ],
)
def test_programs_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    modules = dict(sys.modules)
    if page in BESIDE:
        monkeypatch.syspath_prepend(ROOT / BESIDE[page])
    names = {"__name__": "page"}
    for line, program in programs(PAGES[page]):
        if runs_here(program):
            exec(compile("\n" * line + program, ROOT / page, "exec"), names)
    for name in [name for name in sys.modules if page in BESIDE and name not in modules]:
        if str(ROOT / "examples") in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]  # another folder has a train.py too
    CHECKS.get(page, lambda names: None)(names)


def test_few_programs_are_left_out():
    left_out = collections.Counter(
        page
        for page, text in PAGES.items()
        for _, program in programs(text)
        if program.startswith(NOT_RUN)
    )
    assert left_out == LEFT_OUT


def test_excerpts_are_of_their_files():
    pages = {page: EXCERPT.findall(text) for page, text in PAGES.items()}
    other = [
        (page, name, part)
        for page, excerpts in pages.items()
        for name, excerpt in excerpts
        for part in GAP.split(excerpt)
        if part.rstrip("\n") not in (ROOT / name).read_text()
    ]
    assert not other
    assert sum(map(len, pages.values())) > 5


def test_every_program_is_found():
    """A fence of another form would not be run."""
    for page, text in PAGES.items():
        assert len(re.findall(r"^ *(?:```|~~~) *\{?\.?py", text, re.M)) == len(programs(text)), page


def test_lines_are_as_wide_as_a_page():
    """Wider ones are cut off at 1400 pixels."""
    long = [
        (page, line)
        for page, text in PAGES.items()
        if page.startswith("docs/")
        for _, program in programs(text)
        for line in program.splitlines()
        if len(line) > WIDTH
    ]
    assert not long


def test_files_that_pages_name_are_there():
    missing = [
        (page, name)
        for page, text in PAGES.items()
        for name in NAMED.findall(text)
        if not (ROOT / name).exists()
    ]
    assert not missing and any(NAMED.findall(text) for text in PAGES.values())


def test_what_a_program_needs_is_in_an_extra():
    """So that an environment with all extras runs each."""
    settings = (ROOT / "pyproject.toml").read_text()
    needed = {name for text in PAGES.values() for name in re.findall(NEEDS, text)}
    assert needed and all(f'"{name}>=' in settings for name in needed)
