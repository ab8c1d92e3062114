"""Fine-tuning by all means at once: a base in four bits with an adapter, half precision,
microbatches, chats and texts mixed and packed; killed in the middle of epochs, and its memory.
"""

import json
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest

import jkeras
from tests.lora import all_at_once

pytest.importorskip("jinja2")
ROOT = pathlib.Path(__file__).parents[2]


def run(folder, kill=0):
    """What the program exits with."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.lora.all_at_once", str(folder), str(kill)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False, timeout=600).returncode


@pytest.mark.slow
@pytest.mark.promise("a kill in the middle of an epoch")
def test_killed_in_the_middle_of_epochs(tmp_path):
    assert run(tmp_path / "whole") == 0
    for kill in (2, 4):
        assert run(tmp_path / "again", kill) == -9
    assert run(tmp_path / "again") == 0
    whole, again = (np.load(tmp_path / name / "end.npz") for name in ("whole", "again"))
    assert len(whole.files) > 12
    for name in whole.files:
        np.testing.assert_array_equal(whole[name], again[name])
    losses = json.loads((tmp_path / "whole" / "losses.json").read_text())
    assert len(losses) == 3 and losses[-1] < losses[0]
    assert losses[1:] == json.loads((tmp_path / "again" / "losses.json").read_text())[-2:]


@pytest.fixture
def half_precision():
    jkeras.config.set_dtype_policy("mixed_bfloat16")
    yield
    jkeras.config.set_dtype_policy("float32")


@pytest.mark.promise("an eighth of the kernels")
def test_memory_by_plan(half_precision):
    """Kernels of four bits, an adapter and its moments alone in float32, activations of a
    microbatch.
    """
    shape = all_at_once.ROWS, all_at_once.LENGTH
    ids = jax.ShapeDtypeStruct(shape, "int32")
    batch = {name: ids for name in ("tokens", "segment_ids", "positions")}

    def plan(**options):
        model = all_at_once.compiled(**options)
        return model, model.plan((batch, ids)).memory

    model, tuned = plan()
    _, full = plan(few_bits=False, lora=None)
    adapter = model.lora.nbytes
    kernels = sum(4 * v.size for v in all_at_once.language_model().trainable_variables)
    assert full.parameters == kernels
    assert full.optimizer >= 2 * full.parameters
    assert 2 * adapter <= tuned.optimizer < 2 * adapter + 1024
    # a half byte a number, its scales, and the float32 of the biases and the adapter
    assert tuned.parameters + tuned.state < kernels / 8 + adapter + 0.1 * kernels
    _, in_one = plan(microbatches=1)
    assert tuned.temporary < in_one.temporary
    assert tuned.total < 0.6 * full.total
