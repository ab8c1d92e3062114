"""Nobody looks on: no standard output, a closed or broken one, a terminal of few columns."""

import io
import sys

import numpy as np
import pytest

import jkeras
from jkeras import callbacks, layers

ROWS = np.ones((8, 2), "float32")


class Broken:
    """Has nothing of a file."""


class Gone:
    """A terminal that was closed, or a full disk."""

    def write(self, text):
        raise OSError(5, "Input/output error")

    def flush(self):
        raise OSError(28, "No space left on device")


class Detached(io.TextIOWrapper):
    """Has lost its file."""

    def __init__(self):
        super().__init__(io.BytesIO())
        self.detach()


def closed():
    file = io.StringIO()
    file.close()
    return file


OUTPUTS = {"none": lambda: None, "closed": closed, "broken": Broken, "gone": Gone}
OUTPUTS["detached"] = Detached


@pytest.fixture(scope="module")
def model():
    model = jkeras.Sequential([jkeras.Input((2,)), layers.Dense(3), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("name", OUTPUTS)
def test_no_output(model, name, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stdout", OUTPUTS[name]())
    tell = {"verbose": 1}
    told = [
        callbacks.EarlyStopping(
            "loss", patience=0, baseline=-1.0, restore_best_weights=True, **tell
        ),
        callbacks.ModelCheckpoint(tmp_path / "m.keras", **tell),
        callbacks.LearningRateScheduler(lambda epoch: 0.01, **tell),
        callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=9.0, **tell),
    ]
    history = model.fit(ROWS, ROWS[:, :1], epochs=4, callbacks=told, **tell)
    assert len(history.history["loss"]) >= 1
    for verbose in (0, 2, "auto"):
        model.fit(ROWS, ROWS[:, :1], epochs=2, verbose=verbose)
    model.evaluate(ROWS, ROWS[:, :1], verbose=1)
    model.predict(ROWS, verbose=1)
    model.summary()
    bar = jkeras.utils.Progbar(5)
    bar.update(5)
    jkeras.utils.Progbar(5, verbose=2).update(5)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("kind", [Terminal, io.StringIO])
@pytest.mark.parametrize("columns", ["-3", "0", "1", "2", "3", "5", "10", "20", "no number"])
def test_few_columns(model, kind, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    out = kind()
    monkeypatch.setattr(sys, "stdout", out)
    model.summary()

    assert "Total params" in out.getvalue()
    model.summary(positions=[0.2, 0.6, 1.0])
    model.fit(ROWS, ROWS[:, :1], verbose=1)
    jkeras.utils.Progbar(3).update(3)


def test_a_line_that_was_asked_for_is_long_enough(model):
    """As in Keras."""
    for length in (-5, 1, 8):
        with pytest.raises(ValueError, match="Insufficient console width"):
            model.summary(line_length=length)


def test_a_program_in_a_pipeline_ends_with_its_reader(model, monkeypatch):
    class Pipe(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Pipe())
    with pytest.raises(BrokenPipeError):
        model.fit(ROWS, ROWS[:, :1], verbose=2)


def test_a_bar_without_the_letters_for_it(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    jkeras.utils.Progbar(2, width=4).update(2)
    assert raw.getvalue().startswith(b"2/2 ==== ")
