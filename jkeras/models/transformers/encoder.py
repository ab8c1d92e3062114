"""Transformers whose tokens see all of a text."""

from typing import Any

from jkeras.core.layer import Layer
from jkeras.layers.activation import Activation
from jkeras.layers.dense import Dense
from jkeras.layers.dropout import Dropout
from jkeras.layers.embedding import Embedding, ReversibleEmbedding
from jkeras.layers.input import Input
from jkeras.models.transformers import norms
from jkeras.models.transformers.block import TransformerBlock
from jkeras.models.transformers.decoder import Common
from jkeras.models.transformers.feedforward import ACTIVATIONS
from jkeras.models.transformers.parts import (
    Bias,
    CountedPositionVectors,
    PaddingMask,
    Pooled,
    PositionVectors,
)
from jkeras.saving.hugging_face.native.plans import Head, Transformer


def graph(plan: Transformer, task: str, common: Common) -> tuple[Any, Any]:
    """The inputs and outputs of a model, by the names that keras-hub has for them."""
    names = ["token_ids", "padding_mask"]
    if plan.segments:
        names.append("segment_ids")
    inputs = {name: Input((None,), dtype="int32", name=name) for name in names}
    width = plan.embedding_width or plan.width
    embed = ReversibleEmbedding if plan.is_tied else Embedding
    embedding = embed(plan.vocabulary, width, name="embedding", **common)
    x = _features(plan, embedding, inputs, common)
    if task == "masked_lm":
        return inputs, _words(plan, embedding, x, common)
    if task == "classifier":
        return inputs, _labels(plan, x, inputs["padding_mask"], common)
    return inputs, x


def _features(plan: Transformer, embedding: Layer, inputs: dict[str, Any], common: Common) -> Any:
    """What the blocks make of tokens."""
    tokens, width = inputs["token_ids"], plan.embedding_width or plan.width
    x = embedding(tokens)
    if plan.segments:
        segments = Embedding(plan.segments, width, name="segments", **common)
        x = x + segments(inputs["segment_ids"])
    count, first = plan.positions, plan.first_position
    if plan.skips_padding:
        vectors = CountedPositionVectors(count, first, plan.pad, name="positions", **common)
        x = vectors(x, tokens)
    elif plan.positions:
        x = PositionVectors(count, first, name="positions", **common)(x)
    x = norms.made(plan.norm, name="embedding_norm", **common)(x)
    x = Dropout(plan.dropout, name="embedding_dropout", **common)(x)
    if plan.embedding_width is not None:
        x = Dense(plan.width, name="project_in", **common)(x)
    visible = PaddingMask(name="visible")(inputs["padding_mask"])
    for number, block in enumerate(plan.blocks):
        x = TransformerBlock(block, plan.width, name=f"layer_{number}", **common)(x, visible)
    if plan.final_norm:
        x = norms.made(plan.norm, name="final_norm", **common)(x)
    return x


def _through(head: Head, name: str, width: int, x: Any, common: Common) -> Any:
    """What is between features and logits."""
    x = Dense(width, use_bias=head.bias, name=f"{name}_dense", **common)(x)
    x = Activation(ACTIVATIONS[head.activation], name=f"{name}_activation", **common)(x)
    if head.norm is not None:
        x = norms.made(head.norm, name=f"{name}_norm", **common)(x)
    return x


def _words(plan: Transformer, embedding: Layer, x: Any, common: Common) -> Any:
    """The scores of the words at each position."""
    x = _through(plan.word_head, "word", plan.embedding_width or plan.width, x, common)
    if plan.is_tied:
        x = embedding(x, reverse=True)
    else:
        x = Dense(plan.vocabulary, use_bias=False, name="word_logits", **common)(x)
    if plan.head_bias:
        x = Bias(name="word_bias", **common)(x)
    return x


def _labels(plan: Transformer, x: Any, mask: Any, common: Common) -> Any:
    """The scores of labels."""
    head = plan.label_head
    x = Pooled(head.pooling, name="pooled", **common)(x, mask)
    x = _through(head, "label", plan.width, x, common)
    x = Dropout(head.dropout, name="label_dropout", **common)(x)
    return Dense(plan.labels, name="label_logits", **common)(x)
