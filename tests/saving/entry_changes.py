"""Changes of the entries of a `config.json`, one at a time and in pairs."""

import itertools
import random

from jkeras.saving.hugging_face import entries

SCALED = {
    "rope_type": "llama3",
    "rope_theta": 5e4,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8,
}
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
        SCALED,
        {k: v for k, v in SCALED.items() if k != "factor"},
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


def pairs_of(changes, count):
    """Two changes at once, of those that are read and may change an output."""
    found = [
        {**one, **other}
        for one, other in itertools.combinations(changes, 2)
        if not set(one) & set(other)
    ]
    return random.Random(0).sample(found, min(count, len(found)))
