"""The text of a compiled program: its computations, their instructions, how often a loop runs."""

import collections
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from jkeras.core.errors import explain

BITS = {"pred": 8, "bf16": 16, "c64": 64, "c128": 128, "token": 0, "opaque": 0}
START = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{\s*$")
# an instruction of the text: whether it is the last, its name, its shapes, its kind
INSTRUCTION = re.compile(r"\s*(ROOT )?%?([\w.\-]+) = (.*?) ([a-z][\w\-]*?)\(")
ARRAY = re.compile(r"\b([a-z]+\d*\w*)\[([\d,]*)\](?:\{([^}]*)\})?")
TILE = re.compile(r"T\(([\d,]+)\)")
SPACE = re.compile(r"S\((\d+)\)")
CALLED = re.compile(
    r"(?:calls|to_apply|body|condition|branch_computations|called_computations)="
    r"(\{[^}]*\}|%?[\w.\-]+)"
)
CONDITION = re.compile(r"condition=%?([\w.\-]+)")
TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')

ENDS = ("-done", "-update")  # of one that was started, which has been counted
LIBRARIES = 'custom_call_target="__cu'  # of NVIDIA
SCRATCH = ("s8", "u8")  # theirs, behind the results
# A collective that the compiler of TPUs lets run beside fusions is a part of each of them, from the
# one in which it begins to the one in which it ends.
PART, PART_BEGINS, PART_ENDS = 'chain_id="', '"AsyncCollectiveStart"', '"AsyncCollectiveDone"'


class Array(NamedTuple):
    """An array of the text.

    Attributes:
        kind: of its numbers, "bf16".
        bytes: how many it has.
        stored: how many it takes in memory, where its layout fills up tiles.
        space: of memory, where the text says one; 0 is the device's main memory.
    """

    kind: str
    bytes: int
    stored: int
    space: int


class Instruction(NamedTuple):
    """One line of a computation.

    Attributes:
        name: what others call its results.
        kind: "fusion", "all-reduce-start".
        shapes: of its results, as text; `arrays` reads them.
        operands: the names of what it is given.
        line: the whole.
        is_root: whether its results are those of the computation.
    """

    name: str
    kind: str
    shapes: str
    operands: tuple[str, ...]
    line: str
    is_root: bool

    @property
    def results(self) -> list["Array"]:
        """The arrays that it gives; of one that is started, without the operands and what it keeps
        for itself, which are among them.
        """
        found, count = arrays(self.shapes), len(self.operands)
        if self.kind == "copy-start":
            return found[:1]
        if self.kind.endswith("-start") and len(found) > count:
            return found[count : 2 * count]
        if LIBRARIES in self.line and len(found) > 1 and found[-1].kind in SCRATCH:
            return found[:-1]
        return found

    @property
    def called(self) -> list[str]:
        """The computations that it runs."""
        texts = CALLED.findall(self.line)
        return [name for text in texts for name in re.findall(r"[\w.\-]+", text)]


class Program(NamedTuple):
    """The computations of a compiled program by name, and the name of the one that is run."""

    computations: dict[str, list[Instruction]]
    entry: str

    def trips(self, instruction: Instruction) -> int:
        """How often what an instruction calls runs: of a loop as the compiler says, or as its
        condition does, which compares a counter with one number; else 1.
        """
        if instruction.kind != "while":
            return 1
        told = TRIPS.search(instruction.line)
        if told:
            return int(told[1])
        condition = CONDITION.search(instruction.line)
        inside = self.computations.get(condition[1], []) if condition else []
        numbers = [each.operands[0] for each in inside if _is_number(each)]
        counts_up = any("direction=LT" in each.line for each in inside)
        return int(numbers[0]) if counts_up and len(numbers) == 1 else 1

    def walk(self, skipped: tuple[str, ...] = ()) -> Iterator[tuple[Instruction, int]]:
        """Each instruction, and how often it runs.

        Args:
            skipped: kinds of instructions into which it does not go.
        """
        waiting = [(self.entry, 1)]
        while waiting:
            name, times = waiting.pop()
            for each in self.computations.get(name, ()):
                yield each, times
                if each.kind not in skipped:
                    inner = times * self.trips(each)
                    waiting += [(called, inner) for called in each.called]


def read(text: str) -> Program:
    """The program of a text, `compiled.as_text()`.

    >>> program = read('''
    ... ENTRY %main (x: f32[8]) -> f32[8] {
    ...   ROOT %sum = f32[8]{0} add(%x, %x)
    ... }''')
    >>> [each.kind for each in program.computations["main"]]
    ['add']

    Raises:
        ValueError: the text is not one that can be read.
    """
    computations, name, entry = collections.defaultdict(list), "", ""
    for line in text.splitlines():
        start = START.match(line)
        if start:
            name = start[2]
            entry = name if start[1] else entry
        elif found := INSTRUCTION.match(line):
            is_root, own, shapes, kind = found.groups()
            operands = tuple(_operands(kind, line[found.end() :]))
            one = Instruction(own, kind, shapes, operands, line, bool(is_root))
            computations[name].append(one)
    if not entry:
        raise ValueError(explain("plan", "a program as text of HLO", repr(text[:80])))
    return Program(dict(computations), entry)


def arrays(shapes: str) -> list[Array]:
    """The arrays of shapes such as "(f32[8,4]{1,0:S(1)}, bf16[2])".

    >>> arrays("f32[8,4]{1,0:T(8,128)S(1)}")
    [Array(kind='f32', bytes=128, stored=4096, space=1)]

    Raises:
        ValueError: a kind of numbers is not known.
    """
    found = []
    for kind, sizes, layout in ARRAY.findall(shapes):
        bits, shape = _bits(kind), [int(size) for size in sizes.split(",") if size]
        space = SPACE.search(layout)
        counts = [bits * math.prod(each) // 8 for each in (shape, _filled_up(shape, layout))]
        found.append(Array(kind, *counts, int(space[1]) if space else 0))
    return found


def _filled_up(shape: list[int], layout: str) -> list[int]:
    """The sizes of a shape from the last to the first in memory, in whole tiles."""
    order, _, more = layout.partition(":")
    sizes = [shape[int(axis)] for axis in order.split(",") if axis]
    tile = TILE.search(more)
    if tile is None or not sizes:
        return shape
    lengths = [int(length) for length in tile[1].split(",")][::-1]
    for i, length in enumerate(lengths[: len(sizes)]):
        sizes[i] = -(-sizes[i] // length) * length
    return sizes


def _operands(kind: str, rest: str) -> list[str]:
    """The names of operands, from the text behind their bracket; the number of a parameter or of a
    constant.
    """
    if kind in ("parameter", "constant"):
        return [rest.partition(")")[0]]
    depth, end = 1, 0
    for bracket in re.finditer(r"[()]", rest):
        depth += 1 if bracket[0] == "(" else -1
        end = bracket.start()
        if depth == 0:
            break
    return re.findall(r"%([\w.\-]+)", rest[:end])


def _is_number(instruction: Instruction) -> bool:
    is_whole = instruction.shapes.startswith("s32[]")
    return is_whole and instruction.kind == "constant" and instruction.operands[0].isdigit()


def _bits(kind: str) -> int:
    if kind in BITS:
        return BITS[kind]
    digits = re.search(r"\d+", kind)
    if digits is None:
        raise ValueError(explain("plan", "shapes of numbers in the program's text", repr(kind)))
    return int(digits[0])
