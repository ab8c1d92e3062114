"""The model types that are Llama with other names, or with small changes."""

from jkeras.saving.hugging_face.native import rope
from jkeras.saving.hugging_face.native.common import (
    ATTENTION,
    BIASES,
    EMBEDDING,
    EQUAL_HEADS,
    GATED,
    GROUPED,
    GROUPS,
    KINDS,
    LAYERS,
    LLAMA,
    NORMS,
    OF_HEADS,
    QK_NORMS,
    QKV,
    ROPE,
    attention_of,
    check_layers,
    classes,
    feedforward_of,
    llama_entries,
    norm_of,
    of_equal_blocks,
    transformer_of,
    width_of_head,
    windows_of,
)
from jkeras.saving.hugging_face.native.family import TIE, Entry, Family, flag, number, only
from jkeras.saving.hugging_face.native.plans import Block, Transformer
from jkeras.saving.types import Config

# ---------------------------------------------------------------- Llama, Mistral, Qwen


def _llama(config: Config) -> Transformer:
    attention = attention_of(ROPE, config)
    return of_equal_blocks(config, Block(attention, feedforward_of(config), norm_of(config)))


NATIVE_LLAMA = Family(
    kind="llama",
    writes=classes("Llama"),
    prefix="model.",
    names=LLAMA,
    entries=llama_entries(
        1e-6, 2048, head_dim=number(None), rope_interleaved=only(False), **BIASES
    ),
    plan=_llama,
    rope=ROPE,
    derived=EQUAL_HEADS | {"head_dim": width_of_head},
    multiples=GROUPED,
    ignored=("max_sequence_length",),
)


def _mistral(config: Config) -> Transformer:
    attention = attention_of(ROPE, config, window=config["sliding_window"])
    return of_equal_blocks(config, Block(attention, feedforward_of(config), norm_of(config)))


WINDOW = {"sliding_window": Entry(4096, can_be_none=True)}
MISTRAL = Family(
    kind="mistral",
    writes=classes("Mistral"),
    prefix="model.",
    names=LLAMA,
    entries=llama_entries(1e-6, 131072, head_dim=number(None), **WINDOW) | {GROUPS: number(8)},
    plan=_mistral,
    rope=ROPE,
    derived=EQUAL_HEADS | {"head_dim": width_of_head},
    multiples=GROUPED,
    ignored=("max_sequence_length",),
)


def _later(config: Config) -> list[str]:
    """Which layers of Qwen see a window: the later ones."""
    has = config["use_sliding_window"] and config["sliding_window"] is not None
    first = config["max_window_layers"]
    return [KINDS[has and layer >= first] for layer in range(config[LAYERS])]


def _qwen(config: Config, **changes: object) -> Transformer:
    if not config["use_sliding_window"]:
        config = {**config, "sliding_window": None}
    blocks = []
    for window in windows_of(config):
        attention = attention_of(ROPE, config, window=window, **changes)
        blocks.append(Block(attention, feedforward_of(config), norm_of(config)))
    return transformer_of(config, blocks)


QWEN_ENTRIES = {
    **WINDOW,
    "use_sliding_window": flag(False),
    "max_window_layers": Entry(28, "any number"),
    "layer_types": Entry(None, "list"),
}
QWEN2 = Family(
    kind="qwen2",
    writes=classes("Qwen2"),
    prefix="model.",
    names=LLAMA,
    entries=llama_entries(1e-6, 32768, use_mrope=only(False), **QWEN_ENTRIES)
    | {GROUPS: number(32)},
    plan=lambda config: _qwen(config, bias=True),
    rope=ROPE,
    derived=EQUAL_HEADS | {"layer_types": _later},
    multiples=OF_HEADS,
)
QWEN3 = Family(
    kind="qwen3",
    writes=classes("Qwen3"),
    prefix="model.",
    names=f"{LLAMA}{QK_NORMS}",
    entries=llama_entries(
        1e-6, 32768, attention_bias=flag(False), head_dim=number(128), **QWEN_ENTRIES
    )
    | {GROUPS: number(32)},
    plan=lambda config: _qwen(config, norm=norm_of(config)),
    rope=ROPE,
    derived=EQUAL_HEADS | {"layer_types": _later},
    multiples=GROUPED,
)

# ---------------------------------------------------------------- Phi-3 and 4

PHI3_ROPE = rope.Form(
    entries=("rope_theta", "partial_rotary_factor"),
    kinds=("default", "longrope"),
    other_kinds={"su": "longrope", "yarn": "longrope"},
)


def _phi3(config: Config) -> Transformer:
    attention = attention_of(PHI3_ROPE, config, window=config["sliding_window"])
    block = Block(attention, feedforward_of(config), norm_of(config), dropout=config["resid_pdrop"])
    return of_equal_blocks(config, block)


PHI3 = Family(
    kind="phi3",
    writes=classes("Phi3"),
    prefix="model.",
    names=f"""{EMBEDDING}{NORMS}
    layers.#.self_attn.qkv_proj {QKV}
    layers.#.self_attn.o_proj layer_#/attention/output_dense
    layers.#.mlp.gate_up_proj layer_#/feedforward/gate,layer_#/feedforward/up
    layers.#.mlp.down_proj layer_#/feedforward/down
    """,
    entries=llama_entries(
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
    norm = norm_of(config)
    attention = attention_of(ROPE, config, norm=norm, norms_whole=True)
    return of_equal_blocks(config, Block(attention, feedforward_of(config), norm, form="after"))


OLMO2 = Family(
    kind="olmo2",
    writes=classes("Olmo2"),
    prefix="model.",
    names=f"""{EMBEDDING}{ATTENTION}{GATED}{QK_NORMS}
    layers.#.post_attention_layernorm.weight layer_#/norm_1/scale
    layers.#.post_feedforward_layernorm.weight layer_#/norm_2/scale
    """,
    entries=llama_entries(1e-5, 2048, attention_bias=flag(False), head_dim=number(None)),
    plan=_olmo2,
    rope=ROPE,
    derived=EQUAL_HEADS | {"head_dim": width_of_head},
    multiples=GROUPED,
)

# ---------------------------------------------------------------- Granite


def _granite(config: Config) -> Transformer:
    attention = attention_of(ROPE, config, scale=config["attention_multiplier"])
    multiplier = config["residual_multiplier"]
    block = Block(attention, feedforward_of(config), norm_of(config), multiplier=multiplier)
    return of_equal_blocks(
        config,
        block,
        embedding_scale=config["embedding_multiplier"],
        logit_scale=1 / config["logits_scaling"],
    )


GRANITE = Family(
    kind="granite",
    writes=classes("Granite", classifies=False),
    prefix="model.",
    names=LLAMA,
    entries=llama_entries(
        1e-6,
        2048,
        head_dim=number(None),
        embedding_multiplier=number(1.0),
        logits_scaling=number(1.0),
        residual_multiplier=number(1.0),
        attention_multiplier=number(1.0),
        **BIASES,
    ),
    plan=_granite,
    rope=ROPE,
    derived=EQUAL_HEADS | {"head_dim": width_of_head},
    multiples=GROUPED,
)

# ---------------------------------------------------------------- SmolLM3

SMOLLM3_ROPE = rope.Form(theta=2e6)


def _flags(config: Config) -> list[int]:
    """Which layers rotate, where it is not said."""
    interval = config["no_rope_layer_interval"]
    return [int((i + 1) % interval != 0) for i in range(config[LAYERS])]


def _kinds(config: Config) -> list[str]:
    """Which layers see a window, where it is not said."""
    has = config["use_sliding_window"] and config["sliding_window"] is not None
    return [KINDS[has and not rotates] for rotates in config["no_rope_layers"]]


def _smollm3(config: Config) -> Transformer:
    check_layers(config, "no_rope_layers", (0, 1))
    check_layers(config, "layer_types", KINDS)
    blocks = []
    for rotates, kind in zip(config["no_rope_layers"], config["layer_types"]):
        changes = {}
        if not rotates:
            changes["rotary"] = None
        if config["use_sliding_window"] and kind == KINDS[1]:
            changes["window"] = config["sliding_window"]
        attention = attention_of(SMOLLM3_ROPE, config, **changes)
        blocks.append(Block(attention, feedforward_of(config), norm_of(config)))
    return transformer_of(config, blocks)


SMOLLM3 = Family(
    kind="smollm3",
    writes=classes("SmolLM3"),
    prefix="model.",
    names=LLAMA,
    entries=llama_entries(
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
    | {"head_dim": width_of_head, "no_rope_layers": _flags, "layer_types": _kinds},
    multiples=GROUPED,
    ignored=("max_window_layers",),
)

FAMILIES = (NATIVE_LLAMA, MISTRAL, QWEN2, QWEN3, PHI3, OLMO2, GRANITE, SMOLLM3)
