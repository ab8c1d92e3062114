"""Records what Keras 3.16 gives for the programs of `programs.py`.

    PYTHONPATH=FOLDER_OF_KERAS_316:. KERAS_BACKEND=jax python tests/keras_316/record.py

Calibration is mended as for Keras 3.15, see `tests/parity/test_calibration.py`.
"""

import json
import warnings

import keras
import numpy as np
from keras.src.quantizers import awq_core, gptq_core

from tests.keras_316.programs import PROGRAMS, RECORDED, WRITTEN, plain, random
from tests.parity.test_calibration import watched


def write_model():
    """A file of Keras 3.16, and what the model in it gives for ones."""
    model = keras.Sequential(
        [keras.Input((6,)), keras.layers.LayerNormalization(axis=-1), keras.layers.Dense(2)]
    )
    model.compile("sgd", keras.losses.Huber(delta=3.0))
    model.set_weights([random(w.shape, i) for i, w in enumerate(model.weights)])
    model.save(WRITTEN)
    return plain(model(np.arange(6.0).reshape(1, 6)))


def main():
    """Runs each, and writes what it gave."""
    found = {"written": write_model()}
    gptq_core.stream_hessians = awq_core.stream_activations = watched
    gptq_core.hash = lambda value: 0
    for name, program in PROGRAMS.items():
        keras.utils.clear_session()
        keras.utils.set_random_seed(7)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found[name] = program(keras)
    lines = [f"{json.dumps(name)}: {json.dumps(given)}" for name, given in found.items()]
    RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
