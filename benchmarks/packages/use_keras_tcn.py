"""A temporal convolutional network trained on means of series; it is written for `tf.keras`."""

import keras
import numpy as np
from tcn import TCN
from tensorflow.keras.layers import Dense
from tensorflow.keras.models import Sequential

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).random((32, 20, 1)).astype("float32")
layer = TCN(input_shape=(20, 1), nb_filters=4, kernel_size=2, dilations=[1, 2, 4])
model = Sequential([layer, Dense(1)])
model.compile(optimizer="adam", loss="mse")
history = model.fit(x, x.mean(axis=1), epochs=2, shuffle=False, verbose=0)
print("fit", [round(loss, 2) for loss in history.history["loss"]], model.count_params())
print("receptive field", layer.receptive_field)
