"""Everything that the notebooks of colab/ compile, compiled for TPUs by their own compiler, where
the extra `aot` is installed.

Each notebook runs in a process of its own: that compiler ends one that has flags of the one for
CPUs, as the other tests have.
"""

import ast
import importlib.util
import json
import os
import subprocess
import sys

import pytest

from tests.platforms.notebook import COLAB, ROOT
from tests.test_notebooks import SHORT
from tests.thinning import is_turn

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="takes the extra `aot`"),
]
# what is less than in the tests of what they print; the same functions are compiled
FEW = {
    "quickstart": {"EPOCHS": 1},
    "coming_from_keras": {"EPOCHS": 1},
    "functional": {"STEPS": 20},
    "research": {"MEMBERS": 2, "ENSEMBLE_STEPS": 20, "MAML_STEPS": 20},
    "circuits": {"STEPS": 100},
    "cartpole": {"STEPS": 500},
    "diffusion": {"STEPS": 20, "EPOCHS": 1},
    "grokking": {"STEPS": 300},
    "lottery": {"SEEDS": 1, "STEPS": 20},
    "maml": {"STEPS": 20},
    "neural_ode": {"STEPS": 20},
    "vae": {"STEPS": 20},
    "explain_and_protect": {"EPOCHS": 1, "HARD_EPOCHS": 1, "PRIVATE_EPOCHS": 2},
    "language_models": {"EPOCHS": 1, "TUNING": 1, "LETTERS_READ": 50_000},
    "transfer_learning": {"EPOCHS": 1},
}
# what calls Python from within, where a library for grammars is installed
LEFT = {"language_models": {"prefill", "decode"}}
# of Colab, and of Kaggle
ONE, EIGHT = ("v5e:1x1", "v6e:1x1"), ("v5e:2x4",)
CASES = [(name, ONE if name == "tpu" else ONE[:1], 1) for name in SHORT] + [("tpu", EIGHT, 8)]
TURNS = 3  # days in which `.ci/run` has them all: `-m "slow and not resting"`


def compiled(name, topologies, cores, folder):
    """What `notebook.run` says in a process that has so many devices."""
    parameters = SHORT[name][0] | FEW.get(name, {})
    environment = {
        **os.environ,
        "XLA_FLAGS": "",
        "JAX_NUM_CPU_DEVICES": str(cores),
        "MPLBACKEND": "Agg",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    command = [sys.executable, "-m", "tests.platforms.notebook", name, ",".join(topologies)]
    done = subprocess.run(
        [*command, json.dumps(parameters)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def attributes_of(name):
    """The names behind the dots in the source of a notebook: those of `model.fit` and `jax.jit`."""
    tree = ast.parse((COLAB / "sources" / f"{name}.py").read_text(encoding="utf-8"))
    return [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]


def in_turn(number, case):
    """A case, which rests unless it is its turn."""
    return pytest.param(*case, marks=[] if is_turn(number, TURNS) else [pytest.mark.resting])


@pytest.mark.parametrize("name, topologies, cores", [in_turn(*row) for row in enumerate(CASES)])
def test_notebooks_compile_for_tpus(name, topologies, cores, tmp_path):
    """All that is jitted, and the programs of each call of `fit`, `evaluate` and `predict`; that
    these are among it is asserted where they are called.
    """
    found = compiled(name, topologies, cores, tmp_path)
    assert set(found["left"]) <= LEFT.get(name, set())
    called = attributes_of(name)
    assert found["own"] == called.count("jit")
    for method in ("fit", "evaluate", "predict"):
        assert found["calls"].get(method, 0) >= (method in called)
    least = found["own"] + len(found["calls"])
    assert set(found["compiled"]) == set(topologies) and min(found["compiled"].values()) >= least
