"""Thousands of damaged files: each gives the good weights or the one error, soon, in bounded
memory, in its folder.
"""

import os
import subprocess
import sys

import pytest

from tests.saving import mutations
from tests.thinning import tiers


def run(folder, name, first, count):
    """What a child, whose home and temporary files are in the folder, says of so many mutations."""
    (folder / "tmp").mkdir()
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.getcwd(),
        "HOME": str(folder),
        "TMPDIR": str(folder / "tmp"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.saving.mutations", name, str(first), str(count)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert sorted(os.listdir(folder)) == ["tmp"] and os.listdir(folder / "tmp") == []
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


@pytest.mark.promise("What is wrong with a file is one kind of error")
@pytest.mark.parametrize("name", mutations.FORMATS)
def test_some_mutations(name, tmp_path):
    assert run(tmp_path, name, 0, 20) == ""


@pytest.mark.parametrize("name", tiers(mutations.FORMATS, slow=["x.keras"]))
def test_many_mutations(name, tmp_path):
    assert run(tmp_path, name, 20, 900) == ""
