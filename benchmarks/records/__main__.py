"""Numbers that others published, reached here: the figures of docs/records.md.

    python -m benchmarks.records [NAME …] [--check] [--turn 0/3] [--pictures]

Each record is a file of this folder and is run in a process of its own. With --check nothing is
written, only those are run that take at most a minute, and the exit status is 1 where a number is
not within what it has to be. With --pictures nothing is run: docs/assets/records gets a picture of
what was kept of each record that draws one, which needs matplotlib. Needs the extras `onnx` and
`export`, a registry for pip, and what each record names; one whose modules are not installed is
left out.
"""

import argparse
import contextlib
import dataclasses
import importlib
import importlib.util
import io
import json
import pathlib
import sys
import time

from benchmarks import kept, runner
from benchmarks.records.record import Record

NO_RECORDS = ("__init__", "__main__", "onnx_weights", "record")
PICTURES = pathlib.Path(__file__).parents[2] / "docs" / "assets" / "records"
DOTS_PER_INCH, COLORS, LARGEST_PICTURE = 100, 64, 40_000  # 640 × 400 dots; bytes


def names() -> list[str]:
    """Of all records."""
    files = sorted(pathlib.Path(__file__).parent.glob("*.py"))
    return [file.stem for file in files if file.stem not in NO_RECORDS]


def record_of(name: str) -> Record:
    """The record of a file."""
    return importlib.import_module(f"benchmarks.records.{name}").RECORD


def lacking(record: Record) -> list[str]:
    """The modules that it needs and that are not installed."""
    return [name for name in record.needs if importlib.util.find_spec(name) is None]


def measured(name: str) -> dict:
    """What a record gives, as JSON has it."""
    record, begin = record_of(name), time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):  # what packages print is no result
        given = record.measure()
    rows, data = given if isinstance(given, tuple) else (given, {})
    rows = [dataclasses.asdict(row) | {"holds": row.holds} for row in rows]
    about = dataclasses.asdict(record)
    del about["measure"], about["draw"]
    seconds = round(time.perf_counter() - begin, 1)
    return about | {"rows": rows, "seconds": seconds} | ({"data": data} if data else {})


def draw_picture(name: str) -> None:
    """Writes the picture of a record, of what was kept of it; those without one are passed by."""
    draw, data = record_of(name).draw, kept.found("records", name).get("data")
    if draw is None or data is None:
        return
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    draw(figure, data)
    file = PICTURES / f"{name}.png"
    PICTURES.mkdir(parents=True, exist_ok=True)
    with io.BytesIO() as dots:
        figure.savefig(dots, dpi=DOTS_PER_INCH)
        Image.open(dots).convert("RGB").quantize(COLORS).save(file, optimize=True)
    size = file.stat().st_size
    if size > LARGEST_PICTURE:
        raise ValueError(f"{file}: {size} bytes, expected {LARGEST_PICTURE} at most")


def printed_rows(name: str, found: dict) -> list[str]:
    """Lines for each number."""
    lines = [f"{name}: {found['title']}, {found['seconds']} s"]
    for row in found["rows"]:
        published = "" if row["published"] is None else f" (published: {row['published']})"
        beside = "" if row["keras"] is None else f", beside {row['keras']}"
        holds = "" if row["holds"] else "  NOT within what it has to be"
        lines.append(f"    {row['what']}: {row['ours']:.6g}{published}{beside}{holds}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names()))
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--turn", default="0/1", help="K/N: of N records the one of turn K")
    parser.add_argument("--pictures", action="store_true")
    parser.add_argument("--one", metavar="NAME")
    given = parser.parse_args()
    if given.pictures:
        for name in given.names or names():
            draw_picture(name)
        return
    if given.one:
        print(json.dumps(measured(given.one)), flush=True)
        return
    turn, turns = map(int, given.turn.split("/"))
    failed = []
    for number, name in enumerate(given.names or names()):
        record = record_of(name)
        left_out = lacking(record)
        if left_out:
            print(f"{name}: left out, without {', '.join(left_out)}", flush=True)
            continue
        if given.check and (record.minutes > 1 or number % turns != turn % turns):
            continue
        (found,) = runner.printed("records", "--one", name)
        print("\n".join(printed_rows(name, found)), flush=True)
        failed += [name] * (not all(row["holds"] for row in found["rows"]))
        if not given.check:
            kept.keep("records", name, found)
    if failed:
        sys.exit(f"not reached: {', '.join(failed)}")


if __name__ == "__main__":
    main()
