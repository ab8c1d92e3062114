"""Archives from strangers: what they unpack to is bounded by their size, and whatever is wrong with
one is said in one error and leaves nothing. The oracle for honest ones is the content put in.
"""

import bz2
import gzip
import io
import lzma
import os
import pathlib
import tarfile
import tracemalloc
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jkeras.utils import archives, extract_archive

MiB = 2**20
BIG = 64 * MiB


def header(name="a", size=0, kind=tarfile.REGTYPE):
    """One block of a tar archive."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def padded(content):
    return content + bytes(-len(content) % 512)


def tar_of(members):
    """A tar archive of {name: bytes, None for a folder}."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(members):
    """A zip archive of [(name, bytes, None for a folder)]."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(f"{name}/" if content is None else name, content or b"")
    return buffer.getvalue()


def found(folder):
    """{path: bytes, None for a folder} of all below a folder."""
    folder = pathlib.Path(folder)
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in folder.rglob("*")
    }


STEPS = st.text("ab.é ", min_size=1, max_size=3).filter(lambda text: text.strip(". ") == text)
TREES = st.dictionaries(
    st.lists(STEPS, min_size=1, max_size=3).map("/".join), st.none() | st.binary(max_size=2000)
)


@given(TREES, st.sampled_from(["tar", "gz", "bz2", "xz", "zip"]))
@settings(max_examples=60, deadline=None)
def test_honest_archives(tmp_path_factory, tree, kind):
    wanted = {
        name: content
        for name, content in tree.items()
        if content is None or not any(other.startswith(f"{name}/") for other in tree)
    }
    members = list(wanted.items())
    pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "tar": bytes}
    content = zip_of(members) if kind == "zip" else pack[kind](tar_of(members))
    folder = tmp_path_factory.mktemp("a")
    (folder / "a").write_bytes(content)
    assert extract_archive(folder / "a", folder / "none", None) is False
    assert not (folder / "none").exists()  # no format: nothing is unpacked, as in Keras
    assert extract_archive(folder / "a", folder / "out") is True
    for name in list(wanted):
        for parent in list(pathlib.PurePosixPath(name).parents)[:-1]:
            wanted.setdefault(str(parent))
    assert found(folder / "out") == wanted
    assert sorted(os.listdir(folder)) == ["a", "out"]


def long_links():
    """Headers of a long name, each for the next one."""
    return (header("././@LongLink", 2, tarfile.GNUTYPE_LONGNAME) + padded(b"a\0")) * 5000


def pax(text):
    return header("p", len(text), tarfile.XHDTYPE) + padded(text) + header()


def pax_sparse(number):
    """A sparse file of version 1.0, whose map has a number of entries."""
    record = b"GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"
    text = b"22 " + record
    content = padded(number)
    return header("p", len(text), tarfile.XHDTYPE) + padded(text) + header("a", 512) + content


def sparse_zeros():
    """A sparse file of the old form: eight bytes that are there, 10^12 that are zeros."""
    block = bytearray(header("a", 8, tarfile.GNUTYPE_SPARSE))
    block[386:410] = b"%011o\0%011o\0" % (10**9, 8)
    block[483:495] = b"%011o\0" % (8 * 10**9 - 1)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + padded(b"12345678")


HOSTILE = {
    "names without end": lambda: gzip.compress(
        header("a", 0, tarfile.DIRTYPE)
        + header("././@LongLink", BIG, tarfile.GNUTYPE_LONGNAME)
        + bytes(BIG)
    ),
    "pax headers without end": lambda: gzip.compress(
        header("a", 0, tarfile.DIRTYPE) + header("p", BIG, tarfile.XHDTYPE) + bytes(BIG)
    ),
    "members that are passed over": lambda: gzip.compress(
        header("a", 0, tarfile.DIRTYPE) + header("../b", BIG) + bytes(BIG) + header("c")
    ),
    "a bomb": lambda: gzip.compress(header("a", BIG) + bytes(BIG), 1),
    "a bomb (zip)": lambda: zip_of([("a", bytes(BIG))]),
    "long names in one another": lambda: header() + long_links(),
    "a size of 10^18": lambda: header() + header("b", 10**18) + header("c"),
    "a pax number of 5,000 digits": lambda: header() + pax_sparse(b"9" * 500 + b"\n"),
    "a pax map without lines": lambda: header() + pax_sparse(b"a" * 512),
    "folders without end": lambda: gzip.compress(
        b"".join(header(f"f{i}", 0, tarfile.DIRTYPE) for i in range(6000))
    ),
    "folders in one another": lambda: tar_of([("a/" * 2000 + "b", b"")]),
    "a hundred folders for each name": lambda: gzip.compress(
        tar_of([(f"{i}/" + "a/" * 90, None) for i in range(50)])
    ),
    "a name that is too long": lambda: tar_of([("a" * 300, b"")]),
    "a name that is too long (zip)": lambda: zip_of([("a" * 300, b"")]),
    "a file and a folder": lambda: tar_of([("a", b""), ("a/b", b"")]),
    "a folder and a file": lambda: tar_of([("a/b", b""), ("a", b"")]),
    "a file and a folder (zip)": lambda: zip_of([("a", b""), ("a/b", b"")]),
    "a file without a name": lambda: tar_of([(".", b"x")]),
    "zeros that are not there": lambda: sparse_zeros(),
    "cut": lambda: gzip.compress(tar_of([("a", os.urandom(5000))]))[:-1000],
    "a wrong checksum": lambda: gzip.compress(tar_of([("a", os.urandom(5000))]))[:-8] + bytes(8),
    "bzip2 that is cut": lambda: bz2.compress(tar_of([("a", os.urandom(50_000))]))[:-1000],
    "a name that is no text": lambda: zip_of([("aé", b"")]).replace("é".encode(), b"\xff\xfe"),
    "a method that is unknown": lambda: zip_of([("a", b"xx" * 100)]).replace(
        b"\0\0\x08\0", b"\0\0\x63\0"
    ),
}


@pytest.mark.promise("Names and headers have at most one megabyte")
@pytest.mark.promise("unpacks comes to at most a hundred times its bytes")
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.filterwarnings("ignore:Not unpacked")
def test_hostile_archives(name, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "FREE_ENTRIES", 1000)  # smaller, for the speed of the test
    monkeypatch.setattr(archives, "FREE", MiB)
    path = tmp_path / "archive"
    path.write_bytes(HOSTILE[name]())
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=f"The archive {path}|not an archive") as caught:
            extract_archive(path, tmp_path / "out")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 40 * MiB
    assert len(str(caught.value)) < 2000
    assert os.listdir(tmp_path) == ["archive"]


def test_what_ends_an_archive_early(tmp_path):
    """A size below zero would lead `tarfile` back to where it was, again and again."""
    (tmp_path / "a").write_bytes(header() + header("b", -1024) + header("c"))
    try:
        extract_archive(tmp_path / "a", tmp_path / "out")
    except ValueError as error:
        assert "damaged" in str(error)
    else:
        assert set(found(tmp_path / "out")) <= {"a", "b", "c"}


def test_links_are_counted_and_said_once(tmp_path):
    links = b"".join(header(f"l{i}", 0, tarfile.SYMTYPE) for i in range(500))
    (tmp_path / "a").write_bytes(links + header("b"))
    with pytest.warns(UserWarning, match="Not unpacked.*'l0' .and 499 more") as caught:
        extract_archive(tmp_path / "a", tmp_path / "out")
    assert len(caught) == 1 and found(tmp_path / "out") == {"b": b""}


@pytest.mark.parametrize("there", ["a", "a/b"])
def test_what_is_there_under_the_same_name(there, tmp_path):
    """A folder where the archive has a file, or the other way round."""
    (tmp_path / "t").write_bytes(tar_of([("a", b"1") if there == "a/b" else ("a/b", b"1")]))
    target = tmp_path / "out" / there
    target.parent.mkdir(parents=True)
    target.write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="is there already"):
        extract_archive(tmp_path / "t", tmp_path / "out")
    assert target.read_bytes() == b"mine"
    with pytest.raises(NotADirectoryError, match="is no folder"):
        extract_archive(tmp_path / "t", tmp_path / "t")
