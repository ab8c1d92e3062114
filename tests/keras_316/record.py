"""Records what Keras 3.16 gives for the programs of `programs.py`.

    PYTHONPATH=FOLDER_OF_KERAS_316:. KERAS_BACKEND=jax python tests/keras_316/record.py

Calibration is mended as for Keras 3.15, see `tests/parity/test_calibration.py`.
"""

import json
import warnings

import keras
from keras.src.quantizers import awq_core, gptq_core

from tests.keras_316.programs import PROGRAMS, RECORDED
from tests.parity.test_calibration import watched


def main():
    """Runs each, and writes what it gave."""
    found = {}
    gptq_core.stream_hessians = awq_core.stream_activations = watched
    gptq_core.hash = lambda value: 0
    for name, program in PROGRAMS.items():
        keras.utils.clear_session()
        keras.utils.set_random_seed(7)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found[name] = program(keras)
    RECORDED.write_text(
        json.dumps({"keras": keras.__version__, "programs": found}, indent=0) + "\n"
    )


if __name__ == "__main__":
    main()
