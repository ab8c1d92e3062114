"""What model types have in common that are like Llama."""

import operator
import typing

from jkeras.core.errors import SerializationError
from jkeras.saving.hugging_face import entries
from jkeras.saving.hugging_face.native import rope
from jkeras.saving.hugging_face.native.family import (
    NEEDED,
    TIE,
    Entry,
    activation,
    flag,
    number,
)
from jkeras.saving.hugging_face.native.plans import (
    Attention,
    Block,
    Feedforward,
    Norm,
    Transformer,
)
from jkeras.saving.types import Config

HEADS = "num_attention_heads"
GROUPS = "num_key_value_heads"
LAYERS = "num_hidden_layers"
WIDTH = "hidden_size"
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
QKV = ",".join(f"layer_#/attention/{name}" for name in ("query", "key", "value"))
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


def classes(name: str, classifies: bool = True) -> dict[str, str]:
    """The classes of transformers that are written."""
    found = {"backbone": f"{name}Model", "causal_lm": f"{name}ForCausalLM"}
    if classifies:
        found["classifier"] = f"{name}ForSequenceClassification"
    return found


def llama_entries(epsilon: float, positions: int, **further: Entry) -> dict[str, Entry]:
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


def size_of(config: Config) -> int:
    """The width of a head."""
    return config.get("head_dim") or config[WIDTH] // config[HEADS]


def attention_of(form: rope.Form, config: Config, **changes: object) -> Attention:
    """Attention of Llama, with what is another way."""
    size = size_of(config)
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


def feedforward_of(config: Config) -> Feedforward:
    """The network of Llama."""
    bias = config.get("mlp_bias", False)
    return Feedforward(config["intermediate_size"], config["hidden_act"], True, bias)


def norm_of(config: Config) -> Norm:
    """The norm of Llama."""
    return Norm("rms", config["rms_norm_eps"])


def transformer_of(config: Config, blocks: list[Block], **changes: object) -> Transformer:
    """Llama, with what is another way."""
    plain = {
        "vocabulary": config["vocab_size"],
        "width": config[WIDTH],
        "blocks": tuple(blocks),
        "is_tied": config[TIE],
    }
    norm = changes.pop("norm", None) or norm_of(config)
    return Transformer(**{**plain, "norm": norm, **changes})


def of_equal_blocks(config: Config, block: Block, **changes: object) -> Transformer:
    """One of equal blocks."""
    return transformer_of(config, [block] * config[LAYERS], **changes)


def width_of_head(config: Config) -> int:
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


ROPE = rope.Form()
KINDS = ("full_attention", "sliding_attention")


def kinds_of(config: Config) -> list[bool]:
    """For each layer whether it sees a window.

    Raises:
        SerializationError: `layer_types` are others, or there is no window.
    """
    check_layers(config, "layer_types", KINDS)
    has = [kind == KINDS[1] for kind in config["layer_types"]]
    if any(has) and config["sliding_window"] is None:
        raise SerializationError(
            "config.json says that layers have 'sliding_attention', and no sliding_window."
        )
    return has


def windows_of(config: Config) -> list[int | None]:
    """For each layer the window that it sees; None: all.

    Raises:
        SerializationError: `layer_types` are others, or there is no window.
    """
    window = {True: config["sliding_window"], False: None}
    return [window[has_window] for has_window in kinds_of(config)]


def alternating(config: Config) -> list[str]:
    """Which layers see a window, where it is not said: every second one, the first one too."""
    return [KINDS[layer % 2 == 0] for layer in range(config[LAYERS])]


def one_rope(config: Config, local_entry: str, kind: str) -> Config:
    """The entries of positions as version 4 wrote them, where version 5 has two sets of them.

    Args:
        local_entry: for the wavelength of layers that see a window.
        kind: the model type.

    Raises:
        SerializationError: those of a window are scaled.
    """
    both = config.get("rope_parameters")
    if both in (None, {}):
        return config
    whole, local = _sets_of_positions(both)
    what = f"jkeras's '{kind}'"
    entries.check_supported(local, {"rope_type", "rope_theta"}, what, "rope_parameters")
    entries.check_values(local, {"rope_type": ("default",)}, what)
    config = {k: v for k, v in config.items() if k != "rope_parameters"}
    theta = local.get("rope_theta")
    if theta is not None:
        if config.get(local_entry) not in (None, theta):
            raise SerializationError(
                f"config.json says {local_entry}={config[local_entry]!r} and {theta!r}."
            )
        config[local_entry] = theta
    return {**config, "rope_parameters": whole}


def _sets_of_positions(both: typing.Any) -> tuple[Config, Config]:
    """The entries of positions of layers that see all, and of those that see a window."""
    if not isinstance(both, dict) or not set(both) & set(KINDS):
        raise SerializationError(
            f"config.json says {entries.shown('rope_parameters', both)}: expected entries for "
            f"{' and '.join(KINDS)}, without which transformers does not look at it."
        )
    others = set(both) - set(KINDS)
    whole, local = (both.get(kind) or {} for kind in KINDS)
    are_objects = isinstance(whole, dict) and isinstance(local, dict)
    if others or not are_objects:
        raise SerializationError(
            f"config.json says {entries.shown('rope_parameters', both)}: expected objects for "
            f"{' and '.join(KINDS)}."
        )
    return whole, local
