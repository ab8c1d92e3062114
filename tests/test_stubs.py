"""The stubs that type checkers read beside the modules: up to date, and with every public name."""

import ast
import doctest

import pytest

import jkeras
from tests import make_stubs

NAMESPACES = list(make_stubs.namespaces())


@pytest.mark.parametrize("module", NAMESPACES, ids=lambda module: module.__name__)
def test_stubs_are_up_to_date(module):
    place = make_stubs.place(module)
    assert place.exists() and place.read_text() == make_stubs.stub(module), (
        "run `python -m tests.make_stubs`"
    )


@pytest.mark.parametrize("module", NAMESPACES, ids=lambda module: module.__name__)
def test_every_public_name_stands_in_the_stub(module):
    said = set()
    for statement in ast.parse(make_stubs.stub(module)).body:
        if isinstance(statement, ast.ImportFrom):
            said |= {alias.asname or alias.name for alias in statement.names}
        elif isinstance(statement, ast.AnnAssign):
            said.add(statement.target.id)
        elif isinstance(statement, ast.Assign):
            said |= {target.id for target in statement.targets}
        elif isinstance(statement, ast.FunctionDef):
            said.add(statement.name)
    assert set(module.__all__) <= said


def test_the_packages_are_all_found():
    assert {jkeras, jkeras.layers, jkeras.ops, jkeras.ops.nn, jkeras.ops.linalg} <= {*NAMESPACES}


def test_examples():
    done = doctest.testmod(make_stubs)
    assert done.attempted and not done.failed
