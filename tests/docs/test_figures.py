"""Measured figures on the pages are those that scripts wrote down, and no table has others."""

import importlib.util
import json
import math
import re

import pytest

from jkeras import privacy
from jkeras.privacy.sampling import overflow

from tests.docs.scripts import ROOT, script

TEXT = """# Benchmarks

## Targets

| work | what | target | measured | |
|------|------|--------|----------|-|
| tiny MLP | time / keras | <= 0.1 | 0.092 (0.079..0.114) | reached |
| tiny MLP | time / jitted | <= 0.25 | 0.26 (0.26..0.26) | **not reached** |

## Forms by platform

| operation | form | CPU ms | relative | first s |
|-----------|------|--------|----------|---------|
| pool | plain | 2.0 | 1.00 (1.00..1.00) | 1 |
|      | jkeras | 1.0 | 0.50 (0.40..0.60) | 1 |
"""


@pytest.fixture(scope="module", name="script")
def of_docs():
    return script("make_figures")


def test_pages_are_up_to_date(script):
    results = script.Results.read()
    for path in script.PAGES:
        text = path.read_text()
        assert script.BLOCK.search(text), path
        assert script.written(text, results) == text, f"{path}: run python docs/make_figures.py"


def test_every_block_is_on_a_page(script):
    names = {found[2] for path in script.PAGES for found in script.BLOCK.finditer(path.read_text())}
    assert names == set(script.BLOCKS)


def test_results_are_read(script):
    results = script.Results(TEXT)
    assert results.ratio("tiny MLP", "time / keras") == "0.092 (0.079 to 0.114)"
    assert results.ratio("tiny MLP", "time / jitted") == "0.26"
    assert results.ratio("tiny MLP", "time / torch") == ""
    assert results.missed() == [("tiny MLP", "time / jitted", "0.25", "0.26 (0.26..0.26)")]
    assert results.form("pool") == "0.50 (0.40 to 0.60)"
    with pytest.raises(KeyError):
        results.form("an operation that was never measured")


def test_what_scripts_kept_is_read_by_part(script):
    kept = {"ghosts": {"memory": {"measured": "2026-11-30, jax 0.10.2", "found": [1, 2]}}}
    assert script.Results(TEXT, kept).found("ghosts", "memory") == [1, 2]
    with pytest.raises(KeyError):
        script.Results(TEXT, kept).found("ghosts", "time")


def test_a_changed_figure_is_noticed(script):
    """Of each block of each page one digit is changed."""
    results = script.Results.read()
    for path in script.PAGES:
        text = path.read_text()
        for found in script.BLOCK.finditer(text):
            digit = re.search(r"\d", found[0][len(found[1]) :])
            at = found.start() + len(found[1]) + digit.start()
            other = str((int(text[at]) + 1) % 10)
            assert script.written(text[:at] + other + text[at + 1 :], results) == text


def test_every_figure_is_of_a_script_that_is_there(script):
    for path in script.FIGURES.glob("*.json"):
        assert importlib.util.find_spec(f"benchmarks.{path.stem}"), path
        for part in json.loads(path.read_text()).values():
            assert set(part) == {"measured", "found"}


FIGURE = re.compile(
    r"[-\d.,]*\d(e-?\d+)?( ?(%|s|ms|us|[kMG]i?B|x))?( \([-\d.]+ to [-\d.]+\))?|\d+ of \d+"
)
GENERATED = re.compile(r"<!-- (\w+): begin.*?<!-- \1: end -->", re.S)
# tables with numbers that are no measurements: (page, how the table's first row begins)
CONSTANTS = {
    ("shipping.md", "| request | answer |"),
    ("from-keras.md", '| what | "3.15" | "3.16" |'),  # versions
    ("policy.md", "| | supported | newest that is tested | until |"),
}


def tables(text):
    """The tables of a page that no script writes."""
    for found in re.finditer(r"(?:^\|.*\n)+", GENERATED.sub("", text), re.M):
        head, _, *rows = found[0].splitlines()
        yield head, [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


@pytest.mark.parametrize(
    "cell, is_one",
    [
        *((cell, True) for cell in ("1,073 MiB", "8e-6", "63 ms", "-0.05", "0.26 (0.19 to 0.36)")),
        *((cell, True) for cell in ("20 of 20", "0.7 %", "3")),
        *((cell, False) for cell in ("no", "v5e:4x4", "up to 16,384", "", "`Dense(3)`")),
    ],
)
def test_what_a_figure_is(cell, is_one):
    assert bool(FIGURE.fullmatch(cell)) is is_one


def test_a_table_that_a_script_writes_is_not_by_hand():
    table = "| a | b |\n|---|---|\n| c | 1.5 |\n"
    of_script = (
        f"<!-- figures: begin x, by docs/make_figures.py -->\n\n{table}\n<!-- figures: end -->\n"
    )
    assert list(tables(f"{of_script}\ntext\n\n{table}")) == [("| a | b |", [["c", "1.5"]])]


def test_no_table_of_figures_is_by_hand(script):
    pages = [*script.ROOT.glob("*.md"), *script.ROOT.glob("examples/*.md")]
    by_hand = {
        (path.name, head)
        for path in [*pages, *script.ROOT.glob("docs/*.md")]
        for head, rows in tables(path.read_text())
        if any(FIGURE.fullmatch(cell) for row in rows for cell in row)
    }
    assert by_hand == CONSTANTS


def test_the_account_of_the_privacy_page():
    """Numbers that the page says of its programs follow from the accountant."""
    page = (ROOT / "docs" / "privacy.md").read_text()
    rows, batch, epochs, noise, delta = 1438, 256, 20, 4.0, 1e-4
    q, a_walk = batch / rows, -(-rows // batch)

    def spent(steps, q=q, noise=noise):
        return privacy.epsilon(q=q, noise_multiplier=noise, steps=steps, delta=delta)

    steps = epochs * a_walk
    places = privacy.cap_for(rows, q=q, steps=steps)
    missing = 1 - (1 - overflow(rows, q, places)) ** steps
    for text in (
        f"{spent(a_walk):.2f} after the first epoch, {spent(steps):.2f} after the last",
        f"more than exp({spent(steps):.3f}) times",
        f"a probability of {q:.3f}, which",
        f"an epsilon of {spent(epochs, q=1.0):.2f} in place of {spent(steps):.2f}",
        f"{places} places for {batch} rows",
        f"1e-4 becomes {1e4 * (delta + (1 + math.exp(spent(steps))) * missing):.6g}e-4",
        f"delta=1e-4)) # {spent(200, q=50 / 400, noise=2.0):.2f}",
    ):
        assert text in " ".join(page.split()), text
    assert missing <= 1e-9
