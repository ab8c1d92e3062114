"""The model types that keras-hub's own converters read: which entries of `config.json` these look
at, and the values of the others with which they compute what transformers does.
"""

import collections.abc
import typing

import numpy as np

from jkeras.core.errors import SerializationError
from jkeras.saving.checksums import Checksums
from jkeras.saving.flat import Stored
from jkeras.saving.hugging_face import entries, rope
from jkeras.saving.hugging_face.architectures import ARCHITECTURES
from jkeras.saving.hugging_face.sizes import check_all_layers, check_counts, check_dtypes
from jkeras.core.errors import readable

Values = collections.abc.Mapping[str, tuple | collections.abc.Callable[[dict], tuple]]


class Converted(typing.NamedTuple):
    """A model type.

    Attributes:
        computed: the entries that keras-hub's converter takes over.
        plain: {entry: the values that are computed}, or a function of all entries that gives them.
        has_rope: whether positions are rotated, and not scaled.
        inside: the entry whose entries these are.
    """

    computed: frozenset[str]
    plain: Values
    has_rope: bool = False
    inside: str | None = None


def _converted(computed, plain, has_rope=False):
    """A row of the table.

    Args:
        computed: entries with spaces between.
    """
    return Converted(frozenset(computed.split()), plain, has_rope)


DECODER = """
    attention_dropout hidden_size intermediate_size max_position_embeddings num_attention_heads
    num_hidden_layers num_key_value_heads vocab_size
"""
ENCODER = """
    hidden_dropout_prob hidden_size intermediate_size max_position_embeddings num_attention_heads
    num_hidden_layers tie_word_embeddings vocab_size
"""
IMAGES = """
    hidden_dropout_prob hidden_size image_size num_attention_heads num_hidden_layers patch_size
"""
# of features that are taken out in between, and of heads
STAGES = "encoder_stride out_features out_indices pooler_act pooler_output_size stage_names"
EXPERTS = "moe_intermediate_size norm_topk_prob num_experts num_experts_per_tok"
SILU = {"hidden_act": ("silu",)}
GELU = {"hidden_act": ("gelu",)}
UNTIED = {"tie_word_embeddings": (False,)}
TIED = {"tie_word_embeddings": (True,)}
NO_BIAS = {"attention_bias": (False,)}
RGB = {"num_channels": (3,)}


def _in_all_layers(kind):
    """The only value of `layer_types` with one kind of attention."""
    return lambda config: ([kind] * config["num_hidden_layers"], None)


def _cap(entry):
    """The value of a cap of logits as it is, if it is a number above 0; else none."""
    return lambda config: (config[entry] if _is_positive(config[entry]) else None, None)


def _is_positive(value):
    """Whether a value is a number above 0."""
    return type(value) is float and entries.is_number(value) and value > 0


def _scales(config):
    """By the roots of which keras-hub's Gemma 2 divides."""
    return config["head_dim"], config["hidden_size"] // config["num_attention_heads"]


def _second_ones(config):
    """`layer_types` of Gemma 2: every second layer sees all."""
    kinds = "sliding_attention", "full_attention"
    return [kinds[i % 2] for i in range(config["num_hidden_layers"])], None


def _sixth_ones(config):
    """`layer_types` of Gemma 3: every sixth layer sees all."""
    kinds = [*["sliding_attention"] * 5, "full_attention"]
    return [kinds[i % 6] for i in range(config["num_hidden_layers"])], None


def _rotated(config):
    """`no_rope_layers` of SmolLM3: whether each layer rotates; as it is, if it is that."""
    given, layers = config["no_rope_layers"], config["num_hidden_layers"]
    is_right = isinstance(given, list) and len(given) == layers and set(given) <= {0, 1}
    return (given if is_right else [0 if i % 4 == 3 else 1 for i in range(layers)],)


def _width_of_head(config):
    """`head_dim` where heads divide the width of the model."""
    return config["hidden_size"] // config["num_attention_heads"], None


FULL = {"layer_types": _in_all_layers("full_attention")}
EXPERTS_IN_ALL = {"mlp_only_layers": ([], None), "decoder_sparse_step": (1,)}
NO_WINDOW = {"use_sliding_window": (False,)}
ROBERTA = {**GELU, "type_vocab_size": (1, 2), "position_embedding_type": ("absolute",)}
DINOV2 = _converted(
    f"""{IMAGES} {STAGES} apply_layernorm attention_probs_dropout_prob drop_path_rate
    layerscale_value mlp_ratio num_register_tokens reshape_hidden_states use_mask_token
    use_swiglu_ffn""",
    {**GELU, **RGB, "layer_norm_eps": (1e-6,), "qkv_bias": (True,)},
)


def _rope_of_gemma3(config):
    """`rope_parameters` of Gemma 3: layers that see all may have positions that are divided."""
    given = config["rope_parameters"] or {}
    full = given.get("full_attention") if isinstance(given, dict) else None
    whole = {"rope_type": "default", "rope_theta": 1000000.0}
    if isinstance(full, dict) and _is_positive(full.get("factor")):
        whole = {**whole, "rope_type": "linear", "factor": full["factor"]}
    local = {"rope_type": "default", "rope_theta": 10000.0}
    return {"sliding_attention": local, "full_attention": whole}, None


def _linear(config):
    """`rope_scaling` of Gemma 3 as version 4 wrote it."""
    given = config["rope_scaling"] or {}
    factor = given.get("factor") if isinstance(given, dict) else None
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
        "query_pre_attn_scalar": _scales,
        "rope_local_base_freq": (10000.0,),
        "rope_parameters": _rope_of_gemma3,
        "rope_scaling": _linear,
        "rope_theta": (1000000.0,),
        "sliding_window_pattern": (6,),
        "use_bidirectional_attention": (False, None),
    },
)
TYPES = {
    "albert": _converted(
        f"{ENCODER} attention_probs_dropout_prob embedding_size inner_group_num num_hidden_groups"
        " type_vocab_size",
        {"hidden_act": ("gelu_new", "gelu"), "layer_norm_eps": (1e-12,)}
        | {"position_embedding_type": ("absolute",), "net_structure_type": (0,), "gap_size": (0,)}
        | {"num_memory_blocks": (0,), "down_scale_factor": (1,)},
    ),
    "deit": _converted(
        f"{IMAGES} {STAGES} intermediate_size layer_norm_eps",
        {**GELU, **RGB, "qkv_bias": (True,)},
    ),
    "dinov2": DINOV2,
    "dinov2_with_registers": DINOV2,
    "distilbert": _converted(
        "dim dropout hidden_dim max_position_embeddings n_heads n_layers vocab_size "
        "attention_dropout qa_dropout seq_classif_dropout tie_weights_ tie_word_embeddings",
        {"activation": ("gelu",), "sinusoidal_pos_embds": (False,)},
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
            "query_pre_attn_scalar": _scales,
            "rms_norm_eps": (1e-6,),
            "rope_theta": (10000.0,),
            "sliding_window_size": lambda config: (config.get("sliding_window"),),
            "use_bidirectional_attention": (False, None),
        },
        has_rope=True,
    ),
    "gemma3": GEMMA3._replace(inside="text_config"),
    "gemma3_text": GEMMA3,
    "mixtral": _converted(
        f"{DECODER} num_experts_per_tok num_local_experts rms_norm_eps rope_theta sliding_window",
        {**SILU, **UNTIED, "head_dim": _width_of_head},
        has_rope=True,
    ),
    "qwen2_moe": _converted(
        f"{DECODER} {EXPERTS} max_window_layers rms_norm_eps rope_theta "
        "shared_expert_intermediate_size sliding_window",
        {**SILU, **UNTIED, **NO_WINDOW, **FULL, **EXPERTS_IN_ALL, "qkv_bias": (True,)},
        has_rope=True,
    ),
    "qwen3_moe": _converted(
        f"{DECODER} {EXPERTS} head_dim max_window_layers rms_norm_eps rope_theta sliding_window "
        "tie_word_embeddings",
        {**SILU, **NO_BIAS, **NO_WINDOW, **FULL, **EXPERTS_IN_ALL},
        has_rope=True,
    ),
    "roberta": _converted(ENCODER, {**ROBERTA, "layer_norm_eps": (1e-5,)}),
    "smollm3": _converted(
        f"{DECODER} max_window_layers no_rope_layer_interval rms_norm_eps rope_theta "
        "sliding_window",
        {**SILU, **TIED, **NO_WINDOW, **FULL, **NO_BIAS, "mlp_bias": (False,)}
        | {"no_rope_layers": _rotated},
        has_rope=True,
    ),
    "vit": _converted(
        f"{IMAGES} {STAGES} attention_probs_dropout_prob intermediate_size qkv_bias",
        {**GELU, **RGB, "layer_norm_eps": (1e-12,)},
    ),
    "xlm-roberta": _converted(ENCODER, {**ROBERTA, "layer_norm_eps": (1e-5,)}),
}
# whose entries are looked at for the numbers of layers, widths, and what no model here computes
OTHERS = frozenset(
    """
    bart blip-2 dinov3_vit esm gemma3n gemma4 gemma4_assistant gemma4_text
    gpt_oss metaclip_2 paligemma qwen3_5 qwen3_5_moe sam3_video swin t5gemma t5gemma2
    """.split()
)

NUMBERS = entries.COUNTS | entries.SHARES | {"layer_norm_eps", "rms_norm_eps", "rope_theta"}


def check_type(kind: str) -> None:
    """Raises SerializationError for a model type that neither jkeras nor keras-hub reads."""
    own = [architecture.model_type for architecture in ARCHITECTURES]
    if kind not in {*own, *TYPES, *OTHERS}:
        others = ", ".join(sorted({*TYPES, *OTHERS}))
        raise SerializationError(
            f"models of the type '{kind}' are not supported. Supported are {', '.join(own)}; and, "
            f"by converters of keras-hub, {others}."
        )


def check(config: dict, stored: collections.abc.Mapping[str, Stored]) -> None:
    """Raises SerializationError for what keras-hub's converter would leave out or not end with."""
    check_counts(config, stored)
    if config["model_type"] in TYPES and config["model_type"] != "albert":  # its layers are one
        check_all_layers(config, stored)
    check_dtypes([name for name in stored if name.endswith(".weight")], stored)
    _check_plain(config)
    kind = config["model_type"]
    if kind == "roberta":
        _check_no_segments(stored)
    if kind not in TYPES:
        return
    known, what = TYPES[kind], f"keras-hub's converter of '{kind}'"
    if known.inside:
        config = config.get(known.inside) or {}
    names = {*known.computed, *known.plain, *entries.PLAIN}
    if known.has_rope:
        config = rope.flat(config)
        rope.check_unscaled(config, what)
        names |= rope.ENTRIES
    entries.check_known(config, names, what)
    for entry in known.computed & NUMBERS & set(config):
        has_no_window = entry == "sliding_window" and config.get("use_sliding_window") is False
        is_none = entry == "sliding_window" and config[entry] is None
        if not (has_no_window or is_none):
            entries.check_number(entry, config[entry])
    entries.check_values(config, _values(known.plain, config, what), what)
    chosen, experts = config.get("num_experts_per_tok", 0), config.get("num_experts", 0)
    if chosen > max(experts, config.get("num_local_experts", 0)):
        raise SerializationError(f"config.json says num_experts_per_tok={chosen} of fewer experts.")


def _values(plain, config, what):
    """{entry: the values that are computed} of those that a configuration has."""
    there = {entry: values for entry, values in plain.items() if entry in config}
    try:
        return {entry: v(config) if callable(v) else v for entry, v in there.items()}
    except KeyError as error:
        raise SerializationError(
            f"config.json does not have {error.args[0]}, which {what} needs."
        ) from None


def read(models: typing.Any, folder: str, kind: str, arguments: dict) -> typing.Any:
    """The backbone that keras-hub's converter makes of a folder.

    Args:
        models: the module of keras-hub.
        arguments: of the backbone.

    Raises:
        SerializationError: the folder is not of the form that it reads.
    """
    try:
        return models.Backbone.from_preset(folder, **arguments)
    except Exception as error:  # of keras-hub, of safetensors, of JAX
        raise SerializationError(
            f"this folder of the type '{kind}' is not supported: keras-hub's converter does not "
            f"read it ({type(error).__name__}: {readable(error)})."
        ) from error


def _check_no_segments(stored):
    """Raises SerializationError where tokens get a vector of their segment, which keras-hub's
    RoBERTa does not have: those that are known have zeros there.
    """
    for name, weight in stored.items():
        if not name.endswith("token_type_embeddings.weight"):
            continue
        with Checksums() as sums:
            has_some = bool(np.any(weight.mapped(sums)[:1]))
            sums.finish()
        if has_some:
            raise SerializationError(
                f"'{name}' has other numbers than zeros, which keras-hub's RoBERTa does not add."
            )


def _check_plain(config):
    """Raises SerializationError for what no model computes, in a configuration or one inside."""
    nested = config["model_type"] in OTHERS if "model_type" in config else True
    plain = {"quantization_config": (None,)} if nested else entries.PLAIN
    entries.check_values(config, plain, "keras-hub")
    for inner in config.values():
        if isinstance(inner, dict):
            _check_plain(inner)
