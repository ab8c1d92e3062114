"""Unknown means no: names, entries, versions and layouts that nobody has seen yet are refused, and
never taken for something that is known.
"""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

import jkeras
from jkeras.core.errors import SerializationError
from jkeras.saving import Checkpointer, dialects, steps

NEVER = "never_seen_before"


def model():
    made = jkeras.Sequential(
        [jkeras.Input((2,), name="x"), jkeras.layers.Dense(1, "relu", name="dense")], name="net"
    )
    made.compile("adam", "mse")
    made.optimizer.build(made.trainable_variables)
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    made = model()
    made.save(folder / "m.keras")
    made.save(folder / "m.h5")
    made.save_weights(folder / "m.weights.h5")
    made.save_weights(folder / "m.weights.json", max_shard_size=1)
    made.save_weights(folder / "m.safetensors")
    made.save_weights(folder / "m.npz")
    return folder


def archive(files, target, change, member):
    """A copy of the archive in which the JSON of a member is changed."""
    with zipfile.ZipFile(files / "m.keras") as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == member:
                value = json.loads(content)
                content = json.dumps(change(value) or value)
            new.writestr(name, content)
    return target


def dense(config):
    """The layer's own part of a model's config."""
    return next(c for c in config["config"]["layers"] if c["class_name"] == "Dense")


def put(key, value=1):
    return lambda found: found.update({key: value})


def in_dense(change):
    return lambda config: change(dense(config))


CONFIGS = {
    "entry of the model": put(NEVER),
    "entry of a layer": in_dense(put(NEVER)),
    "argument of a layer": in_dense(lambda layer: layer["config"].update({NEVER: 1})),
    "argument of the model": lambda config: config["config"].update({NEVER: 1}),
    "class": in_dense(put("class_name", NEVER)),
    "module of somebody": in_dense(put("module", NEVER)),
    "registered name": in_dense(put("registered_name", NEVER)),
    "activation": in_dense(lambda layer: layer["config"].update(activation=NEVER)),
    "kind of value": in_dense(
        lambda layer: layer["config"].update(
            kernel_constraint={"class_name": f"__{NEVER}__", "config": {}}
        )
    ),
    "policy": in_dense(lambda layer: layer["config"].update(dtype=NEVER)),
    "loss": lambda config: config["compile_config"].update(loss=NEVER),
    "optimizer": lambda config: config["compile_config"]["optimizer"].update(class_name=NEVER),
    "argument of the optimizer": lambda config: config["compile_config"]["optimizer"][
        "config"
    ].update({NEVER: 1}),
    "entry of compile": lambda config: config["compile_config"].update({NEVER: 1}),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_config(files, tmp_path, name):
    path = archive(files, tmp_path / "m.keras", CONFIGS[name], "config.json")
    with pytest.raises(SerializationError, match=f"^{path}.*"):
        jkeras.models.load_model(path)


VERSIONS = ["4.0.0", "4.0.0.dev1", "10.2", "99.1.0", "abc", "", "3", 3, None, ["3.0.5"], {}, NEVER]


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_version_of_an_archive(files, tmp_path, version):
    path = archive(files, tmp_path / "m.keras", put("keras_version", version), "metadata.json")
    for load in (jkeras.models.load_model, model().load_weights, jkeras.saving.KerasFileEditor):
        if version is None:  # as files of old have none
            load(path)
            continue
        with pytest.raises(SerializationError, match=f"^{path}.*was written by Keras.*up to 3"):
            load(path)


@pytest.mark.parametrize("version", ["2.3.0-tf", "2.15.0", "3.0.5", "3.15.1", "3.99.0.dev2025"])
def test_versions_that_are_known(files, tmp_path, version):
    path = archive(files, tmp_path / "m.keras", put("keras_version", version), "metadata.json")
    model().load_weights(path)
    assert dialects.is_old(version) == version.startswith("2")


@pytest.mark.parametrize("version", ["4.0.0", "99.1.0", NEVER])
def test_version_of_an_older_file(files, tmp_path, version):
    path = tmp_path / "m.h5"
    path.write_bytes((files / "m.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = version
    with pytest.raises(SerializationError, match=f"^{path}.*was written by Keras"):
        jkeras.models.load_model(path)


def test_metadata(files, tmp_path):
    path = archive(files, tmp_path / "m.keras", put(NEVER), "metadata.json")
    with pytest.raises(SerializationError, match=f"^{path}.*{NEVER}"):
        jkeras.models.load_model(path)


def test_member(files, tmp_path):
    path = tmp_path / "m.keras"
    path.write_bytes((files / "m.keras").read_bytes())
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(NEVER, "")
    with pytest.raises(SerializationError, match=f"^{path}.*{NEVER}"):
        jkeras.models.load_model(path)


def text_as_numbers(group):
    group.attrs["layer_names"] = np.arange(3)


def text_as_compound(group):
    group.attrs["layer_names"] = np.zeros(2, [("a", "i4"), ("b", "S3")])


def text_as_reference(group):
    group.attrs["layer_names"] = group.ref


@pytest.mark.parametrize(
    "change", [text_as_numbers, text_as_compound, text_as_reference], ids=lambda f: f.__name__
)
def test_layout_of_an_attribute(files, tmp_path, change):
    path = tmp_path / "m.h5"
    path.write_bytes((files / "m.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        group = file["model_weights"]
        del group.attrs["layer_names"]
        change(group)
    with pytest.raises(SerializationError, match=f"^{path}.*layer_names.*no text"):
        model().load_weights(path)


ARRAYS = {
    "compound": np.zeros((2, 1), [("a", "f4")]),
    "complex": np.zeros((2, 1), "complex64"),
    "text": np.array([[b"a"], [b"b"]]),
    "opaque": np.zeros((2, 1), "V4"),
    "enumerated": None,
}


@pytest.mark.parametrize("name", ARRAYS)
def test_kind_of_an_array(files, tmp_path, name):
    path = tmp_path / "m.weights.h5"
    path.write_bytes((files / "m.weights.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        group = file["layers/dense/vars"]
        del group["0"]
        if name == "enumerated":
            kind = h5py.enum_dtype({NEVER: 1})
            group.create_dataset("0", (2, 1), kind)
        else:
            group["0"] = ARRAYS[name]
    made = model()
    before = made.get_weights()
    with pytest.raises(SerializationError, match=f"^{path}"):
        made.load_weights(path)
    for one, other in zip(before, made.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_list_of_shards(files, tmp_path):
    for path in files.glob("m_*.h5"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    content = json.loads((files / "m.weights.json").read_text())
    path = tmp_path / "m.weights.json"
    path.write_text(json.dumps({**content, NEVER: 1}))
    with pytest.raises(SerializationError, match=f"^{path}.*{NEVER}"):
        model().load_weights(path)


@pytest.mark.parametrize("change", [put(NEVER), put("dtype", "F4"), put("dtype", NEVER)])
def test_entry_of_safetensors(files, tmp_path, change):
    content = (files / "m.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    change(header["dense/kernel"])
    text = json.dumps(header).encode()
    path = tmp_path / "m.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    with pytest.raises(SerializationError, match=f"^{path}"):
        model().load_weights(path)


@pytest.mark.parametrize("header", [b"\x93NUMPY\x04\0", b"\x93NUMPX\x01\0", b"\x93NUMPY\x01\x07"])
def test_version_of_an_array_of_numpy(files, tmp_path, header):
    path = tmp_path / "m.npz"
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((2, 1), "float32"))
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("dense/kernel.npy", header + buffer.getvalue()[8:])
        file.writestr("dense/bias.npy", buffer.getvalue())
    with pytest.raises(SerializationError, match=f"^{path}"):
        model().load_weights(path)


def test_list_of_a_checkpoint(tmp_path):
    with Checkpointer(tmp_path) as checkpoints:
        checkpoints.save({"a": np.ones(2)}, step=1)
        checkpoints.wait()
        path = tmp_path / "1" / steps.MANIFEST
        path.write_text(json.dumps({**json.loads(path.read_text()), NEVER: 1}))
        with pytest.raises(SerializationError, match="list files.json is damaged"):
            checkpoints.restore({"a": np.ones(2)})
