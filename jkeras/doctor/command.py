"""The command `doctor`: prints what a bug report needs, and on an accelerator what was measured."""

import argparse
import json
from collections.abc import Iterator
from typing import Any

import jax

from jkeras.core.say import console
from jkeras.doctor.machine import machine
from jkeras.saving.files import replacing

FORMAT = 1  # of the report
FINE, OFF, NOT_WRITTEN = 0, 1, 2  # exit statuses


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Gives the parser of the command its arguments."""
    parser.add_argument("--into", metavar="PATH", help="write the report there, as JSON")
    parser.add_argument(
        "--measure",
        action=argparse.BooleanOptionalAction,
        help="compute, train and measure (default: where there is an accelerator)",
    )


def doctor(options: argparse.Namespace) -> int:
    """Prints the report, and writes it; the exit status: 0 fine, 1 something is off, 2 it could not
    be written.
    """
    report: dict[str, Any] = {"format": FORMAT, "machine": machine()}
    for line in lines_of_machine(report["machine"]):
        console.say(line)
    is_off = "trouble" in report["machine"]["devices"]
    if not is_off and _measures(options.measure):
        report |= _measured()
    if options.into is not None:
        try:
            with replacing(options.into) as path, open(path, "w", encoding="utf-8") as file:
                json.dump(report, file, indent=1)
        except OSError as error:
            console.say(f"jkeras doctor: the report was not written: {error}")
            return NOT_WRITTEN
    is_off |= any(not one["is_fine"] for one in report.get("numbers", ()))
    is_off |= any("trouble" in one for one in report.get("works", ()))
    return OFF if is_off else FINE


def _measures(asked: bool | None) -> bool:
    """Whether to measure; None: where there is an accelerator."""
    return jax.default_backend() != "cpu" if asked is None else asked


def lines_of_machine(found: dict[str, Any]) -> Iterator[str]:
    """What is printed of a machine.

    >>> found = {"versions": {"jax": "0.9"}, "system": "Linux", "devices": {"platform": "cpu"},
    ...          "unused": "this machine has a TPU", "settings": {"floatx": "float32"}, "disk": 3.0}
    >>> print("\\n".join(lines_of_machine(found)))
    system    Linux, 3.0 GiB free here
    versions  jax 0.9
    devices   platform cpu
    settings  floatx float32
    note      JAX computes on the CPU, though this machine has a TPU
    """
    yield f"system    {found['system']}, {found['disk']} GiB free here"
    for name in ("versions", "devices", "settings"):
        said = (f"{key} {value}" for key, value in found[name].items() if value is not None)
        yield f"{name:9} {', '.join(said)}"
    if found["unused"]:
        yield f"note      JAX computes on the CPU, though {found['unused']}"


def _measured() -> dict[str, Any]:
    """Numbers and works, printed as they come."""
    from jkeras.doctor.numbers import as_json, numbers
    from jkeras.doctor.works import LARGE, POLICIES, SMALL, WORKS, measured

    found = [as_json(number) for number in numbers()]
    for one in found:
        console.say(line_of_number(one))
    size = SMALL if jax.default_backend() == "cpu" else LARGE
    works = []
    for name in WORKS:
        for policy in POLICIES:
            works.append(measured(name, policy, size))
            console.say(line_of_work(works[-1]))
    return {"numbers": found, "works": works}


def line_of_number(one: dict[str, Any]) -> str:
    """What is printed of an operation."""
    verdict = "fine" if one["is_fine"] else "OFF"
    said = one["trouble"] or f"off by {one['error']:.1e}, at most {one['limit']:.0e} expected"
    return f"{one['operation']:20} {one['dtype']:9} {verdict:5} {said}"


def line_of_work(one: dict[str, Any]) -> str:
    """What is printed of a work."""
    begin = f"{one['work']:20} {one['policy']:15}"
    if "trouble" in one:
        return f"{begin} OFF   {one['trouble']}"
    mfu = "unknown" if one["mfu"] is None else f"{one['mfu']:.1%}"
    kernels = ", ".join(one["kernels"]) or "none"
    return (
        f"{begin} {one['step_ms']:.4g} ms a step, MFU {mfu}, compiled in {one['compile_s']:.3g} s, "
        f"{one['planned_mib']:.4g} MiB planned, kernels: {kernels}"
    )
