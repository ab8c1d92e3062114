"""What HDF5 writes piece by piece: the file has the same bytes in fewer writes, and an error of a
later write is still one.
"""

import errno
import io

import h5py
import numpy as np
import pytest

from jkeras.saving.files import LARGE
from jkeras.saving.hdf5_writing import Patient, writing


class Disk(io.BytesIO):
    """A file that counts what is written to it, and has room for so many bytes."""

    def __init__(self, room=2**30):
        super().__init__()
        self.room = room
        self.writes = 0

    def write(self, data):
        self.writes += 1
        if self.tell() + len(data) > self.room:
            raise OSError(errno.ENOSPC, "no room")
        return super().write(data)


def fill(file, arrays=40):
    for i in range(arrays):
        group = file.create_group(f"layers/layer_{i}/vars")
        group.create_dataset("0", data=np.full(5, i, "float32"))
    file.create_dataset("large", data=np.arange(LARGE, dtype="float64"))


def test_the_bytes_are_those_of_h5py_in_fewer_writes():
    plain, gathered = Disk(), Disk()
    with h5py.File(plain, "w") as file:
        fill(file)
    with writing(gathered) as file:
        fill(file)
    assert gathered.getvalue() == plain.getvalue()
    assert gathered.writes < plain.writes / 3


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.999])
def test_a_disk_that_is_full_at_any_place(share):
    whole = Disk()
    with writing(whole) as file:
        fill(file)
    room = int(len(whole.getvalue()) * share)
    with pytest.raises(OSError, match="no room"), writing(Disk(room)) as file:
        fill(file)


@pytest.mark.parametrize("seed", range(3))
def test_written_and_read_in_any_order(seed):
    """Against a plain file: what is read is what was written before, gathered or not."""
    rng = np.random.default_rng(seed)
    plain, patient = io.BytesIO(), Patient(io.BytesIO())
    for _ in range(300):
        if rng.random() < 0.3:  # elsewhere; else right behind
            place = int(rng.integers(0, len(plain.getvalue()) + 1))
            plain.seek(place)
            patient.seek(place)
        if rng.random() < 0.8:
            part = rng.bytes(int(rng.choice([1, 40, 500, LARGE])))
            assert patient.write(part) == plain.write(part)
        else:
            there = plain.read(60)
            buffer = bytearray(len(there))
            patient.readinto(buffer)
            assert bytes(buffer) == there
    patient.flush()
    assert patient.error is None
    assert patient.file.getvalue() == plain.getvalue()
