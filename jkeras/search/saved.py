"""A sweep in a folder, from which it goes on."""

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import jax

from jkeras.core.errors import SerializationError
from jkeras.saving.checkpointer import Checkpointer
from jkeras.search.ledger import Ledger
from jkeras.search.population import Population
from jkeras.search.reading import Expected, sweep_data
from jkeras.search.strategies import Rung


class Saved:
    """The checkpoints of the trials of one shape, one after each epoch.

    Args:
        folder: None: there are none.
        what: says which sweep it is, as JSON data.
    """

    def __init__(self, folder: str | os.PathLike | None, what: Any) -> None:
        self.checkpointer = None if folder is None else Checkpointer(folder, max_to_keep=2)
        self.what = json.loads(json.dumps(what, default=str))

    def __enter__(self) -> "Saved":
        return self

    def __exit__(self, *_: Any) -> None:
        if self.checkpointer is not None:
            self.checkpointer.close()

    def stops(self, epoch: int, rung: Rung, each: bool) -> Iterator[int]:
        """The epochs up to which to train, one after the other, to a rung; with `each` all."""
        if self.checkpointer is None and not each:
            if epoch < rung.epoch:
                yield rung.epoch
            return
        yield from range(epoch + 1, rung.epoch + 1)

    def save(self, population: Population, ledger: Ledger, trials: Sequence[int]) -> None:
        """Saves the trials of a population, whose numbers in the ledger are these."""
        if self.checkpointer is None:
            return
        extra = {
            "sweep": self.what,
            "alive": population.alive.tolist(),
            "ledger": ledger.state(trials),
        }
        self.checkpointer.save(population.kept, extra, step=population.epoch)

    def restore(
        self, population: Population, ledger: Ledger, trials: Sequence[int], rungs: Sequence[Rung]
    ) -> None:
        """Lets a population go on from the newest checkpoint, if there is one.

        Raises:
            ValueError: it is of another sweep; what it says cannot be true.
        """
        if self.checkpointer is None:
            return
        try:
            epoch = self.checkpointer.latest_step()
            if epoch is None:
                return
            count = min((rung.keep for rung in rungs if rung.epoch <= epoch), default=len(trials))
            like = jax.tree_util.tree_map(lambda v: v[:count], population.trials)
            trials_state, extra = self.checkpointer.restore(like, epoch)
        except RecursionError as error:
            raise SerializationError(
                f"The words of the sweep in {self.checkpointer.folder} are nested too deeply."
            ) from error
        extra = sweep_data(self.checkpointer.folder, extra)
        if extra["sweep"] != self.what:
            raise ValueError(
                f"{self.checkpointer.folder} has a checkpoint of another sweep. Give the same "
                "space, trials, epochs, strategy, objective and seed, or another folder.\n"
                f"There: {extra['sweep']}\nHere: {self.what}"
            )
        logs, names = population.logs_of(trials_state)
        # a turn may have put the state and the numbers of another trial over one's own
        is_turned = population.turn is not None and epoch < ledger.shape[1]
        expected = Expected(
            str(self.checkpointer.folder),
            trials=len(trials),
            epochs=ledger.shape[1],
            epoch=epoch,
            count=count,
            numbers=jax.device_get(population.trials.numbers),
            are_changed=population.turn is not None,
            used=None if is_turned else jax.device_get(trials_state.numbers),
            logs=None if is_turned else logs,
            names=names,
        )
        alive, recorded = expected.checked(extra["alive"], extra["ledger"])
        population.go_on(trials_state, alive, epoch)
        ledger.restore(trials, recorded)
