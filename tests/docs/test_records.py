"""Records: that each says what it is, that what was found holds, and how the page shows it."""

import json
import math
import pathlib
import sys

import pytest

from benchmarks.records.__main__ import lacking, names, printed_rows, record_of
from benchmarks.records.record import GROUPS, Record, Row

ROOT = pathlib.Path(__file__).parents[2]
FIGURES = json.loads((ROOT / "benchmarks" / "figures" / "records.json").read_text())


@pytest.mark.promise("Nothing of them is in this repository")
@pytest.mark.promise('"Published" is what its authors say')
@pytest.mark.parametrize("name", names())
def test_a_record_says_what_it_is(name):
    record = record_of(name)
    assert record.group in GROUPS and record.title and record.source and record.licence
    versions = [package for package in record.packages if package != "scikit-learn"]
    assert all("==" in package for package in versions)


def test_each_has_its_figures_and_they_hold():
    assert FIGURES.keys() == set(names())
    for name, each in FIGURES.items():
        assert each["found"]["packages"] == list(record_of(name).packages), name
        assert all(row["holds"] for row in each["found"]["rows"]), name


@pytest.mark.parametrize(
    "ours, least, most, holds",
    [
        (1.0, None, None, True),
        (1.0, 1.0, 1.0, True),
        (0.9, 1.0, None, False),
        (1.1, None, 1.0, False),
        (math.nan, None, None, False),
        (math.nan, 0.0, 1.0, False),
    ],
)
def test_what_holds(ours, least, most, holds):
    assert Row("a number", ours, least=least, most=most).holds is holds


def test_one_whose_modules_are_not_there_is_left_out():
    record = Record(
        "nets", "a title", "about", (), "MIT", "nowhere", list, needs=("no_such", "jax")
    )
    assert lacking(record) == ["no_such"]


@pytest.mark.promise("A number that has to be within bounds and is not is in bold type")
def test_a_miss_is_shown():
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        from recorded import sections
    finally:
        sys.path.pop(0)
    row = {"what": "accuracy", "published": 0.9, "keras": None, "spread": 0.01}
    rows = [row | {"ours": 0.95, "holds": True}, row | {"ours": 0.2, "holds": False}]
    about = {"group": "nets", "title": "A net", "about": "What it does.", "packages": ["a==1"]}
    found = about | {"licence": "MIT", "source": "a paper", "seconds": 3.0, "rows": rows}
    page = sections({"a_net": {"found": found}}, "nets")
    assert "| accuracy | 0.95 ± 0.01 | 0.9 |" in page
    assert "| accuracy | **0.2 ± 0.01: not reached** | 0.9 |" in page
    assert sections({"a_net": {"found": found}}, "papers") == ""
    assert "NOT within" in printed_rows("a_net", found)[2]
