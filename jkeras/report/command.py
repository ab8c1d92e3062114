"""The command `reproduce`: runs a training again, or takes two reports, and says where they
part.
"""

import argparse
import shutil
import sys
import tempfile
import typing

from jkeras.saving.files import replacing
from jkeras.core.errors import LONGEST_MESSAGE, readable
from jkeras.report import comparison, reading, rerun, target
from jkeras.report.reading import Report

SAME, PARTED, FAILED = 0, 1, 2  # exit statuses
MOST_SHOWN = 20  # differences


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Gives the parser of the command its arguments."""
    parser.add_argument("report", help="a file that `fit(report=…)` wrote")
    parser.add_argument("other", nargs="?", help="another one: the two are compared, none is run")
    parser.add_argument("--into", metavar="PATH", help="where the report of the new run is kept")
    parser.add_argument(
        "--yes", action="store_true", help="run the program that the report names without asking"
    )
    parser.add_argument(
        "--changed", action="store_true", help="also run a script that has changed since"
    )


def reproduce(options: argparse.Namespace) -> int:
    """Does what the arguments say; the exit status: 0 the same, 1 parted, 2 not run."""
    try:
        first = reading.read(options.report)
        if options.other is not None:
            second = reading.read(options.other)
        else:
            second = _run_again(first, options)
    except (OSError, ValueError, rerun.CannotRun) as error:
        _tell(f"jkeras reproduce: {error}", sys.stderr)
        return FAILED
    return compare(first, second)


def _tell(text: str, file: typing.TextIO | None = None) -> None:
    """Prints a line, parts of which may be of a report: anybody may have written that."""
    print(readable(text, lines=False), file=file, flush=True)


def compare(first: Report, second: Report) -> int:
    """Prints what differs and where the two part."""
    differences = comparison.differences(first, second)
    if differences:
        _tell("These differ around the runs:")
    for difference in differences[:MOST_SHOWN]:
        _tell(f"  {difference}")
    if len(differences) > MOST_SHOWN:
        _tell(f"  … and {len(differences) - MOST_SHOWN} more")
    for report in (first, second):
        if report.status != "finished":
            _tell(f"A run is not finished: its status is '{report.status}'.")
    parting = comparison.parting(first, second)
    steps = sum(epoch.steps for epoch in first.epochs)
    if parting is None:
        _tell(f"The runs are the same to the bit: {len(first.epochs)} epochs, {steps} steps.")
        return SAME
    _tell(f"The runs part {parting}.")
    _advise(first)
    return PARTED


def _advise(report: Report) -> None:
    """Says what makes a training follow from its seeds, where there are none."""
    if all(seed is None for seed in report.facts["seeds"].values()):
        print("No seed was set: see `jkeras.utils.set_random_seed` and `fit(seed=…)`.")


def _run_again(report: Report, options: argparse.Namespace) -> Report:
    """The report of a new run."""
    if options.into is not None:
        target.check(options.into)
    program = rerun.program_of(report)
    print("This program is run again:")
    _tell(f"  {program}")
    if program.is_changed and not options.changed:
        raise rerun.CannotRun(
            "the script is not the one that the report is of: its sha256 differs. Look at it, "
            "and add --changed to run it as it is now"
        )
    _check_consent(program, options.yes)
    with tempfile.TemporaryDirectory(prefix="jkeras-") as folder:
        written = rerun.run(program, report.path, folder)
        if options.into is not None:
            with replacing(options.into) as temporary:
                shutil.copyfile(written, temporary)
        return reading.read(written)


def _check_consent(program: rerun.Program, yes: bool) -> None:
    """Raises where the user did not say that a program may run, or not knowing which."""
    if yes and not program.is_installed:
        return
    if len(str(program)) > LONGEST_MESSAGE:
        raise rerun.CannotRun(
            f"its command line has {len(str(program))} characters, more than can be shown: look at "
            "the arguments in the report. Nothing was run"
        )
    if program.is_installed:
        _tell(
            "This script is a part of Python or of a package: what runs is what its arguments say."
        )
    if not _agrees():
        why = "--yes does not hold for such a script" if yes else "--yes runs it without asking"
        raise rerun.CannotRun(f"nothing was run; {why}")


def _agrees() -> bool:
    """Whether the user, where there is one, wants it run."""
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    try:
        return input("Run it? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False
