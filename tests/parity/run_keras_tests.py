"""Runs Keras's own tests, which the installed keras wheel holds, on jkeras.

    python tests/parity/run_keras_tests.py                  # the folders that matter
    python tests/parity/run_keras_tests.py --all            # all, more than an hour
    python tests/parity/run_keras_tests.py layers/core ops  # some, below keras/src

The harness is ../shared/keras_tests, which tells apart what a failing test looks at. Here only
tests count that see another behaviour: `keras_tests.txt` says of each why it is so. Tests of
Keras's inside and of its words do not count, nor those that import a package that is not here.
Exit status 0: no other test fails, and each of those that are listed and ran fails.
"""

import argparse
import collections
import contextlib
import importlib.util
import io
import pathlib
import re
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SHARED = HERE.parent.parent.parent / "shared" / "keras_tests"
MATTER = ("losses", "metrics", "models", "optimizers", "saving")
LIST = HERE / "keras_tests.txt"
# what the tests take from Keras's inside, and where jkeras has the same: added to their conftest
NAMESAKES = """
import importlib

import jkeras
import plugin
from jkeras.as_keras_inside import PLACES
from jkeras.core.weights.rng import SeedGenerator


def resolved(place):
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


for path, names in PLACES.items():
    for name, place in names.items():
        plugin.GIVEN.setdefault(path, {}).setdefault(name, resolved(place))
plugin.GIVEN["ops"] = {"random": jkeras.random}
jkeras.Layer._seed_generators = property(
    lambda layer: [v for v in layer._children.values() if isinstance(v, SeedGenerator)]
)
"""


def reasons():
    """{test: why it fails}."""
    found = {}
    for line in LIST.read_text().splitlines():
        if line and not line.startswith("#"):
            test, _, reason = line.partition(" | ")
            found[test] = reason
    return found


def harness(folder):
    """The module run.py of the harness."""
    spec = importlib.util.spec_from_file_location("keras_tests_run", folder / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_listed(test, known):
    """Whether a test, or all of its file or class, is in the list."""
    file, _, rest = test.partition("::")
    return {test, file, f"{file}::{rest.partition('::')[0]}"} & set(known)


def short(test):
    """A test's name without the parameters that have addresses in them."""
    return test.removeprefix("kt/").partition("[")[0]


def lacks_package(message):
    """Whether a test failed for a package that it imports and that is not installed."""
    found = re.match(r"ModuleNotFoundError: No module named '([\w.]+)'", message)
    name = found.group(1).partition(".")[0] if found else "keras"
    return name not in ("keras", "jkeras") and importlib.util.find_spec(name) is None


def main():
    """Runs, compares with the list, and prints what is new and what is gone."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wanted", nargs="*", help="folders or files below keras/src")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--shared", type=pathlib.Path, default=SHARED)
    parser.add_argument("--jobs", default="2")
    given = parser.parse_args()
    wanted = given.wanted or ([] if given.all else MATTER)
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out.jsonl"
        run = harness(given.shared)
        run.CONFTEST += NAMESAKES
        sys.argv = ["run.py", "--out", str(out), "--jobs", given.jobs, *wanted]
        with contextlib.redirect_stderr(io.StringIO()):
            run.main()
        outcomes = run.read(out)
    sys.exit(report(outcomes, reasons()))


def report(outcomes, known):
    """Prints what is not as the list says; the exit status."""
    for test, (outcome, message) in list(outcomes.items()):
        if outcome == "behaviour" and lacks_package(message):
            outcomes[test] = "not installed", message
    counts = collections.Counter(outcome for outcome, _ in outcomes.values())
    failing = {short(t): m for t, (outcome, m) in outcomes.items() if outcome == "behaviour"}
    passing = {short(t) for t, (outcome, _) in outcomes.items() if outcome == "passed"}
    new = {test: message for test, message in failing.items() if not is_listed(test, known)}
    gone = [test for test in known if test in passing - set(failing)]
    for test, message in new.items():
        print(f"FAILS {test}: {message[:300]}")
    for test in gone:
        print(f"PASSES, and is in {LIST.name}: {test}")
    print("  ".join(f"{outcome} {count}" for outcome, count in counts.most_common()))
    print(f"KERAS'S TESTS {'as listed' if not new and not gone else 'NOT as listed'}")
    return int(bool(new or gone))


if __name__ == "__main__":
    main()
