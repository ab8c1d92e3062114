"""Folders that transformers writes and reads, through keras-hub on jkeras, beside torch."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

import jkeras

ROOT = pathlib.Path(jkeras.__file__).parent.parent
PROGRAM = ROOT / "tests" / "saving" / "use_transformers.py"
NEEDS = ("keras_hub", "transformers", "torch", "safetensors")
MODELS = (
    "llama",
    "llama-scaled",
    "gpt2",
    "gemma",
    "qwen2",
    "qwen2-tied",
    "mistral",
    "qwen3",
    "bert",
)
# what keras-hub's own converters leave out of config.json: Llama's epsilon and scaled positions,
# Mistral's window
HUB_DIFFERS = ("llama", "llama-scaled", "mistral")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, NEEDS)), reason=f"needs {', '.join(NEEDS)}"
    ),
]


@pytest.fixture(scope="module")
def reports():
    """{name of a model: what the program says of it}."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "jkeras", "run", PROGRAM],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "JAX_PLATFORMS": "cpu"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line["name"]: line for line in lines}


@pytest.mark.promise("`auto_map`, which names code, is not looked at")
@pytest.mark.promise("A folder that transformers")
@pytest.mark.promise("relative to the largest logit")
@pytest.mark.promise("Two things of keras-hub's show")
@pytest.mark.parametrize("name", MODELS)
def test_a_model_comes_from_transformers_and_goes_back(reports, name):
    report = reports[name]
    assert report["read"] < 1e-5
    assert report["bfloat16"] < 2e-2 and report["half"] == "torch.bfloat16"
    # of llama, mistral and qwen3 ours is the smaller by a fifth, of bert the larger by as much
    assert report["error"] < 1.3 * report["error of torch"]
    assert report["written"] < 1e-5 and report["same bits"] and report["shards"] > 1
    assert report.get("generated", True) and report.get("padded", True)
    assert report.get("texts", True)


@pytest.mark.promise("folder of transformers")
@pytest.mark.parametrize("name", [name for name in MODELS if name not in HUB_DIFFERS])
def test_keras_hub_reads_it_itself(reports, name):
    assert reports[name]["hub"] < 1e-5
