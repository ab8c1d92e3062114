"""Runs a command that is killed when its parent ends, also when the parent is killed:
`python dies_with_parent.py PARENT COMMAND ARGUMENTS`, where PARENT is the parent's process id.

Started by its path, lest `import jkeras` be run for it.
"""

import ctypes
import os
import signal
import sys

SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>; other systems than Linux lack it


def main(parent, *command):
    """Becomes the command; ends at once where the parent has ended before."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit(f"The parent, process {parent}, has ended.")
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
