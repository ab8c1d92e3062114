"""Arrays that took each other's place in a file, in good order, are noticed by the checksums of
what we wrote.
"""

import json
import os
import zipfile
import zlib

import h5py
import numpy as np
import pytest

import jkeras
from jkeras.core.errors import SerializationError
from jkeras.saving import files
from jkeras.saving.checksums import BLOCK, ROW, TOGETHER, product_sum


def network():
    return jkeras.Sequential(
        [jkeras.Input((2,)), jkeras.layers.Dense(2, name="a"), jkeras.layers.Dense(2, name="b")]
    )


def exchange_in_hdf5(path):
    with h5py.File(path, "r+") as file:
        found = []
        file.visititems(
            lambda name, thing: (
                found.append(name) if getattr(thing, "shape", None) == (2, 2) else None
            )
        )
        file.move(found[0], "kept")
        file.move(found[1], found[0])
        file.move("kept", found[1])


def alias_in_hdf5(path):
    with h5py.File(path, "r+") as file:
        found = []
        file.visititems(
            lambda name, thing: (
                found.append(name) if getattr(thing, "shape", None) == (2, 2) else None
            )
        )
        del file[found[0]]
        file[found[0]] = file[found[1]]


def retype_in_hdf5(path):
    """Numbers of another kind over the same bytes, as by one flipped bit."""
    with h5py.File(path, "r+") as file:
        found = []
        file.visititems(
            lambda name, thing: (
                found.append(name) if getattr(thing, "shape", None) == (2, 2) else None
            )
        )
        old = file[found[0]]
        kept, value = dict(old.attrs), old[()].view("int32")
        del file[found[0]]
        file[found[0]] = value
        file[found[0]].attrs.update(kept)


def exchange_in_zip(path):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    a, b = "a/kernel.npy", "b/kernel.npy"
    members[a], members[b] = members[b], members[a]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def edit_header(path, change):
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.dumps(change(json.loads(content[8 : 8 + length]))).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + content[8 + length :])


def exchange_places(path):
    def change(header):
        header["a/kernel"], header["b/kernel"] = header["b/kernel"], header["a/kernel"]
        return header

    edit_header(path, change)


def exchange_names(path):
    others = {"a/kernel": "b/kernel", "b/kernel": "a/kernel"}
    edit_header(
        path, lambda header: {others.get(name, name): entry for name, entry in header.items()}
    )


def retype(path):
    edit_header(path, lambda header: {**header, "a/kernel": {**header["a/kernel"], "dtype": "I32"}})


@pytest.mark.promise("Those of arrays are bound")
@pytest.mark.parametrize(
    "name, change",
    [
        ("x.weights.h5", exchange_in_hdf5),
        ("x.weights.h5", alias_in_hdf5),
        ("x.weights.h5", retype_in_hdf5),
        ("x.h5", exchange_in_hdf5),
        ("x.h5", alias_in_hdf5),
        ("x.h5", retype_in_hdf5),
        ("x.npz", exchange_in_zip),
        ("x.safetensors", exchange_places),
        ("x.safetensors", exchange_names),
        ("x.safetensors", retype),
    ],
)
def test_arrays_that_were_exchanged(tmp_path, name, change):
    model, other, path = network(), network(), tmp_path / name
    (model.save if name == "x.h5" else model.save_weights)(path)
    other.load_weights(path)
    change(path)
    kept = [2 * w for w in other.get_weights()]
    other.set_weights(kept)
    with pytest.raises(SerializationError, match="damaged"):
        other.load_weights(path)
    for before, after in zip(kept, other.get_weights(), strict=True):
        np.testing.assert_array_equal(after, before)


@pytest.mark.promise("Keras writes none into")
def test_files_of_others_have_no_checksums(tmp_path):
    model, path = network(), tmp_path / "x.npz"
    np.savez(
        path,
        **{
            f"{layer}/{name}": np.full(shape, 3, "float32")
            for layer in "ab"
            for name, shape in (("kernel", (2, 2)), ("bias", (2,)))
        },
    )
    model.load_weights(path)
    assert all((w == 3).all() for w in model.get_weights())


@pytest.mark.parametrize("size", [0, 5, BLOCK, TOGETHER * BLOCK, (TOGETHER + 2) * BLOCK + 7])
def test_the_sum_of_an_array_is_that_of_its_blocks(size):
    """What is in files does not depend on how many blocks are added up at once."""
    content, expected = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8), 0
    for start in range(0, size // BLOCK * BLOCK, BLOCK):
        rows = content[start : start + BLOCK].view(np.uint64).reshape(-1, ROW // 8)
        expected = zlib.crc32(rows.sum(1).tobytes(), zlib.crc32(rows.sum(0).tobytes(), expected))
    assert product_sum(content) == zlib.crc32(content[size // BLOCK * BLOCK :].tobytes(), expected)


@pytest.mark.parametrize("name", ["x.weights.h5", "x.keras", "x.safetensors", "x.npz"])
def test_a_file_whose_beginning_goes_to_the_disk_first(tmp_path, monkeypatch, name):
    given, advise = [], files.os.posix_fadvise
    monkeypatch.setattr(files, "AHEAD", 8)
    monkeypatch.setattr(
        files.os, "posix_fadvise", lambda *place: given.append(place) or advise(*place)
    )
    model, other = network(), network()
    (model.save if name == "x.keras" else model.save_weights)(tmp_path / name)
    assert len(given) > 1 and all(
        before[1] + before[2] == after[1] for before, after in zip(given, given[1:])
    )
    other.set_weights([2 * w for w in other.get_weights()])
    other.load_weights(tmp_path / name)
    for before, after in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("name", ["x.weights.h5", "x.keras", "x.safetensors", "x.npz"])
@pytest.mark.parametrize("is_able", [True, False])
def test_room_for_large_arrays(tmp_path, monkeypatch, name, is_able):
    """The disk is asked for it before each; one that cannot give it makes no difference."""
    asked, allocate = [], files.allocation() or (lambda *place: -1)

    def ask(*place):
        asked.append(place[2:])
        return allocate(*place) if is_able else -1

    monkeypatch.setattr(files, "allocation", lambda: ask)
    model = jkeras.Sequential([jkeras.Input((100,)), jkeras.layers.Dense(200)])
    (model.save if name == "x.keras" else model.save_weights)(tmp_path / name)
    (kernel, _), content = model.get_weights(), (tmp_path / name).read_bytes()
    place = content.index(kernel.tobytes())
    assert any(begin <= place < begin + size for begin, size in asked)
    assert sum(size for _, size in asked) < kernel.nbytes + 1000
    model.load_weights(tmp_path / name)
    np.testing.assert_array_equal(model.get_weights()[0], kernel)


def test_no_room_where_the_system_has_no_call_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "allocation", lambda: None)
    network().save_weights(tmp_path / "x.npz")
    network().load_weights(tmp_path / "x.npz")


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize(
    "name", ["x.weights.h5", "x.keras", "x.h5", "x.weights.json", "x.safetensors", "x.npz"]
)
def test_a_large_array_of_which_a_bit_changed(tmp_path, monkeypatch, name, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    model = jkeras.Sequential([jkeras.Input((1000,)), jkeras.layers.Dense(550)])  # 2.2 MB
    path = tmp_path / name
    if name.endswith((".keras", "x.h5")):
        model.save(path)
    else:
        more = {"max_shard_size": 1} if name.endswith(".json") else {}
        model.save_weights(path, **more)
    saved = model.get_weights()
    model.set_weights([np.zeros_like(value) for value in saved])
    model.load_weights(path)
    np.testing.assert_array_equal(model.get_weights()[0], saved[0])

    (file,) = [one for one in tmp_path.iterdir() if one.stat().st_size > 2_000_000]
    content = bytearray(file.read_bytes())
    content[content.index(saved[0][500].tobytes()) + 7] ^= 1
    file.write_bytes(content)
    with pytest.raises(SerializationError, match="damaged"):
        model.load_weights(path)
    np.testing.assert_array_equal(model.get_weights()[0], saved[0])
