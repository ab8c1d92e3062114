"""U-Nets of several kinds."""

import keras
import numpy as np
from keras_unet_collection import losses, models

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).uniform(size=(1, 32, 32, 3)).astype("float32")
for name in ("unet_2d", "r2_unet_2d"):
    options = {"filter_num": [4, 8, 16], "n_labels": 2}
    model = getattr(models, name)((32, 32, 3), **options, output_activation="Softmax")
    print(name, model.count_params(), tuple(model(x).shape))
print("dice", round(float(losses.dice(np.ones((1, 4)), np.full((1, 4), 0.5))), 4))
