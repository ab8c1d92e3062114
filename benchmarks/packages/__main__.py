"""Runs the tests of packages that were written for Keras 3, under Keras on JAX and with jkeras in
its place.

    python -m benchmarks.packages                            # all, in an environment made for them
    python -m benchmarks.packages --only bayesflow --python PYTHON   # in one that is there already

Sources come from the package registry, into --folder. Writes the figures of docs/compatibility.md,
and prints each test that passes under Keras and not under jkeras; the exit status is 1 if there is
one.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tarfile
import venv
import xml.etree.ElementTree as ElementTree
from typing import NamedTuple

from benchmarks import kept

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COMMON = ("keras==3.15.1", "pytest", "pytest-timeout")


class Package(NamedTuple):
    """One package: what to install, which of its tests to run, what stands in for Keras's private
    modules.
    """

    requirement: str
    tests: tuple = ()  # paths in its sources
    needs: tuple = ()  # what its tests import
    private: dict = {}
    program: str = ""  # of ours, for a package that ships no tests
    alone: bool = False  # install it without what it says that it needs


PACKAGES = {
    "bayesflow": Package(
        "bayesflow==2.0.11",
        tuple(
            f"tests/test_{part}"
            for part in (
                "adapters",
                "links",
                "metrics",
                "distributions",
                "datasets",
                "utils",
                "scoring_rules",
                "simulators",
            )
        ),
        ("nbconvert", "ipykernel", "pytest-rerunfailures"),
        {"keras.src.callbacks.history": "jkeras.callbacks"},
    ),
    "keras-climate": Package(
        "keras-climate==0.1.1",
        tuple(
            f"keras_climate/{part}"
            for part in (
                "losses",
                "operators",
                "forecasting",
                "transforms/test_sar.py",
                "transforms/test_color.py",
                "transforms/test_temporal.py",
            )
        ),
        ("einops",),
    ),
    "k3-node": Package(
        "k3-node==1.0.0",
        tuple(
            f"k3_node/{part}"
            for part in (
                "applications",
                "data",
                "datasets",
                "etl",
                "hub",
                "layers",
                "loader",
                "models",
                "rag",
                "tasks",
                "test_docstring_examples.py",
                "transforms",
            )
        ),
        ("torch", "networkx", "scikit-learn"),
    ),
    "scikit-keras": Package("scikit-keras==0.4.1", ("tests",)),
    "visualkeras": Package(
        "visualkeras==0.2.0",
        tuple(f"tests/test_{part}.py" for part in ("graph", "layer_utils", "layered", "utils")),
    ),
    "keras-tuner": Package("keras-tuner==1.4.8", needs=("six",), program="use_keras_tuner.py"),
    "keras-rs": Package(
        "keras-rs==0.4.0",
        program="use_keras_rs.py",
    ),
    "keras-hub": Package(
        "keras-hub==0.32.0",
        needs=("absl-py", "kagglehub", "regex", "rich", "sentencepiece", "tokenizers"),
        program="use_keras_hub.py",
        alone=True,
    ),
    # written for tf.keras, or with private modules of Keras, or small
    "scikeras": Package("scikeras==0.13.0", program="use_scikeras.py"),
    "kimm": Package("kimm==0.2.5", program="use_kimm.py", alone=True),
    "keras-aug": Package("keras-aug==1.1.1", program="use_keras_aug.py", alone=True),
    "keras-tcn": Package(
        "keras-tcn==3.5.7", needs=("tensorflow-cpu",), program="use_keras_tcn.py", alone=True
    ),
    "spektral": Package(
        "spektral==1.3.1",
        needs=("tensorflow-cpu", "lxml", "networkx", "requests", "scikit-learn", "tqdm"),
        program="use_spektral.py",
        alone=True,
    ),
    "keras-self-attention": Package(
        "keras-self-attention==0.51.0", program="use_keras_self_attention.py", alone=True
    ),
    "keras-unet-collection": Package(
        "keras-unet-collection==0.1.13",
        needs=("tensorflow-cpu",),
        program="use_keras_unet_collection.py",
        alone=True,
    ),
    "shap": Package("shap==0.51.0", program="use_shap.py"),
    "lime": Package("lime==0.2.0.1", program="use_lime.py"),
    "imbalanced-learn": Package(
        "imbalanced-learn==0.14.2", needs=("tensorflow-cpu",), program="use_imbalanced_learn.py"
    ),
    "optuna-integration": Package(
        "optuna-integration==5.0.0", needs=("optuna", "tqdm"), program="use_optuna.py"
    ),
    "livelossplot": Package(
        "livelossplot==0.6.1", needs=("ipython", "bokeh"), program="use_livelossplot.py"
    ),
}


# by package: the modules that its program imports besides Keras
IMPORTED = {
    "scikeras": ("scikeras", "sklearn"),
    "kimm": ("kimm",),
    "keras-aug": ("keras_aug",),
    "keras-tcn": ("tcn", "tensorflow"),
    "spektral": ("spektral", "tensorflow"),
    "keras-self-attention": ("keras_self_attention", "tensorflow"),
    "keras-unet-collection": ("keras_unet_collection", "tensorflow"),
    "shap": ("shap",),
    "lime": ("lime",),
    "imbalanced-learn": ("imblearn", "tensorflow"),
    "optuna-integration": ("optuna", "optuna_integration", "tqdm"),
    "livelossplot": ("livelossplot",),
}


def run(*command, **options):
    """A command that has to succeed."""
    subprocess.run([str(part) for part in command], check=True, **options)


def make_environment(folder, packages):
    """A Python with Keras, jkeras and the packages; that of an earlier run if it is there."""
    python = folder / "venv" / "bin" / "python"
    if not python.exists():
        venv.create(folder / "venv", with_pip=True)
    run(
        python,
        "-m",
        "pip",
        "install",
        "-q",
        ROOT,
        *COMMON,
        *(p.requirement for p in packages if not p.alone),
        *(need for p in packages for need in p.needs),
    )
    for package in packages:
        if package.alone:
            run(python, "-m", "pip", "install", "-q", "--no-deps", package.requirement)
    return python


def fetch(package, folder):
    """The folder of a package's sources, tests among them."""
    # as a pattern: registries write "-" and "_"
    stem = package.requirement.replace("-", "?").replace("==", "-")
    if not list(folder.glob(f"{stem}/")):
        run(
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-binary",
            ":all:",
            "-d",
            folder,
            package.requirement,
        )
        with tarfile.open(next(folder.glob(f"{stem}.tar.gz"))) as file:
            file.extractall(folder, filter="data")
    return next(folder.glob(f"{stem}/"))


def command_of(package, as_keras, report):
    """The arguments of Python that run a package's tests, or our program for it."""
    if package.program:
        what = (HERE / package.program,)
    else:
        what = (
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-o",
            "addopts=",
            "--timeout=600",
            f"--junitxml={report}",
            *package.tests,
        )
    stand_ins = [f"--private={name}={module}" for name, module in package.private.items()]
    return ["-m", "jkeras", "run", *stand_ins, *what] if as_keras else what


def run_one(name, python, folder, as_keras, limit):
    """{test: "passed", "failed" or "skipped"} of a package under one of the two; for a program, its
    lines.
    """
    package, report = PACKAGES[name], folder / f"{name}-{'jkeras' if as_keras else 'keras'}.xml"
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "MPLBACKEND": "agg",
    }
    environment["PYTHONPATH"] = str(ROOT) if as_keras else ""
    where = folder if package.program else fetch(package, folder)
    try:
        done = subprocess.run(
            [str(part) for part in (python, *command_of(package, as_keras, report))],
            cwd=where,
            env=environment,
            capture_output=True,
            text=True,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return {f"took more than {limit} s": "failed"}
    report.with_suffix(".log").write_text(done.stdout + done.stderr)
    if package.program:
        return (
            dict.fromkeys(done.stdout.splitlines(), "passed")
            if done.returncode == 0
            else {"the program": "failed"}
        )
    return dict(map(outcome, ElementTree.parse(report).getroot().iter("testcase")))


def outcome(case):
    """(name, what became of it) of one test in a report."""
    kinds = {child.tag for child in case}
    word = (
        "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
    )
    return f"{case.get('classname')}::{case.get('name')}", word


def counted(name, keras, jkeras):
    """The line of the table for one package."""
    counts = [
        [list(results.values()).count(word) for word in ("passed", "failed", "skipped")]
        for results in (keras, jkeras)
    ]
    return {
        "package": PACKAGES[name].requirement.replace("==", " "),
        "what": PACKAGES[name].program or f"{len(keras)} tests",
        "keras": counts[0],
        "jkeras": counts[1],
    }


def main():
    """Runs, keeps the counts, prints the differences."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(PACKAGES), default=list(PACKAGES))
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("/tmp/jkeras-packages"))
    parser.add_argument("--python", help="an interpreter that has Keras and the packages")
    parser.add_argument(
        "--limit", type=int, default=3600, help="seconds for one run of a package's tests"
    )
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    python = given.python or make_environment(given.folder, [PACKAGES[name] for name in given.only])
    lost = []
    for name in given.only:
        keras, jkeras = (
            run_one(name, python, given.folder, as_keras, given.limit) for as_keras in (False, True)
        )
        kept.keep("packages", name, counted(name, keras, jkeras))
        lost += [
            f"{name}: {test}"
            for test, word in keras.items()
            if word == "passed" and jkeras.get(test) != "passed"
        ]
    print(*lost, sep="\n")
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()
