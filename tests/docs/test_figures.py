"""Measured figures in README and docs are those of benchmarks/RESULTS.md, written by a script."""

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


def test_the_account_of_the_privacy_page():
    """Numbers that the page says of its programs follow from the accountant."""
    page = (ROOT / "docs" / "privacy.md").read_text()
    rows, batch, epochs, noise, delta = 1438, 256, 20, 4.0, 1e-4
    q, a_walk = batch / rows, -(-rows // batch)

    def spent(steps, q=q):
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
    ):
        assert text in " ".join(page.split()), text
    assert missing <= 1e-9
