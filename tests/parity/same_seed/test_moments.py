"""When the data is drawn: what callbacks that draw from the same generators see, beside Keras."""

import random

import keras
import numpy as np
import pytest

import jkeras
from tests.parity.same_seed.programs import network, rows
from tests.thinning import some_slow

HOOKS = [
    *("train_begin", "epoch_begin", "train_batch_begin", "train_batch_end", "epoch_end"),
    *("train_end", "test_begin", "test_batch_begin", "test_batch_end", "test_end"),
]
SIZE = 8


def drawing(library, hooks):
    """A callback that notes what both generators draw at some hooks, and its notes."""
    seen = []

    def draws(hook):
        def note(self, *arguments, **logs):
            seen.append((hook, np.random.rand(), random.random()))

        return note

    methods = {f"on_{hook}": draws(hook) for hook in hooks}
    return type("Drawing", (library.callbacks.Callback,), methods)(), seen


def dataset(library):
    class Batches(library.utils.PyDataset):
        def __len__(self):
            return 5

        def __getitem__(self, index):
            return tuple(part[index * SIZE : (index + 1) * SIZE] for part in rows())

    return Batches()


def generator():
    """Endless batches of rows that numpy's generator draws."""
    x, y = rows()
    while True:
        start = np.random.randint(0, len(x) - SIZE)
        yield x[start : start + SIZE], y[start : start + SIZE]


def arrays(library):
    return dict(zip("xy", rows(48)), batch_size=SIZE)


DATA = {  # what `fit` is given
    "arrays": arrays,
    "parts of arrays": lambda library: arrays(library) | {"steps_per_epoch": 3},
    "a dataset": lambda library: {"x": dataset(library)},
    "a generator": lambda library: {"x": generator(), "steps_per_epoch": 3},
    "arrays, validated on a part": lambda library: arrays(library) | {"validation_split": 0.3},
    "validated on a generator": lambda library: (
        arrays(library) | {"validation_data": generator(), "validation_steps": 2}
    ),
    "generators": lambda library: {
        "x": generator(),
        "steps_per_epoch": 3,
        "validation_data": generator(),
        "validation_steps": 2,
    },
}
AT = {"all": HOOKS, "begins": ["train_batch_begin", "test_begin"], "none": []}


def trained(library, data, hooks):
    library.utils.set_random_seed(3)
    model = network(library, library.layers.Dropout(0.3))
    callback, seen = drawing(library, AT[hooks])
    history = model.fit(**DATA[data](library), epochs=2, verbose=0, callbacks=[callback]).history
    return history, seen, (np.random.rand(), random.random())


@pytest.mark.promise("The order is drawn when Keras draws it, after `on_train_batch_begin`")
@pytest.mark.parametrize("hooks", AT)
@pytest.mark.parametrize("data", some_slow(DATA, "a dataset", "validated on a generator"))
def test_callbacks_see_what_they_see_in_keras(data, hooks):
    history, seen, after = trained(jkeras, data, hooks)
    expected, expected_seen, expected_after = trained(keras, data, hooks)
    assert seen == expected_seen and after == expected_after
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=2e-4, err_msg=name)


def counting(library, seen):
    """A data set whose batches follow from how many it gave, and from numbers that it draws then
    and between epochs; it notes what it is told.
    """

    class Counting(library.utils.PyDataset):
        given = 0
        order = np.arange(SIZE)

        def __len__(self):
            return 3

        def __getitem__(self, index):
            self.given += 1
            if not hasattr(self, "shift"):
                self.shift = np.random.rand()
            self.moved = np.roll(getattr(self, "moved", np.arange(SIZE)), 1)
            x, y = (part[index * SIZE : (index + 1) * SIZE] for part in rows())
            return x[self.order][self.moved] + self.given * self.shift, y

        def on_epoch_begin(self):
            seen.append(("begin", self.given))

        def on_epoch_end(self):
            seen.append(("end", self.given))
            self.order = np.random.permutation(SIZE)

    return Counting()


@pytest.mark.promise("looking at a data set's first batch leaves it as it was")
@pytest.mark.promise("is told of each epoch's begin and end where Keras tells it")
@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
@pytest.mark.parametrize("steps, held_out_steps", [(None, None), (2, 2), (5, 3)])
def test_data_that_counts_is_told_what_keras_tells_it(steps, held_out_steps):
    def numbers(library):
        library.utils.set_random_seed(3)
        model = network(library, library.layers.Dropout(0.3))
        seen, seen_held_out = [], []
        data, held_out = counting(library, seen), counting(library, seen_held_out)
        options = {"steps_per_epoch": steps, "validation_steps": held_out_steps, "verbose": 0}
        curves = [
            model.fit(data, validation_data=held_out, epochs=2, **options).history for _ in range(2)
        ]
        values = [value for curve in curves for values in curve.values() for value in values]
        values.append(model.evaluate(held_out, steps=held_out_steps, verbose=0))
        values += model.predict(data, steps=held_out_steps, verbose=0).ravel().tolist()
        return values, seen, seen_held_out, np.random.rand()

    (got, *told), (want, *expected) = numbers(jkeras), numbers(keras)
    assert told == expected
    np.testing.assert_allclose(got, want, rtol=2e-4)
