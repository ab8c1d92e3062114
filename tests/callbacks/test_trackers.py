"""Weights & Biases and MLflow with their own Keras callbacks, offline, where `keras` is jkeras;
each in a process.
"""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

import jkeras

ROOT = pathlib.Path(jkeras.__file__).parents[1]

ALIASES = """
import json, os, sys, types, warnings
import numpy as np
import jkeras

keras = types.ModuleType("keras")
keras.__dict__.update(vars(jkeras))
keras.__version__ = "3.15.1"  # both ask for it
sys.modules["keras"] = keras
x, y = np.ones((32, 3), "float32"), np.ones((32, 1), "float32")
model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(1)])
model.compile("adam", "mse", metrics=["mae"])

def fit(*callbacks):
    options = dict(batch_size=8, epochs=2, verbose=0, validation_data=(x, y))
    return model.fit(x, y, callbacks=list(callbacks), **options).history
"""

# W&B asks TensorFlow for its Keras; nothing else of TensorFlow is used but two classes.
WANDB = (
    ALIASES
    + """
tensorflow = types.ModuleType("tensorflow")
tensorflow.keras = keras
tensorflow.Variable = type("Variable", (), {})
tensorflow.Tensor = type("Tensor", (), {})
sys.modules["tensorflow"] = tensorflow
sys.modules["tensorflow.keras"] = keras
sys.modules["tensorflow.keras.callbacks"] = jkeras.callbacks
import wandb
from wandb.integration.keras import WandbMetricsLogger, WandbModelCheckpoint

run = wandb.init(project="p", settings=wandb.Settings(silent=True))
history = fit(
    WandbMetricsLogger(),
    WandbMetricsLogger(log_freq="batch"),
    WandbModelCheckpoint("m-{epoch}.keras"),
    WandbModelCheckpoint("m-{epoch}-{batch}.weights.h5", save_weights_only=True, save_freq=3),
)
names = "epoch/loss epoch/val_mae epoch/epoch epoch/learning_rate batch/batch_step"
seen = {name: run.summary[name] for name in names.split()}
run.finish()
print(json.dumps([seen, history, sorted(name for name in os.listdir() if name.startswith("m-"))]))
"""
)

MLFLOW = (
    ALIASES
    + """
import mlflow
import mlflow.keras

with mlflow.start_run() as run:
    history = fit(mlflow.keras.MlflowCallback(),
                  mlflow.keras.MlflowCallback(log_every_epoch=False, log_every_n_steps=2))
mlflow.flush_async_logging()
client = mlflow.MlflowClient()
points = {name: [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)]
          for name in ("val_loss", "loss")}
print(json.dumps([points, history, client.get_run(run.info.run_id).data.params["optimizer_name"],
                  [file.path for file in client.list_artifacts(run.info.run_id)]]))
"""
)


def run(name, program, folder):
    """What a program prints in its last line."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"needs {name}")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
    }
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_weights_and_biases(tmp_path):
    seen, history, files = run("wandb", WANDB, tmp_path)
    assert (
        seen["epoch/loss"] == history["loss"][-1]
        and seen["epoch/val_mae"] == history["val_mae"][-1]
    )
    assert seen["epoch/epoch"] == 1 and seen["epoch/learning_rate"] == pytest.approx(0.001)
    assert seen["batch/batch_step"] == 7  # of two epochs of four
    assert files == ["m-1-3.weights.h5", "m-1.keras", "m-2-2.weights.h5", "m-2.keras"]


@pytest.mark.slow
def test_mlflow(tmp_path):
    points, history, optimizer, files = run("mlflow", MLFLOW, tmp_path)
    assert [step for step, _ in points["val_loss"]] == [0, 1]
    assert [value for _, value in points["val_loss"]] == history["val_loss"]
    assert sorted(step for step, _ in points["loss"]) == [0, 1, 2, 4, 6, 8]
    assert optimizer == "adam" and files == ["model_summary.txt"]
