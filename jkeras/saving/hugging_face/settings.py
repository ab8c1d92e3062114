"""The entries of `config.json` and the arguments of a backbone, each made of the other."""

import typing

from jkeras.core.errors import SerializationError
from jkeras.saving.hugging_face.architectures import TIE, Architecture


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
    return {
        "architectures": [architecture.writes],
        "model_type": architecture.model_type,
        "torch_dtype": backbone.variable_dtype,
        **{theirs: values[0] for theirs, values in architecture.fixed.items()},
        **_settings_of(architecture, backbone),
        **_rope_of(architecture, backbone),
        **_window_of(architecture, backbone),
    }


def _settings_of(architecture, backbone):
    """The entries that are one argument each."""
    config = {theirs: getattr(backbone, ours) for theirs, ours in architecture.settings.items()}
    for entry in architecture.halves:
        config[entry] //= 2
    for entry, source in architecture.copies.items():
        config[entry] = config[source]
    return _derived(architecture, config)


def _derived(architecture, config):
    """The entries with those that others give."""
    found = {
        entry: make(config)
        for entry, make in architecture.derived.items()
        if config.get(entry) is None
    }
    return {**config, **found}


def _rope_of(architecture, backbone):
    """The entry for positions that are scaled."""
    llama3 = {theirs: getattr(backbone, ours) for theirs, ours in architecture.rope_llama3.items()}
    if llama3 and llama3["factor"] is not None:
        return {"rope_scaling": {"rope_type": "llama3", **llama3}}
    if architecture.rope_linear and getattr(backbone, architecture.rope_linear) != 1:
        factor = getattr(backbone, architecture.rope_linear)
        return {"rope_scaling": {"rope_type": "linear", "factor": factor}}
    return {}


def _window_of(architecture, backbone):
    """The entries for how many tokens attention sees."""
    if architecture.window is None:
        return {}
    size = getattr(backbone, architecture.window)
    if architecture.window_switch and not getattr(backbone, architecture.window_switch):
        size = None
    return {
        "use_sliding_window": size is not None,
        "sliding_window": size,
        "max_window_layers": 0,  # all layers have the window
    }


# ---------------------------------------------------------------- the other way


def arguments_of(architecture: Architecture, config: dict, has_head: bool) -> dict:
    """The arguments of a backbone that `config.json` describes.

    Args:
        has_head: whether the files have a matrix for the logits; where `config.json` does not say
            if that is the embedding's, it is where they have none.

    Raises:
        SerializationError: an entry has a value that the backbone does not compute, or is missing.
    """
    config = _derived(architecture, {**architecture.missing, **_flat(config)})
    for theirs, values in architecture.fixed.items():
        if theirs in config and config[theirs] not in values:
            raise SerializationError(
                f"config.json says {theirs}={config[theirs]!r}, which {architecture.backbone} does "
                f"not compute: expected {' or '.join(map(repr, values))}."
            )
    arguments = {
        ours: config[theirs] for theirs, ours in architecture.settings.items() if theirs in config
    }
    if TIE in architecture.settings:
        arguments.setdefault(architecture.settings[TIE], not has_head)
    for entry in architecture.halves:
        arguments[architecture.settings[entry]] *= 2
    return {
        **arguments,
        **_rope_arguments(architecture, config),
        **_window_arguments(architecture, config),
    }


def _flat(config):
    """The entries as transformers 4 wrote them: version 5 has those of positions in one."""
    rope = config.get("rope_parameters")
    if not isinstance(rope, dict):
        return config
    flat = {**config, "rope_scaling": rope}
    if "rope_theta" in rope:
        flat["rope_theta"] = rope["rope_theta"]
    return flat


def _rope_arguments(architecture, config):
    """The arguments for positions that are scaled."""
    rope = config.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind == "default":
        return {}
    if kind == "linear" and architecture.rope_linear:
        return {architecture.rope_linear: rope["factor"]}
    if kind == "llama3" and architecture.rope_llama3:
        return {ours: rope[theirs] for theirs, ours in architecture.rope_llama3.items()}
    raise SerializationError(
        f"config.json scales positions by rope_type={kind!r}, which {architecture.backbone} does "
        "not compute."
    )


def _window_arguments(architecture, config):
    """The arguments for how many tokens attention sees."""
    if architecture.window is None:
        return {}
    size = _window(architecture, config)
    if architecture.window_switch is None:
        return {architecture.window: size}
    if size is None:
        return {architecture.window_switch: False}
    return {architecture.window_switch: True, architecture.window: size}


def _window(architecture, config):
    """How many tokens attention sees in every layer; None: all."""
    if not config.get("use_sliding_window") or config.get("sliding_window") is None:
        return None
    layers = config["num_hidden_layers"]
    first = config.get("max_window_layers", 28)
    if first >= layers:
        return None
    if first > 0:
        raise SerializationError(
            f"config.json has a sliding window from layer {first} of {layers} on: "
            f"{architecture.backbone} has it in every layer or in none."
        )
    return config["sliding_window"]
