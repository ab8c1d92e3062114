"""The model types with several feedforward networks, of which each token takes some."""

import dataclasses

from jkeras.core.errors import SerializationError
from jkeras.saving.hugging_face import entries
from jkeras.saving.hugging_face.native import rope
from jkeras.saving.hugging_face.native.common import (
    ATTENTION,
    EMBEDDING,
    EQUAL_HEADS,
    GROUPED,
    GROUPS,
    KINDS,
    LAYERS,
    LLAMA,
    NORMS,
    OF_HEADS,
    QK_NORMS,
    ROPE,
    alternating,
    attention_of,
    classes,
    feedforward_of,
    llama_entries,
    norm_of,
    transformer_of,
    width_of_head,
    windows_of,
)
from jkeras.saving.hugging_face.native.family import NEEDED, Entry, Family, flag, number, only
from jkeras.saving.hugging_face.native.plans import (
    Attention,
    Block,
    Experts,
    Feedforward,
    Transformer,
)
from jkeras.saving.types import Config

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
        network = feedforward_of(config)
        if _is_sparse(config, layer):
            network = Feedforward(experts.inner, config["hidden_act"], experts=experts)
        blocks.append(Block(attention, network, norm_of(config)))
    return transformer_of(config, blocks)


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
    attention = attention_of(ROPE, config, norm=norm_of(config))
    if config["use_sliding_window"]:
        attention = dataclasses.replace(attention, window=config["sliding_window"])
    return _moe(config, attention)


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
    writes=classes("Qwen3Moe"),
    prefix="model.",
    names=f"{LLAMA}{QK_NORMS}{MOE}",
    entries=llama_entries(
        1e-6, 32768, attention_bias=flag(False), head_dim=number(None), **MOE_ENTRIES
    )
    | {GROUPS: number(4)},
    plan=_qwen3_moe,
    rope=ROPE,
    derived=EQUAL_HEADS | {"head_dim": width_of_head, "mlp_only_layers": lambda config: []},
    multiples=GROUPED,
    ignored=("max_window_layers",),
    renamed={"num_experts": "num_local_experts"},
)

# ---------------------------------------------------------------- Mixtral

MIXTRAL_ROPE = rope.Form(theta=1e6)


def _mixtral(config: Config) -> Transformer:
    config = {
        **config,
        "num_experts": config["num_local_experts"],
        "moe_intermediate_size": config["intermediate_size"],
        "norm_topk_prob": True,
        "mlp_only_layers": [],
        "decoder_sparse_step": 1,
    }
    return _moe(config, attention_of(MIXTRAL_ROPE, config, window=config["sliding_window"]))


MIXTRAL = Family(
    kind="mixtral",
    writes=classes("Mixtral"),
    prefix="model.",
    names=f"""{EMBEDDING}{ATTENTION}{NORMS}
    layers.#.block_sparse_moe.gate layer_#/feedforward/router
    layers.#.block_sparse_moe.experts.@.w1.weight layer_#/feedforward/experts/gate each
    layers.#.block_sparse_moe.experts.@.w3.weight layer_#/feedforward/experts/up each
    layers.#.block_sparse_moe.experts.@.w2.weight layer_#/feedforward/experts/down each
    """,
    entries=llama_entries(
        1e-5,
        131072,
        head_dim=number(None),
        sliding_window=number(None),
        num_experts_per_tok=number(2),
        num_local_experts=number(8),
    )
    | {GROUPS: number(8)},
    plan=_mixtral,
    rope=MIXTRAL_ROPE,
    derived=EQUAL_HEADS | {"head_dim": width_of_head},
    multiples=GROUPED,
    renamed={"num_local_experts": "num_experts"},
)

# ---------------------------------------------------------------- Qwen2 with experts


def _every_second(config: Config) -> list[str]:
    """Which layers see a window, where it is not said."""
    has, first = config["use_sliding_window"], config["max_window_layers"]
    layers = range(config[LAYERS])
    return [KINDS[has and layer % 2 == 0 and layer < first] for layer in layers]


def _without_no_window(config: Config) -> Config:
    """The entries without a window of no positions, which transformers writes for none."""
    is_none = config.get("sliding_window") == 0 and not config.get("use_sliding_window")
    if is_none:
        return {**config, "sliding_window": None}
    return config


def _qwen2_moe(config: Config) -> Transformer:
    check_dense_layers(config)
    shared = config["shared_expert_intermediate_size"]
    if not config["use_sliding_window"]:
        config = {**config, "sliding_window": None}
    attention = attention_of(ROPE, config, bias=config["qkv_bias"])
    plan = _moe(config, attention, shared)
    blocks = []
    for block, window in zip(plan.blocks, windows_of(config)):
        seen = dataclasses.replace(attention, window=window)
        blocks.append(dataclasses.replace(block, attention=seen))
    return dataclasses.replace(plan, blocks=tuple(blocks))


QWEN2_MOE = Family(
    kind="qwen2_moe",
    writes=classes("Qwen2Moe"),
    prefix="model.",
    names=f"""{LLAMA}{MOE}
    layers.#.mlp.shared_expert.gate_proj layer_#/feedforward/shared/gate
    layers.#.mlp.shared_expert.up_proj layer_#/feedforward/shared/up
    layers.#.mlp.shared_expert.down_proj layer_#/feedforward/shared/down
    layers.#.mlp.shared_expert_gate layer_#/feedforward/shared_gate
    """,
    entries=llama_entries(
        1e-6,
        32768,
        **MOE_ENTRIES,
        shared_expert_intermediate_size=number(NEEDED),
        qkv_bias=flag(True),
        max_window_layers=Entry(28, "any number"),
        layer_types=Entry(None, "list"),
    )
    | {GROUPS: number(16)},
    plan=_qwen2_moe,
    rope=ROPE,
    first=_without_no_window,
    derived=EQUAL_HEADS | {"mlp_only_layers": lambda config: [], "layer_types": _every_second},
    multiples=OF_HEADS,
)

# ---------------------------------------------------------------- GPT-OSS

GPT_OSS_ROPE = rope.Form(theta=150000.0, is_always_said=True)
GPT_OSS_SCALING = {
    "rope_type": "yarn",
    "factor": 32.0,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "truncate": False,
    "original_max_position_embeddings": 4096,
}


def _with_scaling(config: Config) -> Config:
    """The entries with how positions are scaled where nothing says it."""
    if config.get("rope_parameters") is None and not config.get("rope_scaling"):
        return {**config, "rope_scaling": GPT_OSS_SCALING}
    return config


def _gpt_oss(config: Config) -> Transformer:
    experts = Experts(
        config["num_local_experts"],
        config["num_experts_per_tok"],
        config["intermediate_size"],
        normalizes=True,
        limit=config["swiglu_limit"],
    )
    if experts.chosen > experts.count:
        raise SerializationError(
            f"config.json says num_experts_per_tok={experts.chosen} of {experts.count} experts."
        )
    network = Feedforward(experts.inner, config["hidden_act"], experts=experts)
    blocks = []
    for window in windows_of(config):
        attention = attention_of(GPT_OSS_ROPE, config, window=window, sinks=True)
        blocks.append(Block(attention, network, norm_of(config)))
    return transformer_of(config, blocks)


PAIR = "layer_#/feedforward/experts/gate,layer_#/feedforward/experts/up"
PAIR_BIAS = PAIR.replace(",", "_bias,") + "_bias"
GPT_OSS = Family(
    kind="gpt_oss",
    writes=classes("GptOss"),
    prefix="model.",
    names=f"""{EMBEDDING}{ATTENTION}{NORMS}
    layers.#.self_attn.sinks layer_#/attention/sinks
    layers.#.mlp.router layer_#/feedforward/router
    layers.#.mlp.experts.gate_up_proj {PAIR} neighbours
    layers.#.mlp.experts.gate_up_proj_bias {PAIR_BIAS} neighbours
    layers.#.mlp.experts.down_proj layer_#/feedforward/experts/down
    layers.#.mlp.experts.down_proj_bias layer_#/feedforward/experts/down_bias
    """,
    entries=llama_entries(
        1e-5,
        131072,
        attention_bias=flag(True),
        head_dim=Entry(64, can_be_none=True),
        sliding_window=Entry(128, can_be_none=True),
        layer_types=Entry(None, "list"),
        num_local_experts=number(128),
        num_experts_per_tok=number(4),
        swiglu_alpha=only(1.702),
        swiglu_limit=number(7.0),
    )
    | {GROUPS: number(8), "hidden_act": only("silu")},
    plan=_gpt_oss,
    rope=GPT_OSS_ROPE,
    first=_with_scaling,
    derived=EQUAL_HEADS | {"head_dim": width_of_head, "layer_types": alternating},
    multiples=GROUPED,
    renamed={"num_local_experts": "num_experts", "num_experts_per_tok": "experts_per_token"},
)
FAMILIES = (QWEN3_MOE, MIXTRAL, QWEN2_MOE, GPT_OSS)
