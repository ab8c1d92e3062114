"""Memory that rows are read into on their way to a step: it is used again, never while someone
holds it, and where rows lie as the device wants them they are not copied at all.
"""

import functools
import threading
import time
import weakref

import jax
import numpy as np
import pytest

from jkeras.core.system import host_memory
from jkeras.core.system.host_memory import SMALLEST, MemoryPool, is_aligned
from jkeras.training.data import ArraySource, array_source, chunk_feed, copying
from jkeras.training.data.chunk_feed import ChunkFeed
from jkeras.training.data.feeds import HostFeed, batches_of
from jkeras.training.data.making import make_source
from jkeras.training.data.reading import read, read_range

ROWS, WIDTH, BATCH = 203, 32, 8
X = np.random.default_rng(0).normal(size=(ROWS, WIDTH)).astype("float32")
LARGE = SMALLEST // 4  # numbers of float32 that a pool keeps


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch):
    monkeypatch.setattr(array_source, "ON_DEVICE_LIMIT", 0)
    monkeypatch.setattr("jkeras.core.system.host_memory.SMALLEST", 0)
    monkeypatch.setattr("jkeras.training.data.placement.SMALLEST", 0)
    for name in ("BYTES", "BYTES_ON_CPU"):
        monkeypatch.setattr(chunk_feed, name, 4 * BATCH * WIDTH * 4)
    monkeypatch.setattr(chunk_feed, "FEW", 4)


# ---------------------------------------------------------------- the pool


def place_of(array):
    return array.ctypes.data


@pytest.mark.parametrize(
    "hold", [lambda a: a, lambda a: a[3:5], lambda a: memoryview(a), jax.device_put]
)
def test_memory_that_someone_holds_is_not_given_again(hold):
    pool = MemoryPool(3)
    array = pool.aligned((LARGE,), "float32")
    array[...] = 1
    place, held = place_of(array), hold(array)
    del array
    other = pool.aligned((LARGE,), "float32")
    other[...] = 2
    assert place_of(other) != place
    np.testing.assert_array_equal(np.asarray(held), 1)


def test_threads_that_ask_at_the_same_time_get_memory_of_their_own(monkeypatch):
    pool, ruined = MemoryPool(2), []
    count = host_memory._holders

    def slowly(kept, number):
        found = count(kept, number)
        time.sleep(1e-3)  # in which another thread may ask
        return found

    def use(number):
        for _ in range(10):
            array = pool.aligned((64,), "int32")
            array[...] = number
            time.sleep(1e-3)
            ruined.extend(array[array != number].tolist())
            del array

    monkeypatch.setattr(host_memory, "_holders", slowly)
    threads = [threading.Thread(target=use, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ruined == []


def test_memory_that_nobody_holds_is_given_again_in_any_shape_and_type():
    pool = MemoryPool(3)
    place = place_of(pool.aligned((LARGE,), "float32"))
    again = pool.aligned((2, LARGE // 2, 4), "uint8")
    assert place_of(again) == place and is_aligned(again)
    assert again.shape == (2, LARGE // 2, 4) and again.dtype == np.uint8


def test_what_is_beyond_the_most_is_not_kept():
    pool = MemoryPool(2)
    arrays = [pool.aligned((LARGE,), "float32") for _ in range(4)]
    assert len({place_of(array) for array in arrays}) == 4
    kept = {place_of(array) for array in arrays[:2]}
    arrays.clear()
    assert {place_of(pool.aligned((LARGE,), "float32")) for _ in range(3)} <= kept


def test_memory_of_sizes_that_are_not_asked_for_any_more_is_given_back():
    """As of batches each of which has a length of its own."""
    pool = MemoryPool(2)
    sizes = [LARGE + number for number in range(10)]
    owners = [weakref.ref(pool.aligned((size,), "float32").base) for size in sizes]
    assert [owner() is not None for owner in owners] == [False] * 8 + [True] * 2


def test_programs_that_still_run_keep_their_memory():
    """Nothing waits for a program before the next array is written."""
    pool = MemoryPool(8)
    product = jax.jit(lambda a: (a @ a).sum())
    results = []
    for number in range(60):
        array = pool.aligned((256, 256), "float32")
        array[...] = number
        results.append(product(array))
        del array
    wanted = [256.0**3 * number**2 for number in range(60)]
    np.testing.assert_allclose(results, wanted, 1e-5)


# ---------------------------------------------------------------- chunks of rows


def in_map(folder, array, mode="r"):
    np.save(folder / "rows.npy", array)
    return np.load(folder / "rows.npy", mmap_mode=mode)


def in_hdf5(folder, array):
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "rows.h5", "w") as file:
        file["rows"] = array
    return h5py.File(folder / "rows.h5")["rows"]


def read_only(folder, array):
    array = array.copy()
    array.flags.writeable = False
    return array


KINDS = {
    "array": lambda folder: X,
    "read-only array": lambda folder: read_only(folder, X),
    "array in another order": lambda folder: np.asfortranarray(X),
    "memory map": lambda folder: in_map(folder, X),
    "memory map to write to": lambda folder: in_map(folder, X, "r+"),
    "memory map of float64": lambda folder: in_map(folder, X.astype("float64")),
    "memory map of odd rows": lambda folder: in_map(folder, X[:, :7]),
    "memory map of no columns": lambda folder: in_map(folder, X[:, :0]),
    "hdf5": lambda folder: in_hdf5(folder, X),
    "hdf5 of float64": lambda folder: in_hdf5(folder, X.astype("float64")),
}


@pytest.mark.parametrize("shuffle", [False, "batch", True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("padded", [None, BATCH])
def test_the_steps_of_chunks_are_rows_of_numpy(kind, shuffle, padded, tmp_path):
    rows = KINDS[kind](tmp_path)
    labels = np.arange(ROWS, dtype="int64")
    source = ArraySource(rows, labels, batch_size=BATCH, shuffle=shuffle)
    order, _ = source.steps(3, 1, padded)
    wanted, found = np.asarray(rows)[...].astype("float32"), []
    feed = ChunkFeed(source, 3, 1, 2, padded)
    while feed.at < feed.whole:
        for work in feed.take(3):
            (x, y, _), places, first, steps = work.arguments
            for step in places[first : first + steps]:
                valid = step < len(y)
                found.append((np.asarray(x)[step[valid]], np.asarray(y)[step[valid]]))
    feed.close()
    assert len(found) == len(order) - 2
    for (x, y), numbers in zip(found, order[2:]):
        numbers = numbers[numbers < ROWS]
        np.testing.assert_array_equal(y, numbers)
        np.testing.assert_array_equal(x, wanted[numbers])
        assert x.dtype == np.float32 and y.dtype == np.int32


@pytest.mark.parametrize("mode, is_shared", [("r", True), ("r+", False)])
@pytest.mark.parametrize("shuffle", [False, "batch"])
def test_a_memory_map_for_reading_goes_to_the_step_without_a_copy(
    mode, is_shared, shuffle, tmp_path
):
    rows = in_map(tmp_path, X, mode)
    feed = ChunkFeed(ArraySource(rows, batch_size=BATCH, shuffle=shuffle), 0, 0, 0, None)
    (work,) = feed.take(4)
    data = work.arguments[0][0]
    feed.close()
    assert np.shares_memory(data, rows) is is_shared and is_aligned(data)


# ---------------------------------------------------------------- batches of iterables


def test_batches_that_do_not_lie_as_a_cpu_wants_them_are_handed_over_so():
    memory = np.zeros(X.nbytes + 64, np.uint8)
    start = 4 - memory.ctypes.data % 4 + 4
    odd = memory[start : start + X.nbytes].view("float32").reshape(X.shape)
    odd[...] = X
    batches = [(odd[i : i + BATCH], np.arange(i, i + BATCH)) for i in range(0, 96, BATCH)]
    source = make_source(batch for batch in batches)
    feed = HostFeed(source, lambda: batches_of(source, 0, 0, 0), 0, None, True, False)
    found = [work.arguments[0] for work in feed.take(len(batches))]
    feed.close()
    assert all(is_aligned(x) and is_aligned(y) for x, y, _ in found)
    for (x, y, _), (wanted, labels) in zip(found, batches, strict=True):
        np.testing.assert_array_equal(x, wanted)
        np.testing.assert_array_equal(y, labels)


def fed(source, ahead=True):
    """What the steps of an epoch take."""
    batches = functools.partial(batches_of, source, 0, 0, 0)
    feed = HostFeed(source, batches, 0, None, ahead, False)
    found = [work.arguments[0] for work in feed.take(10**6)]
    feed.close()
    return found


def aligned_copy(array):
    found = host_memory.aligned(array.shape, array.dtype)
    found[...] = array
    return found


@pytest.mark.promise("They may fill the same array for each batch")
@pytest.mark.parametrize("smallest", [0, 2**30])
def test_a_batch_stays_as_it_is_where_a_generator_fills_the_same_arrays(monkeypatch, smallest):
    """A step may run when the generator has gone on: all see what was yielded."""
    monkeypatch.setattr("jkeras.training.data.placement.SMALLEST", smallest)
    x, y = aligned_copy(X[:BATCH]), aligned_copy(np.zeros((BATCH, 1), "float32"))

    def batches():
        for number in range(6):
            x[...], y[...] = number, 2 * number
            yield x, y

    found = fed(make_source(batches()), ahead=False)
    for number, (rows, labels, _) in enumerate(found):
        assert (np.asarray(rows) == number).all() and (np.asarray(labels) == 2 * number).all()
    assert len(found) == 6


@pytest.mark.parametrize("shuffle", [False, "batch", True])
def test_arrays_that_change_while_a_step_waits(shuffle):
    """A batch that was taken has the rows that were there then."""
    rows = aligned_copy(X)
    source = ArraySource(rows, np.arange(ROWS), batch_size=BATCH, shuffle=shuffle)
    found = fed(source)
    rows[...] = -1
    for x, y, _ in found:
        np.testing.assert_array_equal(x, X[np.asarray(y)])


# ---------------------------------------------------------------- reading by several threads


def variants(dtype):
    """(name, array) that lie in memory in all ways."""
    whole = np.random.default_rng(1).integers(0, 2, (151, 6, 7)).astype(dtype)
    readonly = whole.copy()
    readonly.flags.writeable = False
    yield "as they come", whole
    yield "in the order of Fortran", np.asfortranarray(whole)
    yield "backwards", whole[::-1]
    yield "columns backwards", whole[:, ::-1, ::2]
    yield "every third", np.repeat(whole, 3, 0)[::3]
    yield "readonly", readonly
    yield "the same row", np.broadcast_to(whole[:1], whole.shape)
    yield "no numbers", whole[:, :0]
    yield "odd rows", whole[:, 0, :3]
    yield "one axis", whole[:, 0, 0]


DTYPES = "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 float32".split()


@pytest.mark.parametrize("threads", [1, 3, 4])
@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_that_threads_read_are_those_of_numpy(monkeypatch, dtype, threads):
    monkeypatch.setattr(copying, "MOST_THREADS", threads)
    monkeypatch.setattr(copying, "_cores", lambda: threads)
    for name in ("FEWEST_IN_ORDER", "jkeras.training.data.reading.FEWEST_SCATTERED"):
        place = name if "." in name else f"jkeras.training.data.copying.{name}"
        monkeypatch.setattr(place, 1)
    pool = MemoryPool(3)
    order = np.random.default_rng(2).integers(0, 151, 67)
    for name, array in variants(dtype):
        with copying.helpers():
            found, part = read(array, order, pool), read_range(array, slice(3, 92), pool)
        wanted = array.astype(jax.dtypes.canonicalize_dtype(dtype))
        assert found.dtype == part.dtype == wanted.dtype, name
        np.testing.assert_array_equal(found, wanted[order], err_msg=name)
        np.testing.assert_array_equal(part, wanted[3:92], err_msg=name)


def test_an_error_in_a_thread_comes_when_all_have_ended(monkeypatch):
    monkeypatch.setattr(copying, "_cores", lambda: 3)
    ended = []

    def copy(part):
        if not part.start:
            raise OSError("the disk")
        time.sleep(0.05)
        ended.append(part.start)

    with pytest.raises(OSError, match="the disk"), copying.helpers():
        copying.in_parts(copy, np.zeros((9, 8)), 1)
    assert sorted(ended) == [3, 6]


def test_helpers_that_end_in_another_order():
    """As generators in one thread may: what is open copies, and nothing asks a pool that ended."""
    values = np.arange(2**22, dtype="float32").reshape(8, -1)
    first, second = copying.helpers(), copying.helpers()
    first.__enter__()
    second.__enter__()
    for opened in (first, second):
        opened.__exit__(None, None, None)
        out = np.empty_like(values)
        copying.in_parts(lambda part, out=out: np.copyto(out[part], values[part]), out, 2**20)
        np.testing.assert_array_equal(out, values)
