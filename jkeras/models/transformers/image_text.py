"""Transformers of texts that give one vector of each, and those that compare them with images."""

from typing import Any

from jkeras.layers.dense import Dense
from jkeras.layers.embedding import Embedding
from jkeras.layers.input import Input
from jkeras.models.transformers import norms, vision
from jkeras.models.transformers.block import TransformerBlock
from jkeras.models.transformers.decoder import Common
from jkeras.models.transformers.parts import PositionVectors
from jkeras.models.transformers.pooling import Similarity, TextToken, Transposed, UnitLength
from jkeras.models.transformers.vision import Tower
from jkeras.saving.hugging_face.native.vision_plans import ImageText, Text


def text_graph(plan: Text, task: str, common: Common) -> tuple[Any, Any]:
    """The inputs and outputs of a model of texts."""
    tokens = Input((None,), dtype="int32", name="token_ids")
    found = text_tower(plan, tokens, "", common)
    outputs = {"last_hidden_state": found.tokens}
    if task == "embedding":
        project = Dense(plan.projection, use_bias=False, name="projection", **common)
        outputs["text_embeds"] = project(found.pooled)
    else:
        outputs["pooler_output"] = found.pooled
    return tokens, outputs


def text_tower(plan: Text, tokens: Any, before: str, common: Common) -> Tower:
    """What is made of texts.

    Args:
        before: what names of layers begin with.
    """
    whole = plan.transformer
    x = Embedding(whole.vocabulary, whole.width, name=f"{before}embedding", **common)(tokens)
    x = PositionVectors(whole.positions, name=f"{before}positions", **common)(x)
    for number, block in enumerate(whole.blocks):
        x = TransformerBlock(block, whole.width, name=f"{before}layer_{number}", **common)(x)
    x = norms.made(whole.norm, name=f"{before}final_norm", **common)(x)
    pooled = TextToken(plan.pooling, plan.end, name=f"{before}pooled", **common)(x, tokens)
    if plan.head is not None:
        pooled = Dense(plan.head, name=f"{before}head", **common)(pooled)
    return Tower(x, pooled)


def graph(plan: ImageText, common: Common, all_sizes: bool | None) -> tuple[Any, Any]:
    """The inputs and outputs of a model of images and texts."""
    images = vision.image_input(plan.vision.patches, all_sizes)
    tokens = Input((None,), dtype="int32", name="token_ids")
    image = vision.tower(plan.vision, images, "vision_", common).pooled
    text = text_tower(plan.text, tokens, "text_", common).pooled
    if plan.vision.projection is not None:
        width = plan.vision.projection
        image = Dense(width, use_bias=False, name="vision_projection", **common)(image)
        text = Dense(width, use_bias=False, name="text_projection", **common)(text)
    image = UnitLength(name="image_embeds", **common)(image)
    text = UnitLength(name="text_embeds", **common)(text)
    logits = Similarity(plan.scale, plan.has_bias, name="similarity", **common)(image, text)
    outputs = {
        "logits_per_image": logits,
        "logits_per_text": Transposed(name="logits_per_text", **common)(logits),
        "text_embeds": text,
        "image_embeds": image,
    }
    return {"images": images, "token_ids": tokens}, outputs
