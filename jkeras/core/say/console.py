"""Text for who looks on, if anybody does: a service has no standard output, and a terminal may go.

A training does not end because its output cannot be shown.
"""

import sys


def write(text: str) -> None:
    """Writes text to the standard output; nowhere where there is none, or it is closed or broken.

    Raises:
        UnicodeEncodeError: it has no such letters.
        BrokenPipeError: its reader is gone, by which a program in a pipeline ends.
    """
    out = sys.stdout
    if not callable(getattr(out, "write", None)):
        return
    try:
        out.write(text)
        if callable(getattr(out, "flush", None)):
            out.flush()
    except (UnicodeEncodeError, BrokenPipeError):
        raise
    except (OSError, ValueError):  # the terminal is gone, the disk is full; it is closed
        return


def say(text: str) -> None:
    """Writes a line."""
    write(f"{text}\n")


def is_terminal() -> bool:
    """Whether the standard output is one."""
    try:
        return sys.stdout.isatty()
    except (AttributeError, OSError, TypeError, ValueError):
        return False
