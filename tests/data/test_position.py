"""An epoch that begins in the middle, for any size, batch, order, seed: what the whole epoch gives
from there on.
"""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

import jkeras
from jkeras.training.data import make_source
from jkeras.training.data.mapped import Mapped
from tests.data.kinds import BATCH, Rows, X, Y


class Numbers(jkeras.utils.PyDataset):
    """Batches that tell their number; notes which were made."""

    def __init__(self, count, **kwargs):
        super().__init__(**kwargs)
        self.count, self.made = count, []

    @property
    def num_batches(self):
        return self.count

    def __getitem__(self, i):
        self.made.append(i)
        return np.full((2, 1), i)


def flat(batches):
    return [np.asarray(x).ravel().tolist() for x, *_ in batches]


@pytest.mark.promise("`source.batches(seed, epoch, skip=k)`")
@hypothesis.given(
    size=st.integers(1, 40),
    batch_size=st.integers(1, 12),
    shuffle=st.sampled_from([False, True, "batch"]),
    seed=st.integers(0, 2**31),
    epoch=st.integers(0, 9),
    skip=st.integers(0, 45),
)
def test_arrays(size, batch_size, shuffle, seed, epoch, skip):
    source = make_source(np.arange(size), batch_size=batch_size, shuffle=shuffle)
    whole = flat(source.batches(seed, epoch))
    assert len(whole) == source.num_batches and sorted(sum(whole, [])) == list(range(size))
    assert flat(source.batches(seed, epoch, skip=skip)) == whole[skip:]


@pytest.mark.promise("Rows and `PyDataset` do")
@pytest.mark.promise("`source.batches(seed, epoch, skip=k)`")
@hypothesis.given(
    count=st.integers(1, 12),
    shuffle=st.booleans(),
    seed=st.integers(0, 2**31),
    epoch=st.integers(0, 9),
    skip=st.integers(0, 13),
    workers=st.sampled_from([1, 1, 1, 2]),
    depth=st.integers(1, 4),
)
def test_numbered_batches(count, shuffle, seed, epoch, skip, workers, depth):
    dataset = Numbers(count, workers=workers, max_queue_size=depth)
    source = Mapped(make_source(dataset, shuffle=shuffle), lambda batch: batch)
    whole = flat(source.batches(seed, epoch))
    assert sorted(sum(whole, [])) == sorted(2 * list(range(count)))
    dataset.made.clear()
    assert source.resumable and flat(source.batches(seed, epoch, skip=skip)) == whole[skip:]
    assert sorted(dataset.made) == sorted(rows[0] for rows in whole[skip:])


def test_without_an_end():
    source = make_source(Numbers(None))
    batches = source.batches(skip=7)
    assert next(batches)[0][0] == 7 and next(batches)[0][0] == 8


@pytest.mark.promise("If they, or their sampler")
def test_set_epoch():
    """A source, or its sampler, whose order follows from the epoch is told which one begins."""

    class Sampler:
        def set_epoch(self, epoch):
            self.epoch = epoch

    class Loader:
        def __init__(self, owner=None):
            self.sampler, self.epoch = Sampler(), None

        def __iter__(self):
            return iter([(np.full((2, 1), self.sampler.epoch),)])

    source = make_source(Loader())
    for epoch in (4, 2):
        assert flat(source.batches(0, epoch)) == [[epoch, epoch]]


def test_a_look_ahead_starts_no_second_iterator():
    """The first batch is looked at for its shapes; where starting is dear (a shuffle buffer), it
    happens once.
    """

    class Dear:
        started = 0

        def __iter__(self):
            self.started += 1
            return iter([np.zeros((1, 1)), np.ones((1, 1))])

    data = Dear()
    source = make_source(data)
    assert [flat([source.peek()]) for _ in range(2)] == [[[0]]] * 2
    assert flat(source.batches()) == [[0], [1]] and data.started == 1
    assert flat(source.batches()) == [[0], [1]] and data.started == 2


@pytest.mark.promise("the order of a data set of `tf.data`")
def test_an_order_of_the_data_set_is_the_one_of_keras():
    """What a data set of tf.data, torch or grain draws when it is started it draws as often as in
    Keras, which looks at the first batch of a training of what is compiled anew.
    """

    class Shuffled:
        __module__ = "torch.utils.data"
        orders = 0

        def __iter__(self):
            self.orders += 1
            return iter([(np.full((2, 1), self.orders), np.zeros((2, 1)))])

    model = jkeras.Sequential([jkeras.Input((1,)), jkeras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = Shuffled()
    orders = []
    for _ in range(2):
        model.fit(data, epochs=2, verbose=0)
        orders.append(data.orders)
    assert orders == [3, 5]  # measured with a `Dataset.shuffle` of tf.data in Keras 3.15.1


@pytest.mark.filterwarnings("ignore:'set_vital'")  # of torchdata, at import
def test_a_loader_with_a_state_of_its_own():
    """torchdata's loader: batches are passed over, and give what its own saved state gives."""
    stateful = pytest.importorskip("torchdata.stateful_dataloader")

    def loader():
        return stateful.StatefulDataLoader(Rows((X, Y)), batch_size=BATCH)

    first, second = loader(), loader()
    iterator = iter(first)
    next(iterator)
    second.load_state_dict(first.state_dict())
    expected = [x.numpy() for x, _ in second]
    mine = [x for x, *_ in make_source(loader()).batches(skip=1)]
    assert len(mine) == len(expected) == 2
    for one, other in zip(mine, expected):
        np.testing.assert_array_equal(one, other)


def test_an_iterator_of_ones_own_is_closed():
    """It may have threads; a generator that its owner still holds is left to him."""

    class Mine:
        closed = 0

        def __init__(self):
            self.items = iter([np.zeros((1, 1))] * 3)

        def __iter__(self):
            return self

        def __next__(self):
            return next(self.items)

        def close(self):
            Mine.closed += 1

    class Makes:
        def __iter__(self):
            return Mine()

    source = make_source(Makes())
    assert len(flat(source.batches())) == 3 and Mine.closed == 1
    batches = source.batches()
    next(batches)
    batches.close()
    assert Mine.closed == 2
    source.close()
    assert Mine.closed == 2

    class Holds:
        kept = (np.full((1, 1), i) for i in range(4))

        def __iter__(self):
            return self.kept

    source = make_source(Holds())
    assert next(source.batches())[0] == 0 and next(source.batches())[0] == 1
