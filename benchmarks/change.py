"""What a change did: counts and ratios of this checkout beside those that are kept, or of a commit.

    python -m benchmarks.change           # beside those that benchmarks/figures/change.json has
    python -m benchmarks.change --keep    # and keeps them there
    python -m benchmarks --since COMMIT   # beside those of a commit, measured in the same run

Counted are the programs that the first call of six works compiles, the modules that `import jkeras`
loads beside those of JAX and optax, the size of the package as a wheel compresses it, and lines.
Measured is the time of a work beside that of a jitted step by hand, in three rounds. The exit
status is 1 where a count is larger than before, the size by more than 2 %, or where a ratio is over
1.5 times the other one in each round: machines are noisy. How the code is built is compared by
tests/test_structure.py.
"""

import argparse
import io
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import zipfile

from benchmarks import kept, runner
from benchmarks.works import WORKS

NAMES = ("tiny", "mlp", "cnn", "lstm", "transformer", "predict1")
ROUNDS = 3
SLOWER, LARGER = 1.5, 1.02
MODULES = "import sys, jax, optax; n = len(sys.modules); import jkeras; print(len(sys.modules) - n)"


def measured() -> dict:
    """{"counts": {name: number}, "ratios": {work: one for each round}} of this checkout."""
    counts, ratios = {}, {}
    found = runner.measure([WORKS[name] for name in NAMES], ["jkeras", "jitted"], ROUNDS)
    for name, peers in found.items():
        counts[f"compiled: {name}"] = peers["jkeras"]["first"]["compiles"]
        rounds = zip(*(peers[peer]["rounds"] for peer in ("jkeras", "jitted")), strict=True)
        ratios[name] = [own["wall_s"] / other["wall_s"] for own, other in rounds]
    command = [sys.executable, "-c", MODULES]
    loaded = subprocess.run(command, env=runner.ENVIRONMENT, stdout=subprocess.PIPE, check=True)
    counts["modules loaded"] = int(loaded.stdout)
    return {"counts": counts | sizes(runner.ROOT / "jkeras"), "ratios": ratios}


def sizes(package: pathlib.Path) -> dict[str, int]:
    """Bytes of the package, compressed file by file as in a wheel, and lines of its code."""
    files = [path for path in sorted(package.rglob("*")) if path.is_file()]
    files = [path for path in files if "__pycache__" not in path.parts]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path in files:
            wheel.write(path, path.relative_to(package.parent))
    lines = sum(path.read_text().count("\n") for path in files if path.suffix == ".py")
    return {"bytes": len(archive.getvalue()), "lines": lines}


def of_commit(commit: str) -> dict:
    """What `measured` gives of the package at a commit, by the benchmarks of this checkout."""
    with tempfile.TemporaryDirectory() as folder:
        packed = pathlib.Path(folder) / "package.tar"
        command = ["git", "archive", "-o", str(packed), commit, "jkeras"]
        subprocess.run(command, cwd=runner.ROOT, check=True)
        shutil.unpack_archive(packed, folder)
        shutil.copytree(runner.ROOT / "benchmarks", f"{folder}/benchmarks")
        environment = runner.ENVIRONMENT | {"PYTHONPATH": folder}
        command = [sys.executable, "-m", "benchmarks.change", "--json"]
        given = {"cwd": folder, "env": environment, "stdout": subprocess.PIPE, "check": True}
        return json.loads(subprocess.run(command, **given).stdout)


def compared(before: dict, now: dict) -> list[tuple[str, str, str, bool]]:
    """(what, before, now, whether that is worse) of each number."""
    rows = []
    for name, count in now["counts"].items():
        old = before["counts"].get(name, count)
        most = {"bytes": LARGER * old, "lines": float("inf")}.get(name, old)
        rows.append((name, f"{old:,}", f"{count:,}", count > most))
    for name, rounds in now["ratios"].items():
        old = statistics.median(before["ratios"].get(name, rounds))
        shown = f"{old:.2f}", f"{statistics.median(rounds):.2f}"
        rows.append((f"of the jitted loop: {name}", *shown, min(rounds) > SLOWER * old))
    return rows


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--since", metavar="COMMIT")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--json", action="store_true", help="only print what is measured")
    given = parser.parse_args(arguments)
    now = measured()
    if given.json:
        print(json.dumps(now))
        return
    before = of_commit(given.since) if given.since else kept.found("change", "short") or now
    rows = compared(before, now)
    for name, old, new, is_worse in rows:
        print(f"{name:34} {old:>12} {new:>12}{'  WORSE' * is_worse}")
    if given.keep:
        kept.keep("change", "short", now)
    worse = [name for name, *_, is_worse in rows if is_worse]
    if worse:
        sys.exit(f"worse than before: {', '.join(worse)}")


if __name__ == "__main__":
    main()
