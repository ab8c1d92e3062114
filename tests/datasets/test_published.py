"""The data sets that are downloaded: the arrays that Keras makes of the same files, from a server
on this machine.
"""

import functools
import hashlib
import io
import json
import os
import tarfile

import keras
import numpy as np
import pytest

import jkeras
from jkeras.datasets.published import FILES
from tests.datasets import files
from tests.web import free_address, serving

made = functools.cache(files.published)

TEXTS = [
    {},
    dict(num_words=20),
    dict(skip_top=3, oov_char=None),
    dict(maxlen=8, seed=3),
    dict(start_char=None),
    dict(start_char=None, index_from=0, num_words=9),
    dict(start_char=7, oov_char=0, index_from=10, skip_top=12),
]
CALLS = [
    ("mnist", {}),
    ("fashion_mnist", {}),
    ("cifar100", {}),
    ("cifar100", dict(label_mode="coarse")),
    *(("imdb", options) for options in TEXTS),
    *(
        ("reuters", options)
        for options in (*TEXTS, dict(test_split=0.35), dict(test_split=0), dict(test_split=1))
    ),
    *(
        (f"{name}_housing", options)
        for name in ("boston", "california")
        for options in ({}, dict(test_split=0.37, seed=5), dict(test_split=0))
    ),
    ("california_housing", dict(version="small")),
]
MODULES = [
    "boston_housing",
    "california_housing",
    "cifar10",
    "cifar100",
    "fashion_mnist",
    "imdb",
    "mnist",
    "reuters",
]


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Has the files, whose addresses and hashes are patched."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    with serving({}) as server:
        for name in made():
            publish(monkeypatch, server, name, made()[name])
        yield server


def publish(monkeypatch, server, name, content):
    server.files[f"/{name}"] = content
    file_hash = FILES[name][1]
    if file_hash is not None:
        file_hash = getattr(hashlib, "sha256" if len(file_hash) == 64 else "md5")(
            content
        ).hexdigest()
    monkeypatch.setitem(FILES, name, (f"{server.address}/{name}", file_hash))


@pytest.fixture
def oracle(monkeypatch, tmp_path):
    """Keras's data sets, made of the same files."""

    def get_file(fname=None, origin=None, extract=False, **options):
        content = made()[os.path.basename(origin)]
        if extract:
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                archive.extractall(tmp_path / fname, filter="data")
        else:
            (tmp_path / fname).write_bytes(content)
        return str(tmp_path / fname)

    for name in MODULES:
        monkeypatch.setattr(f"keras.src.datasets.{name}.get_file", get_file)
    return keras.datasets


def assert_equal(mine, other):
    for my_part, other_part in zip(mine, other, strict=True):
        for a, b in zip(my_part, other_part, strict=True):
            assert (a.dtype, a.shape) == (b.dtype, b.shape) and type(a) is np.ndarray
            if a.dtype == object:
                assert a.tolist() == b.tolist() and {type(text) for text in a} <= {list}
            else:
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name, options", CALLS, ids=str)
def test_the_same_arrays(server, oracle, name, options):
    assert_equal(
        getattr(jkeras.datasets, name).load_data(**options),
        getattr(oracle, name).load_data(**options),
    )


@pytest.mark.parametrize("name", ["mnist", "cifar10", "cifar100", "fashion_mnist", "imdb"])
def test_downloaded_once(server, tmp_path, name):
    first = getattr(jkeras.datasets, name).load_data()
    asked = len(server.asked)
    assert_equal(getattr(jkeras.datasets, name).load_data(), first)
    assert len(server.asked) == asked == (4 if name == "fashion_mnist" else 1)
    for part in first:
        for array in part:
            array[:1] = array[-1:]  # arrays of one's own
    assert not [name for _, _, names in os.walk(tmp_path) for name in names if name.startswith(".")]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_images_in_the_session_s_data_format(server, oracle, request, data_format):
    for library in (jkeras, keras):
        library.config.set_image_data_format(data_format)
        request.addfinalizer(
            lambda library=library: library.config.set_image_data_format("channels_last")
        )
    (x, _), _ = mine = jkeras.datasets.cifar100.load_data()
    assert x.shape == ((4, 32, 32, 3) if data_format == "channels_last" else (4, 3, 32, 32))
    assert_equal(mine, oracle.cifar100.load_data())


def test_cifar10(server, oracle, monkeypatch):
    """Keras takes nothing but batches of 10,000 images; one image it repeats so often."""
    (x, y), (x_test, y_test) = jkeras.datasets.cifar10.load_data()
    assert (x.shape, y.shape, x_test.shape, y_test.shape) == (
        (20, 32, 32, 3),
        (20, 1),
        (4, 32, 32, 3),
        (4, 1),
    )
    monkeypatch.setitem(
        made(), "cifar-10-python.tar.gz", files.cifar10(np.random.default_rng(1), rows=1)
    )
    publish(monkeypatch, server, "cifar-10-python.tar.gz", made()["cifar-10-python.tar.gz"])
    with pytest.warns(UserWarning, match="downloaded anew"):
        mine = jkeras.datasets.cifar10.load_data()
    (x, y), test = oracle.cifar10.load_data()
    assert len(x) == len(y) == 50000
    assert_equal(mine, ((x[::10000], y[::10000]), test))


@pytest.mark.parametrize("name", ["imdb", "reuters"])
def test_words(server, name):
    assert getattr(jkeras.datasets, name).get_word_index() == json.loads(
        made()[f"{name}_word_index.json"]
    )
    assert getattr(jkeras.datasets, name).get_word_index("mine.json") == {"the": 1, "façade": 2}
    assert len(server.asked) == 2


def test_topics():
    assert jkeras.datasets.reuters.get_label_names() == keras.datasets.reuters.get_label_names()


@pytest.mark.parametrize("name", ["imdb", "reuters"])
def test_texts_of_one_length_stay_lists(server, monkeypatch, name):
    texts = np.empty(4, object)
    texts[:] = [[[1, 2], [3, 4], [5, 6], [7, 8]][i] for i in range(4)]
    labels = np.arange(4)
    publish(
        monkeypatch,
        server,
        f"{name}.npz",
        files.npz(x=texts, y=labels, x_train=texts, y_train=labels, x_test=texts, y_test=labels),
    )
    (x, _), _ = getattr(jkeras.datasets, name).load_data(
        start_char=None, index_from=0, num_words=10
    )
    assert x.ndim == 1 and all(isinstance(text, list) and len(text) == 2 for text in x)


@pytest.mark.parametrize(
    "name, options, text",
    [
        ("boston_housing", dict(test_split=1), "test_split=1"),
        ("boston_housing", dict(test_split=-0.1), "at least 0"),
        ("california_housing", dict(test_split=1), "test_split"),
        ("california_housing", dict(version="tiny"), "tiny"),
        ("cifar100", dict(label_mode="both"), "both"),
        ("imdb", dict(maxlen=2), "maxlen=2"),
        ("reuters", dict(maxlen=1), "maxlen=1"),
        ("mnist", dict(path="a/b.npz"), "a/b.npz"),
    ],
)
def test_what_is_refused(server, oracle, name, options, text):
    with pytest.raises(ValueError, match=text):
        getattr(jkeras.datasets, name).load_data(**options)
    if "path" not in options:  # the oracle's `get_file` is ours
        with pytest.raises(ValueError):
            getattr(oracle, name).load_data(**options)


def test_what_keras_lets_pass(server):
    with pytest.raises(ValueError, match="from 0 to 1"):
        jkeras.datasets.reuters.load_data(test_split=1.5)
    with pytest.raises(TypeError, match="nb_words"):
        jkeras.datasets.imdb.load_data(nb_words=10)


DAMAGED = {
    "empty": b"",
    "not packed": b"not packed",
    "short": files.gzip.compress(b"\0\0\x08"),
    "another rank": files.idx(np.zeros((2, 28), "uint8")),
    "cut": files.idx(np.zeros((2, 2, 2), "uint8"))[:-9],
    "too few": files.gzip.compress(b"\0\0\x08\3" + b"\xff" * 12 + b"few"),
    "too many": files.gzip.compress(b"\0\0\x08\3" + b"\0\0\0\1" * 3 + b"many"),
    "another kind": files.gzip.compress(b"\0\0\x0d\3" + b"\0\0\0\1" * 3 + b"1"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damaged_files_of_fashion_mnist(server, what):
    """Which were published without a hash."""
    server.files["/t10k-images-idx3-ubyte.gz"] = DAMAGED[what]
    with pytest.raises(
        ValueError, match="t10k-images-idx3-ubyte.gz is not a file of Fashion-MNIST, or damaged"
    ):
        jkeras.datasets.fashion_mnist.load_data()


LOADERS = [(name, "load_data") for name in MODULES] + [
    ("imdb", "get_word_index"),
    ("reuters", "get_word_index"),
]


@pytest.mark.parametrize("name, function", LOADERS)
def test_no_network(server, monkeypatch, tmp_path, name, function):
    """The error says where the file belongs; there it is found."""
    for file, (address, file_hash) in FILES.items():
        monkeypatch.setitem(
            FILES, file, (address.replace(server.address, free_address()), file_hash)
        )
    load = getattr(getattr(jkeras.datasets, name), function)
    for _ in range(5):
        try:
            load()
            break
        except OSError as error:
            assert "no network" in str(error)
            address, place = str(error).split(" ", 1)[0], str(error).rpartition("put it here: ")[2]
            with open(place, "wb") as file:
                file.write(made()[os.path.basename(address)])
    load()
    assert server.asked == []


def test_the_hash_is_checked_first(server, tmp_path):
    for name in ("imdb.npz", "cifar-100-python.tar.gz"):
        server.files[f"/{name}"] = b"hostile"
    for load in (jkeras.datasets.imdb.load_data, jkeras.datasets.cifar100.load_data):
        with pytest.raises(ValueError, match="does not have the hash"):
            load()
    assert os.listdir(tmp_path / "home" / "datasets") == []
