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
