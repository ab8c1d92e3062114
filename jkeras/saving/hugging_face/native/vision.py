"""The model types of images: ViT, DINOv2, and what CLIP and SigLIP have for images."""

from jkeras.core.errors import SerializationError
from jkeras.saving.hugging_face import entries
from jkeras.saving.hugging_face.native.common import HEADS, LAYERS, WIDTH, width_of_head
from jkeras.saving.hugging_face.native.family import (
    FLAG,
    Entry,
    Family,
    activation,
    flag,
    number,
)
from jkeras.saving.hugging_face.native.plans import Attention, Block, Feedforward, Norm
from jkeras.saving.hugging_face.native.vision_plans import Patches, Pooler, Vision
from jkeras.saving.types import Config

IMAGE, PATCH, CHANNELS = "image_size", "patch_size", "num_channels"
EPSILON = "layer_norm_eps"


def block_of(config: Config, inner: int, *, bias: bool = True, causal: bool = False) -> Block:
    """A block with norms before attention and network.

    Args:
        inner: the width of the network.
        bias: of queries, keys and values.
    """
    heads, size = config[HEADS], width_of_head(config)
    dropout = config.get("attention_dropout", config.get("attention_probs_dropout_prob"))
    attention = Attention(
        heads,
        heads,
        size,
        size**-0.5,
        is_causal=causal,
        bias=bias,
        output_bias=True,
        dropout=dropout,
    )
    network = Feedforward(inner, config["hidden_act"], False, True)
    return Block(attention, network, norm_of(config))


def norm_of(config: Config) -> Norm:
    """The norms of a model."""
    return Norm("layer", config[EPSILON])


def _patches(config: Config, **changes: object) -> Patches:
    """The patches that entries describe.

    Raises:
        SerializationError: sizes are none, or a patch is larger than an image.
    """
    image, patch = _pair(config, IMAGE), _pair(config, PATCH)
    if any(whole < part for whole, part in zip(image, patch)):
        raise SerializationError(
            f"config.json says {entries.shown(IMAGE, config[IMAGE])} and "
            f"{entries.shown(PATCH, config[PATCH])}: expected images of at least one patch."
        )
    return Patches(image, patch, config[CHANNELS], **changes)


def _pair(config: Config, entry: str) -> tuple[int, int]:
    """The height and the width that an entry says, as one number or two.

    Raises:
        SerializationError: it says something else.
    """
    value = config[entry]
    pair = [value] * 2
    if isinstance(value, list):
        pair = value
    if len(pair) != 2 or not all(map(entries.is_count, pair)):
        raise SerializationError(
            f"config.json says {entries.shown(entry, value)}: expected a whole number of 1 or "
            "more, or two, of height and width."
        )
    return pair[0], pair[1]


# ---------------------------------------------------------------- ViT and DINOv2

LAYER = "encoder.layer.#"
TOKENS = """
    embeddings.cls_token tokens/class_token leading-two
    embeddings.mask_token tokens/mask_token leading
    embeddings.position_embeddings tokens/positions leading
    embeddings.register_tokens tokens/registers leading
    embeddings.patch_embeddings.projection.weight patches/kernel convolution
    embeddings.patch_embeddings.projection.bias patches/bias
    layernorm final_norm
    classifier label_logits
"""
ATTENTION = f"""
    {LAYER}.attention.attention.query layer_#/attention/query
    {LAYER}.attention.attention.key layer_#/attention/key
    {LAYER}.attention.attention.value layer_#/attention/value
    {LAYER}.attention.output.dense layer_#/attention/output_dense
"""


def _image_entries(patch: int, epsilon: float, **further: Entry) -> dict[str, Entry]:
    """Those that ViT and DINOv2 have in common.

    Args:
        patch, epsilon: where a file does not say them.
    """
    return {
        WIDTH: number(768),
        LAYERS: number(12),
        HEADS: number(12),
        "hidden_act": activation("gelu"),
        "hidden_dropout_prob": number(0.0),
        "attention_probs_dropout_prob": number(0.0),
        EPSILON: number(epsilon),
        IMAGE: Entry(224, "other"),
        PATCH: Entry(patch, "other"),
        CHANNELS: number(3),
        "qkv_bias": flag(True),
        **further,
    }


def _vit(config: Config) -> Vision:
    block = block_of(config, config["intermediate_size"], bias=config["qkv_bias"])
    dropout = config["hidden_dropout_prob"]
    block = Block(block.attention, block.feedforward, block.norm, dropout=dropout)
    return Vision(
        patches=_patches(config),
        width=config[WIDTH],
        blocks=(block,) * config[LAYERS],
        norm=block.norm,
        pooler=Pooler("dense", None, config["pooler_output_size"], config["pooler_act"]),
        dropout=dropout,
    )


VIT = Family(
    kind="vit",
    writes={"backbone": "ViTModel", "classifier": "ViTForImageClassification"},
    prefix="vit.",
    names=f"""{TOKENS}{ATTENTION}
    {LAYER}.layernorm_before layer_#/norm_1
    {LAYER}.layernorm_after layer_#/norm_2
    {LAYER}.intermediate.dense layer_#/feedforward/up
    {LAYER}.output.dense layer_#/feedforward/down
    pooler.dense pooler
    """,
    entries=_image_entries(
        16,
        1e-12,
        intermediate_size=number(3072),
        pooler_output_size=number(None),
        pooler_act=activation("tanh"),
    ),
    plan=_vit,
    derived={"pooler_output_size": lambda config: config[WIDTH]},
    multiples=((WIDTH, HEADS),),
    ignored=("encoder_stride",),
    heads=("classifier.", "decoder."),
    left=("pooler.", "embeddings.mask_token"),
    model="VisionTransformer",
    optional={"add_pooling_layer": "pooler."},
)


def _dinov2(config: Config) -> Vision:
    inner = int(config[WIDTH] * config["mlp_ratio"])
    network = Feedforward(inner, config["hidden_act"], False, True)
    if config["use_swiglu_ffn"]:
        inner = (int(inner * 2 / 3) + 7) // 8 * 8
        network = Feedforward(inner, "silu", True, True)
    block = Block(
        block_of(config, inner, bias=config["qkv_bias"]).attention,
        network,
        norm_of(config),
        layer_scale=config["layerscale_value"],
        drop_path=config["drop_path_rate"],
    )
    patches = _patches(
        config,
        registers=config.get("num_register_tokens", 0),
        mask_token=config.get("use_mask_token", True),
        antialias=config["model_type"] == WITH_REGISTERS,
        takes_all_sizes=True,
    )
    if not config.get("num_register_tokens", 1):
        raise SerializationError(
            "config.json says num_register_tokens=0: expected 1 or more; without them the "
            "model_type is 'dinov2'."
        )
    if patches.grid[0] != patches.grid[1]:
        raise SerializationError(
            f"config.json says {entries.shown(IMAGE, config[IMAGE])} and "
            f"{entries.shown(PATCH, config[PATCH])}: expected as many patches down as across, "
            "which transformers takes for granted where it interpolates positions."
        )
    return Vision(
        patches=patches,
        width=config[WIDTH],
        blocks=(block,) * config[LAYERS],
        norm=block.norm,
        pooler=Pooler("first"),
        dropout=config["hidden_dropout_prob"],
        label_pooling="first and mean",
    )


def _dinov2_names(config: Config) -> str:
    """Those of the network depend on its kind."""
    network = f"""
    {LAYER}.mlp.fc1 layer_#/feedforward/up
    {LAYER}.mlp.fc2 layer_#/feedforward/down
    """
    if config["use_swiglu_ffn"]:
        network = f"""
    {LAYER}.mlp.weights_in layer_#/feedforward/gate,layer_#/feedforward/up
    {LAYER}.mlp.weights_out layer_#/feedforward/down
    """
    return f"""{TOKENS}{ATTENTION}{network}
    {LAYER}.norm1 layer_#/norm_1
    {LAYER}.norm2 layer_#/norm_2
    {LAYER}.layer_scale1.lambda1 layer_#/scale_1/gamma
    {LAYER}.layer_scale2.lambda1 layer_#/scale_2/gamma
    """


WITH_REGISTERS = "dinov2_with_registers"


def _dinov2_family(kind: str, name: str, patch: int, **further: Entry) -> Family:
    """DINOv2, or the one with registers."""
    return Family(
        kind=kind,
        writes={"backbone": f"{name}Model", "classifier": f"{name}ForImageClassification"},
        prefix=f"{kind}.",
        names=_dinov2_names,
        entries=_image_entries(
            patch,
            1e-6,
            mlp_ratio=number(4),
            layerscale_value=Entry(1.0, "any number"),
            drop_path_rate=number(0.0),
            use_swiglu_ffn=flag(False),
            **further,
        ),
        plan=_dinov2,
        multiples=((WIDTH, HEADS),),
        # of features of several layers, for other models
        ignored=(
            *("apply_layernorm", "out_features", "out_indices", "reshape_hidden_states"),
            "stage_names",
        ),
        heads=("classifier.",),
        model="VisionTransformer",
    )


DINOV2 = _dinov2_family("dinov2", "Dinov2", 14, use_mask_token=flag(True))
DINOV2_WITH_REGISTERS = _dinov2_family(
    WITH_REGISTERS,
    "Dinov2WithRegisters",
    16,
    num_register_tokens=number(4),
)

# ---------------------------------------------------------------- the images of CLIP and SigLIP

PAIRED_LAYERS = """
    encoder.layers.#.self_attn.q_proj layer_#/attention/query
    encoder.layers.#.self_attn.k_proj layer_#/attention/key
    encoder.layers.#.self_attn.v_proj layer_#/attention/value
    encoder.layers.#.self_attn.out_proj layer_#/attention/output_dense
    encoder.layers.#.layer_norm1 layer_#/norm_1
    encoder.layers.#.layer_norm2 layer_#/norm_2
    encoder.layers.#.mlp.fc1 layer_#/feedforward/up
    encoder.layers.#.mlp.fc2 layer_#/feedforward/down
"""
CLIP_VISION_ROWS = f"""
    embeddings.class_embedding tokens/class_token
    embeddings.patch_embedding.weight patches/kernel convolution
    embeddings.position_embedding.weight tokens/positions
    pre_layrnorm first_norm
    post_layernorm pooled_norm
    {PAIRED_LAYERS}
"""
IN_ONE = "pooler/query/{0},pooler/key/{0},pooler/value/{0}"
SIGLIP_VISION_ROWS = f"""
    embeddings.patch_embedding.weight patches/kernel convolution
    embeddings.patch_embedding.bias patches/bias
    embeddings.position_embedding.weight tokens/positions
    post_layernorm final_norm
    head.probe pooler/probe leading-two
    head.attention.in_proj_weight {IN_ONE.format("kernel")}
    head.attention.in_proj_bias {IN_ONE.format("bias")} vector
    head.attention.out_proj pooler/output_dense
    head.layernorm pooler/norm
    head.mlp.fc1 pooler/feedforward/up
    head.mlp.fc2 pooler/feedforward/down
    {PAIRED_LAYERS}
"""


def paired_entries(
    width: int, inner: int, heads: int, act: str, epsilon: float
) -> dict[str, Entry]:
    """Those that images and texts have in common, and what they are where a file does not say
    them.
    """
    return {
        WIDTH: number(width),
        "intermediate_size": number(inner),
        LAYERS: number(12),
        HEADS: number(heads),
        "hidden_act": activation(act),
        EPSILON: number(epsilon),
        "attention_dropout": number(0.0),
    }


def _paired(config: Config, **changes: object) -> Vision:
    """A transformer of images like that of CLIP."""
    block = block_of(config, config["intermediate_size"])
    return Vision(width=config[WIDTH], blocks=(block,) * config[LAYERS], norm=block.norm, **changes)


def _clip_vision(config: Config) -> Vision:
    return _paired(
        config,
        patches=_patches(config, bias=False),
        first_norm=True,
        final_norm=False,
        pooler=Pooler("first", norm_of(config)),
        projection=config["projection_dim"],
    )


def _siglip_vision(config: Config) -> Vision:
    pooler = None
    if config["vision_use_head"]:
        pooler = Pooler("attention")
    return _paired(config, patches=_patches(config, class_token=False), pooler=pooler)


CLIP_VISION = Family(
    kind="clip_vision_model",
    writes={"backbone": "CLIPVisionModel", "embedding": "CLIPVisionModelWithProjection"},
    prefix="vision_model.",
    names=f"{CLIP_VISION_ROWS} visual_projection projection",
    entries={
        **paired_entries(768, 3072, 12, "quick_gelu", 1e-5),
        CHANNELS: number(3),
        IMAGE: number(224),
        PATCH: number(32),
        "projection_dim": number(512),
    },
    plan=_clip_vision,
    multiples=((WIDTH, HEADS),),
    ignored=("dropout", "tie_word_embeddings"),
    heads=("visual_projection.",),
    model="VisionTransformer",
)
SIGLIP_VISION = Family(
    kind="siglip_vision_model",
    writes={"backbone": "SiglipVisionModel"},
    prefix="vision_model.",
    names=SIGLIP_VISION_ROWS,
    entries={
        **paired_entries(768, 3072, 12, "gelu_pytorch_tanh", 1e-6),
        CHANNELS: number(3),
        IMAGE: number(224),
        PATCH: number(16),
        "vision_use_head": Entry(True, FLAG),
    },
    plan=_siglip_vision,
    multiples=((WIDTH, HEADS),),
    ignored=("dropout", "tie_word_embeddings"),
    heads=(),
    model="VisionTransformer",
)
FAMILIES = (VIT, DINOV2, DINOV2_WITH_REGISTERS, CLIP_VISION, SIGLIP_VISION)
