"""A program with a seed has Keras's history, to rounding: what Keras gives is recorded by
`record.py`.
"""

import json
import math

import pytest

import jkeras
from jkeras.datasets import digits
from tests.parity.same_seed.examples import SHORT, histories
from tests.parity.same_seed.programs import OF_IMAGES, OF_SEQUENCES, PROGRAMS
from tests.parity.same_seed.record import RECORDED
from tests.thinning import some_slow

EXPECTED = json.loads(RECORDED.read_text())
LAYERS = [*OF_IMAGES, *OF_SEQUENCES]
WHOLE = [name for name in PROGRAMS if name not in LAYERS]
QUICK = """
    dropout_in_order not_built_before on_batches callbacks_that_draw saved_loaded_cloned subclassed
    own_train_step sampling_outside_of_training data_set several_inputs_and_outputs
""".split()


def differences(mine, its, path=""):
    """Where two measurements differ, in words."""
    if isinstance(its, dict) and mine.keys() == its.keys():
        return [d for key in its for d in differences(mine[key], its[key], f"{path}/{key}")]
    if isinstance(its, list) and len(mine) == len(its):
        pairs = enumerate(zip(mine, its))
        return [d for i, pair in pairs for d in differences(*pair, f"{path}[{i}]")]
    if isinstance(its, float) and math.isclose(mine, its, rel_tol=2e-4, abs_tol=1e-5):
        return []
    return [] if mine == its else [f"{path}: {mine}, and {its} in Keras"]


@pytest.mark.promise("a program with a seed has Keras's history")
@pytest.mark.promise("the order of the rows of arrays")
@pytest.mark.promise("The order is drawn from the generator that Keras draws it from")
@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # in Keras, too
@pytest.mark.parametrize("name", some_slow(WHOLE, *QUICK))
def test_programs(name):
    assert differences(PROGRAMS[name](jkeras), EXPECTED[name]) == []


@pytest.mark.promise("what layers draw in `fit`")
@pytest.mark.parametrize("name", some_slow(LAYERS, "RandomFlip", "RandomHue", "LSTM"))
def test_layers_that_draw(name):
    assert differences(PROGRAMS[name](jkeras), EXPECTED[name]) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORT)
def test_examples(name):
    mine = json.loads(json.dumps(histories(jkeras, digits, name)))
    assert differences(mine, EXPECTED[name]) == []


def test_a_difference_is_found():
    """The comparison above can fail."""
    assert differences({"a": [1.0, 2]}, {"a": [1.0, 3]}) == ["/a[1]: 2, and 3 in Keras"]
    assert len(differences({"a": 1.0}, {"a": 1.001})) == 1
