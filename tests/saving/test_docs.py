"""docs/saving.md: its programs run, and the tests that it names are there."""

import os
import pathlib
import re

import numpy as np

import jkeras

ROOT = pathlib.Path(jkeras.__file__).parents[1]
TEXT = (ROOT / "docs" / "saving.md").read_text()


def test_programs_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = jkeras.Sequential([jkeras.Input((4,)), jkeras.layers.Dense(3, name="encoder"), jkeras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    rng = np.random.default_rng(0)
    names = {"model": model, "x": rng.normal(size=(8, 4)).astype("float32"), "y": np.ones((8, 1)), "jkeras": jkeras}
    programs = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    for program in programs:
        exec(program.replace("epochs=50", "epochs=2").replace('checkpoints = Checkpointer("run1"',
                                                              'checkpoints = Checkpointer("run2"'), names)
    assert len(programs) == 4 and {"run1", "run2", "model.keras"} <= set(os.listdir())
    assert "kept" in str(names["checkpoints"].report) and names["checkpoints"].report.restored


def test_the_tests_it_names_are_there():
    named = set(re.findall(r"`(tests/[\w/.]+)`", TEXT))
    assert named and not [name for name in named if not (ROOT / name).exists()]
