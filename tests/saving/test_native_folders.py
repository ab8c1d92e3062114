"""Folders of transformers as models of jkeras's own layers, beside recorded outputs of torch."""

import json
import pathlib

import numpy as np
import pytest

import jkeras
from jkeras.saving import safetensors
from jkeras.saving.hugging_face import files
from jkeras.saving.hugging_face.native.families import planned
from tests.saving import native_models

# what transformers has, and does not add
WITHOUT_EFFECT = {"cls.predictions.bias", "lm_head.bias"}
POOLERS = {"pooler.dense.weight", "pooler.dense.bias"}
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


def outputs_of(model, record):
    config = record["config"]
    inputs = native_models.inputs_of(config["model_type"], config)
    if not isinstance(model.input, dict):
        return model(inputs["tokens"])
    named = {"token_ids": inputs["tokens"], "padding_mask": inputs["mask"]}
    named["segment_ids"] = inputs["segments"]
    # a text of one kind of tokens has segments of zeros
    if config.get("type_vocab_size", 1) == 1:
        named["segment_ids"] = np.zeros_like(inputs["segments"])
    return model({name: named[name] for name in model.input})


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
    assert difference(outputs_of(model, record), expected(record)) < 1e-5
    jkeras.saving.to_transformers(model, tmp_path / "ours")
    ours = arrays_in(tmp_path / "ours")
    theirs = weights_of(record)
    if record["config"].get("tie_word_embeddings") is False:
        theirs = {name: value for name, value in theirs.items() if name not in WITHOUT_EFFECT}
    left = POOLERS & set(theirs) if record["task"] == "backbone" else set()
    assert sorted(ours) == sorted(set(theirs) - left)
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name])
    config = files.read_config(str(tmp_path / "ours"))
    assert planned(config, record["task"])[2] == model.plan
    assert config["architectures"] == record["config"]["architectures"]
