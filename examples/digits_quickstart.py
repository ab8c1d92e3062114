"""Trains a small convolutional network on the handwritten digits and tests it on images it has not
seen.
"""

import jkeras
from jkeras import layers
from jkeras.datasets import digits


def build_model(steps):
    """A compiled network for images of 8 by 8 pixels, whose learning rate falls to zero over so
    many steps.
    """
    model = jkeras.Sequential(
        [
            jkeras.Input((8, 8, 1)),
            layers.Rescaling(1 / 16),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        optimizer=jkeras.optimizers.Adam(jkeras.optimizers.schedules.CosineDecay(2e-3, steps)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def main(epochs=20, batch_size=32, seed=0):
    """Trains and prints; returns the accuracy on the test data."""
    jkeras.utils.set_random_seed(seed)
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    x_train, x_test = x_train[..., None], x_test[..., None]  # (images, 8, 8, 1)
    model = build_model(steps=epochs * -(-len(x_train) // batch_size))
    model.summary()
    model.fit(x_train, y_train, batch_size=batch_size, epochs=epochs)
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"test accuracy: {accuracy:.4f}")
    return accuracy


if __name__ == "__main__":
    main()
