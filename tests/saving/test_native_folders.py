"""Folders of transformers as models of jkeras's own layers, beside recorded outputs of torch."""

import json
import pathlib

import numpy as np
import pytest

import jkeras
from jkeras.saving import safetensors
from jkeras.saving.hugging_face import files
from tests.saving import native_models

RECORDED = pathlib.Path(__file__).parent / "native"
RECORDS = {path.stem: json.loads(path.read_text()) for path in sorted(RECORDED.glob("*.json"))}
VARIANTS = [(kind, variant) for kind, records in RECORDS.items() for variant in records]


class Array:
    """What the writer of files asks of a weight."""

    def __init__(self, value):
        self.value, self.shape, self.own_dtype = value, value.shape, str(value.dtype)


def weights_of(record, dtype="float32"):
    shapes = record["shapes"]
    return {name: native_models.weight(name, shape).astype(dtype) for name, shape in shapes.items()}


def written(folder, record, weights=None, **entries):
    """A folder as transformers wrote it."""
    folder.mkdir(exist_ok=True, parents=True)
    weights = weights_of(record) if weights is None else weights
    safetensors.write(
        {name: Array(value) for name, value in weights.items()},
        str(folder / files.WEIGHTS),
        framework="pt",
    )
    (folder / files.CONFIG).write_text(json.dumps({**record["config"], **entries}))
    return folder


def read(folder, record, **arguments):
    return jkeras.saving.from_transformers(folder, record["task"], native=True, **arguments)


def expected(record):
    outputs = record["outputs"]
    return np.array(outputs["values"], "float32").reshape(outputs["shape"])


def difference(values, others):
    return float(np.abs(np.asarray(values, "float32") - others).max() / np.abs(others).max())


def arrays_in(folder):
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        with open(path, "rb") as file:
            from jkeras.saving.checksums import Checksums

            with Checksums() as sums:
                found.update({k: np.array(v.read(sums)) for k, v in safetensors.read(file).items()})
    return found


@pytest.mark.parametrize("kind, variant", VARIANTS)
def test_logits_are_those_of_torch_and_the_folder_comes_back(tmp_path, kind, variant):
    record = RECORDS[kind][variant]
    model = read(written(tmp_path / "theirs", record), record)
    assert difference(model(native_models.TOKENS), expected(record)) < 1e-5
    jkeras.saving.to_transformers(model, tmp_path / "ours")
    ours = arrays_in(tmp_path / "ours")
    theirs = weights_of(record)
    assert sorted(ours) == sorted(theirs)
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value)
    again = read(tmp_path / "ours", record)
    np.testing.assert_array_equal(again(native_models.TOKENS), model(native_models.TOKENS))
