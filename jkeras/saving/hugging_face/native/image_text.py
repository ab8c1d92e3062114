"""The model types that compare images with texts, and what they have for texts: CLIP and
SigLIP.
"""

import dataclasses

from jkeras.core.errors import SerializationError
from jkeras.saving.hugging_face import entries
from jkeras.saving.hugging_face.native.common import HEADS, LAYERS, WIDTH
from jkeras.saving.hugging_face.native.family import Entry, Family, number
from jkeras.saving.hugging_face.native.plans import Transformer
from jkeras.saving.hugging_face.native.vision import (
    CLIP_VISION,
    CLIP_VISION_ROWS,
    PAIRED_LAYERS,
    SIGLIP_VISION,
    SIGLIP_VISION_ROWS,
    block_of,
    paired_entries,
)
from jkeras.saving.hugging_face.native.vision_plans import ImageText, Text
from jkeras.saving.types import Config

POSITIONS, END = "max_position_embeddings", "eos_token_id"
TEXT, VISION, PROJECTION = "text_config", "vision_config", "projection_dim"
OLD_END = 2  # what files say in which the last token of a text is the one with the largest number

# ---------------------------------------------------------------- texts

TEXT_ROWS = f"""
    embeddings.token_embedding.weight embedding/embeddings
    embeddings.position_embedding.weight positions/embeddings
    final_layer_norm final_norm
    head head
    {PAIRED_LAYERS}
"""


def _transformer(config: Config, causal: bool) -> Transformer:
    block = block_of(config, config["intermediate_size"], causal=causal)
    return Transformer(
        vocabulary=config["vocab_size"],
        width=config[WIDTH],
        blocks=(block,) * config[LAYERS],
        norm=block.norm,
        positions=config[POSITIONS],
    )


def _clip_text(config: Config) -> Text:
    end = config[END]
    if type(end) is not int or not 0 <= end < config["vocab_size"]:
        raise SerializationError(
            f"config.json says {entries.shown(END, end)}: expected the one token of "
            f"{config['vocab_size']} at which a text ends, since its features are those of the "
            "text."
        )
    transformer = _transformer(config, causal=True)
    if end == OLD_END:
        return Text(transformer, "largest", projection=config[PROJECTION])
    return Text(transformer, "end", end, projection=config[PROJECTION])


def _siglip_text(config: Config) -> Text:
    return Text(_transformer(config, causal=False), "last", head=config["projection_size"])


CLIP_TEXT = Family(
    kind="clip_text_model",
    writes={"backbone": "CLIPTextModel", "embedding": "CLIPTextModelWithProjection"},
    prefix="text_model.",
    names=f"{TEXT_ROWS} text_projection projection",
    entries={
        "vocab_size": number(49408),
        **paired_entries(512, 2048, 8, "quick_gelu", 1e-5),
        POSITIONS: number(77),
        PROJECTION: number(512),
        END: Entry(49407, "other"),
    },
    plan=_clip_text,
    multiples=((WIDTH, HEADS),),
    ignored=("dropout", "tie_word_embeddings"),
    heads=("text_projection.",),
)
SIGLIP_TEXT = Family(
    kind="siglip_text_model",
    writes={"backbone": "SiglipTextModel"},
    prefix="text_model.",
    names=TEXT_ROWS,
    entries={
        "vocab_size": number(32000),
        **paired_entries(768, 3072, 12, "gelu_pytorch_tanh", 1e-6),
        POSITIONS: number(64),
        "projection_size": number(None),
    },
    plan=_siglip_text,
    derived={"projection_size": lambda config: config[WIDTH]},
    multiples=((WIDTH, HEADS),),
    ignored=("dropout", "tie_word_embeddings"),
    heads=(),
)

# ---------------------------------------------------------------- both


def _rows(config: Config, vision: str, text: str) -> str:
    """The rows of both, with the numbers of their layers."""
    lines = [*_numbered(vision, VISION, config), *_numbered(text, TEXT, config)]
    return "\n".join(lines)


def _numbered(rows: str, entry: str, config: Config) -> list[str]:
    """The rows of one of both: their names and ours begin with what it is."""
    kind = entry.removesuffix("_config")
    lines = []
    for theirs, ours, *layout in map(str.split, filter(str.strip, rows.splitlines())):
        paths = ",".join(f"{kind}_{path}" for path in ours.split(","))
        line = " ".join([f"{kind}_model.{theirs}", paths, *layout])
        count = 1
        if "#" in line:
            count = config[entry][LAYERS]
        lines += [line.replace("#", str(number)) for number in range(count)]
    return lines


def _clip_names(config: Config) -> str:
    return f"""{_rows(config, CLIP_VISION_ROWS, TEXT_ROWS)}
    visual_projection vision_projection
    text_projection text_projection
    logit_scale similarity/logit_scale
    """


def _siglip_names(config: Config) -> str:
    return f"""{_rows(config, SIGLIP_VISION_ROWS, TEXT_ROWS)}
    logit_scale similarity/logit_scale leading
    logit_bias similarity/logit_bias leading
    """


def _clip(config: Config) -> ImageText:
    width = config[PROJECTION]
    vision = dataclasses.replace(CLIP_VISION.plan(config[VISION]), projection=width)
    text = dataclasses.replace(CLIP_TEXT.plan(config[TEXT]), projection=width)
    return ImageText(vision, text, has_bias=False, scale=config["logit_scale_init_value"])


def _siglip(config: Config) -> ImageText:
    vision, text = SIGLIP_VISION.plan(config[VISION]), SIGLIP_TEXT.plan(config[TEXT])
    if vision.pooler is None:
        raise SerializationError(
            "config.json says vision_use_head=False in vision_config: there is no vector of an "
            "image that could be compared with texts."
        )
    if vision.width != text.head:
        raise SerializationError(
            f"config.json says projection_size={text.head} in text_config and "
            f"{WIDTH}={vision.width} in vision_config: expected equal widths, which are compared."
        )
    return ImageText(vision, text, has_bias=True, scale=0.0)


def _with_one_of_each(config: Config) -> Config:
    """The entries of CLIP, where older files have two sets of those of images and of texts: the
    second one, with what it leaves out, stands before the first.

    Raises:
        SerializationError: the second one is no object.
    """
    config = dict(config)
    for entry, part in ((TEXT, CLIP_TEXT), (VISION, CLIP_VISION)):
        second = config.pop(f"{entry}_dict", None)
        if second is None:
            continue
        first = config.get(entry) or {}
        if not isinstance(first, dict) or not isinstance(second, dict):
            raise SerializationError(
                f"config.json says {entries.shown(f'{entry}_dict', second)} and "
                f"{entries.shown(entry, first)}: expected objects."
            )
        first = {name: value for name, value in first.items() if name not in part.entries}
        config[entry] = {**first, **second}
    return config


CLIP = Family(
    kind="clip",
    writes={"backbone": "CLIPModel"},
    prefix="",
    names=_clip_names,
    entries={
        PROJECTION: number(512),
        "logit_scale_init_value": Entry(2.6592, "any number"),
    },
    plan=_clip,
    first=_with_one_of_each,
    ignored=("tie_word_embeddings",),
    heads=(),
    model="ImageTextTransformer",
    parts={TEXT: CLIP_TEXT, VISION: CLIP_VISION},
)
SIGLIP = Family(
    kind="siglip",
    writes={"backbone": "SiglipModel"},
    prefix="",
    names=_siglip_names,
    entries={},
    plan=_siglip,
    ignored=("tie_word_embeddings",),
    heads=(),
    model="ImageTextTransformer",
    parts={TEXT: SIGLIP_TEXT, VISION: SIGLIP_VISION},
)
FAMILIES = (CLIP_TEXT, SIGLIP_TEXT, CLIP, SIGLIP)
