"""Links, pipes and files of others where ours would be written or read: none is followed, cut off
or waited for.
"""

import os
import shutil
import signal
import stat
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import jkeras
from jkeras.core.system.own_files import check_private, make_private, open_own
from jkeras.saving.checkpointer import Checkpointer
from jkeras.saving.files import replacing
from jkeras.saving.partial import Partial
from jkeras.utils.archives import extract_archive
from jkeras.utils.files import get_file

WORDS = "what the user wrote, longer than any lock\n"
LINKS = {"symbolic": os.symlink, "hard": os.link}


@pytest.fixture(autouse=True)
def impatient():
    """Nothing here may wait for a pipe."""

    def stop(number, frame):
        raise TimeoutError("it waits")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def theirs(tmp_path):
    path = tmp_path / "theirs.txt"
    path.write_text(WORDS)
    return path


def model():
    made = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


# ---------------------------------------------------------------- writing


@pytest.mark.parametrize("mode", ["wb", "ab", "w", "wb+"])
@pytest.mark.parametrize("kind", [*LINKS, "pipe", "folder"])
def test_a_file_of_ours_is_a_file(tmp_path, theirs, kind, mode):
    path = tmp_path / "ours"
    if kind in LINKS:
        LINKS[kind](theirs, path)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(FileExistsError, match=f"{path} is a .*move it away"):
        open_own(path, mode)
    assert theirs.read_text() == WORDS


def test_a_file_of_ours_is_cut_off(tmp_path):
    path = tmp_path / "ours"
    path.write_text(WORDS)
    with open_own(path, "w") as file:
        file.write("a")
    assert path.read_text() == "a"
    with open_own(path, "a") as file:
        file.write("b")
    assert path.read_text() == "ab"
    with pytest.raises(FileNotFoundError):
        open_own(tmp_path / "nowhere" / "ours")


@pytest.mark.promise("a link there, a hard link, or a file that is no lock is refused")
@pytest.mark.parametrize("kind", LINKS)
def test_the_lock_of_checkpoints_is_a_link(tmp_path, theirs, kind):
    folder = tmp_path / "run"
    folder.mkdir()
    LINKS[kind](theirs, folder / ".lock")
    with pytest.raises(FileExistsError, match="lock is a .*link"):
        model().fit(np.zeros((4, 2)), np.zeros((4, 1)), checkpoint=folder, verbose=0)
    assert theirs.read_text() == WORDS
    local = Checkpointer(tmp_path / "other", local=folder)
    with pytest.raises(FileExistsError, match="lock is a .*link"):
        local.save({"a": np.ones(2)}, step=1)
    assert theirs.read_text() == WORDS


@pytest.mark.parametrize("words", [WORDS, "process x", "\0", "process 9\nmore"])
def test_the_lock_of_checkpoints_is_no_lock(tmp_path, words):
    lock = tmp_path / ".lock"
    lock.write_text(words)
    with pytest.raises(FileExistsError, match="something else than a lock"):
        Checkpointer(tmp_path).lock()
    assert lock.read_text() == words


@pytest.mark.parametrize("words", ["", "process 9865"])
def test_the_lock_of_a_killed_process(tmp_path, words):
    (tmp_path / ".lock").write_text(words)
    with Checkpointer(tmp_path) as checkpoints:
        assert checkpoints.lock()
        assert (tmp_path / ".lock").read_text() == f"process {os.getpid()}"
        with pytest.raises(RuntimeError, match="which is this one"):
            Checkpointer(tmp_path).lock()


def test_the_lock_of_checkpoints_is_a_pipe(tmp_path):
    os.mkfifo(tmp_path / ".lock")
    with pytest.raises(FileExistsError, match="a pipe"):
        Checkpointer(tmp_path).lock()


@pytest.mark.parametrize("kind", LINKS)
def test_the_first_of_shards_is_a_link(tmp_path, theirs, kind):
    """The list names it, so that an empty file is put there."""
    folder = tmp_path / "shards"
    folder.mkdir()
    made, path = model(), folder / "m.weights.json"
    LINKS[kind](theirs, folder / "m_00000.weights.h5")
    path.write_text('{"weight_map": {"/a": "m_00000.weights.h5", "/b": "others.h5"}}')
    (folder / "others.h5").write_text(WORDS)
    made.save_weights(path, max_shard_size=1)
    assert theirs.read_text() == WORDS
    assert (folder / "others.h5").read_text() == WORDS, "a list names what is no part of it"
    made.load_weights(path)


@pytest.mark.promise("A path that you give may")
def test_a_link_that_the_user_names_is_followed(tmp_path):
    made = model()
    made.save(tmp_path / "run7.keras")
    os.symlink(tmp_path / "run7.keras", tmp_path / "latest.keras")
    (tmp_path / "run7.keras").write_text("old")
    made.save(tmp_path / "latest.keras")
    assert (tmp_path / "latest.keras").is_symlink()
    jkeras.models.load_model(tmp_path / "run7.keras")


def test_a_link_of_others_is_replaced(tmp_path, theirs):
    """In a folder whose names we make up, as `to_transformers` does."""
    os.symlink(theirs, tmp_path / "config.json")
    with replacing(tmp_path / "config.json") as path, open(path, "w") as file:
        file.write("{}")
    assert theirs.read_text() == WORDS and not (tmp_path / "config.json").is_symlink()


# ---------------------------------------------------------------- the cache


def get(tmp_path, **options):
    source = tmp_path / "source.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("theirs.txt", "new")
    return get_file(
        "a.zip", f"file://{source}", cache_dir=str(tmp_path), cache_subdir="cache", **options
    )


@pytest.fixture
def cache(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("options", [{}, {"file_hash": "0" * 64}, {"force_download": True}])
@pytest.mark.parametrize("link", [False, True])
def test_a_pipe_in_the_cache(tmp_path, cache, options, link):
    pipe = cache / "a.zip"
    if link:
        os.symlink(tmp_path / "pipe", pipe)
        pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    if link and "force_download" in options:
        assert os.path.isfile(get(tmp_path, **options))
        return
    with pytest.raises(FileExistsError, match="pipe"):
        get(tmp_path, **options)


def test_a_pipe_that_is_unpacked(tmp_path):
    os.mkfifo(tmp_path / "a.zip")
    with pytest.raises(FileExistsError, match="pipe"):
        extract_archive(tmp_path / "a.zip", tmp_path)


@pytest.mark.promise("A download takes the place of a link")
@pytest.mark.parametrize("kind", LINKS)
def test_a_download_takes_the_place_of_a_link(tmp_path, theirs, cache, kind):
    LINKS[kind](theirs, cache / "a.zip")
    path = get(tmp_path, force_download=True)
    assert theirs.read_text() == WORDS
    assert not os.path.islink(path) and zipfile.is_zipfile(path)


def test_a_link_to_nothing_in_the_cache(tmp_path, cache):
    os.symlink(tmp_path / "nothing", cache / "a.zip")
    assert zipfile.is_zipfile(get(tmp_path))
    assert not (tmp_path / "nothing").exists()


@pytest.mark.promise("nothing is unpacked through one")
def test_an_archive_is_not_unpacked_through_a_link(tmp_path, theirs, cache):
    os.symlink(tmp_path, cache / "a_extracted")
    with pytest.raises(FileExistsError, match="a_extracted is a symbolic link"):
        get(tmp_path, extract=True)
    assert theirs.read_text() == WORDS


@pytest.mark.parametrize("kind", LINKS)
def test_an_extracted_file_is_a_link(tmp_path, theirs, cache, kind):
    place = cache / "a_extracted" / "theirs.txt"
    place.parent.mkdir()
    LINKS[kind](theirs, place)
    get(tmp_path, extract=True)
    assert theirs.read_text() == WORDS and place.read_text() == "new" and not place.is_symlink()


@pytest.mark.parametrize(
    "ending, load",
    [
        (".txt", jkeras.utils.text_dataset_from_directory),
        (".png", jkeras.utils.image_dataset_from_directory),
        (".wav", jkeras.utils.audio_dataset_from_directory),
    ],
)
def test_a_pipe_in_a_folder_of_samples(tmp_path, ending, load):
    (tmp_path / "class").mkdir()
    os.mkfifo(tmp_path / "class" / f"a{ending}")
    with pytest.raises(FileExistsError, match=f"a{ending} is a pipe"):
        for _ in load(tmp_path, label_mode=None, verbose=False):
            pass


# ---------------------------------------------------------------- what killed writers leave

KILLED = """
import os, signal, sys
from jkeras.saving.files import replacing
with replacing(sys.argv[1]) as path:
    open(path, "w").write("half")
    print(path, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(path):
    """What a killed save of a file leaves."""
    done = subprocess.run([sys.executable, "-c", KILLED, path], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout.strip()


@pytest.mark.promise("What cannot be promised")
def test_what_a_killed_save_left_goes_with_the_next(tmp_path):
    path = tmp_path / "a.txt"
    left = killed(path)
    others = killed(tmp_path / "b.txt")
    lookalikes = [tmp_path / ".a.txt.12345678.partial", tmp_path / ".a.txt.gone.partial"]
    for one in lookalikes:
        one.write_text(WORDS)
    assert os.path.exists(left)
    with replacing(path) as mine, replacing(path) as beside:
        assert not os.path.exists(left)
        assert os.path.exists(mine) and os.path.exists(beside), "both writers live"
        with open(mine, "w") as file, open(beside, "w") as second:
            file.write("mine")
            second.write("beside")
    assert path.read_text() == "mine"
    assert os.path.exists(others), "of another file"
    assert {one.read_text() for one in lookalikes} == {WORDS}
    assert len(os.listdir(tmp_path)) == 2 + len(lookalikes)


def test_what_is_left_is_a_link_or_a_folder(tmp_path, theirs):
    os.symlink(theirs, tmp_path / ".a.0123456789ab.partial")
    os.mkfifo(tmp_path / ".a.0123456789ac.partial")
    (tmp_path / ".a.0123456789ad.partial").mkdir()
    (tmp_path / ".a.0123456789ad.partial" / "file").write_text("half")
    Partial(str(tmp_path / "a")).remove()
    assert theirs.read_text() == WORDS
    assert not (tmp_path / ".a.0123456789ad.partial").exists()


def test_a_folder_that_cannot_be_locked(tmp_path, monkeypatch):
    """Where nothing is known of who lives, nothing is removed."""
    import fcntl

    def unknown(*arguments):
        raise OSError("no locks")

    left = tmp_path / ".a.0123456789ab.partial"
    left.write_text("half")
    monkeypatch.setattr(fcntl, "flock", unknown)
    with replacing(tmp_path / "a") as path, open(path, "w") as file:
        file.write("whole")
    assert (tmp_path / "a").read_text() == "whole" and left.exists()


def test_a_name_that_was_taken_for_left_over(tmp_path, monkeypatch):
    """Another process may look between the moments in which the name is made and locked."""
    from jkeras.saving import partial

    made, locks = [], partial.try_lock

    def lock(handle):
        made.append(handle)
        if len(made) == 1:
            os.unlink(next(tmp_path.glob(".a.*")))
        return len(made) != 2 and locks(handle)

    monkeypatch.setattr(partial, "try_lock", lock)
    one = Partial(str(tmp_path / "a"))
    assert len(made) == 3 and os.path.exists(one.path)
    one.remove()


def test_an_archive_that_was_cut_off(tmp_path, cache):
    left = cache / ".a_extracted.0123456789ab.partial"
    left.mkdir()
    get(tmp_path, extract=True)
    assert not left.exists() and os.listdir(cache / "a_extracted") == ["theirs.txt"]
    assert not [name for name in os.listdir(cache) if name.endswith(".partial")]


# ---------------------------------------------------------------- folders of others


def nobody(path):
    os.chown(path, 65534, 65534)


def sticky(path):
    path.chmod(0o1777)


UNSAFE = {
    "all may write": lambda folder: folder.chmod(0o777),
    "a group may write": lambda folder: (os.chown(folder, -1, 12345), folder.chmod(0o770)),
    "another owner": nobody,
    "sticky": sticky,
    "all may write to the parent": lambda folder: folder.parent.chmod(0o777),
    "the parent is another's": lambda folder: nobody(folder.parent),
}


@pytest.mark.promise("takes a folder that no other user can write to or replace")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
@pytest.mark.parametrize("change", UNSAFE)
def test_a_cache_of_programs_that_others_may_change(tmp_path, change):
    folder = tmp_path / "parent" / "cache"
    folder.mkdir(parents=True)
    UNSAFE[change](folder)
    with pytest.raises(PermissionError, match="not safe for.*programs.*chmod 700"):
        jkeras.config.enable_compilation_cache(str(folder))
    os.symlink(folder, tmp_path / "link")
    with pytest.raises(PermissionError, match="not safe for.*programs.*chmod 700"):
        jkeras.config.enable_compilation_cache(str(tmp_path / "link"))


@pytest.mark.promise("and makes a new one so (mode 700)")
def test_a_cache_of_programs_that_is_ones_own(tmp_path):
    before = os.umask(0)
    try:
        jkeras.config.enable_compilation_cache(str(tmp_path / "a" / "b"))
    finally:
        os.umask(before)
        jkeras.config.disable_compilation_cache()
    for folder in (tmp_path / "a", tmp_path / "a" / "b"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (tmp_path / "a").chmod(0o1777)  # where others cannot move what is ours
    check_private(str(tmp_path / "a" / "b"), "tests")
    shutil.rmtree(tmp_path / "a")
    make_private(str(tmp_path / "a" / "b"))
    make_private(str(tmp_path / "a" / "b"))
