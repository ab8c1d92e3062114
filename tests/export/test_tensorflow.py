"""`format="tf_saved_model"` and `"litert"`: the numbers of `predict` in TensorFlow; left out where
that is not installed, as in the test extra.
"""

import builtins

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from tests.export.families import FAMILIES, data_for, trained

pytestmark = pytest.mark.filterwarnings("ignore")  # of TensorFlow's own


@pytest.mark.promise("a folder for TensorFlow")
@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_a_saved_model_gives_the_numbers_of_predict(name, tmp_path):
    tf = pytest.importorskip("tensorflow")
    model = trained(name)
    model.export(tmp_path / "model", format="tf_saved_model", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    served = loaded.signatures["serving_default"]
    for size in (1, 3):
        x = data_for(model, size)
        expected = jax.tree_util.tree_leaves(model.predict(x, verbose=0))
        tensors = jax.tree_util.tree_map(tf.constant, x)
        by_structure = jax.tree_util.tree_leaves(loaded.serve(tensors))
        by_name = served(**_named(served, model, jax.tree_util.tree_leaves(tensors)))
        for y, value in zip(by_structure, expected, strict=True):
            np.testing.assert_allclose(y, value, rtol=1e-5, atol=2e-6)
        for y, value in zip(jax.tree_util.tree_leaves(dict(by_name)), expected, strict=True):
            np.testing.assert_allclose(y, value, rtol=1e-5, atol=2e-6)


@pytest.mark.promise("a folder for TensorFlow")
@pytest.mark.slow
def test_the_signatures_are_those_of_keras(tmp_path):
    tf = pytest.importorskip("tensorflow")

    class Sum(jkeras.Model):
        def call(self, pair):
            return pair[0] + pair[1]

    def signatures(model):
        model.export(tmp_path / "model", format="tf_saved_model", verbose=False)
        loaded = tf.saved_model.load(str(tmp_path / "model"))
        return {
            name: sorted(function.structured_input_signature[1])
            for name, function in loaded.signatures.items()
        }

    subclassed = Sum()
    subclassed([np.ones((1, 2), "float32"), np.ones((1, 2), "float32")])
    for model, names in (
        (jkeras.Sequential([jkeras.Input((2,), name="x"), layers.Dense(1)]), ["x"]),
        (subclassed, ["args_0", "args_0_1"]),  # the names that Keras 3.15.1 gives
    ):
        assert signatures(model) == {"serve": names, "serving_default": names}


def _named(served, model, tensors):
    """{name: tensor} of a signature's inputs; a subclassed model has one, without a name."""
    if len(tensors) > 1:
        return dict(zip(model.input_names, tensors, strict=True))
    return dict.fromkeys(served.structured_input_signature[1], tensors[0])


@pytest.mark.promise("a `.tflite` file for phones")
@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_a_litert_file_gives_the_numbers_of_predict(name, tmp_path):
    tf = pytest.importorskip("tensorflow")
    model = trained(name)
    path = tmp_path / "model.tflite"
    model.export(path, format="litert", verbose=False)
    interpreter = tf.lite.Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    x = data_for(model, 1)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    y = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(y, model.predict(x, verbose=0), rtol=1e-5, atol=2e-6)
    whole = path.stat().st_size
    model.export(path, format="litert", verbose=False, optimizations=[tf.lite.Optimize.DEFAULT])
    assert path.stat().st_size <= whole
    with pytest.raises(ValueError, match="optimisations"):
        model.export(path, format="litert", optimisations=[])


def small():
    return jkeras.Sequential([jkeras.Input((3,)), layers.Dense(2)])


def test_without_tensorflow(tmp_path, monkeypatch):
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name.partition(".")[0] == "tensorflow":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    for format, name in (("tf_saved_model", "model"), ("litert", "model.tflite")):
        with pytest.raises(ImportError, match="needs TensorFlow.*pip install tensorflow"):
            small().export(tmp_path / name, format=format)


def test_arguments(tmp_path):
    with pytest.raises(ValueError, match="end with '.tflite'"):
        small().export(tmp_path / "model", format="litert")
    with pytest.raises(ValueError, match="opset_version"):
        small().export(tmp_path / "model", format="tf_saved_model", opset_version=3)
