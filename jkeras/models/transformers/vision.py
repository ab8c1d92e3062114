"""Transformers of images."""

from typing import Any, NamedTuple

from jkeras.layers.activation import Activation
from jkeras.layers.convolution import Conv2D
from jkeras.layers.dense import Dense
from jkeras.layers.dropout import Dropout
from jkeras.layers.input import Input
from jkeras.models.transformers import norms
from jkeras.models.transformers.block import TransformerBlock
from jkeras.models.transformers.decoder import Common
from jkeras.models.transformers.feedforward import ACTIVATIONS
from jkeras.models.transformers.patches import PatchTokens
from jkeras.models.transformers.pooling import AttentionPooling, FirstToken, MeanToken
from jkeras.saving.hugging_face.native.vision_plans import Patches, Vision


class Tower(NamedTuple):
    """What is made of an image or a text.

    Attributes:
        tokens: (batch, time, features).
        pooled: (batch, features); None: there is no pooler.
    """

    tokens: Any
    pooled: Any


def graph(plan: Vision, task: str, common: Common, all_sizes: bool | None) -> tuple[Any, Any]:
    """The inputs and outputs of a model.

    Args:
        all_sizes: whether images of other sizes are taken; None: as models of this type do.
    """
    images = image_input(plan.patches, all_sizes)
    if task == "classifier":
        tokens = features(plan, images, "", common)
        pooled = _pooled_for_labels(plan, tokens, common)
        return images, Dense(plan.labels, name="label_logits", **common)(pooled)
    found = tower(plan, images, "", common)
    outputs = {"last_hidden_state": found.tokens}
    if task == "embedding":
        project = Dense(plan.projection, use_bias=False, name="projection", **common)
        outputs["image_embeds"] = project(found.pooled)
    elif found.pooled is not None:
        outputs["pooler_output"] = found.pooled
    return images, outputs


def image_input(patches: Patches, all_sizes: bool | None) -> Any:
    """The images, (batch, height, width, channels)."""
    if all_sizes is None:
        all_sizes = patches.takes_all_sizes
    size = patches.image
    if all_sizes:
        size = (None, None)
    return Input((*size, patches.channels), name="images")


def tower(plan: Vision, images: Any, before: str, common: Common) -> Tower:
    """What is made of images.

    Args:
        before: what names of layers begin with.
    """
    x = features(plan, images, before, common)
    if plan.pooler is None:
        return Tower(x, None)
    return Tower(x, _pooled(plan, x, before, common))


def features(plan: Vision, images: Any, before: str, common: Common) -> Any:
    """What the blocks make of images."""
    patches = plan.patches
    x = Conv2D(
        plan.width,
        patches.patch,
        strides=patches.patch,
        data_format="channels_last",
        use_bias=patches.bias,
        name=f"{before}patches",
        **common,
    )(images)
    x = PatchTokens(patches, name=f"{before}tokens", **common)(x)
    if plan.first_norm:
        x = norms.made(plan.norm, name=f"{before}first_norm", **common)(x)
    if plan.dropout:
        x = Dropout(plan.dropout, name=f"{before}embedding_dropout", **common)(x)
    for number, block in enumerate(plan.blocks):
        x = TransformerBlock(block, plan.width, name=f"{before}layer_{number}", **common)(x)
    if plan.final_norm:
        x = norms.made(plan.norm, name=f"{before}final_norm", **common)(x)
    return x


def _pooled(plan: Vision, x: Any, before: str, common: Common) -> Any:
    """One vector of the tokens of an image."""
    pooler = plan.pooler
    if pooler.kind == "attention":
        name = f"{before}pooler"
        return AttentionPooling(plan.blocks[0], plan.width, name=name, **common)(x)
    x = FirstToken(name=f"{before}first_token", **common)(x)
    if pooler.norm is not None:
        x = norms.made(pooler.norm, name=f"{before}pooled_norm", **common)(x)
    if pooler.kind == "dense":
        x = Dense(pooler.width, name=f"{before}pooler", **common)(x)
        activation = ACTIVATIONS[pooler.activation]
        x = Activation(activation, name=f"{before}pooler_activation", **common)(x)
    return x


def _pooled_for_labels(plan: Vision, x: Any, common: Common) -> Any:
    """What scores of labels look at."""
    if plan.label_pooling == "first":
        return FirstToken(name="pooled", **common)(x)
    first = plan.patches.class_token + plan.patches.registers
    with_first = plan.label_pooling == "first and mean"
    return MeanToken(first, with_first, name="pooled", **common)(x)
