"""Small models of transformers whose outputs are recorded: the entries of each, and the rule by
which their weights are made.
"""

import zlib

import numpy as np

TOKENS = np.array([[3, 14, 15, 9, 2, 6, 5, 3, 5], [8, 9, 7, 9, 3, 2, 3, 8, 4]])
# with padding behind the second text
PADDED = {"mask": np.array([[1] * 9, [1] * 6 + [0] * 3])}
PADDED["segments"] = np.array([[0, 0, 0, 0, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1, 0, 0, 0]])
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
PLAIN = {k: v for k, v in SIZES.items() if k != "intermediate_size"}
FULL, WINDOW = "full_attention", "sliding_attention"
WINDOWS = {
    "window": dict(use_sliding_window=True, sliding_window=3, max_window_layers=1),
    "window in the first": dict(
        use_sliding_window=True, sliding_window=3, layer_types=[WINDOW, FULL]
    ),
}
CAPPED = {
    "scale": dict(query_pre_attn_scalar=3),
    "caps": dict(attn_logit_softcapping=0.5, final_logit_softcapping=2.0),
    "no caps": dict(attn_logit_softcapping=None, final_logit_softcapping=None),
    "attention bias": dict(attention_bias=True),
    "untied": dict(tie_word_embeddings=False),
    "relu": dict(hidden_activation="relu"),
}
EXPERTS = dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=12)


def labels(name: str) -> dict:
    """A head for labels, and none."""
    return {
        "labels": dict(_class=f"{name}ForSequenceClassification", num_labels=3),
        "no head": dict(_class=f"{name}Model"),
    }


ENCODERS = {"untied": dict(tie_word_embeddings=False)}
# {model type: (class of transformers, entries, {variant: further entries})}
FAMILIES = {
    "llama": (
        "LlamaForCausalLM",
        GROUPED,
        {
            **labels("Llama"),
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
            **labels("Phi3"),
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
            **labels("Olmo2"),
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
            **labels("SmolLM3"),
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
            **labels("Qwen3Moe"),
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
    "mistral": (
        "MistralForCausalLM",
        dict(**GROUPED, sliding_window=4),
        {
            **labels("Mistral"),
            **TIED,
            **EPSILON,
            "no window": dict(sliding_window=None),
            "head size": dict(head_dim=6),
            "yarn": ROPES["yarn"],
        },
    ),
    "qwen2": (
        "Qwen2ForCausalLM",
        GROUPED,
        {
            **labels("Qwen2"),
            **TIED,
            **EPSILON,
            **WINDOWS,
            "yarn": ROPES["yarn"],
            "dynamic": ROPES["dynamic, short"],
        },
    ),
    "qwen3": (
        "Qwen3ForCausalLM",
        dict(**GROUPED, head_dim=6),
        {
            **labels("Qwen3"),
            **TIED,
            **EPSILON,
            **WINDOWS,
            "yarn": ROPES["yarn"],
            "attention bias": dict(attention_bias=True),
        },
    ),
    "mixtral": (
        "MixtralForCausalLM",
        dict(**GROUPED, num_local_experts=4),
        {
            **labels("Mixtral"),
            **TIED,
            **EPSILON,
            "window": dict(sliding_window=3),
            "head size": dict(head_dim=6),
            "one expert": dict(num_experts_per_tok=1),
            "yarn": dict(head_dim=4, **ROPES["yarn"]),
        },
    ),
    "qwen2_moe": (
        "Qwen2MoeForCausalLM",
        dict(**GROUPED, **EXPERTS, shared_expert_intermediate_size=14),
        {
            **labels("Qwen2Moe"),
            **TIED,
            **EPSILON,
            "normalized": dict(norm_topk_prob=True),
            "some dense": dict(mlp_only_layers=[1]),
            "every second": dict(decoder_sparse_step=2),
            "no bias": dict(qkv_bias=False),
            "window": dict(use_sliding_window=True, sliding_window=3),
            "window in later ones": dict(
                use_sliding_window=True, sliding_window=3, layer_types=[FULL, WINDOW]
            ),
        },
    ),
    "gemma": (
        "GemmaForCausalLM",
        dict(**GROUPED, head_dim=6, pad_token_id=0),
        {
            **labels("Gemma"),
            **EPSILON,
            "untied": dict(tie_word_embeddings=False),
            "yarn": ROPES["yarn"],
        },
    ),
    "gemma2": (
        "Gemma2ForCausalLM",
        dict(**GROUPED, head_dim=6, sliding_window=4, pad_token_id=0),
        {
            **labels("Gemma2"),
            **EPSILON,
            **CAPPED,
            "full": dict(layer_types=[FULL, FULL]),
            "yarn": ROPES["yarn"],
        },
    ),
    "gemma3_text": (
        "Gemma3ForCausalLM",
        dict(**{**GROUPED, "num_hidden_layers": 3}, head_dim=6, sliding_window=4, pad_token_id=0)
        | dict(layer_types=[WINDOW, WINDOW, FULL]),
        {
            **EPSILON,
            **{k: v for k, v in CAPPED.items() if "caps" not in k},
            "cap": dict(final_logit_softcapping=2.0),
            "scaled": dict(
                rope_parameters={
                    FULL: dict(rope_type="linear", factor=8.0, rope_theta=900.0),
                    WINDOW: dict(rope_type="default", rope_theta=77.0),
                }
            ),
        },
    ),
    "gpt_oss": (
        "GptOssForCausalLM",
        dict(**GROUPED, head_dim=6, sliding_window=4, num_local_experts=4, num_experts_per_tok=2),
        {
            **labels("GptOss"),
            **TIED,
            **EPSILON,
            "default": dict(rope_parameters=dict(rope_type="default", rope_theta=500.0)),
            "limit": dict(swiglu_limit=0.5),
            "full": dict(layer_types=[FULL, FULL]),
            "no bias": dict(attention_bias=False),
            "one expert": dict(num_experts_per_tok=1),
        },
    ),
    "gpt_neox": (
        "GPTNeoXForCausalLM",
        {**SIZES, "num_attention_heads": 2},
        {
            **labels("GPTNeoX"),
            **TIED,
            "epsilon": dict(layer_norm_eps=0.1),
            "serial": dict(use_parallel_residual=False),
            "no bias": dict(attention_bias=False),
            "all rotates": dict(
                rope_parameters=dict(
                    rope_type="default", rope_theta=77.0, partial_rotary_factor=1.0
                )
            ),
            "gelu_fast": dict(hidden_act="gelu_fast"),
            "linear": dict(
                rope_parameters=dict(
                    rope_type="linear", factor=2.0, rope_theta=77.0, partial_rotary_factor=0.5
                )
            ),
        },
    ),
    "falcon": (
        "FalconForCausalLM",
        dict(**PLAIN, ffn_hidden_size=20),
        {
            **labels("Falcon"),
            "untied": dict(tie_word_embeddings=False),
            "bias": dict(bias=True),
            "alibi": dict(alibi=True, num_attention_heads=8),
            "alibi, serial": dict(alibi=True, multi_query=False, parallel_attn=False, bias=True),
            "new": dict(new_decoder_architecture=True, num_kv_heads=2),
            "new, one norm": dict(
                new_decoder_architecture=True, num_kv_heads=2, num_ln_in_parallel_attn=1
            ),
            "new, bias": dict(new_decoder_architecture=True, num_kv_heads=4, bias=True),
            "serial": dict(parallel_attn=False),
            "all keys": dict(multi_query=False),
            "epsilon": dict(layer_norm_epsilon=0.1),
            "inner": dict(ffn_hidden_size=None),
            "relu": dict(activation="relu"),
            "dynamic": dict(rope_parameters=DYNAMIC, max_position_embeddings=4),
        },
    ),
    "opt": (
        "OPTForCausalLM",
        dict(**PLAIN, ffn_dim=20) | dict(pad_token_id=1),
        {
            **labels("OPT"),
            "untied": dict(tie_word_embeddings=False),
            "after": dict(do_layer_norm_before=False),
            "projected": dict(word_embed_proj_dim=8),
            "no final norm": dict(_remove_final_layer_norm=True),
            "no bias": dict(enable_bias=False),
            "bare norms": dict(layer_norm_elementwise_affine=False),
            "gelu": dict(activation_function="gelu"),
        },
    ),
    "bloom": (
        "BloomForCausalLM",
        dict(vocab_size=23, hidden_size=18, n_layer=2, n_head=3),
        {
            **labels("Bloom"),
            "untied": dict(tie_word_embeddings=False),
            "normed": dict(apply_residual_connection_post_layernorm=True),
            "epsilon": dict(layer_norm_epsilon=0.1),
            "two heads": dict(n_head=2),
        },
    ),
    "bert": (
        "BertForMaskedLM",
        SIZES,
        {
            **ENCODERS,
            **labels("Bert"),
            "gelu_new": dict(hidden_act="gelu_new"),
            "relu labels": dict(hidden_act="relu", _class="BertForSequenceClassification"),
            "epsilon": dict(layer_norm_eps=0.1),
            "three segments": dict(type_vocab_size=3),
        },
    ),
    "roberta": (
        "RobertaForMaskedLM",
        dict(**SIZES, pad_token_id=1),
        {
            **ENCODERS,
            **labels("Roberta"),
            "one segment": dict(type_vocab_size=1, layer_norm_eps=1e-5),
            "other padding": dict(pad_token_id=3),
            "relu": dict(hidden_act="relu"),
        },
    ),
    "xlm-roberta": (
        "XLMRobertaForMaskedLM",
        dict(**SIZES, pad_token_id=1, type_vocab_size=1),
        {**ENCODERS, **labels("XLMRoberta")},
    ),
    "electra": (
        "ElectraForMaskedLM",
        dict(**SIZES, embedding_size=12),
        {
            **ENCODERS,
            **labels("Electra"),
            "not projected": dict(embedding_size=16),
            "relu": dict(hidden_act="relu"),
        },
    ),
    "distilbert": (
        "DistilBertForMaskedLM",
        dict(vocab_size=23, dim=16, hidden_dim=20, n_layers=2, n_heads=4)
        | dict(max_position_embeddings=64),
        {
            **ENCODERS,
            **labels("DistilBert"),
            "relu": dict(activation="relu"),
            "sinusoidal": dict(sinusoidal_pos_embds=True),
        },
    ),
    "modernbert": (
        "ModernBertForMaskedLM",
        dict(**{**SIZES, "num_hidden_layers": 4}, local_attention=4, pad_token_id=0),
        {
            **ENCODERS,
            **labels("ModernBert"),
            "mean": dict(
                classifier_pooling="mean",
                classifier_bias=True,
                classifier_activation="relu",
                _class="ModernBertForSequenceClassification",
            ),
            "biases": dict(norm_bias=True, attention_bias=True, mlp_bias=True),
            "no bias": dict(decoder_bias=False),
            "head": dict(classifier_bias=True, classifier_activation="relu"),
            "epsilon": dict(norm_eps=0.1),
            "relu": dict(hidden_activation="relu"),
            "kinds": dict(layer_types=[WINDOW, FULL, WINDOW, FULL]),
            "theta": dict(
                rope_parameters={
                    FULL: dict(rope_type="default", rope_theta=900.0),
                    WINDOW: dict(rope_type="default", rope_theta=77.0),
                }
            ),
        },
    ),
}


# of those that write a text which follows from another one, or from sound
T5 = dict(
    vocab_size=23,
    d_model=16,
    d_kv=5,
    d_ff=20,
    num_layers=2,
    num_heads=3,
    relative_attention_num_buckets=8,
    relative_attention_max_distance=6,
    decoder_start_token_id=0,
)
TWO_HALVES = dict(
    vocab_size=23,
    d_model=16,
    encoder_layers=2,
    decoder_layers=2,
    encoder_attention_heads=4,
    decoder_attention_heads=2,
    encoder_ffn_dim=20,
    decoder_ffn_dim=12,
    decoder_start_token_id=2,
    eos_token_id=None,
)
FAMILIES |= {
    "t5": (
        "T5ForConditionalGeneration",
        T5,
        {
            "gated": dict(feed_forward_proj="gated-gelu", tie_word_embeddings=False),
            "gated, own head": dict(feed_forward_proj="gated-gelu", _own_head=True),
            "more layers": dict(num_decoder_layers=3),
            "silu": dict(feed_forward_proj="gated-silu"),
            "epsilon": dict(layer_norm_epsilon=0.1),
            "many buckets": dict(
                relative_attention_num_buckets=32, relative_attention_max_distance=128
            ),
        },
    ),
    "bart": (
        "BartForConditionalGeneration",
        dict(**TWO_HALVES, max_position_embeddings=24, forced_eos_token_id=None, pad_token_id=1),
        {
            "scaled": dict(scale_embedding=True),
            "relu": dict(activation_function="relu"),
            "more layers": dict(decoder_layers=3),
        },
    ),
    "whisper": (
        "WhisperForConditionalGeneration",
        dict(
            **TWO_HALVES,
            num_mel_bins=5,
            max_source_positions=6,
            max_target_positions=24,
            pad_token_id=0,
        ),
        {
            "untied": dict(tie_word_embeddings=False),
            "relu": dict(activation_function="relu"),
            "more layers": dict(encoder_layers=3),
        },
    ),
}
SEQ2SEQ = "t5", "bart", "whisper"
WRITTEN = TOKENS[:, :5]  # what a decoder has written
# arguments of transformers' `generate`, by what is written with them
ENDS = [5, 7, 14, 15, 19]
WAYS = {
    "greedy": {},
    "greedy, each token once": dict(no_repeat_ngram_size=1),
    "greedy, with ends": dict(eos_token_id=ENDS),
    "beams": dict(num_beams=3),
    "beams, with ends": dict(num_beams=3, eos_token_id=ENDS),
}


def pairs_of(config: dict) -> dict:
    """What a model with an encoder and a decoder is called on."""
    inputs = {"decoder_token_ids": WRITTEN, "decoder_padding_mask": np.ones_like(WRITTEN)}
    if config["model_type"] == "whisper":
        shape = len(WRITTEN), 2 * config["max_source_positions"], config["num_mel_bins"]
        sound = np.random.default_rng(0).normal(size=shape).astype("float32")
        return {"encoder_features": sound, **inputs}
    return {"encoder_token_ids": TOKENS, "encoder_padding_mask": PADDED["mask"], **inputs}


def inputs_of(kind: str, entries: dict) -> dict:
    """What a model is called on: tokens, and of encoders what is padding and what is which part;
    padding is a token of its own where there is one.
    """
    tokens = TOKENS
    pad = entries.get("pad_token_id")
    if pad is not None:
        tokens = np.where(PADDED["mask"], TOKENS, pad)
    return {"tokens": tokens, **PADDED}


def ours(model, config: dict):
    """What a model of jkeras's own layers gives."""
    if config["model_type"] in SEQ2SEQ:
        return model(pairs_of(config))
    inputs = inputs_of(config["model_type"], config)
    if not isinstance(model.input, dict):
        return model(inputs["tokens"])
    named = {"token_ids": inputs["tokens"], "padding_mask": inputs["mask"]}
    named["segment_ids"] = inputs["segments"]
    if model.plan.segments == 1:
        named["segment_ids"] = np.zeros_like(inputs["segments"])
    return model({name: named[name] for name in model.input})


def weight(name: str, shape) -> np.ndarray:
    """The weight of a name: the same numbers here and where the outputs were recorded."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if len(shape) == 1:
        return (0.6 + 0.3 * rng.normal(size=shape)).astype("float32")
    return np.asarray(0.35 * rng.normal(size=shape), "float32")
