"""The weights in files of the model types that keras-hub's converters read. One that has none of
these names would be dropped without a word, and sizes that are not those of the files can be too
large to be made.
"""

import collections.abc
import re
import typing

from jkeras.core.errors import SerializationError
from jkeras.saving.flat import Stored
from jkeras.saving.hugging_face.entries import shown
from jkeras.saving.hugging_face.sizes import is_left
from jkeras.saving.types import Config

Axis = str | collections.abc.Callable[[dict], int]  # an entry, or a function of all
Shape = tuple[Axis, ...]
# a function gives None where there is no such weight
Shapes = collections.abc.Mapping[str, Shape | collections.abc.Callable[[dict], Shape | None]]


class Weights(typing.NamedTuple):
    """Those of a model type; names are without what stands before all of them.

    Attributes:
        first: the name of one that each file has.
        pattern: of all names.
        shapes: {name: what entries say of its shape}; each size of a model is in one of them.
    """

    first: str
    pattern: re.Pattern
    shapes: Shapes


def _weights(lines: tuple[str, ...], shapes: Shapes) -> Weights:
    """A row of the table, whose first shape is of a weight that each file has.

    Args:
        lines: regular expressions, in which # is a number and DENSE a weight or a bias.
    """
    joined = "|".join(lines).replace("DENSE", r"\.(weight|bias)").replace("#", r"\d{1,9}")
    return Weights(next(iter(shapes)), re.compile(rf"(?:{joined})"), shapes)


# ---------------------------------------------------------------- names

BERT = (
    r"embeddings\.(word|position|token_type)_embeddings\.weight",
    r"embeddings\.LayerNormDENSE",
    r"encoder\.layer\.#\.attention\.self\.(query|key|value)DENSE",
    r"encoder\.layer\.#\.(attention\.output|output)\.(dense|LayerNorm)DENSE",
    r"encoder\.layer\.#\.intermediate\.denseDENSE",
    r"pooler\.denseDENSE",
)
OLDER = (
    r"embeddings\.LayerNorm\.(gamma|beta)",
    r"encoder\.layer\.#\.(attention\.output|output)\.LayerNorm\.(gamma|beta)",
)
PATCHES = (
    r"embeddings\.(cls_token|mask_token|distillation_token|register_tokens|position_embeddings)",
    r"embeddings\.patch_embeddings\.projectionDENSE",
    r"encoder\.layer\.#\.attention\.(attention\.(query|key|value)|output\.dense)DENSE",
    r"layernormDENSE",
)
VIT = (
    *PATCHES,
    r"encoder\.layer\.#\.(intermediate\.dense|output\.dense|layernorm_(before|after))DENSE",
    r"pooler\.denseDENSE",
)
DINOV2 = (
    *PATCHES,
    r"encoder\.layer\.#\.(norm[12]|mlp\.(fc1|fc2|weights_in|weights_out))DENSE",
    r"encoder\.layer\.#\.layer_scale[12]\.lambda1",
)
ATTENTION = (
    r"embed_tokens\.weight",
    r"norm\.weight",
    r"layers\.#\.(input|post_attention)_layernorm\.weight",
    r"layers\.#\.self_attn\.[qkvo]_proj\.weight",
)
GATED = r"layers\.#\.mlp\.(gate|up|down)_proj\.weight"
GEMMA = (*ATTENTION, GATED, r"layers\.#\.(pre|post)_feedforward_layernorm\.weight")
EXPERTS = (
    GATED,
    r"layers\.#\.mlp\.gate\.weight",
    r"layers\.#\.mlp\.experts\.#\.(gate|up|down)_proj\.weight",
)
QK_NORM = r"layers\.#\.self_attn\.[qk]_norm\.weight"
ALBERT_LAYER = r"encoder\.albert_layer_groups\.#\.albert_layers\.#"
ALBERT = (
    *BERT[:2],
    r"encoder\.embedding_hidden_mapping_inDENSE",
    rf"{ALBERT_LAYER}\.attention\.(query|key|value|dense|LayerNorm)DENSE",
    rf"{ALBERT_LAYER}\.(ffn|ffn_output|full_layer_layer_norm)DENSE",
    r"poolerDENSE",
)
DISTILBERT = (
    *BERT[:2],
    r"transformer\.layer\.#\.attention\.(q|k|v|out)_linDENSE",
    r"transformer\.layer\.#\.(ffn\.lin[12]|(sa|output)_layer_norm)DENSE",
)
BART = (
    r"shared\.weight",
    r"(encoder|decoder)\.(embed_tokens|embed_positions)\.weight",
    r"(encoder|decoder)\.layernorm_embeddingDENSE",
    r"(encoder|decoder)\.layers\.#\.(self_attn|encoder_attn)\.(q|k|v|out)_projDENSE",
    r"(encoder|decoder)\.layers\.#\.(fc1|fc2|final_layer_norm)DENSE",
    r"(encoder|decoder)\.layers\.#\.(self_attn|encoder_attn)_layer_normDENSE",
)
DINOV3 = (
    r"embeddings\.(cls_token|mask_token|register_tokens)",
    r"embeddings\.patch_embeddingsDENSE",
    r"layer\.#\.(norm[12]|attention\.[qkvo]_proj|mlp\.(gate|up|down)_proj)DENSE",
    r"layer\.#\.layer_scale[12]\.lambda1",
    r"normDENSE",
)
SWIN_BLOCK = r"encoder\.layers\.#\.blocks\.#"
SWIN = (
    r"embeddings\.(patch_embeddings\.projection|norm)DENSE",
    rf"{SWIN_BLOCK}\.attention\.(self\.(query|key|value)|output\.dense)DENSE",
    rf"{SWIN_BLOCK}\.attention\.self\.relative_position_(bias_table|index)",
    rf"{SWIN_BLOCK}\.(intermediate\.dense|output\.dense|layernorm_(before|after))DENSE",
    r"encoder\.layers\.#\.downsample\.(norm\.(weight|bias)|reduction\.weight)",
    r"layernormDENSE",
)
MIXTRAL = (*ATTENTION, r"layers\.#\.block_sparse_moe\.(gate|experts\.#\.w[123])\.weight")
QWEN2_MOE = (
    *ATTENTION,
    *EXPERTS,
    r"layers\.#\.self_attn\.[qkv]_proj\.bias",
    r"layers\.#\.mlp\.(shared_expert\.(gate|up|down)_proj|shared_expert_gate)\.weight",
)

# ---------------------------------------------------------------- shapes


PATCH = ("patch_size", "patch_size")


def _one(config: Config) -> int:
    return 1


def _bart_positions(config: Config) -> int:
    """Two rows more than there are positions."""
    return config["max_position_embeddings"] + 2


def _swin_inner(config: Config) -> int:
    return int(config["embed_dim"] * config["mlp_ratio"])


def _swin_offsets(config: Config) -> int:
    """The number of relative positions in a window."""
    return (2 * config["window_size"] - 1) ** 2


def _width_of_head(config: Config) -> int:
    """Where no entry says it."""
    return config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]


def _queries(config: Config) -> int:
    return config["num_attention_heads"] * _width_of_head(config)


def _keys(config: Config) -> int:
    return config["num_key_value_heads"] * _width_of_head(config)


def _image_positions(before: int) -> collections.abc.Callable[[Config], int]:
    """How many position embeddings an image has, with those for tokens before the patches."""
    return lambda config: (config["image_size"] // config["patch_size"]) ** 2 + before


def _embeddings(width: str, more: collections.abc.Mapping[str, str]) -> dict[str, Shape]:
    """The shapes of BERT and its like."""
    rows = {"word": "vocab_size", "position": "max_position_embeddings", **more}
    return {f"embeddings.{name}_embeddings.weight": (size, width) for name, size in rows.items()}


def _images(before: int, more: Shapes) -> Shapes:
    """The shapes of models for images."""
    return {
        "embeddings.cls_token": (_one, _one, "hidden_size"),
        "embeddings.position_embeddings": (_one, _image_positions(before), "hidden_size"),
        "embeddings.patch_embeddings.projection.weight": ("hidden_size", "num_channels", *PATCH),
        **more,
    }


SEGMENTS = {"token_type": "type_vocab_size"}
WIDE = ("intermediate_size", "hidden_size")
DENSE = {"encoder.layer.0.intermediate.dense.weight": WIDE}
ROTATED = {
    "embed_tokens.weight": ("vocab_size", "hidden_size"),
    "layers.0.self_attn.q_proj.weight": (_queries, "hidden_size"),
    "layers.0.self_attn.k_proj.weight": (_keys, "hidden_size"),
}
MLP = {**ROTATED, "layers.0.mlp.gate_proj.weight": WIDE}
MOE = {
    **ROTATED,
    "layers.0.mlp.gate.weight": ("num_experts", "hidden_size"),
    "layers.0.mlp.experts.0.gate_proj.weight": ("moe_intermediate_size", "hidden_size"),
}


def _inner(config: Config) -> int:
    return int(config["hidden_size"] * config["mlp_ratio"])


def _gated(config: Config) -> int:
    """The width inside of a gated layer, a multiple of 8."""
    return (int(_inner(config) * 2 / 3) + 7) // 8 * 8


def _plain_inner(config: Config) -> Shape | None:
    return None if config["use_swiglu_ffn"] else (_inner, "hidden_size")


def _gated_inner(config: Config) -> Shape | None:
    return ("hidden_size", _gated) if config["use_swiglu_ffn"] else None


def _registers(config: Config) -> Shape | None:
    has_some = config.get("num_register_tokens", 0) > 0
    return (_one, "num_register_tokens", "hidden_size") if has_some else None


DINOV2_SHAPES = _images(
    1,
    {
        "embeddings.register_tokens": _registers,
        "encoder.layer.0.mlp.fc1.weight": _plain_inner,
        "encoder.layer.0.mlp.weights_out.weight": _gated_inner,
    },
)
WEIGHTS = {
    "albert": _weights(
        ALBERT,
        _embeddings("embedding_size", SEGMENTS)
        | {
            "encoder.albert_layer_groups.0.albert_layers.0.ffn.weight": WIDE,
            "encoder.embedding_hidden_mapping_in.weight": ("hidden_size", "embedding_size"),
        },
    ),
    "bart": _weights(
        BART,
        {
            "shared.weight": ("vocab_size", "d_model"),
            "encoder.embed_positions.weight": (_bart_positions, "d_model"),
            "decoder.embed_positions.weight": (_bart_positions, "d_model"),
            "encoder.layers.0.fc1.weight": ("encoder_ffn_dim", "d_model"),
        },
    ),
    "deit": _weights(VIT, _images(2, DENSE)),
    "dinov2": _weights(DINOV2, DINOV2_SHAPES),
    "dinov2_with_registers": _weights(DINOV2, DINOV2_SHAPES),
    "dinov3_vit": _weights(
        DINOV3,
        {
            "embeddings.cls_token": (_one, _one, "hidden_size"),
            "embeddings.register_tokens": _registers,
            "embeddings.patch_embeddings.weight": ("hidden_size", "num_channels", *PATCH),
            "layer.0.mlp.up_proj.weight": WIDE,
        },
    ),
    "distilbert": _weights(
        DISTILBERT,
        _embeddings("dim", {}) | {"transformer.layer.0.ffn.lin1.weight": ("hidden_dim", "dim")},
    ),
    "gemma2": _weights(GEMMA, MLP),
    "gemma3_text": _weights((*GEMMA, QK_NORM), MLP),
    "mixtral": _weights(
        MIXTRAL,
        {
            **ROTATED,
            "layers.0.block_sparse_moe.gate.weight": ("num_local_experts", "hidden_size"),
            "layers.0.block_sparse_moe.experts.0.w1.weight": WIDE,
        },
    ),
    "qwen2_moe": _weights(
        QWEN2_MOE,
        {
            **MOE,
            "layers.0.mlp.shared_expert.gate_proj.weight": (
                *("shared_expert_intermediate_size", "hidden_size"),
            ),
        },
    ),
    "qwen3_moe": _weights((*ATTENTION, *EXPERTS, QK_NORM), MOE),
    "roberta": _weights(BERT, _embeddings("hidden_size", SEGMENTS) | DENSE),
    "smollm3": _weights((*ATTENTION, GATED), MLP),
    "swin": _weights(
        SWIN,
        {
            "embeddings.patch_embeddings.projection.weight": ("embed_dim", "num_channels", *PATCH),
            "encoder.layers.0.blocks.0.intermediate.dense.weight": (_swin_inner, "embed_dim"),
            "encoder.layers.0.blocks.0.attention.self.relative_position_bias_table": (
                *(_swin_offsets, lambda config: config["num_heads"][0]),
            ),
        },
    ),
    "vit": _weights(VIT, _images(1, DENSE)),
    "xlm-roberta": _weights((*BERT, *OLDER), _embeddings("hidden_size", SEGMENTS) | DENSE),
}

# ---------------------------------------------------------------- checks


def check(kind: str, config: dict, stored: collections.abc.Mapping[str, Stored], what: str) -> str:
    """What stands before all names.

    Raises SerializationError for a weight of a model, other than of its head, that keras-hub's
    converter does not look at, and for sizes that are not those of the weights.

    Args:
        config: the entries, of which each number was looked at.
    """
    first, pattern, shapes = WEIGHTS[kind]
    before = [name.removesuffix(first) for name in stored if _ends_with(name, first)]
    if len(before) != 1:
        raise SerializationError(
            f"the files have {len(before)} weights of the name '{first}': expected one, of one "
            "model."
        )
    (prefix,) = before
    like_one = re.compile(rf"(.*\.)?{pattern.pattern}|(.*\.)?(layers?|blocks|h)\.\d.*")
    for name in stored:
        is_of_model = name.startswith(prefix) or like_one.fullmatch(name)
        is_expected = name.startswith(prefix) and pattern.fullmatch(name.removeprefix(prefix))
        if is_of_model and not is_expected and not is_left(name):
            raise SerializationError(
                f"the files have a weight '{name}', which {what} does not read."
            )
    for name, axes in shapes.items():
        try:
            _check_shape(prefix + name, axes, config, stored)
        except KeyError as error:
            raise SerializationError(
                f"config.json does not have {error.args[0]}, which {what} needs."
            ) from None
    return prefix


def _check_shape(
    name: str, axes: typing.Any, config: Config, stored: collections.abc.Mapping[str, Stored]
) -> None:
    """Raises SerializationError for a weight that is not there, or has not the shape that entries
    say, or is there where they say that none is.
    """
    axes = axes(config) if callable(axes) else axes
    if axes is None:
        if name in stored:
            raise SerializationError(f"config.json says that there is no weight '{name}'.")
        return
    if name not in stored:
        raise SerializationError(f"there is no weight '{name}'.")
    shape = stored[name].shape
    expected = tuple(axis(config) if callable(axis) else config[axis] for axis in axes)
    if shape != expected:
        used = sorted({axis for axis in axes if isinstance(axis, str)})
        said = ", ".join(shown(entry, config[entry]) for entry in used)
        raise SerializationError(
            f"config.json says {said}: '{name}' should have the shape {expected}, and has {shape}."
        )


def _ends_with(name: str, end: str) -> bool:
    return name == end or name.endswith(f".{end}")
