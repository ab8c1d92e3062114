"""Image classification with few labels: 100 digits, moved, turned and zoomed anew in every epoch,
or as they are.

Augmentation is three layers inside the model. They change images in training only, so `evaluate`
and `predict` see images as they are. Both networks are tested on the other 1,697 digits. Run it
with `python examples/image_augmentation.py`.
"""

import numpy as np

import jkeras
from jkeras import layers
from jkeras.datasets import digits


def augmentation():
    """Layers that draw another variant of each image in each step of training."""
    return [
        layers.RandomTranslation(0.05, 0.05, fill_mode="constant"),
        layers.RandomRotation(0.04, fill_mode="constant"),
        layers.RandomZoom(0.15, fill_mode="constant"),
    ]


def build_model(first):
    """A compiled ConvNet for images of 8 by 8 pixels, with some layers before it."""
    model = jkeras.Sequential(
        [
            jkeras.Input((8, 8, 1)),
            layers.Rescaling(1 / 16),
            *first,
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        jkeras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def main(epochs=300, images=100):
    """Trains with and without; prints and returns both accuracies on all images that neither was
    trained on.
    """
    x, y = (np.concatenate(parts) for parts in zip(*digits.load_data()))
    x = x[..., None]  # (images, 8, 8, 1)
    accuracies = {}
    for name, first in {"plain": list, "augmented": augmentation}.items():
        jkeras.utils.set_random_seed(0)  # before layers are made, which draw their seeds
        model = build_model(first())
        model.fit(x[:images], y[:images], batch_size=20, epochs=epochs, verbose=0)
        _, accuracies[name] = model.evaluate(x[images:], y[images:], verbose=0)
    print(
        ", ".join(f"{name}: test accuracy {accuracy:.4f}" for name, accuracy in accuracies.items())
    )
    return accuracies


if __name__ == "__main__":
    main()
