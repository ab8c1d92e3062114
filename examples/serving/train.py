"""From data to a model that can be served: `python train.py FOLDER` trains a classifier of digits,
calibrates and explains it, and writes `digits.onnx` into the folder.

The temperature and the threshold of the sets are inside the exported graph: the server computes
nothing of its own. Beside it lie `expected.npz`, the test images and what the model says of them,
and `report.json`, what was measured. Needs `pip install jax2onnx onnxruntime`.
"""

import argparse
import json
import pathlib

import numpy as np

import jkeras
from jkeras import explain, layers, ops, uncertainty
from jkeras.datasets import digits
from jkeras.uncertainty import conformal

FITTED_ON = 838  # of 1,438 images; of the others, 300 are for the temperature and 300 for the sets
HELD_OUT = 300
NOISE = 6.0  # its standard deviation, of pixels from 0 to 16: the images of a bad camera
ALPHA = 0.05  # the share of images whose set may miss the digit


class Served(jkeras.Model):
    """What is exported: images to calibrated probabilities, and to which digits an image may be.

    Args:
        logits: a calibrated model that gives logits.
        fitted: the threshold of the sets, as of `conformal.fit`.
    """

    def __init__(self, logits, fitted):
        super().__init__()
        self.logits = logits
        self.fitted = fitted

    def call(self, images):
        probabilities = ops.softmax(self.logits(images))
        in_set = conformal.predict_sets(self.fitted, probabilities, allow_empty=False)
        return {"probabilities": probabilities, "in_set": in_set}


def load_data():
    """Noisy digits: (images, labels) to train on, for the temperature, for the sets, to test."""
    rng = np.random.default_rng(0)
    parts = []
    for images, labels in digits.load_data():
        noise = rng.normal(0, NOISE, images.shape)
        parts.append((np.clip(images + noise, 0, 16).astype("float32")[..., None], labels))
    (x, y), test = parts
    cuts = [FITTED_ON, FITTED_ON + HELD_OUT]
    return [*zip(np.split(x, cuts), np.split(y, cuts)), test]


def train(images, labels, epochs, width=32):
    """A classifier that gives logits."""
    model = jkeras.Sequential(
        [
            jkeras.Input((8, 8, 1)),
            layers.Rescaling(1 / 16),
            layers.Conv2D(width, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(2 * width, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10),
        ]
    )
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(jkeras.optimizers.Adam(1e-3), loss)
    model.fit(images, labels, epochs=epochs, verbose=0)
    return model


def calibrate(model, for_temperature, for_sets):
    """The model to export: calibrated, with sets; and the temperature."""
    images, labels = for_temperature
    temperature = uncertainty.temperature(model.predict(images, verbose=0), labels)
    calibrated = uncertainty.calibrated(model, temperature)
    images, labels = for_sets
    fitted = conformal.fit(probabilities_of(calibrated, images), labels, alpha=ALPHA)
    return Served(calibrated, fitted), float(temperature)


def probabilities_of(model, images):
    """What a model that gives logits says, as probabilities."""
    return np.asarray(ops.softmax(model.predict(images, verbose=0)))


def measure(model, served, images, labels):
    """What the model reaches on images it has not seen, before and after calibration."""
    before = probabilities_of(model, images)
    answers = served.predict(images, verbose=0)
    after, in_set = answers["probabilities"], answers["in_set"]
    rows = np.arange(len(labels))
    return {
        "accuracy": float(np.mean(after.argmax(-1) == labels)),
        "loss_before": float(-np.log(before[rows, labels]).mean()),
        "loss": float(-np.log(after[rows, labels]).mean()),
        "ece_before": float(uncertainty.expected_calibration_error(labels, before)),
        "ece": float(uncertainty.expected_calibration_error(labels, after)),
        "coverage": float(in_set[rows, labels].mean()),
        "set_size": float(in_set.sum(-1).mean()),
    }


def explained(model, images, labels):
    """The probability of the label while pixels are deleted, those first that integrated gradients
    find, as a part of what it is while random ones are: low where these pixels count.
    """
    shares = explain.integrated_gradients(model, images, labels)
    chance = np.random.default_rng(0).normal(size=shares.shape)
    probable = jkeras.Sequential([model, layers.Softmax()])
    found = explain.deletion(probable, images, shares, labels).mean()
    return {"deletion": float(found / explain.deletion(probable, images, chance, labels).mean())}


def write(served, images, report, folder):
    """The model, and what a test of the server needs."""
    folder.mkdir(parents=True, exist_ok=True)
    served.export(folder / "digits.onnx", format="onnx", verbose=False)
    answers = served.predict(images, verbose=0)
    np.savez(folder / "expected.npz", images=images[..., 0], **answers)
    (folder / "report.json").write_text(json.dumps(report, indent=1))


def main(folder, epochs=30, width=32):
    """Trains, calibrates, explains, writes; prints and returns the report."""
    jkeras.utils.set_random_seed(0)
    for_training, for_temperature, for_sets, (images, labels) = load_data()
    model = train(*for_training, epochs, width)
    served, temperature = calibrate(model, for_temperature, for_sets)
    report = {
        "temperature": temperature,
        "threshold": float(1 - served.fitted.threshold),
        **measure(model, served, images, labels),
        **explained(model, images[:100], labels[:100]),
    }
    write(served, images, report, pathlib.Path(folder))
    for name, value in report.items():
        print(f"{name}: {value:.4f}")
    return report


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="to write to")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--width", type=int, default=32, help="filters of the first convolution")
    options = parser.parse_args()
    main(options.folder, options.epochs, options.width)
