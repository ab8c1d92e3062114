"""Batches whose arrays have rows of their own, such as nodes and graphs, beside Keras."""

import collections

import numpy as np
import pytest

import jkeras
from tests.parity.both import LIBRARIES

Nodes = collections.namedtuple("Nodes", "x graph")
GRAPHS = 2


def batch(nodes, seed):
    """(nodes and the number of the graph that each is in, a label for each graph)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(nodes, 3)).astype("float32")
    return Nodes(x, np.arange(nodes, dtype="int32") * GRAPHS // nodes), rng.normal(
        size=(GRAPHS, 1)
    ).astype("float32")


def network(library):
    """A model that adds up the nodes of each graph."""

    class Network(library.Model):
        def __init__(self):
            super().__init__()
            self.head = library.layers.Dense(1, kernel_initializer="ones")

        def call(self, nodes):
            assert nodes._fields == Nodes._fields
            return self.head(library.ops.segment_sum(nodes.x + 1, nodes.graph, GRAPHS))

    model = Network()
    model.compile(library.optimizers.SGD(0.01), "mse", metrics=["mae"])
    return model


def data_set(library, sizes):
    class Batches(library.utils.PyDataset):
        def __len__(self):
            return len(sizes)

        def __getitem__(self, number):
            return batch(sizes[number], number)

    return Batches()


@pytest.mark.parametrize(
    "sizes", [(6, 6, 6), (6, 8, 5), (8, 8, 5)], ids=["equal", "larger", "smaller"]
)
@pytest.mark.filterwarnings("ignore:.*compiled once more")
def test_a_data_set_of_such_batches(sizes):
    found = []
    for library in LIBRARIES:
        model = network(library)
        history = model.fit(data_set(library, sizes), epochs=2, shuffle=False, verbose=0).history
        found.append(
            [
                history["loss"],
                history["mae"],
                model.evaluate(data_set(library, sizes), verbose=0),
                model.predict(data_set(library, sizes), verbose=0),
                model.get_weights()[0],
            ]
        )
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)


def test_one_such_batch():
    found = []
    for library in LIBRARIES:
        model, (nodes, labels) = network(library), batch(7, 0)
        found.append(
            [
                model.train_on_batch(nodes, labels),
                model.test_on_batch(nodes, labels),
                model.predict_on_batch(nodes),
                model.get_weights()[0],
            ]
        )
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)


def test_arrays_of_a_fit_must_have_the_same_rows():
    nodes, labels = batch(7, 0)
    for library in LIBRARIES:
        with pytest.raises(ValueError, match="[Cc]ardinality|same number"):
            network(library).fit(nodes, labels, verbose=0)


def test_an_empty_batch():
    model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="empty"):
        model.train_on_batch(np.zeros((0, 3)), np.zeros((0, 1)))
