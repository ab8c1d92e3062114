"""Figures that docs/privacy.md says of its first program."""

import math
import pathlib

import pytest

from jkeras import privacy
from jkeras.privacy.sampling import overflow

PAGE = " ".join((pathlib.Path(__file__).parents[2] / "docs" / "privacy.md").read_text().split())
ROWS, BATCH, EPOCHS, NOISE, DELTA = 1438, 256, 20, 4.0, 1e-4
STEPS = EPOCHS * -(-ROWS // BATCH)
RUN = {"noise_multiplier": NOISE, "q": BATCH / ROWS, "steps": STEPS, "delta": DELTA}


@pytest.mark.promise("the `delta` of `privacy_spent` has")
def test_what_missing_places_add():
    places = privacy.cap_for(ROWS, q=RUN["q"], steps=STEPS)
    missing = STEPS * overflow(ROWS, RUN["q"], places)
    delta = DELTA + (1 + math.exp(privacy.epsilon(**RUN))) * missing
    assert f"here 1e-4 becomes {1e4 * delta:.5f}e-4" in PAGE


def test_distributions_say_less():
    pytest.importorskip("dp_accounting")
    by_pld = privacy.epsilon(**RUN, accountant="pld")
    assert f"({by_pld:.2f} in place of {privacy.epsilon(**RUN):.2f} above)" in PAGE
