"""get_file: files from the web, checked, kept in a folder, and unpacked."""

import hashlib
import http.client
import lzma
import os
import pathlib
import stat
import tarfile
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import warnings
import zipfile
import zlib

from jkeras.core.registry import public
from jkeras.saving.files import replacing

CHUNK = 1 << 16
PATIENCE = 15  # seconds without a byte from a server
SLOWEST, SLOW_START = 1024, 60  # bytes per second that must come, from so many seconds on
LONGEST_UNSAID = 2**29  # bytes of a file whose server does not say how many it has
RATIO, FREE = 100, 2**26  # an archive may unpack to so many times its size, and to so many bytes in any case
MOST_MEMBERS = 1_000_000


def home():
    """The folder of downloads and settings: `KERAS_HOME`, or ".keras" in the user's home."""
    return os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")


@public("keras.utils.get_file")
def get_file(fname=None, origin=None, untar=False, md5_hash=None, file_hash=None, cache_subdir="datasets",
             hash_algorithm="auto", extract=False, archive_format="auto", cache_dir=None, force_download=False):
    """The path of a file from the web, downloaded unless it is there already.

    It is written under another name first and gets its own when it is complete and its hash is right.

    Args:
        fname: the file's name here, by default that of `origin`. With `extract`, the name of the folder.
        origin: http or https address.
        untar: older name of `extract` for tar archives.
        file_hash, md5_hash: hexadecimal hash of the file.
        cache_subdir, cache_dir: the folder is `cache_dir/cache_subdir`; `cache_dir` is "~/.keras" by default.
        hash_algorithm: "sha256", "md5" or "auto", by the hash's length.
        extract: unpack the archive; the result is the folder.
        archive_format: "tar", "zip", "auto", or a list.
        force_download: download even if it is there.

    Raises:
        ValueError: no address, one that is not http(s), a path as `fname`, or a wrong hash.
        OSError: the address cannot be read.
    """
    if origin is None:
        raise ValueError("`origin` is missing: the address of the file.")
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    fname = _file_name(fname, origin)
    folder = _folder(cache_dir, cache_subdir)
    target, unpacked = _places(folder, *fname) if extract or untar else (folder / fname[0], None)
    if force_download or not target.exists() or not _is_right(target, file_hash, hash_algorithm):
        _download(origin, target, file_hash, hash_algorithm)
    if unpacked is None:
        return str(target)
    if not unpack(target, unpacked, "tar" if untar else archive_format):
        warnings.warn(f"{target} is not an archive of the format {archive_format!r}.", stacklevel=2)
    return str(unpacked)


def _file_name(fname, origin):
    """(name, whether it was given)."""
    name = os.fspath(fname) if fname else os.path.basename(urllib.parse.urlsplit(origin).path)
    if not name:
        raise ValueError(f"The address {origin!r} has no file name. Pass `fname`.")
    if os.sep in name or "/" in name or name in (".", ".."):
        raise ValueError(f"`fname` must be a name without folders; choose the folder with `cache_dir` and "
                         f"`cache_subdir`. Received: fname={name}")
    return name, bool(fname)


def _folder(cache_dir, cache_subdir):
    base = os.path.expanduser(cache_dir or home())
    if cache_dir is None:
        os.makedirs(base, exist_ok=True)
    if not os.access(base, os.W_OK):
        base = os.path.join(tempfile.gettempdir(), ".keras")
    folder = pathlib.Path(base, cache_subdir)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _places(folder, name, given):
    """Where an archive lies and where it is unpacked."""
    if given and "." in name:
        return folder / name, folder / f"{name[:name.find('.')]}_extracted"
    return folder / f"{name}_archive", folder / name


def _is_right(path, file_hash, algorithm):
    return file_hash is None or file_digest(path, algorithm, file_hash) == str(file_hash).lower()


def file_digest(path, algorithm="auto", like=""):
    """The hexadecimal hash of a file.

    Args:
        algorithm: "sha256", "md5", or "auto": the one whose hashes have the length of `like`.
    """
    if algorithm == "auto":
        algorithm = "sha256" if len(str(like)) == 64 else "md5"
    if algorithm not in ("sha256", "md5"):
        raise ValueError(f"`hash_algorithm` must be 'auto', 'sha256' or 'md5'. Received: {algorithm!r}")
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


class _WebOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https addresses only."""

    def redirect_request(self, request, file, code, message, headers, url):
        _check_scheme(url)
        return super().redirect_request(request, file, code, message, headers, url)


def _check_scheme(url):
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"Only http and https addresses are downloaded. Received: {url!r}")


def _download(origin, target, file_hash, algorithm):
    _check_scheme(origin)
    print(f"Downloading data from {origin}")
    try:
        with urllib.request.build_opener(_WebOnly).open(origin, timeout=PATIENCE) as answer, replacing(
                target) as temporary:
            _fetch(origin, answer, temporary)
            if not _is_right(temporary, file_hash, algorithm):
                raise ValueError(f"{origin}: the file that came does not have the hash {file_hash}. It is incomplete, "
                                 "or not the one you expect; nothing was kept.")
    except urllib.error.HTTPError as error:
        raise OSError(f"{origin}: the server answers {error.code} {error.msg}.") from error
    except TimeoutError as error:
        raise OSError(f"{origin}: nothing came for {PATIENCE} seconds; nothing was kept. Try again later.") from error
    except (urllib.error.URLError, http.client.HTTPException) as error:
        raise OSError(f"{origin} cannot be read: {getattr(error, 'reason', error)}") from error


def _fetch(origin, answer, path):
    """Writes what a server sends to a file.

    Raises:
        OSError: it is not as long as the server said, too long, or comes too slowly.
    """
    from jkeras.utils.progbar import Progbar

    size = int(answer.headers.get("Content-Length") or 0) or None
    bar, seen, begin = Progbar(size, unit_name="byte", interval=0.5), 0, time.monotonic()
    with open(path, "wb") as file:
        while block := answer.read(CHUNK):
            file.write(block)
            seen += len(block)
            bar.update(seen)
            if size is None and seen > LONGEST_UNSAID:
                raise OSError(f"{origin}: more than {LONGEST_UNSAID} bytes came, from a server that does not say how "
                              "many there are; nothing was kept.")
            seconds = time.monotonic() - begin
            if seconds > SLOW_START and seen < SLOWEST * seconds:
                raise OSError(f"{origin}: {seen} bytes came in {seconds:.0f} seconds, which is too slow; nothing was "
                              "kept. Try again later.")
    if size is not None and seen != size:
        raise OSError(f"{origin}: {seen} of {size} bytes came.")


# ---------------------------------------------------------------- archives

@public("jkeras.utils.extract_archive")
def extract_archive(file_path, path=".", archive_format="auto"):
    """Unpacks a tar or zip archive into a folder: files and folders only, and only below it.

    It is unpacked beside the folder first, and comes into it when all is there.

    Args:
        file_path: the archive.
        path: the folder.
        archive_format: "tar", "zip", "auto", or a list.

    Raises:
        ValueError: it is no archive of one of the formats, damaged, or would unpack to far more than it is.

    >>> import io, pathlib, tempfile, zipfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with zipfile.ZipFile(f"{folder}/a.zip", "w") as archive:
    ...         archive.writestr("b/c.txt", "hello")
    ...     extract_archive(f"{folder}/a.zip", f"{folder}/out")
    ...     pathlib.Path(folder, "out/b/c.txt").read_text()
    'hello'
    """
    if not unpack(file_path, path, archive_format):
        raise ValueError(f"{file_path} is not an archive of the format {archive_format!r}: expected a tar or zip file.")


def unpack(file_path, path, archive_format="auto"):
    """As `extract_archive`, but returns whether the file was an archive of one of the formats."""
    formats = ["tar", "zip"] if archive_format == "auto" else [archive_format] if isinstance(
        archive_format, str) else list(archive_format or [])
    for name in formats:
        if name not in ("tar", "zip"):
            raise NotImplementedError(f"Archive format {name!r} is not known: use 'tar' or 'zip'.")
        try:
            if name == "tar" and tarfile.is_tarfile(file_path):
                with tarfile.open(file_path) as archive:
                    _unpack_all(file_path, path, ((m.name, m.isdir(), m.isreg(), lambda m=m: archive.extractfile(m))
                                                  for m in archive))
                return True
            if name == "zip" and zipfile.is_zipfile(file_path):
                with zipfile.ZipFile(file_path) as archive:
                    _unpack_all(file_path, path, ((m.filename, m.is_dir(), _is_plain(m), lambda m=m: archive.open(m))
                                                  for m in archive.infolist()))
                return True
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError) as error:
            raise ValueError(f"The archive {file_path} is damaged: {error}. Nothing of it was unpacked.") from error
    return False


def _is_plain(info):
    mode = info.external_attr >> 16
    return stat.S_IFMT(mode) in (0, stat.S_IFREG)


def _unpack_all(archive, folder, members):
    """Writes (name, is a folder, is a plain file, open) members below a folder."""
    folder = pathlib.Path(folder).absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    left = FREE + RATIO * os.path.getsize(archive)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        for number, (name, is_folder, is_file, opened) in enumerate(members):
            if number >= MOST_MEMBERS:
                raise ValueError(f"The archive {archive} has more than {MOST_MEMBERS} members.")
            parts = pathlib.PurePosixPath(name.replace("\\", "/")).parts
            if not (is_folder or is_file) or ".." in parts or name.startswith(("/", "\\")) or ":" in name.split("/")[0]:
                warnings.warn(f"Not unpacked, since it is a link or leads out of the folder: {name[:200]!r}",
                              stacklevel=5)
                continue
            target = pathlib.Path(temporary).joinpath(*parts)
            (target if is_folder else target.parent).mkdir(parents=True, exist_ok=True)
            if is_file and not is_folder:
                with opened() as source, open(target, "wb") as file:
                    left = _copied(archive, source, file, left)
        _move(temporary, folder)


def _copied(archive, source, file, left):
    """Copies one file; returns how many bytes may still come."""
    while block := source.read(CHUNK):
        left -= len(block)
        if left < 0:
            raise ValueError(f"The archive {archive} would unpack to more than {RATIO} times its size. Nothing of it "
                             "was kept; if you trust it, unpack it by hand.")
        file.write(block)
    return left


def _move(source, folder):
    """Moves all that is in one folder into another, file by file where a folder is there already."""
    folder.mkdir(exist_ok=True)
    for entry in os.scandir(source):
        place = folder / entry.name
        if entry.is_dir() and place.is_dir() and not place.is_symlink():
            _move(entry.path, place)
        else:
            os.replace(entry.path, place)
