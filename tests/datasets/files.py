"""Small files in the formats that the data sets were published in."""

import gzip
import io
import json
import pickle
import struct
import tarfile

import numpy as np


class Python2(pickle._Pickler):
    """Writes as Python 2 did, which knew bytes only; so did those who published CIFAR."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_text(self, value):
        content = value.encode() if isinstance(value, str) else value
        self.write(b"T" + struct.pack("<i", len(content)) + content)
        self.memoize(value)

    dispatch[bytes] = dispatch[str] = save_text


def python2(value):
    """A pickle of Python 2, by the NumPy of that time."""
    buffer = io.BytesIO()
    Python2(buffer, protocol=2).dump(value)
    return buffer.getvalue().replace(b"numpy._core", b"numpy.core")


def npz(**arrays):
    """The bytes of a `.npz` file."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def tar(members):
    """The bytes of a packed archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def idx(array):
    """The bytes of a packed file of MNIST's format."""
    return gzip.compress(
        bytes([0, 0, 8, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.tobytes()
    )


def images(rng, rows, *shape):
    return rng.integers(0, 256, (rows, *shape), "uint8")


def texts(rng, rows):
    """Lists of different lengths, frequent words more often."""
    made = np.empty(rows, object)
    for i in range(rows):
        made[i] = np.minimum(rng.zipf(1.3, rng.integers(1, 12)), 50).tolist()
    return made


def cifar_batch(rng, rows, **labels):
    """A batch as it was published; labels: how many there are of each kind."""
    kinds = {name.encode(): rng.integers(0, most, rows).tolist() for name, most in labels.items()}
    names = [b"picture_%d.png" % i for i in range(rows)]
    return python2(
        {b"data": images(rng, rows, 3072), b"batch_label": b"a batch", b"filenames": names, **kinds}
    )


def cifar10(rng, rows):
    """The archive, which has its members in no order."""
    names = (
        "data_batch_4",
        "readme.html",
        "test_batch",
        *(f"data_batch_{i}" for i in (1, 2, 3, 5)),
    )
    return tar({f"cifar-10-batches-py/{name}": cifar_batch(rng, rows, labels=10) for name in names})


def published():
    """{name: bytes} of all files, with few rows."""
    rng = np.random.default_rng(0)
    files = {
        "mnist.npz": npz(
            x_train=images(rng, 6, 28, 28),
            y_train=images(rng, 6),
            x_test=images(rng, 3, 28, 28),
            y_test=images(rng, 3),
        ),
        "imdb.npz": npz(
            x_train=texts(rng, 30),
            y_train=rng.integers(0, 2, 30),
            x_test=texts(rng, 20),
            y_test=rng.integers(0, 2, 20),
        ),
        "reuters.npz": npz(x=texts(rng, 40), y=rng.integers(0, 46, 40)),
        "boston_housing.npz": npz(x=rng.normal(size=(11, 13)), y=rng.normal(size=11)),
        "california_housing.npz": npz(
            x=rng.normal(size=(605, 8)).astype("float32"), y=rng.normal(size=605).astype("float32")
        ),
        "cifar-10-python.tar.gz": cifar10(rng, 4),
        "cifar-100-python.tar.gz": tar(
            {
                f"cifar-100-python/{name}": cifar_batch(rng, 4, fine_labels=100, coarse_labels=20)
                for name in ("meta", "test", "train")
            }
        ),
    }
    for part, rows in (("train", 5), ("t10k", 2)):
        files[f"{part}-images-idx3-ubyte.gz"] = idx(images(rng, rows, 28, 28))
        files[f"{part}-labels-idx1-ubyte.gz"] = idx(images(rng, rows))
    for name in ("imdb", "reuters"):
        files[f"{name}_word_index.json"] = json.dumps(
            {"the": 1, "façade": 2}, ensure_ascii=name == "imdb"
        ).encode()
    return files
