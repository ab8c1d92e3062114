"""Weights & Biases."""

from typing import Any


class Wandb:
    """A run of Weights & Biases.

    Args:
        options: of `wandb.init`, such as `mode="offline"`.
    """

    def __init__(self, **options: Any) -> None:
        import wandb  # an optional package

        self.wandb = wandb
        self.options = options

    def begin(
        self, project: str | None, name: str | None, config: dict[str, Any], run: str | None
    ) -> str:
        """Begins a run, or goes on with one."""
        self.is_own = self.wandb.run is None
        if self.is_own:
            options = {"id": run, "resume": "allow"} if run is not None else {}
            options |= {"project": project, "name": name} | self.options
            self.run = self.wandb.init(**options)
        else:
            self.run = self.wandb.run
        self.run.config.update(config, allow_val_change=True)
        for unit, names in (("epoch", "*"), ("batch", "batch/*")):
            self.run.define_metric(names, step_metric=f"{unit}/number")
        return self.run.id

    def log(self, values: dict[str, float], step: int, unit: str) -> None:
        """Takes results; the service's own counter of steps would mix epochs and batches."""
        self.run.log({**values, f"{unit}/number": step})

    def keep(self, path: str) -> None:
        """Keeps a file as a version of an artifact that bears the name of the run."""
        artifact = self.wandb.Artifact(f"run-{self.run.id}-model", type="model")
        artifact.add_file(path)
        self.run.log_artifact(artifact)

    def end(self, is_finished: bool) -> None:
        """Ends the run."""
        if self.is_own:
            self.run.finish(exit_code=0 if is_finished else 1)
