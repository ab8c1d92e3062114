"""A folder of numbered steps, each there as a whole or not at all, and checked before it is read.

A step is written beside its path, with a list of its files, their sizes and checksums; all is on
the disk before the folder gets its name. What a step's list says is compared with what lies there
before anything of it is opened.
"""

import concurrent.futures
import contextlib
import json
import os
import re
import secrets
import shutil
import stat
import weakref
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import jax

from jkeras.core.errors import MissingFileError, SerializationError, readable
from jkeras.core.system.own_files import open_own, own_handle
from jkeras.saving.checksums import checksum_of_file, product_sum
from jkeras.saving.files import make_folder, sync
from jkeras.saving.locks import lies_at, try_lock
from jkeras.saving.types import FilePath, Reader

MANIFEST = "files.json"
ORBAX_MARKS = ("_CHECKPOINT_METADATA", "_METADATA", "pytree")  # in steps that orbax wrote
LOCK = ".lock"
HOLDER = re.compile(r"(process [0-9]{1,20})?", re.ASCII)  # what it says
NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
OLD = re.compile(r"\.([0-9]+)\.[0-9a-f]+\.old", re.ASCII)
LEFT = re.compile(r"\.[0-9]+\.[0-9a-z]+\.(partial|gone)", re.ASCII)


class StepFolder:
    """The folder.

    Args:
        path: made with the first step.
        own: name of a folder that the steps have that were written here, and so have a list.
        is_shared: whether all processes of a run write its steps together, rather than this one
            alone.
    """

    def __init__(self, path: FilePath, own: str | None = None, is_shared: bool = True) -> None:
        self.own = own
        self.is_shared = is_shared
        if not os.fsdecode(path):
            raise ValueError("Expected the path of a folder for checkpoints. Received: ''")
        if "://" in os.fsdecode(path):
            raise ValueError(
                "Checkpoints are kept in a folder of the file system: mount the bucket (as with "
                f"gcsfuse) and give the path. Received: {os.fsdecode(path)!r}"
            )
        self.path = os.path.abspath(os.path.expanduser(os.fsdecode(path)))
        if os.path.lexists(self.path) and not os.path.isdir(self.path):
            raise NotADirectoryError(
                f"{self.path} is no folder: checkpoints are kept in one. Give another path."
            )
        self._lock = None  # what closes the lock file, which others wait for

    def path_of(self, step: int) -> str:
        """The path of a step; where a newer one was about to replace it, the old one's."""
        path = os.path.join(self.path, str(step))
        if os.path.lexists(path):
            return path
        return self._replaced().get(step, path)

    def is_together(self) -> bool:
        """Whether several processes write one step."""
        return self.is_shared and jax.process_count() > 1

    def leads(self) -> bool:
        """Whether this process is the one that makes and removes folders."""
        return not self.is_shared or jax.process_index() == 0

    def steps(self) -> list[int]:
        """The numbers of the steps that are there, whole or not, in order. Links, files, and
        folders of something else are none.
        """
        folders = {step for step in self._named() if _is_folder(os.path.join(self.path, str(step)))}
        return sorted(folders | self._replaced().keys())

    def numbers(self) -> set[int]:
        """The numbers of all that could be a step, links and files too, which are none."""
        return self._named() | self._replaced().keys()

    def _named(self) -> set[int]:
        """The numbers that are names of anything in the folder."""
        try:
            names = [name for name in os.listdir(self.path) if NUMBER.fullmatch(name)]
        except FileNotFoundError:
            return set()
        return {int(name) for name in names if not self._is_of_something_else(name)}

    def _is_of_something_else(self, name: str) -> bool:
        """Whether a folder whose name is a number, such as a year, holds a user's own files."""
        path = os.path.join(self.path, name)
        if not _is_folder(path):
            return False
        marks = {MANIFEST, self.own, *ORBAX_MARKS}
        try:
            inside = os.listdir(path)
        except FileNotFoundError:  # another process has just removed it
            return False
        return bool(inside) and marks.isdisjoint(inside)

    def _replaced(self) -> dict[int, str]:
        """{step: path} of old steps that were put aside."""
        try:
            names = os.listdir(self.path)
        except FileNotFoundError:
            return {}
        matches = filter(None, map(OLD.fullmatch, names))
        return {int(match[1]): os.path.join(self.path, match[0]) for match in matches}

    # ------------------------------------------------------------ writing

    def lock(self) -> bool:
        """Makes this the one that writes here, until `unlock`, or until it is no longer used.

        Returns:
            Whether it was not so before.
        Raises:
            RuntimeError: another one does.
            FileExistsError: what is called as the lock is none.
        """
        if self._lock is not None or not self.leads():
            return False
        make_folder(self.path)
        handle, is_own = _open_locked(os.path.join(self.path, LOCK))
        if not is_own:
            other = _holder(handle)
            os.close(handle)
            raise RuntimeError(f"{self.path} is being written by {_in_words(other)}")
        self._lock = weakref.finalize(self, os.close, handle)
        with contextlib.suppress(OSError):  # a disk that is full
            os.ftruncate(handle, 0)
            os.pwrite(handle, _name_of_process().encode(), 0)
        return True

    def unlock(self) -> None:
        """Lets others write here."""
        if self._lock is not None:
            # first of all, while no other process can have it
            with contextlib.suppress(OSError):
                os.remove(os.path.join(self.path, LOCK))
            self._lock()
            self._lock = None

    @contextlib.contextmanager
    def writing(self, step: int) -> Iterator[str]:
        """Yields the path of a new folder to make, which becomes the step when the block ends
        without an error.

        For the one that holds the lock. Of several processes all write into the folder, the first
        one sees to the rest.
        """
        make_folder(self.path)
        if self._is_of_something_else(str(step)):
            raise FileExistsError(
                f"{os.path.join(self.path, str(step))} holds files that are no checkpoint: the one "
                f"of step {step} is not written in its place. Choose another folder."
            )
        leads = self.leads()
        if self.is_together():
            mark = "together"
        else:
            mark = secrets.token_hex(4)
        around = os.path.join(self.path, f".{step}.{mark}.partial")
        # what the store writes beside it goes with the folder around it
        temporary = os.path.join(around, str(step))
        try:
            if leads:
                self._tidy()
                os.mkdir(around)
            self._meet(f"begin {step}")
            yield temporary
            self._meet(f"written {step}")
            if leads:
                self._seal(temporary)
                self._put(temporary, step)
            self._meet(f"there {step}")
        finally:
            if leads:
                _remove(around)

    def _meet(self, where: str) -> None:
        """Waits until all that write a step have come here."""
        if self.is_together():
            from jax.experimental import multihost_utils

            multihost_utils.sync_global_devices(f"jkeras checkpoint: {where}")

    def _seal(self, folder: str) -> None:
        """Lists the files, and sees to it that all is on the disk."""
        paths = {name: os.path.join(folder, name) for name in _walk(folder)}
        # the disk has something to do meanwhile
        with concurrent.futures.ThreadPoolExecutor(1) as beside:
            written = [beside.submit(sync, path) for path in paths.values()]
            files = {name: _measured(path) for name, path in paths.items()}
            for each in written:
                each.result()
        manifest = os.path.join(folder, MANIFEST)
        with open_own(manifest, "w") as file:
            json.dump({"files": files, "check": _check_of(files)}, file)
        sync(manifest)
        for base, _, _ in os.walk(folder, topdown=False):
            sync(base)

    def _put(self, temporary: str, step: int) -> None:
        path = os.path.join(self.path, str(step))
        aside = None
        if os.path.lexists(path):
            aside = os.path.join(self.path, f".{step}.{secrets.token_hex(4)}.old")
            os.rename(path, aside)
        try:
            os.rename(temporary, path)
        except BaseException:
            if aside is not None:
                os.rename(aside, path)
            raise
        sync(self.path)
        for old in filter(None, (aside, self._replaced().get(step))):
            _remove(old)

    def remove(self, step: int) -> None:
        """Removes a step; half removed it is none."""
        aside = os.path.join(self.path, f".{step}.{secrets.token_hex(4)}.gone")
        with contextlib.suppress(FileNotFoundError):
            os.rename(self.path_of(step), aside)
            _remove(aside)

    def keep(self, step: int, newest: int | None, also: Callable[[int], bool]) -> None:
        """Removes steps, but one, so many of the newest, and those for which `also(step)`
        holds.

        Args:
            newest: None: all.
        """
        if newest is None:
            return
        for old in self.steps()[:-newest]:
            if old != step and not also(old):
                self.remove(old)

    def remove_all(self) -> None:
        """Removes the steps, and the folder where nothing else is in it. For the one that has held
        the lock.
        """
        for step in self.steps():
            self.remove(step)
        with contextlib.suppress(OSError):  # a user's file is in it, or it is gone
            self._tidy()
            os.rmdir(self.path)

    def _tidy(self) -> None:
        """Removes what killed processes left, and what a store that failed wrote after that."""
        for name in os.listdir(self.path):
            if LEFT.fullmatch(name) or self._was_replaced(name):
                _remove(os.path.join(self.path, name))

    def _was_replaced(self, name: str) -> bool:
        """Whether a name is that of an old step that a newer one replaced."""
        old = OLD.fullmatch(name)
        return old is not None and _is_folder(os.path.join(self.path, old[1]))

    # ------------------------------------------------------------ checking

    def problem(self, step: int) -> str | None:
        """What is wrong with a step, in words; None if nothing is.

        A step without a list, as others write them, can only be looked over.
        """
        folder = self.path_of(step)
        if not _is_folder(folder):
            return "it is a link or a file, and no folder"
        try:
            present = set(_walk(folder))
            listed = None
            if MANIFEST in present:
                listed = _listed(folder)
        except (SerializationError, OSError) as error:
            return readable(error)
        if not present:
            return "it is empty"
        if listed is not None:
            difference = _difference(folder, present, listed)
            return None if difference is None else readable(difference)
        if any(name.startswith(f"{self.own}/") for name in present):
            return f"its list {MANIFEST} is missing"
        return None

    def read_one(self, step: int, read: Reader) -> Any:
        """`read(step)` of one step.

        Raises:
            FileNotFoundError: there is none.
            SerializationError: it is damaged.
        """
        if step not in self.steps():
            raise MissingFileError(
                f"{self.path}: there is no checkpoint of step {step}; there are {self.steps()}."
            )
        problem = self.problem(step)
        if problem is not None:
            raise SerializationError(
                f"{self.path}: the checkpoint of step {step} is damaged: {problem}. Restore "
                f"another one of {self.steps()}."
            )
        return read(step)


def _difference(folder: str, present: set[str], listed: dict[str, list[int]]) -> str | None:
    """What is not as the list of a step says, in words; None if all is.

    Args:
        present: the files in the folder.
        listed: {file: [size, checksum]}.
    """
    missing = listed.keys() - present
    if missing:
        return f"its file {min(missing)} is missing"
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        measured = pool.map(_measured, [os.path.join(folder, name) for name in listed])
        for name, (size_now, checksum_now) in zip(listed, measured):
            size, checksum = listed[name]
            if size_now != size:
                return f"its file {name} has {size_now} bytes, and had {size}"
            if checksum_now != checksum:
                return f"its file {name} has changed: its checksum is not the one that was written"
    extra = present - listed.keys() - {MANIFEST}
    if extra:
        return f"it has a file that does not belong to it: {min(extra)}"
    return None


def _open_locked(path: str) -> tuple[int, bool]:
    """(handle of a lock file, whether it is locked by it).

    Raises:
        FileExistsError: a link lies there, or a file that is no lock.
    """
    while True:
        handle = own_handle(path, os.O_RDWR | os.O_CREAT)
        # file systems that know no locks lock nothing
        if try_lock(handle) is False:
            return handle, False
        if not lies_at(handle, path):
            os.close(handle)  # of the one before, who has just removed it
            continue
        if not HOLDER.fullmatch(_holder(handle)):
            os.close(handle)
            raise FileExistsError(
                f"{path} holds something else than a lock of a folder of checkpoints, and was not "
                "touched. Move it away, or choose another folder."
            )
        return handle, True


def _holder(handle: int) -> str:
    """What a lock file says."""
    return os.pread(handle, 100, 0).decode("ascii", "replace")


def _name_of_process() -> str:
    """What a lock file says of who holds it."""
    return f"process {os.getpid()}"


def _in_words(holder: str) -> str:
    """The one that holds a lock, and what to do about it."""
    if holder == _name_of_process():
        return (
            f"{holder}, which is this one: by another `Checkpointer` for the same folder. Use that "
            "one, or `close()` it."
        )
    if not HOLDER.fullmatch(holder) or not holder:
        holder = "another process"
    return (
        f"{holder}: two trainings cannot keep their checkpoints in one folder. Wait for it, or "
        "choose another folder."
    )


class StructureMismatch(ValueError):
    """A step is whole, and belongs to something else."""


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _walk(folder: str) -> Iterator[str]:
    """The paths of the files below a folder, relative to it.

    Raises:
        SerializationError: something that is neither a folder nor a file.
    """
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        kind = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(kind):
            yield from (f"{entry.name}/{name}" for name in _walk(entry.path))
        elif stat.S_ISREG(kind):
            yield entry.name
        else:
            raise SerializationError(f"{entry.name} is a link or special file")


def _measured(path: str) -> list[int]:
    """[size, checksum] of a file."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        return [size, checksum_of_file(file, 0, size, product_sum)]


def _check_of(files: dict[str, list[int]]) -> int:
    return zlib.crc32(json.dumps(files, sort_keys=True).encode())


def _listed(folder: str) -> dict[str, list[int]]:
    """{file: [size, checksum]} as the list of a step has it."""
    from jkeras.saving import safe_json

    with open(os.path.join(folder, MANIFEST), "rb") as file:
        content = safe_json.loads(file.read(safe_json.LONGEST + 1), f"its list {MANIFEST}")
    if not _is_manifest(content):
        raise SerializationError(f"its list {MANIFEST} is damaged")
    return content["files"]


def _is_manifest(content: Any) -> bool:
    """Whether the content of a list is whole."""
    if not isinstance(content, dict) or content.keys() != {"files", "check"}:
        return False
    if not isinstance(content["files"], dict):
        return False
    files = content["files"]
    if not all(isinstance(value, list) and len(value) == 2 for value in files.values()):
        return False
    return content.get("check") == _check_of(files)


def _remove(path: str) -> None:
    shutil.rmtree(path, ignore_errors=True)
