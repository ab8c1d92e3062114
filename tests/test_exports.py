"""Public names that are imported on first use, by programs and by files."""

import ast
import importlib
import inspect
import json
import pathlib
import subprocess
import sys

import pytest

import jkeras
from jkeras.core.exports import exported

ROOT = pathlib.Path(jkeras.__file__).parent
PACKAGES = [
    path.parent
    for path in sorted(ROOT.rglob("__init__.py"))
    if "on_first_use=" in path.read_text() and "def exported" not in path.read_text()
]


def is_all(node):
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


def table_of(package):
    """{name: module} of `on_first_use`."""
    body = ast.parse((package / "__init__.py").read_text()).body
    keywords = next(filter(is_all, body)).value.keywords
    return next(ast.literal_eval(k.value) for k in keywords if k.arg == "on_first_use")


def run(program):
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT.parent
    ).stdout


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_names_come_from_their_modules(package):
    table = table_of(package)
    module = importlib.import_module(".".join(package.relative_to(ROOT.parent).parts))
    for name, source in table.items():
        value = getattr(module, name)
        assert name in module.__all__
        if inspect.ismodule(value):
            assert value.__name__ == source
        else:
            assert value is getattr(importlib.import_module(source), name)


def test_there_are_packages_with_such_names():
    assert {"jkeras", "callbacks", "layers", "saving", "utils"} <= {path.name for path in PACKAGES}


def test_other_names_are_missing_as_in_any_module():
    for module in (jkeras, jkeras.layers):
        with pytest.raises(AttributeError, match=f"module '{module.__name__}' has no attribute"):
            module.nonsense  # noqa: B018


def test_a_name_is_imported_once():
    namespace = {"__name__": "demo"}
    assert exported(namespace, on_first_use={"dumps": "json", "dom": "xml.dom"}) == ["dom", "dumps"]
    assert namespace["__getattr__"]("dumps") is json.dumps
    assert namespace["dumps"] is json.dumps
    assert namespace["__getattr__"]("dom").__name__ == "xml.dom"


@pytest.mark.parametrize(
    ("package", "name"),
    [("layers", "StringLookup"), ("layers", "RandomFlip"), ("layers", "Hashing")],
)
def test_a_file_names_a_class_that_no_program_has_asked_for(package, name):
    config = {
        "module": f"keras.{package}",
        "class_name": name,
        "config": {"num_bins": 3} if name == "Hashing" else {},
        "registered_name": None,
    }
    assert name in run(
        "import sys, jkeras\n"
        f"assert 'jkeras.layers.lookup' not in sys.modules\n"
        f"print(jkeras.saving.deserialize_keras_object({config!r}))"
    )


def test_modules_of_older_versions_are_found_in_what_is_not_imported_yet():
    config = {
        "module": "keras.src.layers.preprocessing.string_lookup",
        "class_name": "StringLookup",
        "config": {},
    }
    assert "StringLookup" in run(
        f"import jkeras\nprint(jkeras.saving.deserialize_keras_object({config!r}))"
    )


def test_star_imports_have_all_names():
    assert "ok" in run(
        "from jkeras import *\nfrom jkeras.layers import *\nStringLookup, applications\nprint('ok')"
    )
