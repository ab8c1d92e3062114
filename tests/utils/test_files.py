"""get_file against a server on this machine: what is kept, what is taken up again, what is
refused.
"""

import gzip
import hashlib
import io
import os
import socket
import subprocess
import sys
import tarfile
import threading
import zipfile

import pytest

import jkeras
from jkeras.utils import download, get_file
from tests.web import free_address, serving

TEXT = bytes(range(256)) * 4
SHA256 = hashlib.sha256(TEXT).hexdigest()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "PAUSES", (0, 0.01))
    with serving({"/a.txt": TEXT, "/a.tar.gz": _tar(), "/a.zip": _zip()}) as made:
        yield made


def _tar():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in ("in/x.txt", "../out.txt", "/tmp/abs.txt"):
            info = tarfile.TarInfo(name)
            info.size = len(TEXT)
            archive.addfile(info, io.BytesIO(TEXT))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            info = tarfile.TarInfo(f"link{kind.decode()}")
            info.type, info.linkname = kind, "in/x.txt"
            archive.addfile(info)
    return buffer.getvalue()


def _zip():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("in/x.txt", TEXT)
        archive.writestr("../out.txt", TEXT)
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "in/x.txt")
    return buffer.getvalue()


def get(server, folder, name="a.txt", **options):
    """The bytes that `get_file` brings."""
    with open(
        get_file(origin=f"{server.address}/{name}", cache_dir=folder, **options), "rb"
    ) as file:
        return file.read()


def fails(server, folder, text, name="a.txt", kind=OSError, **options):
    """`get_file` raises an error that has the address and the place of the file, and leaves
    nothing.
    """
    with pytest.raises(kind, match=text) as caught:
        get(server, folder, name, **options)
    assert f"{server.address}/{name}" in str(caught.value) and str(
        folder / "datasets" / name
    ) in str(caught.value)
    assert os.listdir(folder / "datasets") == []


def asked_for(server):
    """Which part each question was for."""
    return [headers.get("Range") for headers in server.headers]


# ---------------------------------------------------------------- the file that is there


@pytest.mark.promise("A file is there as a whole")
def test_download_once_with_hash(server, tmp_path):
    server.files["/a.txt?x=1"] = TEXT
    origin = f"{server.address}/a.txt?x=1"
    path = get_file(origin=origin, file_hash=SHA256, cache_dir=tmp_path)
    assert path == str(tmp_path / "datasets" / "a.txt")
    assert (
        get_file(origin=origin, md5_hash=hashlib.md5(TEXT).hexdigest(), cache_dir=tmp_path) == path
    )
    assert len(server.asked) == 1
    get_file(origin=origin, cache_dir=tmp_path, force_download=True)
    assert len(server.asked) == 2


def test_a_file_with_another_hash_is_downloaded_anew(server, tmp_path):
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "a.txt").write_bytes(TEXT[:100])
    assert get(server, tmp_path) == TEXT[:100]
    with pytest.warns(UserWarning, match=f"hash {SHA256}.*downloaded anew"):
        assert get(server, tmp_path, file_hash=SHA256) == TEXT
    with (
        pytest.warns(UserWarning, match="downloaded anew"),
        pytest.raises(ValueError, match="hash"),
    ):
        get(server, tmp_path, file_hash="0" * 64)
    assert get(server, tmp_path) == TEXT  # what was there stays until the right one has come
    assert len(server.asked) == 2


def test_what_is_shown(server, tmp_path, capsys):
    get(server, tmp_path)
    assert capsys.readouterr().out == ""
    jkeras.config.enable_interactive_logging()
    for length, size in (("Content-Length", "1024/1024"), (None, "1024/Unknown")):
        server.length = length
        get(server, tmp_path, force_download=True)
        shown = capsys.readouterr().out
        assert f"Downloading data from {server.address}/a.txt\n" in shown and size in shown


# ---------------------------------------------------------------- what servers zip unasked


@pytest.mark.promise("What a server sends zipped unasked")
@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_a_file_that_is_sent_zipped(server, tmp_path, encoding, cut):
    server.files["/a.txt"] = gzip.compress(TEXT)
    server.more = {"Content-Encoding": encoding}
    server.cuts = iter([5, 7] if cut else [])
    assert get(server, tmp_path, file_hash=SHA256) == TEXT


def test_an_archive_that_a_server_calls_zipped(server, tmp_path):
    """Many do so, by its ending, or by what it is."""
    server.files["/tar"] = server.files["/a.tar.gz"]
    server.files["/a.txt.gz"] = gzip.compress(TEXT)
    server.more = {"Content-Encoding": "gzip"}
    path = get_file(origin=f"{server.address}/a.txt.gz", cache_dir=tmp_path)
    with gzip.open(path) as file:
        assert file.read() == TEXT
    for name in ("a.tar.gz", "tar"):
        digest = hashlib.sha256(server.files["/tar"]).hexdigest()
        (tmp_path / name).mkdir()
        options = dict(extract=True, file_hash=digest, cache_dir=tmp_path / name)
        with pytest.warns(UserWarning, match="Not unpacked"):
            folder = get_file(origin=f"{server.address}/{name}", **options)
        assert os.listdir(folder) == ["in"]


@pytest.mark.promise("another encoding is refused")
@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, br", "\x1b[2J"])
def test_an_encoding_that_is_not_read(server, tmp_path, encoding):
    server.more = {"Content-Encoding": encoding}
    fails(server, tmp_path, "sends it in the encoding.*which is not read")


def test_zipped_and_not(server, tmp_path):
    server.more = {"Content-Encoding": "gzip"}
    fails(server, tmp_path, "says that it is zipped, and it is not")
    server.files["/a.txt"] = gzip.compress(TEXT)[:-6]
    fails(server, tmp_path, "says that it is zipped, and it is not")


def test_zipped_without_end(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "FREE", 1000)
    server.files["/a.txt"] = gzip.compress(bytes(10**6))
    server.more = {"Content-Encoding": "gzip"}
    fails(server, tmp_path, "unpacks to more than 100 times its size")


# ---------------------------------------------------------------- what goes wrong


@pytest.mark.promise("A file is there as a whole")
@pytest.mark.promise("It is written beside its")
def test_wrong_hash_keeps_nothing(server, tmp_path):
    fails(server, tmp_path, "hash", kind=ValueError, file_hash="0" * 64)


@pytest.mark.promise("A connection that breaks resumes where it was")
@pytest.mark.parametrize("abrupt", [False, True])
@pytest.mark.parametrize("length", ["Content-Length", "chunked"])
def test_a_cut_transfer_is_taken_up_again(server, tmp_path, length, abrupt):
    server.cuts, server.length, server.abrupt = iter([300, 200]), length, abrupt
    assert get(server, tmp_path) == TEXT
    parts = asked_for(server)
    assert len(parts) == 3
    if not abrupt:  # otherwise some of what was sent may never come
        assert parts == [None, "bytes=300-", "bytes=500-"]
    assert all(
        headers["If-Range"] == f'"{hashlib.md5(TEXT).hexdigest()}"'
        for headers in server.headers[1:]
    )


@pytest.mark.parametrize("believes", [True, False])
def test_a_file_that_has_changed_meanwhile_is_begun_again(server, tmp_path, believes):
    """Also where the server sends the rest of the new one."""
    changed = TEXT[::-1]
    server.cuts, server.believes = iter([300]), believes
    server.on_question = lambda: server.asked[1:] and server.files.update({"/a.txt": changed})
    assert get(server, tmp_path) == changed
    assert asked_for(server) == [None, "bytes=300-", None][: 2 if believes else 3]


@pytest.mark.parametrize("change", [dict(ranges=False), dict(marks=())])
def test_what_cannot_be_taken_up_is_begun_again(server, tmp_path, change):
    server.cuts = iter([300])
    vars(server).update(change)
    assert get(server, tmp_path) == TEXT
    assert asked_for(server) == [None, "bytes=300-" if "ranges" in change else None]


def test_the_date_marks_a_file_too(server, tmp_path):
    server.cuts, server.marks = iter([300]), ("Last-Modified",)
    assert get(server, tmp_path) == TEXT
    assert asked_for(server) == [None, "bytes=300-"]


def test_a_part_that_is_not_there_is_begun_again(server, tmp_path):
    """All had come but the word that this was the end."""
    server.cuts, server.length, server.answers = iter([len(TEXT)]), "chunked", iter([None, 416])
    assert get(server, tmp_path) == TEXT
    assert asked_for(server) == [None, f"bytes={len(TEXT)}-", None]


def test_cut_for_ever(server, tmp_path):
    server.cut_for_ever(10)
    fails(server, tmp_path, f"30 of {len(TEXT)} bytes came, in the last of 3 tries")
    server.abrupt = True
    fails(server, tmp_path, "in the last of 3 tries")
    assert len(server.asked) == 6


def test_a_server_that_goes_away(server, tmp_path):
    server.cut_for_ever(10)
    server.on_question = server.socket.close
    fails(server, tmp_path, "not reached any more.*in the last of 3 tries")


@pytest.mark.parametrize("code, tries", [(404, 1), (403, 1), (503, 3)])
def test_a_server_that_refuses(server, tmp_path, code, tries):
    server.answers = iter([code] * 5)
    fails(server, tmp_path, f"the server answers {code}")
    assert len(server.asked) == tries


def test_a_server_that_is_busy_for_a_moment(server, tmp_path):
    server.answers = iter([503, 500])
    assert get(server, tmp_path) == TEXT


@pytest.mark.promise("a server that sends nothing for long is given up")
def test_a_server_that_falls_silent(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PATIENCE", 0.05)
    over = threading.Event()
    server.on_question = over.wait
    fails(server, tmp_path, "nothing came for 0.05 seconds, twice")
    assert len(server.asked) == 2
    server.on_question, server.slow = (lambda: None), (400, 0.5)
    over.set()
    fails(server, tmp_path, "nothing came for 0.05 seconds")


def test_a_server_that_is_too_slow(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "SLOW_START", 0.05)
    server.slow = (1, 0.02)
    fails(server, tmp_path, "too slow")
    assert len(server.asked) == 1


def test_no_length(server, tmp_path, monkeypatch):
    for server.length in (None, "chunked"):
        assert get(server, tmp_path, force_download=True) == TEXT
    os.remove(tmp_path / "datasets" / "a.txt")
    monkeypatch.setattr(download, "LONGEST_UNSAID", 1000)
    fails(server, tmp_path, "more than the 1000 bytes")


def test_bytes_stay_as_they_are(server, tmp_path):
    """Whatever the server says of their encoding: it is part of the file."""
    server.files["/a.gz"] = packed = gzip.compress(TEXT)
    server.more = {"Content-Encoding": "gzip"}
    assert get(server, tmp_path, "a.gz") == packed
    assert server.headers[0]["Accept-Encoding"] == "identity"


def test_an_empty_file(server, tmp_path):
    server.files["/empty"] = b""
    assert get(server, tmp_path, "empty") == b""


@pytest.mark.promise("Without a network there")
@pytest.mark.parametrize("names", ["known", "unknown"])
def test_no_network(tmp_path, monkeypatch, names):
    address = f"{free_address()}/a.txt"
    if names == "unknown":
        monkeypatch.setattr(socket, "getaddrinfo", no_names)
    with pytest.raises(OSError, match="no network") as caught:
        get_file(origin=address, cache_dir=tmp_path)
    for part in (address, f"put it here: {tmp_path}/datasets/a.txt"):
        assert part in str(caught.value)
    assert os.listdir(tmp_path / "datasets") == []


def no_names(*args):
    raise socket.gaierror(-3, "Temporary failure in name resolution")


def test_a_disk_that_is_full(server, tmp_path, monkeypatch):
    """Not taken for a fault of the connection."""

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download._Transfer, "_write", full)
    with pytest.raises(OSError, match="could not be written: No space left"):
        get(server, tmp_path)
    assert len(server.asked) == 1 and os.listdir(tmp_path / "datasets") == []


@pytest.mark.parametrize("end", ["/", "/.", "/.."])
def test_an_address_that_ends_in_no_name(end, tmp_path):
    with pytest.raises(ValueError, match="Can't parse the file name from the origin"):
        get_file(origin=tmp_path.as_uri() + end, cache_dir=tmp_path)


@pytest.mark.promise("Only http and https addresses")
def test_refused_addresses_and_names(server, tmp_path):
    for origin in ("file://elsewhere/etc/hostname", "ftp://x/y"):
        with pytest.raises(ValueError, match="http"):
            get_file(origin=origin, cache_dir=tmp_path)
    with pytest.raises(ValueError, match="folders"):
        get_file("../x", origin=f"{server.address}/a.txt", cache_dir=tmp_path)
    with pytest.raises(ValueError, match="origin"):
        get_file("x")
    with pytest.raises(OSError, match="no address"):
        get_file(origin=f"{server.address}/a b.txt", cache_dir=tmp_path)


def test_a_file_of_this_machine(tmp_path):
    there = tmp_path / "some where.txt"
    there.write_bytes(TEXT)
    options = dict(origin=there.as_uri(), fname="a.txt", cache_dir=tmp_path)
    with pytest.raises(ValueError, match="hash"):
        get_file(**options, file_hash="0" * 64)
    with open(get_file(**options, file_hash=SHA256), "rb") as file:
        assert file.read() == TEXT
    assert os.listdir(tmp_path / "datasets") == ["a.txt"] and there.exists()
    with pytest.raises(OSError, match="there is no such file.*Nothing was kept"):
        get_file(origin=(tmp_path / "missing").as_uri(), cache_dir=tmp_path)


def test_an_archive_of_this_machine(tmp_path):
    (tmp_path / "a.zip").write_bytes(_zip())
    with pytest.warns(UserWarning, match="Not unpacked"):
        folder = get_file(origin=(tmp_path / "a.zip").as_uri(), cache_dir=tmp_path, extract=True)
    assert os.listdir(os.path.join(folder, "in")) == ["x.txt"]


@pytest.mark.promise("Only http and https addresses")
@pytest.mark.parametrize("address", ["ftp://127.0.0.1/x", "file:///etc/hostname"])
def test_redirects(server, tmp_path, address):
    server.redirects = {"/on": f"{server.address}/a.txt", "/away": address}
    fails(server, tmp_path, f"{address}'.* (followed|not allowed)", "away")
    assert get(server, tmp_path, "on") == TEXT


# ---------------------------------------------------------------- archives, and two at once


@pytest.mark.filterwarnings("ignore:Not unpacked")
@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
def test_archives_stay_in_their_folder(server, tmp_path, name):
    folder = get_file(origin=f"{server.address}/{name}", cache_dir=tmp_path, extract=True)
    found = sorted(
        os.path.relpath(os.path.join(root, f), folder)
        for root, _, files in os.walk(folder)
        for f in files
    )
    assert found == ["in/x.txt"]
    assert not (tmp_path / "datasets" / "out.txt").exists()
    given = get_file(
        "mine.tgz", origin=f"{server.address}/{name}", cache_dir=tmp_path, extract=True
    )
    assert given.endswith("mine_extracted")


@pytest.mark.promise("It is written beside its")
@pytest.mark.filterwarnings("ignore:Not unpacked")
def test_two_processes_at_once(server, tmp_path):
    """Both ask before either has it; both unpack it."""
    server.on_question = threading.Barrier(2).wait
    server.slow = (100, 0.001)
    code = (
        "import sys, warnings; from jkeras.utils import get_file; "
        "warnings.simplefilter('ignore'); input('ready\\n'); print(get_file(origin=sys.argv[1], "
        "cache_dir=sys.argv[2], file_hash=sys.argv[3], extract=True))"
    )
    digest = hashlib.sha256(server.files["/a.tar.gz"]).hexdigest()
    command = [sys.executable, "-c", code, f"{server.address}/a.tar.gz", tmp_path, digest]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    started = [subprocess.Popen(command, **pipes, text=True) for _ in range(2)]
    assert [process.stdout.readline() for process in started] == ["ready\n"] * 2
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        out, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        with open(os.path.join(out.splitlines()[-1], "in", "x.txt"), "rb") as file:
            assert file.read() == TEXT
    assert len(server.asked) == 2
    assert sorted(os.listdir(tmp_path / "datasets")) == ["a.tar.gz", "a.tar.gz_archive"]
