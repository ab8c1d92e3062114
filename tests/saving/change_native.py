"""Changes each entry of `config.json`, one at a time, and sees what transformers with torch and
jkeras's own layers make of the folder: equal outputs, or a refusal. A program that prints one line
of JSON for each change: what was changed, the difference, the error. Its first argument is 1, or 3
for every third change; the others are model types.

It also writes each model that it reads, and has transformers open it.
"""

import json
import pathlib
import sys
import tempfile

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file, save_file

import jkeras
from jkeras.saving.hugging_face import entries
from tests.saving import native_models
from tests.saving.record_native import ENCODERS, TASKS, outputs_of
from tests.saving.entry_changes import ABSENT, changes_of, pairs_of

FURTHER = {  # of the types that are read by jkeras's own layers alone
    "rotary_pct": [0.5, 1.0, 2.0],
    "rotary_emb_base": [77.0],
    "num_kv_heads": [2, 3],
    "num_experts": [3],
    "experts_per_token": [1],
    "clip_qkv": [0.5],
    "logits_scaling": [0.3],
    "n_inner": [8],
    "activation_function": ["gelu"],
    "original_max_position_embeddings": [4],
    "rope_local_base_freq": [77.0],
    "sliding_window_pattern": [2],
    "no_rope_layers": [[0, 0, 0, 0], [1, 1]],
    "mlp_only_layers": [[0], [7], "no"],
    "n_embed": [16, 32],
    "num_hidden_layers": [2, 3],
    "rope_scaling": [
        {"type": "longrope", "short_factor": [1.0, 1.5], "long_factor": [2.0, 3.0]},
        {"type": "su", "short_factor": [1.0, 1.5], "long_factor": [2.0, 3.0]},
        {"rope_type": "longrope", "short_factor": [1.0], "long_factor": [2.0, 3.0]},
        {"rope_type": "yarn", "factor": 4.0, "beta_fast": 8},
        {"rope_type": "proportional", "factor": 4.0},
    ],
}


def class_of(name):
    return getattr(transformers, native_models.FAMILIES[name][0])


def theirs(folder, name):
    """What transformers gives; None where it does not read the folder."""
    try:
        options = {} if name != "falcon" else {"attn_implementation": "sdpa"}
        model, said = class_of(name).from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True, **options
        )
        if said["missing_keys"] or said["mismatched_keys"] or said["unexpected_keys"]:
            return None
        return outputs_of(model, name, json.loads((folder / "config.json").read_text()))
    except Exception:  # whatever it says
        return None


def difference(values, others, name):
    """The largest one, relative to the largest value; of encoders not at padding, of which
    transformers has one number with one kind of attention and another with another.
    """
    values = np.asarray(values)
    if name in ENCODERS:
        there = native_models.PADDED["mask"].astype(bool)
        values, others = values[there], others[there]
    return float(np.abs(values - others).max() / np.abs(others).max())


def line_of(folder, config, name, change, known):
    """What becomes of one change.

    Args:
        known: {entries: outputs}, to which further ones are added.
    """
    changed = {k: v for k, v in {**config, **change}.items() if v != ABSENT}
    (folder / "config.json").write_text(json.dumps(changed, default=str))
    line = {"name": name, "change": change}
    try:
        task = TASKS[next(end for end in TASKS if native_models.FAMILIES[name][0].endswith(end))]
        model = jkeras.saving.from_transformers(folder, task, native=True)
    except (ValueError, ImportError, OSError) as error:
        return {**line, "refused": f"{type(error).__name__}: {error}"}
    key = repr((model.plan, changed.get("pad_token_id")))
    if key not in known:
        try:
            known[key] = np.asarray(native_models.ours(model, changed))
        except Exception as error:  # whatever it says
            return {**line, "difference": f"fails: {error}"}
    expected = theirs(folder, name)
    if expected is None:
        return {**line, "difference": "only ours"}
    line["difference"] = difference(known[key], expected, name)
    jkeras.saving.to_transformers(model, folder / "back")
    again = theirs(folder / "back", name)
    line["written"] = "not read" if again is None else difference(again, expected, name)
    return line


def folder_of(name, folder):
    """Writes a model, and gives what its `config.json` says."""
    cls = class_of(name)
    no_tokens = dict(bos_token_id=None, eos_token_id=None)
    model = cls(cls.config_class(**{**no_tokens, **native_models.FAMILIES[name][1]}))
    model.save_pretrained(folder)
    arrays = load_file(folder / "model.safetensors")
    made = {key: native_models.weight(key, array.shape) for key, array in arrays.items()}
    save_file(made, folder / "model.safetensors", metadata={"format": "pt"})
    return json.loads((folder / "config.json").read_text())


def main(name, every):
    """Prints a line for each change, or for every third one, ..., and for some pairs of them."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        config = folder_of(name, folder)
        known, read = {}, []
        further = [{entry: one} for entry, others in FURTHER.items() for one in others]
        for change in [{}, *[*changes_of(config), *further][::every]]:
            line = line_of(folder, config, name, change, known)
            print(json.dumps(line, default=str), flush=True)
            if "refused" not in line and not set(change) <= entries.IGNORED:
                read.append(change)
        for change in pairs_of(read, 30 // every):
            line = {**line_of(folder, config, name, change, known), "pair": True}
            print(json.dumps(line, default=str), flush=True)


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name in sys.argv[2:]:
        main(name, int(sys.argv[1]))
