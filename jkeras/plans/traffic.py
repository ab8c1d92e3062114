"""What the devices send one another in a step, read from the text of a compiled program."""

import collections
import re
from collections.abc import Iterator, Mapping

from jkeras.core.errors import explain

# an operation of the text: its shapes, its name, whether it is the start of one
OPERATION = re.compile(r".*? = (.*?) ([a-z][\w\-]*?)(-start)?\(")
# all-reduce, ragged-all-to-all, collective-permute, ...: whatever there is of such names
COLLECTIVE = re.compile(r"(\w+-)*all-[\w\-]+|collective-[\w\-]+|reduce-scatter")
ENDS = ("-done", "-update")  # of one that was started, which has been counted
BITS = {"pred": 8, "bf16": 16, "c64": 64, "c128": 128, "token": 0}
START = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{\s*$")
CALLED = re.compile(
    r"(?:calls|to_apply|body|condition|branch_computations|called_computations)="
    r"(\{[^}]*\}|%?[\w.\-]+)"
)
CONDITION = re.compile(r"condition=%?([\w.\-]+)")
NUMBER = re.compile(r"= s32\[\]\S* constant\((\d+)\)")
# of groups of devices, their sizes: {{0,1},{2,3}}, or [groups, devices of each]<=...
LISTED = re.compile(r"replica_groups=\{\{([\d,]*)\}")
REGULAR = re.compile(r"replica_groups=\[\d+,(\d+)\]<=")
TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')


def traffic(text: str) -> dict[str, int]:
    """The bytes of the results of each kind of collective, on one device; what is in a loop counts
    as often as it runs, where the compiler knows how often.

    Args:
        text: of a compiled program, `compiled.as_text()`.

    >>> traffic('''
    ... %add (x: f32[], y: f32[]) -> f32[] {
    ... }
    ... ENTRY %main (x: f32[8]) -> f32[8] {
    ...   ROOT %sum = f32[8]{0} all-reduce(%x), to_apply=%add
    ... }''')
    {'all-reduce': 32}

    Raises:
        ValueError: the text is not one that can be read.
    """
    moved = collections.Counter()
    for kind, size, _ in _collectives(text):
        moved[kind] += size
    return dict(moved)


def over_links(text: str, devices: int) -> float:
    """The bytes that each device takes in over its links, by the algorithms for rings: of a part of
    n in a group of g, an all-gather brings (g - 1) / g of its result, a reduce-scatter g - 1 times
    it, an all-reduce both.

    Args:
        devices: that the program runs on, which are a group where it names none.

    >>> over_links('''
    ... ENTRY %main (x: f32[8]) -> f32[8] {
    ...   ROOT %sum = f32[8]{0} all-reduce(%x), replica_groups={{0,1},{2,3}}, to_apply=%add
    ... }''', 4)
    32.0
    """
    total = 0.0
    for kind, size, line in _collectives(text):
        others = _size_of_group(line, devices) - 1
        share = others / (others + 1)
        if kind == "all-reduce":
            share *= 2
        elif kind == "reduce-scatter":
            share = others
        elif kind == "collective-permute":
            share = 1
        total += share * size
    return total


def _size_of_group(line: str, devices: int) -> int:
    """How many devices a collective is among."""
    listed = LISTED.search(line)
    if listed:
        return listed[1].count(",") + 1
    regular = REGULAR.search(line)
    if regular:
        return int(regular[1])
    return devices


def _collectives(text: str) -> Iterator[tuple[str, int, str]]:
    """(kind, bytes of its results as often as it runs, its line) of each collective."""
    lines, entry = _computations(text)
    if not entry:
        raise ValueError(explain("plan", "a program as text of HLO", repr(text[:80])))
    waiting = [(entry, 1)]
    while waiting:
        name, times = waiting.pop()
        for line in lines.get(name, ()):
            found = OPERATION.match(line)
            if found and COLLECTIVE.fullmatch(found[2]) and not found[2].endswith(ENDS):
                yield found[2], times * _bytes(found[1], bool(found[3])), line
            inner = times * _trips(line, lines)
            for called in CALLED.findall(line):
                waiting += [(one, inner) for one in re.findall(r"[\w.\-]+", called)]


def _trips(line: str, lines: Mapping[str, list[str]]) -> int:
    """How often what a line calls runs: of a loop as the compiler says, or as its condition does,
    which compares a counter with one number; else 1.
    """
    if " while(" not in line:
        return 1
    told = TRIPS.search(line)
    if told:
        return int(told[1])
    condition = CONDITION.search(line)
    inside = lines.get(condition[1], []) if condition else []
    numbers = [found[1] for found in map(NUMBER.search, inside) if found]
    counts_up = any("direction=LT" in one for one in inside)
    return int(numbers[0]) if counts_up and len(numbers) == 1 else 1


def _computations(text: str) -> tuple[dict[str, list[str]], str]:
    """(the lines of each computation, the name of the first)."""
    lines, name, entry = collections.defaultdict(list), "", ""
    for line in text.splitlines():
        start = START.match(line)
        if start:
            name = start[2]
            entry = name if start[1] else entry
        else:
            lines[name].append(line)
    return lines, entry


def _bytes(shapes: str, is_start: bool) -> int:
    """The bytes of shapes such as "(f32[8,4], bf16[2])"; of one that is started, its results, which
    are the second half.
    """
    found = re.findall(r"\b([a-z]+\d*\w*)\[([\d,]*)\]", shapes)
    if is_start and len(found) > 1:
        found = [pair for pair in found if pair[0] not in ("u32", "s32")] or found
        found = found[len(found) // 2 :]
    total = 0
    for kind, sizes in found:
        count = 1
        for size in filter(None, sizes.split(",")):
            count *= int(size)
        total += count * _bits(kind)
    return total // 8


def _bits(kind: str) -> int:
    if kind in BITS:
        return BITS[kind]
    digits = re.search(r"\d+", kind)
    if digits is None:
        raise ValueError(explain("plan", "shapes of numbers in the program's text", repr(kind)))
    return int(digits[0])
