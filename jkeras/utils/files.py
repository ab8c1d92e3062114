"""get_file: files from the web, checked, cached in a folder, and unpacked."""

import functools
import hashlib
import os
import pathlib
import tempfile
import urllib.parse
import warnings
from collections.abc import Callable, Sequence

from jkeras.core.errors import ArgumentError, readable
from jkeras.core.system.own_files import check_private, check_regular, make_private
from jkeras.core.names.registry import public

LONGEST_NAME = 200  # bytes; file systems allow 255, of which a temporary name needs some


def home() -> str:
    """The folder of downloads and settings: `KERAS_HOME`, or ".keras" in the user's home."""
    return os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")


@public("keras.utils.get_file")
def get_file(
    fname: str | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | Sequence[str] | None = "auto",
    cache_dir: str | os.PathLike | None = None,
    force_download: bool = False,
) -> str:
    """The path of a file from the web, downloaded unless it is there already.

    It is written under another name first and gets its own when it is complete and its hash is
    right. A transfer that breaks off is taken up again where it stopped, five tries in all; if it
    fails, nothing of it is left.

    Args:
        fname: the file's name here, by default that of `origin`. With `extract`, the name of the
            folder.
        origin: http or https address, or "file:///..." for a file of this machine, which is copied.
        untar: older name of `extract` for tar archives.
        file_hash, md5_hash: hexadecimal hash of the file. A file that is there with another one is
            downloaded anew.
        cache_subdir, cache_dir: the folder is `cache_dir/cache_subdir`; `cache_dir` is "~/.keras"
            by default.
        hash_algorithm: "sha256", "md5" or "auto", by the hash's length.
        extract: unpack the archive; the result is the folder.
        archive_format: "tar", "zip", "auto", or a list.
        force_download: download even if it is there.

    Returns:
        the path of the file, with `extract` that of the folder.

    Raises:
        ValueError: no address, one of another kind, a path as `fname`, or a wrong hash.
        OSError: the address cannot be read; the message says where to put a file that you got in
            another way. FileExistsError: a pipe, a folder or the like lies where the file would.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:  # doctest: +ELLIPSIS
    ...     _ = pathlib.Path(folder, "words.txt").write_text("one two")
    ...     path = get_file(origin=pathlib.Path(folder, "words.txt").as_uri(), cache_dir=folder)
    ...     print(pathlib.Path(path).relative_to(folder), pathlib.Path(path).read_text())
    Downloading data from file:...
    datasets/words.txt one two
    """
    # on first use: what reads archives and the web takes time to import
    from jkeras.utils.archives import unpack
    from jkeras.utils.download import download

    if origin is None:
        raise ValueError("`origin` is missing: the address of the file.")
    if not isinstance(origin, str):
        raise ArgumentError(f"`origin` must be an address, a string. Received: origin={origin!r}")
    file_hash, hash_algorithm = _expected_hash(file_hash, md5_hash, hash_algorithm)
    name = _file_name(fname, origin)
    folder = _folder(cache_dir, cache_subdir)
    target = folder / name
    unpacked = None
    if extract or untar:
        target, unpacked = _paths(folder, name, is_own_name=bool(fname))

    def is_right(path: str | os.PathLike) -> bool:
        if file_hash is None:
            return True
        return file_digest(path, hash_algorithm, file_hash) == str(file_hash).lower()

    if force_download or not _is_complete(target, is_right, file_hash):
        download(origin, target, is_right, is_hashed=file_hash is not None)
    if unpacked is None:
        return str(target)
    if unpacked.is_symlink():
        raise FileExistsError(
            f"{unpacked} is a symbolic link, through which nothing is unpacked. Move it away, or "
            "give another `cache_dir`."
        )
    if not unpack(target, unpacked, "tar" if untar else archive_format):
        warnings.warn(f"{target} is not an archive of the format {archive_format!r}.", stacklevel=2)
    return str(unpacked)


def _expected_hash(
    file_hash: str | None, md5_hash: str | None, algorithm: str
) -> tuple[str | None, str | None]:
    """(hash, algorithm) of the arguments; `md5_hash` is the older argument."""
    if file_hash is None and md5_hash is not None:
        return md5_hash, "md5"
    return file_hash, algorithm


def _is_complete(
    target: pathlib.Path, is_right: Callable[[str | os.PathLike], bool], file_hash: str | None
) -> bool:
    """Whether a file is there; warns where it has another hash than it should."""
    check_regular(target)
    if not target.exists():
        return False
    if is_right(target):
        return True
    warnings.warn(
        f"{target} does not have the hash {file_hash}: it is incomplete, or another "
        "version. It is downloaded anew.",
        stacklevel=3,
    )
    return False


def _file_name(fname: str | None, origin: str) -> str:
    """`fname`, or the name in the address."""
    if fname:
        name = os.fsdecode(fname)
    else:
        name = os.path.basename(_parts(origin).path)
    if not fname and name in ("", ".", ".."):
        raise ValueError(
            f"Can't parse the file name from the origin {_shown(origin)!r}: it has none. Pass "
            "`fname`."
        )
    if os.sep in name or "/" in name or name in (".", ".."):
        raise ValueError(
            f"`fname` must be a name without folders; choose the folder with `cache_dir` and "
            f"`cache_subdir`. Received: fname={name}"
        )
    if not name.isprintable() or len(os.fsencode(name)) > LONGEST_NAME:
        raise ValueError(
            f"A file's name has at most {LONGEST_NAME} bytes, and no control characters. Pass "
            f"`fname`. Received: {name[:100]!r}"
        )
    return name


def _shown(origin: str) -> str:
    """An address in a message."""
    from jkeras.core.system.web import without_password

    return readable(without_password(origin))


def _parts(origin: str) -> urllib.parse.SplitResult:
    """The parts of an address."""
    try:
        return urllib.parse.urlsplit(origin)
    except ValueError as error:
        raise ValueError(f"{_shown(origin)!r} is no address ({readable(error)}).") from None


def _folder(cache_dir: str | os.PathLike | None, cache_subdir: str) -> pathlib.Path:
    base = os.path.expanduser(cache_dir or home())
    if cache_dir is None:
        os.makedirs(base, exist_ok=True)
    if not os.access(base, os.W_OK):
        base = os.path.join(tempfile.gettempdir(), ".keras")
        make_private(base)
        check_private(base, "downloads, which others would put files in the place of")
    folder = pathlib.Path(base, cache_subdir)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _paths(folder: pathlib.Path, name: str, is_own_name: bool) -> tuple[pathlib.Path, pathlib.Path]:
    """Where an archive lies and where it is unpacked."""
    if is_own_name and "." in name:
        return folder / name, folder / f"{name[: name.find('.')]}_extracted"
    return folder / f"{name}_archive", folder / name


def file_digest(path: str | os.PathLike, algorithm: str = "auto", like: str = "") -> str:
    """The hexadecimal hash of a file.

    Args:
        algorithm: "sha256", "md5", or "auto": the one whose hashes have the length of `like`.
    """
    if algorithm == "auto":
        algorithm = "sha256" if len(str(like)) == 64 else "md5"
    if algorithm not in ("sha256", "md5"):
        raise ValueError(
            f"`hash_algorithm` must be 'auto', 'sha256' or 'md5'. Received: {algorithm!r}"
        )
    with open(path, "rb") as file:
        new = functools.partial(hashlib.new, algorithm, usedforsecurity=False)
        return hashlib.file_digest(file, new).hexdigest()
