"""Replays the recorded Keras cases of ../shared/parity and compares what fails with
`not_built.txt`.

    python tests/parity/run_recorded.py                        # everything
    python tests/parity/run_recorded.py --only '^rnn/'         # cases by id
    python tests/parity/run_recorded.py --quick                # most without optimization
    python tests/parity/run_recorded.py --half                 # the other half: tomorrow
    python tests/parity/run_recorded.py --failing failing.txt  # also writes the ids that fail

Exit status 0: every case that fails is on the list, and every line of the list still has a case
that fails. Each line of the list is a case id or a regular expression that the whole id must match.
A line that begins with "~"
names cases whose result depends on the machine: they may fail and may pass.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))  # the interpreter put this folder there instead

from tests.quick_xla import quick_flags
from tests.thinning import is_turn, turn_of_commit

# Two run at a time, the longest first. The runner collects garbage before each case, which takes
# the longer the more programs its process has compiled; so no process has many cases.
OTHERS = "all other kinds"
RUNS = (
    ("run_functions.py", "--kinds", OTHERS),
    ("run_functions.py", "--kinds", "optimizers,metrics,losses,ops.image,random,dtypes"),
    ("run_models.py", "--kinds", "layer", "--only", "^[a-b]"),
    ("run_models.py", "--kinds", "layer", "--only", "^c"),
    ("run_models.py", "--kinds", "layer", "--only", "^[d-o]"),
    ("run_models.py", "--kinds", "layer", "--only", "^p"),
    ("run_models.py", "--kinds", "layer", "--only", "^[q-z]"),
    ("run_models.py", "--kinds", "training", "--only", "^training/[a-l]"),
    ("run_models.py", "--kinds", "training", "--only", "^training/[m-z]"),
    ("run_models.py", "--kinds", "model,file"),
)


def with_others(runs, folder):
    """The runs, of which one has the kinds of functions that no other one has."""
    kinds = {json.loads(line)["kind"] for path in folder.glob("*.jsonl") for line in path.open()}
    kinds -= {kind for run in runs for kind in run[-1].split(",")}
    return [(*run[:-1], ",".join(sorted(kinds))) if run[-1] == OTHERS else run for run in runs]


def replay(runner, more, out, quick):
    """Runs one of the recorded sets; returns {case id: reason it fails, or None}."""
    command = [sys.executable, str(runner.resolve()), "--module", "jkeras", "--out", str(out)]
    command += more
    environment = dict(
        os.environ, JAX_PLATFORMS="cpu", PYTHONPATH=str(ROOT), PYTHONDONTWRITEBYTECODE="1"
    )
    if quick:
        environment["XLA_FLAGS"] = quick_flags()
    done = subprocess.run(
        command,
        env=environment,
        cwd=out.parent,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if not out.exists():
        if "--only" in more and "Traceback" not in done.stdout:
            return {}
        raise SystemExit(
            f"{runner.name} broke off with status {done.returncode}:\n{done.stdout[-3000:]}"
        )
    last = done.stdout.strip().splitlines()[-1]
    print(f"{' '.join((runner.name, *more))}: {last}", flush=True)
    return verdicts(json.loads(out.read_text()))


def verdicts(results):
    """{case id: reason or None} from what either runner writes."""
    if isinstance(results, dict):
        return {name: first_reason(entry["checks"].values()) for name, entry in results.items()}
    found = {}
    for row in results:  # one row for each way of running a case
        found[row["id"]] = found.get(row["id"]) or row["reason"]
    return found


def first_reason(reasons):
    """The first failure among the checks of a case, or None."""
    return next((reason for reason in reasons if reason), None)


def read_list(path):
    """[(line, compiled regular expression)] of the list, comments left out."""
    lines = [line.split(" #")[0].strip() for line in path.read_text().splitlines()]
    return [
        (line, compile_line(line.removeprefix("~")))
        for line in lines
        if line and not line.startswith("#")
    ]


def compile_line(line):
    """An id stands for itself even where it has brackets or dots in it."""
    try:
        return re.compile(f"(?:{line})|{re.escape(line)}")
    except re.error:
        return re.compile(re.escape(line))


def judge(found, listed):
    """(unexpected failures, list lines without a failing case, ids on the list that pass)."""
    covers = {name: [line for line, pattern in listed if pattern.fullmatch(name)] for name in found}
    unexpected = {name: reason for name, reason in found.items() if reason and not covers[name]}
    passing = [
        name
        for name, reason in found.items()
        if not reason and any(not line.startswith("~") for line in covers[name])
    ]
    needed = {
        line
        for name, reason in found.items()
        for line in covers[name]
        if reason or line.startswith("~")
    }
    return unexpected, [line for line, _ in listed if line not in needed], passing


def main():
    """Replays, compares, reports."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parity", type=pathlib.Path, default=ROOT.parent / "shared" / "parity")
    parser.add_argument("--list", type=pathlib.Path, default=HERE / "not_built.txt")
    parser.add_argument(
        "--only", help="regular expression searched in the id; the list then need not shrink"
    )
    parser.add_argument("--quick", action="store_true", help="compile most without optimization")
    parser.add_argument(
        "--half", action="store_true", help="most functions, and of the other runs those in turn"
    )
    parser.add_argument("--failing", type=pathlib.Path, help="write the ids of failing cases here")
    options = parser.parse_args()
    runs = with_others(RUNS, options.parity / "functions")
    if options.only:
        runs = [
            (runner, "--only", options.only) for runner in ("run_functions.py", "run_models.py")
        ]
    if options.half:
        os.environ.setdefault("JKERAS_TURN", turn_of_commit())
        runs = [run for i, run in enumerate(runs) if i == 0 or is_turn(i, 2)]
    with (
        tempfile.TemporaryDirectory() as name,
        concurrent.futures.ThreadPoolExecutor(2) as pool,
    ):
        waiting = [
            pool.submit(
                replay,
                options.parity / runner,
                more,
                pathlib.Path(name) / f"{i}.json",
                # those of the first run are compiled as users' programs are: most functions, all
                # gradients, the pure forms of optimizers and metrics
                options.quick and i > 0,
            )
            for i, (runner, *more) in enumerate(runs)
        ]
        parts = [run.result() for run in waiting]
    found = {case: reason for part in parts for case, reason in part.items()}
    if options.failing:
        options.failing.write_text("".join(f"{case}\n" for case, reason in found.items() if reason))
    unexpected, stale, passing = judge(found, read_list(options.list))
    if options.only or options.half:
        stale = []
    for case, reason in unexpected.items():
        print(f"FAIL {case}: {reason[:300]}")
    for line in stale:
        print(f"remove it from {options.list.name}, nothing that it names fails any more: {line}")
    for case in passing:
        print(
            f"passes, though {options.list.name} names it; remove it or write the line narrower: "
            f"{case}"
        )
    failed = sum(reason is not None for reason in found.values())
    print(
        f"recorded cases: {len(found) - failed} of {len(found)} pass, {failed - len(unexpected)} "
        f"not built, {len(unexpected)} fail, {len(stale) + len(passing)} to remove from the list"
    )
    return 1 if unexpected or stale or passing or not found else 0


if __name__ == "__main__":
    sys.exit(main())
