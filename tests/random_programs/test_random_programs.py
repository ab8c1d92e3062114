"""Random programs make in jkeras what they make in Keras."""

import pytest

from tests.random_programs.compare import difference
from tests.random_programs.draw import program

FIRST = 1005


def agrees(seed):
    drawn = program(seed)
    found = difference(drawn)
    assert found is None, f"seed {seed}: {found}\n{drawn.source()}"


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 6))
def test_programs(seed):
    agrees(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(FIRST + 6, FIRST + 30))
def test_more_programs(seed):
    agrees(seed)
