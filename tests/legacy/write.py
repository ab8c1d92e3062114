"""Writes the files of this release: `python -m tests.legacy.write`, into tests/legacy/VERSION.

Once for each release; what earlier ones wrote stays as it is.
"""

import pathlib
import shutil
import tempfile

import numpy as np

import jkeras
from tests.legacy.kinds import KINDS

FOLDER = pathlib.Path(__file__).parent


def read_of(kind, folder):
    """What a kind's file gives, read from a copy: a training that goes on writes, too."""
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        return KINDS[kind][1](pathlib.Path(copy))


def main():
    release = FOLDER / jkeras.__version__
    for kind, (write, _) in KINDS.items():
        folder = release / kind
        folder.mkdir(parents=True)
        write(folder)
        np.savez_compressed(folder / "expected.npz", **read_of(kind, folder))


if __name__ == "__main__":
    main()
