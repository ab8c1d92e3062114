"""Records what transformers with torch computes of small models, for tests without both: a program
that writes `native/<model type>.json` beside it for each model type in its arguments, or for all.

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

from tests.saving import native_models

FOLDER = pathlib.Path(__file__).parent / "native"


TASKS = {
    "ForCausalLM": "causal_lm",
    "ForMaskedLM": "masked_lm",
    "ForSequenceClassification": "classifier",
    "ForConditionalGeneration": "seq2seq_lm",
    "Model": "backbone",
}
ENCODERS = ("bert", "roberta", "xlm-roberta", "electra", "distilbert", "modernbert")


def arguments_of(said: dict) -> dict:
    """What a model of transformers with an encoder is called on."""
    pairs = {key: torch.tensor(array) for key, array in native_models.pairs_of(said).items()}
    if "encoder_features" in pairs:
        return {"input_features": pairs["encoder_features"].transpose(1, 2)}
    tokens, mask = (pairs[f"encoder_{key}"] for key in ("token_ids", "padding_mask"))
    return {"input_ids": tokens, "attention_mask": mask}


def texts_of(model, said: dict) -> dict:
    """Greedy texts, and those of a search, without and with an end."""
    found = {}
    options = {"max_length": 12, "min_length": 0, "eos_token_id": None, "do_sample": False}
    options |= {"pad_token_id": 0, "use_cache": False}  # it has too few layers of T5
    start = torch.full((len(native_models.WRITTEN), 1), said["decoder_start_token_id"])
    # Whisper's own loop writes of timestamps
    generate = transformers.GenerationMixin.generate
    for name, further in native_models.WAYS.items():
        with torch.no_grad():
            config = transformers.GenerationConfig(**{**options, **further})
            arguments = {"decoder_input_ids": start, "generation_config": config}
            tokens = generate(model, **arguments_of(said), **arguments)
        found[name] = tokens.tolist()
    return found


def outputs_of(model, name: str, said: dict) -> np.ndarray:
    """Logits, or features where there is no head."""
    if name in native_models.SEQ2SEQ:
        written = torch.tensor(native_models.WRITTEN)
        with torch.no_grad():
            outputs = model.eval()(**arguments_of(said), decoder_input_ids=written)
        return outputs.logits.float().numpy()
    inputs = native_models.inputs_of(name, said)
    arrays = {"input_ids": torch.tensor(inputs["tokens"])}
    if name in ENCODERS:
        arrays["attention_mask"] = torch.tensor(inputs["mask"])
        has_segments = name not in ("distilbert", "modernbert")
        if has_segments and (said.get("type_vocab_size") or 2) > 1:
            arrays["token_type_ids"] = torch.tensor(inputs["segments"])
    with torch.no_grad():
        outputs = model.eval()(**arrays)
    values = outputs.logits if "logits" in outputs else outputs.last_hidden_state
    return values.float().numpy()


def record(name: str, further: dict) -> dict:
    """What is recorded of one model."""
    kind, entries, _ = native_models.FAMILIES[name]
    further = dict(further)
    kind, has_own_head = further.pop("_class", kind), further.pop("_own_head", False)
    task = next(task for end, task in TASKS.items() if kind.endswith(end))
    if task == "classifier" and name not in ENCODERS:
        further = {"pad_token_id": 0, **further}
    cls = getattr(transformers, kind)
    no_tokens = dict(bos_token_id=None, eos_token_id=None)
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        config = cls.config_class(**{**no_tokens, **entries, **further})
        cls(config).save_pretrained(folder)
        path = pathlib.Path(folder) / "model.safetensors"
        shapes = {key: list(array.shape) for key, array in load_file(path).items()}
        if has_own_head:
            shapes["lm_head.weight"] = shapes["shared.weight"]
        made = {key: native_models.weight(key, shape) for key, shape in shapes.items()}
        save_file(made, path, metadata={"format": "pt"})
        # Falcon's other one adds its bias twice
        by = "sdpa" if name == "falcon" else "eager"
        model = cls.from_pretrained(folder, attn_implementation=by).eval()
        said = json.loads((pathlib.Path(folder) / "config.json").read_text())
        logits = outputs_of(model, name, said)
        texts = {}
        if task == "seq2seq_lm":
            texts = {"texts": texts_of(model, said)}
    rounded = [float(np.format_float_scientific(x, 8)) for x in logits.ravel()]
    return {
        "task": task,
        "config": said,
        "shapes": shapes,
        "outputs": {"shape": list(logits.shape), "values": rounded},
        **texts,
    }


def main(names: list[str]) -> None:
    """Writes the files."""
    FOLDER.mkdir(exist_ok=True)
    for name in names or native_models.FAMILIES:
        variants = {"plain": {}, **native_models.FAMILIES[name][2]}
        found = {variant: record(name, further) for variant, further in variants.items()}
        lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in found.items())
        (FOLDER / f"{name}.json").write_text(f"{{\n{lines}\n}}\n")
        print(name, (FOLDER / f"{name}.json").stat().st_size)


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    main(sys.argv[1:])
