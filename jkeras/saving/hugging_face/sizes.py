"""What a configuration says of sizes, beside what the files show, before anything is made of it."""

import collections
import collections.abc
import math
import re
from typing import Any

import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import SerializationError
from jkeras.saving.checksums import Checksums
from jkeras.saving.flat import Stored
from jkeras.saving.hugging_face.architectures import HEAD, LAYER, Architecture
from jkeras.saving.hugging_face.entries import shown
from jkeras.saving.types import Config

Weights = collections.abc.Mapping[str, Stored]
# in older files: numbers that are computed anew, and masks
BUFFERS = re.compile(
    r"(.*\.)?(rotary_emb\.inv_freq|attn\.bias|attn\.masked_bias|embeddings\.position_ids)"
)
HEADS = ("lm_head.", "classifier.", "score.", "cls.", "predictions.", "qa_outputs.")
# the names under which configurations count what is made one by one
LAYERS = re.compile(
    r"n_layers?|depths?|(\w+_)?(num|n)_(\w+_)?layers|(encoder|decoder|text|vision|audio)_layers|"
    r"num_hidden_groups|inner_group_num"
)
WIDTHS = re.compile(
    r"vocab_size|(\w+_)?hidden_size|(\w+_)?intermediate_size|(\w+_)?hidden_dim|(\w+_)?ffn_dim|"
    r"embed_dim|embedding_size|dim|d_model|d_ff|(\w+_)?experts|num_experts_per_tok"
)


def check_sizes(architecture: Architecture, config: dict, stored: Weights) -> None:
    """Raises SerializationError unless the entries are those of the weights in the files.

    Args:
        config: as `settings.understood` gives it.
    """
    _check_number_of_layers(architecture, config[architecture.layers], stored)
    for theirs, axes in architecture.shapes.items():
        name = next((n for n in architecture.names(theirs) if n in stored), None)
        if name is None:
            raise SerializationError(f"there is no weight '{architecture.names(theirs)[0]}'.")
        expected = tuple(math.prod(config[entry] for entry in axis) for axis in axes)
        if stored[name].shape != expected:
            used = sorted({entry for axis in axes for entry in axis})
            said = ", ".join(shown(entry, config[entry]) for entry in used)
            raise SerializationError(
                f"config.json says {said}: '{name}' should have the shape {expected}, and has "
                f"{stored[name].shape}."
            )


def _check_number_of_layers(
    architecture: Architecture, layers: int, stored: collections.abc.Mapping[str, Stored]
) -> None:
    """Raises SerializationError unless the files have so many layers, each with shapes as the first
    one.
    """
    entry = architecture.layers
    first = {}  # the shapes of the first layer's weights
    numbers = set()
    for name, weight in stored.items():
        match = _layer_index(architecture, name)
        if match is not None:
            number, rest = match
            numbers.add(number)
            if first.setdefault(rest, weight.shape) != weight.shape:
                raise SerializationError(
                    f"'{name}' has the shape {weight.shape}, in another layer {first[rest]}."
                )
    if numbers != set(range(len(numbers))) or len(numbers) != layers:
        raise SerializationError(
            f"config.json says {shown(entry, layers)}; the files have the weights of "
            f"{len(numbers)} layers."
        )


def _layer_index(architecture: Architecture, name: str) -> tuple[int, str] | None:
    """(number of the layer, what follows) of a weight's name; None where it is of no layer."""
    patterns = {row.theirs.partition(LAYER)[0] for row in architecture.rows if LAYER in row.theirs}
    (before,) = patterns
    match = re.fullmatch(
        rf"(?:{re.escape(architecture.prefix)})?{re.escape(before)}(\d{{1,9}})\.(.+)", name
    )
    if match is None or BUFFERS.fullmatch(name):
        return None
    return int(match[1]), match[2]


# ---------------------------------------------------------------- weights that are left over


def check_left(architecture: Architecture, used: set[str], stored: Weights) -> None:
    """Raises SerializationError where the files have what would be dropped: further weights of the
    model, or a matrix for the logits that is not the embedding's.

    Args:
        used: the names of the weights that are read.
    """
    has_prefix = any(name.startswith(architecture.prefix) for name in used)
    prefix = architecture.prefix if has_prefix else ""
    for name in stored:
        is_of_model = name.startswith(prefix) or _layer_index(architecture, name) is not None
        if name not in used and is_of_model and not is_left(name):
            raise SerializationError(
                f"the files have a weight '{name}', which {architecture.backbone} does not have."
            )
    if HEAD in stored and HEAD not in used and architecture.has_head:
        _check_tied(architecture, stored)


def _check_tied(architecture: Architecture, stored: Any) -> None:
    """Raises SerializationError for a matrix for the logits that is not the embedding's."""
    embedding = next(
        stored[name]
        for row in architecture.rows
        if "token_embedding/embeddings" in row.ours
        for name in architecture.names(row.theirs)
        if name in stored
    )
    if not are_equal(stored[HEAD], embedding):
        raise SerializationError(
            f"the files have a matrix '{HEAD}' that is not the embedding's, and config.json says "
            "that they are the same (tie_word_embeddings), which is what "
            f"{architecture.backbone} would compute."
        )


def is_left(name: str) -> bool:
    """Whether a weight is made anew of others, or belongs to a head, where names have no prefix."""
    return BUFFERS.fullmatch(name) is not None or name.startswith(HEADS)


def are_equal(weight: Stored, other: Stored) -> bool:
    """Whether two weights have the same bits."""
    if (weight.shape, weight.dtype) != (other.shape, other.dtype):
        return False
    with Checksums() as sums:
        arrays = [one.mapped(sums).view(np.uint8) for one in (weight, other)]
        are_equal = all(np.array_equal(a, b) for a, b in zip(*map(_in_parts, arrays), strict=True))
        sums.finish()
    return are_equal


def _in_parts(array: np.ndarray, rows: int = 1024) -> collections.abc.Iterator[np.ndarray]:
    """Some rows of an array at a time."""
    return (array[i : i + rows] for i in range(0, len(array), rows))


def check_dtypes(names: collections.abc.Iterable[str], stored: Weights) -> None:
    """Raises SerializationError for weights that are no floating-point numbers."""
    for name in names:
        if not jnp.issubdtype(stored[name].dtype, jnp.floating):
            raise SerializationError(
                f"'{name}' is of {stored[name].dtype}: expected floating-point numbers. Weights "
                "that are quantized are not read."
            )


# ---------------------------------------------------------------- types that keras-hub reads


def check_counts(config: dict, stored: Weights) -> None:
    """Raises SerializationError where a configuration, or one inside of it, has more layers than
    there are weights, or wider ones than any of them: making them might not end.
    """
    widest = max(
        (max(one.shape, default=1) for one in stored.values() if all(one.shape)), default=1
    )
    for entry, value in _numbers_in(config, ""):
        name = entry.rpartition(".")[2]
        if LAYERS.fullmatch(name):
            _check_count(entry, value, len(stored), f"the files have {len(stored)} weights")
        elif WIDTHS.fullmatch(name):
            _check_count(entry, value, max(widest, len(stored)), "no weight is that large")


BLOCK = re.compile(r"\.layers\.(\d{1,9})\.blocks\.(\d{1,9})\.")  # a stage, a block of it
# {entry: in which names it is a number, what it counts}
NUMBERED = {
    "num_hidden_layers": (r"(?:^|\.)layers?\.(\d{1,9})\.", "layers"),
    "n_layers": (r"(?:^|\.)layers?\.(\d{1,9})\.", "layers"),
    "num_hidden_groups": (r"\.albert_layer_groups\.(\d{1,9})\.", "groups"),
    "inner_group_num": (r"\.albert_layers\.(\d{1,9})\.", "layers of a group"),
    "num_experts": (r"\.experts\.(\d{1,9})\.", "experts"),
    "num_local_experts": (r"\.experts\.(\d{1,9})\.", "experts"),
}


def check_all_layers(config: dict, stored: Weights) -> None:
    """Raises SerializationError where a configuration has other layers, groups of them or experts
    than the files.
    """
    counts = {entry: (_numbered(pattern, stored), of) for entry, (pattern, of) in NUMBERED.items()}
    counts["depths"] = _depths(stored), "blocks"
    for entry, (count, things) in counts.items():
        if entry in config and count and config[entry] != count:
            raise SerializationError(
                f"config.json says {shown(entry, config[entry])}; the files have the weights of "
                f"{count} {things}."
            )


def _numbered(pattern: str, stored: collections.abc.Iterable[str]) -> int:
    """How many numbers there are in the names of weights where a pattern has them."""
    matches = (re.search(pattern, name) for name in stored)
    return len({int(one[1]) for one in matches if one})


def _depths(stored: collections.abc.Iterable[str]) -> list[int]:
    """How many blocks each stage has, by the names of weights."""
    blocks = {one.groups() for one in map(BLOCK.search, stored) if one}
    counts = collections.Counter(int(stage) for stage, _ in blocks)
    return [count for _, count in sorted(counts.items())]


def _numbers_in(config: Config, where: str) -> collections.abc.Iterator[tuple[str, Any]]:
    """(path, value) of what is in a configuration and those inside of it."""
    for entry, value in config.items():
        inner = value if isinstance(value, list) else [value]
        for one in inner:
            if isinstance(one, dict):
                yield from _numbers_in(one, f"{where}{entry}.")
        if value is not None and not isinstance(value, dict):
            yield f"{where}{entry}", value


def _check_count(entry: str, value: Any, most: int, why: str) -> None:
    """Raises unless a value is a whole number, or several that add up to one, of at most so many;
    `num_hidden_layers` and the like are 1 or more.
    """
    counts = value if isinstance(value, list) else [value]
    is_whole = all(type(count) is int and count >= 0 for count in counts)
    total = sum(counts) if is_whole else 0
    is_empty = total == 0 and "hidden" in entry
    if not is_whole or total > most or is_empty:
        raise SerializationError(f"config.json says {shown(entry, value)}; {why}.")
