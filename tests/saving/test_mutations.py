"""Thousands of damaged files: each gives the good weights or the one error, soon, in bounded
memory, in its folder.
"""

import os
import subprocess
import sys

import pytest

from tests.saving import mutations
from tests.thinning import in_turn


def run(folder, first, count, *names):
    """What a child, whose home and temporary files are in the folder, says of so many mutations of
    each format.
    """
    (folder / "tmp").mkdir()
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.getcwd(),
        "HOME": str(folder),
        "TMPDIR": str(folder / "tmp"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.saving.mutations", str(first), str(count), *names],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert sorted(os.listdir(folder)) == ["tmp"] and os.listdir(folder / "tmp") == []
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


@pytest.mark.promise("What is wrong with a file is one kind of error")
def test_some_mutations(tmp_path):
    assert run(tmp_path, 0, 20, *mutations.FORMATS) == ""


@pytest.mark.parametrize("name", in_turn(mutations.FORMATS, 3))
def test_many_mutations(name, tmp_path):
    assert run(tmp_path, 20, 900, name) == ""
