"""A trained model becomes one file, and a process that knows only JAX and numpy serves it.

`model.export` writes StableHLO with the weights beside it, for any batch size and for CPU, GPU and
TPU. The server is the twenty lines of `SERVER`: it would run on a machine that has neither jkeras
nor this program. Needs `pip install flatbuffers`. Run it with `python
examples/export_and_serve.py`.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import jkeras
from jkeras import layers
from jkeras.datasets import digits

SERVER = """
import json, sys
import jax
import numpy as np
from jax import export

program, requests, answers = sys.argv[1:]
with np.load(program) as file:
    contents = json.loads(file["contents.json"])
    endpoint = contents["endpoints"]["serve"]
    model = export.deserialize(bytearray(file[endpoint["program"]]))
    dtypes = [description["dtype"] for description in contents["weights"]]
    weights = [file[f"weights/{i}"].view(dtypes[i]) for i in endpoint["weights"]]
weights, serve = jax.device_put(weights), jax.jit(model.call)
images = np.load(requests)
batches = images[:1], images[1:]  # of any sizes
np.save(answers, np.concatenate([serve(weights, batch) for batch in batches]))
assert not any(name.split(".")[0] in ("jkeras", "keras", "optax") for name in sys.modules)
"""


def train(epochs):
    """A classifier of digits."""
    (x, y), _ = digits.load_data()
    model = jkeras.Sequential(
        [
            jkeras.Input((8, 8, 1)),
            layers.Rescaling(1 / 16),
            layers.Conv2D(16, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.3),  # does nothing when it serves
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(jkeras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(x[..., None].astype("float32"), y, epochs=epochs, verbose=0)
    return model


def main(epochs=10):
    """Trains, exports, serves; prints and returns the served accuracy and the largest difference to
    `predict`.
    """
    jkeras.utils.set_random_seed(0)
    _, (x, y) = digits.load_data()
    x = x[..., None].astype("float32")
    model = train(epochs)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model.export(folder / "digits.stablehlo", verbose=False)
        print(f"the file has {(folder / 'digits.stablehlo').stat().st_size / 1024:.0f} KiB")
        np.save(folder / "images.npy", x)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        subprocess.run(
            [
                sys.executable,
                "-c",
                SERVER,
                folder / "digits.stablehlo",
                folder / "images.npy",
                folder / "answers.npy",
            ],
            check=True,
            cwd=folder,
            env=environment,
        )
        answers = np.load(folder / "answers.npy")
    accuracy = float(np.mean(answers.argmax(-1) == y))
    difference = float(np.abs(answers - model.predict(x, verbose=0)).max())
    print(f"served test accuracy {accuracy:.4f}; largest difference to predict {difference:.1e}")
    return accuracy, difference


if __name__ == "__main__":
    main()
