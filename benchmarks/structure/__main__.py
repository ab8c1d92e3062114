"""How the code is built, in numbers, before and now, beside what they are to be.

    python -m benchmarks.structure                  # a table, and what stands behind its numbers
    python -m benchmarks.structure --json
    python -m benchmarks.structure --tighten        # what is reached is the limit from now on;
                                                    # and what decision 8 says
    python -m benchmarks.structure --root ../other  # of another checkout

A count with a target is never worse than `limits.json` says: a test of the quick suite sees to it.
"before" is commit 67d5dad on Python 3.11; `docs/decisions/0008-the-kernel-of-values.md` says how
each count is taken.
"""

import argparse
from collections.abc import Iterator
import json
import pathlib
import platform
import subprocess

from benchmarks import kept
from benchmarks.structure import limits
from benchmarks.structure.checkout import Checkout
from benchmarks.structure.counts import TABLE

ROOT = pathlib.Path(__file__).parents[2]
VERDICTS = {True: "yes", False: "NO", None: ""}


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.structure",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    parser.add_argument(
        "--tighten", action="store_true", help="write limits.json, by Python 3.11 and JAX 0.10"
    )
    parser.add_argument("--root", type=pathlib.Path, default=ROOT, help="a checkout of jkeras")
    options = parser.parse_args()
    report = measured(Checkout(options.root))
    if options.tighten:
        kept.keep("structure", "counts", list(of_page(report)))
        limits.PATH.write_text(json.dumps(limits.tightened(report, limits.read()), indent=1) + "\n")
    print(json.dumps(report, indent=1) if options.json else as_text(report))


def measured(checkout) -> dict:
    """What is counted, and what stands behind the numbers."""
    return {
        "commit": commit_of(checkout.root),
        "python": platform.python_version(),
        "counts": {
            title: [row(count, checkout) for count in rows] for title, rows in TABLE.items()
        },
        "behind": behind(checkout),
    }


def commit_of(root) -> str:
    """The commit of a checkout, and whether something in it was changed since."""
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True).stdout.strip()


def row(count, checkout) -> dict:
    value = count.measure(checkout)
    return {
        "name": count.name,
        "before": count.before,
        "target": count.target,
        "at_least": count.at_least,
        "now": value,
        "holds": count.holds(value),
    }


def behind(checkout) -> dict[str, list[str]]:
    """The names that some of the numbers count."""
    return {
        "Frames from fit to the loss": checkout.way.frames,
        "Files that import the ambient run": checkout.users_of_the_run,
        "Import circles": [" ".join(circle) for circle in checkout.circles],
        "Packages that the kernel imports": checkout.foreign_to_the_kernel(),
        "Functions of complexity > 10": [str(function) for function in checkout.above(10)],
    }


# ---------------------------------------------------------------- as text


def as_text(report) -> str:
    lines = [f"jkeras at {report['commit'] or 'an unknown commit'}, Python {report['python']}"]
    for title, rows in report["counts"].items():
        lines += ["", f"{title:46}{'before':>10}{'target':>10}{'now':>10}  holds"]
        lines += map(line, rows)
    for title, names in report["behind"].items():
        lines += ["", f"{title}: {len(names)}", *(f"  {name}" for name in names)]
    return "\n".join(lines)


def line(row) -> str:
    """A row of the table."""
    target = number(row["target"])
    if target:
        target = (">= " if row["at_least"] else "<= ") + target
    cells = f"{number(row['before']):>10}{target:>10}{number(row['now']):>10}"
    return f"  {row['name']:44}{cells}  {VERDICTS[row['holds']]}".rstrip()


def of_page(report) -> Iterator[list[str]]:
    """The rows of the table of decision 8."""
    for row in (row for rows in report["counts"].values() for row in rows):
        target = number(row["target"])
        if target and row["at_least"]:
            target = f"{target} or more"
        yield [row["name"], number(row["before"]), target, number(row["now"])]


def number(value) -> str:
    """A number as it stands in the table; nothing where there is none."""
    if value is None:
        return ""
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


if __name__ == "__main__":
    main()
