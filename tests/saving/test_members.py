"""Checksums of members of archives from their parts, against zlib on the whole."""

import io
import zlib

import jax
import numpy as np
import pytest

from jkeras.saving.members import LARGE, OfRead, OfWritten, joined
from jkeras.core.system.host_memory import HUGE_PAGE, aligned


@pytest.mark.parametrize("sizes", [(0, 0), (5, 0), (0, 7), (1, 1), (1000, 3), (17, 4_000_000)])
def test_joined(sizes):
    rng = np.random.default_rng(0)
    first, second = (rng.bytes(size) for size in sizes)
    assert joined(zlib.crc32(first), zlib.crc32(second), len(second)) == zlib.crc32(first + second)


@pytest.mark.parametrize("seed", range(5))
def test_a_file_written_in_any_order(seed):
    rng = np.random.default_rng(seed)
    before = b"before"
    content = bytearray()
    sums = OfWritten()
    for _ in range(40):
        start = int(rng.integers(0, len(content) + 1))
        part = rng.bytes(int(rng.choice([3, LARGE, 3 * LARGE])))
        content[start : start + len(part)] = part
        sums.add(start, memoryview(part))
    file = io.BytesIO(before + content)
    assert sums.checksum(file, len(before), len(content)) == zlib.crc32(content)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 1, 0)])
def test_a_file_read_in_any_order(order):
    content = np.random.default_rng(0).bytes(4 * LARGE)
    sums = OfRead(io.BytesIO(content), 0, len(content))
    for i in order:
        start = 100 + i * LARGE
        sums.add(start, content[start : start + LARGE])
    assert sums.checksum() == zlib.crc32(content)


@pytest.mark.parametrize("place", [0, LARGE + 5, 3 * LARGE])
def test_what_was_read_counts(place):
    content = bytearray(4 * LARGE)
    sums = OfRead(io.BytesIO(bytes(content)), 0, len(content))
    content[place] ^= 1
    sums.add(0, content)
    assert sums.checksum() == zlib.crc32(content) != zlib.crc32(bytes(len(content)))


@pytest.mark.promise("an eighth more memory at most")
@pytest.mark.parametrize("pages", [0.25, 0.9, 1, 1.01, 7.5, 8.01, 9.2])
def test_whole_pages_take_little_more(pages):
    array = aligned((int(pages * HUGE_PAGE),), "uint8", in_huge_pages=True)
    memory = array
    while isinstance(memory.base, np.ndarray):
        memory = memory.base
    assert memory.nbytes <= array.nbytes * 1.125 + 64


@pytest.mark.parametrize("size", [0, 3, HUGE_PAGE - 5, HUGE_PAGE, 3 * HUGE_PAGE // 2])
def test_memory_that_jax_takes_over(size):
    array = aligned((size,), "uint8", in_huge_pages=True)
    array[:] = np.arange(size) % 251
    taken = jax.device_put(array)
    assert size == 0 or taken.unsafe_buffer_pointer() == array.ctypes.data
    np.testing.assert_array_equal(taken, np.arange(size) % 251)
