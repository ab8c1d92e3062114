"""A file that Keras wrote, `data/digits_by_keras.keras`: opened, tested, cut open, trained further,
and written back.

Nothing of Keras is needed. The file holds architecture, weights, loss and optimizer of a small
ConvNet that Keras 3.15.1 trained for four epochs on the digits. What jkeras saves, Keras opens. Run
it with `python examples/keras_file.py`.
"""

import pathlib
import tempfile

import numpy as np

import jkeras
from jkeras.datasets import digits

FILE = pathlib.Path(__file__).parent / "data" / "digits_by_keras.keras"


def main(epochs=10):
    """Prints and returns the test accuracy of the file's model before and after more training, and
    of what is saved.
    """
    jkeras.utils.set_random_seed(0)
    (x, y), (x_test, y_test) = digits.load_data()
    x, x_test = x[..., None] / np.float32(16), x_test[..., None] / np.float32(16)
    model = jkeras.models.load_model(FILE)  # compiled, as it was saved
    model.summary()
    accuracies = {"as it came": model.evaluate(x_test, y_test, verbose=0)[1]}

    features = jkeras.Model(model.input, model.get_layer("features").output)
    print("features of an image:", features.predict(x_test[:1], verbose=0).shape)

    # goes on with Keras's optimizer, at its step and with its moments
    model.fit(x, y, epochs=epochs, verbose=0)
    accuracies["trained on"] = model.evaluate(x_test, y_test, verbose=0)[1]
    with tempfile.TemporaryDirectory() as folder:
        model.save(pathlib.Path(folder) / "digits.keras")
        again = jkeras.models.load_model(pathlib.Path(folder) / "digits.keras")
    accuracies["saved and opened"] = again.evaluate(x_test, y_test, verbose=0)[1]
    print(
        ", ".join(f"{name}: test accuracy {accuracy:.4f}" for name, accuracy in accuracies.items())
    )
    return accuracies


if __name__ == "__main__":
    main()
