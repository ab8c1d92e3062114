"""What earlier releases wrote is opened, and gives what it gave."""

import numpy as np
import pytest

from tests.legacy.kinds import KINDS
from tests.legacy.write import FOLDER, read_of

# what trains on: rounding goes on, too
LOOSE = {"checkpoint": 5e-3, "sweep": 1e-3}
MOST = 2 * 2**20  # bytes of all of them together
RELEASES = sorted(folder.name for folder in FOLDER.iterdir() if (folder / "keras").is_dir())


@pytest.mark.promise("Files that this release wrote lie in `tests/legacy/`")
@pytest.mark.promise("| `.keras`, `.h5`, `.weights.h5`, `.safetensors`, folders")
@pytest.mark.promise("| checkpoints, reports, accounts of privacy, sweeps |")
@pytest.mark.promise("| exported programs (`.stablehlo`) |")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("release", RELEASES)
def test_it_gives_what_it_gave(release, kind):
    folder = FOLDER / release / kind
    if not folder.exists():
        pytest.skip(f"{release} did not write it")
    found = {name: np.asarray(value) for name, value in read_of(kind, folder).items()}
    with np.load(folder / "expected.npz") as expected:
        assert found.keys() == set(expected)
        for name, value in expected.items():
            atol = LOOSE.get(kind, 1e-5)
            np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=atol, err_msg=name)


def test_they_are_small():
    sizes = [path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()]
    assert RELEASES and sum(sizes) < MOST
