"""Runs a command that is killed when its parent ends, also when the parent is killed, and with it
whatever it has started: `python dies_with_parent.py PARENT COMMAND ARGUMENTS`, where PARENT is the
parent's process id.

On Linux this process stays as a guard between the two. What the command leaves behind becomes the
guard's child, in whatever session it is, and is killed before the guard ends. Elsewhere the process
becomes the command.

Started by its path, so that `import jkeras` is not run for it.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time

SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>; other systems than Linux lack it
SET_CHILD_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER: orphans become this process's children
PARENT_ENDED = getattr(signal, "SIGUSR2", None)  # what the guard is sent by the system
PASSED_ON = (signal.SIGTERM, signal.SIGINT)
SECONDS = 5.0  # in which what is killed has to end
PAUSE = 0.01


def main(parent: str, *command: str) -> None:
    """Runs the command; ends at once where the parent has ended before."""
    if sys.platform != "linux":
        _check_parent(int(parent))
        os.execv(command[0], command)
    system = ctypes.CDLL(None)
    signal.pthread_sigmask(signal.SIG_BLOCK, (*PASSED_ON, PARENT_ENDED))
    system.prctl(SET_PARENT_DEATH_SIGNAL, PARENT_ENDED)
    system.prctl(SET_CHILD_SUBREAPER, 1)
    _check_parent(int(parent))
    guard = os.getpid()
    child = os.fork()
    if child == 0:
        _become(command, guard, system)
    os._exit(_guarded(child))


def _check_parent(parent: int) -> None:
    if os.getppid() != parent:
        sys.exit(f"The parent, process {parent}, has ended.")


def _become(command: tuple[str, ...], guard: int, system: ctypes.CDLL) -> None:
    """Becomes the command, which ends with the guard."""
    system.prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    _check_parent(guard)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*PASSED_ON, PARENT_ENDED))
    os.execv(command[0], command)


def _guarded(child: int) -> int:
    """Waits for the child, ends what it leaves, and returns its exit status as a shell has it."""

    def end(kind: int, frame: object) -> None:
        _kill(child)

    def pass_on(kind: int, frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, kind)

    signal.signal(PARENT_ENDED, end)
    for kind in PASSED_ON:
        signal.signal(kind, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*PASSED_ON, PARENT_ENDED))
    ended = status = None
    while ended != child:
        ended, status = os.waitpid(-1, 0)  # also of orphans
    for kind in PASSED_ON:  # the number of the child may be another process's from here on
        signal.signal(kind, signal.SIG_IGN)
    signal.signal(PARENT_ENDED, signal.SIG_IGN)
    _end_children()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _end_children() -> None:
    """Kills what is left; what they had started become children then, and are killed, too."""
    last = time.monotonic() + SECONDS
    while time.monotonic() < last:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return  # there are none
        if ended == 0:
            for number in _children():
                _kill(number)
            time.sleep(PAUSE)


def _children() -> list[int]:
    """The numbers of the processes whose parent is this one."""
    guard, children = os.getpid(), []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            behind_name = file.read().rpartition(b")")[2].split()  # state, parent, ...
            if int(behind_name[1]) == guard:
                children.append(int(name))
    return children


def _kill(number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(number, signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
