"""The page that says how jkeras is tested names what is there."""

import collections
import pathlib
import re

import pytest

from benchmarks.tested import by_question

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.promise("cases that Keras recorded | the same, where Keras is not installed")
@pytest.mark.promise("Keras 3.15 itself, in the same process")
def test_its_folders_are_there():
    page = (ROOT / "docs" / "testing.md").read_text()
    named = re.findall(r"`(tests/[\w./]+)", page)
    assert len(named) > 4 and all((ROOT / name).exists() for name in named)


def test_each_folder_of_tests_asks_a_question():
    """So that what the page counts is all."""
    tests = ROOT / "tests"
    found = {path.relative_to(tests).parts[0] for path in tests.rglob("test_*.py")}
    counts = by_question(collections.Counter(found))
    assert sum(counts.values()) == len(found)
    with pytest.raises(ValueError, match="QUESTIONS"):
        by_question(collections.Counter({"no_such_folder": 1}))
