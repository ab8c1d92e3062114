"""Public names that are imported on first use, by programs and by files."""

import ast
import importlib
import json
import pathlib
import subprocess
import sys

import pytest

import jkeras
from jkeras.core.names.exports import exported

ROOT = pathlib.Path(jkeras.__file__).parent
PACKAGES = [
    path.parent
    for path in sorted(ROOT.rglob("__init__.py"))
    if "on_first_use=" in path.read_text() and "def exported" not in path.read_text()
]


def table_of(package):
    """{module: names} of `on_first_use`."""
    tree = ast.parse((package / "__init__.py").read_text())
    keywords = (node for node in ast.walk(tree) if isinstance(node, ast.keyword))
    return next(ast.literal_eval(k.value) for k in keywords if k.arg == "on_first_use")


def run(program):
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT.parent
    ).stdout


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_names_come_from_their_modules(package):
    table = table_of(package)
    module = importlib.import_module(".".join(package.relative_to(ROOT.parent).parts))
    for source, names in table.items():
        for name in names.split():
            name, _, other = name.partition("=")
            assert name in dir(module)
            assert getattr(module, name) is getattr(importlib.import_module(source), other or name)
        if not names:
            assert getattr(module, source.rpartition(".")[2]).__name__ == source


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_no_name_is_that_of_a_file(package):
    """Python gives the package an attribute for each file that is imported, and never asks for the
    name then.
    """
    files = {path.stem for path in package.iterdir()}
    names = " ".join(table_of(package).values()).split()
    assert not files & {name.partition("=")[0] for name in names}


def test_there_are_packages_with_such_names():
    assert {"jkeras", "callbacks", "layers", "saving", "utils"} <= {path.name for path in PACKAGES}


def test_other_names_are_missing_as_in_any_module():
    for module in (jkeras, jkeras.layers):
        with pytest.raises(AttributeError, match=f"module '{module.__name__}' has no attribute"):
            module.nonsense  # noqa: B018


def test_a_name_is_imported_once():
    namespace = {"__name__": "demo"}
    table = {"json": "dumps loads=loads", "xml.dom": ""}
    assert exported(namespace, on_first_use=table) == ["dom", "dumps", "loads"]
    assert namespace["__getattr__"]("dumps") is json.dumps
    assert namespace["dumps"] is json.dumps
    assert namespace["__getattr__"]("dom").__name__ == "xml.dom"


FORKS = """
import os, sys, jkeras
assert "jkeras.layers.lookup" not in sys.modules
for program in {programs!r}:
    child = os.fork()
    if child == 0:
        exec(program)
        sys.stdout.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, program
"""


def run_each(*programs):
    """What they print together, each in a process that has imported no more than `jkeras`."""
    return run(FORKS.format(programs=programs)).splitlines()


def test_files_name_classes_that_no_program_has_asked_for():
    """The last one is named by a module of older versions."""
    older = "keras.src.layers.preprocessing.string_lookup"
    named = [
        ("keras.layers", "StringLookup", {}),
        ("keras.layers", "RandomFlip", {}),
        ("keras.layers", "Hashing", {"num_bins": 3}),
        (older, "StringLookup", {}),
    ]
    configs = [
        {"module": module, "class_name": name, "config": config, "registered_name": None}
        for module, name, config in named
    ]
    del configs[-1]["registered_name"]
    read = "print(jkeras.saving.deserialize_keras_object({!r}))".format
    found = run_each(*(read(config) for config in configs))
    assert all(name in line for (_, name, _), line in zip(named, found, strict=True))


def test_star_imports_have_all_names():
    program = "from jkeras import *\nfrom jkeras.layers import *\nStringLookup, applications"
    assert run(f"{program}\nprint('ok')") == "ok\n"
