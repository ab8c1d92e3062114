"""The kinds of data that the tests of this folder go through, each made from the same rows."""

import tempfile

import numpy as np
import pytest

import jkeras

SIZE, BATCH = 11, 4  # three batches, the last of three rows
X = np.random.default_rng(0).normal(size=(SIZE, 4)).astype("float32")
Y = (X.sum(1, keepdims=True) > 0).astype("float32")
W = np.linspace(0.2, 2, SIZE, dtype="float32")
CLASSES = {0: 0.5, 1: 3.0}


def batches(parts):
    return [tuple(part[i : i + BATCH] for part in parts) for i in range(0, SIZE, BATCH)]


class Batches(jkeras.utils.PyDataset):
    """Batches by number; `mistake(i)` runs before batch i is made."""

    def __init__(self, parts, mistake=None, **kwargs):
        super().__init__(**kwargs)
        self.items, self.mistake = batches(parts), mistake

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        if self.mistake is not None:
            self.mistake(i)
        return self.items[i]


class Again:
    """An iterable of batches that starts again."""

    def __init__(self, parts):
        self.items = batches(parts)

    def __iter__(self):
        return iter(self.items)


class Rows:
    """Single samples by number, as torch and grain want them; `mistake(i)` runs before sample i is
    made.
    """

    def __init__(self, parts, mistake=None):
        self.parts, self.mistake = parts, mistake

    def __len__(self):
        return len(self.parts[0])

    def __getitem__(self, i):
        if self.mistake is not None:
            self.mistake(i)
        return tuple(part[i] for part in self.parts)


def names_of(parts):
    return dict(zip(("x", "y", "sample_weight"), parts))


def _arrays(convert):
    return lambda parts, folder: names_of(
        [convert(part, tempfile.mktemp(dir=folder)) for part in parts]
    )


def _memmap(dtype):
    def make(part, path):
        stored = np.memmap(path, dtype, "w+", shape=part.shape)
        stored[:] = part
        stored.flush()
        return np.memmap(path, dtype, "r", shape=part.shape)

    return make


def _h5py(part, path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["rows"] = part
    return h5py.File(path)["rows"]


def _zarr(part, path):
    return pytest.importorskip("zarr").array(part, chunks=(5, *part.shape[1:]))


def _sparse(parts, folder):
    sparse = pytest.importorskip("scipy.sparse")
    return names_of([sparse.coo_array(parts[0]), *parts[1:]])


def _pandas(parts, folder):
    pandas = pytest.importorskip("pandas")
    return names_of(
        [
            pandas.DataFrame(parts[0]).astype("float64"),
            *(pandas.Series(p.ravel()) for p in parts[1:]),
        ]
    )


def _torch(part, path):
    return pytest.importorskip("torch").from_numpy(part.copy()).requires_grad_()


def torch_loader(parts, mistake=None, **kwargs):
    return pytest.importorskip("torch").utils.data.DataLoader(
        Rows(parts, mistake), batch_size=BATCH, **kwargs
    )


def grain_loader(parts, mistake=None, workers=0):
    grain = pytest.importorskip("grain")
    sampler = grain.samplers.IndexSampler(
        len(parts[0]), grain.sharding.NoSharding(), shuffle=False, num_epochs=1
    )
    return grain.DataLoader(
        data_source=Rows(parts, mistake),
        sampler=sampler,
        worker_count=workers,
        operations=[grain.transforms.Batch(BATCH)],
    )


def _grain_map(parts, folder):
    return {"x": pytest.importorskip("grain").MapDataset.source(Rows(parts)).batch(BATCH)}


def _grain_iter(parts, folder):
    return {
        "x": pytest.importorskip("grain")
        .MapDataset.source(Rows(parts))
        .to_iter_dataset()
        .batch(BATCH)
    }


def table(parts):
    """The rows as a data set of Hugging Face."""
    columns = {name: part.tolist() for name, part in names_of(parts).items()}
    return pytest.importorskip("datasets").Dataset.from_dict(columns)


def _columns(parts, folder):
    rows = table(parts)
    return {name: rows[name] for name in rows.column_names}


ARRAYS = {
    "numpy": _arrays(lambda part, path: part),
    "float64": _arrays(lambda part, path: part.astype("float64")),
    "jax": _arrays(lambda part, path: jkeras.ops.convert_to_tensor(part)),
    "lists": _arrays(lambda part, path: part.tolist()),
    "pandas": _pandas,
    "torch": _arrays(_torch),
    "memory map": _arrays(_memmap("float64")),
    "h5py": _arrays(_h5py),
    "zarr": _arrays(_zarr),
    "scipy": _sparse,
    "data set": lambda parts, folder: {"x": table(parts)},
    "columns of a data set": _columns,
}
# read batch by batch, if large
STORED = ("memory map", "h5py", "zarr", "scipy", "data set", "columns of a data set")
NUMBERED = {
    "PyDataset": lambda parts, folder: {"x": Batches(parts)},
    "PyDataset, threads": lambda parts, folder: {"x": Batches(parts, workers=2)},
    "PyDataset, processes": lambda parts, folder: {
        "x": Batches(parts, workers=2, use_multiprocessing=True)
    },
}
ITERABLES = {
    "iterable": lambda parts, folder: {"x": Again(parts)},
    "torch loader": lambda parts, folder: {"x": torch_loader(parts)},
    "torch loader, processes": lambda parts, folder: {"x": torch_loader(parts, num_workers=2)},
    "grain map": _grain_map,
    "grain iter": _grain_iter,
    "grain loader": lambda parts, folder: {"x": grain_loader(parts)},
    "stream of a data set": lambda parts, folder: {"x": table(parts).to_iterable_dataset()},
}
RESUMABLE = ARRAYS | NUMBERED | ITERABLES
