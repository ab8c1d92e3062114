"""What the devices send one another in a step, read from the text of a compiled program."""

import collections
import re
from collections.abc import Iterator

from jkeras.plans.hlo import ENDS, read

# all-reduce, ragged-all-to-all, collective-permute, ...: whatever there is of such names
COLLECTIVE = re.compile(r"(\w+-)*all-[\w\-]+|collective-[\w\-]+|reduce-scatter")
# of groups of devices, their sizes: {{0,1},{2,3}}, or [groups, devices of each]<=...
LISTED = re.compile(r"replica_groups=\{\{([\d,]*)\}")
REGULAR = re.compile(r"replica_groups=\[\d+,(\d+)\]<=")


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
    for each, times in read(text).walk():
        kind = each.kind.removesuffix("-start")
        if COLLECTIVE.fullmatch(kind) and not kind.endswith(ENDS):
            yield kind, times * sum(one.bytes for one in each.results), each.line
