"""What a trace of JAX's profiler says of layers: which operations of which layer took longest."""

import collections
import glob
import gzip
import json
import os
import re
from collections.abc import Iterator, Mapping, Set
from typing import Any, NamedTuple

import jax.extend

AROUND = ("while", "conditional", "call")  # operations whose time is that of others in them
CALLS = {"closed_call", "body", "cond", "while", "checkpoint", "rematted_computation", "branch"}
INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%?([\w.\-]+) = ", re.M)
NAMED = re.compile(INSTRUCTION.pattern + r'.*op_name="((?:[^"\\]|\\.)*)"', re.M)
PART = re.compile(r"((?:[^/()]|\((?:[^()]|\([^()]*\))*\))+)")


class Operation(NamedTuple):
    """The time of an operation of a layer.

    Attributes:
        layer: the names of the layers around it, "net/dense"; "": it is in none.
        name: of the operation.
        is_gradient: whether it is one of the gradient.
        seconds: on all devices, or threads of a CPU, together.
        share: of the time of all operations.
        calls: how often it ran.
    """

    layer: str
    name: str
    is_gradient: bool
    seconds: float
    share: float
    calls: int


def largest_operations(folder: str | os.PathLike, count: int = 10) -> list[Operation]:
    """The operations in the newest trace in a folder that took longest, longest first.

    Args:
        folder: as `ProfilerTrace` was given it.
        count: how many.

    Raises:
        FileNotFoundError: there is no trace.

    On a CPU the trace does not say which layer an operation is of; it is asked of the programs that
    this process still holds.
    """
    times: dict[tuple, list[float]] = collections.defaultdict(lambda: [0.0, 0])
    for path, seconds in _named(_events(folder)):
        entry = times[split(path)]
        entry[0] += seconds
        entry[1] += 1
    total = sum(seconds for seconds, _ in times.values()) or 1.0
    found = [
        Operation(*key, seconds, seconds / total, calls) for key, (seconds, calls) in times.items()
    ]
    return sorted(found, key=lambda one: one.seconds, reverse=True)[:count]


def as_text(operations: list[Operation]) -> str:
    """A table of operations.

    >>> print(as_text([Operation("net/up", "dot_general", True, 0.5, 0.25, 8)]))
    25.0 %  500 ms  8 times  net/up: dot_general (gradient)
    """
    lines = []
    for one in operations:
        gradient = " (gradient)" if one.is_gradient else ""
        times = f"{100 * one.share:.1f} %  {1000 * one.seconds:.4g} ms  {one.calls} times"
        lines.append(f"{times}  {one.layer or 'no layer'}: {one.name}{gradient}")
    return "\n".join(lines)


def split(path: str) -> tuple[str, str, bool]:
    """(layers, operation, whether it is of the gradient) of an operation's name in a program.

    >>> split("jit(train_many)/while/body/transpose(jvp(net))/up/dot_general")
    ('net/up', 'dot_general', True)
    >>> split("jit(train_many)/mul")
    ('', 'mul', False)
    """
    *parts, name = PART.findall(path.rstrip(":")) or [path]
    layers = []
    for part in parts:
        if part in CALLS or part.startswith("jit("):
            continue
        inner = part.rpartition("(")[2].rstrip(")")
        layers += [inner] if inner else []
    return "/".join(layers), name, "transpose(" in path


# ---------------------------------------------------------------- the file


def _events(folder: str | os.PathLike) -> Iterator[tuple[str, Mapping[str, Any], float]]:
    """(name, arguments, seconds) of the operations of the newest trace."""
    pattern = os.path.join(glob.escape(os.fsdecode(folder)), "**", "*.trace.json.gz")
    files = glob.glob(pattern, recursive=True)
    if not files:
        raise FileNotFoundError(f"{os.fsdecode(folder)} has no trace: no `*.trace.json.gz` in it.")
    with gzip.open(max(files, key=os.path.getmtime)) as file:
        events = json.load(file).get("traceEvents", ())
    for event in events:
        given = event.get("args") or {}
        is_operation = not given.keys().isdisjoint(("hlo_op", "tf_op"))
        if event.get("ph") == "X" and is_operation:
            yield event["name"], given, event.get("dur", 0) / 1e6


def _named(
    events: Iterator[tuple[str, Mapping[str, Any], float]],
) -> Iterator[tuple[str, float]]:
    """(name in the program, seconds) of operations; of those of which it is not known, the name
    that the compiler gave.
    """
    unnamed: dict[str, list[tuple[str, float]]] = collections.defaultdict(list)
    for name, given, seconds in events:
        if name.partition(".")[0] in AROUND:
            continue
        if "tf_op" in given:
            yield given["tf_op"], seconds
        else:
            unnamed[given.get("hlo_module", "")].append((given["hlo_op"], seconds))
    for module, operations in unnamed.items():
        names = _names_in(module, {operation for operation, _ in operations})
        for operation, seconds in operations:
            yield names.get(operation, operation), seconds


def _names_in(module: str, operations: Set[str]) -> dict[str, str]:
    """{instruction: its name in the program} of the programs of a name that this process holds and
    that have some operations; what two of them call alike and is not the same is left out.
    """
    names: dict[str, str] = {}
    ambiguous = set()
    for executable in jax.extend.backend.get_backend().live_executables():
        for one in executable.hlo_modules():
            if one.name != module:
                continue
            text = one.to_string()
            if not operations <= set(INSTRUCTION.findall(text)):
                continue  # of another model
            for instruction, path in NAMED.findall(text):
                if names.setdefault(instruction, path) != path:
                    ambiguous.add(instruction)
    return {name: path for name, path in names.items() if name not in ambiguous}
