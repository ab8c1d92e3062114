"""Which weight of a model of jkeras's own layers is which of transformers, in both directions."""

import collections.abc
import math
import re
import typing

import numpy as np

from jkeras.core.errors import SerializationError
from jkeras.core.weights.assigning import load_all
from jkeras.saving.checksums import Checksums
from jkeras.saving.flat import Stored
from jkeras.saving.hugging_face.layouts import StoredLayout, Matrix, Same, Vector
from jkeras.saving.hugging_face.native.families import planned
from jkeras.saving.hugging_face.native.family import TIE, Family
from jkeras.saving.hugging_face.native.layouts import LAYOUTS
from jkeras.saving.hugging_face.native.plan_sizes import blocks_of, sizes_of
from jkeras.saving.hugging_face.sizes import are_equal, check_dtypes
from jkeras.saving.types import Config
from jkeras.saving.weights import listed

if typing.TYPE_CHECKING:
    from jkeras.core.weights.variable import Variable

Weights = collections.abc.Mapping[str, Stored]
# in older files: numbers that are computed anew, and masks
BUFFERS = re.compile(
    r"(.*\.)?(rotary_emb\.inv_freq|(attn|attention)\.(bias|masked_bias)|embeddings\.position_ids)"
)


class Row(typing.NamedTuple):
    """Weights of transformers, and those of ours that they hold; one of either is alone.

    Attributes:
        theirs: their names, without the prefix.
        ours: the paths of ours.
    """

    theirs: tuple[str, ...]
    ours: tuple[str, ...]
    layout: StoredLayout


def rows_of(family: Family, model: typing.Any) -> list[Row]:
    """The rows of a model, in the order of the file."""
    shapes = {variable.path: tuple(variable.shape) for variable in model.weights}
    names = family.names
    if callable(names):
        names = names(model.config)
    lines = [line.split() for line in names.strip().splitlines()]
    lines = _in_all_layers(lines, model.plan)
    return [row for parts in lines for row in _rows(parts, shapes, model.plan)]


def _in_all_layers(lines: list[list[str]], plan: typing.Any) -> list[list[str]]:
    """The words of lines, those with a number once for each block behind all others."""
    once = [parts for parts in lines if parts and "#" not in parts[0]]
    repeated = [parts for parts in lines if parts and "#" in parts[0]]
    layers = len(blocks_of(plan)) if repeated else 0
    return once + [
        [part.replace("#", str(layer)) for part in parts]
        for layer in range(layers)
        for parts in repeated
    ]


# {the weights of a layer: (their name, how it lies there)}
OF_LAYERS = {
    "kernel": ("weight", Matrix()),
    "gamma": ("weight", Same()),
    "beta": ("bias", Same()),
    "bias": ("bias", Vector()),
    "scale": ("weight", Same()),
}


def _rows(
    parts: list[str], shapes: dict[str, tuple[int, ...]], plan: typing.Any
) -> collections.abc.Iterator[Row]:
    """The rows of a line, as far as the model has them."""
    theirs, paths = parts[0], tuple(parts[1].split(","))
    kind = parts[2] if len(parts) > 2 else None
    if paths[0] in shapes:
        count = 1
        if "@" in theirs:
            count = shapes[paths[0]][0]
        names = tuple(theirs.replace("@", str(number)) for number in range(count))
        yield Row(names, paths, _layout_of(kind, paths[0], plan))
        return
    for ours, (name, layout) in OF_LAYERS.items():
        joined = tuple(f"{path}/{ours}" for path in paths)
        if not shapes.keys() >= set(joined):
            continue
        if kind is not None and ours in ("kernel", "bias"):
            layout = LAYOUTS[kind](plan)
        yield Row((f"{theirs}.{name}",), joined, layout)


def _layout_of(kind: str | None, path: str, plan: typing.Any) -> StoredLayout:
    """How a weight of this path lies there.

    Args:
        kind: as a line says it; None: it says nothing.
    """
    if kind is None and path.endswith("/kernel"):
        return Matrix()
    return LAYOUTS[kind or "same"](plan)


def names_of(family: Family, theirs: str) -> list[str]:
    """The names that a weight has in one file or another."""
    older = [theirs.removesuffix(new) + old for new, old in family.older if theirs.endswith(new)]
    if theirs.startswith(family.heads):
        return [theirs, *older]
    return [before + name for name in (theirs, *older) for before in (family.prefix, "")]


# ---------------------------------------------------------------- reading


def load(family: Family, model: typing.Any, stored: Weights) -> None:
    """Gives a model the weights of a folder, of which those of one row at a time are on the host.

    Raises:
        SerializationError: a weight is missing, has another shape, or would be dropped.
    """
    ours = {variable.path: variable for variable in model.weights}
    rows = [row for row in rows_of(family, model) if not _may_miss(family, row, stored)]
    names = [[_name_in(family, theirs, stored) for theirs in row.theirs] for row in rows]
    _check(family, rows, names, stored, ours)
    used = [name for row in names for name in row if name is not None]
    check_dtypes(used, stored)
    _check_left(family, model, set(used), stored)
    with Checksums() as sums:
        for row, found in zip(rows, names):
            arrays = [stored[name].read(sums) for name in found]
            _assign(row, [ours[path] for path in row.ours], arrays)
        sums.finish()


def _assign(row: Row, variables: "list[Variable]", arrays: list[np.ndarray]) -> None:
    """Gives ours of a row the numbers of theirs."""
    theirs = arrays if len(arrays) > 1 else arrays[0]
    parts = row.layout.part(theirs, [variable.shape for variable in variables])
    load_all(zip(variables, [np.asarray(part, order="C") for part in parts]))


def check_sizes(config: Config, task: str, stored: Weights) -> None:
    """Raises SerializationError where a model has more layers than the files, or larger weights
    than any of theirs: making them might not end.
    """
    family, config, plan = planned(config, task)
    largest = max((math.prod(one.shape) for one in stored.values()), default=0)
    needed = sizes_of(plan)
    for what, size in needed.items():
        is_made = task == "classifier" or not what.startswith("the labels")
        if is_made and size > largest:
            raise SerializationError(
                f"config.json describes a model whose weights of {what} have {size} numbers; no "
                "weight in the files is that large."
            )


def arguments_of(family: Family, task: str, stored: Weights) -> Config:
    """Arguments of a model by what is in the files."""
    if task != "backbone":
        return {}
    names = [name.removeprefix(family.prefix) for name in stored]
    return {
        argument: any(name.startswith(theirs) for name in names)
        for argument, theirs in family.optional.items()
    }


def _may_miss(family: Family, row: Row, stored: Weights) -> bool:
    """Whether a row is not in the files, and need not be."""
    (name, *_), there = row.theirs, [_name_in(family, name, stored) for name in row.theirs]
    return name in family.may_miss and not any(there)


def _name_in(family: Family, theirs: str, stored: Weights) -> str | None:
    """The name that files have for a weight; None if there is nothing of it."""
    return next((name for name in names_of(family, theirs) if name in stored), None)


def _check(
    family: Family,
    rows: list[Row],
    names: list[list[str | None]],
    stored: Weights,
    ours: "dict[str, Variable]",
) -> None:
    """Raises SerializationError unless there is an array of its shape for each row."""
    problems = []
    for row, found in zip(rows, names):
        shapes = row.layout.shape([tuple(ours[path].shape) for path in row.ours])
        for theirs, name in zip(row.theirs, found):
            if name is None:
                problems.append(f"no weight '{names_of(family, theirs)[0]}'")
            elif stored[name].shape != shapes:
                problems.append(
                    f"'{name}' has the shape {stored[name].shape}, expected {tuple(shapes)}"
                )
    if problems:
        raise SerializationError(
            f"its weights are not those of the {family.what} that config.json describes: "
            f"{listed(problems)}."
        )


def _check_left(family: Family, model: typing.Any, used: set[str], stored: Weights) -> None:
    """Raises SerializationError where the files have what would be dropped: further weights, or a
    matrix for the logits that is not the embedding's.
    """
    for name in stored:
        is_of_head = name.startswith(family.heads)
        is_left = name.removeprefix(family.prefix).startswith(family.left or family.heads)
        is_known = is_of_head or is_left or BUFFERS.fullmatch(name) is not None
        if name not in used and not is_known:
            raise SerializationError(
                f"the files have a weight '{name}', which {family.what} does not have."
            )
    if model.task in ("causal_lm", "masked_lm", "seq2seq_lm") and model.plan.is_tied:
        _check_copies(family, model, used, stored)


def _check_copies(family: Family, model: typing.Any, used: set[str], stored: Weights) -> None:
    for copy, first in _copies(family, model).items():
        original = _name_in(family, first, stored)
        is_there = copy in stored and copy not in used and original is not None
        if is_there and not are_equal(stored[copy], stored[original]):
            raise SerializationError(
                f"the files have weights '{copy}' and '{original}' that differ, and config.json "
                f"says that they are the same ({TIE})."
            )


def _copies(family: Family, model: typing.Any) -> dict[str, str]:
    """{name: the one whose numbers it has}."""
    embedding = next(
        row.theirs[0] for row in rows_of(family, model) if row.ours == ("embedding/embeddings",)
    )
    heads = dict.fromkeys(("lm_head.weight", "embed_out.weight"), embedding)
    return {**heads, **family.tied}


# ---------------------------------------------------------------- writing


def config_of(model: typing.Any) -> Config:
    """What `config.json` says of a model."""
    return written_config(model.family, model.config, model.task, model.weights[0].dtype)


def written_config(family: Family, config: Config, task: str, dtype: str) -> Config:
    """What is written of entries as `family.understood` gives them."""
    config, form = dict(config), family.rope
    if not config.get("rope_scaling"):
        config.pop("rope_scaling", None)
        if form is not None and form.is_always_said:
            config["rope_scaling"] = {"rope_type": "default"}
    return {
        "architectures": [family.writes[task]],
        "torch_dtype": dtype,
        **{entry: value for entry, value in config.items() if _is_said(family, entry, value)},
    }


def _is_said(family: Family, entry: str, value: typing.Any) -> bool:
    """Whether an entry is written: one that is None and would be None says nothing."""
    said = family.entries.get(entry)
    if value is not None:
        return True
    return said is not None and said.default is not None


class Theirs:
    """A weight of transformers, made of ours when it is written.

    Args:
        row: says how.
        index: which of its weights.
        variables: ours, in its order.
    """

    def __init__(self, row: Row, index: int, variables: "list[Variable]") -> None:
        self.row, self.index, self.variables = row, index, variables
        self.shape = tuple(row.layout.shape([tuple(variable.shape) for variable in variables]))
        self.own_dtype = variables[0].own_dtype

    @property
    def size(self) -> int:
        """In bytes."""
        return math.prod(self.shape) * np.dtype(self.own_dtype).itemsize

    @property
    def value(self) -> np.ndarray:
        """The array."""
        if len(self.row.theirs) > 1:
            return self.row.layout.one(np.asarray(self.variables[0].value[self.index]))
        return self.row.layout.join([np.asarray(variable.value) for variable in self.variables])


def theirs_of(family: Family, model: typing.Any) -> dict[str, Theirs]:
    """{name of transformers: `Theirs`}.

    Raises:
        ValueError: the model has weights that transformers' model does not have.
    """
    ours = {variable.path: variable for variable in model.weights}
    theirs, used = {}, set()
    has_prefix = model.task != "backbone"
    for row in rows_of(family, model):
        used |= set(row.ours)
        for index, name in enumerate(row.theirs):
            is_bare = not has_prefix or name.startswith(family.heads)
            whole = name
            if not is_bare:
                whole = family.prefix + name
            theirs[whole] = Theirs(row, index, [ours[path] for path in row.ours])
    others = sorted(set(ours) - used)
    if others:
        raise ValueError(
            f"`to_transformers` expected the weights that {family.what} has by itself. Received: "
            f"others too: {', '.join(others[:5])}. Saving merges those of LoRA: load what "
            "`save_weights` wrote into a new model, and write that one."
        )
    return theirs
