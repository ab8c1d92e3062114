"""Small models of transformers whose outputs are recorded: the entries of each, and the rule by
which their weights are made.
"""

import zlib

import numpy as np

TOKENS = np.array([[3, 14, 15, 9, 2, 6, 5, 3, 5], [8, 9, 7, 9, 3, 2, 3, 8, 4]])
SIZES = dict(
    vocab_size=23,
    hidden_size=16,
    intermediate_size=20,
    num_hidden_layers=2,
    num_attention_heads=4,
    max_position_embeddings=64,
)
GROUPED = dict(**SIZES, num_key_value_heads=2)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16, rope_theta=500.0)
LLAMA3 = dict(
    rope_type="llama3",
    rope_theta=500.0,
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=64,
)
DYNAMIC = dict(rope_type="dynamic", factor=2.0, rope_theta=500.0)
LONG = dict(
    rope_type="longrope",
    rope_theta=500.0,
    short_factor=[1.0, 1.5],
    long_factor=[2.0, 3.0],
    original_max_position_embeddings=16,
)
ROPES = {
    "yarn": dict(rope_parameters=YARN),
    "yarn, all": dict(
        rope_parameters=dict(
            **YARN, beta_fast=4.0, beta_slow=0.5, mscale=0.7, mscale_all_dim=0.3, truncate=False
        )
    ),
    "yarn, attention": dict(rope_parameters=dict(**YARN, attention_factor=0.8)),
    "dynamic, short": dict(rope_parameters=DYNAMIC),
    "dynamic, long": dict(rope_parameters=DYNAMIC, max_position_embeddings=4),
    "linear": dict(rope_parameters=dict(rope_type="linear", factor=3.0, rope_theta=500.0)),
    "llama3": dict(rope_parameters=LLAMA3),
    "longrope, short": dict(rope_parameters=LONG),
    "longrope, long": dict(rope_parameters={**LONG, "original_max_position_embeddings": 4}),
}
TIED = {"tied": dict(tie_word_embeddings=True)}
EPSILON = {"epsilon": dict(rms_norm_eps=0.1)}
ACTIVATIONS = {
    name: dict(hidden_act=name)
    for name in ("gelu", "gelu_new", "relu", "relu2", "quick_gelu", "tanh")
}
EXPERTS = dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=12)
# {model type: (class of transformers, entries, {variant: further entries})}
FAMILIES = {
    "llama": (
        "LlamaForCausalLM",
        GROUPED,
        {
            **ROPES,
            **TIED,
            **EPSILON,
            **ACTIVATIONS,
            "attention bias": dict(attention_bias=True),
            "mlp bias": dict(mlp_bias=True),
            "head size": dict(head_dim=6),
            "theta": dict(rope_parameters=dict(rope_type="default", rope_theta=77.0)),
        },
    ),
    "phi3": (
        "Phi3ForCausalLM",
        dict(**GROUPED, pad_token_id=0),
        {
            **TIED,
            **EPSILON,
            "partial": dict(
                rope_parameters=dict(
                    rope_type="default", rope_theta=99.0, partial_rotary_factor=0.5
                )
            ),
            "window": dict(sliding_window=3),
            "longrope, short": dict(rope_parameters=LONG, original_max_position_embeddings=16),
            "longrope, long": dict(rope_parameters=LONG, original_max_position_embeddings=4),
            "gelu": dict(hidden_act="gelu"),
        },
    ),
    "olmo2": (
        "Olmo2ForCausalLM",
        GROUPED,
        {
            **TIED,
            **EPSILON,
            "attention bias": dict(attention_bias=True),
            "yarn": ROPES["yarn"],
            "gelu": dict(hidden_act="gelu"),
        },
    ),
    "granite": (
        "GraniteForCausalLM",
        dict(
            **GROUPED,
            embedding_multiplier=3.0,
            logits_scaling=2.0,
            residual_multiplier=0.5,
            attention_multiplier=0.3,
        ),
        {
            **TIED,
            **EPSILON,
            "attention bias": dict(attention_bias=True),
            "mlp bias": dict(mlp_bias=True),
            "yarn": ROPES["yarn"],
            "plain": dict(
                embedding_multiplier=1.0,
                logits_scaling=1.0,
                residual_multiplier=1.0,
                attention_multiplier=1.0,
            ),
        },
    ),
    "smollm3": (
        "SmolLM3ForCausalLM",
        dict(**{**GROUPED, "num_hidden_layers": 4}, pad_token_id=0),
        {
            "untied": dict(tie_word_embeddings=False),
            **EPSILON,
            "interval": dict(no_rope_layer_interval=2),
            "layers": dict(no_rope_layers=[0, 1, 0, 1]),
            "window": dict(use_sliding_window=True, sliding_window=3),
            "window in some": dict(
                use_sliding_window=True,
                sliding_window=3,
                layer_types=["sliding_attention", *["full_attention"] * 3],
            ),
            "attention bias": dict(attention_bias=True),
            "mlp bias": dict(mlp_bias=True),
            "yarn": ROPES["yarn"],
        },
    ),
    "qwen3_moe": (
        "Qwen3MoeForCausalLM",
        dict(**GROUPED, **EXPERTS, head_dim=6),
        {
            **TIED,
            **EPSILON,
            "normalized": dict(norm_topk_prob=True),
            "some dense": dict(mlp_only_layers=[0]),
            "every second": dict(decoder_sparse_step=2),
            "one expert": dict(num_experts_per_tok=1),
            "window": dict(use_sliding_window=True, sliding_window=3),
            "attention bias": dict(attention_bias=True),
            "yarn": ROPES["yarn"],
            "gelu": dict(hidden_act="gelu"),
        },
    ),
}


def weight(name: str, shape) -> np.ndarray:
    """The weight of a name: the same numbers here and where the outputs were recorded."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if len(shape) == 1:
        return (0.6 + 0.3 * rng.normal(size=shape)).astype("float32")
    return (0.35 * rng.normal(size=shape)).astype("float32")
