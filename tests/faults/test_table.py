"""Each promise of the table of faults has tests, and they exist."""

import ast

import pytest

from tests.faults import ROWS
from tests.faults.tools import ROOT

CONTRACT = ROOT.parent / "shared" / "design" / "TRUST.md"


@pytest.mark.parametrize("row", ROWS)
def test_the_tests_of_a_row_exist(row):
    for name in ROWS[row]:
        file, _, function = name.partition("::")
        tree = ast.parse((ROOT / "tests" / file).read_text())
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, (
            name
        )


@pytest.mark.skipif(not CONTRACT.exists(), reason="the contract lies beside the repository")
def test_every_row_of_the_contract_is_there():
    lines = CONTRACT.read_text().partition("## Faults")[2].partition("\n## ")[0].splitlines()
    faults = [line.split("|")[1].strip() for line in lines if line.startswith("|")][2:]
    assert list(ROWS) == faults
