"""A graph with two inputs and two outputs: one image and one number in, a digit and whether it is
even out.
"""

import numpy as np

import jkeras
from jkeras import Input, Model, layers
from jkeras.datasets import digits


def build_model():
    """A model from {"image", "ink"} to {"digit", "even"}; both heads stand on one shared trunk."""
    image = Input((8, 8), name="image")
    ink = Input((1,), name="ink")  # the mean of the pixels
    trunk = layers.Concatenate()([layers.Flatten()(image), ink])
    trunk = layers.Dense(96, activation="relu", name="trunk")(trunk)
    digit = layers.Dense(10, activation="softmax", name="digit")(trunk)
    even = layers.Dense(1, activation="sigmoid", name="even")(layers.Concatenate()([trunk, digit]))
    return Model(inputs={"image": image, "ink": ink}, outputs={"digit": digit, "even": even})


def prepare(images, labels):
    """Inputs and targets by name."""
    images = images.astype("float32") / 16
    inputs = {"image": images, "ink": images.mean(axis=(1, 2))[:, None]}
    return inputs, {"digit": labels, "even": (labels % 2 == 0).astype("float32")[:, None]}


def main(epochs=15):
    """Trains, prints and returns the accuracy of both outputs on the test data."""
    jkeras.utils.set_random_seed(0)
    (x, y), (x_test, y_test) = (prepare(*part) for part in digits.load_data())
    model = build_model()
    model.compile(
        optimizer=jkeras.optimizers.Adam(3e-3),
        loss={"digit": "sparse_categorical_crossentropy", "even": "binary_crossentropy"},
        loss_weights={"digit": 1.0, "even": 0.5},
        metrics={"digit": ["accuracy"], "even": ["accuracy"]},
    )
    model.fit(x, y, epochs=epochs, validation_split=0.1, verbose=2)
    results = model.evaluate(x_test, y_test, verbose=0, return_dict=True)
    # the same weights, cut at the trunk
    features = Model(model.inputs, model.get_layer("trunk").output)
    print("features:", features.predict(x_test, verbose=0).shape)
    accuracies = {name: results[f"{name}_accuracy"] for name in ("digit", "even")}
    print(", ".join(f"{name} accuracy: {np.round(value, 4)}" for name, value in accuracies.items()))
    return accuracies


if __name__ == "__main__":
    main()
