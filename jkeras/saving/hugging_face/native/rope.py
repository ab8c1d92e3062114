"""The entries of `config.json` for positions that rotate queries and keys, of models of jkeras's
own layers.
"""

import collections.abc
import typing

from jkeras.core.errors import SerializationError
from jkeras.ops.rotary import Rotary
from jkeras.saving.hugging_face import entries
from jkeras.saving.hugging_face.rope import flat, kind_of
from jkeras.saving.types import Config

PLAIN = frozenset(("rope_theta", "rope_type", "type", "partial_rotary_factor"))
ORIGINAL = "original_max_position_embeddings"
LONGEST = "max_position_embeddings"
YARN = "attention_factor beta_fast beta_slow mscale mscale_all_dim truncate"
# {kind: (numbers that are there, further ones)}
PARTS = {
    "default": ("", ""),
    "linear": ("factor", ""),
    "dynamic": ("factor", ORIGINAL),
    "yarn": ("factor", f"{ORIGINAL} {YARN}"),
    "longrope": ("short_factor long_factor", f"factor attention_factor {ORIGINAL}"),
    "llama3": ("factor low_freq_factor high_freq_factor", ORIGINAL),
}


class Form(typing.NamedTuple):
    """How a model type has them.

    Attributes:
        theta: where no entry says it.
        share: how much of a head is rotated, where no entry says it.
        entries: the names of both, in files of version 4.
        kinds: those that it knows.
        other_kinds: {kind: the one that it means here}.
        is_always_said: whether it is written, too, that positions are not scaled.
    """

    theta: float = 10000.0
    share: float = 1.0
    entries: tuple[str, str | None] = ("rope_theta", None)
    kinds: tuple[str, ...] = ("default", "linear", "dynamic", "yarn", "longrope", "llama3")
    other_kinds: collections.abc.Mapping[str, str] = {}
    is_always_said: bool = False


def understood(form: Form, config: Config, what: str) -> Config:
    """The entries with those of positions as version 4 wrote them, and looked at.

    Raises:
        SerializationError: positions are scaled in a way that is not computed.
    """
    theta, share = form.entries
    given = config.get(share)
    if theta in config:
        config = {"rope_theta": config[theta], **config}
    config = flat(config)
    scaling = dict(config.pop("rope_scaling"))
    value = config.pop("rope_theta", None)
    config[theta] = form.theta
    if value is not None:
        config[theta] = value
    entries.check_number(theta, config[theta])
    partial = scaling.pop("partial_rotary_factor", None)
    if share is None and partial not in (None, 1, 1.0):
        raise SerializationError(
            f"config.json says partial_rotary_factor={partial!r}, which {what} does not have."
        )
    if share is not None:
        config[share] = _share(form, share, partial, given)
    kind = form.other_kinds.get(kind_of(scaling), kind_of(scaling))
    if kind not in form.kinds:
        raise SerializationError(
            f"config.json scales positions by {entries.shown('rope_type', kind)}, which {what} "
            f"does not compute: expected {' or '.join(map(repr, form.kinds))}."
        )
    config["rope_scaling"] = _scaling(kind, scaling, config, what)
    return config


def _share(form: Form, entry: str, partial: object, given: object) -> float:
    """How much of a head is rotated.

    Raises:
        SerializationError: two entries differ, or one is no number from 0 to 1.
    """
    if partial is not None and given is not None and partial != given:
        raise SerializationError(
            f"config.json says partial_rotary_factor={partial!r} and {entry}={given!r}."
        )
    value = form.share
    for said in (given, partial):
        if said is not None:
            value = said
    if not entries.is_number(value) or not 0 < value <= 1:
        raise SerializationError(
            f"config.json says {entries.shown(entry, value)}: expected a number from 0 to 1."
        )
    return value


def _scaling(kind: str, scaling: Config, config: Config, what: str) -> Config:
    """The numbers of a kind, with those that are left out; {} where positions are not scaled."""
    numbers = _said(kind, scaling, what)
    if kind == "default":
        return {}
    outer = config.get(ORIGINAL)
    if kind in ("yarn", "longrope", "llama3"):
        numbers[ORIGINAL] = outer or numbers.get(ORIGINAL) or config[LONGEST]
        _check_trained(kind, numbers, config)
    if kind == "dynamic":
        numbers.pop(ORIGINAL, None)  # transformers does not look at it
    return {"rope_type": kind, **numbers}


def _said(kind: str, scaling: Config, what: str) -> Config:
    """The numbers of a kind that are there, all that it needs."""
    needed, further = (set(part.split()) for part in PARTS[kind])
    entries.check_supported(scaling, PLAIN | needed | further, what, "rope_parameters")
    lacking = [part for part in sorted(needed) if scaling.get(part) is None]
    if lacking:
        raise SerializationError(f"rope_parameters of config.json does not have {lacking[0]}.")
    numbers = {k: v for k, v in scaling.items() if k in needed | further and v is not None}
    for part, value in numbers.items():
        _check_part(part, value)
    return numbers


def _check_trained(kind: str, numbers: Config, config: Config) -> None:
    """Raises SerializationError for numbers of which no factor follows."""
    if kind == "longrope" and numbers[ORIGINAL] < 2:
        raise SerializationError(f"config.json says {ORIGINAL}=1: expected 2 or more.")
    if kind == "llama3" and not numbers["low_freq_factor"] < numbers["high_freq_factor"]:
        raise SerializationError(
            f"config.json says low_freq_factor={numbers['low_freq_factor']}: expected a number "
            f"below high_freq_factor={numbers['high_freq_factor']}."
        )
    if kind == "yarn" and not config.get("rope_theta", 2) > 1:
        raise SerializationError("config.json says a rope_theta that is not above 1.")


def _is_positive(value: typing.Any) -> bool:
    """Whether it is a number above 0."""
    return entries.is_number(value) and value > 0


def _check_part(part: str, value: typing.Any) -> None:
    """Raises SerializationError for a number that is none that it can be."""
    if part == "truncate":
        entries.check_values({part: value}, {part: (True, False)}, "yarn")
    elif part in ("short_factor", "long_factor"):
        is_list = isinstance(value, list) and bool(value)
        if not is_list or not all(map(_is_positive, value)):
            raise SerializationError(
                f"config.json says {entries.shown(part, value)}: expected a list of numbers above "
                "0."
            )
    else:
        entries.check_number(part, value)


def rotary(form: Form, config: Config, size: int) -> Rotary:
    """How heads of a size are rotated.

    Args:
        config: as `understood` gives it.

    Raises:
        SerializationError: the size has no halves, or scaling has numbers for another one.
    """
    theta, share = form.entries
    rotated = size
    if share:
        rotated = int(size * config[share])
    if rotated < 2 or rotated % 2:
        raise SerializationError(
            f"config.json says that {rotated} features of {size} of a head are rotated: expected "
            "an even number."
        )
    scaling = dict(config["rope_scaling"])
    kind = scaling.pop("rope_type", "default")
    for part in ("short_factor", "long_factor"):
        if part in scaling and len(scaling[part]) != rotated // 2:
            raise SerializationError(
                f"config.json says {len(scaling[part])} numbers as {part}: expected {rotated // 2}."
            )
    if kind == "dynamic" and rotated < 4:
        raise SerializationError("config.json scales 2 features dynamically: expected 4 or more.")
    if LONGEST in config:
        scaling[LONGEST] = config[LONGEST]
    return Rotary(rotated, float(config[theta]), kind, scaling)
