"""A training without `privacy`: it has no account."""

from collections.abc import Callable

from jkeras.core.errors import explain
from jkeras.training.step.state import TrainState
from jkeras.training.types import Logs


class Unprotected:
    """Stands where a training with `privacy` has its account, see `jkeras.privacy.fitting`."""

    def start(self, state: Callable[[], TrainState], kept: dict | None, resumes: bool) -> None:
        """Begins, or goes on from what a checkpoint has.

        Raises:
            ValueError: the checkpoint is of a training with `privacy`, whose guarantee would end.
        """
        if kept is not None:
            expected = "the checkpoint of a training without `privacy`"
            fix = "compile the model with the same `privacy`, or begin afresh in another folder"
            raise ValueError(explain("fit", expected, "one of a training with it", fix))

    def logs(self, state: Callable[[], TrainState]) -> Logs:
        """What is reported after an epoch: nothing."""
        return {}

    def kept(self, state: TrainState) -> dict | None:
        """What a checkpoint of a state keeps: nothing."""
        return None

    def end(self, step: Callable[[], int]) -> None:
        """Ends."""
