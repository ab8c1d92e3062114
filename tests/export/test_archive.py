"""`ExportArchive`: functions and variables in one file."""

import json
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.core.errors import ExportError
from jkeras.export import ExportArchive
from tests.export.families import assert_same, data_for, trained
from tests.quick_xla import flags_for

ROOT = pathlib.Path(jkeras.__file__).parents[1]
SPEC = jkeras.InputSpec("float32", (None, 5))


def written(archive, folder):
    archive.write_out(folder / "archive", verbose=False)
    return jkeras.export.load(folder / "archive")


@pytest.mark.promise("`weights/0.npy`, … | the")
@pytest.mark.promise("stored once however many endpoints read them")
def test_several_endpoints_share_their_weights(tmp_path):
    model, archive = trained("mlp"), ExportArchive()
    features = jkeras.Model(model.inputs, model.layers[0].output)
    probabilities = archive.track_and_add_endpoint("probabilities", model)
    archive.add_endpoint("features", features.call)
    archive.add_endpoint(
        "classes",
        jax.jit(lambda x, scale: probabilities(x * scale).argmax(-1)),
        [SPEC, jkeras.InputSpec("float32", ())],
    )
    archive.add_endpoint("double", lambda x: 2 * x, [jax.ShapeDtypeStruct((3,), "int32")])
    loaded, x = written(archive, tmp_path), data_for(model, 3)
    assert list(loaded.endpoints) == ["probabilities", "features", "classes", "double"]
    assert_same(loaded(x), model.predict(x))
    assert_same(loaded.endpoints["features"](x), features.predict(x))
    assert_same(
        loaded.endpoints["classes"](x, 2.0), model.predict(2 * x).argmax(-1).astype("int32")
    )
    assert loaded.endpoints["double"](np.array([1, 2, 3])).tolist() == [2, 4, 6]
    with np.load(tmp_path / "archive") as file:
        assert len([name for name in file.files if name.startswith("weights/")]) == len(
            model.weights
        )


def test_variables(tmp_path):
    model, other, archive = trained("mlp"), layers.Dense(2, name="other"), ExportArchive()
    other.build((None, 4))
    model.compile("adam", "mse")
    model.fit(data_for(model, 4), np.ones((4, 3)), verbose=0)
    archive.add_endpoint("serve", model)
    assert archive.variables == []
    archive.track(other)
    archive.track(other.kernel)
    assert (
        archive.variables == archive.trainable_variables == other.weights
        and archive.non_trainable_variables == []
    )
    archive.add_variable_collection("optimizer", model.optimizer.variables)
    archive.add_variable_collection("kernels", {model.layers[0].kernel})
    loaded = written(archive, tmp_path)
    assert list(loaded.collections) == ["optimizer", "kernels"]
    for name, variables in {
        "optimizer": model.optimizer.variables,
        "kernels": [model.layers[0].kernel],
    }.items():
        assert list(loaded.collections[name]) == [v.path for v in variables]
        assert_same(list(loaded.collections[name].values()), [v.value for v in variables])
    with np.load(tmp_path / "archive") as file:
        held = {w["name"] for w in json.loads(file["contents.json"])["weights"]}
    assert {v.path for v in (*model.weights, *other.weights, *model.optimizer.variables)} == held


def test_weights_of_a_function_jitted_before(tmp_path):
    """A compiled function must not bring the weights that it was traced with."""
    model = trained("mlp")
    function, x = jax.jit(lambda x: model(x)), data_for(model, 3)
    function(x)
    model.layers[0].kernel.assign(model.layers[0].kernel.value * 2)
    archive = ExportArchive()
    archive.add_endpoint("serve", function, [jax.ShapeDtypeStruct(x.shape, x.dtype)])
    loaded = written(archive, tmp_path)
    assert_same(loaded(x), model.predict(x))
    assert len(loaded._first._exported.in_avals) == len(model.weights) + 1


@pytest.mark.promise("A subclass whose shapes")
def test_arguments_of_subclasses(tmp_path):
    class Pair(jkeras.Model):
        """Two arguments."""

        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x, y, training=False):
            return self.dense(x) + y

    model = Pair()
    x, y = np.ones((2, 5), "float32"), np.full((2, 2), 3.0, "float32")
    expected = model(x, y)
    archive = ExportArchive()
    archive.add_endpoint("serve", model)
    loaded = written(archive, tmp_path)
    assert [str(s.shape) for s in loaded.input_signature] == ["(b, 5)", "(b, 2)"]
    assert_same(loaded(x, y), expected)


EIGHT = """
import numpy as np
import jkeras

with jkeras.distribution.FSDP().scope():
    layers = [jkeras.layers.Dense(64, "relu"), jkeras.layers.Dense(8)]
    model = jkeras.Sequential([jkeras.Input((16,)), *layers])
    model.export("archive")
    assert len(model.layers[0].kernel.value.devices()) == 8
    np.save("y.npy", model.predict(np.ones((3, 16), "float32")))
"""


@pytest.mark.slow
def test_a_model_on_eight_devices_runs_on_one(tmp_path):
    environment = {**os.environ, "XLA_FLAGS": flags_for(8)}
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(ROOT), environment.get("PYTHONPATH")])
    )
    done = subprocess.run(
        [sys.executable, "-c", EIGHT], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    loaded = jkeras.export.load(tmp_path / "archive")
    np.testing.assert_allclose(
        loaded(np.ones((3, 16))), np.load(tmp_path / "y.npy"), rtol=1e-6, atol=1e-6
    )


@pytest.mark.promise("A program has arrays as inputs and outputs and nothing else")
def test_mistakes(tmp_path):
    model, archive = trained("mlp"), ExportArchive()
    with pytest.raises(ValueError, match="one or more endpoints, received none"):
        archive.write_out(tmp_path / "archive")
    archive.add_endpoint("serve", model)
    with pytest.raises(ValueError, match="a name that no other endpoint has, received 'serve'"):
        archive.add_endpoint("serve", model)
    with pytest.raises(
        ValueError,
        match="Endpoint 'f': expected an `input_signature` for a function that is no model",
    ):
        archive.add_endpoint("f", lambda x: x)
    with pytest.raises(ValueError, match="mean something with TensorFlow alone"):
        archive.add_endpoint("f", model, is_static=True)
    with pytest.raises(
        ExportError, match="Endpoint 'f': expected arrays of numbers, received an input of texts"
    ):
        archive.add_endpoint("f", lambda x: x, [jkeras.InputSpec("string", (None,))])
    with pytest.raises(ValueError, match="a layer that is built.*call it on data once"):
        archive.track(layers.Dense(2))
    with pytest.raises(ValueError, match=r"a layer, model or variable, received 3 \(of type int\)"):
        archive.track(3)
    archive.add_variable_collection("all", model.weights)
    with pytest.raises(ValueError, match="a name that no other one has, received 'all'"):
        archive.add_variable_collection("all", model.weights)
    with pytest.raises(ValueError, match="Collection 'one': expected variables, received Array"):
        archive.add_variable_collection("one", [jnp.ones(())])
    with pytest.raises(ValueError, match="variables of different paths, received two 'mlp/w'"):
        twins = [jkeras.Variable(1.0, name="w") for _ in range(2)]
        for twin in twins:
            twin.scope = "mlp"
        archive.add_variable_collection("twins", twins)
    with pytest.raises(ValueError, match="`options` of `write_out` are TensorFlow's"):
        archive.write_out(tmp_path / "archive", options=3)
    assert not list(tmp_path.iterdir())
