"""get_file against a server on this machine: what is kept, what is refused."""

import hashlib
import http.client
import http.server
import io
import os
import tarfile
import threading
import zipfile

import pytest

from jkeras.utils import get_file

TEXT = b"some bytes" * 100


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "ftp://127.0.0.1/x")
            self.end_headers()
            return
        body = self.server.files.get(self.path)
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write((body or b"")[:self.server.cut])
        self.server.asked.append(self.path)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        made.files, made.asked, made.cut = {"/a.txt": TEXT, "/a.tar.gz": _tar(), "/a.zip": _zip()}, [], None
        made.address = f"http://127.0.0.1:{made.server_address[1]}"
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


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


def test_download_once_with_hash(server, tmp_path):
    origin, digest = f"{server.address}/a.txt?x=1", hashlib.sha256(TEXT).hexdigest()
    server.files["/a.txt?x=1"] = TEXT
    path = get_file(origin=origin, file_hash=digest, cache_dir=tmp_path)
    assert path == str(tmp_path / "datasets" / "a.txt")
    assert get_file(origin=origin, md5_hash=hashlib.md5(TEXT).hexdigest(), cache_dir=tmp_path) == path
    assert len(server.asked) == 1
    get_file(origin=origin, cache_dir=tmp_path, force_download=True)
    assert len(server.asked) == 2


def test_wrong_hash_keeps_nothing(server, tmp_path):
    with pytest.raises(ValueError, match="hash"):
        get_file(origin=f"{server.address}/a.txt", file_hash="0" * 64, cache_dir=tmp_path)
    assert os.listdir(tmp_path / "datasets") == []


def test_a_file_that_breaks_off_keeps_nothing(server, tmp_path):
    server.cut = 10
    with pytest.raises((OSError, http.client.IncompleteRead)):
        get_file(origin=f"{server.address}/a.txt", cache_dir=tmp_path)
    assert os.listdir(tmp_path / "datasets") == []


@pytest.mark.filterwarnings("ignore:Not unpacked")
@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
def test_archives_stay_in_their_folder(server, tmp_path, name):
    folder = get_file(origin=f"{server.address}/{name}", cache_dir=tmp_path, extract=True)
    found = sorted(os.path.relpath(os.path.join(root, f), folder) for root, _, files in os.walk(folder) for f in files)
    assert found == ["in/x.txt"]
    assert not (tmp_path / "datasets" / "out.txt").exists()
    given = get_file("mine.tgz", origin=f"{server.address}/{name}", cache_dir=tmp_path, extract=True)
    assert given.endswith("mine_extracted")


def test_refused_addresses_and_names(server, tmp_path):
    for origin in ("file:///etc/hostname", "ftp://x/y"):
        with pytest.raises(ValueError, match="http"):
            get_file(origin=origin, cache_dir=tmp_path)
    with pytest.raises(ValueError, match="http"):
        get_file("x", origin=f"{server.address}/away", cache_dir=tmp_path)
    with pytest.raises(ValueError, match="folders"):
        get_file("../x", origin=f"{server.address}/a.txt", cache_dir=tmp_path)
    with pytest.raises(ValueError, match="origin"):
        get_file("x")
    with pytest.raises(OSError, match="404"):
        get_file(origin=f"{server.address}/no.txt", cache_dir=tmp_path)
