"""How large what a plan describes is, before it is made."""

import math

from jkeras.saving.hugging_face.native.plans import Block, EncoderDecoder, Transformer
from jkeras.saving.hugging_face.native.vision_plans import ImageText, Plan, Text, Vision


def blocks_of(plan: Plan) -> tuple[Block, ...]:
    """The blocks of a model that has them in one row."""
    if isinstance(plan, Text):
        return plan.transformer.blocks
    return plan.blocks


def sizes_of(plan: Plan) -> dict[str, int]:
    """How many numbers the weights of a model have, by what they are of."""
    if isinstance(plan, ImageText):
        texts = {f"{what} of texts": n for what, n in sizes_of(plan.text).items()}
        return {**texts, **sizes_of(plan.vision)}
    if isinstance(plan, EncoderDecoder):
        parts = {"encoder": _of_texts(plan.encoder), "decoder": _of_texts(plan.decoder)}
        return {f"{what} of the {k}": n for k, part in parts.items() for what, n in part.items()}
    if isinstance(plan, Text):
        further = {"the head": plan.head, "the projection": plan.projection}
        return {**_of_texts(plan.transformer), **_wide(further, plan.transformer.width)}
    if isinstance(plan, Vision):
        return _of_images(plan)
    return _of_texts(plan)


def _of_texts(plan: Transformer) -> dict[str, int]:
    vector = plan.embedding_width or plan.width
    placed = {True: vector, False: plan.width}[plan.projects_last]
    return {
        "the tokens": vector * plan.vocabulary,
        "the projection": vector * plan.width * (plan.embedding_width is not None),
        "the positions": placed * plan.positions,
        "the segments": vector * plan.segments,
        "the labels": plan.width * plan.labels,
        **_of_blocks(plan.blocks, plan.width),
    }


def _of_blocks(blocks: tuple[Block, ...], width: int) -> dict[str, int]:
    attention = blocks[0].attention
    inner = [block.feedforward.inner for block in blocks]
    shared = [e.shared for e in (block.feedforward.experts for block in blocks) if e]
    return {
        "the queries": width * attention.heads * attention.size,
        "the keys": width * attention.groups * attention.size,
        "the feedforward network": width * max(inner + shared),
    }


def _of_images(plan: Vision) -> dict[str, int]:
    patches = plan.patches
    further = {"the projection": plan.projection}
    if plan.pooler is not None:
        further["the pooler"] = plan.pooler.width
    return {
        "the patches": math.prod(patches.patch) * patches.channels * plan.width,
        "the positions": patches.positions * plan.width,
        "the registers": patches.registers * plan.width,
        "the labels": plan.width * plan.labels,
        **_wide(further, plan.width),
        **_of_blocks(plan.blocks, plan.width),
    }


def _wide(widths: dict[str, int | None], width: int) -> dict[str, int]:
    """How many numbers layers have, by their widths."""
    return {what: width * outputs for what, outputs in widths.items() if outputs is not None}
