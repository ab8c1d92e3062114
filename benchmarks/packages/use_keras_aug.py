"""Augmentations of images whose factors leave nothing to chance."""

import keras
import keras_aug
import numpy as np

x = np.random.default_rng(0).uniform(0, 255, size=(2, 8, 8, 3)).astype("float32")
vision = keras_aug.layers.vision
print("Resize", tuple(vision.Resize((4, 4))(x).shape))
print("CenterCrop", np.round(np.array(vision.CenterCrop(2)(x))[0, 0, 0], 2).tolist())
print(
    "Grayscale", round(float(np.array(vision.RandomGrayscale(p=1.0)(x, training=True)).mean()), 2)
)
flipped = vision.RandomFlip(p=1.0)(x, training=True)
print("RandomFlip", np.allclose(np.array(flipped), x[:, :, ::-1]))
print("Normalize", tuple(vision.Normalize()(x / 255).shape))
pipeline = keras.Sequential([vision.Resize((4, 4)), vision.Rescale(scale=1 / 255.0)])
print("Sequential", round(float(np.array(pipeline(x)).mean()), 4))
