"""TensorFlow itself behind the stand-in: with a package like it, and with the real one."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras.keras2 import beside_tensorflow, namespace
from jkeras.keras2.gradient_tape import GradientTape
from jkeras.keras2.notes import Notes

ROOT = pathlib.Path(jkeras.__file__).parent.parent


class Tensor:
    """A tensor of another library."""

    def __init__(self, value):
        self.value = np.asarray(value)

    def __array__(self, dtype=None, copy=None):
        return self.value


def like_tensorflow():
    """A package with a few functions of TensorFlow's, each of which makes a `Tensor`."""
    tf = types.ModuleType("tensorflow")
    tf.Tensor, tf.Variable, tf.DType = Tensor, type("Variable", (), {}), type("DType", (), {})
    tf.eager, tf.__version__ = True, "9"
    tf.executing_eagerly = lambda: tf.eager
    tf.square = lambda x: Tensor(np.asarray(x) ** 2)
    tf.constant = lambda value, dtype=None: Tensor(value)
    tf.raw = lambda x: Tensor(np.asarray(x) + 1)
    tf.function = tf.GradientTape = None
    tf.data, tf.image = types.ModuleType("tensorflow.data"), types.ModuleType("tensorflow.image")
    tf.image.flip = lambda x: Tensor(np.asarray(x)[::-1])
    tf.image.resize = None
    return tf


@pytest.fixture
def tf(monkeypatch):
    """What a program gets as `tensorflow`."""
    real = like_tensorflow()
    module = beside_tensorflow.Beside("tensorflow", namespace.modules(Notes())["tensorflow"], real)
    module.__wrapped__ = real
    monkeypatch.setitem(sys.modules, "tensorflow", module)
    return module


@pytest.mark.promise("Where TensorFlow is installed, it is there as a whole")
def test_what_is_tensorflow_s_stays(tf):
    assert tf.data is tf.__wrapped__.data and tf.__version__ == "9"
    assert isinstance(tf.constant([1.0, 2.0]), Tensor)
    assert isinstance(tf.square(np.ones(2)), Tensor) and isinstance(tf.square(Tensor(2.0)), Tensor)
    assert isinstance(tf.image.flip(np.arange(3)), Tensor)
    with pytest.raises(AttributeError):
        tf.nothing  # noqa: B018


def test_what_belongs_to_models_is_jkeras_s(tf):
    assert tf.GradientTape is GradientTape and isinstance(tf.Variable(1.0), jkeras.Variable)
    assert tf.function(len) is len and tf.keras.layers is not None
    assert isinstance(tf.square(jnp.ones(2)), jax.Array)
    assert jkeras.backend.is_keras_tensor(tf.square(jkeras.Input((2,))))
    assert jax.jit(lambda x: tf.square(x) + tf.constant(1.0))(2.0).item() == 5.0


def test_in_a_function_of_tf_data_all_is_tensorflow_s(tf):
    tf.__wrapped__.eager = False
    assert isinstance(tf.square(jnp.ones(2)), Tensor)


@pytest.mark.promise("a function that both have is computed by JAX")
def test_tensors_and_arrays_together(tf):
    """Under a tape JAX computes with what TensorFlow's tensors hold."""
    x = jnp.array([1.0, 2.0])
    with tf.GradientTape() as tape:
        y = tf.square(tf.subtract(x, tf.constant([3.0, 3.0])))
    assert tape.gradient(y, x).tolist() == [-4.0, -2.0]
    assert np.asarray(tf.raw(x)).tolist() == [2.0, 3.0]


def test_a_metric_takes_tensors():
    metric = jkeras.metrics.MeanSquaredError()
    metric.update_state(Tensor(np.zeros((2, 1), "float32")), jnp.full((2, 1), 3.0))
    assert float(metric.result()) == 9.0


def test_a_function_that_jkeras_lacks_is_refused_where_its_gradient_would_be_lost(tf):
    with pytest.raises(NotImplementedError, match=r"tensorflow.raw.*shape \(None, 2\).*keras.ops"):
        tf.raw(jkeras.Input((2,)))
    with GradientTape(), pytest.raises(NotImplementedError, match="within a model or a tape"):
        tf.raw(jnp.ones(2))


PROGRAM = """
import json
import numpy as np
import tensorflow as tf
from tensorflow.keras import layers
import keras

x = np.random.RandomState(0).rand(16, 4, 4, 3).astype("float32")
def prepared(image, label):
    return tf.image.random_flip_left_right(tf.cast(image, tf.float32) / 2.0), tf.one_hot(label, 2)
data = tf.data.Dataset.from_tensor_slices((x, np.arange(16) % 2)).map(prepared).batch(8)

def weighted(y, p):
    return tf.reduce_mean(tf.constant([1.0, 2.0]) * tf.square(y - p), axis=-1)

model = tf.keras.Sequential([layers.Flatten(input_shape=(4, 4, 3)), layers.Dense(2, name="d")])
model.compile(tf.keras.optimizers.SGD(lr=0.1, decay=0.01), loss=weighted)
history = model.fit(data, verbose=0)
for images, labels in data:
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.math.squared_difference(labels, model(images)))
        both = loss + tf.reduce_mean(tf.square(labels - model(images)))
    one = tape.gradient(both, model.trainable_variables)
    two = 2 * np.asarray(images).reshape(8, -1).T @ np.asarray(model(images) - labels.numpy()) / 8
print(json.dumps([
    layers.Dense.__module__.startswith("keras"), keras.layers.Dense is layers.Dense,
    len(history.history["loss"]), bool(np.allclose(one[0], two, atol=1e-5)),
    tf.math.squared_difference(3.0, 1.0).numpy().item(), tf.io.gfile.exists("/"),
    loss.numpy().shape == (),
]))
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="no TensorFlow here")
def test_a_program_with_a_real_tensorflow(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "jkeras", "run", "--keras2", str(path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])[1:] == [True, 1, True, 4.0, True, True]


# ---------------------------------------------------------------- the stand-in, by numpy


@pytest.fixture(scope="module")
def stand_in():
    return namespace.modules(Notes())["tensorflow"]


X = np.arange(12.0, dtype="float32").reshape(3, 4)[::-1].copy()


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda tf: tf.argmax(X), X.argmax(axis=0)),
        (lambda tf: tf.argmax(X, 1), X.argmax(axis=1)),
        (lambda tf: tf.math.argmax(X, axis=-1), X.argmax(axis=1)),
        (lambda tf: tf.argmin(X), X.argmin(axis=0)),
        (lambda tf: tf.cumsum(X), X.cumsum(axis=0)),
        (lambda tf: tf.math.cumsum(X, 1), X.cumsum(axis=1)),
        (lambda tf: tf.split(X, [1, 3], axis=1)[1], X[:, 1:]),
        (lambda tf: tf.split(X, 2, 1)[1], X[:, 2:]),
        (lambda tf: tf.split(X, [1, 2])[1], X[1:]),
        (lambda tf: tf.clip_by_norm(X, 1.0), X / np.linalg.norm(X)),
        (lambda tf: tf.clip_by_global_norm([X, X], 1.0)[0][1], X / np.linalg.norm(X) / 2**0.5),
        (lambda tf: tf.add_n([X, X, X]), 3 * X),
        (lambda tf: tf.math.reduce_variance(X, axis=0), X.var(axis=0)),
        (lambda tf: tf.math.reduce_std(X), X.std()),
        (lambda tf: X[0, tf.newaxis], X[:1]),
        (lambda tf: tf.one_hot([0, 2], 3), np.eye(3)[[0, 2]]),
        (lambda tf: tf.one_hot([0, 2], 3, axis=0), np.eye(3)[[0, 2]].T),
        (lambda tf: tf.one_hot([0, 2], 3, 5.0, -1.0), np.eye(3)[[0, 2]] * 6 - 1),
        (lambda tf: tf.gather(X, [2, 0]), X[[2, 0]]),
        (lambda tf: tf.gather(X, [2, 0], axis=1), X[:, [2, 0]]),
    ],
)
def test_functions_are_those_of_tensorflow(stand_in, call, expected):
    np.testing.assert_allclose(call(stand_in), expected, rtol=1e-5)
