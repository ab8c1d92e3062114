"""Pickles of data are read as `pickle` reads them; those of anything else are refused, and run
nothing.
"""

import io
import os
import pickle
import struct

import numpy as np
import pytest

from jkeras.datasets.plain_pickle import load, load_npz
from tests.datasets.files import npz, python2

KINDS = ["bool", "int8", "uint8", "<i4", ">i4", "int64", "float16", "<f8", ">f8"]


def read(content, **options):
    return load(io.BytesIO(content), **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "write",
    [lambda x: pickle.dumps(x, 3), lambda x: pickle.dumps(x, 4), python2],
    ids=["3", "4", "python2"],
)
def test_arrays(kind, write):
    array = np.random.default_rng(0).integers(0, 100, (3, 4)).astype(kind)
    for wanted in (array, np.asfortranarray(array), array[:0], array[:1, 0].reshape(())):
        found = read(write(wanted), encoding="bytes")
        assert found.dtype == wanted.dtype and found.flags.writeable
        np.testing.assert_array_equal(found, wanted, strict=True)


def test_data_of_python_2():
    rng = np.random.default_rng(0)
    batch = {
        b"data": rng.integers(0, 9, (2, 3), "uint8"),
        b"labels": [1, 300, 2**40],
        b"names": [b"a", b"\xff"],
    }
    found = read(python2(batch), encoding="bytes")
    np.testing.assert_array_equal(found.pop(b"data"), batch.pop(b"data"))
    assert found == batch
    assert read(python2({"a": (1, 2.5, None, True)})) == {"a": (1, 2.5, None, True)}


def test_files_of_arrays(tmp_path):
    texts = np.empty((2, 2), object)
    texts[0, 0], texts[0, 1], texts[1, 0], texts[1, 1] = [1, 2], [3, 4], [], np.arange(3)
    arrays = dict(texts=texts, plain=np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    (tmp_path / "a.npz").write_bytes(npz(**arrays))
    found = load_npz(tmp_path / "a.npz")
    np.testing.assert_array_equal(found["plain"], arrays["plain"], strict=True)
    assert found["texts"].shape == (2, 2)
    assert found["texts"].ravel().tolist()[:3] == [[1, 2], [3, 4], []]
    np.testing.assert_array_equal(found["texts"][1, 1], np.arange(3))


class Calls:
    """Its pickle calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def array_of(code, content, shape=(1,), state=(3, "<", None, None, None, -1, -1, 0)):
    """A pickle that says of an array what it likes."""
    kind = (
        b"cnumpy\ndtype\n("
        + pickle.dumps(code, 2)[2:-1]
        + b"I00\nI01\ntR"
        + pickle.dumps(state, 2)[2:-1]
        + b"b"
    )
    begin = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tU\1btR"
    return (
        begin
        + b"(K\1"
        + pickle.dumps(shape, 2)[2:-1]
        + kind
        + b"\x89"
        + pickle.dumps(content, 3)[2:-1]
        + b"tb."
    )


def test_what_says_of_an_array_what_it_should():
    assert read(array_of("i8", struct.pack("<q", 7))) == [7]
    with pytest.raises(ValueError, match="Not a pickle of plain data"):
        read(array_of("i8", struct.pack("<q", 7), shape=(2,)))


HOSTILE = {
    "command": pickle.dumps(Calls(os.system, "touch ran")),
    "code": pickle.dumps(Calls(exec, "open('ran', 'w')")),
    "command in Python 2": b"cposix\nsystem\n(S'touch ran'\ntR.",
    "code in an array": pickle.dumps(np.array([Calls(exec, "open('ran', 'w')")], object), 4),
    "another function of NumPy": pickle.dumps(Calls(np.save, "ran.npy", 1)),
    "a class": pickle.dumps(Calls),
    "an attribute": b"\x80\x04\x8c\x05numpy\x8c\x0fndarray.__doc__\x93.",
    "a module's attribute": b"\x80\x04\x8c\x05numpy\x8c\x07os.path\x93.",
    "an object by name": b"Px\n.",
    "a registered class": b"\x80\x02\x82\x01.",
    "an address as an object": array_of(
        "V8", struct.pack("<q", 7), state=(3, "|", None, ("a",), {"a": (8, 0)}, 8, 1, 1)
    ),
    "a structure": array_of("i8,O", b"\0" * 16),
    "a kind that is none": array_of("f1", b"\0"),
    "too few bytes": array_of("f8", b"\0"),
    "no bytes": array_of("f8", [1.0]),
    "a huge shape": array_of("f8", b"\0" * 8, shape=(2**62, 2**62)),
    "not a code": array_of(5, b"\0"),
    "an array without a state": b"cnumpy.core.multiarray\n_reconstruct\n"
    b"(cnumpy\nndarray\nI0\nS'b'\ntR.",
    "a class that is none called": b"cnumpy\nndarray\n)R.",
    "a state for a class": b"cnumpy\ndtype\n}S'plain'\nI1\nsb.",
    "attributes of a class": (b"cnumpy\ndtype\n(N}S'plain'\nI1\nstb."),
    "cut": pickle.dumps(list(range(100)))[:-5],
    "empty": b"",
    "no pickle": b"not a pickle",
    "an array in itself": array_of("O", None)
    .replace(b"btR(", b"btRp9\n(")
    .replace(b"\x89N", b"\x89(g9\nl"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="(?s)Not a pickle of plain data.*Nothing of it was run"):
        read(HOSTILE[what])
    assert os.listdir(tmp_path) == []


def test_a_hostile_file_of_arrays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.npz").write_bytes(npz(x=np.array([Calls(exec, "open('ran', 'w')")], object)))
    with pytest.raises(ValueError, match="it names builtins.exec"):
        load_npz("a.npz")
    assert os.listdir(tmp_path) == ["a.npz"]
