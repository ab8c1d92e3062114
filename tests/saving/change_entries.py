"""Changes each entry of `config.json`, one at a time, and sees what transformers with torch and
jkeras make of the folder: equal outputs, or a refusal. A program, run by `python -m jkeras run`,
that prints one line of JSON for each change: what was changed, the difference, the error. Its first
argument is 1, or 3 for every third change.
"""

import itertools
import json
import pathlib
import random
import sys
import tempfile

import numpy as np
import torch
import transformers

import jkeras
from jkeras.saving.hugging_face import entries
from tests.saving import use_transformers

OTHERS = {
    bool: lambda v: [not v, None, "yes", int(v), [v]],
    int: lambda v: [v + 1, 2 * v, 1, 0, -2, True, 10**7, float(v), None, str(v), [v]],
    float: lambda v: [v * 2 + 1e-3, 0.0, -1.0, "1", None, True, [v], 1e39],
    str: lambda v: ["gelu", "relu", "silu", "gelu_new", "no such", 3],
    list: lambda v: [[], ["sliding_attention"] * len(v), v[:1], None],
    dict: lambda v: [{}, {"factor": 2.0}, {"rope_type": "linear", "factor": 2.0}],
    type(None): lambda v: [1, True, 2.0, "default", {"a": 1}, 0],
}
# entries of other versions of transformers, and of other models
FURTHER = {
    "rope_scaling": [
        {"type": "linear", "factor": 2.0},
        {"rope_type": "dynamic", "factor": 2.0},
        {"rope_type": "linear", "factor": 2.0},
        {"rope_type": "linear", "factor": True},
        {"rope_type": "yarn", "factor": 2.0},
        use_transformers.SCALED,
        {k: v for k, v in use_transformers.SCALED.items() if k != "factor"},
    ],
    "rope_theta": [500.0, 10000, 0, "1e4"],
    "partial_rotary_factor": [0.5],
    "quantization_config": [{"quant_method": "gptq", "bits": 4}],
    "sliding_window": [4],
    "use_sliding_window": [True],
    "layer_types": [["sliding_attention", "full_attention"]],
    "attention_bias": [True],
    "mlp_bias": [True],
    "head_dim": [3, 16, 7],
    "hidden_activation": ["gelu", "relu"],
    "query_pre_attn_scalar": [8, 16],
    "attn_logit_softcapping": [5.0],
    "final_logit_softcapping": [5.0],
    "no_such_entry": [1, None],
    "logit_scale": [2.0],
    "torch_dtype": ["bfloat16"],
    "n_ctx": [32],
    "position_embedding_type": ["relative_key"],
}
ABSENT = "absent"  # an entry that a file does not have
WINDOWS = [
    {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": n} for n in (0, 1, 2)
]


def changes_of(config):
    """(entries, config) of one change each."""
    for entry, value in config.items():
        if entry in ("model_type", "return_dict"):  # without it the outputs have no names
            continue
        others = OTHERS[type(value)](value)
        # what changes no output says so twice
        for other in others[:2] if entry in entries.IGNORED else others:
            if not (entry == "image_size" and other == 10**7):  # no image has room for it
                yield {entry: other}
        yield {entry: ABSENT}
    for entry, others in FURTHER.items():
        yield from ({entry: other} for other in others)
    # as version 4 wrote them
    for scaling in [None, *FURTHER["rope_scaling"]]:
        yield {"rope_parameters": None, "rope_theta": 10000.0, "rope_scaling": scaling}
    yield {"rope_parameters": None, "rope_theta": 77.0}
    yield from WINDOWS


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


def pairs_of(changes, count):
    """Two changes at once, of those that are read and may change an output."""
    found = [
        {**one, **other}
        for one, other in itertools.combinations(changes, 2)
        if not set(one) & set(other)
    ]
    return random.Random(0).sample(found, min(count, len(found)))


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
