"""kill -9 at any moment of a save: what can be loaded afterwards is the last model or the one
before it, whole.
"""

import numpy as np
import pytest

import jkeras
from jkeras.training import init_train_state
from tests.faults import programs
from tests.faults.tools import plain, run

COUNT = {"few": 6, "fifty": 50}


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Gives the folder of the killed processes of a count, and what they said: {format: [(last,
    next), …]}.
    """
    done = {}

    def get(count):
        if count not in done:
            folder = tmp_path_factory.mktemp(count)
            done[count] = folder, run("kills", COUNT[count], 0, folder)
        return done[count]

    return get


@pytest.fixture(scope="module")
def model():
    model = plain()
    model.optimizer.build(model.trainable_variables)
    return model


def weights_of(format, folder, model):
    """The weights that a folder has."""
    path = folder / f"model{format}"
    if format in ("checkpoints", "tiers"):
        with programs.checkpointer_of(format, folder) as checkpointer:
            model.load_train_state(checkpointer.restore(init_train_state(model))[0])
    elif format == ".keras":
        model = jkeras.saving.load_model(path)
    else:
        model.load_weights(path)
    return model.get_weights()


@pytest.mark.promise("a save that is killed leaves")
@pytest.mark.parametrize("format", programs.KILLED)
@pytest.mark.parametrize("count", ["few", pytest.param("fifty", marks=pytest.mark.slow)])
def test_killed_while_saving(killed, model, count, format):
    folder, told = killed(count)
    begun = 0
    for i, (last, following) in enumerate(told[format]):
        place = folder / format / str(i)
        weights = weights_of(format, place, model)
        number = int(weights[0].flat[0])
        assert number in (last, following), f"kill {i}"
        for value in weights:
            np.testing.assert_array_equal(value, np.full(value.shape, number), err_msg=f"kill {i}")
        begun += number == following or any(
            path.name.endswith(".partial") for path in place.rglob("*")
        )
    assert begun or count == "few", "no kill came between the first byte and the last"
