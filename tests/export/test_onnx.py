"""`format="onnx"`: the numbers of `predict` in onnxruntime; left out where the extra `onnx` is not
installed.
"""

import sys

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from tests.export.families import FAMILIES, data_for, trained


def session_of(model, path, **kwargs):
    pytest.importorskip("jax2onnx")
    runtime = pytest.importorskip("onnxruntime")
    model.export(path, format="onnx", **kwargs)
    return runtime.InferenceSession(path)


def outputs(session, x):
    names = [i.name for i in session.get_inputs()]
    return session.run(None, dict(zip(names, jax.tree_util.tree_leaves(x))))


@pytest.mark.promise("the extra `onnx`, `pip install -e '.[onnx]'`")
@pytest.mark.slow  # the converter takes twenty seconds to import
@pytest.mark.parametrize("name", FAMILIES)
def test_numbers_are_those_of_predict(name, tmp_path):
    model = trained(name)
    session = session_of(model, tmp_path / "model.onnx")
    for size in (1, 3, 8):
        x = data_for(model, size)
        expected = jax.tree_util.tree_leaves(model.predict(x))
        for y, value in zip(outputs(session, x), expected, strict=True):
            np.testing.assert_allclose(y, value, rtol=1e-5, atol=2e-6)


@pytest.mark.slow
def test_names(tmp_path):
    session = session_of(trained("nested"), tmp_path / "model.onnx", opset_version=22)
    assert [i.name for i in session.get_inputs()] == ["image", "word"]
    assert [o.name for o in session.get_outputs()] == ["parts/0", "parts/1/0", "score"]


@pytest.mark.promise("the extra `onnx`, `pip install -e '.[onnx]'`")
@pytest.mark.slow
def test_a_fixed_batch_where_a_layer_needs_one(tmp_path):
    model = jkeras.Sequential([jkeras.Input((8, 8, 3)), layers.Resizing(4, 4)])
    with pytest.raises(
        jax.errors.InconclusiveDimensionOperation, match="where a letter is any size"
    ):
        session_of(model, tmp_path / "model.onnx")
    session = session_of(
        model, tmp_path / "model.onnx", input_signature=[jkeras.InputSpec("float32", (2, 8, 8, 3))]
    )
    x = data_for(model, 2)
    np.testing.assert_allclose(outputs(session, x)[0], model.predict(x), atol=1e-6)


def test_without_the_converter(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax2onnx", None)
    with pytest.raises(ImportError, match="needs the converter jax2onnx: `pip install 'jax2onnx>="):
        trained("mlp").export(tmp_path / "model.onnx", format="onnx")


def test_texts(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax2onnx", type(sys)("jax2onnx"))
    sys.modules["jax2onnx"].to_onnx = None
    words = layers.StringLookup(vocabulary=["a"], name="words")
    with pytest.raises(ValueError, match=r"'words' \(StringLookup\).*on the host"):
        jkeras.Sequential([jkeras.Input((), dtype="string"), words]).export(
            tmp_path / "model", format="onnx"
        )
