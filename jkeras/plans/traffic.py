"""What the devices send one another in a step, read from the text of a compiled program."""

import collections
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from jkeras.plans.hlo import ENDS, PART, PART_BEGINS, Program, read

# all-reduce, ragged-all-to-all, collective-permute, ...: whatever there is of such names
COLLECTIVE = re.compile(r"(\w+-)*all-[\w\-]+|collective-[\w\-]+|reduce-scatter")
# of groups of devices, their sizes: {{0,1},{2,3}}, or [groups, devices of each]<=..., or the axes
# of a mesh along which a group lies, mesh['a'=4,'b'=2] {'b'}, or of parts: {'a':(1)2}
LISTED = re.compile(r"replica_groups=\{\{([\d,]*)\}")
REGULAR = re.compile(r"replica_groups=\[\d+,(\d+)\]<=")
OF_MESH = re.compile(r"replica_groups=mesh\[([^\]]*)\] \{([^}]*)\}")
AXIS = re.compile(r"'([^']*)'=(\d+)")
ALONG = re.compile(r"'([^']*)'(?::\(\d+\)(\d+))?")


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
    for each in collectives(text):
        moved[each.kind] += each.times * each.bytes
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
    for each in collectives(text):
        others = _size_of_group(each.line, devices) - 1
        share = others / (others + 1)
        if each.kind == "all-reduce":
            share *= 2
        elif each.kind == "reduce-scatter":
            share = others
        elif each.kind == "collective-permute":
            share = 1
        total += share * each.times * each.bytes
    return total


def _size_of_group(line: str, devices: int) -> int:
    """How many devices a collective is among."""
    listed = LISTED.search(line)
    if listed:
        return listed[1].count(",") + 1
    regular = REGULAR.search(line)
    if regular:
        return int(regular[1])
    of_mesh = OF_MESH.search(line)
    if of_mesh:
        sizes = dict(AXIS.findall(of_mesh[1]))
        along = ALONG.findall(of_mesh[2])
        return math.prod(int(part or sizes[axis]) for axis, part in along)
    return devices


class Collective(NamedTuple):
    """An instruction by which devices send one another something.

    Attributes:
        kind: "all-gather", also where it is started here and done later.
        bytes: of its results, on one device.
        times: how often it runs.
        line: the whole.
    """

    kind: str
    bytes: int
    times: int
    line: str


def collectives(text: str) -> Iterator[Collective]:
    """The collectives of a compiled program; one that runs beside several fusions comes once.

    Args:
        text: of a compiled program, `compiled.as_text()`.
    """
    program = read(text)
    begin = _beginning(program)
    for each, times in program.walk():
        kind = each.kind.removesuffix("-start")
        if not COLLECTIVE.fullmatch(kind) or kind.endswith(ENDS):
            continue
        if PART in each.line and each.line not in begin:
            continue
        size = sum(one.bytes for one in each.results)
        yield Collective(kind, size, times, each.line)


def _beginning(program: Program) -> set[str]:
    """The lines of fusions in which collectives begin that run beside others."""
    found = set()
    for instructions in program.computations.values():
        lines = [each.line for each in instructions]
        if any(PART_BEGINS in line for line in lines):
            found.update(lines)
    return found
