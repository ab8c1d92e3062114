"""One process of a job: started, its output printed line by line, its end reported."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import threading
import typing
from collections.abc import Callable, Mapping, Sequence

SHIM = pathlib.Path(__file__).with_name("dies_with_parent.py")
PARENT_ENDED = getattr(signal, "SIGUSR2", signal.SIGTERM)  # as the guard knows it
DRAIN = 1.0  # seconds in which what an ended process has written is read
_one_line = threading.Lock()  # held while one is written, so that no two mix


class Ended(typing.NamedTuple):
    """A process has ended.

    Attributes:
        number: of the process.
        code: its exit status; 128 and the number of the signal that ended it, as a shell has it.
    """

    number: int
    code: int


class Child:
    """A process that ends with this one; each line of its output begins with its number.

    It is in a session of its own, so that Ctrl-C in a terminal reaches only this process. Between
    the two is a guard, which ends the processes that it started with it.

    Args:
        number: of the process.
        command: what it runs, the path of the program first.
        environment: all its variables.
        report: is called with an `Ended`, from a thread.
    """

    def __init__(
        self,
        number: int,
        command: Sequence[str],
        environment: Mapping[str, str],
        report: Callable[[Ended], None],
    ) -> None:
        self.number = number
        self._report = report
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", SHIM, str(os.getpid()), *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        threading.Thread(target=self._watch, daemon=True).start()

    def send(self, kind: int) -> None:
        """Sends a signal; SIGKILL also to the processes that it started."""
        if kind == signal.SIGKILL:
            self._kill()
        else:
            self._process.send_signal(kind)

    def _kill(self) -> None:
        """Lets the guard kill them all; where there is none, kills the group."""
        if sys.platform == "linux":
            self._process.send_signal(PARENT_ENDED)
        else:
            self._kill_group()

    def _kill_group(self) -> None:
        # there may be none left; macOS forbids it where all of them have ended
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _watch(self) -> None:
        process = self._process
        readers = [
            threading.Thread(target=self._tell, args=streams, daemon=True)
            for streams in ((process.stdout, sys.stdout), (process.stderr, sys.stderr))
        ]
        for reader in readers:
            reader.start()
        code = process.wait()
        self._kill_group()
        for reader in readers:
            reader.join(DRAIN)
        self._report(Ended(self.number, code if code >= 0 else 128 - code))

    def _tell(self, lines: typing.IO[bytes], out: typing.TextIO) -> None:
        with lines:
            for line in lines:
                text = line.decode(errors="replace").rstrip("\r\n")
                # its reader is gone, or its disk is full: the process goes on all the same
                with _one_line, contextlib.suppress(OSError):
                    print(f"[{self.number}] {text}", file=out, flush=True)
