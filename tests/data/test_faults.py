"""Data that raises, and workers that die: the error comes out with its cause and its place, and
nothing stays.
"""

import os
import signal

import numpy as np
import pytest

import jkeras
from jkeras.training.data import make_source
from tests.data.kinds import Batches, X, Y, batches, grain_loader, table, torch_loader, Rows, BATCH


class Spoiled(Exception):
    """An error of the data's own, which cannot be sent from a process as it is."""

    def __init__(self, place, reason):
        super().__init__(f"{place}: {reason}")


def spoil(i):
    if i == 1:
        raise Spoiled(i, "spoiled")


def spoil_row(i):
    if i == 5:
        raise OverflowError("spoiled")


def die(i):
    if i == 5:
        os.kill(os.getpid(), signal.SIGKILL)


def die_in_batch(i):
    if i == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def spoiled_generator(items):
    yield items[0]
    raise OverflowError("spoiled")


class SpoiledAgain:
    def __iter__(self):
        return spoiled_generator(batches((X, Y)))


def _grain_map():
    return pytest.importorskip("grain").MapDataset.source(Rows((X, Y), spoil_row)).batch(BATCH)


def _stream():
    def function(row, i):
        spoil_row(i)
        return row

    return table((X, Y)).to_iterable_dataset().map(function, with_indices=True)


SPOILED = {
    "generator": lambda: spoiled_generator(batches((X, Y))),
    "iterable": SpoiledAgain,
    "PyDataset": lambda: Batches((X, Y), lambda i: spoil_row(5 * i)),
    "PyDataset, threads": lambda: Batches((X, Y), lambda i: spoil_row(5 * i), workers=2),
    "torch loader": lambda: torch_loader((X, Y), spoil_row),
    "torch loader, processes": lambda: torch_loader((X, Y), spoil_row, num_workers=2),
    "grain map": _grain_map,
    "grain iter": lambda: _grain_map().to_iter_dataset(),
    "grain loader": lambda: grain_loader((X, Y), spoil_row),
    "stream of a data set": _stream,
}


@pytest.mark.promise("An error that the data raises comes out of `fit` with the class")
@pytest.mark.parametrize("kind", SPOILED)
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_errors_of_the_data(kind, method, model):
    """The second batch is spoiled: its error has the class that it had, and a note with its
    place.
    """
    with pytest.raises(OverflowError, match="spoiled") as error:
        getattr(model, method)(
            SPOILED[kind](),
            batch_size=BATCH,
            **({"shuffle": False} if method == "fit" else {}),
            verbose=0,
        )
    assert any("in batch 1 of" in note for note in error.value.__notes__)
    assert np.isfinite(model.get_weights()[0]).all()


def test_an_error_that_cannot_be_sent(model):
    """From a process comes its text and its class's name."""
    with pytest.raises(RuntimeError, match="Spoiled.*\n(.*\n)*.*1: spoiled") as error:
        model.fit(
            Batches((X, Y), spoil, workers=2, use_multiprocessing=True), shuffle=False, verbose=0
        )
    assert type(error.value) is RuntimeError
    with pytest.raises(Spoiled):
        model.fit(Batches((X, Y), spoil, workers=2), shuffle=False, verbose=0)


def test_a_batch_that_is_no_array(model):
    """Rows of several lengths, texts: the note tells which batch."""
    for wrong, text in (
        ([[1.0, 2, 3, 4], [1.0, 2]], "same shape"),
        (np.array([["a"] * 4]), "numbers"),
    ):
        with pytest.raises(ValueError, match=text) as error:
            model.predict(iter([(X[:4],), (X[4:8],), (wrong,)]), verbose=0)
        assert "in batch 2 of" in error.value.__notes__[0]


KILLED = {
    "PyDataset": lambda: Batches((X, Y), die_in_batch, workers=2, use_multiprocessing=True),
    "torch loader": lambda: torch_loader((X, Y), die, num_workers=2, timeout=60),
}


@pytest.mark.parametrize("kind", KILLED)
def test_a_worker_that_is_killed(kind, model):
    """An error that tells of it, not an endless wait; the next `fit` works."""
    with pytest.raises(RuntimeError, match="worker"):
        model.fit(KILLED[kind](), shuffle=False, verbose=0)
    model.fit(Batches((X, Y), workers=2, use_multiprocessing=True), verbose=0)


@pytest.mark.slow
def test_workers_of_grain(model):
    """Processes that import everything anew: the same batches as without; one that is killed."""
    pytest.importorskip("absl.flags").FLAGS.mark_as_parsed()  # as grain's processes demand
    for (x, y, _), items in zip(
        make_source(grain_loader((X, Y), workers=1)).batches(), batches((X, Y)), strict=True
    ):
        np.testing.assert_array_equal(x, items[0])
        np.testing.assert_array_equal(y, items[1])
    with pytest.raises(RuntimeError, match="[Ww]orker process was terminated"):
        model.fit(grain_loader((X, Y), die, workers=1), verbose=0)


RUNNING = {
    "PyDataset, threads": lambda: Batches((X, Y), workers=2),
    "PyDataset, processes": lambda: Batches((X, Y), workers=2, use_multiprocessing=True),
    "torch loader": lambda: torch_loader((X, Y), num_workers=2),
    "grain loader": lambda: grain_loader((X, Y)),
    "grain map": lambda: pytest.importorskip("grain").MapDataset.source(Rows((X, Y))).batch(BATCH),
}


@pytest.mark.promise("When `fit` ends, is stopped or raises, the workers are gone")
@pytest.mark.parametrize("kind", RUNNING)
def test_what_stops_a_training_stops_the_workers(kind, model):
    """A callback that stops it or raises, at the first batch or after an epoch; `nothing_stays`
    looks.
    """

    def stop(*_, logs=None):
        model.stop_training = True

    def fail(*_, logs=None):
        raise OverflowError("from a callback")

    make = jkeras.callbacks.LambdaCallback
    for callback in (
        make(on_train_batch_end=stop),
        make(on_epoch_end=stop),
        make(on_train_batch_end=fail),
    ):
        try:
            model.fit(
                RUNNING[kind](),
                epochs=3,
                verbose=0,
                callbacks=[callback],
                validation_data=RUNNING[kind](),
                validation_steps=1,
            )
        except OverflowError as error:
            assert str(error) == "from a callback"
    model.fit(RUNNING[kind](), steps_per_epoch=2, verbose=0)
    model.evaluate(RUNNING[kind](), steps=1, verbose=0)
    model.predict(RUNNING[kind](), steps=1, verbose=0)


class Row:
    """A single sample by number; no data by itself."""

    def __getitem__(self, i):
        return i


@pytest.mark.parametrize(
    "wrong, advice",
    [
        (lambda: batches((X, Y)), "Call it"),
        (Row(), "DataLoader"),
        ({"a": Row()}, "it holds Row"),
        ([], "it holds nothing"),
        ("rows.csv", "Pass arrays"),
        (3, "Pass arrays"),
    ],
)
def test_what_is_no_data(wrong, advice):
    """The error says what to do instead."""
    with pytest.raises(ValueError, match=f"Unrecognized data type.*{advice}"):
        make_source(wrong)


def test_rows_that_cannot_be_read(monkeypatch, model):
    """An array in a file that is damaged from its fifth row on."""

    class Damaged:
        shape, dtype = X.shape, X.dtype

        def __len__(self):
            return len(X)

        def __getitem__(self, rows):
            if rows.stop > 5:
                raise OSError("damaged")
            return X[rows]

    monkeypatch.setattr("jkeras.training.data.array_source.ON_DEVICE_LIMIT", 0)
    with pytest.raises(OSError, match="damaged") as error:
        model.fit(Damaged(), Y, batch_size=BATCH, shuffle=False, verbose=0)
    assert error.value.__notes__ == ["This happened in batch 1 of the rows."]


@pytest.mark.promise("texts are refused, with a hint on what turns them into numbers")
@pytest.mark.parametrize("dtype", [str, object])
def test_texts_are_refused_with_what_to_do(dtype):
    with pytest.raises(ValueError, match="`x` has dtype .*TextVectorization"):
        make_source(np.array(["a text", "another"], dtype), Y[:2])


RECORDS = np.zeros(len(X), [("a", "float32"), ("b", "int32")])


@pytest.mark.parametrize("rows", [RECORDS, RECORDS.view(np.recarray), np.zeros((len(X), 2), "V4")])
@pytest.mark.parametrize("part", ["x", "y"])
def test_records_are_refused_with_what_to_do(rows, part, model, tmp_path):
    rows.tofile(tmp_path / "rows.bin")
    for kind in (rows, np.memmap(tmp_path / "rows.bin", rows.dtype, "r", shape=rows.shape)):
        with pytest.raises(ValueError, match=f"`{part}` has dtype .*a dict of columns"):
            model.fit(**{"x": X, "y": Y, "verbose": 0} | {part: kind})


@pytest.mark.parametrize("execution", [1, 2, 4])
def test_a_generator_that_fills_one_array_is_predicted_as_it_was(execution):
    rows = np.zeros((BATCH, 4), "float32")

    def batches():
        for number in range(6):
            rows[...] = number
            yield (rows,)

    ones = jkeras.layers.Dense(1, kernel_initializer="ones")
    summing = jkeras.Sequential([jkeras.Input((4,)), ones])
    summing.compile(steps_per_execution=execution)
    found = summing.predict(batches(), verbose=0)
    np.testing.assert_array_equal(found[::BATCH, 0], 4 * np.arange(6))
