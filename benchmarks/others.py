"""Works that are not a training or a prediction beside all peers: what jkeras does beside the plain
way.

    python -m benchmarks.others NAME [--rounds 5] [--quick] [--json]

A name is that of a module with `experiments(quick)`, which yields an `Experiment` after the other.
All its forms take turns in one process. Prints a table; with `--json` an experiment a line.
"""

import argparse
import collections.abc
import importlib
import json
import typing

from benchmarks.worker import settle, timed

NAMES = ("per_example", "private", "taps", "ensemble", "generation", "files")


class Experiment(typing.NamedTuple):
    """Forms of the same work.

    Attributes:
        name: what `targets` calls it.
        forms: functions by name, the plain one first, with which the others are compared.
        count: what the time of a call is divided by.
        before: called before each call, and not timed.
    """

    name: str
    title: str
    forms: dict
    count: int = 1
    before: collections.abc.Callable = lambda: None


def measure(forms, rounds, before=lambda: None):
    """{form: {"first":, "rounds": [...]}} of processor and wall seconds; a form's first call
    compiles.
    """

    def once(run):
        before()
        return timed(run)[0]

    found = {name: {"first": once(run), "rounds": []} for name, run in forms.items()}
    for i in range(rounds):
        for name in forms if i % 2 else reversed(forms):
            found[name]["rounds"].append(once(forms[name]))
    return found


def results(name, rounds, quick):
    """What was measured of each experiment of a module, as the report takes it."""
    for one in importlib.import_module(f"benchmarks.{name}").experiments(quick):
        about = one._asdict()
        before = about.pop("before")
        yield about | {"forms": measure(one.forms, rounds, before)}


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.others",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--quick", action="store_true", help="as little of it as shows that it runs"
    )
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    settle()
    found = results(chosen.name, chosen.rounds, chosen.quick)
    if chosen.json:
        for one in found:
            print(json.dumps(one), flush=True)
        return
    from benchmarks.report import other_table

    print(other_table(list(found)))


if __name__ == "__main__":
    main()
