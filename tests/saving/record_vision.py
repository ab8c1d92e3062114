"""Records what transformers with torch computes of small models of images, for tests without both:
a program that writes `vision/<model type>.json` beside it for each model type in its arguments, or
for all.

Weights are not recorded: `native_models.weight` makes them of their names.
"""

import json
import pathlib
import sys
import tempfile

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file, save_file

from tests.saving import native_models, vision_models

FOLDER = pathlib.Path(__file__).parent / "vision"
# what is compared, of what transformers gives
COMPARED = (
    *("last_hidden_state", "pooler_output", "logits", "image_embeds", "text_embeds"),
    *("logits_per_image", "logits_per_text"),
)


def outputs_of(model, config: dict, size: list | None, any_size: bool) -> dict[str, np.ndarray]:
    """What a model of transformers gives."""
    inputs = vision_models.inputs_of(config, size)
    arrays = {}
    if "images" in inputs:
        arrays["pixel_values"] = torch.tensor(inputs["images"].transpose(0, 3, 1, 2).copy())
    if "token_ids" in inputs:
        arrays["input_ids"] = torch.tensor(inputs["token_ids"])
    if any_size and "pixel_values" in arrays:
        arrays["interpolate_pos_encoding"] = True
    with torch.no_grad():
        outputs = model.eval()(**arrays)
    found = {name: outputs.get(name) for name in COMPARED}
    return {name: value.float().numpy() for name, value in found.items() if value is not None}


def opened(folder, name: str):
    """A model of transformers in a folder."""
    cls = getattr(transformers, name)
    return cls.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()


def record(name: str, further: dict) -> dict:
    """What is recorded of one model."""
    kind, entries, _ = vision_models.FAMILIES[name]
    further = dict(further)
    kind = further.pop("_class", kind)
    size, any_size = further.pop("_size", None), further.pop("_any_size", False)
    task = next(task for end, task in vision_models.TASKS.items() if kind.endswith(end))
    cls = getattr(transformers, kind)
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        cls(cls.config_class(**{**entries, **further})).save_pretrained(folder)
        path = pathlib.Path(folder) / "model.safetensors"
        shapes = {key: list(array.shape) for key, array in load_file(path).items()}
        made = {key: native_models.weight(key, shape) for key, shape in shapes.items()}
        save_file(made, path, metadata={"format": "pt"})
        said = json.loads((pathlib.Path(folder) / "config.json").read_text())
        outputs = outputs_of(opened(folder, kind), said, size, any_size)
    return {
        "class": kind,
        "task": task,
        "config": said,
        "size": size,
        "any_size": any_size,
        "shapes": shapes,
        "outputs": {
            name: {
                "shape": list(values.shape),
                "values": [float(np.format_float_scientific(x, 8)) for x in values.ravel()],
            }
            for name, values in outputs.items()
        },
    }


def main(names: list[str]) -> None:
    """Writes the files."""
    FOLDER.mkdir(exist_ok=True)
    for name in names or vision_models.FAMILIES:
        variants = {"plain": {}, **vision_models.FAMILIES[name][2]}
        found = {variant: record(name, further) for variant, further in variants.items()}
        lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in found.items())
        (FOLDER / f"{name}.json").write_text(f"{{\n{lines}\n}}\n")
        print(name, (FOLDER / f"{name}.json").stat().st_size)


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    main(sys.argv[1:])
