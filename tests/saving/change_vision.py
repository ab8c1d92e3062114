"""As `change_native`, of models of images: changes each entry of `config.json`, one at a time, and
sees what transformers with torch and jkeras's own layers make of the folder.
"""

import json
import pathlib
import sys
import tempfile

import numpy as np
import transformers
from safetensors.numpy import load_file, save_file

import jkeras
from tests.saving import native_models, vision_models
from tests.saving.entry_changes import ABSENT, OTHERS
from tests.saving.record_vision import opened, outputs_of

FURTHER = {
    "no_such_entry": [1, None],
    "quantization_config": [{"quant_method": "gptq", "bits": 4}],
    "image_size": [[12, 12], [12, 13], [9, 16], [12], "12"],
    "patch_size": [[4, 4], [2, 8]],
    "head_dim": [8],
    "layerscale_value": [-1.0, 0.0],
    "attention_bias": [True],
    "text_config_dict": [{"hidden_size": 12}, {**vision_models.CLIP_TEXT, "eos_token_id": 2}, 3],
    "vision_config_dict": [{**vision_models.VISION, "hidden_act": "gelu"}],
    "text_config": [{}, None, "no", {"model_type": "bert"}],
    "eos_token_id": [2, 3, [20], -1, 23],
}
PARTS = ("text_config", "vision_config")


def changes_of(config):
    """Changes of entries, and of those of the configurations inside."""
    for entry, value in config.items():
        if entry in PARTS:
            for change in changes_of(value):
                yield {entry: {**value, **change}}
            continue
        if entry in ("return_dict", "architectures"):
            continue
        for other in OTHERS[type(value)](value):
            if not (entry in ("image_size", "patch_size") and other == 10**7):
                yield {entry: other}
        yield {entry: ABSENT}
    for entry, others in FURTHER.items():
        yield from ({entry: other} for other in others)


def without_absent(config):
    """The entries that a file has."""
    return {
        entry: without_absent(value) if isinstance(value, dict) else value
        for entry, value in config.items()
        if not (isinstance(value, str) and value == ABSENT)
    }


def theirs(folder, name, said):
    """What transformers gives; None where it does not read the folder."""
    try:
        cls = getattr(transformers, vision_models.FAMILIES[name][0])
        info = cls.from_pretrained(folder, output_loading_info=True)[1]
        if info["missing_keys"] or info["mismatched_keys"] or info["unexpected_keys"]:
            return None
        model = opened(folder, vision_models.FAMILIES[name][0])
        return outputs_of(model, said, None, False)
    except Exception:  # whatever it says
        return None


def ours(model, said):
    """What jkeras gives."""
    inputs = vision_models.inputs_of(said, None)
    if not isinstance(model.input, dict):
        (inputs,) = inputs.values()
    return {name: np.asarray(value) for name, value in model(inputs).items()}


def difference(found, expected):
    """The largest one, relative to the largest value; "another dict" of other outputs."""
    if set(found) != set(expected):
        return "another dict"
    return max(
        float(np.abs(found[name] - value).max() / np.abs(value).max())
        for name, value in expected.items()
    )


def line_of(folder, config, name, change):
    """What becomes of one change."""
    changed = without_absent({**config, **change})
    (folder / "config.json").write_text(json.dumps(changed, default=str))
    line = {"name": name, "change": change}
    try:
        model = jkeras.saving.from_transformers(folder, native=True)
    except (ValueError, ImportError, OSError) as error:
        return {**line, "refused": f"{type(error).__name__}: {error}"}
    expected = theirs(folder, name, config)
    if expected is None:
        return {**line, "difference": "only ours"}
    try:
        found = ours(model, config)
    except ValueError as error:  # SigLIP of transformers takes other sizes of as many patches
        return {**line, "refused": str(error)}
    line["difference"] = difference(found, expected)
    jkeras.saving.to_transformers(model, folder / "back")
    again = theirs(folder / "back", name, config)
    line["written"] = "not read"
    if again is not None:
        line["written"] = difference(again, expected)
    return line


def main(name, every):
    """Prints a line for each change, or for every third one, ..."""
    kind, said, _ = vision_models.FAMILIES[name]
    cls = getattr(transformers, kind)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        cls(cls.config_class(**said)).save_pretrained(folder)
        arrays = load_file(folder / "model.safetensors")
        made = {key: native_models.weight(key, array.shape) for key, array in arrays.items()}
        save_file(made, folder / "model.safetensors", metadata={"format": "pt"})
        config = json.loads((folder / "config.json").read_text())
        for change in [{}, *[*changes_of(config)][::every]]:
            print(json.dumps(line_of(folder, config, name, change), default=str), flush=True)


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for each in sys.argv[2:]:
        main(each, int(sys.argv[1]))
