"""Transfer learning: a network that knows the digits 0 to 4 learns 5 to 9 from five images of each.

The digits lie anywhere in larger, noisy images, which is what the trunk learns to cope with where
there are many images. Then it is frozen, and a new head learns on top of it; then all of it is
unfrozen and trained on with a small learning rate. `compile` after each change of `trainable`, as
in Keras. The trunk is called with `training=False`, so BatchNormalization keeps the statistics it
learnt. A network trained on the 25 images alone is the baseline. Run it with `python
examples/transfer_learning.py`.
"""

import numpy as np

import jkeras
from jkeras import layers
from jkeras.datasets import digits

SIZE = 16


def make_trunk():
    """Images to features."""
    return jkeras.Sequential(
        [
            jkeras.Input((SIZE, SIZE, 1)),
            layers.Conv2D(32, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Conv2D(128, 3, activation="relu"),
            layers.GlobalMaxPooling2D(),
        ],
        name="trunk",
    )


def with_head(trunk, training=None):
    """A classifier of five classes on a trunk."""
    image = jkeras.Input((SIZE, SIZE, 1))
    features = layers.Dropout(0.2)(trunk(image, training=training))
    return jkeras.Model(image, layers.Dense(5, activation="softmax", name="head")(features))


def train(model, data, rate, epochs):
    """Compiles, since `trainable` may have changed, and trains."""
    model.compile(
        jkeras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(*data, batch_size=32, epochs=epochs, verbose=0)


def placed(images, labels, copies=1, seed=0):
    """Each image in so many larger ones, somewhere, under noise; labels begin at 0."""
    rng = np.random.default_rng(seed)
    images, labels = np.repeat(images, copies, axis=0), np.repeat(labels, copies)
    canvas = 0.15 * rng.normal(size=(len(images), SIZE, SIZE, 1)).astype("float32")
    for image, target in zip(images, canvas):
        row, column = rng.integers(0, SIZE - 8 + 1, 2)
        target[row : row + 8, column : column + 8, 0] += image / 16
    return canvas, labels - labels.min()


def main(epochs=10, few_epochs=80, copies=5, shots=5):
    """Prints and returns the accuracy on unseen digits from 5 to 9 of each way."""
    jkeras.utils.set_random_seed(0)
    (x, y), (x_test, y_test) = digits.load_data()
    chosen = np.concatenate([np.flatnonzero(y == digit)[:shots] for digit in range(5, 10)])
    plenty, few = placed(x[y < 5], y[y < 5], copies), placed(x[chosen], y[chosen])
    test = placed(x_test[y_test >= 5], y_test[y_test >= 5], copies=4)
    accuracies = {}

    scratch = with_head(make_trunk())
    train(scratch, few, 1e-3, 2 * few_epochs)
    accuracies["from scratch"] = scratch.evaluate(*test, verbose=0)[1]

    trunk = make_trunk()
    train(with_head(trunk), plenty, 1e-3, epochs)

    model = with_head(trunk, training=False)
    trunk.trainable = False
    train(model, few, 5e-3, few_epochs)
    accuracies["new head"] = model.evaluate(*test, verbose=0)[1]

    trunk.trainable = True
    train(model, few, 3e-4, few_epochs)
    accuracies["fine-tuned"] = model.evaluate(*test, verbose=0)[1]
    print(", ".join(f"{name}: {accuracy:.4f}" for name, accuracy in accuracies.items()))
    return accuracies


if __name__ == "__main__":
    main()
