"""Blocks: which blocks of a cache are free, whose they are, and what is in them, on the host."""

import collections
import hashlib
from collections.abc import Iterator, Sequence

import numpy as np


class Blocks:
    """The blocks of a paged cache. One that holds the beginning of a text is found by its tokens
    and all before them, and has as many owners as texts that begin so; without an owner it is kept
    until there is need of it, the longest unused one first.

    Args:
        count: how many there are.
        size: positions of a block.
        shares: whether beginnings are found.

    >>> blocks = Blocks(4, 2)
    >>> mine = blocks.take(2)
    >>> blocks.name(mine, [5, 6, 7, 8])
    >>> blocks.find([5, 6, 7, 9]) == mine[:1], blocks.used
    (True, 2)
    """

    def __init__(self, count: int, size: int, shares: bool = True) -> None:
        self.count, self.size, self.shares = count, size, shares
        self._free = list(range(count - 1, -1, -1))
        self._owners = np.zeros(count, int)
        self._idle: collections.OrderedDict[int, None] = collections.OrderedDict()
        self._named: dict[bytes, int] = {}
        self._names: dict[int, bytes] = {}

    @property
    def used(self) -> int:
        """How many have an owner."""
        return self.count - self.available

    @property
    def available(self) -> int:
        """How many can be taken."""
        return len(self._free) + len(self._idle)

    def room_beside(self, blocks: Sequence[int]) -> int:
        """How many could be taken after these were shared."""
        return self.available - sum(block in self._idle for block in blocks)

    def find(self, tokens: Sequence[int]) -> list[int]:
        """The blocks that hold the beginning of a text, as far as whole blocks go."""
        found: list[int] = []
        for digest in self._digests(tokens):
            if digest not in self._named:
                break
            found.append(self._named[digest])
        return found

    def share(self, blocks: Sequence[int]) -> None:
        """One owner more of each."""
        for block in blocks:
            self._idle.pop(block, None)
            self._owners[block] += 1

    def take(self, count: int) -> list[int] | None:
        """So many blocks with one owner; None: there are not as many."""
        if count > self.available:
            return None
        taken = []
        for _ in range(count):
            if self._free:
                block = self._free.pop()
            else:
                block, _ = self._idle.popitem(last=False)
                del self._named[self._names.pop(block)]
            self._owners[block] = 1
            taken.append(block)
        return taken

    def release(self, blocks: Sequence[int]) -> None:
        """One owner less of each. The last ones of a text come free before the first ones."""
        for block in reversed(blocks):
            self._owners[block] -= 1
            if self._owners[block]:
                continue
            if block in self._names:
                self._idle[block] = None
            else:
                self._free.append(block)

    def name(self, blocks: Sequence[int], tokens: Sequence[int]) -> None:
        """Lets the whole blocks of a text be found; where another one holds the same, that is."""
        for block, digest in zip(blocks, self._digests(tokens)):
            if digest not in self._named and block not in self._names:
                self._named[digest], self._names[block] = block, digest

    def _digests(self, tokens: Sequence[int]) -> Iterator[bytes]:
        """Of each whole block with all before it."""
        if not self.shares:
            return
        content = np.asarray(tokens, "int64")
        digest = b""
        for begin in range(0, len(content) - self.size + 1, self.size):
            block = content[begin : begin + self.size].tobytes()
            digest = hashlib.sha256(digest + block).digest()
            yield digest
