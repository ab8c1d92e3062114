"""What real Keras 3 refuses of Keras 2: `modernize` translates it into what runs there, or names
the line.
"""

import ast
import contextlib
import io
import textwrap

import keras
import numpy as np
import pytest

from jkeras.keras2.modernize import modernize

HEAD = """
import numpy as np, keras
from keras import layers, losses, metrics, optimizers, callbacks, utils, initializers, regularizers
from keras import activations, constraints, models
m = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="softmax", name="d")])
m.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
d = m.layers[0]
x, y = np.ones((8, 4), "float32"), np.zeros(8, "int32")
"""

# what is translated, as the program ends then
TRANSLATED = {
    "from keras.losses import mse": "from keras.losses import mean_squared_error as mse",
    "from keras.losses import MAE as loss": "from keras.losses import mean_absolute_error as loss",
    "losses.mse": "losses.mean_squared_error",
    "losses.logcosh": "losses.log_cosh",
    "losses.huber_loss": "losses.huber",
    "keras.losses.KLD": "keras.losses.kl_divergence",
    "metrics.mae": "metrics.mean_absolute_error",
    "constraints.maxnorm": "constraints.max_norm",
    "losses.MeanSquaredError(reduction='auto')": (
        "losses.MeanSquaredError(reduction='sum_over_batch_size')"
    ),
    "losses.MeanSquaredError(reduction=losses.Reduction.NONE)": (
        "losses.MeanSquaredError(reduction=None)"
    ),
    "m.compile('sgd', 'mse', sample_weight_mode='temporal')": "m.compile('sgd', 'mse')",
    "m.compile(loss='mse', target_tensors=None, sample_weight_mode=None)": "m.compile(loss='mse')",
    "m.compile(target_tensors=None, sample_weight_mode=None)": "m.compile()",
    "m.save_weights('w.h5')": "m.save_weights('w.weights.h5')",
    "m.save_weights('w.hdf5'); m.load_weights('w.hdf5')": (
        "m.save_weights('w.weights.h5'); m.load_weights('w.weights.h5')"
    ),
    "path = 'w.hdf5'; callbacks.ModelCheckpoint(path, save_weights_only=True)": (
        "path = 'w.weights.h5'; callbacks.ModelCheckpoint(path, save_weights_only=True)"
    ),
    "callbacks.ModelCheckpoint('w.hdf5', save_weights_only=True)": (
        "callbacks.ModelCheckpoint('w.weights.h5', save_weights_only=True)"
    ),
    "callbacks.ModelCheckpoint('w-{epoch}.hdf5')": "callbacks.ModelCheckpoint('w-{epoch}.h5')",
    "layers.Layer().add_weight('w', (2,))": "layers.Layer().add_weight(name='w', shape=(2,))",
    "utils.to_categorical(y, nb_classes=3)": "utils.to_categorical(y, num_classes=3)",
    "layers.Discretization(bins=[1.0])": "layers.Discretization(bin_boundaries=[1.0])",
    "optimizers.SGD(lr=0.1)": "optimizers.SGD(learning_rate=0.1)",
}

# what is refused, and named
REMARKED = """
from keras.utils import multi_gpu_model
utils.multi_gpu_model(m, gpus=2)
keras.utils.print_summary
from keras.utils import OrderedEnqueuer
from keras.layers import LocallyConnected2D
layers.ThresholdedReLU(0.1)
layers.DenseFeatures
layers.experimental.SyncBatchNormalization
layers.RandomWidth(0.1)
layers.AbstractRNNCell
models.model_from_yaml
models.model_from_config
keras.experimental.LinearModel
keras.estimator
keras.premade_models
keras.mixed_precision.experimental
callbacks.BaseLogger
optimizers.TFOptimizer
constraints.RadialConstraint
metrics.MeanRelativeError
metrics.fmeasure
metrics.cosine
losses.Reduction
losses.is_categorical_crossentropy
keras.applications.mobilenet.relu6
keras.applications.imagenet_utils._obtain_input_shape
layers.Dense(3, activation="swish2")
layers.Dense(3, kernel_initializer="glorot")
layers.GRU(3, recurrent_activation="hard")
keras.preprocessing.image.random_rotation
keras.preprocessing.sequence.TimeseriesGenerator
layers.Dense(3, dynamic=True)
layers.Dense(3, weights=[np.ones((4, 3)), np.ones(3)])
layers.LSTM(3, time_major=True)
layers.RNN([layers.LSTMCell(3)], time_major=True)
layers.BatchNormalization(virtual_batch_size=3)
layers.Attention(causal=True)
layers.Input(shape=(2,), type_spec=None)
activations.relu(x, alpha=0.1)
regularizers.l2(l=0.1)
optimizers.Adam(jit_compile=True)
optimizers.Adam(is_legacy_optimizer=False)
callbacks.ModelCheckpoint("w.keras", load_weights_on_restart=True)
callbacks.TensorBoard("logs", embeddings_data=None)
callbacks.ModelCheckpoint("w", save_weights_only=True)
callbacks.ModelCheckpoint("w" + ".ckpt", save_weights_only=True)
callbacks.ModelCheckpoint(filepath="w-%d.hdf5" % 3, save_weights_only=True)
callbacks.ModelCheckpoint("folder")
m.save_weights("w")
m.save_weights("w.{}.h5".format(1))
m.save_weights("w.ckpt", save_format="tf")
m.save("folder")
m.save("folder/", save_format="tf")
m.save("m.tf")
m.metrics_names.index("acc")
d.output_shape
d.input_shape
d.get_output_at(0)
d.get_output_shape_at(0)
d.inbound_nodes
d.input_mask
d.add_update(None)
d.get_updates_for(None)
d.uses_learning_phase
m.total_loss
m.state_updates
m.compiled_loss
m.optimizer.get_weights()
m.optimizer.minimize
m.fit_generator
m.predict_classes
m.to_yaml()
m.reset_states()
m.compile("sgd", "mse", target_tensors=[x])
m.compile("sgd", "mse", sample_weight_mode={"d": None}, options=None)
m.train_on_batch(x, y, reset_metrics=False)
m.fit(x, y, verbose=0, class_weight="auto")
layers.Layer().add_weight("w", (2,), "uniform")
layers.Layer().add_weight(shape=(2,), partitioner=None)
metrics.Mean().reset_states()
""".strip().splitlines()

FINE = """
import numpy as np
keras.__version__
layers.Dense(3, input_dim=4, name="a", dtype="float32", trainable=False)
layers.Embedding(10, 4, weights=[np.ones((10, 4))])
layers.Dense(3, activation="leaky_relu", kernel_initializer="he_normal", bias_regularizer="l2")
layers.Dense(3, kernel_constraint="MaxNorm")
layers.InputLayer(batch_input_shape=(None, 3))
layers.Lambda(lambda x: x, output_shape=(3,))
keras.datasets.imdb.load_data
keras.applications.vgg16.preprocess_input
keras.Model(inputs=m.inputs, outputs=m.outputs, name="n")
np.save("folder", x)
callbacks.ModelCheckpoint("w.keras")
callbacks.ModelCheckpoint("w-{epoch:02d}.weights.h5", save_weights_only=True)
m.save("m.keras")
m.save_weights("w.weights.h5")
m.get_layer("d").output.shape
m.compile("sgd", "mse", weighted_metrics=["accuracy"], loss_weights=None)
losses.BinaryCrossentropy(from_logits=True, reduction="sum")
""".strip().splitlines()


@pytest.fixture(scope="module")
def names():
    """Those of the head, in real Keras."""
    names = {}
    exec(HEAD, names)
    return names


def in_keras(program, names):
    """What real Keras says against the end of a program; None: it runs."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(program, {**names, "keras": keras})
    except Exception as error:
        return error
    return None


def modernized(program):
    """(the new program without its head, remarks on it)"""
    new, remarks = modernize(HEAD + program)
    first = HEAD.count("\n") + 1
    end = "\n".join(new.splitlines()[first - 1 :])
    assert [r for r in remarks if int(r.split(":")[0].split()[1]) < first] == []
    return end, remarks


@pytest.mark.promise("Paths of weights that the")
@pytest.mark.parametrize("program", TRANSLATED)
def test_what_is_certain_is_translated(program, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert in_keras(program, names) is not None
    new, remarks = modernized(program)
    assert new == TRANSLATED[program] and remarks == []
    assert in_keras(new, names) is None


@pytest.mark.promise("It looks at the new program")
@pytest.mark.parametrize("program", REMARKED)
def test_what_is_not_is_named(program, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    new, remarks = modernized(program)
    assert in_keras(program, names) is not None
    assert remarks and all(len(remark) < 150 for remark in remarks)


@pytest.mark.promise("It looks at the new program")
@pytest.mark.parametrize("program", FINE)
def test_what_keras_takes_is_left_alone(program, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert modernized(program) == (program, [])
    assert in_keras(program, names) is None


def test_lines_are_those_of_the_old_program():
    program = """
    from keras import backend as K
    from keras.utils import np_utils, plot_model
    from keras.layers import (
        Dense,
        Input,
    )
    y = K.mean(
        K.square(x),
        axis=-1)
    model.layers[0].output_shape
    z = K.gradients(y, x)
    model.metrics_names
    """
    _, remarks = modernize(textwrap.dedent(program))
    assert [remark.split(":")[0] for remark in remarks] == ["line 11", "line 12", "line 13"]


@pytest.mark.parametrize("end", ["", "\n", "\n# more"])
def test_the_line_of_a_program_of_few(end):
    assert modernize(f"m.output_shape{end}")[1][0].startswith("line 1:")
    program = f"import tensorflow as tf\nx = tf.keras.layers.Highway{end}"
    assert modernize(program)[1][0].startswith("line 2:")


@pytest.mark.promise("Paths of weights that the")
def test_a_path_that_is_used_for_other_things_is_left():
    program = "model.save_weights('w.h5')\nmodel.save('w.h5')\n"
    new, remarks = modernize(program)
    assert new == program and len(remarks) == 1 and remarks[0].startswith("line 1:")


def test_other_names_for_keras_and_what_comes_from_everywhere():
    program = """
    import tensorflow as tf
    from keras.layers import *
    keras = tf.keras
    layers = keras.layers
    layers.Highway()
    with tf.GradientTape() as tape:
        tf.Session()
    """
    _, remarks = modernize(textwrap.dedent(program))
    lines = [remark.split(":")[0] for remark in remarks]
    assert lines == ["line 3", "line 6", "line 7", "line 8"], remarks


def test_inside_of_f_strings():
    """Where Python 3.11 does not know where things are, they are left."""
    program = textwrap.dedent("""
    import keras.backend as K
    model.save_weights("w.h5")
    a = f"{folder}w.h5"
    b = f"x {h.history['acc']:.3f} é {K.mean(x)}"
    c = f'''
    {h.history['acc']}
      {K.mean(x)} {"w.h5"}
    '''
    d = f'{h.history["acc"]}'
    """)
    new, _ = modernize(program)
    assert "d = f'{h.history[\"accuracy\"]}'" in new
    assert 'a = f"{folder}w.h5"' in new and 'save_weights("w.weights.h5")' in new
    old_tree, tree = ast.parse(program), ast.parse(new)
    assert len(tree.body) - len(old_tree.body) in (0, 1)  # `import keras`
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            assert all(isinstance(v, (ast.Constant, ast.FormattedValue)) for v in node.values)


def test_names_of_others_are_left():
    for line in ("shape.output_shape", "mse = 3", "plt.save('folder')", "self.input_shape"):
        program = f"import matplotlib.pyplot as plt, shape\n{line}\n"
        assert modernize(program) == (program, [])


LOSS_OF_GRAPH = """
from keras import Input, Model, layers, ops
x = Input((3,))
y = layers.Dense(3)(x)
def uses(a, b):
    return ops.mean(a - b) + ops.mean(y)
def has_its_own(a, b, y=1.0):
    return ops.mean(a - b) * y
def is_not_handed_on(a):
    return layers.Dense(1)(y)
"""


@pytest.mark.parametrize(
    ("end", "lines"),
    [
        ('Model(x, y).compile("sgd", loss=uses)', [6]),
        ('Model(x, y).compile("sgd", {"a": uses}, metrics=[has_its_own])', [6]),
        ("layers.Lambda(uses)", [6]),
        ('Model(x, y).compile("sgd", has_its_own)', []),
        ("Model(x, is_not_handed_on(x))", []),
    ],
)
def test_a_function_that_uses_tensors_of_the_graph(end, lines):
    _, remarks = modernize(LOSS_OF_GRAPH + end)
    assert [int(r.split(":")[0].split()[1]) for r in remarks] == lines, remarks


def test_keras_runs_no_such_loss():
    names = {}
    exec(LOSS_OF_GRAPH + 'm = Model(x, y)\nm.compile("sgd", loss=uses)', names)
    with pytest.raises(ValueError, match="KerasTensor"):
        names["m"].fit(np.ones((4, 3)), np.ones((4, 3)), verbose=0)
