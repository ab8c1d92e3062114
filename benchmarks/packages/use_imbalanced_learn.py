"""Batches of as many rows of each class."""

import keras
import numpy as np
from imblearn.keras import BalancedBatchGenerator

keras.utils.set_random_seed(0)
rows = np.random.default_rng(0)
x, y = rows.normal(size=(60, 3)).astype("float32"), np.array([0] * 50 + [1] * 10)
batches = BalancedBatchGenerator(x, y, batch_size=5, random_state=0)
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
model.compile("sgd", "binary_crossentropy")
history = model.fit(batches, shuffle=False, epochs=2, verbose=0)
print("fit", len(batches), [round(loss, 3) for loss in history.history["loss"]])
