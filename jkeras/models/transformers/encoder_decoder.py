"""Transformers that read one text, or sound, and write another."""

from typing import Any

from jkeras.core.layer import Layer
from jkeras.layers.dropout import Dropout
from jkeras.layers.embedding import Embedding, ReversibleEmbedding
from jkeras.layers.input import Input
from jkeras.models.transformers import decoder, norms
from jkeras.models.transformers.block import TransformerBlock
from jkeras.models.transformers.decoder import Common
from jkeras.models.transformers.distances import DistanceBias
from jkeras.models.transformers.parts import FixedBias, PaddingMask
from jkeras.models.transformers.sound import steps_of_sound
from jkeras.saving.hugging_face.native.plans import EncoderDecoder, Transformer


def graph(plan: EncoderDecoder, task: str, common: Common) -> tuple[Any, Any]:
    """The inputs and outputs of a model, by the names that keras-hub has for them."""
    embed = ReversibleEmbedding if plan.is_tied else Embedding
    text = plan.decoder
    embedding = embed(text.vocabulary, text.width, name="embedding", **common)
    inputs = _inputs(plan)
    visible = None
    if plan.sound is None:
        visible = PaddingMask(name="encoder_visible")(inputs["encoder_padding_mask"])
        tokens = inputs["encoder_token_ids"]
        x = decoder.embedded(plan.encoder, embedding, tokens, common, "encoder_")
    else:
        x = steps_of_sound(plan.encoder, inputs["encoder_features"], common)
    memory = _through(plan.encoder, x, visible, {}, common, "encoder_")
    x = decoder.embedded(text, embedding, inputs["decoder_token_ids"], common, "decoder_")
    beside = {"memory": memory}
    if visible is not None:
        beside["memory_visible"] = visible
    x = _through(text, x, inputs["decoder_padding_mask"], beside, common, "decoder_")
    y = decoder.logits(text, embedding, x, common)
    if plan.logits_bias:
        y = FixedBias(name="logits_bias", **common)(y)
    return inputs, y


def _inputs(plan: EncoderDecoder) -> dict[str, Any]:
    """By their names, those of the encoder first."""
    names = ["decoder_token_ids", "decoder_padding_mask"]
    first = {}
    if plan.sound is None:
        names = ["encoder_token_ids", "encoder_padding_mask", *names]
    else:
        shape = 2 * plan.encoder.positions, plan.sound.channels
        first["encoder_features"] = Input(shape, name="encoder_features")
    return first | {name: Input((None,), dtype="int32", name=name) for name in names}


def _through(
    plan: Transformer, x: Any, visible: Any, beside: dict[str, Any], common: Common, prefix: str
) -> Any:
    """What blocks make of their input.

    Args:
        visible, beside: further arguments of each block.
        prefix: of the names of layers.
    """
    if plan.buckets is not None:
        beside = {**beside, "bias": _distances(plan, common, prefix)(x)}
    for number, block in enumerate(plan.blocks):
        layer = TransformerBlock(block, plan.width, name=f"{prefix}layer_{number}", **common)
        x = layer(x, visible, beside or None)
    if plan.final_norm:
        x = norms.made(plan.norm, name=f"{prefix}norm", **common)(x)
    if plan.final_dropout:
        x = Dropout(plan.final_dropout, name=f"{prefix}dropout", **common)(x)
    return x


def _distances(plan: Transformer, common: Common, prefix: str) -> Layer:
    """The layer of what is added to scores."""
    attention = plan.blocks[0].attention
    heads, is_causal = attention.heads, attention.is_causal
    return DistanceBias(plan.buckets, heads, is_causal, name=f"{prefix}distances", **common)
