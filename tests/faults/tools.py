"""What the tests of faults share: a small model, one with everything that has state, programs in
other processes.
"""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np

import jkeras
from jkeras import layers
from jkeras.training.step.state import train_key

ROOT = pathlib.Path(__file__).parents[2]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 4)).astype("float32")
Y = (X[:, :1] * X[:, 1:2] > 0).astype("float32")
BATCH, STEPS = 8, 4  # rows of a batch, batches of an epoch


def plain(optimizer="adam", **options):
    """A compiled model of two layers, whose weights are the same each time."""
    model = jkeras.Sequential(
        [jkeras.Input((4,)), layers.Dense(3, "tanh", name="a"), layers.Dense(1, name="b")],
        name="net",
    )
    model.compile(optimizer, "mse", **options)
    fill(model, 0.1)
    return model


def rich():
    """Dropout, BatchNormalization, a schedule, an average of the weights and accumulated
    gradients.
    """
    model = jkeras.Sequential(
        [
            jkeras.Input((4,)),
            layers.Dense(6, name="a"),
            layers.BatchNormalization(name="n"),
            layers.Dropout(0.3, name="d"),
            layers.Dense(1, "sigmoid", name="b"),
        ]
    )
    rate = jkeras.optimizers.schedules.CosineDecay(0.05, 30)
    model.compile(
        jkeras.optimizers.Adam(rate, use_ema=True, ema_momentum=0.8, gradient_accumulation_steps=2),
        "binary_crossentropy",
        metrics=["accuracy"],
    )
    return model


def fill(model, value):
    """Gives every weight of a model the same number."""
    model.set_weights([np.full(w.shape, value, w.dtype) for w in model.get_weights()])


def everything(model):
    """{name: array} of all that a training has changed in a model."""
    named = [
        *((v.path, v) for v in model.variables),
        *((f"optimizer/{i}", v) for i, v in enumerate(model.optimizer.variables)),
    ]
    return {"step": np.asarray(model._step), "key": np.asarray(train_key(model))} | {
        name: np.asarray(v.value) for name, v in named
    }


def assert_same(a, b):
    """Two results of `everything` are equal, bit for bit."""
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def assert_usable(model, x=X, y=Y):
    """A model has all its weights, finite ones, and can predict and be trained on."""
    assert all(np.isfinite(value).all() for value in everything(model).values())
    assert np.isfinite(model.predict(x, batch_size=len(x) // 2, verbose=0)).all()
    assert np.isfinite(model.fit(x, y, batch_size=BATCH, verbose=0).history["loss"]).all()


# ---------------------------------------------------------------- processes


def command(*arguments):
    """The command line of a program of `programs.py`."""
    return [sys.executable, "-m", "tests.faults.programs", *map(str, arguments)]


def start(*arguments, before=(), **environment):
    """Starts a program of `programs.py`.

    Args:
        before: a command that runs it.
    """
    return subprocess.Popen(
        [*before, *command(*arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf8",
        errors="replace",
        env={**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT), **environment},
    )


def result(process, code=0):
    """What a program printed last, as JSON, once it has ended with a status."""
    out, errors = process.communicate(timeout=600)
    assert process.returncode == code, (
        f"status {process.returncode}\n{out[-2000:]}\n{errors[-5000:]}"
    )
    return json.loads(out.splitlines()[-1]) if out.strip() else None


def run(*arguments, **options):
    """`result` of a program that is started and waited for."""
    return result(start(*arguments, **options))
