"""What a service is to a `Tracker`."""

import typing


class Service(typing.Protocol):
    """Keeps track of one run at a time. A run that the program began itself is used, and left
    open.
    """

    def begin(
        self, project: str | None, name: str | None, config: dict[str, typing.Any], run: str | None
    ) -> str | None:
        """Begins a run, or goes on with `run`; returns its identifier."""

    def log(self, values: dict[str, float], step: int, unit: str) -> None:
        """Takes results after a step; the unit of its number is "epoch" or "batch"."""

    def keep(self, path: str) -> None:
        """Keeps a file."""

    def end(self, is_finished: bool) -> None:
        """Ends the run, which is finished or was interrupted."""


class Calling:
    """The service that is a function: it is called with the results and the number of the epoch or
    batch.
    """

    def __init__(self, function: typing.Callable[[dict[str, float], int], typing.Any]) -> None:
        self.function = function

    def begin(
        self, project: str | None, name: str | None, config: dict[str, typing.Any], run: str | None
    ) -> None:
        """Nothing to begin."""

    def log(self, values: dict[str, float], step: int, unit: str) -> None:
        """Calls the function."""
        self.function(values, step)

    def keep(self, path: str) -> None:
        """Does nothing: there is no file to write it to."""

    def end(self, is_finished: bool) -> None:
        """Nothing to end."""
