"""The notebooks of colab/ run from the first cell to the last, in a short form, in the environment
of the tests.
"""

import importlib.util
import json
import pathlib
import re
import sys

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

import jkeras

ROOT = pathlib.Path(__file__).parent.parent
COLAB = ROOT / "colab"

# name: what the cell of parameters says instead, how many pictures there are, what must be printed
SHORT = {
    "quickstart": (
        dict(EPOCHS=4),
        3,
        [r"test accuracy: 0\.9", r"together: 0\.9", "the same predictions: True"],
    ),
    "coming_from_keras": (
        dict(EPOCHS=3),
        3,
        [r"Keras's predictions and ours: \S+e-0[5-9]|ours: 0\.0e\+00"],
    ),
    "functional": (
        dict(STEPS=300),
        1,
        [r"test accuracy: 0\.[89]", "same output: True", "all equal: True"],
    ),
    "research": (
        dict(MEMBERS=4, ENSEMBLE_STEPS=200, MAML_STEPS=200),
        4,
        [r"best: 0\.9", "200 new waves"],
    ),
    "circuits": (
        dict(STEPS=2500),
        1,
        [r"accuracy on what can be known: (1\.|0\.9)", "induction head: layer 1"],
    ),
    "explain_and_protect": (
        dict(EPOCHS=6, HARD_EPOCHS=8, PRIVATE_EPOCHS=20),
        5,
        [
            r"test accuracy: 0\.[789]",  # 0.799 to 0.82 after six epochs, by the processor
            r"the lowest peak of a map: 0\.(0[1-9]|[1-9])",
            r"under attack: 0\.[0-6]",
            r"hardened, under attack: 0\.[6-9]",
            r"private: 0\.[89]\d*, epsilon (3\.00|2\.99)",
            r"plain: area under the curve 0\.[789]",
            r"private: area under the curve 0\.[45]",
        ],
    ),
    "cartpole": (
        dict(SEEDS=1, STEPS=7500),
        1,
        [r"best policies: (4[0-9]|500)", r"first part: (\d\d?|1\d\d)\."],
    ),
    "diffusion": (
        dict(STEPS=800, EPOCHS=15),
        1,
        [
            r"test digits 0\.9\d*, drawn ones (1\.|0\.9)",
            r"distance of drawn digits: [1-9]\.",
            r"shuffled pixels: \d\d",
        ],
    ),
    "double_descent": (
        dict(EXAMPLES=100, SEEDS=3),
        1,
        [r"at the peak: (1|0\.9)\.?\d* ", r"at the peak: 0\.[6-9]", r"less by: 0\.[01]\d*[1-9]"],
    ),
    "grokking": (
        dict(SEEDS=1, STEPS=5000),
        1,
        [
            r"as many: ([5-9]|\d\d)\.",
            r"in the end: (1\.|0\.99)",
            r"in 7 of 23 frequencies: 0\.[89]",
            r"before training: 0\.3",
        ],
    ),
    "lottery": (
        dict(SEEDS=2, STEPS=300),
        1,
        [
            r"whole network: 0\.9[6-9]",
            r"20 % less that: (\+|-0\.0[01])",
            r"20 % less new weights: \+0\.0[1-9]",
        ],
    ),
    "maml": (
        dict(STEPS=1500),
        1,
        [r"10 points, error after a step: [01]\.", r"10 points: .* as large: [2-9]"],
    ),
    "neural_ode": (
        dict(SEEDS=1, STEPS=500),
        1,
        [r"adjoint gradient: \S+e-0[5-8]", r"begin elsewhere: 0\.[01]"],
    ),
    "vae": (
        dict(SEEDS=1, STEPS=2000),
        1,
        [r"of more samples: 0\.", r"training on 5 samples: 0\.[01]"],
    ),
    "language_models": (
        dict(EPOCHS=2, TUNING=2, DEPTH=1, WIDTH=64, SMALL=32, LETTERS_READ=200_000),
        1,
        [
            r"has not seen: [23]\.",
            "no capitals: True",
            r"of the schema: \['count', 'name'\]|for grammars",
            "the same text: True",
            "2 have ended",
            "streamed: True in",
            r"as alone: True",
            r"the weights are those of before: True",
        ],
    ),
    "transfer_learning": (
        dict(EPOCHS=4, DATA="digits", WEIGHTS=None, ROWS=8, LARGE_EPOCHS=1),
        2,
        [r"upright digits: 0\.9", "'head'", "with the last block"],
    ),
    "tpu": (
        dict(
            DATA="digits",
            ROWS=128,
            WIDTH=8,
            BATCH=64,
            EPOCHS=2,
            TEXT_WIDTH=32,
            BLOCKS=2,
            CONTEXT=32,
            TEXT_BATCH=32,
            TEXT_EPOCHS=2,
            CHARACTERS=10_000,
        ),
        1,
        [
            "images a second",
            "characters a second",
            "in epoch 3: the machine is gone",
            "epochs run by this call: 1, epochs in the history: 3",
            "goodput of all runs so far",
            r"%  \S+ ms  \d+ times",
            "the same predictions: True",
            r"for \('tpu', 'cpu', 'cuda'\)",
            "the program gives the same classes: True",
        ],
    ),
}


@pytest.fixture
def kernels(tmp_path, monkeypatch):
    """A kernel named python3 that is this very interpreter, whatever else is registered on the
    machine.
    """
    spec = tmp_path / "kernels" / "python3"
    spec.mkdir(parents=True)
    spec.joinpath("kernel.json").write_text(
        json.dumps(
            {
                "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                "display_name": "Python 3",
                "language": "python",
            }
        )
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    # a kernel shows its figures, unless that says otherwise
    monkeypatch.delenv("MPLBACKEND", raising=False)


def shortened(notebook, parameters):
    """The notebook with other parameters, each of which it must have."""
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    names = {}
    exec(cell.source, names)
    assert set(parameters) <= set(names), (
        "a parameter that the notebook does not have would shorten nothing"
    )
    cell.source += "".join(f"\n{name} = {value!r}" for name, value in parameters.items())
    return notebook


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORT)
def test_notebook(name, kernels, tmp_path):
    parameters, pictures, wanted = SHORT[name]
    notebook = shortened(nbformat.read(COLAB / f"{name}.ipynb", as_version=4), parameters)
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    outputs = [
        output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs
    ]
    text = "".join(output.get("text", "") for output in outputs)
    assert [pattern for pattern in wanted if not re.search(pattern, text)] == [], text
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= pictures
    assert "NO ACCELERATOR" not in text  # the tests run on a machine without one


def test_transfer_learning_runs_without_a_network(monkeypatch, capsys):
    """The digits and random weights stand in for what cannot be downloaded."""

    def unreached(*args, **options):
        if options.get("weights", "imagenet") is not None:
            raise OSError("the server is not reached")
        return jkeras.Sequential([jkeras.Input((32, 32, 3)), jkeras.layers.Flatten()])

    monkeypatch.setattr(jkeras.datasets.cifar10, "load_data", unreached)
    monkeypatch.setattr(jkeras.applications, "VGG16", unreached)
    source = (COLAB / "sources" / "transfer_learning.py").read_text()
    *_, cell = [part for part in source.split("# %%") if "def photographs" in part]
    names = {"DATA": "cifar10", "WEIGHTS": "imagenet", "ROWS": 8, "compiled": lambda *_: None}
    names |= {"np": np, "jkeras": jkeras, "layers": jkeras.layers}
    exec(cell, names)
    assert names["photos"].shape == (8, 8, 8, 3) and names["photos"].max() == 240
    assert names["large"].output_shape == (None, 10)
    assert capsys.readouterr().out.count("the server is not reached\nWithout it: ") == 2


def test_every_notebook_has_a_short_form():
    assert {path.stem for path in COLAB.glob("*.ipynb")} == set(SHORT)


def test_notebooks_are_what_their_sources_make():
    assert make().main(check=True) == [], "run `python colab/make.py`"


@pytest.mark.parametrize("name", SHORT)
def test_what_a_stranger_needs_stands_at_the_top(name):
    notebook = nbformat.read(COLAB / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    head, install = notebook.cells[:2]
    address = make().REPOSITORY
    assert head.source.startswith("# ") and f"{address}/blob/main/colab/{name}.ipynb" in head.source
    assert "except ImportError" in install.source and f"github.com/{address}" in install.source
    assert "report_devices()" in install.source
    assert not any(cell.get("outputs") for cell in notebook.cells)


def make():
    """The module colab/make.py."""
    spec = importlib.util.spec_from_file_location("colab_make", COLAB / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_cells_of_a_source():
    source = (
        "# %% [markdown]\n# # Title\n#\n# Text.\n\n"
        "# %% parameters\nA = 1\n\n\n"
        "# %%\nprint(A)  # %% no cell\n"
    )
    assert list(make().cells_of(source)) == [
        ("markdown", "# Title\n\nText."),
        ("parameters", "A = 1"),
        ("code", "print(A)  # %% no cell"),
    ]
    with pytest.raises(ValueError, match=r"Received: '# %% \[code\]'"):
        list(make().cells_of("# %% [code]\n1\n"))
