"""Weights and classes of ImageNet from a server on this machine that serves files made by real
Keras.
"""

import hashlib
import json
import os

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

import jkeras
from jkeras.applications import building, imagenet_utils
from jkeras.utils import download
from tests.applications.test_architectures import cheap_weights  # noqa: F401
from tests.web import free_address, serving

WHOLE = "vgg16_weights_tf_dim_ordering_tf_kernels.h5"
BODY = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
INDEX = "imagenet_class_index.json"
SMALL = dict(include_top=False, input_shape=(32, 32, 3), pooling="avg")
CLASSES = {str(i): [f"n{i:08}", f"thing_{i}"] for i in range(1000)}


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Has no files yet; the addresses of all are patched."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(download, "PAUSES", (0,))
    with serving({}) as server:
        yield server


def publish(monkeypatch, server, name, content):
    """Serves a file, as bytes or by its path, and has its address and hash known."""
    server.files[f"/{name}"] = content
    data = content if isinstance(content, bytes) else content.read_bytes()
    known = f"{server.address}/{name}", hashlib.md5(data).hexdigest()
    if name == INDEX:
        monkeypatch.setattr(imagenet_utils, "CLASS_INDEX", known)
    else:
        monkeypatch.setattr(building, "weight_files", lambda: {name: known})


def images(side):
    return np.random.default_rng(1).uniform(0, 255, (2, side, side, 3)).astype("float32")


def of_keras(path, **options):
    """A VGG16 of Keras, whose weights are written as those that are published are."""
    model = keras.applications.VGG16(weights=None, **options)
    numbers = np.random.default_rng(0).normal(size=100003).astype("float32")
    model.set_weights(
        [np.resize(numbers, v.shape) * (2 / np.prod(v.shape[:-1])) ** 0.5 for v in model.weights]
    )
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, model)
    return model


def renamed(path):
    """Gives a file the names that Keras 1 wrote, as in the file of 2016 that is published to this
    day.
    """
    with h5py.File(path, "r+") as file:
        del file["top_level_model_weights"], file.attrs["keras_version"], file.attrs["backend"]
        for layer in file.values():
            names = []
            for name in layer.attrs["weight_names"]:
                old = name if isinstance(name, str) else name.decode()
                names.append(f"{layer.name[1:]}_{'b' if old.endswith('bias') else 'W'}_1:0")
                layer[names[-1]] = layer[old]
                del layer[old]
            layer.attrs["weight_names"] = np.array(names, "S")


def assert_close(found, wanted):
    assert np.ptp(wanted) > 1e-4
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("year", [pytest.param(2016, marks=pytest.mark.slow), 2026])
def test_the_body(server, monkeypatch, tmp_path, year):
    path = tmp_path / "made.h5"
    other = of_keras(path, **SMALL)
    if year == 2016:
        renamed(path)
    publish(monkeypatch, server, BODY, path)
    server.cuts = iter([10**6])
    mine = jkeras.applications.VGG16(weights="imagenet", **SMALL)
    assert_close(mine.predict(images(32), verbose=0), other.predict(images(32), verbose=0))
    assert len(server.asked) == 2 and server.headers[1]["Range"] == "bytes=1000000-"
    assert os.listdir(tmp_path / "home" / "models") == [BODY]
    assert building.downloaded(BODY) == str(tmp_path / "home" / "models" / BODY)
    assert len(server.asked) == 2  # none for what is there


@pytest.mark.promise("Weights and data come from the addresses that Keras names")
@pytest.mark.slow
def test_the_whole(server, monkeypatch, tmp_path):
    server.marks = ()  # half a gigabyte takes its time
    monkeypatch.setattr(download, "PATIENCE", 120)
    other = of_keras(tmp_path / "made.h5")
    publish(monkeypatch, server, WHOLE, tmp_path / "made.h5")
    mine = jkeras.applications.VGG16(weights="imagenet")
    x = jkeras.applications.vgg16.preprocess_input(images(224))
    found, wanted = mine.predict(x, verbose=0), other.predict(x, verbose=0)
    assert_close(found, wanted)
    publish(monkeypatch, server, INDEX, json.dumps(CLASSES).encode())
    for row, predictions in zip(
        wanted, jkeras.applications.vgg16.decode_predictions(found), strict=True
    ):
        best = [CLASSES[str(i)] for i in np.argsort(row)[::-1][:5]]
        assert [[identifier, name] for identifier, name, _ in predictions] == best


def test_classes(server, monkeypatch, tmp_path):
    publish(monkeypatch, server, INDEX, json.dumps(CLASSES).encode())
    monkeypatch.setattr("keras.src.applications.imagenet_utils.CLASS_INDEX", CLASSES)
    preds = np.random.default_rng(0).dirichlet(np.ones(1000), 3).astype("float32")
    for options in ({}, dict(top=2)):
        found = jkeras.applications.imagenet_utils.decode_predictions(preds, **options)
        assert found == keras.applications.imagenet_utils.decode_predictions(preds, **options)
    assert server.asked == [f"/{INDEX}"]
    assert os.listdir(tmp_path / "home" / "models") == [INDEX]


def wrong_hash(server):
    server.files[f"/{BODY}"] = b"others"


def cut(server):
    server.cut_for_ever(3)


def missing(server):
    del server.files[f"/{BODY}"]


def redirect(server):
    server.redirects[f"/{BODY}"] = "ftp://127.0.0.1/x"


@pytest.mark.parametrize(
    "fault, kind, text",
    [
        (wrong_hash, ValueError, "hash"),
        (cut, OSError, "3 of 7 bytes"),
        (missing, OSError, "404"),
        (redirect, OSError, "only http and https"),
    ],
)
def test_nothing_is_left_of_what_does_not_come(server, monkeypatch, tmp_path, fault, kind, text):
    publish(monkeypatch, server, BODY, b"weights")
    server.ranges = fault is not cut
    fault(server)
    with pytest.raises(kind, match=text):
        jkeras.applications.VGG16(weights="imagenet", **SMALL)
    assert os.listdir(tmp_path / "home" / "models") == []


def test_no_network(server, monkeypatch, tmp_path):
    address = f"{free_address()}/{BODY}"
    monkeypatch.setattr(building, "weight_files", lambda: {BODY: (address, None)})
    with pytest.raises(
        OSError, match=f"{address}.*no network.*put it here: {tmp_path}/home/models/{BODY}"
    ):
        jkeras.applications.VGG16(weights="imagenet", **SMALL)
