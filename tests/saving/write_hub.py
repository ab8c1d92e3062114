"""Folders that keras-hub's own converters read, written again by `to_transformers`: a program, run
by `python -m jkeras run`, that prints one line of JSON for each model type.
"""

import json
import pathlib
import tempfile

import numpy as np
import torch
import transformers

import jkeras
from tests.saving import native_models
from tests.saving import test_native_folders as recorded

LAYERS = {"gemma2": 2, "gemma3_text": 6}
KINDS = ("gemma2", "gemma3_text", "mixtral", "qwen2_moe")


def logits(folder, kind):
    """What transformers gives."""
    cls = getattr(transformers, native_models.FAMILIES[kind][0])
    model = cls.from_pretrained(folder, attn_implementation="eager").eval()
    with torch.no_grad():
        return model(torch.tensor(native_models.TOKENS)).logits.numpy()


def folder_of(kind, folder):
    """Writes a model with entries that keras-hub computes."""
    name, entries, _ = native_models.FAMILIES[kind]
    cls = getattr(transformers, name)
    entries = {**entries, "bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    if kind in LAYERS:
        entries |= {"query_pre_attn_scalar": entries["head_dim"], "layer_types": None}
        entries["num_hidden_layers"] = LAYERS[kind]
    torch.manual_seed(0)
    model = cls(cls.config_class(**entries))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.1, 0.3)
    model.save_pretrained(folder)


def report(kind, folder):
    """What one model type shows."""
    folder_of(kind, folder / "theirs")
    backbone = jkeras.saving.from_transformers(folder / "theirs")
    jkeras.saving.to_transformers(backbone, folder / "ours")
    theirs, ours = (recorded.arrays_in(folder / name) for name in ("theirs", "ours"))
    same = sorted(theirs) == sorted(ours)
    expected = logits(folder / "theirs", kind)
    difference = np.abs(logits(folder / "ours", kind) - expected).max() / np.abs(expected).max()
    return {
        "backbone": type(backbone).__name__,
        "same bits": same and all(np.array_equal(ours[key], theirs[key]) for key in theirs),
        "difference": float(difference),
    }


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps({"name": kind, **report(kind, pathlib.Path(folder))}), flush=True)
