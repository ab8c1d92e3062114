"""Attention over a sequence; the package says `from tensorflow import keras`."""

import keras
import numpy as np
from keras_self_attention import ScaledDotProductAttention

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
layer = ScaledDotProductAttention(return_attention=True)
found, attention = layer(x)
print("attended", np.round(np.array(found)[0, 0], 3).tolist())
print("attention", np.round(np.array(attention)[0, 0], 3).tolist())
