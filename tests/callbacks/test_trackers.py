"""Tracker: told to a function; to Weights & Biases, MLflow and Aim themselves, each in a process,
without a network.
"""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import jkeras
from jkeras.callbacks import Tracker

ROOT = pathlib.Path(jkeras.__file__).parents[1]
X, Y = np.ones((32, 3), "float32"), np.ones((32, 1), "float32")

PROGRAM = """
import json, os, sys, time
import numpy as np
import jkeras
from jkeras.callbacks import Tracker

x, y = np.ones((32, 3), "float32"), np.ones((32, 1), "float32")
model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(1)])
model.compile(jkeras.optimizers.Adam(0.01), "mse", metrics=["mae"])

def fit(*trackers, **options):
    options = dict(batch_size=8, epochs=2, verbose=0, validation_data=(x, y)) | options
    return model.fit(x, y, callbacks=list(trackers), **options).history

def goes_on(service):
    "Whether a run that was left goes on as the same one."
    run = service.begin("p", None, {}, None)
    service.log({"a": 1.0}, 0, "epoch")
    service.end(False)
    time.sleep(0.6)  # Aim looks for runs every half a second
    again = service.begin("p", None, {"more": 1}, run)
    service.log({"a": 2.0}, 1, "epoch")
    service.end(True)
    return again == run
"""

WANDB = """
import wandb

tracker = Tracker("wandb", "p", "first", {"note": "n"}, batches=1, model=True, mode="offline",
                  settings=wandb.Settings(silent=True))
seen = {}
end = tracker.service.end

def look(is_finished):
    seen.update(summary=dict(tracker.service.run.summary), config=dict(tracker.service.run.config))
    end(is_finished)

tracker.service.end = look
history = fit(tracker)
assert wandb.run is None  # it has ended
own = wandb.init(project="p", mode="offline", settings=wandb.Settings(silent=True))
fit(Tracker("wandb"), epochs=1)
assert wandb.run is own
seen["own"] = own.summary["epoch/number"]
own.finish()
seen["goes on"] = goes_on(Tracker("wandb", mode="offline").service)
"""

MLFLOW = """
import mlflow

tracker = Tracker("mlflow", "p", "first", {"note": "n", "odd (name)": 1}, batches=1, model=True)
history = fit(tracker)
client = mlflow.MlflowClient()
[run] = client.search_runs([client.get_experiment_by_name("p").experiment_id])
points = lambda name: [[m.step, m.value] for m in client.get_metric_history(run.info.run_id, name)]
seen = {"loss": points("val_loss"), "batch": points("batch/loss"), "params": run.data.params,
        "status": run.info.status, "name": run.info.run_name,
        "files": [file.path for file in client.list_artifacts(run.info.run_id)]}
with mlflow.start_run() as own:
    fit(Tracker("mlflow"), epochs=1)
    seen["own"] = client.get_run(own.info.run_id).info.status, list(client.get_run(
        own.info.run_id).data.metrics)
seen["goes on"] = goes_on(tracker.service)
"""

AIM = """
import aim

tracker = Tracker("aim", "p", "first", {"note": "n"}, batches=1, model=True, repo=".")
history = fit(tracker)
# one that is only for reading sees nothing before Aim's own server has been there
run = aim.Run(tracker.service.run.hash, repo=".", system_tracking_interval=None)
seen = {"name": run.name, "experiment": run.experiment, "note": run["note"],
        "rate": run["optimizer/learning_rate"], "files": list(run.artifacts)}
for metric in run.metrics():
    steps, columns = metric.data.items_list()
    name = f"{metric.name} {metric.context.to_dict()['subset']}"
    seen[name] = [list(map(int, steps)), columns[0]]
run.close()
seen["goes on"] = goes_on(tracker.service)
"""


FLAVOUR = """
mlflow.pyfunc.save_model("flavour", python_model="predictor.py",
                         artifacts={"model": "model.keras"}, pip_requirements=["jkeras"])
served = mlflow.pyfunc.load_model("flavour").predict(x)
seen = float(np.abs(served - model.predict(x, verbose=0)).max())
history = None
"""


def run(name, program, folder):
    """(what a program has seen, its history)"""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"needs {name}")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "WANDB_SILENT": "true",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    program = f"{PROGRAM}{program}\nprint(json.dumps([seen, history], default=str))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def model():
    model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def fit(*callbacks, trained=None, **options):
    options = {"batch_size": 8, "epochs": 2, "verbose": 0} | options
    return (trained or model()).fit(X, Y, callbacks=list(callbacks), **options).history


# ---------------------------------------------------------------- a function


@pytest.mark.promise("A function in the place")
def test_a_function_is_told_of_epochs():
    told = []
    history = fit(Tracker(lambda values, step: told.append((step, values))), validation_data=(X, Y))
    assert [step for step, _ in told] == [0, 1]
    for name, values in history.items():
        assert [results[name] for _, results in told] == values


@pytest.mark.promise("A function in the place")
def test_a_function_is_told_of_batches_now_and_then():
    told = []
    tracker = Tracker(lambda values, step: told.append((step, *values)), batches=3)
    fit(tracker, trained=None)
    batches = [step for step, *names in told if names == ["batch/loss", "batch/mae"]]
    assert batches and batches[0] == 0
    assert (np.diff(batches) >= 3).all() and max(batches) < 8


def test_a_function_that_fails_ends_no_training():
    def fail(values, step):
        raise ConnectionError("no route")

    with pytest.warns(UserWarning, match="ConnectionError: no route") as told:
        assert len(fit(Tracker(fail))["loss"]) == 2
    assert len(told) == 1


class Recording:
    """A service that remembers how it was called."""

    def __init__(self):
        self.calls = []

    def begin(self, project, name, config, run):
        self.config = config
        self.calls.append(("begin", project, name, run))
        return "r1"

    def log(self, values, step, unit):
        self.calls.append(("log", step, unit))

    def keep(self, path):
        self.calls.append(("keep", jkeras.saving.load_model(path).name))

    def end(self, is_finished):
        self.calls.append(("end", is_finished))


def recorded(**options):
    tracker = Tracker(print, "p", "n", **options)
    tracker.service = Recording()
    return tracker


class Stop(jkeras.callbacks.Callback):
    """Interrupts after the first epoch."""

    def on_epoch_end(self, epoch, logs=None):
        raise KeyboardInterrupt


@pytest.mark.promise("`Tracker` | tells Weights & Biases")
@pytest.mark.promise("`Tracker` tells a service")
def test_what_a_service_is_told():
    trained = model()
    tracker = recorded(model=True, config={"note": {"a": 1}, "list": [1, 2]})
    fit(tracker, trained=trained)
    assert tracker.service.calls == [
        ("begin", "p", "n", None),
        *[("log", epoch, "epoch") for epoch in (0, 1)],
        ("keep", trained.name),
        ("end", True),
    ]
    config = tracker.service.config
    assert config["optimizer/class"] == "SGD"
    assert config["optimizer/learning_rate"] == pytest.approx(0.01)
    assert config["model/parameters"] == 4 and config["versions/jkeras"] == jkeras.__version__
    assert config["note/a"] == 1 and config["list"] == "[1, 2]"


@pytest.mark.promise("A training that resumes from a checkpoint continues")
def test_goes_on_in_its_run_after_an_interruption(tmp_path):
    first, second = recorded(), recorded()
    with pytest.raises(KeyboardInterrupt):
        fit(Stop(), first, checkpoint=tmp_path)
    assert first.service.calls[-1] == ("end", False)
    fit(second, checkpoint=tmp_path)
    assert second.service.calls[0] == ("begin", "p", "n", None)  # no epoch had been kept yet
    with pytest.raises(KeyboardInterrupt):
        fit(Stop(), recorded(), epochs=4, checkpoint=tmp_path)
    third = recorded()
    fit(third, epochs=4, checkpoint=tmp_path)
    assert third.service.calls[0] == ("begin", "p", "n", "r1")
    assert third.service.calls[-1] == ("end", True)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="Invalid value for argument `to`"):
        Tracker("wandbb")
    with pytest.raises(ValueError, match="takes no options"):
        Tracker(print, mode="offline")


@pytest.mark.parametrize("name", ["wandb", "mlflow", "aim"])
def test_a_package_that_is_not_there(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"jkeras.callbacks.tracking.{name}", raising=False)
    with pytest.raises(ImportError, match=f"pip install {name}"):
        Tracker(name)


# ---------------------------------------------------------------- the services themselves


@pytest.mark.promise("A run that the program")
@pytest.mark.promise("What follows the named")
@pytest.mark.slow
def test_weights_and_biases(tmp_path):
    seen, history = run("wandb", WANDB, tmp_path)
    summary, config = seen["summary"], seen["config"]
    assert summary["loss"] == history["loss"][-1] and summary["val_mae"] == history["val_mae"][-1]
    assert summary["epoch/number"] == 1 and summary["batch/number"] == 7  # of two epochs of four
    assert config["note"] == "n" and config["optimizer/learning_rate"] == pytest.approx(0.01)
    assert seen["own"] == 0 and seen["goes on"]
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) >= 3


@pytest.mark.promise("A run that the program")
@pytest.mark.promise("What follows the named")
@pytest.mark.slow
def test_mlflow(tmp_path):
    seen, history = run("mlflow", MLFLOW, tmp_path)
    assert seen["loss"] == [[epoch, value] for epoch, value in enumerate(history["val_loss"])]
    assert seen["batch"][-1][0] == 7 and seen["batch"][-1][1] == history["loss"][-1]
    assert seen["status"] == "FINISHED" and seen["name"] == "first"
    assert seen["params"]["optimizer/class"] == "Adam" and seen["params"]["odd _name_"] == "1"
    assert seen["files"] == ["model.keras"]
    assert seen["own"][0] == "RUNNING" and "loss" in seen["own"][1]
    assert seen["goes on"]


@pytest.mark.promise("What follows the named")
@pytest.mark.slow
def test_aim(tmp_path):
    seen, history = run("aim", AIM, tmp_path)
    assert seen["loss train"] == [[0, 1], history["loss"]]
    assert seen["mae val"] == [[0, 1], history["val_mae"]]
    assert seen["batch/loss train"][0][-1] == 7
    assert seen["name"] == "first" and seen["experiment"] == "p" and seen["note"] == "n"
    assert seen["rate"] == pytest.approx(0.01) and seen["files"] == ["model.keras"]
    assert seen["goes on"]


@pytest.mark.promise("keeps it, and `mlflow.pyfunc.load_model(…).predict(x)`")
@pytest.mark.slow
def test_a_model_that_mlflow_serves(tmp_path):
    page = (ROOT / "docs" / "callbacks.md").read_text()
    [block] = [text for text in page.split("```python\n") if "class Predictor" in text]
    (tmp_path / "predictor.py").write_text(block.split("```")[0])
    program = f"import mlflow\nmodel.save('model.keras')\n{FLAVOUR}"
    assert run("mlflow", program, tmp_path) == [0.0, None]
