"""A record of each step, however the steps are dispatched: what training hands to a `Recorder`."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.training.loop.recording import KEY, recording

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(10, 3)).astype("float32"), RNG.normal(size=(10, 1)).astype("float32")


def norm_of(state, logs):
    """The number of a step, and the norm of the weights after it."""
    norms = [jnp.sum(leaf**2) for leaf in jax.tree.leaves(state.params)]
    return jnp.stack([state.step.astype("float32"), sum(norms)])


class Norms:
    """Gathers them."""

    of_step = staticmethod(norm_of)

    def __init__(self):
        self.taken = []

    def take(self, records, steps):
        self.taken.append(np.asarray(records)[..., :steps, :])


class Watched(jkeras.Sequential):
    """A model whose steps a recorder is told of."""

    def recorded(self, report, callbacks, source, options):
        return contextlib.nullcontext((options, self.recorder))


def fitted(data, **options):
    jkeras.utils.set_random_seed(0)
    model = Watched([jkeras.Input((3,)), layers.Dense(4, activation="tanh"), layers.Dense(1)])
    model.recorder = Norms()
    model.compile("sgd", "mse", steps_per_execution=options.pop("steps_per_execution", 1))
    norms = []
    by_batch = jkeras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: norms.append(
            sum(np.sum(w.astype("float64") ** 2) for w in model.get_weights())
        )
    )
    looks = [by_batch] if options.pop("looks", False) else []
    options = {"epochs": 2, "batch_size": 4, "shuffle": False, "verbose": 0} | options
    model.fit(*data, callbacks=looks, **options)
    return np.concatenate(model.recorder.taken, axis=-2), norms


def batches():
    for first in (0, 4, 8):
        yield X[first : first + 4], Y[first : first + 4]


@pytest.mark.parametrize("form", ["many", "straight", "one"])
def test_each_step_has_its_record(form):
    """The norms that a callback computes of the weights after each batch."""
    _, expected = fitted((X, Y), looks=True)
    if form == "one":
        records, _ = fitted((batches(),), epochs=1, batch_size=None)
    else:
        records, _ = fitted((X, Y), looks=form == "straight", steps_per_execution=1)
    assert records[:, 0].tolist() == list(range(1, len(records) + 1)) and len(records) in (3, 6)
    np.testing.assert_allclose(records[:, 1], expected[: len(records)], rtol=1e-5)


def test_several_steps_of_a_dispatch_and_members():
    several, _ = fitted((X, Y), steps_per_execution=3)
    assert several[:, 0].tolist() == [1, 2, 3, 4, 5, 6]
    members, _ = fitted((X, Y), ensemble=2, seed=0)
    assert members.shape == (2, 6, 2) and members[:, :, 0].tolist() == [[1, 2, 3, 4, 5, 6]] * 2
    assert np.all(members[0, :, 1] != members[1, :, 1])


def test_the_link_alone():
    """A step that counts; its logs stay, and the record has an axis of steps."""

    def step(number, more):
        return number + more, {"loss": 2 * number}

    number, logs = recording(lambda number, logs: jnp.array([number, logs["loss"]]))(step)(3, 4)
    assert number == 7 and logs["loss"] == 6
    assert logs[KEY].tolist() == [[7, 6]]
