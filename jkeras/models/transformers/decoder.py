"""Transformers whose tokens see those before them."""

from typing import Any

from jkeras.core.layer import Layer
from jkeras.layers.dense import Dense
from jkeras.layers.dropout import Dropout
from jkeras.layers.embedding import Embedding, ReversibleEmbedding
from jkeras.layers.input import Input
from jkeras.models.transformers import norms
from jkeras.models.transformers.block import TransformerBlock
from jkeras.models.transformers.parts import LastToken, PositionVectors, Scaled
from jkeras.saving.hugging_face.native.plans import Transformer

Common = dict[str, Any]  # arguments of all layers


def graph(plan: Transformer, task: str, common: Common) -> tuple[Any, Any]:
    """The inputs and outputs of a model."""
    tokens = Input((None,), dtype="int32", name="tokens")
    return tokens, outputs(plan, task, tokens, common)


def outputs(plan: Transformer, task: str, tokens: Any, common: Common) -> Any:
    """What a model gives for tokens."""
    width = plan.embedding_width or plan.width
    embed = ReversibleEmbedding if plan.is_tied else Embedding
    embedding = embed(plan.vocabulary, width, name="embedding", **common)
    x = _features(plan, embedding, tokens, common)
    if task == "causal_lm":
        return logits(plan, embedding, x, common)
    if task == "classifier":
        last = LastToken(plan.pad, name="last_token", **common)(x, tokens)
        return Dense(plan.labels, use_bias=False, name="score", **common)(last)
    return x


def _features(plan: Transformer, embedding: Layer, tokens: Any, common: Common) -> Any:
    """What the blocks make of tokens."""
    x = embedded(plan, embedding, tokens, common)
    for number, block in enumerate(plan.blocks):
        x = TransformerBlock(block, plan.width, name=f"layer_{number}", **common)(x)
    if plan.final_norm:
        x = norms.made(plan.norm, name="final_norm", **common)(x)
    if plan.embedding_width is not None:
        x = Dense(plan.embedding_width, use_bias=False, name="project_out", **common)(x)
    return x


def embedded(
    plan: Transformer, embedding: Layer, tokens: Any, common: Common, prefix: str = ""
) -> Any:
    """What the blocks get of tokens.

    Args:
        prefix: of the names of layers but the embedding.
    """
    x = embedding(tokens)
    if plan.embedding_scale != 1:
        x = Scaled(plan.embedding_scale, name=f"{prefix}embedding_scale", **common)(x)
    if plan.embedding_width is not None:
        x = Dense(plan.width, use_bias=False, name=f"{prefix}project_in", **common)(x)
    if plan.positions:
        count, first = plan.positions, plan.first_position
        x = PositionVectors(count, first, name=f"{prefix}positions", **common)(x)
    if plan.embedding_norm:
        x = norms.made(plan.norm, name=f"{prefix}embedding_norm", **common)(x)
    if plan.dropout:
        x = Dropout(plan.dropout, name=f"{prefix}embedding_dropout", **common)(x)
    return x


def logits(plan: Transformer, embedding: Layer, x: Any, common: Common) -> Any:
    """The scores of the next tokens."""
    if plan.is_tied:
        x = embedding(x, reverse=True)
    else:
        head = Dense(plan.vocabulary, use_bias=plan.head_bias, name="lm_head", **common)
        x = head(x)
    if plan.logit_scale != 1 or plan.logit_cap is not None:
        x = Scaled(plan.logit_scale, plan.logit_cap, name="logits", **common)(x)
    return x
