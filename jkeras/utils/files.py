"""get_file: files from the web, checked, kept in a folder, and unpacked."""

import hashlib
import os
import pathlib
import shutil
import stat
import tarfile
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import warnings
import zipfile

from jkeras.core.registry import public
from jkeras.saving.files import replacing

CHUNK = 1 << 16


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
    from jkeras.utils.progbar import Progbar

    _check_scheme(origin)
    print(f"Downloading data from {origin}")
    try:
        with urllib.request.build_opener(_WebOnly).open(origin) as answer, replacing(target) as temporary:
            size = int(answer.headers.get("Content-Length") or 0) or None
            bar, seen = Progbar(size, unit_name="byte", interval=0.5), 0
            with open(temporary, "wb") as file:
                while block := answer.read(CHUNK):
                    file.write(block)
                    seen += len(block)
                    bar.update(seen)
            if size is not None and seen != size:
                raise OSError(f"{origin}: {seen} of {size} bytes came.")
            if not _is_right(temporary, file_hash, algorithm):
                raise ValueError(f"{origin}: the file that came does not have the hash {file_hash}. It is incomplete, "
                                 "or not the one you expect; nothing was kept.")
    except urllib.error.HTTPError as error:
        raise OSError(f"{origin}: the server answers {error.code} {error.msg}.") from error
    except urllib.error.URLError as error:
        raise OSError(f"{origin} cannot be read: {error.reason}") from error


# ---------------------------------------------------------------- archives

def unpack(path, folder, archive_format="auto"):
    """Unpacks a tar or zip archive into a folder; links and paths that lead out of it are refused.

    Returns:
        Whether the file was an archive of one of the formats.
    """
    formats = ["tar", "zip"] if archive_format == "auto" else [archive_format] if isinstance(
        archive_format, str) else list(archive_format or [])
    for name in formats:
        if name not in ("tar", "zip"):
            raise NotImplementedError(f"Archive format {name!r} is not known: use 'tar' or 'zip'.")
        if name == "tar" and tarfile.is_tarfile(path):
            with tarfile.open(path) as archive:
                _unpack_all(folder, ((m.name, m.isdir(), m.isreg(), lambda m=m: archive.extractfile(m))
                                     for m in archive))
            return True
        if name == "zip" and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                _unpack_all(folder, ((m.filename, m.is_dir(), _is_plain(m), lambda m=m: archive.open(m))
                                     for m in archive.infolist()))
            return True
    return False


def _is_plain(info):
    mode = info.external_attr >> 16
    return stat.S_IFMT(mode) in (0, stat.S_IFREG)


def _unpack_all(folder, members):
    """Writes (name, is a folder, is a plain file, open) members below a folder."""
    folder = pathlib.Path(folder)
    for name, is_folder, is_file, opened in members:
        parts = pathlib.PurePosixPath(name.replace("\\", "/")).parts
        if not (is_folder or is_file) or ".." in parts or name.startswith(("/", "\\")) or ":" in name.split("/")[0]:
            warnings.warn(f"Not unpacked, since it is a link or leads out of the folder: {name!r}", stacklevel=4)
            continue
        target = folder.joinpath(*parts)
        (target if is_folder else target.parent).mkdir(parents=True, exist_ok=True)
        if is_file and not is_folder:
            with opened() as source, open(target, "wb") as file:
                shutil.copyfileobj(source, file)
