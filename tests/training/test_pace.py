"""How many steps go into a dispatch, by how long one takes and where it runs."""

import pytest

from jkeras.ops.kernels import traced_for
from jkeras.training.pace import MOST, Pace, steps_of


@pytest.mark.promise("On a CPU a dispatch has")
@pytest.mark.promise("Several steps are one dispatch")
@pytest.mark.promise("`fit` puts many steps into")
@pytest.mark.parametrize(
    ("platform", "seconds", "steps"),
    [
        ("cpu", 1e-9, MOST),
        ("cpu", 0.001, 50),
        ("cpu", 0.02, 8),  # more than fill a moment
        ("cpu", 0.1, 5),  # as many as half a second holds
        ("cpu", 2.0, 1),
        ("cuda", 0.001, 50),
        ("cuda", 0.02, 2),
        ("tpu", 0.1, 1),
    ],
)
def test_long_steps_share_a_dispatch_on_cpu_alone(platform, seconds, steps):
    with traced_for(platform):
        assert steps_of(seconds) == steps


def test_what_a_dispatch_costs_beside_its_steps_does_not_keep_it_small():
    pace = Pace()
    while not pace.settled:
        pace.took(2e-5 + 1e-3 / pace.steps)
    assert steps_of(2.2e-5) < pace.steps <= steps_of(2e-5)
