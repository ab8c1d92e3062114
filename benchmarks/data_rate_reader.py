"""One process of `benchmarks.data_rate`: writes its rows in all formats, and makes a pass over them
in each way that it is told, one a line.
"""

import functools
import io
import json
import os
import pathlib
import sys
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

import jkeras
from benchmarks.data_rate import BASE, BATCH, KEPT, SETS
from jkeras.training.data import array_source, make_source
from jkeras.training.data.array_source import ArraySource
from jkeras.training.data.chunk_feed import ChunkFeed, steps_of_chunk
from jkeras.training.data.feeds import HostFeed, batches_of

IN_FLIGHT = 48  # batches: two chunks of eight wait, one is read, three belong to steps
touch = jax.jit(lambda arrays: [array.ravel()[0] for array in arrays])


class Rows(NamedTuple):
    """The rows of this process, in memory and as files in a folder."""

    array: np.ndarray
    folder: pathlib.Path

    @property
    def map(self) -> np.memmap:
        """Those of rows.npy, which is written when it is first asked for."""
        path = self.folder / "rows.npy"
        if not path.exists():
            np.save(path, self.array)
        return np.load(path, mmap_mode="r")

    def part(self, parts: int) -> "Rows":
        """The first of so many parts."""
        folder = self.folder / str(parts)
        folder.mkdir(exist_ok=True)
        return Rows(self.array[: len(self.array) // parts], folder)

    def of_bytes(self, text: Any) -> np.ndarray:
        """One row, or several, of their bytes."""
        return np.frombuffer(text, self.array.dtype).reshape(-1, *self.array.shape[1:])


def rows_of(name: str, count: int, folder: pathlib.Path) -> Rows:
    """So many rows of a set."""
    _, shape, dtype = SETS[name]
    numbers = np.random.default_rng(0).random((count, *shape), "float32")
    return Rows((256 * numbers).astype(dtype), folder)


class Kind(NamedTuple):
    """A kind of data.

    Attributes:
        alone: the batches that a plain loop over its own library gives.
        given: what `fit` is given.
        parts: in how many the rows are cut, of which a pass has one.
    """

    alone: Callable[[Rows], Iterable[np.ndarray]]
    given: Callable[[Rows], Any]
    shuffle: bool | str = False
    parts: int = 1


class Again:
    """An iterable whose iterators a function makes."""

    def __init__(self, make: Callable[[], Iterator]) -> None:
        self.make = make

    def __iter__(self) -> Iterator:
        return self.make()


# ---------------------------------------------------------------- rows by number


def starts(array: Any) -> range:
    """The first rows of the batches."""
    return range(0, len(array), BATCH)


def copied(array: np.ndarray) -> Iterator[np.ndarray]:
    """Batches in order."""
    for start in starts(array):
        yield np.array(array[start : start + BATCH])


@functools.cache
def room_for(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Memory that the system has given already."""
    return np.zeros(shape, dtype)


def kept(array: np.ndarray) -> Iterator[np.ndarray]:
    """Batches in order, of which the last ones stay in memory, as many as a feed holds."""
    room = room_for((IN_FLIGHT, BATCH, *array.shape[1:]), array.dtype)
    for number, start in enumerate(starts(array)):
        found = room[number % IN_FLIGHT]
        found[...] = array[start : start + BATCH]
        yield found


def shuffled(array: np.ndarray) -> Iterator[np.ndarray]:
    """Batches of rows from everywhere."""
    order = np.random.permutation(len(array))
    for start in starts(array):
        yield array[order[start : start + BATCH]]


def mixed(array: Any) -> Iterator[np.ndarray]:
    """Batches in order, the rows of each mixed."""
    for start in starts(array):
        yield array[start : start + BATCH][np.random.permutation(BATCH)]


def hdf5(rows: Rows) -> Any:
    """The array of an HDF5 file, in chunks of a batch."""
    import h5py

    path = rows.folder / "rows.h5"
    if not path.exists():
        with h5py.File(path, "w") as file:
            chunks = (BATCH, *rows.array.shape[1:])
            file.create_dataset("rows", data=rows.array, chunks=chunks)
    return h5py.File(path)["rows"]


# ---------------------------------------------------------------- Grain


class Blocks:
    """Whole batches by number, as a source of Grain: parts of a memory map, not copied."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = np.asarray(array)

    def __len__(self) -> int:
        return len(self.array) // BATCH

    def __getitem__(self, number: int) -> np.ndarray:
        return self.array[number * BATCH : (number + 1) * BATCH]


def grain_rows(rows: Rows) -> Any:
    """A MapDataset of single rows."""
    import grain

    return grain.MapDataset.source(rows.map).map(np.asarray).batch(BATCH)


def grain_loader(rows: Rows) -> Any:
    """The same by a DataLoader."""
    import grain

    sampler = grain.samplers.IndexSampler(
        len(rows.array), grain.sharding.NoSharding(), shuffle=False, num_epochs=1
    )
    return grain.DataLoader(
        data_source=[*rows.array], sampler=sampler, operations=[grain.transforms.Batch(BATCH)]
    )


def grain_blocks(rows: Rows) -> Any:
    """A MapDataset of whole batches."""
    import grain

    return grain.MapDataset.source(Blocks(rows.map))


def read_little(data: Any) -> Any:
    """A MapDataset that one thread reads, as much ahead as `fit` needs."""
    import grain

    return data.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=2))


def array_record(rows: Rows) -> Any:
    """A MapDataset of records of whole batches."""
    import grain
    from array_record.python import array_record_module

    path = str(rows.folder / "rows.array_record")
    if not os.path.exists(path):
        writer = array_record_module.ArrayRecordWriter(path, "group_size:1,uncompressed")
        for batch in copied(rows.array):
            writer.write(batch.tobytes())
        writer.close()
    source = grain.sources.ArrayRecordDataSource(path)
    return grain.MapDataset.source(source).map(rows.of_bytes)


# ---------------------------------------------------------------- Parquet


def parquet(rows: Rows) -> pathlib.Path:
    """A file with a column of bytes of a fixed size, in row groups of 16 batches."""
    import pyarrow
    import pyarrow.parquet

    path = rows.folder / "rows.parquet"
    if not path.exists():
        data = pyarrow.py_buffer(rows.array)
        kind = pyarrow.binary(rows.array[0].nbytes)
        column = pyarrow.Array.from_buffers(kind, len(rows.array), [None, data])
        table = pyarrow.table({"x": column})
        pyarrow.parquet.write_table(
            table, path, row_group_size=16 * BATCH, use_dictionary=False, compression="none"
        )
    return path


def parquet_batches(rows: Rows) -> Iterator[np.ndarray]:
    """Batches of a Parquet file."""
    import pyarrow.parquet

    row_bytes = rows.array[0].nbytes
    with pyarrow.parquet.ParquetFile(parquet(rows)) as file:
        for batch in file.iter_batches(BATCH, columns=["x"]):
            column = batch.column(0)
            found = np.frombuffer(column.buffers()[1], np.uint8)[column.offset * row_bytes :]
            yield rows.of_bytes(found[: len(column) * row_bytes])


def table(rows: Rows) -> Any:
    """A data set of Hugging Face."""
    import datasets

    datasets.disable_progress_bars()
    folder = rows.folder / "arrow"
    if not folder.exists():
        flat = rows.array.reshape(len(rows.array), -1)
        feature = datasets.Sequence(datasets.Value(str(rows.array.dtype)), length=flat.shape[1])
        made = datasets.Dataset.from_dict({"x": flat}, datasets.Features({"x": feature}))
        made.save_to_disk(folder)
    return datasets.load_from_disk(folder)


def table_batches(rows: Rows) -> Iterator[np.ndarray]:
    """Batches of it."""
    for batch in table(rows).with_format("numpy").iter(BATCH):
        yield batch["x"]


# ---------------------------------------------------------------- tars


def tar(rows: Rows) -> pathlib.Path:
    """An archive with a file of bytes for each row."""
    path = rows.folder / "rows.tar"
    if not path.exists():
        with tarfile.open(path, "w") as archive:
            for number, row in enumerate(rows.array):
                member = tarfile.TarInfo(f"{number:08}.x")
                member.size = row.nbytes
                archive.addfile(member, io.BytesIO(row.tobytes()))
    return path


def webdataset(rows: Rows) -> Any:
    """The batches of WebDataset."""
    import webdataset

    data = webdataset.WebDataset(str(tar(rows)), shardshuffle=False)
    data = data.to_tuple("x").map_tuple(lambda text: rows.of_bytes(text)[0])
    return data.batched(BATCH, collation_fn=lambda samples: np.stack([x for (x,) in samples]))


@functools.cache
def places_in(path: pathlib.Path) -> list[tuple[int, int]]:
    """(first byte, bytes) of the files of a tar."""
    with tarfile.open(path) as archive:
        return [(one.offset_data, one.size) for one in archive]


class Tar(jkeras.utils.PyDataset):
    """Batches of a tar by number, of the places of its files."""

    def __init__(self, rows: Rows) -> None:
        super().__init__()
        self.bytes = np.asarray(np.memmap(tar(rows), "uint8", "r"))
        self.rows = rows
        self.places = places_in(tar(rows))

    def __len__(self) -> int:
        return -(-len(self.places) // BATCH)

    def __getitem__(self, number: int) -> np.ndarray:
        places = self.places[number * BATCH : (number + 1) * BATCH]
        data = np.stack([self.bytes[start : start + size] for start, size in places])
        return self.rows.of_bytes(data)


def by_number(data: Tar) -> Iterator[np.ndarray]:
    """Its batches, one after another."""
    return (data[number] for number in range(len(data)))


def tar_batches(rows: Rows) -> Iterator[np.ndarray]:
    """Batches of `tarfile`."""
    with tarfile.open(tar(rows)) as archive:
        found = []
        for member in archive:
            found.append(rows.of_bytes(archive.extractfile(member).read())[0])
            if len(found) == BATCH:
                yield np.stack(found)
                found = []


KINDS = {
    "NumPy array": Kind(lambda r: copied(r.array), lambda r: r.array),
    "NumPy array, shuffled": Kind(lambda r: shuffled(r.array), lambda r: r.array, True),
    "np.memmap": Kind(lambda r: copied(r.map), lambda r: r.map),
    'np.memmap, shuffle="batch"': Kind(lambda r: mixed(r.map), lambda r: r.map, "batch"),
    "np.memmap, shuffled": Kind(lambda r: shuffled(r.map), lambda r: r.map, True),
    "HDF5": Kind(lambda r: copied(hdf5(r)), hdf5),
    'HDF5, shuffle="batch"': Kind(lambda r: mixed(hdf5(r)), hdf5, "batch"),
    "Grain, whole batches": Kind(lambda r: map(np.array, grain_blocks(r)), grain_blocks),
    "Grain, whole batches, one thread": Kind(
        lambda r: map(np.array, read_little(grain_blocks(r))),
        lambda r: read_little(grain_blocks(r)),
    ),
    "Grain, ArrayRecord of whole batches": Kind(
        lambda r: read_little(array_record(r)), lambda r: read_little(array_record(r))
    ),
    "Grain, rows": Kind(grain_rows, grain_rows, parts=4),
    "Grain, rows, DataLoader": Kind(grain_loader, grain_loader, parts=8),
    "Parquet, pyarrow": Kind(parquet_batches, lambda r: Again(lambda: parquet_batches(r))),
    "Arrow, datasets": Kind(table_batches, table, parts=4),
    "WebDataset": Kind(webdataset, webdataset, parts=8),
    "tar, tarfile": Kind(tar_batches, lambda r: Again(lambda: tar_batches(r)), parts=8),
    "tar, by place": Kind(lambda r: by_number(Tar(r)), Tar, parts=8),
}


# ---------------------------------------------------------------- passes


def feed_of(source: Any, epoch: int) -> Any:
    """The feed that `fit` takes an epoch from."""
    if isinstance(source, ArraySource) and steps_of_chunk(source) > 1:
        return ChunkFeed(source, 0, epoch, 0, None)
    return HostFeed(source, lambda: batches_of(source, 0, epoch, 0), 0, None, True, False)


def passes(source: Any) -> Iterator[None]:
    """A pass over a source, each time it is asked for one."""
    epoch = 0
    while True:
        feed = feed_of(source, epoch)
        last = None
        while feed.more(None):
            for work in feed.take(256):
                last = touch(jax.tree_util.tree_leaves(work.arguments))
                feed.dispatched(last)
        jax.block_until_ready(last)
        feed.close()
        epoch += 1
        yield


def drained(batches: Iterable[np.ndarray]) -> None:
    """Goes through all."""
    for _ in batches:
        pass


def by_hand(kind: Kind, rows: Rows) -> None:
    """The same pass as a loop of one's own: each batch goes to the compiled function."""
    last = None
    for batch in kind.alone(rows):
        last = touch([batch])
    jax.block_until_ready(last)


def ways(rows: Rows) -> dict[str, tuple[Callable[[], Any], int]]:
    """{name: (a way to make a pass, in how many parts the rows are cut for it)}"""
    found = {
        BASE: (lambda: drained(copied(rows.map)), 1),
        KEPT: (lambda: drained(kept(rows.map)), 1),
    }
    for name, kind in KINDS.items():
        part = rows.part(kind.parts)
        source = make_source(kind.given(part), batch_size=BATCH, shuffle=kind.shuffle)
        found[f"{name}, alone"] = functools.partial(by_hand, kind, part), kind.parts
        found[f"{name}, fed"] = passes(source).__next__, kind.parts
    return found


def main(name: str, folder: str) -> None:
    """Tells the ways, then answers to each with the processor's seconds that it took."""
    array_source.ON_DEVICE_LIMIT = 0  # as if the rows were too many for the device
    known = ways(rows_of(name, int(os.environ["ROWS"]), pathlib.Path(folder)))
    print(json.dumps({way: parts for way, (_, parts) in known.items()}), flush=True)
    for line in sys.stdin:
        begin = time.process_time()
        known[line.strip()][0]()
        print(time.process_time() - begin, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
