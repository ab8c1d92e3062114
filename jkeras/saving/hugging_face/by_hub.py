"""What is looked at before keras-hub's own converter reads a folder: that each entry of
`config.json` and each weight is one that it computes, or one that changes no output.
"""

import collections.abc
import typing

import numpy as np

from jkeras.core.errors import SerializationError, readable
from jkeras.saving.checksums import Checksums
from jkeras.saving.flat import Stored
from jkeras.saving.hugging_face import converted_weights, entries, rope
from jkeras.saving.hugging_face.architectures import ARCHITECTURES, HEAD, TIE
from jkeras.saving.hugging_face.converted import REFUSED, RENAMED, TYPES, Converted
from jkeras.saving.hugging_face.native.families import FAMILIES
from jkeras.saving.hugging_face.sizes import are_equal, check_all_layers, check_counts, check_dtypes
from jkeras.saving.types import Config

NUMBERS = entries.COUNTS | entries.SHARES | entries.NONE_OR_MORE
NUMBERS -= {"num_heads"}  # of Swin, which has one for each stage
NUMBERS |= {"layer_norm_eps", "layerscale_value", "mlp_ratio", "rms_norm_eps", "rope_theta"}
DIVIDED = (
    ("d_model", "encoder_attention_heads"),
    ("dim", "n_heads"),
    ("hidden_size", "num_attention_heads"),
    ("num_attention_heads", "num_key_value_heads"),
)


def is_read(kind: str) -> bool:
    """Whether a model type is read as a model of keras-hub."""
    return kind in TYPES or any(one.model_type == kind for one in ARCHITECTURES)


def unsupported(kind: str) -> str:
    """What an error says of a model type that is not read."""
    own = ", ".join(sorted(FAMILIES))
    written = ", ".join(architecture.model_type for architecture in ARCHITECTURES)
    return (
        f"models of the type '{kind}' are not supported. Supported are {written}; of jkeras's own "
        f"layers, {own}; and, by converters of keras-hub, {', '.join(sorted(TYPES))}."
    )


def check_type(kind: str) -> None:
    """Raises SerializationError for a model type that is not read."""
    if kind in REFUSED:
        raise SerializationError(
            f"models of the type '{kind}' are not supported. keras-hub has a converter for them, "
            f"but {REFUSED[kind]}. `keras_hub.models.Backbone.from_preset(folder)` reads them as "
            "they are, with none of jkeras's checks: compare its outputs with those of "
            "transformers."
        )
    if not is_read(kind):
        raise SerializationError(unsupported(kind))


def check(config: dict, stored: collections.abc.Mapping[str, Stored]) -> None:
    """Raises SerializationError for what keras-hub's converter would leave out or not end with."""
    kind = config["model_type"]
    converted, what = TYPES[kind], f"keras-hub's converter of '{kind}'"
    check_counts(config, stored)
    check_all_layers(config, stored)
    check_dtypes([name for name in stored if name.endswith(".weight")], stored)
    plain = {entry: v for entry, v in entries.PLAIN.items() if entry not in converted.plain}
    entries.check_values(config, plain, what)
    names = {*converted.computed, *converted.plain, *entries.PLAIN}
    if converted.has_rope:
        config = rope.flat(config)
        rope.check_unscaled(config, what)
        names |= rope.ENTRIES
    _check_renamed(config, RENAMED.get(kind, {}), what)
    entries.check_supported(config, names, what)
    _check_numbers(config, converted)
    _check_present(config, converted, what)
    _check_divided(config)
    entries.check_values(config, _values(converted.plain, config, what), what)
    chosen, experts = config.get("num_experts_per_tok", 0), config.get("num_experts", 0)
    if chosen > max(experts, config.get("num_local_experts", 0)):
        raise SerializationError(f"config.json says num_experts_per_tok={chosen} of fewer experts.")


def check_weights(config: dict, stored: collections.abc.Mapping[str, Stored]) -> None:
    """Raises SerializationError for weights that keras-hub's converter would drop, or that have
    other sizes than the entries, all of which `check` has looked at.
    """
    kind = config["model_type"]
    what = f"keras-hub's converter of '{kind}'"
    prefix = converted_weights.check(kind, config, stored, what)
    if kind == "roberta":
        _check_no_segments(stored)
    tied = TYPES[kind].plain.get(TIE) == (True,)
    first = prefix + converted_weights.WEIGHTS[kind].first
    tokens = [f"{prefix}{part}.embed_tokens.weight" for part in ("encoder", "decoder")]
    copies = [HEAD, *tokens] if config.get(TIE, tied) else tokens
    for name in copies:
        if name in stored and not are_equal(stored[name], stored[first]):
            raise SerializationError(
                f"the files have a matrix '{name}' that is not the embedding's, which is what "
                f"{what} has instead ({TIE})."
            )


def _check_renamed(config: Config, renamed: collections.abc.Mapping[str, str], what: str) -> None:
    """Raises SerializationError for an entry that a converter reads under another name."""
    for entry, name in renamed.items():
        if entry in config:
            raise SerializationError(
                f"config.json says {entries.shown(entry, config[entry])}, which {what} reads as "
                f"{name}: rename the entry."
            )


def _check_numbers(config: Config, converted: Converted) -> None:
    """Raises SerializationError for a setting that is no number that it can be."""
    optional = {"sliding_window", *({"head_dim"} & set(converted.plain))}
    for entry in {*converted.computed, *converted.plain} & NUMBERS & set(config):
        has_no_window = entry == "sliding_window" and config.get("use_sliding_window") is False
        is_none = entry in optional and config[entry] is None
        if not (has_no_window or is_none):
            entries.check_number(entry, config[entry])


def _check_divided(config: Config) -> None:
    """Raises SerializationError where heads do not divide a width that no entry says of one."""
    for entry, divisor in DIVIDED:
        are_there = entry in config and divisor in config
        is_said = divisor == "num_attention_heads" and config.get("head_dim") is not None
        if are_there and not is_said and config[entry] % config[divisor]:
            raise SerializationError(
                f"config.json says {entry}={config[entry]} and {divisor}={config[divisor]}: "
                "expected the first to be a multiple of the second."
            )


def _check_present(config: Config, converted: Converted, what: str) -> None:
    """Raises SerializationError where an entry is missing for which transformers takes another
    value than the converter computes.
    """
    for entry in converted.needed:
        if config.get(entry) is None:
            raise SerializationError(f"config.json does not have {entry}, which {what} needs.")


def _values(
    plain: collections.abc.Mapping[str, typing.Any], config: Config, what: str
) -> dict[str, typing.Any]:
    """{entry: the values that are computed} of those that a configuration has."""
    there = {entry: values for entry, values in plain.items() if entry in config}
    try:
        return {entry: v(config) if callable(v) else v for entry, v in there.items()}
    except KeyError as error:
        raise SerializationError(
            f"config.json does not have {error.args[0]}, which {what} needs."
        ) from None


def read(models: typing.Any, folder: str, kind: str, arguments: dict) -> typing.Any:
    """The backbone that keras-hub's converter makes of a folder.

    Args:
        models: the module of keras-hub.
        arguments: of the backbone.

    Raises:
        SerializationError: the folder is not of the form that it reads.
    """
    try:
        return models.Backbone.from_preset(folder, **arguments)
    except Exception as error:  # of keras-hub, of safetensors, of JAX
        raise SerializationError(
            f"this folder of the type '{kind}' is not supported: keras-hub's converter does not "
            f"read it ({type(error).__name__}: {readable(error)})."
        ) from error


def _check_no_segments(stored: collections.abc.Mapping[str, Stored]) -> None:
    """Raises SerializationError where tokens get a vector of their segment, which keras-hub's
    RoBERTa does not have: all published ones have zeros there.
    """
    for name, weight in stored.items():
        if not name.endswith("token_type_embeddings.weight"):
            continue
        with Checksums() as sums:
            has_some = bool(np.any(weight.mapped(sums)[:1]))
            sums.finish()
        if has_some:
            raise SerializationError(
                f"'{name}' has other numbers than zeros, which keras-hub's RoBERTa does not add."
            )
