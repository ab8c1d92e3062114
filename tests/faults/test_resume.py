"""A training that is cut anywhere and run again ends with the bits of one that was never cut.

Dropout, shuffling, BatchNormalization, a schedule, an average of the weights and accumulated
gradients are all on.
"""

import itertools
import signal

import numpy as np
import pytest

import jkeras
from jkeras.saving import Checkpointer
from tests.thinning import some_slow
from tests.faults.tools import BATCH, STEPS, X, Y, assert_same, everything, fill, rich

EPOCHS, CUT = 3, 1  # how long a training is, and in which epoch it is cut


class Cut(jkeras.callbacks.Callback):
    """SIGTERM at the end of a step of the training or of the validation; an epoch has so many."""

    def __init__(self, step, validation=False):
        super().__init__()
        self.step, self.validation = step, validation

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        self._cut(batch, False)

    def on_test_batch_end(self, batch, logs=None):
        self._cut(batch, True)

    def _cut(self, batch, validation):
        if (self.epoch, batch, validation) == (CUT, self.step, self.validation):
            signal.raise_signal(signal.SIGTERM)


class Batches(jkeras.utils.PyDataset):
    def __len__(self):
        return STEPS

    def __getitem__(self, i):
        rows = slice(i * BATCH, (i + 1) * BATCH)
        return X[rows], Y[rows]


class Again:
    """An iterable whose every iterator begins at the first batch."""

    def __iter__(self):
        return (Batches()[i] for i in range(STEPS))


def forever():
    while True:
        yield from Again()


# name: (what `fit` is given, arguments, steps of an epoch)
DATA = {
    "arrays": (lambda: (X, Y), dict(batch_size=BATCH), STEPS),
    "ragged arrays": (lambda: (X[:-3], Y[:-3]), dict(batch_size=BATCH), STEPS),
    "arrays, several epochs in a pass": (
        lambda: (X, Y),
        dict(batch_size=BATCH, steps_per_epoch=2),
        2,
    ),
    "PyDataset": (lambda: (Batches(),), {}, STEPS),
    "PyDataset, several epochs in a pass": (lambda: (Batches(),), dict(steps_per_epoch=2), 2),
    "PyDataset, workers": (lambda: (Batches(workers=2),), {}, STEPS),
    "iterable": (lambda: (Again(),), {}, STEPS),
    "generator": (lambda: (forever(),), dict(steps_per_epoch=STEPS), STEPS),
}


@pytest.fixture(scope="module")
def model():
    """One model for all, so that it is compiled once."""
    return rich()


def fit(model, data, checkpoint=None, callbacks=(), validation=lambda: (X, Y), **options):
    """Trains a model from its first weights on; (what it holds then, history)."""
    start, arguments, _ = DATA[data]
    resumed = checkpoint is not None and Checkpointer(checkpoint).steps()
    # what a checkpoint must replace, and where a training begins
    fill(model, 0.5 if resumed else 0.1)
    for v in model.optimizer.variables:
        v.assign(np.full(v.shape, 7 if resumed else 0))
    model.__dict__["_step"] = 7 if resumed else 0
    history = model.fit(
        *start(),
        epochs=EPOCHS,
        validation_data=validation(),
        validation_batch_size=BATCH,
        verbose=0,
        seed=3,
        checkpoint=checkpoint,
        callbacks=list(callbacks),
        **arguments,
        **options,
    )
    return everything(model), history.history


@pytest.fixture(scope="module")
def whole(model):
    """Trainings that were never cut, by the name of their data."""
    found = {}

    def get(data):
        if data not in found:
            found[data] = fit(model, data)
        return found[data]

    return get


def cut(model, data, folder, *where, **options):
    with pytest.raises(SystemExit) as ended:
        fit(model, data, folder, [Cut(*where)], **options)
    assert ended.value.code == 143


def check(model, whole, data, folder, *where):
    cut(model, data, folder, *where)
    state, history = fit(model, data, folder, resume="skip" if data == "generator" else True)
    expected, full = whole(data)
    assert_same(state, expected)
    assert history == full


CUTS = [(data, step) for data in DATA for step in range(DATA[data][2])]
FAST = [("arrays", 1), ("PyDataset", 2), ("arrays, several epochs in a pass", 0), ("generator", 0)]


@pytest.mark.promise("a training that can resume | folder")
@pytest.mark.promise("A callback with a `get_state()`")
@pytest.mark.promise(
    "bitwise identical to a run that was not interrupted: parameters, BatchNormalization, dropout"
)
@pytest.mark.parametrize(
    "data, step",
    [case if case in FAST else pytest.param(*case, marks=pytest.mark.slow) for case in CUTS],
)
def test_cut_at_a_step(model, whole, tmp_path, data, step):
    check(model, whole, data, tmp_path, step)


@pytest.mark.parametrize("data", some_slow(DATA, "arrays, several epochs in a pass"))
def test_cut_in_the_validation(model, whole, tmp_path, data):
    """The steps of the epoch are not repeated; the validation is."""
    check(model, whole, data, tmp_path, 1, True)


@pytest.mark.promise("Data that gives its batches")
@pytest.mark.promise("passes over as many batches as were taken")
def test_a_generator_cannot_begin_in_the_middle(model, tmp_path):
    cut(model, "generator", tmp_path, 2)
    with pytest.raises(
        ValueError, match="after 7 batches.*generator gives its batches once.*resume='skip'"
    ):
        fit(model, "generator", tmp_path)
    with pytest.raises(ValueError, match="has 5 batches; 7 were to be passed over"):
        model.fit(
            itertools.islice(forever(), 5),
            steps_per_epoch=STEPS,
            epochs=EPOCHS,
            verbose=0,
            checkpoint=tmp_path,
            resume="skip",
            seed=3,
        )


def numbered():
    """Batches each of which has another loss."""
    return ((X[:BATCH], Y[:BATCH] / (1 + i)) for i in itertools.count())


@pytest.mark.parametrize(
    "where", [(1, False), (0, True)], ids=["in the steps", "in the validation"]
)
def test_validation_of_a_generator(model, tmp_path, where):
    """It goes on where it was before the validation that was cut, if that was asked for."""
    options = dict(validation=numbered, validation_steps=3)
    cut(model, "arrays", tmp_path, *where, **options)
    with pytest.raises(
        ValueError, match="after 1 batches of validation data.*generator gives its batches once"
    ):
        fit(model, "arrays", tmp_path, **options)
    state, history = fit(model, "arrays", tmp_path, resume="skip", **options)
    expected, full = fit(model, "arrays", **options)
    assert_same(state, expected)
    assert history == full and len(set(history["val_loss"])) == EPOCHS


def test_data_of_another_length(model, tmp_path):
    """In the middle of an epoch the old position means nothing in it; between epochs it does not
    matter.
    """
    cut(model, "arrays", tmp_path, 1)
    with pytest.raises(
        ValueError, match="in the middle of an epoch of 4 batches; the data has 2 now"
    ):
        model.fit(X[:16], Y[:16], batch_size=BATCH, verbose=0, checkpoint=tmp_path, seed=3)
    fit(model, "arrays", tmp_path)
    more = dict(epochs=EPOCHS + 1, seed=3)
    model.fit(X[:16], Y[:16], batch_size=BATCH, verbose=0, checkpoint=tmp_path, **more)
    assert model._step == EPOCHS * STEPS + 2


@pytest.mark.promise("`resume=False` begins afresh")
def test_beginning_afresh_needs_an_empty_folder(model, tmp_path):
    cut(model, "arrays", tmp_path, 1)
    with pytest.raises(FileExistsError, match=r"checkpoints of the steps \[0, 4, 6\].*resume=True"):
        fit(model, "arrays", tmp_path, resume=False)
    fit(model, "arrays", tmp_path / "other", resume=False)
    with pytest.raises(ValueError, match="resume"):
        fit(model, "arrays", tmp_path, resume="no")


def test_a_training_that_was_stopped_early_stays_stopped(model, tmp_path):
    """Started again it changes nothing; with more patience it goes on."""

    def stopped(patience):
        stop = jkeras.callbacks.EarlyStopping(
            "loss", patience=patience, min_delta=100, restore_best_weights=True
        )
        state, history = fit(model, "arrays", tmp_path, [stop])
        return state, len(history["loss"])

    state, epochs = stopped(1)
    again, same = stopped(1)
    assert_same(again, state)
    assert epochs == same == 2
    assert stopped(2)[1] == 3
