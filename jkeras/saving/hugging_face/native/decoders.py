"""The model types that are Llama with other names, or with small changes."""

import operator

from jkeras.core.errors import SerializationError
from jkeras.saving.hugging_face import entries
from jkeras.saving.hugging_face.native import rope
from jkeras.saving.hugging_face.native.family import (
    NEEDED,
    TIE,
    Entry,
    Family,
    activation,
    flag,
    number,
    only,
)
from jkeras.saving.hugging_face.native.plans import (
    Attention,
    Block,
    Experts,
    Feedforward,
    Norm,
    Transformer,
)
from jkeras.saving.types import Config

HEADS, GROUPS = "num_attention_heads", "num_key_value_heads"
LAYERS, WIDTH = "num_hidden_layers", "hidden_size"
GROUPED = ((HEADS, GROUPS),)
OF_HEADS = ((WIDTH, HEADS), *GROUPED)
EQUAL_HEADS = {GROUPS: operator.itemgetter(HEADS)}
EMBEDDING = """
    embed_tokens.weight embedding/embeddings
    norm.weight final_norm/scale
    lm_head.weight lm_head/kernel
    score.weight score/kernel
"""
ATTENTION = """
    layers.#.self_attn.q_proj layer_#/attention/query
    layers.#.self_attn.k_proj layer_#/attention/key
    layers.#.self_attn.v_proj layer_#/attention/value
    layers.#.self_attn.o_proj layer_#/attention/output_dense
"""
GATED = """
    layers.#.mlp.gate_proj layer_#/feedforward/gate
    layers.#.mlp.up_proj layer_#/feedforward/up
    layers.#.mlp.down_proj layer_#/feedforward/down
"""
NORMS = """
    layers.#.input_layernorm.weight layer_#/norm_1/scale
    layers.#.post_attention_layernorm.weight layer_#/norm_2/scale
"""
QK_NORMS = """
    layers.#.self_attn.q_norm.weight layer_#/attention/query_norm/scale
    layers.#.self_attn.k_norm.weight layer_#/attention/key_norm/scale
"""
LLAMA = f"{EMBEDDING}{ATTENTION}{GATED}{NORMS}"


def _classes(name: str, classifies: bool = True) -> dict[str, str]:
    """The classes of transformers that are written."""
    classes = {"backbone": f"{name}Model", "causal_lm": f"{name}ForCausalLM"}
    return classes | ({"classifier": f"{name}ForSequenceClassification"} if classifies else {})


def _entries(epsilon: float, positions: int, **further: Entry) -> dict[str, Entry]:
    """Those of Llama.

    Args:
        epsilon, positions: where a file does not say them.
    """
    return {
        "vocab_size": number(NEEDED),
        WIDTH: number(NEEDED),
        "intermediate_size": number(NEEDED),
        LAYERS: number(NEEDED),
        HEADS: number(NEEDED),
        GROUPS: number(None),
        "hidden_act": activation("silu"),
        "max_position_embeddings": number(positions),
        "rms_norm_eps": number(epsilon),
        TIE: flag(False),
        "attention_dropout": number(0.0),
        **further,
    }


BIASES = {"attention_bias": flag(False), "mlp_bias": flag(False)}


def _size_of(config: Config) -> int:
    """The width of a head."""
    return config.get("head_dim") or config[WIDTH] // config[HEADS]


def _attention(form: rope.Form, config: Config, **changes: object) -> Attention:
    """Attention of Llama, with what is another way."""
    size = _size_of(config)
    plain = {
        "heads": config[HEADS],
        "groups": config[GROUPS],
        "size": size,
        "scale": size**-0.5,
        "bias": config.get("attention_bias", False),
        "output_bias": config.get("attention_bias", False),
        "rotary": rope.rotary(form, config, size),
        "dropout": config["attention_dropout"],
    }
    return Attention(**{**plain, **changes})


def _feedforward(config: Config) -> Feedforward:
    """The network of Llama."""
    bias = config.get("mlp_bias", False)
    return Feedforward(config["intermediate_size"], config["hidden_act"], True, bias)


def _norm(config: Config) -> Norm:
    return Norm("rms", config["rms_norm_eps"])


def _transformer(config: Config, blocks: list[Block], **changes: object) -> Transformer:
    """Llama, with what is another way."""
    plain = {
        "vocabulary": config["vocab_size"],
        "width": config[WIDTH],
        "blocks": tuple(blocks),
        "norm": _norm(config),
        "is_tied": config[TIE],
    }
    return Transformer(**{**plain, **changes})


def _equal(config: Config, block: Block, **changes: object) -> Transformer:
    """One of equal blocks."""
    return _transformer(config, [block] * config[LAYERS], **changes)


# ---------------------------------------------------------------- Llama, Mistral, Qwen

ROPE = rope.Form()


def _llama(config: Config) -> Transformer:
    attention = _attention(ROPE, config)
    return _equal(config, Block(attention, _feedforward(config), _norm(config)))


NATIVE_LLAMA = Family(
    kind="llama",
    writes=_classes("Llama"),
    prefix="model.",
    names=LLAMA,
    entries=_entries(1e-6, 2048, head_dim=number(None), rope_interleaved=only(False), **BIASES),
    plan=_llama,
    rope=ROPE,
    derived=EQUAL_HEADS | {"head_dim": lambda config: _width_of_head(config)},
    multiples=GROUPED,
    ignored=("max_sequence_length",),
)


def _width_of_head(config: Config) -> int:
    """The width of a head where heads divide the width of the model.

    Raises:
        SerializationError: they do not.
    """
    if config[WIDTH] % config[HEADS]:
        raise SerializationError(
            f"config.json says {WIDTH}={config[WIDTH]} and {HEADS}={config[HEADS]}: expected the "
            "first to be a multiple of the second."
        )
    return config[WIDTH] // config[HEADS]


# ---------------------------------------------------------------- Phi-3 and 4

PHI3_ROPE = rope.Form(
    entries=("rope_theta", "partial_rotary_factor"),
    kinds=("default", "longrope"),
    other_kinds={"su": "longrope", "yarn": "longrope"},
)


def _phi3(config: Config) -> Transformer:
    attention = _attention(PHI3_ROPE, config, window=config["sliding_window"])
    block = Block(attention, _feedforward(config), _norm(config), dropout=config["resid_pdrop"])
    return _equal(config, block)


PHI3 = Family(
    kind="phi3",
    writes=_classes("Phi3"),
    prefix="model.",
    names=f"""{EMBEDDING}{NORMS}
    layers.#.self_attn.qkv_proj layer_#/attention/query,layer_#/attention/key,layer_#/attention/value
    layers.#.self_attn.o_proj layer_#/attention/output_dense
    layers.#.mlp.gate_up_proj layer_#/feedforward/gate,layer_#/feedforward/up
    layers.#.mlp.down_proj layer_#/feedforward/down
    """,
    entries=_entries(
        1e-5,
        4096,
        original_max_position_embeddings=number(4096),
        sliding_window=number(None),
        resid_pdrop=number(0.0),
        attention_bias=only(False),
    ),
    plan=_phi3,
    rope=PHI3_ROPE,
    ignored=("embd_pdrop",),  # transformers makes a layer of it that it does not use
    derived=EQUAL_HEADS,
    multiples=OF_HEADS,
)

# ---------------------------------------------------------------- OLMo 2


def _olmo2(config: Config) -> Transformer:
    norm = _norm(config)
    attention = _attention(ROPE, config, norm=norm, norms_whole=True)
    return _equal(config, Block(attention, _feedforward(config), norm, form="after"))


OLMO2 = Family(
    kind="olmo2",
    writes=_classes("Olmo2"),
    prefix="model.",
    names=f"""{EMBEDDING}{ATTENTION}{GATED}{QK_NORMS}
    layers.#.post_attention_layernorm.weight layer_#/norm_1/scale
    layers.#.post_feedforward_layernorm.weight layer_#/norm_2/scale
    """,
    entries=_entries(1e-5, 2048, attention_bias=flag(False), head_dim=number(None)),
    plan=_olmo2,
    rope=ROPE,
    derived=EQUAL_HEADS | {"head_dim": _width_of_head},
    multiples=GROUPED,
)

# ---------------------------------------------------------------- Granite


def _granite(config: Config) -> Transformer:
    attention = _attention(ROPE, config, scale=config["attention_multiplier"])
    multiplier = config["residual_multiplier"]
    block = Block(attention, _feedforward(config), _norm(config), multiplier=multiplier)
    return _equal(
        config,
        block,
        embedding_scale=config["embedding_multiplier"],
        logit_scale=1 / config["logits_scaling"],
    )


ANY = "any number"
GRANITE = Family(
    kind="granite",
    writes=_classes("Granite", classifies=False),
    prefix="model.",
    names=LLAMA,
    entries=_entries(
        1e-6,
        2048,
        head_dim=number(None),
        embedding_multiplier=Entry(1.0, ANY),
        logits_scaling=number(1.0),
        residual_multiplier=Entry(1.0, ANY),
        attention_multiplier=Entry(1.0, ANY),
        **BIASES,
    ),
    plan=_granite,
    rope=ROPE,
    derived=EQUAL_HEADS | {"head_dim": _width_of_head},
    multiples=GROUPED,
)

# ---------------------------------------------------------------- SmolLM3

SMOLLM3_ROPE = rope.Form(theta=2e6)
KINDS = ("full_attention", "sliding_attention")


def _flags(config: Config) -> list[int]:
    """Which layers rotate, where it is not said."""
    interval = config["no_rope_layer_interval"]
    return [int((i + 1) % interval != 0) for i in range(config[LAYERS])]


def _kinds(config: Config) -> list[str]:
    """Which layers see a window, where it is not said."""
    has = config["use_sliding_window"] and config["sliding_window"] is not None
    return [KINDS[has and not rotates] for rotates in config["no_rope_layers"]]


def check_layers(config: Config, entry: str, values: tuple) -> None:
    """Raises SerializationError unless an entry has one of some values for each layer."""
    given, layers = config[entry], config[LAYERS]
    is_list = isinstance(given, list) and len(given) == layers
    is_right = is_list and all(any(entries.is_same(v, one) for one in values) for v in given)
    if not is_right:
        raise SerializationError(
            f"config.json says {entries.shown(entry, given)}: expected {layers} of "
            f"{', '.join(map(repr, values))}."
        )


def _smollm3(config: Config) -> Transformer:
    check_layers(config, "no_rope_layers", (0, 1))
    check_layers(config, "layer_types", KINDS)
    blocks = []
    for rotates, kind in zip(config["no_rope_layers"], config["layer_types"]):
        changes = {} if rotates else {"rotary": None}
        if config["use_sliding_window"] and kind == KINDS[1]:
            changes["window"] = config["sliding_window"]
        attention = _attention(SMOLLM3_ROPE, config, **changes)
        blocks.append(Block(attention, _feedforward(config), _norm(config)))
    return _transformer(config, blocks)


SMOLLM3 = Family(
    kind="smollm3",
    writes=_classes("SmolLM3"),
    prefix="model.",
    names=LLAMA,
    entries=_entries(
        1e-6,
        32768,
        **BIASES,
        head_dim=number(None),
        use_sliding_window=flag(False),
        sliding_window=number(None),
        no_rope_layers=Entry(None, "list"),
        no_rope_layer_interval=number(4),
        layer_types=Entry(None, "list"),
    )
    | {GROUPS: number(4), TIE: flag(True)},
    plan=_smollm3,
    rope=SMOLLM3_ROPE,
    derived=EQUAL_HEADS
    | {"head_dim": _width_of_head, "no_rope_layers": _flags, "layer_types": _kinds},
    multiples=GROUPED,
    ignored=("max_window_layers",),
)

# ---------------------------------------------------------------- Qwen3 with experts


def _is_sparse(config: Config, layer: int) -> bool:
    """Whether a layer has experts."""
    return (
        layer not in config["mlp_only_layers"] and (layer + 1) % config["decoder_sparse_step"] == 0
    )


def _moe(config: Config, attention: Attention, shared: int = 0) -> Transformer:
    """A transformer of which some layers have experts."""
    experts = Experts(
        config["num_experts"],
        config["num_experts_per_tok"],
        config["moe_intermediate_size"],
        config["norm_topk_prob"],
        shared,
    )
    if experts.chosen > experts.count:
        raise SerializationError(
            f"config.json says num_experts_per_tok={experts.chosen} of {experts.count} experts."
        )
    blocks = []
    for layer in range(config[LAYERS]):
        network = _feedforward(config)
        if _is_sparse(config, layer):
            network = Feedforward(experts.inner, config["hidden_act"], experts=experts)
        blocks.append(Block(attention, network, _norm(config)))
    return _transformer(config, blocks)


def check_dense_layers(config: Config) -> None:
    """Raises SerializationError unless `mlp_only_layers` are numbers of layers."""
    given = config["mlp_only_layers"]
    if not isinstance(given, list) or not all(type(one) is int for one in given):
        raise SerializationError(
            f"config.json says {entries.shown('mlp_only_layers', given)}: expected numbers of "
            "layers."
        )


def _qwen3_moe(config: Config) -> Transformer:
    check_dense_layers(config)
    window = config["sliding_window"] if config["use_sliding_window"] else None
    return _moe(config, _attention(ROPE, config, norm=_norm(config), window=window))


MOE = """
    layers.#.mlp.gate layer_#/feedforward/router
    layers.#.mlp.experts.@.gate_proj.weight layer_#/feedforward/experts/gate each
    layers.#.mlp.experts.@.up_proj.weight layer_#/feedforward/experts/up each
    layers.#.mlp.experts.@.down_proj.weight layer_#/feedforward/experts/down each
"""
MOE_ENTRIES = {
    "decoder_sparse_step": number(1),
    "moe_intermediate_size": number(NEEDED),
    "num_experts_per_tok": number(NEEDED),
    "num_experts": number(NEEDED),
    "norm_topk_prob": flag(False),
    "mlp_only_layers": Entry(None, "list"),
    "use_sliding_window": flag(False),
    "sliding_window": Entry(4096, can_be_none=True),
}
QWEN3_MOE = Family(
    kind="qwen3_moe",
    writes=_classes("Qwen3Moe"),
    prefix="model.",
    names=f"{LLAMA}{QK_NORMS}{MOE}",
    entries=_entries(1e-6, 32768, attention_bias=flag(False), head_dim=number(None), **MOE_ENTRIES)
    | {GROUPS: number(4)},
    plan=_qwen3_moe,
    rope=ROPE,
    derived=EQUAL_HEADS | {"head_dim": _width_of_head, "mlp_only_layers": lambda config: []},
    multiples=GROUPED,
    ignored=("max_window_layers",),
    renamed={"num_experts": "num_local_experts"},
)
FAMILIES = (NATIVE_LLAMA, PHI3, OLMO2, GRANITE, SMOLLM3, QWEN3_MOE)
