"""LivePlot in a notebook that is played by a test, and elsewhere."""

import io
import types
import warnings

import numpy as np
import pytest

import jkeras
from jkeras.callbacks import live_plot
from tests.callbacks.beside import X, Y, script, still


class Notebook:
    """IPython as a kernel sees it: notes what is displayed and updated."""

    def __init__(self, monkeypatch):
        ipython = pytest.importorskip("IPython")
        self.shown, self.updates = [], []
        monkeypatch.setattr(ipython, "get_ipython", lambda: types.SimpleNamespace(kernel=True))
        monkeypatch.setattr("IPython.display.display", self.display)

    def display(self, picture, display_id):
        self.shown.append(picture.data)
        return types.SimpleNamespace(update=lambda picture: self.updates.append(picture.data))


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when a test says so."""
    now = types.SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(live_plot, "time", types.SimpleNamespace(monotonic=lambda: now.seconds))
    return now


@pytest.mark.promise("`LivePlot` | curves in a notebook")
def test_one_display_grows(monkeypatch, clock):
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("matplotlib")
    notebook, plot = Notebook(monkeypatch), jkeras.callbacks.LivePlot()
    # before the end of each epoch: two of the five are drawn, after the first
    seconds = [0.5, 0.4, 0.7, 3.0, 0.1]
    tick = jkeras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: setattr(clock, "seconds", clock.seconds + seconds[epoch])
    )
    still(jkeras).fit(
        X,
        Y,
        epochs=5,
        verbose=0,
        callbacks=[script(jkeras, [5.0, 4.0, None, 3.0, 2.0]), tick, plot],
    )
    assert len(notebook.shown) == 1 and len(notebook.updates) == 2 + 1  # and once more at the end
    assert image.open(io.BytesIO(notebook.updates[-1])).size[0] > 500
    loss, mae = plot.figure().axes
    assert [line.get_label() for line in loss.lines] == ["training", "validation"]
    np.testing.assert_array_equal(loss.lines[1].get_xydata(), [[1, 5], [2, 4], [4, 3], [5, 2]])
    assert loss.get_title() == "loss" and mae.get_title() == "mae" and len(mae.lines) == 1


def test_chosen_names(monkeypatch, clock):
    pytest.importorskip("matplotlib")
    Notebook(monkeypatch)
    plot = jkeras.callbacks.LivePlot(["mae", "nope"])
    still(jkeras).fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y), callbacks=[plot])
    (axes,) = plot.figure().axes
    assert axes.get_title() == "mae" and len(axes.lines) == 2
    assert all(tick == round(tick) for tick in axes.get_xticks())  # there is no epoch 1.5


def test_elsewhere_one_warning():
    plot, model = jkeras.callbacks.LivePlot(), still(jkeras)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            model.fit(X, Y, verbose=0, callbacks=[plot])
    (warning,) = caught
    assert "notebook" in str(warning.message) and plot.display is None
