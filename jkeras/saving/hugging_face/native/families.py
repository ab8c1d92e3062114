"""The model types of jkeras's own layers."""

import copyreg
import dataclasses

from jkeras.core.errors import SerializationError, explain
from jkeras.saving.hugging_face.native import (
    bart,
    encoders,
    experts,
    gemma,
    image_text,
    llama,
    older,
    t5,
    vision,
)
from jkeras.saving.hugging_face.native.family import Family, labels_of, understood
from jkeras.saving.hugging_face.native.plans import Transformer
from jkeras.saving.hugging_face.native.vision_plans import Plan, Text, Vision
from jkeras.saving.types import Config

TABLES = llama, gemma, older, experts, encoders, vision, image_text, t5, bart
FAMILIES = {family.kind: family for table in TABLES for family in table.FAMILIES}


def _table_of(kind: str) -> Family:
    """What a pickled model finds its table by, which has functions without a name."""
    return FAMILIES[kind]


copyreg.pickle(Family, lambda family: (_table_of, (family.kind,)))


def family_of(kind: str, task: str) -> Family:
    """The table of a model type.

    Raises:
        ValueError: there is no such type, or it has no such task.
    """
    if kind not in FAMILIES:
        expected = f"one of {', '.join(sorted(FAMILIES))}"
        raise ValueError(explain("a transformer's `model_type`", expected, repr(kind)))
    family = FAMILIES[kind]
    if task not in family.writes:
        expected = f"one of {', '.join(map(repr, family.writes))}"
        raise ValueError(explain(f"`task` of a model of the type '{kind}'", expected, repr(task)))
    return family


def planned(config: Config, task: str) -> tuple[Family, Config, Plan]:
    """(table, entries, what a model computes) of a `config.json`.

    Raises:
        SerializationError: an entry is unknown, or not computed.
    """
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise SerializationError("expected the entries of a config.json, with a `model_type`.")
    family = family_of(config["model_type"], task)
    config = understood(family, config)
    return family, config, _with_heads(family.plan(config), config, task)


def _with_heads(plan: Plan, config: Config, task: str) -> Plan:
    """A plan, with what entries of all model types say of padding and labels, and without what a
    task does not have.
    """
    if isinstance(plan, (Vision, Text)) and task != "embedding":
        plan = dataclasses.replace(plan, projection=None)
    if isinstance(plan, Vision):
        pooler = plan.pooler
        if task == "classifier":
            pooler = None
        return dataclasses.replace(plan, labels=labels_of(config), pooler=pooler)
    if not isinstance(plan, Transformer):
        return plan
    pad = config.get("pad_token_id", plan.pad)
    plan = dataclasses.replace(plan, pad=pad, labels=labels_of(config))
    if task == "classifier":
        return dataclasses.replace(plan, is_tied=False)
    return plan
