"""Rows of generators, tf.data and Grain, each by its own coin."""

import numpy as np
import pytest

import jkeras
from jkeras import layers, privacy

LOSS = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(64, 4)).astype("float32")
Y = RANDOM.integers(0, 3, 64)


def generator(times=1):
    for _ in range(times):
        for start in range(0, len(X), 12):
            yield X[start : start + 12], Y[start : start + 12]


class Batches(jkeras.utils.PyDataset):
    def __len__(self):
        return 6

    def __getitem__(self, i):
        return X[12 * i : 12 * i + 12], Y[12 * i : 12 * i + 12]


def of_tensorflow():
    tensorflow = pytest.importorskip("tensorflow")
    return tensorflow.data.Dataset.from_tensor_slices((X, Y)).batch(12)


def of_grain():
    grain = pytest.importorskip("grain")
    return grain.MapDataset.range(64).map(lambda i: (X[i], Y[i])).batch(12)


SOURCES = {
    "generator": generator,
    "PyDataset": Batches,
    "tf.data": of_tensorflow,
    "Grain": of_grain,
}


def fitted(x, y=None, rows=64, epochs=3, **options):
    jkeras.utils.clear_session()
    jkeras.utils.set_random_seed(0)
    model = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(3)])
    dp = privacy.DPSGD(0.5, delta=1e-3, rows=rows, **(options or {"noise_multiplier": 1.0}))
    model.compile("sgd", LOSS, privacy=dp)
    more = {} if y is None else {"batch_size": 12}
    return model, model.fit(x, y, epochs=epochs, seed=5, shuffle=False, verbose=0, **more).history


@pytest.mark.promise("say how many there are, and `fit` reads them into memory, once")
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_training_is_that_of_the_arrays(source):
    """To the bit: the coins, the noise and the account."""
    model, history = fitted(source())
    arrays, wanted = fitted(X, Y)
    assert history == wanted
    for mine, other in zip(model.get_weights(), arrays.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    assert history["epsilon"][-1] == privacy.epsilon(1.0, 12 / 64, 18, 1e-3)
    assert model.privacy_spent().runs == (privacy.Run(1.0, 12 / 64, 18),)


def test_a_budget_holds_for_the_steps_that_follow():
    model, history = fitted(generator(), epsilon=2.0)
    assert 1.99 < history["epsilon"][-1] <= 2.0
    assert len(history["epsilon"]) == 3


@pytest.mark.promise("Each row has to come once in a pass")
@pytest.mark.promise("A source that gives more rows than that, as one that repeats does, or fewer")
@pytest.mark.parametrize("rows", [63, 65, 32, 128])
def test_another_number_of_rows_is_refused(rows):
    with pytest.raises(ValueError, match=f"{rows} rows of generator"):
        fitted(generator(), rows=rows)


def test_rows_that_come_twice_are_refused():
    with pytest.raises(ValueError, match="let each row come once in a pass, without `repeat`"):
        fitted(generator(times=2))
    with pytest.raises(ValueError, match="data of rows=63"):
        fitted(X, Y, rows=63)


def test_a_source_of_unknown_size_is_refused():
    with pytest.raises(ValueError, match=r"say how many rows there are: `DPSGD\(rows=…\)`"):
        fitted(generator(), rows=None)
    for rows in 0, -1, 2.5, True:
        with pytest.raises(ValueError, match="rows as an integer above 0"):
            privacy.DPSGD(1.0, 1.0, rows=rows)


def test_batches_of_several_shapes_are_refused():
    def ragged():
        yield np.ones((3, 4), "float32"), np.zeros(3, "int32")
        yield np.ones((3, 5), "float32"), np.zeros(3, "int32")

    with pytest.raises(ValueError, match="differ in their number of rows alone"):
        fitted(ragged(), rows=6)
