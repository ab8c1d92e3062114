"""How many steps go into a dispatch, by how long one takes and where it runs."""

import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.ops.kernels import traced_for
from jkeras.training.loop import pace
from jkeras.training.step.layout import StateLayout
from jkeras.training.loop.pace import MOST, Pace, steps_of


class OwnStep(jkeras.Sequential):
    def train_step(self, state, data):
        return super().train_step(state, data)


class OwnLoss(jkeras.Sequential):
    shapes = []

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        self.shapes.append(y_pred.shape)
        return super().compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)


def steps_for(inner=(), cls=jkeras.Sequential, every_batch=False, **options):
    model = cls([jkeras.Input((4, 1)), *inner, layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse", **options)
    return pace.fixed_steps(StateLayout(model), "train", every_batch)


@pytest.mark.promise("several, where no callback looks at each batch")
@pytest.mark.promise("`fit` puts many steps into one dispatch by itself, unless")
@pytest.mark.promise("a callback looks at each batch.")
@pytest.mark.promise("`train_step` is your own.")
@pytest.mark.promise("on a CPU the model has convolutions, which are slower inside loops")
@pytest.mark.promise("It is one step where a callback looks at each batch")
@pytest.mark.promise("Such a step runs one at a time and a smaller last batch is compiled again")
def test_where_a_dispatch_has_one_step(monkeypatch):
    convolution = [layers.Conv1D(2, 3)]
    assert steps_for() is None  # measured
    assert steps_for(every_batch=True) == 1
    assert steps_for(cls=OwnStep) == 1
    assert steps_for(jit_compile=False) == 1
    assert steps_for(steps_per_execution=3) == 3
    with traced_for("cpu"):
        assert steps_for(convolution) == 1
    with traced_for("tpu"):
        assert steps_for(convolution) is None
    for name, most in (("MOST_WEIGHTS", 1000), ("MOST_PARAMETERS", 5 * 10**7)):
        assert getattr(pace, name) == most
        with monkeypatch.context() as patched:
            patched.setattr(pace, name, 1)
            assert steps_for() == 1


@pytest.mark.promise("`fit` still takes several steps in a dispatch; only a smaller last batch")
def test_a_loss_of_ones_own_takes_several_steps_and_batches_as_they_are():
    assert steps_for(cls=OwnLoss) is None
    model = OwnLoss([jkeras.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    OwnLoss.shapes.clear()
    model.fit(np.ones((20, 4)), np.ones((20, 1)), batch_size=8, verbose=0)
    assert set(OwnLoss.shapes) == {(8, 1), (4, 1)}


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
