"""Files that Keras 2.3 to 3.14 and tf.keras wrote (`record_old.py`) give the same weights, predictions and training."""

import io
import json
import pathlib
import zipfile

import numpy as np
import pytest

import jkeras
from tests.saving import old_models

FOLDER = pathlib.Path(__file__).parent / "old"
FAST = {  # one of each idea; the others are slow
}
LOOSE = {"mixed": 2e-3}
TRAINS_DIFFERENTLY = [  # file or case: where two libraries cannot go on alike
    "keras-2.3.1/opt_adam",  # reads its step before or after adding one, as it happens
]


def recorded():
    for path in sorted(FOLDER.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name, facts in json.loads(archive.read("expected.json")).items():
                for file in facts["files"]:
                    mark = () if f"{path.stem}/{file}" in FAST else pytest.mark.slow
                    yield pytest.param(path.stem, name, file, facts, id=f"{path.stem}/{file}", marks=mark)
