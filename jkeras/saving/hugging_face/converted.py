"""The model types that keras-hub's own converters read: which entries of `config.json` these look
at, and the values of the others with which they compute what transformers does. Each was run beside
torch (`tests/saving/change_entries.py`).
"""

import collections.abc
import typing

from jkeras.saving.hugging_face import entries
from jkeras.saving.types import Config

Values = collections.abc.Mapping[str, tuple | collections.abc.Callable[[dict], tuple]]


class Converted(typing.NamedTuple):
    """A model type.

    Attributes:
        computed: the entries that keras-hub's converter takes over.
        plain: {entry: the values that are computed}, or a function of all entries that gives them.
        has_rope: whether positions are rotated, and not scaled.
        needed: entries for which transformers takes something else where they are missing.
    """

    computed: frozenset[str]
    plain: Values
    has_rope: bool = False
    needed: tuple[str, ...] = ()


def _converted(
    computed: str,
    plain: dict[str, typing.Any],
    has_rope: bool = False,
    needed: tuple[str, ...] = (),
) -> Converted:
    """A row of the table.

    Args:
        computed: entries with spaces between.
    """
    return Converted(frozenset(computed.split()), plain, has_rope, needed)


DECODER = """
    attention_dropout hidden_size intermediate_size max_position_embeddings num_attention_heads
    num_hidden_layers num_key_value_heads vocab_size
"""
ENCODER = """
    hidden_dropout_prob hidden_size intermediate_size max_position_embeddings num_attention_heads
    num_hidden_layers vocab_size
"""
IMAGES = """
    hidden_dropout_prob hidden_size image_size num_attention_heads num_hidden_layers patch_size
"""
# of features that are taken out in between, and of heads
STAGES = "encoder_stride out_features out_indices pooler_act pooler_output_size stage_names"
FLAG = (True, False)
EXPERTS = "moe_intermediate_size num_experts num_experts_per_tok"
SILU = {"hidden_act": ("silu",)}
GELU = {"hidden_act": ("gelu",)}
UNTIED = {"tie_word_embeddings": (False,)}
TIED = {"tie_word_embeddings": (True,)}
NO_BIAS = {"attention_bias": (False,)}
RGB = {"num_channels": (3,)}


def _in_all_layers(kind: str) -> collections.abc.Callable[[Config], tuple]:
    """The only value of `layer_types` with one kind of attention."""
    return lambda config: ([kind] * config["num_hidden_layers"], None)


def _cap(entry: str) -> collections.abc.Callable[[Config], tuple]:
    """The value of a cap of logits as it is, if it is a number above 0; else none."""
    return lambda config: (config[entry] if _is_positive(config[entry]) else None, None)


def _is_positive(value: typing.Any) -> bool:
    """Whether a value is a number above 0."""
    return type(value) is float and entries.is_number(value) and value > 0


def _second_ones(config: Config) -> tuple[list[str], None]:
    """`layer_types` of Gemma 2: every second layer sees all."""
    kinds = "sliding_attention", "full_attention"
    return [kinds[i % 2] for i in range(config["num_hidden_layers"])], None


def _sixth_ones(config: Config) -> tuple[list[str], None]:
    """`layer_types` of Gemma 3: every sixth layer sees all."""
    kinds = [*["sliding_attention"] * 5, "full_attention"]
    return [kinds[i % 6] for i in range(config["num_hidden_layers"])], None


def _as(entry: str) -> collections.abc.Callable[[Config], tuple]:
    """The value of an entry is that of another one."""
    return lambda config: (config[entry],)


def _rotated(config: Config) -> tuple[list[int]]:
    """`no_rope_layers` of SmolLM3: whether each layer rotates; as it is, if it is that."""
    flags, layers = config["no_rope_layers"], config["num_hidden_layers"]
    is_right = isinstance(flags, list) and len(flags) == layers and set(flags) <= {0, 1}
    return (flags if is_right else [0 if i % 4 == 3 else 1 for i in range(layers)],)


def _width_of_head(config: Config) -> tuple[int, None]:
    """`head_dim` where heads divide the width of the model."""
    return config["hidden_size"] // config["num_attention_heads"], None


FULL = {"layer_types": _in_all_layers("full_attention")}
EXPERTS_IN_ALL = {"mlp_only_layers": ([], None), "decoder_sparse_step": (1,)}
NO_WINDOW = {"use_sliding_window": (False,)}
ROBERTA = {
    **GELU,
    "layer_norm_eps": (1e-5,),
    "pad_token_id": (1,),  # the position of the first token is the one after it
    "position_embedding_type": ("absolute",),
    "tie_word_embeddings": FLAG,
    "type_vocab_size": (1, 2),
}
DINOV2_ENTRIES = (
    f"""{IMAGES} {STAGES} attention_probs_dropout_prob drop_path_rate layerscale_value mlp_ratio
    num_register_tokens""",
    {
        **GELU,
        **RGB,
        "apply_layernorm": FLAG,
        "layer_norm_eps": (1e-6,),
        "qkv_bias": (True,),
        "reshape_hidden_states": FLAG,
        "use_mask_token": FLAG,
        "use_swiglu_ffn": FLAG,
    },
)


def _rope_of_gemma3(config: Config) -> tuple[Config, None]:
    """`rope_parameters` of Gemma 3: layers that see all may have positions that are divided."""
    parameters = config["rope_parameters"] or {}
    full = parameters.get("full_attention") if isinstance(parameters, dict) else None
    whole = {"rope_type": "default", "rope_theta": 1000000.0}
    if isinstance(full, dict) and _is_positive(full.get("factor")):
        whole = {**whole, "rope_type": "linear", "factor": full["factor"]}
    local = {"rope_type": "default", "rope_theta": 10000.0}
    return {"sliding_attention": local, "full_attention": whole}, None


def _linear(config: Config) -> tuple[Config | None, None] | tuple[None]:
    """`rope_scaling` of Gemma 3 as version 4 wrote it; what `rope_parameters` say, if both are."""
    scaling, newer = config["rope_scaling"] or {}, config.get("rope_parameters") or {}
    factor = scaling.get("factor") if isinstance(scaling, dict) else None
    if newer:
        whole = newer.get("full_attention") if isinstance(newer, dict) else None
        factor = whole.get("factor") if isinstance(whole, dict) else None
    if newer and factor is None:
        return (None,)
    return {"rope_type": "linear", "factor": factor if _is_positive(factor) else 8.0}, None


GEMMA3 = _converted(
    f"{DECODER} cache_implementation head_dim sliding_window",
    {
        **NO_BIAS,
        **TIED,
        "attn_logit_softcapping": (None,),
        "final_logit_softcapping": _cap("final_logit_softcapping"),
        "rms_norm_eps": (1e-6,),
        "_sliding_window_pattern": (6,),
        "hidden_activation": ("gelu_pytorch_tanh",),
        "layer_types": _sixth_ones,
        "query_pre_attn_scalar": _as("head_dim"),
        "rope_local_base_freq": (10000.0,),
        "rope_parameters": _rope_of_gemma3,
        "rope_scaling": _linear,
        "rope_theta": (1000000.0,),
        "sliding_window_pattern": (6,),
        "use_bidirectional_attention": (False, None),
    },
    needed=("query_pre_attn_scalar", "sliding_window"),
)


def _depths(config: Config) -> tuple[list[int]]:
    """The numbers of blocks, if each is 1 or more; else none that is right."""
    depths = config["depths"]
    is_right = isinstance(depths, list) and depths and all(map(entries.is_count, depths))
    return (depths if is_right else [2, 2, 6, 2],)


def _heads_of_stages(config: Config) -> tuple[list[int]]:
    """A number for each stage, which divides its width."""
    counts, stages = config["num_heads"], len(_depths(config)[0])
    widths = [config["embed_dim"] * 2**i for i in range(stages)]
    is_right = (
        isinstance(counts, list)
        and len(counts) == stages
        and all(map(entries.is_count, counts))
        and not any(width % heads for width, heads in zip(widths, counts))
    )
    return (counts if is_right else [max(1, width // 32) for width in widths],)


def _windows(config: Config) -> tuple[int]:
    """The window, if each stage has a whole number of them: keras-hub shifts before it pads."""
    window, side = config["window_size"], config["image_size"] // config["patch_size"]
    sides = [side / 2**i for i in range(len(_depths(config)[0]))]
    return (window if all(s and s % window == 0 for s in sides) else int(sides[-1]) or 1,)


def _is_whole_patches(config: Config) -> tuple[int]:
    """The size of images, if patches fill them."""
    size, patch = config["image_size"], config["patch_size"]
    return (size // patch * patch or patch,)


SWIN = _converted(
    f"{STAGES} attention_probs_dropout_prob drop_path_rate embed_dim hidden_dropout_prob mlp_ratio "
    "patch_size",
    {
        **GELU,
        **RGB,
        "depths": _depths,
        "hidden_size": lambda config: (config["embed_dim"] * 2 ** (len(_depths(config)[0]) - 1),),
        "image_size": _is_whole_patches,
        "layer_norm_eps": (1e-5,),
        "num_heads": _heads_of_stages,
        "num_layers": lambda config: (len(_depths(config)[0]),),
        "path_norm": FLAG,
        "qkv_bias": FLAG,
        "use_absolute_embeddings": (False,),
        "window_size": _windows,
    },
)
DINOV3 = _converted(
    f"""{IMAGES} {STAGES} attention_dropout drop_path_rate intermediate_size layer_norm_eps
    layerscale_value num_register_tokens pos_embed_jitter pos_embed_rescale pos_embed_shift
    rope_theta""",
    {
        **RGB,
        **{entry: FLAG for entry in ("apply_layernorm", "reshape_hidden_states", "use_gated_mlp")},
        **{f"{entry}_bias": FLAG for entry in ("key", "mlp", "proj", "query", "value")},
        "hidden_act": ("gelu", "relu", "silu"),
    },
)
BART = _converted(
    """
    activation_dropout attention_dropout d_model decoder_layerdrop dropout encoder_attention_heads
    encoder_ffn_dim encoder_layerdrop init_std max_position_embeddings num_hidden_layers vocab_size
    """,
    {
        "activation_function": ("gelu",),
        "add_bias_logits": (False,),
        "add_final_layer_norm": (False,),
        "decoder_attention_heads": _as("encoder_attention_heads"),
        "decoder_ffn_dim": _as("encoder_ffn_dim"),
        "decoder_layers": _as("num_hidden_layers"),
        "encoder_layers": _as("num_hidden_layers"),
        "is_encoder_decoder": (True,),
        "normalize_before": (False,),
        "normalize_embedding": (True,),
        "scale_embedding": (False,),
        **TIED,
    },
    needed=("decoder_attention_heads", "decoder_ffn_dim", "decoder_layers", "encoder_layers"),
)
TYPES = {
    "albert": _converted(
        f"{ENCODER} attention_probs_dropout_prob embedding_size inner_group_num num_hidden_groups"
        " type_vocab_size",
        {"hidden_act": ("gelu_new", "gelu"), "layer_norm_eps": (1e-12,)}
        | {"tie_word_embeddings": FLAG}
        | {"position_embedding_type": ("absolute",), "net_structure_type": (0,), "gap_size": (0,)}
        | {"num_memory_blocks": (0,), "down_scale_factor": (1,)},
    ),
    "bart": BART,
    "deit": _converted(
        f"{IMAGES} {STAGES} intermediate_size layer_norm_eps",
        {**GELU, **RGB, "qkv_bias": (True,)},
    ),
    "dinov2": _converted(*DINOV2_ENTRIES),
    "dinov2_with_registers": _converted(*DINOV2_ENTRIES, needed=("num_register_tokens",)),
    "dinov3_vit": DINOV3,
    "distilbert": _converted(
        "dim dropout hidden_dim max_position_embeddings n_heads n_layers vocab_size "
        "attention_dropout qa_dropout seq_classif_dropout",
        {"activation": ("gelu",), "sinusoidal_pos_embds": (False,)}
        | {"tie_weights_": FLAG, "tie_word_embeddings": FLAG},
    ),
    "gemma2": _converted(
        f"{DECODER} cache_implementation head_dim hidden_act sliding_window",
        {
            **NO_BIAS,
            **TIED,
            "attn_logit_softcapping": _cap("attn_logit_softcapping"),
            "final_logit_softcapping": _cap("final_logit_softcapping"),
            "hidden_activation": ("gelu_pytorch_tanh",),
            "layer_types": _second_ones,
            "query_pre_attn_scalar": _as("head_dim"),
            "rms_norm_eps": (1e-6,),
            "rope_theta": (10000.0,),
            "sliding_window_size": lambda config: (config.get("sliding_window"),),
            "use_bidirectional_attention": (False, None),
        },
        has_rope=True,
        needed=("sliding_window",),
    ),
    "gemma3_text": GEMMA3,
    "mixtral": _converted(
        f"{DECODER} num_experts_per_tok num_local_experts rms_norm_eps rope_theta sliding_window",
        {**SILU, **UNTIED, "head_dim": _width_of_head},
        has_rope=True,
    ),
    "qwen2_moe": _converted(
        f"{DECODER} {EXPERTS} max_window_layers rms_norm_eps rope_theta "
        "shared_expert_intermediate_size sliding_window",
        {**SILU, **UNTIED, **NO_WINDOW, **FULL, **EXPERTS_IN_ALL, "qkv_bias": (True,)}
        | {"norm_topk_prob": FLAG},
        has_rope=True,
    ),
    "qwen3_moe": _converted(
        f"{DECODER} {EXPERTS} head_dim max_window_layers rope_theta sliding_window",
        # the norm of queries and keys has this epsilon, whatever the entry says
        {**SILU, **NO_BIAS, **NO_WINDOW, **FULL, **EXPERTS_IN_ALL, "rms_norm_eps": (1e-6,)}
        | {"norm_topk_prob": FLAG, "tie_word_embeddings": FLAG},
        has_rope=True,
    ),
    "roberta": _converted(ENCODER, ROBERTA, needed=("layer_norm_eps",)),
    "smollm3": _converted(
        f"{DECODER} max_window_layers no_rope_layer_interval rms_norm_eps rope_theta "
        "sliding_window",
        {**SILU, **TIED, **NO_WINDOW, **FULL, **NO_BIAS, "mlp_bias": (False,)}
        | {"no_rope_layers": _rotated},
        has_rope=True,
    ),
    "swin": SWIN,
    "vit": _converted(
        f"{IMAGES} {STAGES} attention_probs_dropout_prob intermediate_size",
        {**GELU, **RGB, "layer_norm_eps": (1e-12,), "qkv_bias": (True,)},
    ),
    "xlm-roberta": _converted(ENCODER, ROBERTA, needed=("layer_norm_eps",)),
}
# {entry: the name under which keras-hub's converter reads it}
RENAMED = {"qwen3_moe": {"num_local_experts": "num_experts"}}
UNSEEN = "that it computes what transformers does was not seen"
IMAGES_AND_TEXT = "with images it was not seen to compute what transformers does"
# {type that keras-hub reads besides: why it is not read here}
REFUSED = {
    "blip-2": IMAGES_AND_TEXT,
    "esm": "its attention looks at padding, where transformers' does not",
    "gemma3": f"{IMAGES_AND_TEXT}; a model of the text alone is of the type 'gemma3_text'",
    "gemma3n": IMAGES_AND_TEXT,
    "gemma4": IMAGES_AND_TEXT,
    "gemma4_assistant": UNSEEN,
    "gemma4_text": UNSEEN,
    "metaclip_2": IMAGES_AND_TEXT,
    "paligemma": "it takes the width of a head from `num_image_tokens`",
    "qwen3_5": IMAGES_AND_TEXT,
    "qwen3_5_moe": IMAGES_AND_TEXT,
    "sam3_video": UNSEEN,
    "t5gemma": "its outputs are others than those of transformers",
    "t5gemma2": IMAGES_AND_TEXT,
}
