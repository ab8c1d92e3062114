"""Gemma, whose norms multiply by one more than their weights, and whose vectors are scaled."""

from jkeras.core.errors import SerializationError
from jkeras.ops.rotary import Rotary
from jkeras.saving.hugging_face import entries
from jkeras.saving.hugging_face.native import rope
from jkeras.saving.hugging_face.native.common import (
    ATTENTION,
    EMBEDDING,
    GATED,
    GROUPED,
    GROUPS,
    HEADS,
    KINDS,
    LAYERS,
    QK_NORMS,
    ROPE,
    WIDTH,
    alternating,
    attention_of,
    classes,
    llama_entries,
    of_equal_blocks,
    one_rope,
    transformer_of,
    windows_of,
)
from jkeras.saving.hugging_face.native.family import (
    TIE,
    Entry,
    Family,
    activation,
    flag,
    number,
    only,
)
from jkeras.saving.hugging_face.native.plans import Block, Feedforward, Norm, Transformer
from jkeras.saving.types import Config

BIDIRECTIONAL = only(False, None)
GEMMA_ROWS = f"""{EMBEDDING}{ATTENTION}{GATED}
    layers.#.input_layernorm.weight layer_#/norm_1/scale
"""
AROUND = f"""{GEMMA_ROWS}
    layers.#.post_attention_layernorm.weight layer_#/after_1/scale
    layers.#.pre_feedforward_layernorm.weight layer_#/norm_2/scale
    layers.#.post_feedforward_layernorm.weight layer_#/after_2/scale
"""


def _gemma_entries(positions: int, **further: Entry) -> dict[str, Entry]:
    """Those of all Gemmas."""
    names = llama_entries(
        1e-6,
        positions,
        head_dim=number(256),
        attention_bias=flag(False),
        use_bidirectional_attention=BIDIRECTIONAL,
        **further,
    )
    return names | {TIE: flag(True)}


def _norm(config: Config) -> Norm:
    return Norm("rms+1", config["rms_norm_eps"])


def _network(config: Config, activation: str) -> Feedforward:
    return Feedforward(config["intermediate_size"], activation)


# ---------------------------------------------------------------- the first one


def _gemma(config: Config) -> Transformer:
    activation = config["hidden_activation"] or config["hidden_act"]
    if activation == "gelu":  # in older files this means the other
        activation = "gelu_pytorch_tanh"
    block = Block(attention_of(ROPE, config), _network(config, activation), _norm(config))
    scale = config[WIDTH] ** 0.5
    return of_equal_blocks(config, block, norm=_norm(config), embedding_scale=scale)


GEMMA = Family(
    kind="gemma",
    writes=classes("Gemma"),
    prefix="model.",
    names=f"""{GEMMA_ROWS}
    layers.#.post_attention_layernorm.weight layer_#/norm_2/scale
    """,
    entries=_gemma_entries(8192, hidden_activation=only(None, "gelu_pytorch_tanh"))
    | {GROUPS: number(16), "hidden_act": activation("gelu_pytorch_tanh")},
    plan=_gemma,
    rope=ROPE,
    multiples=GROUPED,
)

# ---------------------------------------------------------------- the second one


CAPS = {
    "query_pre_attn_scalar": number(256),
    "sliding_window": Entry(4096, can_be_none=True),
    "layer_types": Entry(None, "list"),
}


def _gemma_2(config: Config, rotaries: dict[bool, Rotary], norm: Norm | None = None) -> Transformer:
    """One with norms around everything.

    Args:
        rotaries: by whether a layer sees a window.
        norm: of queries and keys.
    """
    blocks = []
    for window in windows_of(config):
        attention = attention_of(
            ROPE,
            config,
            rotary=rotaries[window is not None],
            norm=norm,
            scale=config["query_pre_attn_scalar"] ** -0.5,
            window=window,
            soft_cap=config["attn_logit_softcapping"],
        )
        network = _network(config, config["hidden_activation"])
        blocks.append(Block(attention, network, _norm(config), form="around"))
    cap = config["final_logit_softcapping"]
    return transformer_of(
        config,
        blocks,
        norm=_norm(config),
        embedding_scale=config[WIDTH] ** 0.5,
        logit_cap=cap,
    )


def _gemma2(config: Config) -> Transformer:
    turned = rope.rotary(ROPE, config, config["head_dim"])
    return _gemma_2(config, {True: turned, False: turned})


GEMMA2 = Family(
    kind="gemma2",
    writes=classes("Gemma2"),
    prefix="model.",
    names=AROUND,
    entries=_gemma_entries(
        8192,
        **CAPS,
        hidden_activation=activation("gelu_pytorch_tanh"),
        attn_logit_softcapping=Entry(50.0, can_be_none=True),
        final_logit_softcapping=Entry(30.0, can_be_none=True),
    )
    | {GROUPS: number(4)},
    plan=_gemma2,
    rope=ROPE,
    derived={"layer_types": alternating},
    multiples=(*GROUPED, (WIDTH, HEADS)),
    # of older files, which transformers does not look at
    ignored=("hidden_act", "cache_implementation", "sliding_window_size"),
)

# ---------------------------------------------------------------- the third one

GLOBAL_ROPE = rope.Form(theta=1e6)
LOCAL = "rope_local_base_freq"


def _sixth_ones(config: Config) -> list[str]:
    """Which layers see a window, where it is not said: all but each sixth one."""
    pattern = config["sliding_window_pattern"]
    return [KINDS[(layer + 1) % pattern != 0] for layer in range(config[LAYERS])]


def _gemma3(config: Config) -> Transformer:
    size = config["head_dim"]
    whole = rope.rotary(GLOBAL_ROPE, config, size)
    local = Rotary(size, float(config[LOCAL]))
    return _gemma_2(config, {True: local, False: whole}, _norm(config))


def _as_one(config: Config) -> Config:
    """The entries of positions as version 4 wrote them.

    Raises:
        SerializationError: how they are scaled is said in a way that transformers does not look at.
    """
    scaling = config.get("rope_scaling")
    if isinstance(scaling, dict) and "type" in scaling and "rope_type" not in scaling:
        raise SerializationError(
            f"config.json says {entries.shown('rope_scaling', scaling)}, of which transformers "
            "looks at 'rope_type' alone: rename 'type'."
        )
    return one_rope(config, LOCAL, "gemma3_text")


GEMMA3 = Family(
    kind="gemma3_text",
    writes={
        "backbone": "Gemma3TextModel",
        "causal_lm": "Gemma3ForCausalLM",
        "classifier": "Gemma3TextForSequenceClassification",
    },
    prefix="model.",
    names=f"{AROUND}{QK_NORMS}",
    entries=_gemma_entries(
        131072,
        **CAPS,
        hidden_activation=activation("gelu_pytorch_tanh"),
        # transformers has the entry, and does not look at it
        attn_logit_softcapping=only(None),
        final_logit_softcapping=number(None),
        sliding_window_pattern=number(6),
        **{LOCAL: number(10000.0)},
    )
    | {GROUPS: number(4)},
    plan=_gemma3,
    rope=GLOBAL_ROPE,
    first=_as_one,
    derived={"layer_types": _sixth_ones},
    multiples=(*GROUPED, (WIDTH, HEADS)),
    # transformers writes the last one, and does not read it
    ignored=("hidden_act", "cache_implementation", "_sliding_window_pattern"),
)
FAMILIES = (GEMMA, GEMMA2, GEMMA3)
