"""What a compiled program reads from a device's memory and writes to it, from its text.

The compilers' own account, `cost_analysis`, has what is in a loop once however often it runs,
counts what lies in a core's own memory with the rest, and is silent for GPUs.
"""

import functools
from collections.abc import Collection
from typing import NamedTuple

from jkeras.plans.hlo import (
    ENDS,
    PART,
    PART_BEGINS,
    PART_ENDS,
    Array,
    Instruction,
    Program,
    arrays,
    read,
)

# They move nothing.
FREE = (
    "parameter",
    "constant",
    "tuple",
    "get-tuple-element",
    "bitcast",
    "after-all",
    "add-dependency",
    "opt-barrier",
    "partition-id",
    "replica-id",
)
# Custom calls that give room or a view, or say something to the compiler.
VIEWS = ("AllocateBuffer", "ConcatBitcast", "AssumeGatherIndicesInBound", "Sharding")
RUNS = {"while": sum, "call": sum, "conditional": max}  # what they call moves
FUSED = ("fusion", "async-start")  # what they call is one with them
PARTS = ("dynamic-slice", "slice", "gather")  # what reads a part of its first operand
IN_PLACE = {"dynamic-update-slice": 1, "scatter": 2}  # which operand has what is written
MAIN = (0,)


def bytes_accessed(text: str, spaces: Collection[int] = MAIN) -> int:
    """The bytes that a device reads and writes in one run of a program; what is in a loop counts
    as often as it runs, where the compiler knows how often, and of branches the largest counts.

    A fusion reads its operands and writes its results once; of an array from which it takes a
    slice it reads the slice, and of one that it updates in place it writes what is new.

    Args:
        text: of a compiled program, `compiled.as_text()`.
        spaces: of memory that count; the default is the device's main memory, without what lies in
            the own memory of a core or on the host.

    >>> bytes_accessed('''
    ... ENTRY %main (x: f32[8]) -> f32[8] {
    ...   %x = f32[8]{0} parameter(0)
    ...   ROOT %y = f32[8]{0} negate(%x)
    ... }''')
    64

    Raises:
        ValueError: the text is not one that can be read.
    """
    program = read(text)
    return _Account(program, spaces).of(program.entry)


class _Use(NamedTuple):
    """That an instruction takes a value, as which of its operands."""

    by: Instruction
    position: int


class _Inside:
    """A computation: its instructions by name, its last one, and who uses what."""

    def __init__(self, instructions: list[Instruction]) -> None:
        self.instructions = instructions
        self.named = {each.name: each for each in instructions}
        self.parameters, self.uses = {}, {}
        for each in instructions:
            if each.kind == "parameter":
                self.parameters[int(each.operands[0])] = each.name
                continue
            for i, name in enumerate(each.operands):
                self.uses.setdefault(name, []).append(_Use(each, i))
        # what a collective beside fusions moves counts where it begins; the others hand it on
        lines = [each.line for each in instructions]
        self.begins_collective = any(PART_BEGINS in line for line in lines)
        has_part = any(PART in line for line in lines)
        self.is_beside_collective = has_part and not self.begins_collective

    def hands_on(self, each: Instruction) -> bool:
        """Whether an instruction of a fusion beside a collective moves nothing for it."""
        if not self.is_beside_collective:
            return False
        if each.kind in ("parameter", "tuple"):
            return True
        return PART in each.line or PART_ENDS in each.line

    @property
    def results(self) -> list[Instruction]:
        """What computes each of the results."""
        root = next(each for each in self.instructions if each.is_root)
        given = [root]
        if root.kind == "tuple":
            given = [self.named[name] for name in root.operands]
        return [self.behind_views(each) for each in given]

    def behind_views(self, instruction: Instruction) -> Instruction:
        while instruction.kind == "bitcast":
            instruction = self.named[instruction.operands[0]]
        return instruction

    def size(self, name: str) -> int:
        """The bytes of a value, wherever it is."""
        return _size(arrays(self.named[name].shapes))


class _Account:
    """The bytes that computations of a program move in some spaces of memory."""

    def __init__(self, program: Program, spaces: Collection[int]) -> None:
        self.program, self.spaces = program, spaces
        self.inside = functools.cache(self._inside)
        self.of = functools.cache(self._of)

    def _inside(self, name: str) -> _Inside:
        return _Inside(self.program.computations.get(name, []))

    def _of(self, name: str) -> int:
        """What one run of a computation moves."""
        inside = self.inside(name)
        return sum(self._moved(each, inside) for each in inside.instructions)

    def _moved(self, each: Instruction, inside: _Inside) -> int:
        if each.kind in RUNS:
            moved = [self.of(name) for name in each.called]
            return self.program.trips(each) * RUNS[each.kind]([0, *moved])
        if _is_free(each):
            return 0
        reads = [self._read(each, i, inside) for i in _first_positions(each.operands)]
        return sum(reads) + self._written(each, inside)

    def _here(self, found: list[Array]) -> int:
        """The bytes of those arrays that are in the spaces that count."""
        return _size([one for one in found if one.space in self.spaces])

    def _read(self, each: Instruction, position: int, inside: _Inside) -> int:
        """What an instruction reads of an operand."""
        name = each.operands[position]
        size = self._here(arrays(inside.named[name].shapes))
        return min(size, self._taken(each, position, inside))

    def _taken(self, each: Instruction, position: int, inside: _Inside) -> int:
        """What an instruction takes of an operand, wherever that is."""
        kind = each.kind.removesuffix("-start")
        if each.kind in FUSED:
            called = self.inside(each.called[0])
            return self._taken_of(called.parameters[position], called)
        if position == 0 and kind in PARTS:
            return _size(each.results)
        if position == 0 and kind == "scatter":
            return inside.size(each.operands[IN_PLACE[kind]])
        if position == 0 and kind in IN_PLACE:
            return 0
        return inside.size(each.operands[position])

    def _taken_of(self, name: str, inside: _Inside) -> int:
        """What all uses of a parameter take, which read it once."""
        total = 0
        for use in inside.uses.get(name, []):
            if inside.hands_on(use.by):
                continue
            if use.by.kind == "bitcast":
                total += self._taken_of(use.by.name, inside)
            else:
                total += self._taken(use.by, use.position, inside)
        return min(total, inside.size(name))

    def _written(self, each: Instruction, inside: _Inside) -> int:
        """What an instruction writes."""
        if each.kind in FUSED:
            called = self.inside(each.called[0])
            if called.begins_collective:  # its results are behind what it was given
                count = len(each.operands)
                return self._here(each.results[count : 2 * count])
            pairs = zip(each.results, called.results)
            return sum(self._put(one, called) for array, one in pairs if self._here([array]))
        here = self._here(each.results)
        if each.kind in IN_PLACE:
            return min(here, inside.size(each.operands[IN_PLACE[each.kind]]))
        return here

    def _put(self, each: Instruction, inside: _Inside) -> int:
        """What is new in the results of an instruction of a fusion."""
        if inside.hands_on(each):
            return 0
        if each.kind == "fusion":
            called = self.inside(each.called[0])
            return sum(self._put(one, called) for one in called.results)
        if each.kind in IN_PLACE and self._is_given(each.operands[0], inside):
            return inside.size(each.operands[IN_PLACE[each.kind]])
        return _size(each.results)

    def _is_given(self, name: str, inside: _Inside) -> bool:
        """Whether a value lay in memory before the fusion."""
        kind = inside.behind_views(inside.named[name]).kind
        return kind in ("parameter", "get-tuple-element")


def _is_free(each: Instruction) -> bool:
    if each.kind in FREE or each.kind.endswith(ENDS):
        return True
    return any(f'custom_call_target="{name}"' in each.line for name in VIEWS)


def _first_positions(operands: tuple[str, ...]) -> list[int]:
    """Where each operand comes first: it is read once."""
    return [operands.index(name) for name in dict.fromkeys(operands)]


def _size(found: list[Array]) -> int:
    return sum(one.stored for one in found)
