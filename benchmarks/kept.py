"""Results in JSON files: those of the comparison with peers, to which one run after the other adds
what it measured, and figures of the pages of docs/, a file for each script that measures them.
"""

import argparse
import datetime
import importlib.metadata
import json
import pathlib
import platform
from collections.abc import Callable
from typing import Any

FIGURES = pathlib.Path(__file__).parent / "figures"


def merged(old, new):
    """Both results; what both have is the new one's."""
    limits = [one.get("limit", {}).get("seconds", {}) for one in (old, new)]
    others = {one["name"]: one for run in (old, new) for one in run.get("others", [])}
    found = {**old, **{key: value for key, value in new.items() if value}}
    found["works"] = old.get("works", {}) | new["works"]
    found["limit"] = found["limit"] | {"seconds": limits[0] | limits[1]}
    found["others"] = list(others.values())
    found["about"] = list(dict.fromkeys(old.get("about", []) + new["about"]))
    return found


def add(path, results):
    """Adds results to those of a file, and gives all it has then."""
    path = pathlib.Path(path)
    results = merged(json.loads(path.read_text()), results) if path.exists() else results
    path.write_text(json.dumps(results))
    return results


def command(script: str, about: str | None, parts: dict[str, tuple[Callable, tuple]]) -> None:
    """The command line of a script that measures parts: all of them, or those after `--only`.

    Args:
        about: the script's docstring.
        parts: {name: (a function that measures it, the packages whose versions count)}.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{script}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", choices=list(parts), default=list(parts))
    for part in parser.parse_args().only:
        measure, packages = parts[part]
        keep(script, part, measure(), packages)


def found(script: str, part: str) -> Any:
    """What was found last for a part of a script; {}: nothing."""
    path = FIGURES / f"{script}.json"
    parts = json.loads(path.read_text()) if path.exists() else {}
    return parts.get(part, {"found": {}})["found"]


def keep(script: str, part: str, found: Any, packages: tuple[str, ...] = ()) -> None:
    """Prints what a script measured for the pages, and writes it to `benchmarks/figures`, where
    docs/make_figures.py finds it.

    Args:
        script: its name, and that of the file.
        part: what was measured; the file keeps the others.
        found: as JSON has it.
        packages: whose versions count, beside Python's and JAX's.
    """
    print(f"{script}, {part}: {json.dumps(found)}", flush=True)
    path = FIGURES / f"{script}.json"
    parts = json.loads(path.read_text()) if path.exists() else {}
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("jax", *packages)]
    about = [str(datetime.date.today()), f"Python {platform.python_version()}", *versions]
    parts[part] = {"measured": ", ".join(about), "found": found}
    FIGURES.mkdir(exist_ok=True)
    path.write_text(json.dumps(parts, indent=1) + "\n")
