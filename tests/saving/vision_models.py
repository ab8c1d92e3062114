"""Small models of images, and of images and texts, of transformers, whose outputs are recorded: the
entries of each, and what they are called on.
"""

import numpy as np

SIZES = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=4)
IMAGES = dict(**SIZES, image_size=12, patch_size=4)
VISION = dict(**IMAGES, intermediate_size=20)
TEXT = dict(hidden_size=12, num_hidden_layers=3, num_attention_heads=2, intermediate_size=20)
TEXT |= dict(vocab_size=23, max_position_embeddings=9, bos_token_id=0)
CLIP_TEXT = dict(**TEXT, eos_token_id=20)
SIGLIP_TEXT = dict(**TEXT, eos_token_id=20, projection_size=16)
EPSILON = dict(layer_norm_eps=0.1)
GELU = dict(hidden_act="gelu_pytorch_tanh")
OTHER_SIZE = dict(_size=[20, 16], _any_size=True)
SMALLER = dict(_size=[8, 8], _any_size=True)
NO_BIAS = dict(qkv_bias=False)
SMALL_PATCHES = dict(image_size=14, patch_size=3)  # of which some pixels are left over


def labels(name):
    return dict(_class=f"{name}ForImageClassification", num_labels=3)


DINOV2 = {
    "labels": labels("Dinov2"),
    "swiglu": dict(use_swiglu_ffn=True),
    "no mask": dict(use_mask_token=False),
    "other size": dict(_size=[20, 16]),
    "smaller": dict(_size=[8, 8]),
    "wider": dict(_size=[12, 24]),
    "no bias": NO_BIAS,
    "epsilon": EPSILON,
    "ratio": dict(mlp_ratio=3),
    "relu": dict(hidden_act="relu"),
}
# {model type: (class of transformers, entries, {variant: further entries})}
FAMILIES = {
    "vit": (
        "ViTModel",
        VISION,
        {
            "labels": labels("ViT"),
            "other size": OTHER_SIZE,
            "smaller": SMALLER,
            "two sizes": dict(image_size=[8, 12], patch_size=[4, 2]),
            "left over": SMALL_PATCHES,
            "no bias": NO_BIAS,
            "epsilon": EPSILON,
            "gelu": GELU,
            "pooler": dict(pooler_output_size=6, pooler_act="relu"),
            "gray": dict(num_channels=1),
        },
    ),
    "dinov2": ("Dinov2Model", IMAGES, DINOV2),
    "dinov2_with_registers": (
        "Dinov2WithRegistersModel",
        dict(**IMAGES, num_register_tokens=3),
        {
            "labels": labels("Dinov2WithRegisters"),
            "swiglu": DINOV2["swiglu"],
            "other size": DINOV2["other size"],
            "smaller": DINOV2["smaller"],
        },
    ),
    "clip_vision_model": (
        "CLIPVisionModel",
        dict(**VISION, projection_dim=6),
        {
            "projected": dict(_class="CLIPVisionModelWithProjection"),
            "other size": OTHER_SIZE,
            "left over": SMALL_PATCHES,
            "epsilon": EPSILON,
            "gelu": GELU,
        },
    ),
    "siglip_vision_model": (
        "SiglipVisionModel",
        VISION,
        {
            "no head": dict(vision_use_head=False),
            "other size": OTHER_SIZE,
            "left over": SMALL_PATCHES,
            "epsilon": EPSILON,
            "relu": dict(hidden_act="relu"),
        },
    ),
    "clip_text_model": (
        "CLIPTextModel",
        dict(**CLIP_TEXT, projection_dim=6),
        {
            "projected": dict(_class="CLIPTextModelWithProjection"),
            "largest": dict(eos_token_id=2),
            "no end": dict(eos_token_id=13),
            "epsilon": EPSILON,
            "gelu": GELU,
        },
    ),
    "siglip_text_model": (
        "SiglipTextModel",
        SIGLIP_TEXT,
        {"narrow": dict(projection_size=5), "epsilon": EPSILON, "relu": dict(hidden_act="relu")},
    ),
    "clip": (
        "CLIPModel",
        dict(text_config=CLIP_TEXT, vision_config=VISION, projection_dim=6),
        {
            "largest": dict(text_config={**CLIP_TEXT, "eos_token_id": 2}),
            "other size": OTHER_SIZE,
            "other sizes": dict(
                text_config={**CLIP_TEXT, **EPSILON}, vision_config={**VISION, **GELU}
            ),
        },
    ),
    "siglip": (
        "SiglipModel",
        dict(text_config=SIGLIP_TEXT, vision_config=VISION),
        {
            "other size": OTHER_SIZE,
            "other sizes": dict(
                text_config={**SIGLIP_TEXT, **EPSILON}, vision_config={**VISION, **EPSILON}
            ),
        },
    ),
}
TASKS = {
    "WithProjection": "embedding",
    "ForImageClassification": "classifier",
    "Model": "backbone",
}
# of the first text the end is in the middle, in the second it is there twice
TOKENS = np.array([[3, 14, 20, 9, 2, 6, 5], [8, 9, 7, 9, 20, 20, 3], [0, 4, 11, 22, 1, 2, 20]])


def images(size, channels: int) -> np.ndarray:
    """Two images (height, width, channels)."""
    return np.random.default_rng(7).normal(size=(2, *size, channels)).astype("float32")


def inputs_of(config: dict, size: list | None) -> dict[str, np.ndarray]:
    """What a model is called on.

    Args:
        size: of images; None: that of the configuration.
    """
    vision = config.get("vision_config", config)
    found = {}
    if "patch_size" in vision:
        whole = vision["image_size"]
        size = size or (whole if isinstance(whole, list) else [whole] * 2)
        found["images"] = images(size, vision.get("num_channels", 3))
    if "text" in config["model_type"] or "text_config" in config:
        found["token_ids"] = TOKENS
    return found
