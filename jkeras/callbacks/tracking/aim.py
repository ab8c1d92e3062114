"""Aim."""

import pathlib
from typing import Any


class Aim:
    """A run of Aim.

    Args:
        options: of `aim.Run`, such as `repo`. What the terminal shows is not sent, unless they say
            so.
    """

    def __init__(self, **options: Any) -> None:
        import aim  # an optional package

        self.aim = aim
        self.options = {"capture_terminal_logs": False, "system_tracking_interval": None} | options

    def begin(
        self, project: str | None, name: str | None, config: dict[str, Any], run: str | None
    ) -> str:
        """Begins a run, or goes on with one."""
        # a process that was killed has left its lock
        options = {"force_resume": run is not None} | self.options
        self.run = self.aim.Run(run, experiment=project, **options)
        if name is not None:
            self.run.name = name
        for key, value in config.items():
            self.run[key] = value
        return self.run.hash

    def log(self, values: dict[str, float], step: int, unit: str) -> None:
        """Takes results; those of validation have their own context, as Aim's plots want it."""
        for name, value in values.items():
            subset, short = ("val", name[4:]) if name.startswith("val_") else ("train", name)
            self.run.track(value, name=short, step=step, context={"subset": subset})

    def keep(self, path: str) -> None:
        """Keeps a file where the run's artifacts go, by default in the repository."""
        if self.run.artifacts_uri is None:
            folder = pathlib.Path(self.run.repo.path).absolute() / "artifacts"
            self.run.set_artifacts_uri(folder.as_uri())
        self.run.log_artifact(path, block=True)

    def end(self, is_finished: bool) -> None:
        """Ends the run."""
        if is_finished:
            self.run.report_successful_finish()
        self.run.close()
