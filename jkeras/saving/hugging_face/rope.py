"""The entries of `config.json` for positions that rotate queries and keys."""

from typing import Any

from jkeras.core.errors import SerializationError
from jkeras.saving.hugging_face import entries
from jkeras.saving.hugging_face.architectures import Architecture
from jkeras.saving.types import Config

ENTRIES = frozenset(("rope_parameters", "rope_scaling", "rope_theta"))
KIND = ("rope_type", "type")  # the second in files before version 4.43
PLAIN = frozenset(("rope_theta", *KIND))


def flat(config: dict) -> dict:
    """The entries as transformers 4 wrote them: version 5 has all of positions in one,
    "rope_parameters".

    Raises:
        SerializationError: the forms of both versions, with different values.
    """
    config = dict(config)
    rope = config.pop("rope_parameters", None) or {}
    older = config.pop("rope_scaling", None) or {}
    if not isinstance(rope, dict) or not isinstance(older, dict):
        raise SerializationError(
            "config.json has rope_parameters or rope_scaling that are no objects."
        )
    if rope and older and rope != older:
        raise SerializationError("config.json has rope_parameters and rope_scaling, which differ.")
    rope = rope or older
    theta = rope.get("rope_theta")
    if theta is not None:
        if config.get("rope_theta") is not None and config["rope_theta"] != theta:
            raise SerializationError(
                f"config.json has rope_theta={theta!r} and rope_theta={config['rope_theta']!r}."
            )
        config["rope_theta"] = theta
    return {**config, "rope_scaling": rope}


def check_unscaled(config: dict, what: str) -> None:
    """Raises SerializationError where positions are scaled.

    Args:
        config: as `flat` gives it.
        what: that does not compute it.
    """
    rope = config["rope_scaling"]
    entries.check_values({"rope_type": kind_of(rope)}, {"rope_type": ("default",)}, what)
    entries.check_supported(rope, PLAIN, what, "rope_parameters")


def arguments_of(architecture: Architecture, config: dict) -> dict:
    """The arguments of a backbone for positions that are scaled.

    Raises:
        SerializationError: they are scaled in a way that it does not compute.
    """
    rope = config.get("rope_scaling") or {}
    kind = kind_of(rope)
    if kind == "default":
        _check_parts(architecture, rope, ())
        return {}
    if kind == "linear" and architecture.rope_linear:
        _check_parts(architecture, rope, ("factor",))
        return {architecture.rope_linear: rope["factor"]}
    if kind == "llama3" and architecture.rope_llama3:
        _check_parts(architecture, rope, architecture.rope_llama3)
        return {ours: rope[theirs] for theirs, ours in architecture.rope_llama3.items()}
    ways = ["'default'"]
    ways += ["'linear'"] if architecture.rope_linear else []
    ways += ["'llama3'"] if architecture.rope_llama3 else []
    raise SerializationError(
        f"config.json scales positions by {entries.shown('rope_type', kind)}, which "
        f"{architecture.backbone} does not compute: expected {' or '.join(ways)}."
    )


def kind_of(rope: Config) -> str | None:
    """How positions are scaled."""
    kinds = [rope[name] for name in KIND if rope.get(name) is not None]
    if len(kinds) == 2 and kinds[0] != kinds[1]:
        raise SerializationError(f"config.json has rope_type={kinds[0]!r} and type={kinds[1]!r}.")
    return kinds[0] if kinds else "default"


def _check_parts(architecture: Architecture, rope: Config, parts: Any) -> None:
    """Raises SerializationError unless these are the entries, and numbers that they can be."""
    entries.check_supported(rope, PLAIN | set(parts), architecture.backbone, "rope_parameters")
    for part in parts:
        if part not in rope:
            raise SerializationError(f"rope_parameters of config.json does not have {part}.")
        entries.check_number(part, rope[part])


def check(architecture: Architecture, config: dict) -> None:
    """Raises SerializationError for positions that are not rotated as the entries say."""
    arguments_of(architecture, config)
    # the halves of a head are rotated
    if architecture.has_rope and config["head_dim"] % 2:
        raise SerializationError(
            f"config.json says {entries.shown('head_dim', config['head_dim'])}: expected an even "
            f"number, as {architecture.backbone} rotates one half of a head by the other."
        )
