"""`python -m jkeras modernize`: one construction at a time."""

import pytest

from jkeras.keras2.modernize import modernize

CASES = {
    "modules": ("from keras.layers.core import Dense", "from keras.layers import Dense"),
    "tf.keras": ("from tensorflow.keras import layers", "from keras import layers"),
    "np_utils": ("from keras.utils import np_utils", "from keras import utils as np_utils"),
    "old class": (
        "from keras.layers import Convolution2D\nConvolution2D(8, 3, 3, border_mode='same')",
        "from keras.layers import Conv2D\nConv2D(8, (3, 3), padding='same')",
    ),
    "comments and lines": (
        "from keras.layers import Dense\nx = Dense(output_dim=3,  # out\n          init='zero')",
        "from keras.layers import Dense\n"
        "x = Dense(units=3,  # out\n          kernel_initializer='zeros')",
    ),
    "last argument goes": (
        "from keras.layers import LSTM\nLSTM(3, consume_less='gpu')",
        "from keras.layers import LSTM\nLSTM(3)",
    ),
    "only argument goes": (
        "model.fit_generator(use_multiprocessing=True)",
        "model.fit()",
    ),
    "backend": (
        "from keras import backend as K\ny = K.mean(K.square(x), axis=-1)",
        "import keras\nfrom keras import backend as K\n"
        "y = keras.ops.mean(keras.ops.square(x), axis=-1)",
    ),
    "backend's default axis": (
        "import keras\nimport keras.backend as K\ny = K.argmax(x)",
        "import keras\nimport keras.backend as K\ny = keras.ops.argmax(x, axis=-1)",
    ),
    "not of Keras": ("from os.path import join\njoin(output_dim=1)",) * 2,
    "unicode": (
        "from keras.layers import Dense\ns = 'é'; Dense(output_dim=2)  # ü",
        "from keras.layers import Dense\ns = 'é'; Dense(units=2)  # ü",
    ),
    "history": ("h.history['val_acc']", "h.history['val_accuracy']"),
    "what is logged": (
        "logs.get('acc'); logs['lr']; d['lr']; h.history.get('val_acc')",
        "logs.get('accuracy'); logs['learning_rate']; d['lr']; h.history.get('val_accuracy')",
    ),
    "a metric alone": (
        "model.compile('sgd', 'mse', metrics='acc')",
        "model.compile('sgd', 'mse', metrics=[\"accuracy\"])",
    ),
    "defaults of old optimizers": (
        "from keras.optimizers import Adam\nAdam(lr=0.1, epsilon=None, decay=0.0)",
        "from keras.optimizers import Adam\nAdam(learning_rate=0.1)",
    ),
    "backend by another name": (
        "import keras\nK = keras.backend\nK.mean(x)",
        "import keras\nK = keras.backend\nkeras.ops.mean(x)",
    ),
    "TensorFlow for tf.keras alone": (
        "import tensorflow as tf\nm = tf.keras.Sequential()",
        "import keras\nm = keras.Sequential()",
    ),
    "TensorFlow for more": (
        "import tensorflow as tf\nm = tf.keras.Sequential()\nd = tf.data.Dataset",
        "import keras\nimport tensorflow as tf\nm = keras.Sequential()\nd = tf.data.Dataset",
    ),
    "distribution": (
        "import keras\nkeras.initializers.VarianceScaling(distribution='normal')",
        "import keras\nkeras.initializers.VarianceScaling(distribution='truncated_normal')",
    ),
    "learning rate": (
        "from keras.optimizers import SGD\nSGD(lr=0.1)",
        "from keras.optimizers import SGD\nSGD(learning_rate=0.1)",
    ),
}


@pytest.mark.promise("`modernize` changes what")
@pytest.mark.parametrize("name", CASES)
def test_case(name):
    old, new = CASES[name]
    assert modernize(old)[0] == new


@pytest.mark.promise("`modernize` changes what")
def test_what_needs_a_hand_is_named_by_its_line():
    _, remarks = modernize("import keras.backend as K\n\ng = K.gradients(y, x)")
    assert remarks == ["line 3: backend.gradients: take jax.grad of a function"]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (
            "from keras.models import load_model\nload_model('folder')",
            "line 2: load_model: its path",
        ),
        ("import keras\nK = keras.backend\nK.get_session()", "line 3: backend.get_session"),
        (
            "from keras.utils import multi_gpu_model\nmulti_gpu_model(m)",
            "line 2: multi_gpu_model is",
        ),
        ("import keras.backend as K\nK.random_normal((2,))", "line 2: backend.random_normal: in a"),
        ("import tensorflow as tf\ntf.reduce_mean(x)", "line 2: tf.reduce_mean: keras.ops.mean"),
        ("import tensorflow as tf\ntf.math.log(x)", "line 2: tf.math.log: keras.ops.log"),
        ("import tensorflow as tf\n@tf.function\ndef f(): pass", "line 2: tf.function: remove it"),
        ("import keras\nkeras.optimizers.SGD(lr=1.0, decay=1e-6)", "line 2: SGD(decay=)"),
    ],
)
def test_remarks(line, text):
    assert any(remark.startswith(text) for remark in modernize(line)[1])


def test_nothing_is_said_of_other_programs():
    program = "import tensorflow as tf\nd = tf.data.Dataset.range(3)\nwith open('x') as f: f.read()"
    assert modernize(program) == (program, [])
