"""Checkpointer: training states in a folder, or in a fast one and a durable one."""

from collections.abc import Iterable
from typing import Any, Self

import jax

from jkeras.core.errors import check_choice
from jkeras.core.names.registry import public
from jkeras.saving import local_arrays, newest
from jkeras.saving.tier import Kept, Tier
from jkeras.saving.types import FilePath


@public("jkeras.saving.Checkpointer")
class Checkpointer:
    """Saves and restores a `TrainState`, or any pytree of arrays, under numbers.

    A save is there as a whole or not at all, whenever the process is killed. It is written while
    the training goes on; what goes wrong is raised by the next call. When a checkpoint is read, all
    its files are compared with the checksums that were written with them; the newest one that is
    whole is taken, and a warning says which are not.

    With `local`, a `fit` saves often there, on a fast disk or in memory, and seldom into the
    folder, which is durable. The newest checkpoint of both is restored; where the local ones are
    lost with their machine, the folder has its own.

    Args:
        folder: made with the first save. One process at a time writes to it.
        max_to_keep: how many of the newest checkpoints stay; None: all.
        keep_every: checkpoints whose number is a multiple of this stay as well.
        keep_best: name of a value given to `save(metrics=…)`, as "val_loss": the checkpoint with
            the best one stays.
        mode: whether "min" or "max" is the best.
        every: of a `fit` with `checkpoint=` this one: save after each "epoch", or after so many
            steps. With `local`: into that one.
        background: write while the training goes on; several processes always write into the folder
            together, and wait.
        local: a folder of this machine, as "/dev/shm/run".
        then: the folder, by another name that reads well after `local`.
        every_remote: with `local`: when a `fit` saves into the folder, as `every`.
        keep_local: how many of the newest checkpoints stay in `local`; None: all.

    Raises:
        ValueError: wrong arguments.

    >>> import tempfile, jax.numpy as jnp
    >>> with tempfile.TemporaryDirectory() as folder, Checkpointer(folder) as checkpointer:
    ...     checkpointer.save({"w": jnp.ones(2)}, {"epoch": 3}, step=3)
    ...     state, extra = checkpointer.restore({"w": jnp.zeros(2)})
    >>> float(state["w"][0]), extra["epoch"]
    (1.0, 3)
    >>> Checkpointer(local="/dev/shm/run", every=50, then="runs/1", every_remote=1000).every_remote
    1000
    """

    def __init__(
        self,
        folder: FilePath | None = None,
        max_to_keep: int | None = 3,
        *,
        keep_every: int | None = None,
        keep_best: str | None = None,
        mode: str = "min",
        every: int | str = "epoch",
        background: bool = True,
        local: FilePath | None = None,
        then: FilePath | None = None,
        every_remote: int | str = "epoch",
        keep_local: int | None = 2,
    ) -> None:
        counts = {"max_to_keep": max_to_keep, "keep_every": keep_every, "keep_local": keep_local}
        for name, value in counts.items():
            _check_count(name, value)
        for name, value in (("every", every), ("every_remote", every_remote)):
            if value != "epoch":
                _check_count(name, value, " or 'epoch'")
        check_choice("mode", mode, ("min", "max"), "Checkpointer")
        if local is None and every_remote != "epoch":
            raise ValueError(
                "Checkpointer: `every_remote` is for a `local` folder beside the durable one; "
                f"without it, give `every`. Received: every_remote={every_remote!r}"
            )
        self.every, self.every_remote = every, every_remote
        self._durable = Tier(
            _one_folder(folder, then, local),
            Kept(max_to_keep, keep_every, keep_best, mode),
            every=every if local is None else every_remote,
            background=background,
        )
        self._local = None
        if local is not None:
            self._local = Tier(
                local_arrays.folder_of_this_process(local),
                Kept(keep_local),
                every=every,
                background=background,
                form=local_arrays,
            )
            if self._local.folder == self._durable.folder:
                raise ValueError(
                    "Checkpointer: `local` and the durable folder are the same folder: "
                    f"{self._local.folder}. Give two."
                )
        self.folder = self._durable.folder
        self.report = None  # of the last restore

    @property
    def tiers(self) -> list[Tier]:
        """What it saves into, the fast one first."""
        return [tier for tier in (self._local, self._durable) if tier is not None]

    def steps(self) -> list[int]:
        """The numbers of all checkpoints, in order."""
        return sorted({step for tier in self.tiers for step in tier.steps()})

    def latest_step(self) -> int | None:
        """The number of the newest checkpoint that is whole, or None."""
        steps = [tier.latest_step() for tier in self.tiers]
        return max((step for step in steps if step is not None), default=None)

    def save(
        self,
        state: Any,
        extra: Any = None,
        step: int | None = None,
        metrics: dict[str, Any] | None = None,
    ) -> None:
        """Saves a state, and JSON data beside it, under a number (the state's own `step` by
        default), into `local` too where there is one.

        The arrays are copied at once: a training may go on and consume them.

        Args:
            metrics: {name: number}, for `keep_best`.

        Raises:
            RuntimeError: the save before this one failed, or another process writes to the folder.
        """
        for tier in self.tiers:
            tier.save(state, extra, step, metrics)

    def restore(
        self,
        like: Any,
        step: int | None = None,
        *,
        only: str | Iterable[str] | None = None,
        missing: str = "error",
        unexpected: str = "error",
    ) -> tuple[Any, Any]:
        """(state, extra) of a checkpoint, by default of the newest that is whole. `report` says
        what was done.

        Several processes take the same one: the newest that all have in their `local` folders, or
        that of the durable folder where it is newer.

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
        for name, value, choices in (
            ("missing", missing, ("error", "init")),
            ("unexpected", unexpected, ("error", "ignore")),
        ):
            check_choice(name, value, choices)
        self.wait()
        tiers = self.tiers
        if self._local is not None and jax.process_count() > 1:
            chosen, step = newest.agreed(self._local, self._durable, like, step)
            tiers = [chosen]
        readers = [
            (tier.step_folder, tier.reading(like, only, missing, unexpected)) for tier in tiers
        ]
        if step is None:
            state, extra, self.report = newest.read_newest(readers)
        else:
            state, extra, self.report = newest.read_one(readers, step)
        return state, extra

    def lock(self) -> bool:
        """Makes this the one that writes to the folders, until `close`; the first save does so too.

        Returns:
            Whether it was not so before.
        Raises:
            RuntimeError: another one does.
        """
        return any([tier.lock() for tier in self.tiers])

    def wait(self) -> None:
        """Waits for what is being written.

        Raises:
            RuntimeError: it could not be written; the cause is with it.
        """
        for tier in self.tiers:
            tier.wait()

    def check(self) -> None:
        """Raises RuntimeError if the last save has failed by now."""
        for tier in self.tiers:
            tier.check()

    def close(self) -> None:
        """Waits for what is being written and releases the folders."""
        try:
            if self._local is not None:
                self._local.close()
        finally:
            self._durable.close()

    def remove_all(self) -> None:
        """Closes the store and removes all its steps, and the folders where nothing else is in
        them.
        """
        for tier in self.tiers:
            tier.remove_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _one_folder(folder: FilePath | None, then: FilePath | None, local: FilePath | None) -> FilePath:
    """The durable folder, which has two names."""
    if folder is not None and then is not None:
        raise ValueError(
            "Checkpointer: `folder` and `then` name the same thing; give one of them. Received: "
            f"folder={folder!r}, then={then!r}"
        )
    chosen = then if folder is None else folder
    if chosen is None:
        raise ValueError(
            "Checkpointer needs a durable folder, as in `Checkpointer('run')` or "
            f"`Checkpointer(local='/dev/shm/run', then='run')`. Received: local={local!r}"
        )
    return chosen


def _check_count(name: str, value: Any, alternative: str = "") -> None:
    """Raises ValueError for what is neither None nor a number from 1 on."""
    if value is None:
        return
    if type(value) is not int or value < 1:
        raise ValueError(
            f"Checkpointer: `{name}` must be a positive integer{alternative}. Received: "
            f"{name}={value!r}"
        )
