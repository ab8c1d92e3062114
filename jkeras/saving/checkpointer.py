"""Checkpointer: training states in a folder, written in the background, checked when they are
read.
"""

import fnmatch
import json
import typing

import jax
import numpy as np

from jkeras.core.errors import check_choice
from jkeras.core.registry import public
from jkeras.saving import arrays
from jkeras.saving.step_store import StepStore
from jkeras.saving.steps import Misfit

STATE = "state"
EXTRA = "extra"
UNKNOWN = object()  # the best checkpoint, before the folder was looked through


class Report(typing.NamedTuple):
    """What a restore did, path by path.

    Attributes:
        step: the number of the checkpoint.
        restored: paths that were read.
        kept: paths that were not wanted, or not there, and stayed as they were.
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

    def __str__(self):
        text = f"step {self.step}: {len(self.restored)} restored, {len(self.kept)} kept"
        for name, paths in (("missing", self.missing), ("unexpected", self.unexpected)):
            if paths:
                text += f"; {name}: {', '.join(paths)}"
        return text


@public("jkeras.saving.Checkpointer")
class Checkpointer(StepStore):
    """Saves and restores a `TrainState`, or any pytree of arrays, under numbers.

    A save is there as a whole or not at all, whenever the process is killed. It is written while
    the training goes on; what goes wrong is raised by the next call. When a checkpoint is read, all
    its files are compared with the checksums that were written with them; the newest one that is
    whole is taken, and a warning says which are not.

    Args:
        folder: made with the first save. One process at a time writes to it.
        max_to_keep: how many of the newest checkpoints stay; None: all.
        keep_every: checkpoints whose number is a multiple of this stay as well.
        keep_best: name of a value given to `save(metrics=…)`, as "val_loss": the checkpoint with
            the best one stays.
        mode: whether "min" or "max" is the best.
        every: of a `fit` that is given the checkpointer: save after each "epoch", or after so many
            steps.
        background: write while the training goes on; several processes always write together, and
            wait.

    Raises:
        ValueError: wrong arguments.

    >>> import tempfile, jax.numpy as jnp
    >>> with tempfile.TemporaryDirectory() as folder, Checkpointer(folder) as checkpointer:
    ...     checkpointer.save({"w": jnp.ones(2)}, {"epoch": 3}, step=3)
    ...     state, extra = checkpointer.restore({"w": jnp.zeros(2)})
    >>> float(state["w"][0]), extra["epoch"]
    (1.0, 3)
    """

    def __init__(
        self,
        folder,
        max_to_keep=3,
        *,
        keep_every=None,
        keep_best=None,
        mode="min",
        every="epoch",
        background=True,
    ):
        _check_count("max_to_keep", max_to_keep)
        _check_count("keep_every", keep_every)
        if every != "epoch":
            _check_count("every", every, " or 'epoch'")
        check_choice("mode", mode, ("min", "max"), "Checkpointer")
        super().__init__(folder, EXTRA, background)
        self.max_to_keep = max_to_keep
        self.keep_every = keep_every
        self.keep_best = keep_best
        self.mode = mode
        self.every = every
        self._best = UNKNOWN
        self.report = None  # of the last restore

    def latest_step(self):
        """The number of the newest checkpoint that is whole, or None."""
        return next(
            (step for step in reversed(self.steps()) if self._steps.problem(step) is None), None
        )

    # ------------------------------------------------------------ saving

    def save(self, state, extra=None, step=None, metrics=None):
        """Saves a state, and JSON data beside it, under a number (the state's own `step` by
        default).

        The arrays are copied at once: a training may go on and consume them.

        Args:
            metrics: {name: number}, for `keep_best`.

        Raises:
            RuntimeError: the save before this one failed, or another process writes to the folder.
        """
        self.wait()
        if step is None:
            step = state.step
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

    def _value_of(self, metrics):
        """The value that says how good a checkpoint is, or None."""
        if self.keep_best is None:
            return None
        value = metrics.get(self.keep_best)
        if value is None:
            return None
        return float(value)

    def _clean(self, step, texts):
        value = texts[EXTRA]["value"]
        if self._best is UNKNOWN:
            self._best = self._best_known()
        elif self._is_better(value):
            self._best = (step, value)
        self._steps.keep(step, self.max_to_keep, self._is_kept)

    def _is_better(self, value):
        """Whether a value is better than that of the best checkpoint."""
        if value is None:
            return False
        if self._best is None:
            return True
        if self.mode == "min":
            return value < self._best[1]
        return value > self._best[1]

    def _is_kept(self, step):
        """Whether a checkpoint stays however old it is."""
        if self._best is not None and step == self._best[0]:
            return True
        return self.keep_every is not None and step % self.keep_every == 0

    def _best_known(self):
        """(step, value) of the best checkpoint in the folder; None if none has a value."""
        if self.keep_best is None:
            return None
        candidates = []
        for step in self._steps.steps():
            if self._steps.problem(step) is None:
                value = arrays.read_text(self._steps.place(step), EXTRA)["value"]
                if value is not None:
                    candidates.append((value, step))
        if not candidates:
            return None
        choose = min if self.mode == "min" else max
        value, step = choose(candidates)
        return step, value

    # ------------------------------------------------------------ restoring

    def restore(self, like, step=None, *, only=None, missing="error", unexpected="error"):
        """(state, extra) of a checkpoint, by default of the newest that is whole. `report` says
        what was done.

        Args:
            like: a state of the same structure, whose arrays (or shapes) say what is expected;
                arrays come to lie over devices as these do, however they lay when they were saved.
            step: the number of the checkpoint.
            only: a pattern, or several, of the paths to restore, as "encoder/*"; the others stay as
                in `like`.
            missing: of what the checkpoint lacks: "error", or "init": it stays as in `like`.
            unexpected: of what only the checkpoint has: "error" or "ignore".

        Raises:
            FileNotFoundError: no checkpoint.
            SerializationError (a ValueError): none that is whole.
            ValueError: a checkpoint of another structure; the message lists what is missing, extra
                or other.
        """
        for name, value, known in (
            ("missing", missing, ("error", "init")),
            ("unexpected", unexpected, ("error", "ignore")),
        ):
            check_choice(name, value, known)
        wanted = dict(_leaves(like))
        return self._get(
            step, lambda number: self._read(number, like, wanted, only, missing, unexpected)
        )

    def _read(self, step, like, wanted, only, missing, unexpected):
        folder = self._steps.place(step)
        text = arrays.read_text(folder, EXTRA)
        saved = {tuple(path): (tuple(shape), dtype) for path, shape, dtype in text["arrays"]}
        paths = _Paths.matched(wanted, saved, only)
        refuse_unexpected = unexpected == "error" and only is None
        self._refuse(
            step,
            missing=paths.missing if missing == "error" else [],
            unexpected=paths.unexpected if refuse_unexpected else [],
            other=_other_kinds(paths.restored, wanted, saved),
        )
        plan = {path: (*kind, None) for path, kind in saved.items()}
        for path in paths.restored:
            plan[path] = (*saved[path], _sharding(wanted[path]))
        leaves = arrays.read(folder, STATE, plan)
        self.report = Report(
            step,
            restored=_names(paths.restored),
            kept=_names(path for path in wanted if path not in paths.restored),
            missing=_names(paths.missing),
            unexpected=_names(paths.unexpected),
        )
        values = {path: jax.numpy.asarray(leaves[path]) for path in paths.restored}
        return _fill(like, _as_dict(like), values), text["data"]

    def _refuse(self, step, missing, unexpected, other):
        """Raises where there is anything in these lists of paths and words."""
        if missing or unexpected or other:
            raise Misfit(
                f"The checkpoint of step {step} in {self.folder} does not fit this model and "
                f"optimizer. Missing: {_names(missing)}; unexpected: {_names(unexpected)}; other "
                f"shape or dtype: {other}. Restore into the model it was saved from, use another "
                "folder, or restore a part of it with `only`, `missing` and `unexpected`."
            )

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class _Paths(typing.NamedTuple):
    """What a restore does with the paths of a state and of a checkpoint."""

    restored: list
    missing: list
    unexpected: list

    @classmethod
    def matched(cls, wanted, saved, only):
        """Compares both; `only` are patterns of the wanted ones."""
        chosen = [path for path in wanted if _matches(path, only)]
        return cls(
            restored=[path for path in chosen if path in saved],
            missing=[path for path in chosen if path not in saved],
            unexpected=[path for path in saved if path not in wanted],
        )


def _matches(path, only):
    """Whether a path is wanted; "encoder/*" stands for "params/encoder/kernel" too."""
    if only is None:
        return True
    patterns = [only] if isinstance(only, str) else only
    names = _names((path, path[1:]))
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns for name in names)


def _other_kinds(paths, wanted, saved):
    """Where a checkpoint has another shape or dtype than a state, in words."""
    return [
        f"{'/'.join(path)}: saved {saved[path]}, expected {_kind(wanted[path])}"
        for path in paths
        if saved[path] != _kind(wanted[path])
    ]


def _names(paths):
    return ["/".join(path) for path in paths]


def _check_count(name, value, alternative=""):
    """Raises ValueError for what is neither None nor a number from 1 on."""
    if value is None:
        return
    if type(value) is not int or value < 1:
        raise ValueError(
            f"Checkpointer: `{name}` must be a positive integer{alternative}. Received: "
            f"{name}={value!r}"
        )


def _kind(leaf):
    """(shape, dtype) of an array."""
    return tuple(np.shape(leaf)), str(np.dtype(leaf.dtype))


def _sharding(leaf):
    """How an array is to lie, where it is more than one device that it lies on."""
    sharding = getattr(leaf, "sharding", None)
    if sharding is None or len(sharding.device_set) < 2:
        return None
    return sharding


def _leaves(state):
    """(path, array) pairs of what a store keeps of a state."""
    from jkeras.kernel.tree import flatten

    return flatten(_without_empty(_as_dict(state)))


def _as_dict(state):
    """Named tuples, lists and the like as nested dicts with string keys."""
    if hasattr(state, "_asdict"):
        state = state._asdict()
    if isinstance(state, (list, tuple)):
        state = {str(i): v for i, v in enumerate(state)}
    if isinstance(state, dict):
        return {str(k): _as_dict(v) for k, v in state.items()}
    return state


def _without_empty(tree):
    """The nested dict without empty dicts and None, of which orbax keeps no trace."""
    kept = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            value = _without_empty(value) or None
        if value is not None:
            kept[key] = value
    return kept


def _fill(like, described, values, path=()):
    """A state in the structure of `like` with the arrays by path; the others stay."""
    if isinstance(described, dict):
        filled = {k: _fill(v, described[str(k)], values, (*path, str(k))) for k, v in _items(like)}
        if hasattr(like, "_fields"):
            return type(like)(**filled)
        if isinstance(like, (list, tuple)):
            return type(like)(filled.values())
        return filled
    return values.get(path, like)


def _items(value):
    if hasattr(value, "_asdict"):
        return value._asdict().items()
    if isinstance(value, (list, tuple)):
        return enumerate(value)
    return value.items()
