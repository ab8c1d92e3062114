"""Pictures of models: every layer a box, every step an arrow, as DOT and as SVG."""

import os
import sys
import types
import xml.etree.ElementTree

import pytest

import jkeras
from jkeras import layers, utils


def _model():
    x = jkeras.Input((4,), name="x")
    inner = jkeras.Sequential(
        [jkeras.Input((4,)), layers.Dense(3, activation="relu", name="inside")], name="inner"
    )
    y = inner(x)
    return jkeras.Model(x, layers.Add(name="sum")([y, layers.Dense(3, name="side")(x)]) * 2.0)


def test_boxes_and_arrows():
    model = _model()
    picture = utils.model_to_dot(model, show_shapes=True, show_dtype=True, show_trainable=True)
    assert len(picture.boxes) == 5 and len(picture.edges) == 5
    assert "Output shape: (None, 3)" in picture.to_string() and "Trainable" in picture.to_string()
    nested = utils.model_to_dot(model, expand_nested=True, show_layer_activations=True)
    assert (
        len(nested.edges) == 5
        and "inner" in nested.to_string()
        and "Activation: relu" in nested.to_string()
    )


@pytest.mark.parametrize("rankdir", ["TB", "LR", "BT", "RL"])
def test_svg_is_well_formed(tmp_path, rankdir):
    utils.plot_model(
        _model(), tmp_path / "m.svg", rankdir=rankdir, show_layer_names=True, show_shapes=True
    )
    root = xml.etree.ElementTree.parse(tmp_path / "m.svg").getroot()
    assert root.tag.endswith("svg")


def test_not_built():
    with pytest.raises(ValueError, match="built"):
        utils.plot_model(jkeras.Sequential([layers.Dense(1)]))


def test_a_kind_of_file_that_notebooks_do_not_show(tmp_path, monkeypatch):
    """What is written is written, where IPython is there too."""
    display = types.ModuleType("IPython.display")
    display.Image = display.SVG = lambda filename: filename
    package = types.ModuleType("IPython")
    package.display = display
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    model = jkeras.Sequential([jkeras.Input((1,)), jkeras.layers.Dense(1)])
    path = tmp_path / "model.dot"
    assert jkeras.utils.plot_model(model, os.fsencode(path)) is None
    assert path.read_text().startswith("digraph")
