"""Training states in one folder, written in the background, checked when they are read."""

import fnmatch
import json
import types
import typing
from collections.abc import Iterable, Iterator

import jax
import numpy as np

from jkeras.saving import arrays
from jkeras.saving.step_store import StepStore
from jkeras.saving.reading import explained
from jkeras.saving.steps import StructureMismatch
from jkeras.saving.words import (
    ANY,
    COUNT,
    DTYPE,
    NUMBER,
    TEXT,
    check_words,
    listing,
    or_none,
    row,
)
from jkeras.saving.types import ArrayKind, FilePath, Path, Reader, Texts

STATE = "state"
EXTRA = "extra"
KINDS = {
    "data": ANY,
    "value": or_none(NUMBER),
    "arrays": listing(row(listing(TEXT), listing(COUNT), DTYPE)),
}
UNKNOWN = object()  # the best checkpoint, before the folder was looked through


class Report(typing.NamedTuple):
    """What a restore did, path by path.

    Attributes:
        step: the number of the checkpoint.
        restored: paths that were read.
        kept: paths that were not requested, or not there, and stayed as they were.
        missing: of those the ones that were not there.
        unexpected: paths of the checkpoint that nothing here stands for.

    >>> print(Report(7, ["params/a"], ["params/b"], ["params/b"], []))
    step 7: 1 restored, 1 kept; missing: params/b
    """

    step: int
    restored: list
    kept: list
    missing: list
    unexpected: list

    def __str__(self) -> str:
        text = f"step {self.step}: {len(self.restored)} restored, {len(self.kept)} kept"
        for name, paths in (("missing", self.missing), ("unexpected", self.unexpected)):
            if paths:
                text += f"; {name}: {', '.join(paths)}"
        return text


class Kept(typing.NamedTuple):
    """Which checkpoints stay, as of `Checkpointer`."""

    max_to_keep: int | None
    keep_every: int | None = None
    keep_best: str | None = None
    mode: str = "min"


class Tier(StepStore):
    """A folder of training states.

    Args:
        folder, every, background: as of `Checkpointer`.
        form: what writes and reads the arrays: `arrays`, or `local_arrays` for a folder of this
            process alone.
    """

    def __init__(
        self,
        folder: FilePath,
        kept: Kept,
        *,
        every: int | str = "epoch",
        background: bool = True,
        form: types.ModuleType = arrays,
    ) -> None:
        super().__init__(folder, EXTRA, background, form)
        self.max_to_keep, self.keep_every, self.keep_best, self.mode = kept
        self.every = every
        self._best = UNKNOWN

    def latest_step(self) -> int | None:
        """The number of the newest checkpoint that is whole, or None."""
        return next(
            (step for step in reversed(self.steps()) if self.step_folder.problem(step) is None),
            None,
        )

    # ------------------------------------------------------------ saving

    def save(
        self,
        state: typing.Any,
        extra: typing.Any = None,
        step: int | None = None,
        metrics: dict[str, typing.Any] | None = None,
    ) -> None:
        """Saves a state, and JSON data beside it, under a number; see `Checkpointer.save`."""
        self.wait()
        if step is None:
            step = np.max(state.step)  # of a stack of states, that of the one that is furthest
        step = int(step)
        if step < 0:
            raise ValueError(f"Checkpoints have numbers from 0 on. Received: step={step}")
        self.lock()
        # which orbax takes long to tell
        kinds = [[path, *_kind(leaf)] for path, leaf in _leaves(state)]
        texts = {
            EXTRA: {
                "data": json.loads(json.dumps(extra or {})),
                "value": self._value_of(metrics or {}),
                "arrays": json.loads(json.dumps(kinds)),
            }
        }
        self._put(step, {STATE: _without_empty(_as_dict(state))}, texts)

    def _value_of(self, metrics: dict[str, typing.Any]) -> float | None:
        """The value that says how good a checkpoint is, or None."""
        if self.keep_best is None:
            return None
        value = metrics.get(self.keep_best)
        if value is None:
            return None
        return float(value)

    def _clean(self, step: int, texts: Texts) -> None:
        value = texts[EXTRA]["value"]
        if self._best is UNKNOWN:
            self._best = self._best_recorded()
        elif self._is_better(value):
            self._best = (step, value)
        self.step_folder.keep(step, self.max_to_keep, self._is_protected)

    def _is_better(self, value: float | None) -> bool:
        """Whether a value is better than that of the best checkpoint."""
        if value is None:
            return False
        if self._best is None:
            return True
        if self.mode == "min":
            return value < self._best[1]
        return value > self._best[1]

    def _is_protected(self, step: int) -> bool:
        """Whether a checkpoint stays however old it is."""
        if self._best is not None and step == self._best[0]:
            return True
        return self.keep_every is not None and step % self.keep_every == 0

    def _best_recorded(self) -> tuple[int, float] | None:
        """(step, value) of the best checkpoint in the folder; None if none has a value."""
        if self.keep_best is None:
            return None
        candidates = []
        for step in self.step_folder.steps():
            if self.step_folder.problem(step) is None:
                value = self._text(step)["value"]
                if value is not None:
                    candidates.append((value, step))
        if not candidates:
            return None
        choose = min if self.mode == "min" else max
        value, step = choose(candidates)
        return step, value

    # ------------------------------------------------------------ restoring

    def reading(
        self,
        like: typing.Any,
        only: str | Iterable[str] | None = None,
        missing: str = "error",
        unexpected: str = "error",
    ) -> Reader:
        """A function of a step that reads it: (state, extra, `Report`); see
        `Checkpointer.restore`.
        """
        requested = dict(_leaves(like))
        return lambda step: self._read(step, like, requested, only, missing, unexpected)

    def whole_steps(self, like: typing.Any) -> list[int]:
        """The numbers of the checkpoints that are whole and have what this process needs of the
        arrays.
        """
        requested = dict(_leaves(like))
        plan = {path: (*_kind(leaf), _sharding(leaf)) for path, leaf in requested.items()}
        return [
            step
            for step in self.steps()
            if self.step_folder.problem(step) is None
            and self.form.covers(self.step_folder.path_of(step), STATE, plan)
        ]

    def _read(
        self,
        step: int,
        like: typing.Any,
        requested: dict[Path, typing.Any],
        only: str | Iterable[str] | None,
        missing: str,
        unexpected: str,
    ) -> tuple[typing.Any, typing.Any, Report]:
        folder = self.step_folder.path_of(step)
        text = self._text(step)
        saved = {tuple(path): (tuple(shape), dtype) for path, shape, dtype in text["arrays"]}
        paths = _Paths.matched(requested, saved, only)
        refuse_unexpected = unexpected == "error" and only is None
        self._refuse(
            step,
            missing=paths.missing if missing == "error" else [],
            unexpected=paths.unexpected if refuse_unexpected else [],
            other=_other_kinds(paths.restored, requested, saved),
        )
        plan = {path: (*kind, None) for path, kind in saved.items()}
        for path in paths.restored:
            plan[path] = (*saved[path], _sharding(requested[path]))
        leaves = self.form.read(folder, STATE, plan)
        report = Report(
            step,
            restored=_names(paths.restored),
            kept=_names(path for path in requested if path not in paths.restored),
            missing=_names(paths.missing),
            unexpected=_names(paths.unexpected),
        )
        values = {path: jax.numpy.asarray(leaves[path]) for path in paths.restored}
        return _fill(like, _as_dict(like), values), text["data"], report

    def _text(self, step: int) -> typing.Any:
        """What was written beside the arrays of a step.

        Raises:
            SerializationError: something that is not written there.
        """
        folder = self.step_folder.path_of(step)
        with explained(folder):
            text = self.form.read_text(folder, EXTRA)
            check_words(text, KINDS, f"{folder}: its part '{EXTRA}'")
        return text

    def _refuse(
        self, step: int, missing: list[Path], unexpected: list[Path], other: list[str]
    ) -> None:
        """Raises where there is anything in these lists of paths and words."""
        if missing or unexpected or other:
            raise StructureMismatch(
                f"The checkpoint of step {step} in {self.folder} does not fit this model and "
                f"optimizer. Missing: {_names(missing)}; unexpected: {_names(unexpected)}; other "
                f"shape or dtype: {other}. Restore into the model it was saved from, use another "
                "folder, or restore a part of it with `only`, `missing` and `unexpected`."
            )


class _Paths(typing.NamedTuple):
    """What a restore does with the paths of a state and of a checkpoint."""

    restored: list
    missing: list
    unexpected: list

    @classmethod
    def matched(
        cls,
        requested: dict[Path, typing.Any],
        saved: dict[Path, ArrayKind],
        only: str | Iterable[str] | None,
    ) -> typing.Self:
        """Compares both; `only` are patterns of the requested ones."""
        chosen = [path for path in requested if _matches(path, only)]
        return cls(
            restored=[path for path in chosen if path in saved],
            missing=[path for path in chosen if path not in saved],
            unexpected=[path for path in saved if path not in requested],
        )


def _matches(path: Path, only: str | Iterable[str] | None) -> bool:
    """Whether a path is requested; "encoder/*" stands for "params/encoder/kernel" too."""
    if only is None:
        return True
    patterns = [only] if isinstance(only, str) else only
    names = _names((path, path[1:]))
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns for name in names)


def _other_kinds(
    paths: list[Path], requested: dict[Path, typing.Any], saved: dict[Path, ArrayKind]
) -> list[str]:
    """Where a checkpoint has another shape or dtype than a state, in words."""
    return [
        f"{'/'.join(path)}: saved {saved[path]}, expected {_kind(requested[path])}"
        for path in paths
        if saved[path] != _kind(requested[path])
    ]


def _names(paths: Iterable[Path]) -> list[str]:
    return ["/".join(path) for path in paths]


def _kind(leaf: typing.Any) -> ArrayKind:
    """(shape, dtype) of an array."""
    return tuple(np.shape(leaf)), str(np.dtype(leaf.dtype))


def _sharding(leaf: typing.Any) -> jax.sharding.Sharding | None:
    """How an array is to lie, where it is more than one device that it lies on."""
    sharding = getattr(leaf, "sharding", None)
    if sharding is None or len(sharding.device_set) < 2:
        return None
    return sharding


def _leaves(state: typing.Any) -> Iterator[tuple[Path, typing.Any]]:
    """(path, array) pairs of what a store keeps of a state."""
    from jkeras.kernel.tree import flatten

    return flatten(_without_empty(_as_dict(state)))


def _as_dict(state: typing.Any) -> typing.Any:
    """Named tuples, lists and the like as nested dicts with string keys."""
    if hasattr(state, "_asdict"):
        state = state._asdict()
    if isinstance(state, (list, tuple)):
        state = {str(i): v for i, v in enumerate(state)}
    if isinstance(state, dict):
        return {str(k): _as_dict(v) for k, v in state.items()}
    return state


def _without_empty(tree: dict[str, typing.Any]) -> dict[str, typing.Any]:
    """The nested dict without empty dicts and None, of which orbax keeps no trace."""
    filled = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            value = _without_empty(value) or None
        if value is not None:
            filled[key] = value
    return filled


def _fill(
    like: typing.Any, described: typing.Any, values: dict[Path, typing.Any], path: Path = ()
) -> typing.Any:
    """A state in the structure of `like` with the arrays by path; the others stay."""
    if isinstance(described, dict):
        filled = {k: _fill(v, described[str(k)], values, (*path, str(k))) for k, v in _items(like)}
        if hasattr(like, "_fields"):
            return type(like)(**filled)
        if isinstance(like, (list, tuple)):
            return type(like)(filled.values())
        return filled
    return values.get(path, like)


def _items(value: typing.Any) -> Iterable[tuple]:
    if hasattr(value, "_asdict"):
        return value._asdict().items()
    if isinstance(value, (list, tuple)):
        return enumerate(value)
    return value.items()
