"""Changes each entry of `config.json`, one at a time, and sees what transformers with torch and
jkeras make of the folder: equal outputs, or a refusal. A program, run by `python -m jkeras run`,
that prints one line of JSON for each change: what was changed, the difference, the error. Its first
argument is 1, or 3 for every third change.
"""

import json
import pathlib
import sys
import tempfile

import numpy as np
import torch
import transformers

import jkeras
from jkeras.saving.hugging_face import entries
from tests.saving import use_transformers
from tests.saving.entry_changes import ABSENT, changes_of, pairs_of


def theirs(folder, name):
    """What transformers gives; None where it does not read the folder."""
    auto = transformers.AutoModel if name in HIDDEN else transformers.AutoModelForCausalLM
    try:
        torch.manual_seed(1)
        model, said = auto.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
        missing = [name for name in said["missing_keys"] if "pooler" not in name]
        if missing or said["mismatched_keys"]:
            return None
        return use_transformers.outputs_of_theirs(model.eval())
    except Exception:  # whatever it says
        return None


def ours(backbone, name):
    """What jkeras gives."""
    if name not in HIDDEN or name == "bert":
        return use_transformers.outputs_of_ours(backbone)
    if hasattr(backbone, "image_shape"):
        images = use_transformers.images(backbone.image_shape[0])
        return np.asarray(backbone({"pixel_values": images} if "v3" in name else images))
    tokens = use_transformers.TOKENS
    everything = {
        **{"token_ids": tokens, "padding_mask": np.ones_like(tokens)},
        **{"segment_ids": np.zeros_like(tokens), "encoder_token_ids": tokens},
        **{"encoder_padding_mask": np.ones_like(tokens), "decoder_token_ids": tokens[:, ::-1]},
        "decoder_padding_mask": np.ones_like(tokens),
    }
    outputs = backbone({key: everything[key] for key in backbone.input})
    if isinstance(outputs, dict):
        last = next(key for key in ("sequence_output", "decoder_sequence_output") if key in outputs)
        outputs = outputs[last]
    return np.asarray(outputs)


def line_of(folder, config, name, change, known):
    """What becomes of one change.

    Args:
        known: {configuration of a backbone: its outputs}, to which further ones are added.
    """
    changed = {k: v for k, v in {**config, **change}.items() if v != ABSENT}
    (folder / "config.json").write_text(json.dumps(changed, default=str))
    line = {"name": name, "change": change}
    try:
        backbone = jkeras.saving.from_transformers(folder)
    except (ValueError, ImportError, OSError) as error:
        return {**line, "refused": f"{type(error).__name__}: {error}"}
    key = json.dumps(backbone.get_config(), default=str, sort_keys=True)
    if key not in known:
        try:
            known[key] = ours(backbone, name)
        except Exception as error:  # whatever it says
            return {**line, "difference": f"fails: {error}"}
    expected = theirs(folder, name)
    if expected is None:
        return {**line, "difference": "only ours"}
    return {**line, "difference": use_transformers.difference(known[key], expected)}


def folder_of(name, folder):
    """Writes a model, and gives what its `config.json` says."""
    model = use_transformers.random_model(name)
    if name == "roberta":  # as of those that were published
        model.base_model.embeddings.token_type_embeddings.weight.data.zero_()
    model.save_pretrained(folder)
    config = model.config.to_dict()
    # as version 4 wrote it, which keras-hub reads
    if name == "qwen3_moe":
        config["num_experts"] = config.pop("num_local_experts")
    if name == "bart":
        config["num_hidden_layers"] = model.config.encoder_layers
    return config


def main(name, every):
    """Prints a line for each change, or for every third one, ..., and for some pairs of them."""
    use_transformers.MODELS.update(MORE)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        config = folder_of(name, folder)
        known, read = {}, []
        for change in [{}, *changes_of(config)][::every]:
            line = line_of(folder, config, name, change, known)
            print(json.dumps(line, default=str), flush=True)
            if "refused" not in line and not set(change) <= entries.IGNORED:
                read.append(change)
        for change in pairs_of(read, 30 // every):
            line = {**line_of(folder, config, name, change, known), "pair": True}
            print(json.dumps(line, default=str), flush=True)


HIDDEN = (
    *("bert", "distilbert", "albert", "roberta", "xlm-roberta", "bart"),
    *("deit", "vit", "dinov2", "dinov2_with_registers", "dinov3_vit", "swin"),
)
GROUPED = use_transformers.GROUPED
EXPERTS = dict(num_experts=4, moe_intermediate_size=16, shared_expert_intermediate_size=24)
SPARSE = dict(num_experts=4, moe_intermediate_size=16, num_experts_per_tok=2)
SIZES = use_transformers.SIZES
IMAGE = dict(
    **{key: SIZES[key] for key in SIZES if "vocab" not in key and "position" not in key},
    image_size=12,
    patch_size=4,
)
DINOV2 = {key: IMAGE[key] for key in IMAGE if key != "intermediate_size"}
ROBERTA = dict(**SIZES, pad_token_id=1, layer_norm_eps=1e-5)
STAGES = dict(
    initializer_range=0.3,
    window_size=4,
    image_size=32,
    patch_size=2,
    embed_dim=8,
    depths=[2, 2],
    num_heads=[2, 4],
)
SMALL_BART = dict(
    **dict(vocab_size=97, max_position_embeddings=64, d_model=32, init_std=0.3, pad_token_id=1),
    **dict(encoder_layers=2, decoder_layers=2, encoder_ffn_dim=48, decoder_ffn_dim=48),
    **dict(encoder_attention_heads=4, decoder_attention_heads=4, num_hidden_layers=2),
)
WINDOW = dict(head_dim=16, query_pre_attn_scalar=16, sliding_window=6)
SMALL = dict(vocab_size=97, max_position_embeddings=64, initializer_range=0.3)
MORE = {
    "gemma2": ("Gemma2", dict(**GROUPED, **WINDOW)),
    "mixtral": ("Mixtral", dict(**GROUPED, num_local_experts=4)),
    "qwen2_moe": ("Qwen2Moe", dict(**GROUPED, **EXPERTS)),
    "smollm3": ("SmolLM3", GROUPED),
    "gemma3_text": ("Gemma3Text", dict(**{**GROUPED, "num_hidden_layers": 6}, **WINDOW)),
    "distilbert": ("DistilBert", dict(**SMALL, dim=32, hidden_dim=48, n_layers=2, n_heads=4)),
    "qwen3_moe": ("Qwen3Moe", dict(**GROUPED, head_dim=16, **SPARSE)),
    "albert": ("Albert", dict(**SIZES, embedding_size=16, type_vocab_size=2)),
    "roberta": ("Roberta", dict(**ROBERTA, type_vocab_size=1)),
    "xlm-roberta": ("XLMRoberta", ROBERTA),
    "bart": ("Bart", SMALL_BART),
    "vit": ("ViT", IMAGE),
    "deit": ("DeiT", IMAGE),
    "dinov2": ("Dinov2", DINOV2),
    "dinov2_with_registers": ("Dinov2WithRegisters", DINOV2),
    "dinov3_vit": ("DINOv3ViT", IMAGE),
    "swin": ("Swin", STAGES),
}


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    for name in sys.argv[2:]:
        main(name, int(sys.argv[1]))
