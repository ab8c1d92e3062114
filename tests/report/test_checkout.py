"""The commit of a checkout and whether it is changed: as git says, and nothing of it is run."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from jkeras.core.system import checkout, git_files

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git as the oracle")


def git(folder, *words):
    """What git prints, without anybody's config."""
    plain = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"]
    return subprocess.run(
        ["git", *who, *words],
        cwd=folder,
        env={**os.environ, **plain},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def told_by_git(folder):
    changes = git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": git(folder, "rev-parse", "HEAD"), "is_changed": bool(changes)}


def repository(folder, *options):
    """A repository with files in folders whose names sort in ways of their own."""
    folder.mkdir()
    git(folder, "init", "-q", *options)
    for name in ("train.py", "a/b.py", "a.b/c", "a-b", "a/b/c.txt".replace("b/", "d/"), "é/x"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}\n")
    (folder / "link").symlink_to("train.py")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return folder


def aged(folder):
    """Writes the index anew, later than the files: their times then say that they are as noted."""
    git(folder, "update-index", "--refresh")
    os.utime(folder / ".git" / "index", ns=(2**62, 2**62))
    return folder


STATES = {
    "clean": lambda at: None,
    "touched": lambda at: os.utime(at / "train.py", (1, 1)),
    "written": lambda at: (at / "train.py").write_text("train.pz\n"),
    "longer": lambda at: (at / "a/b.py").write_text("more\n" * 9),
    "removed": lambda at: (at / "a-b").unlink(),
    "a folder": lambda at: ((at / "a-b").unlink(), (at / "a-b").mkdir()),
    "a pipe": lambda at: ((at / "a-b").unlink(), os.mkfifo(at / "a-b")),
    "another link": lambda at: ((at / "link").unlink(), (at / "link").symlink_to("a-b")),
    "a file for a link": lambda at: ((at / "link").unlink(), (at / "link").write_text("train.py")),
    "untracked": lambda at: (at / "new").write_text("x"),
    "staged": lambda at: ((at / "new").write_text("x"), git(at, "add", "new")),
    "staged away": lambda at: git(at, "rm", "-q", "--cached", "a-b"),
    "to be added": lambda at: ((at / "new").write_text("x"), git(at, "add", "-N", "new")),
    "detached": lambda at: git(at, "checkout", "-q", "--detach"),
    "packed refs": lambda at: git(at, "pack-refs", "--all"),
    "packed": lambda at: git(at, "gc", "-q"),
    "index 4": lambda at: git(at, "update-index", "--index-version", "4"),
    "not looked at": lambda at: (
        git(at, "update-index", "--assume-unchanged", "a-b"),
        (at / "a-b").write_text("other"),
    ),
    "left out": lambda at: (
        git(at, "update-index", "--skip-worktree", "a-b"),
        (at / "a-b").unlink(),
    ),
    "another ending of lines": lambda at: (
        git(at, "config", "core.autocrlf", "true"),
        (at / "train.py").unlink(),
        git(at, "checkout", "train.py"),
        os.utime(at / "train.py", (1, 1)),
    ),
}


@pytest.mark.promise("`program` | the script")
@pytest.mark.parametrize(
    "options",
    [(), pytest.param(("--object-format=sha256",), marks=pytest.mark.slow)],
    ids=["sha1", "sha256"],
)
def test_as_git_says(tmp_path, options):
    first = repository(tmp_path / "first", *options)
    for name, change in STATES.items():
        at = tmp_path / name.replace(" ", "_")
        shutil.copytree(first, at, symlinks=True)
        aged(at)
        change(at)
        assert checkout.describe(at / "a") == told_by_git(at), name


def test_elsewhere(tmp_path):
    at = repository(tmp_path / "first")
    git(at, "worktree", "add", "-q", "-b", "side", "../side")
    git(tmp_path, "clone", "-q", "--shared", "first", "clone")
    git(tmp_path / "clone", "submodule", "-q", "add", "../first", "inside")
    git(tmp_path / "clone", "commit", "-qm", "second")
    for folder in ("first", "side", "clone", "clone/inside"):
        assert checkout.describe(tmp_path / folder) == told_by_git(tmp_path / folder), folder
    (tmp_path / "side" / "a-b").unlink()
    assert checkout.describe(tmp_path / "side")["is_changed"]
    assert checkout.describe(tmp_path) is None


@pytest.mark.promise("Not known is what a filter")
def test_what_a_filter_may_explain_is_not_known(tmp_path):
    at = repository(tmp_path / "first")
    (at / ".gitattributes").write_text("*.bin filter=lfs\n")
    git(at, "add", "-A")
    git(at, "commit", "-qm", "second")
    (at / "train.py").write_text("train.pz\n")
    assert checkout.describe(at)["is_changed"] is None


@pytest.mark.promise("Not known is what a filter")
def test_what_is_kept_elsewhere_is_not_known(tmp_path):
    at = repository(tmp_path / "first")
    git(at, "update-index", "--split-index")
    assert checkout.describe(at) == {**told_by_git(at), "is_changed": None}


def test_what_has_no_commit_that_can_be_read(tmp_path):
    """One before its first commit, one that keeps its branches in tables."""
    git(tmp_path, "init", "-q", "unborn")
    assert checkout.describe(tmp_path / "unborn") is None
    try:
        git(tmp_path, "init", "-q", "--ref-format=reftable", "tables")
    except subprocess.CalledProcessError:
        pytest.skip("an older git")
    git(tmp_path / "tables", "commit", "-q", "--allow-empty", "-m", "first")
    assert checkout.describe(tmp_path / "tables") is None


@pytest.mark.promise("the bytes are compared, 5 seconds long at most")
def test_a_large_checkout_is_not_waited_for(tmp_path, monkeypatch):
    at = repository(tmp_path / "first")
    os.utime(at / "train.py", (1, 1))
    monkeypatch.setattr(checkout, "MOST_READ", 3)
    assert checkout.describe(at)["is_changed"] is None
    monkeypatch.setattr(checkout, "SECONDS", -1)
    assert checkout.describe(at)["is_changed"] is None


# ------------------------------------------------------------ of strangers


def trap(folder, marker):
    """A program that leaves a mark, and does what a filter does."""
    program = folder / "trap.sh"
    program.write_text(f"#!/bin/sh\ntouch {marker}\ncat\n")
    program.chmod(0o755)
    return str(program)


def config(at, text, folder=".git"):
    with open(at / folder / "config", "a") as file:
        file.write(f"\n{text}\n")


def with_hook(at, program):
    for name in ("post-index-change", "pre-commit", "post-checkout", "reference-transaction"):
        shutil.copy(program, at / ".git" / "hooks" / name)


def with_submodule(at, program):
    git(at, "submodule", "-q", "add", str(repository(at.parent / "other")), "inside")
    git(at, "commit", "-qm", "second")
    (at / ".git/modules/inside/info/attributes").write_text("* filter=x\n")
    config(at, f'[filter "x"]\nclean = {program}', ".git/modules/inside")
    os.utime(at / "inside" / "train.py", (1, 1))


def with_filter(at, program):
    (at / ".git/info/attributes").write_text("* filter=x diff=x\n")
    config(at, f'[filter "x"]\nclean = {program}\nprocess = {program}\n[diff "x"]\n')
    config(at, f"textconv = {program}\ncommand = {program}\n[diff]\nexternal = {program}")


def with_promisor(at, program):
    config(at, f'[remote "o"]\npromisor = true\nurl = {at}\nuploadpack = {program}')
    config(at, "[extensions]\npartialClone = o\n[core]\nrepositoryformatversion = 1")
    shutil.rmtree(at / ".git/objects")
    (at / ".git/objects").mkdir()


TRAPS = {
    "filter": with_filter,
    "filter of a submodule": with_submodule,
    "monitor": lambda at, it: config(at, f"[core]\nfsmonitor = {it}\nuntrackedCache = true"),
    "hooks": with_hook,
    "hooks elsewhere": lambda at, it: config(at, f"[core]\nhooksPath = {at.parent}"),
    "included": lambda at, it: (
        (at / "more").write_text(f"[core]\nfsmonitor = {it}\n"),
        config(at, f"[include]\npath = {at}/more"),
    ),
    "alias": lambda at, it: config(at, f"[alias]\nrev-parse = !{it}\nstatus = !{it}"),
    "ssh, pager, editor": lambda at, it: config(
        at, f"[core]\nsshCommand = {it}\npager = {it}\neditor = {it}\naskPass = {it}"
    ),
    "credentials": lambda at, it: config(at, f"[credential]\nhelper = !{it}"),
    "objects of others": with_promisor,
    "alternates": lambda at, it: config(at, f"[core]\nalternateRefsCommand = {it}"),
}


@pytest.mark.promise("The commit is read from")
@pytest.mark.parametrize("name", TRAPS)
def test_a_stranger_runs_nothing(tmp_path, name, monkeypatch):
    at = repository(tmp_path / "first")
    marker = tmp_path / "marker"
    commit = git(at, "rev-parse", "HEAD")
    program = trap(tmp_path, marker)
    aged(at)
    TRAPS[name](at, program)
    commit = commit if "submodule" not in name else git(at, "rev-parse", "HEAD")
    marker.unlink(missing_ok=True)
    os.utime(at / "train.py", (1, 1))
    for variable in ("GIT_EXTERNAL_DIFF", "GIT_SSH_COMMAND", "GIT_PAGER"):
        monkeypatch.setenv(variable, program)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    assert checkout.describe(at)["commit"] == commit
    assert not marker.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_of_another_user(tmp_path):
    """Git refuses to look at one; to read it runs nothing."""
    at = repository(tmp_path / "first")
    commit = git(at, "rev-parse", "HEAD")
    for path in (at, at / ".git", at / ".git" / "HEAD", at / ".git" / "config"):
        os.chown(path, 12345, 12345)
    assert checkout.describe(at)["commit"] == commit


PROGRAM = """
import os, subprocess, sys
def refuse(event, arguments):
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork"):
        os.write(2, b"RUNS SOMETHING")
        os._exit(9)
import numpy as np, jkeras, json
model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1)])
model.compile("sgd", "mse")
x, y = np.ones((4, 2)), np.ones((4, 1))
sys.addaudithook(refuse)
told = jkeras.callbacks.Tracker(lambda results, epoch: None)
model.fit(x, y, verbose=0, report="run.json", callbacks=[told])
"""


@pytest.mark.promise("The commit is read from")
def test_fit_starts_no_program(tmp_path):
    at = repository(tmp_path / "first")
    (at / "train.py").write_text(PROGRAM)
    done = subprocess.run([sys.executable, "train.py"], cwd=at, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads((at / "run.json").read_text())["program"]["git"]
    assert told == {"commit": git(at, "rev-parse", "HEAD"), "is_changed": True}


def test_a_folder_of_git_that_lies(tmp_path):
    """Nothing is waited for, and nothing but a commit is told of other files."""
    at = repository(tmp_path / "first")
    secret = tmp_path / "secret"
    secret.write_text("secret")
    head, refs = at / ".git/HEAD", at / ".git/refs/heads"
    for text in (
        f"ref: {secret}",
        "ref: refs/../../../secret",
        "ref: refs/heads/../../../../secret",
        "ref: HEAD",
        "ref: refs/heads/pipe",
        "secret",
        "",
        "\0" * 100,
    ):
        if not (refs / "pipe").exists():
            os.mkfifo(refs / "pipe")
        head.write_text(text)
        assert checkout.describe(at) is None, text
    head.write_text("ref: refs/heads/link")
    (refs / "link").symlink_to(secret)
    assert checkout.describe(at) is None


def test_a_file_of_git_that_points_elsewhere(tmp_path):
    at = repository(tmp_path / "first")
    side = tmp_path / "side"
    side.mkdir()
    for text in (f"gitdir: {at}/.git", "gitdir: ../first/.git\n"):
        (side / ".git").write_text(text)
        assert checkout.describe(side)["commit"] == git(at, "rev-parse", "HEAD")
    for text in ("gitdir: /nowhere", "gitdir:", "gitdir: \0", "x" * 100, "gitdir: /dev"):
        (side / ".git").write_text(text)
        assert checkout.describe(side) is None
    (side / ".git").unlink()
    os.mkfifo(side / ".git")
    assert checkout.describe(side) is None


def test_no_index_ends_the_program(tmp_path):
    """Bytes that are changed, a file that is cut off: an answer, always."""
    at = aged(repository(tmp_path / "first"))
    index = at / ".git/index"
    content = index.read_bytes()
    assert checkout.describe(at)["is_changed"] is False
    for place in range(0, len(content), 3):
        index.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        assert checkout.describe(at)["is_changed"] is None
        sealed = content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 : -20]
        index.write_bytes(sealed + bytes(20))
        assert checkout.describe(at)["is_changed"] in (True, False, None)
        index.write_bytes(content[:place])
        assert checkout.describe(at)["is_changed"] is None


def test_a_path_does_not_leave_the_checkout(tmp_path):
    at = repository(tmp_path / "first")
    for name in (b"../secret", b"/etc/passwd", b"a//b", b"./x", b"x/" * 500 + b"y"):
        entry = b"\0" * 24 + (0o100644).to_bytes(4, "big") + b"\0" * 12 + b"\1" * 20 + b"\0\1"
        data = b"DIRC\0\0\0\2\0\0\0\1" + entry + name + b"\0" * 8 + bytes(20)
        with pytest.raises(ValueError):
            git_files.entries_of(data, 20)
    assert pathlib.Path(at).is_dir()
