"""Measured figures in README and docs are those of benchmarks/RESULTS.md, written by a script."""

import importlib.util
import pathlib

import pytest

import jkeras

ROOT = pathlib.Path(jkeras.__file__).parents[1]
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


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_figures", ROOT / "docs/make_figures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_are_up_to_date(script):
    results = script.Results(script.RESULTS.read_text())
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
