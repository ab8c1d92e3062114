"""The entries of `config.json` and the arguments of a backbone, each made of the other."""

import typing

from jkeras.core.errors import SerializationError
from jkeras.saving.hugging_face import entries, rope
from jkeras.saving.hugging_face.architectures import TIE, Architecture
from jkeras.saving.types import Config


def config_of(architecture: Architecture, backbone: typing.Any) -> dict:
    """What `config.json` says of a backbone.

    Raises:
        ValueError: an argument has a value that transformers does not have.
    """
    for argument, only in architecture.alone.items():
        if getattr(backbone, argument) != only:
            raise ValueError(
                f"`to_transformers` expected a {architecture.backbone} with {argument}={only!r}, "
                f"the only value that the model type '{architecture.model_type}' has. Received: "
                f"{argument}={getattr(backbone, argument)!r}"
            )
    written = _settings_of(architecture, backbone)
    for entry, values in architecture.limits.items():
        if entry in written and written[entry] not in values:
            raise ValueError(
                f"`to_transformers` expected a {architecture.backbone} with "
                f"{architecture.settings[entry]} of {' or '.join(map(repr, values))}, with which "
                f"it computes what transformers does. Received: {written[entry]!r}"
            )
    return {
        "architectures": [architecture.writes],
        "model_type": architecture.model_type,
        "torch_dtype": backbone.variable_dtype,
        **{theirs: values[0] for theirs, values in architecture.fixed.items()},
        **written,
        **_rope_of(architecture, backbone),
        **({"use_sliding_window": False} if architecture.has_window else {}),
    }


def _settings_of(architecture: Architecture, backbone: typing.Any) -> Config:
    """The entries that are one argument each."""
    config = {theirs: getattr(backbone, ours) for theirs, ours in architecture.settings.items()}
    for entry in architecture.halves:
        config[entry] //= 2
    for entry, source in architecture.copies.items():
        config[entry] = config[source]
    return _derived(architecture, config)


def _derived(architecture: Architecture, config: Config) -> Config:
    """The entries with those that others give."""
    derived = {
        entry: make(config)
        for entry, make in architecture.derived.items()
        if config.get(entry) is None
    }
    return {**config, **derived}


def _rope_of(architecture: Architecture, backbone: typing.Any) -> Config:
    """The entry for positions that are scaled."""
    llama3 = {theirs: getattr(backbone, ours) for theirs, ours in architecture.rope_llama3.items()}
    if llama3 and llama3["factor"] is not None:
        return {"rope_scaling": {"rope_type": "llama3", **llama3}}
    if architecture.rope_linear and getattr(backbone, architecture.rope_linear) != 1:
        factor = getattr(backbone, architecture.rope_linear)
        return {"rope_scaling": {"rope_type": "linear", "factor": factor}}
    return {}


# ---------------------------------------------------------------- the other way


def arguments_of(architecture: Architecture, config: dict, has_head: bool) -> dict:
    """The arguments of a backbone that `config.json` describes.

    Args:
        config: as `understood` gives it.
        has_head: whether the files have a matrix for the logits; where `config.json` does not say
            if that is the embedding's, it is where they have none.

    """
    arguments = {
        ours: config[theirs] for theirs, ours in architecture.settings.items() if theirs in config
    }
    if TIE in architecture.settings:
        arguments.setdefault(architecture.settings[TIE], not has_head)
    for entry in architecture.halves:
        arguments[architecture.settings[entry]] *= 2
    return {**architecture.alone, **arguments, **rope.arguments_of(architecture, config)}


def understood(architecture: Architecture, config: dict) -> dict:
    """The entries of `config.json`, with those that it leaves out; each was looked at.

    Raises:
        SerializationError: an entry is unsupported, has a value that the backbone does not compute,
            or is missing.
    """
    what = architecture.backbone
    config = rope.flat(config) if architecture.has_rope else config
    entries.check_supported(config, _supported(architecture), what)
    entries.check_values(config, entries.PLAIN, what)
    config = _complete(architecture, config)
    _check_numbers(architecture, config, {*architecture.optional, *architecture.derived})
    config = _derived(architecture, config)
    entries.check_values(config, {**architecture.fixed, **architecture.limits}, what)
    _check_numbers(architecture, config, architecture.optional)
    if TIE in architecture.settings and TIE in config:
        entries.check_values(config, {TIE: (True, False)}, what)
    _check_multiples(architecture, config)
    _check_equal(architecture, config)
    rope.check(architecture, config)
    _check_window(architecture, config)
    return config


def _supported(architecture: Architecture) -> set[str]:
    """The entries that are looked at."""
    supported = {*architecture.settings, *architecture.fixed, *architecture.limits, *entries.PLAIN}
    supported |= {*architecture.equal, *architecture.derived, *architecture.ignored}
    if architecture.has_rope:
        supported |= rope.ENTRIES
    if architecture.has_window:
        supported |= set(WINDOW)
    return supported


def _complete(architecture: Architecture, config: Config) -> Config:
    """The entries with those that transformers takes where a file leaves them out."""
    config = {**architecture.missing, **config}
    optional = {TIE, *architecture.optional, *architecture.derived}
    lacking = [e for e in architecture.settings if e not in config and e not in optional]
    if lacking:
        raise SerializationError(
            f"config.json does not have {', '.join(lacking)}, which {architecture.backbone} needs."
        )
    return config


def _check_numbers(architecture: Architecture, config: Config, optional: typing.Any) -> None:
    """Raises SerializationError for a setting that is no number that it can be.

    Args:
        optional: those that may be None.
    """
    for entry in architecture.settings:
        is_none = config.get(entry) is None and entry in optional
        if entry != TIE and not is_none:
            entries.check_number(entry, config[entry])


def _check_multiples(architecture: Architecture, config: Config) -> None:
    """Raises SerializationError where heads do not divide what they should."""
    for entry, divisor in architecture.multiples:
        entries.check_number(divisor, config[divisor])
        if config[entry] % config[divisor]:
            raise SerializationError(
                f"config.json says {entry}={config[entry]} and {divisor}={config[divisor]}: "
                "expected the first to be a multiple of the second."
            )


def _check_equal(architecture: Architecture, config: Config) -> None:
    """Raises SerializationError where an entry has another value than others give."""
    for entry, make in architecture.equal.items():
        entries.check_number(entry, config[entry])
        if not entries.is_same(config[entry], make(config)):
            raise SerializationError(
                f"config.json says {entries.shown(entry, config[entry])}, which "
                f"{architecture.backbone} does not compute: expected {make(config)}."
            )


WINDOW = ("use_sliding_window", "sliding_window", "max_window_layers", "layer_types")


def _check_window(architecture: Architecture, config: Config) -> None:
    """Raises SerializationError where attention sees a part of the text: keras-hub's attention has
    an argument for it that changes nothing.
    """
    if not architecture.has_window:
        return
    entries.check_values(config, {"use_sliding_window": (False, True)}, architecture.backbone)
    layers = config[architecture.layers]
    kinds = config.get("layer_types")
    if kinds is not None and kinds != ["full_attention"] * layers:
        raise SerializationError(
            f"config.json says {entries.shown('layer_types', kinds)}: {architecture.backbone} has "
            f"the attention of 'full_attention' in all of its {layers} layers."
        )
    if not config.get("use_sliding_window") or config.get("sliding_window") is None:
        return
    first = config.get("max_window_layers", 28)
    if kinds is None and not (type(first) is int and first >= layers):
        raise SerializationError(
            "config.json says use_sliding_window=True with "
            f"{entries.shown('sliding_window', config['sliding_window'])} from layer {first!r} of "
            f"{layers} on, which {architecture.backbone} does not compute."
        )
