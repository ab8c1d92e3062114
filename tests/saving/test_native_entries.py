"""Each entry of `config.json`, changed one at a time: a model of jkeras's own layers computes what
torch computes of the same folder, or is refused; what it writes is what transformers reads.
"""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

import jkeras
from jkeras.saving.hugging_face import entries
from jkeras.saving.hugging_face.native.families import FAMILIES
from tests.saving import native_models, vision_models

ROOT = pathlib.Path(jkeras.__file__).parent.parent
NEEDS = ("transformers", "torch", "safetensors")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, NEEDS)), reason=f"needs {', '.join(NEEDS)}"
    ),
]


def lines_of(name, program="change_native", every=1):
    """What the program says of each change, or of every third one, ..."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", f"tests.saving.{program}", str(every), name],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "JAX_PLATFORMS": "cpu"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def is_right(line):
    """Whether a change is refused, or gives what torch gives, and is written so."""
    if "refused" in line:
        return "damaged" not in line["refused"]
    if line["difference"] == "only ours":  # transformers looks at more than what it computes with
        return True
    return isinstance(line["written"], float) and max(line["difference"], line["written"]) < 1e-5


@pytest.mark.parametrize("name", native_models.FAMILIES)
def test_each_entry_is_computed_or_refused(name):
    lines = lines_of(name)
    assert "difference" in lines[0], lines[0]  # without a change it is read
    assert sum("refused" in line for line in lines) > len(lines) / 5
    assert not [line for line in lines if not is_right(line)]
    # what transformers does not read is of entries that change no output
    free = entries.IGNORED | set(entries.PLAIN) | set(FAMILIES[name].ignored)
    free |= {entry for entry, said in FAMILIES[name].entries.items() if said.kind != "number"}
    others = [line for line in lines if line.get("difference") == "only ours"]
    assert len([line for line in others if not set(line["change"]) & free]) < 25


@pytest.mark.promise("beside it, and those of images")
@pytest.mark.parametrize("name", vision_models.FAMILIES)
def test_each_entry_of_models_of_images_is_computed_or_refused(name):
    lines = lines_of(name, "change_vision", 2)
    assert "difference" in lines[0], lines[0]  # without a change it is read
    assert sum("refused" in line for line in lines) > len(lines) / 5
    assert not [line for line in lines if not is_right(line)]


@pytest.mark.promise("are written back, too")
@pytest.mark.skipif(not importlib.util.find_spec("keras_hub"), reason="needs keras_hub")
def test_what_keras_hub_reads_is_written():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "jkeras", "run", ROOT / "tests/saving/write_hub.py"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "JAX_PLATFORMS": "cpu"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [line["name"] for line in lines] == ["gemma2", "gemma3_text", "mixtral", "qwen2_moe"]
    assert all(line["same bits"] and line["difference"] < 1e-5 for line in lines), lines
