"""Loading a file runs no code of it, imports nothing, opens no other file; and nothing but an
argument of the call allows it to.
"""

import json
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.core.errors import SerializationError

FORMATS = (".keras", ".h5", ".weights.h5", ".safetensors", ".npz")
# what Python tells of each file that it opens, each import, each program (PEP 578)
LOOK = """
import os, sys
import jkeras
seen = []
def hook(event, arguments):
    if event == "open" and isinstance(arguments[0], int):
        return  # a file that is open already
    if event in ("open", "import", "exec", "os.system", "os.exec", "subprocess.Popen",
                 "socket.connect", "ctypes.dlopen", "marshal.loads", "pickle.find_class"):
        seen.append((event, str(arguments[0])))
def model():
    return jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
def load(path):
    if path.endswith(".keras") or path == "model.h5":
        return jkeras.saving.load_model(path)
    return model().load_weights(path)
paths = sorted(os.listdir())
for path in paths:
    load(path)  # what jkeras itself imports on first use
sys.addaudithook(hook)
for path in paths:
    seen.clear()
    load(path)
    there = path, os.path.abspath(path)
    print(path, [one for one in seen if not (one[0] == "open" and one[1] in there)])
"""


def a_model():
    return jkeras.Sequential([jkeras.Input((3,)), layers.Dense(2)])


@pytest.mark.promise("never run code from a file, import nothing, and open no other file")
def test_what_the_interpreter_is_asked_for(tmp_path):
    model = a_model()
    for form in FORMATS:
        save = model.save if form in (".keras", ".h5") else model.save_weights
        save(tmp_path / f"model{form}")
    done = subprocess.run(
        [sys.executable, "-c", LOOK], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == [f"model{form} []" for form in sorted(FORMATS)]


def with_lambda(folder):
    path = folder / "code.keras"
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Lambda(lambda x: x + 1)])
    model.save(path)
    return path


@pytest.mark.promise("nothing in a file, and no setting, can switch it on")
@pytest.mark.promise("the global switch warns and does nothing")
def test_no_setting_allows_code(tmp_path):
    path = with_lambda(tmp_path)
    with pytest.warns(UserWarning, match="has no effect"):
        jkeras.config.enable_unsafe_deserialization()
    with pytest.raises(ValueError, match="safe_mode"):
        jkeras.saving.load_model(path)


@pytest.mark.promise("nothing in a file, and no setting, can switch it on")
@pytest.mark.parametrize("place", ["root", "config", "layer"])
def test_no_entry_of_a_file_allows_code(place, tmp_path):
    path = with_lambda(tmp_path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    inner = {"root": config, "config": config["config"], "layer": config["config"]["layers"][-1]}
    inner[place]["safe_mode"] = False
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(ValueError):
        jkeras.saving.load_model(path)


@pytest.mark.promise("at most two hundred times the file's bytes")
def test_an_array_that_compression_cannot_have_made(tmp_path):
    """Chunks that were never written take no byte, and read as zeros of any number."""
    path = tmp_path / "model.weights.h5"
    a_model().save_weights(path)
    with h5py.File(path, "r+") as file:
        group = file["layers/dense/vars"]
        del group["0"]
        group.create_dataset(
            "0", shape=(3, 2**28), dtype="float32", chunks=(1, 2**16), compression="gzip"
        )
    with pytest.raises(SerializationError, match="says that it has|has the shape"):
        a_model().load_weights(path)


@pytest.mark.promise("numbers in a file that")
@pytest.mark.promise("Every array that we write has a checksum")
@pytest.mark.parametrize("form", [".weights.h5", ".safetensors", ".npz"])
def test_a_changed_array_is_noticed(form, tmp_path):
    path = tmp_path / f"model{form}"
    model = a_model()
    model.set_weights([np.full((3, 2), 1.25, "float32"), np.zeros(2, "float32")])
    model.save_weights(path)
    data = path.read_bytes()
    one = np.float32(1.25).tobytes()
    assert one in data
    path.write_bytes(data.replace(one, np.float32(1.5).tobytes(), 1))
    other = a_model()
    before = [w.copy() for w in other.get_weights()]
    with pytest.raises(SerializationError):
        other.load_weights(path)
    for old, new in zip(before, other.get_weights()):
        np.testing.assert_array_equal(old, new)
