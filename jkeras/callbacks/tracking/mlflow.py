"""MLflow."""

import re
import time
from typing import Any

LONGEST = 6000  # characters of a parameter
MOST = 100  # parameters in one call
FORBIDDEN = re.compile(r"[^\w\-. :/]")  # in a name


class Mlflow:
    """A run of MLflow.

    Args:
        options: of `mlflow.MlflowClient`, such as `tracking_uri`.
    """

    def __init__(self, **options: Any) -> None:
        import mlflow  # an optional package

        self.mlflow = mlflow
        self.client = mlflow.MlflowClient(**options)

    def begin(
        self, project: str | None, name: str | None, config: dict[str, Any], run: str | None
    ) -> str:
        """Begins a run, or goes on with one."""
        active = self.mlflow.active_run()
        self.is_own = active is None
        if active is not None:
            self.run = active.info.run_id
        elif run is not None:
            self.run = run
            self.client.update_run(run, "RUNNING")
        else:
            experiment = self._experiment(project)
            self.run = self.client.create_run(experiment, run_name=name).info.run_id
        logged = self.client.get_run(self.run).data.params  # a parameter cannot change
        named = {FORBIDDEN.sub("_", key): str(value)[:LONGEST] for key, value in config.items()}
        param = self.mlflow.entities.Param
        new = [param(key, value) for key, value in named.items() if key not in logged]
        for start in range(0, len(new), MOST):
            self.client.log_batch(self.run, params=new[start : start + MOST])
        return self.run

    def _experiment(self, project: str | None) -> str:
        """The number of the experiment that a project is, by default the first one."""
        entry = self.client.get_experiment_by_name(project or "Default")
        return entry.experiment_id if entry else self.client.create_experiment(project or "Default")

    def log(self, values: dict[str, float], step: int, unit: str) -> None:
        """Takes results."""
        now = int(1000 * time.time())
        metric = self.mlflow.entities.Metric
        self.client.log_batch(self.run, [metric(k, v, now, step) for k, v in values.items()])

    def keep(self, path: str) -> None:
        """Keeps a file among the artifacts of the run."""
        self.client.log_artifact(self.run, path)

    def end(self, is_finished: bool) -> None:
        """Ends the run."""
        if self.is_own:
            self.client.set_terminated(self.run, "FINISHED" if is_finished else "FAILED")
