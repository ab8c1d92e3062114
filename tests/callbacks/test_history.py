"""`history.plot()`, and the line about the device."""

import sys
import types

import numpy as np
import pytest

import jkeras
from jkeras.callbacks import device, progress
from jkeras.core.session.settings import settings
from tests.callbacks.beside import X, Y, still


def test_plot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    fitted = still(jkeras).fit(X, Y, epochs=4, verbose=0, validation_data=(X, Y), validation_freq=2)
    figure = fitted.plot()
    loss = figure.axes[0]
    assert loss.get_title() == "loss"
    np.testing.assert_allclose(loss.lines[0].get_xydata()[:, 1], fitted.history["loss"], rtol=1e-6)
    np.testing.assert_array_equal(loss.lines[1].get_xydata()[:, 0], [2, 4])
    assert [axes.get_title() for axes in fitted.plot(["mae"]).axes] == ["mae"]
    matplotlib.pyplot.close("all")


def test_what_a_cell_shows():
    history = jkeras.callbacks.History()
    assert repr(history) == "<History of no epochs>"
    history.epoch = [0, 1]
    history.history = {"loss": [2.0, np.float32(0.123456)], "note": ["a", None], "empty": []}
    wanted = "<History of 2 epoch(s), loss: 0.1235, note: NoneType; .plot() draws it>"
    assert repr(history) == wanted

    class Mine(jkeras.callbacks.History):
        """Of a user's."""

    assert repr(Mine()) == "<Mine of no epochs>"


def test_plot_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        jkeras.callbacks.History().plot()


def test_the_device_is_told_once(monkeypatch, capsys):
    monkeypatch.setattr(settings, "device_reported", False)
    monkeypatch.setattr(progress, "unused_accelerator", lambda: "the plugin x is installed")
    model = still(jkeras)
    model.fit(X, Y, verbose=0)
    assert capsys.readouterr().out == ""
    model.fit(X, Y, verbose=2)
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("Device: CPU, although the plugin x is installed")
    assert len(rest) == 1
    model.fit(X, Y, verbose=2)
    assert "Device" not in capsys.readouterr().out


def test_where_a_device_could_be_expected(monkeypatch):
    def reason(platforms, backend="cpu"):
        config = types.SimpleNamespace(jax_platforms=platforms)
        chosen = types.SimpleNamespace(config=config, default_backend=lambda: backend)
        monkeypatch.setattr(device, "jax", chosen)
        return device.unused_accelerator()

    entry = types.SimpleNamespace(name="cuda12")
    monkeypatch.setattr(device.importlib.metadata, "entry_points", lambda group: [entry])
    assert reason("cpu") is None
    assert reason(None, "gpu") is None
    assert "cuda12" in reason(None)
