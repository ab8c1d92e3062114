"""The program of a report, run again: only a Python script, only as it was, only where the user
says so.

A report may come from anybody. Nothing of it is run but a script by its path, with its arguments,
by the Python that runs now; neither an option of the interpreter nor a variable of the environment
comes from the file.
"""

import os
import pathlib
import shlex
import subprocess
import sys
import typing

from jkeras.core.session.circumstances import hash_of_file
from jkeras.report import installed
from jkeras.report.reading import Report
from jkeras.report.run_report import FOLDER, path_in

LAUNCHERS = ([], ["run"], ["run", "--keras2"])


class CannotRun(Exception):
    """A program cannot, or must not, be run again."""


class Program(typing.NamedTuple):
    """A program to run.

    Attributes:
        command: the words of its command line.
        folder: where it runs.
        is_changed: whether the script is another than it was.
        is_installed: whether the script is a part of Python or of a package, as timeit.py: many of
            them run what their arguments say, and all know their hashes.
    """

    command: list[str]
    folder: str
    is_changed: bool
    is_installed: bool = False

    def __str__(self) -> str:
        return f"cd {shlex.quote(self.folder)} && {shlex.join(self.command)}"


def program_of(report: Report) -> Program:
    """The program that a report names.

    Raises:
        CannotRun: it is no script, its file or folder is not here, or it ran in several processes.
    """
    _check(report)
    recorded = report.facts["program"]
    script, launcher = recorded["script"], recorded.get("launcher")
    # -P: no module comes from the folder, which the report names
    prefix = ["-P", "-m", "jkeras", *launcher] if launcher else []
    command = [sys.executable, *prefix, script, *recorded["arguments"]]
    is_changed = hash_of_file(script) != recorded.get("sha256")
    return Program(command, recorded["folder"], is_changed, installed.is_installed(script))


def _is_of_script(recorded: dict) -> bool:
    """Whether a script ran, by Python or by `jkeras run`."""
    if recorded.get("module") or recorded.get("launcher") not in LAUNCHERS:
        return False
    return isinstance(recorded.get("script"), str)


def _check(report: Report) -> None:
    """Raises where what a report names cannot be run here."""
    recorded = report.facts["program"]
    script, folder, arguments = (recorded.get(name) for name in ("script", "folder", "arguments"))
    if not _is_of_script(recorded):
        raise CannotRun(
            "the report is not of a script that `python script.py` or `python -m jkeras run "
            "script.py` ran, but of a notebook, a module, `python -c` or the like"
        )
    if report.facts["devices"].get("processes") != 1:
        raise CannotRun("the report is of several processes")
    if not os.path.isabs(script) or not os.path.isfile(script):
        raise CannotRun(f"there is no file {script}")
    if not isinstance(folder, str) or not os.path.isdir(folder):
        raise CannotRun(f"there is no folder {folder}")
    if not isinstance(arguments, list) or not all(isinstance(word, str) for word in arguments):
        raise CannotRun(f"its arguments are no list of texts: {arguments}")


def run(program: Program, path: str, folder: str) -> pathlib.Path:
    """Runs a program, whose reports go to a folder; returns the file of the one that it was to
    write at a path.

    Raises:
        CannotRun: it failed, or wrote no such report.
    """
    environment = {**os.environ, FOLDER: os.path.abspath(folder), "PYTHONPATH": _module_folders()}
    done = subprocess.run(program.command, cwd=program.folder, env=environment, check=False)
    if done.returncode != 0:
        raise CannotRun(f"the program failed: its exit status is {done.returncode}")
    written = pathlib.Path(path_in(environment[FOLDER], path))
    if not written.is_file():
        raise CannotRun(f"the program wrote no report {path}")
    return written


def _module_folders() -> str:
    """PYTHONPATH, in which no folder means another one where the program runs; with this jkeras."""
    search_path = os.environ.get("PYTHONPATH", "")
    folders = [os.path.abspath(folder) for folder in search_path.split(os.pathsep) if folder]
    return os.pathsep.join([*folders, *installed.folder_of_a_checkout()])
