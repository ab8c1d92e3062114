"""What every script of examples/ compiles lowers for TPUs and GPUs: its train steps, and the loops
of its own.
"""

import inspect
import os
import subprocess
import sys

import jax
import pytest

from jkeras.training.shell.compilable import Compilable
from tests.platforms.lowering import Lowering
from tests.quick_xla import flags_for
from tests.test_examples import EXAMPLES, load
from tests.thinning import in_turn

SHORT = {"epochs": 1, "few_epochs": 1, "members": 2, "tasks": 2}  # and 2 of what is called steps
FEW = {  # what else is less of; the same functions are compiled
    "explain_images": {"count": 4},
    "language_model": {"share": 0.1, "tuning": 1},
}
PARTS = {  # what an example does in processes that it starts
    "kill_and_resume": lambda module, folder: module.train(folder, epochs=1, killed_at=0),
    "two_processes": lambda module, folder: module.train(epochs=1),
}
DEVICES = {"many_devices": 8}  # needs a process that has as many


def in_short(main):
    """The arguments that make an example short."""
    return {
        name: SHORT.get(name, 2)
        for name in inspect.signature(main).parameters
        if name in SHORT or name.endswith("steps")
    }


def lower(name, folder, monkeypatch):
    """Runs an example in short; (functions that were lowered, models that were compiled)."""
    lowering, models, compile_model = Lowering(), [], Compilable.compile

    def remembered(self, *arguments, **more):
        models.append(self)
        return compile_model(self, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(jax, "jit", lowering)
        patch.setattr(Compilable, "compile", remembered)
        module = load(name)
        if name in PARTS:
            PARTS[name](module, folder)
        else:
            module.main(**in_short(module.main), **FEW.get(name, {}))
    return lowering.lowered, models


def check(name, folder, monkeypatch):
    """What `test_examples_lower` is about, in the process at hand."""
    functions, models = lower(name, folder, monkeypatch)
    for model in models:  # the steps of `fit` are among them
        steps = [
            f
            for key, f in model._functions.items()
            if key[0].startswith("train_") and hasattr(f, "traces")
        ]
        assert bool(steps) == hasattr(model, "history")
        lowered = [getattr(f, "func", f) for f in functions]  # a step is jitted under a name
        assert all(step._traced in lowered for step in steps)
    assert any(
        getattr(function, "__module__", "").startswith("example_") for function in functions
    ) or any(hasattr(model, "history") for model in models)


NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", in_turn(NAMES, 4))
def test_examples_lower(name, tmp_path, monkeypatch):
    if name not in DEVICES:
        return check(name, tmp_path, monkeypatch)
    program = (
        "import pathlib, sys, pytest\nfrom tests.platforms import test_examples\n"
        "test_examples.check(sys.argv[1], pathlib.Path(sys.argv[2]), pytest.MonkeyPatch())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, name, str(tmp_path)],
        cwd=EXAMPLES.parent,
        text=True,
        env={**os.environ, "XLA_FLAGS": flags_for(DEVICES[name])},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
