"""Disks that are full, broken or read-only: an error, and the old file as it was; what is on the
disk before what.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

import pytest

from tests.faults import programs
from tests.faults.tools import fill, plain, result, run, start

FORMATS = (*programs.FORMATS, ".npz", ".h5")


# ---------------------------------------------------------------- a full disk


def small_disk(folder):
    """A command that runs another with a disk of a megabyte at a folder; None where that is not
    allowed here.
    """
    mount = f"mount -t tmpfs -o size=1m tmpfs '{folder}' && exec \"$@\""
    before = ["unshare", "-Urm", "sh", "-c", mount, "sh"]
    if shutil.which("unshare") is None:
        return None
    return (
        None
        if subprocess.run([*before, "true"], capture_output=True, check=False).returncode
        else before
    )


def check_full(found):
    for format in FORMATS:
        *failed, (_, number, hidden) = found[format]
        assert number == 2 and not hidden, format
        assert len(failed) >= 3, format
        for error, number, hidden in failed:
            assert re.search("OSError\\(2[78]|os_error_code='2[78]'", error.replace("\\", "")), (
                error
            )
            assert number == 1, f"{format}: {error}"
            # its next save removes what came late
            assert not hidden or format == "checkpoints", f"{format}: {hidden}"


@pytest.mark.slow
def test_a_file_that_may_not_grow(tmp_path):
    """Each save fails after some more bytes, until one has enough of them; then the process goes on
    as before.
    """
    check_full(run("full", "file", tmp_path))


def test_a_full_disk(tmp_path):
    before = small_disk(tmp_path)
    if before is None:
        pytest.skip("no disk can be mounted here")
    check_full(result(start("full", "disk", tmp_path, before=before)))


# ---------------------------------------------------------------- calls that fail

CALLS = ("open", "fsync", "replace", "rename", "chmod", "mkdir", "scandir", "listdir")


class Broken:
    """Lets the k-th of the calls that touch a folder fail, and counts them.

    Those of orbax are its own affair; what removes files that are too many cannot do so where it
    fails.
    """

    def __init__(self, monkeypatch, folder, fails_at):
        self.folder, self.count, self.fails_at = str(folder), 0, fails_at
        for name in CALLS:
            monkeypatch.setattr(os, name, self._failing(name, getattr(os, name)))

    def _failing(self, name, function):
        def call(target, *args, **kwargs):
            place = os.readlink(f"/proc/self/fd/{target}") if name == "fsync" else target
            if str(place).startswith(self.folder) and not called_by("/orbax/", "/shutil.py"):
                self.count += 1
                if self.count == self.fails_at:
                    raise OSError(5, "Input/output error")
            return function(target, *args, **kwargs)

        return call


def called_by(*places):
    """Whether a function in a file is under way."""
    frame = sys._getframe(1)
    while frame is not None and not any(place in frame.f_code.co_filename for place in places):
        frame = frame.f_back
    return frame is not None


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="looks up open files in /proc")
@pytest.mark.parametrize(
    "format, stride",
    [
        *((format, 7 if format == "checkpoints" else 1) for format in FORMATS),
        pytest.param("checkpoints", 1, marks=pytest.mark.slow),
    ],
)
def test_every_call_that_fails(tmp_path, monkeypatch, format, stride):
    """The k-th call fails, for each k until the save succeeds; what can be loaded is the old model
    or the new one.
    """
    model, reader = plain(), plain()
    for each in (model, reader):
        each.optimizer.build(each.trainable_variables)
    fill(model, 1)
    programs.save(model, format, tmp_path)
    fill(model, 2)
    for k in range(1, 300, stride):
        with monkeypatch.context() as patch:
            broken = Broken(patch, tmp_path, k)
            try:
                programs.save(model, format, tmp_path)
            except (OSError, RuntimeError) as error:
                assert "Input/output error" in f"{error}{error.__cause__}"
        failed = broken.count >= k
        hidden = [name for name in os.listdir(tmp_path) if name.startswith(".") and name != ".lock"]
        # until it is sure that the new one stays
        assert not hidden or hidden[0].endswith(".old"), (k, hidden)
        assert programs.loaded(format, tmp_path, reader) in ((1, 2) if failed else (2,)), k
        if not failed:
            break
    assert k > 3


# ---------------------------------------------------------------- a folder that is read-only


@pytest.mark.parametrize("format", FORMATS)
def test_a_read_only_folder(format):
    """It is in a place of its own, since pytest's is closed to the user whom root becomes for
    this.
    """
    model = plain()
    model.optimizer.build(model.trainable_variables)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        fill(model, 1)
        programs.save(model, format, folder)
        before = sorted(os.listdir(folder))
        fill(model, 2)
        os.chmod(folder, 0o555)
        root = os.geteuid() == 0
        try:
            if root:
                os.seteuid(65534)
            with pytest.raises(PermissionError, match=re.escape(folder)):
                programs.save(model, format, folder)
        finally:
            if root:
                os.seteuid(0)
            os.chmod(folder, 0o755)
        assert sorted(os.listdir(folder)) == before
        assert programs.loaded(format, folder, model) == 1


# ---------------------------------------------------------------- what is on the disk before what


class Log:
    """Writes down which files and folders are put on the disk, and which change their names."""

    def __init__(self, monkeypatch, folder):
        self.folder, self.events = str(folder), []
        for name in ("fsync", "replace", "rename", "unlink", "mkdir"):
            monkeypatch.setattr(os, name, self._noting(name, getattr(os, name)))

    def _noting(self, name, function):
        def call(target, *args, **kwargs):
            place = os.readlink(f"/proc/self/fd/{target}") if name == "fsync" else str(target)
            if place.startswith(self.folder) and not called_by("/orbax/", "/asyncio/"):
                what = (
                    (os.stat(place).st_ino, size_of(place)) if name == "fsync" else map(str, args)
                )
                self.events.append((name, place, *what))
            return function(target, *args, **kwargs)

        return call


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="looks up open files in /proc")
@pytest.mark.parametrize("format", FORMATS)
def test_content_before_names_before_the_end(tmp_path, monkeypatch, format):
    """What gets its name is on the disk as it is; then the name is; only then what it replaces
    goes.
    """
    model = plain()
    folder = tmp_path / "new"
    fill(model, 1)
    if format == "checkpoints":
        with monkeypatch.context() as patch:
            log = Log(patch, tmp_path)
            programs.save(model, format, folder)
        assert log.events[0] == ("mkdir", str(folder), "511") and log.events[1][:2] == (
            "fsync",
            str(tmp_path),
        )
    else:
        folder.mkdir()
        programs.save(model, format, folder)
    with monkeypatch.context() as patch:
        log = Log(patch, folder)
        programs.save(model, format, folder)
    events = log.events
    renamed = [
        i
        for i, (name, old, *new) in enumerate(events)
        if name in ("replace", "rename")
        and ".partial" in old
        and os.path.dirname(new[0]) == str(folder)
    ]
    assert renamed
    for i in renamed:
        _, old, new = events[i]
        synced = {event[1:] for event in events[:i] if event[0] == "fsync"}
        for path in below(new):
            before = old + path.removeprefix(new)
            assert (before, os.stat(path).st_ino, size_of(path)) in synced, (
                f"{before} is not on the disk before {new}"
            )
        later = [event[:2] for event in events[i + 1 :]]
        assert ("fsync", str(folder)) in later
        gone = [
            event for event in later if event[0] == "unlink" and not event[1].endswith(".partial")
        ]
        assert not gone or later.index(("fsync", str(folder))) < later.index(gone[0])


def size_of(path):
    """The number of bytes of a file; None for a folder."""
    return os.path.getsize(path) if os.path.isfile(path) else None


def below(path):
    """A path, and all below it."""
    yield path
    for base, folders, files in os.walk(path):
        yield from (os.path.join(base, name) for name in (*folders, *files))
