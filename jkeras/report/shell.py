"""What a report brings to a model: `fit(report=path)`."""

import contextlib
import os
from typing import TYPE_CHECKING

from jkeras.callbacks import CallbackList
from jkeras.training.data.source import Source
from jkeras.training.shell.extensions import Extensions

if TYPE_CHECKING:
    from jkeras.training.loop.recording import Recorder
    from jkeras.training.loop.resume import FitOptions


class Reported(Extensions):
    """A model whose trainings can be recorded in a file."""

    def recorded(
        self,
        report: str | os.PathLike | None,
        callbacks: CallbackList,
        source: Source,
        options: "FitOptions",
    ) -> "contextlib.AbstractContextManager[tuple[FitOptions, Recorder | None]]":
        """A block in which a training is recorded, where there is a path for the report."""
        if report is None:
            return contextlib.nullcontext((options, None))
        from jkeras.report.run_report import reported

        return reported(report, callbacks, source, options)
