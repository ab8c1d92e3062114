"""The table of docs/explain.md, and what the page reads off it."""

import json

import numpy as np
import pytest

from benchmarks import kept, sanity
from jkeras import explain

pytestmark = pytest.mark.slow
BY_INPUT = {
    "input_x_gradient": {},
    "integrated_gradients": {},
    "deep_lift": {},
    "lrp": {},
    "occlusion": {"window": (1, 1)},
}


@pytest.fixture(scope="module", name="network")
def of_script():
    return sanity.trained()


@pytest.mark.promise("and do worse in the second")
def test_the_table_is_that_of_the_script(network):
    """To what another processor's training changes."""
    said = json.loads((kept.FIGURES / "sanity.json").read_text())["methods"]["found"]
    found = dict(sanity.rows(*network))
    assert found.keys() == said.keys()
    for name, numbers in said.items():
        assert found[name] == pytest.approx(numbers, abs=0.1), name


@pytest.mark.promise("but its map of a class is the same for every image of this")
def test_deconvnet_does_not_look_at_the_image(network):
    model, x, _ = network
    maps = explain.deconvnet(model, x, 3)
    np.testing.assert_allclose(maps, np.broadcast_to(maps[:1], maps.shape), atol=1e-5)
    assert np.ptp(explain.saliency(model, x, 3), axis=0).max() > 1e-3


@pytest.mark.promise("is 0 for each of the many black pixels, whatever the weights are")
@pytest.mark.parametrize("name", BY_INPUT)
def test_what_is_multiplied_by_the_input_is_0_where_that_is(network, name):
    model, x, _ = network
    said = getattr(explain, name)(model, x[:4], 3, **BY_INPUT[name])
    assert (x[:4] == 0).mean() > 0.3
    np.testing.assert_allclose(said[x[:4] == 0], 0, atol=1e-6)
