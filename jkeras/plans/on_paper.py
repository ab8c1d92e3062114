"""A step on chips whose compiler runs only where such a chip is: by the roofline alone."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from jkeras.distribution.chips import CHIPS, Chip
from jkeras.plans.plan import Memory, Roofline

# kind in a name: the bytes of its memory, as `rocm-smi` says
MEMORY = {"mi300x": 205_822_885_888}
NAME = re.compile(rf"({'|'.join(MEMORY)}):([1-9]\d*)")


class OnPaper(NamedTuple):
    """Chips for which nothing can be compiled here.

    Attributes:
        chip: what one can do at most.
        count: how many.
        available: bytes of the memory of each.
        has_parts: whether weights and optimizer are cut over all, as by `FSDP`; else each has all.
    """

    chip: Chip
    count: int
    available: int
    has_parts: bool = False

    def bytes_of(self, tree: Any) -> int:
        """What values take on each."""
        sizes = (int(np.prod(v.shape)) * v.dtype.itemsize for v in jax.tree_util.tree_leaves(tree))
        if self.has_parts:
            return -(-sum(sizes) // self.count)
        return sum(sizes)

    def roofline(
        self, work: tuple[Mapping[str, int], Mapping[str, int]], accessed: int, learned: Any
    ) -> Roofline:
        """What a step takes at least.

        Args:
            work: operations by dtype, those that are done and those that the model needs.
            accessed: bytes that each reads and writes.
            learned: what has gradients.
        """
        done, of_model = (self.chip.seconds(each) / self.count for each in work)
        # the sum of gradients takes two rounds; parts of weights are gathered twice, and
        # those of gradients added up
        rounds = 3 if self.has_parts else 2
        size = self._replace(has_parts=False).bytes_of(learned)
        received = rounds * size * (self.count - 1) / self.count
        return Roofline(done, accessed / self.chip.bandwidth, received / self.chip.link, of_model)

    def __str__(self) -> str:
        return f"{self.count} of {self.chip.kind}, by the roofline alone: nothing was compiled"


def on_paper(topology: Any) -> OnPaper | None:
    """The chips of a name, where their compiler runs on no other machine; None: it does, or the
    name is no such.

    >>> on_paper("mi300x:8").count, on_paper("h100:8")
    (8, None)
    """
    if isinstance(topology, OnPaper):
        return topology
    match = NAME.fullmatch(str(topology).lower())
    if match is None:
        return None
    (chip,) = (chip for chip in CHIPS if chip.name == match[1])
    return OnPaper(chip, int(match[2]), MEMORY[chip.name])


def least_memory(paper: OnPaper, state: Any, batch: Any) -> Memory:
    """What a step takes at least: activations are not known."""
    return Memory(
        parameters=paper.bytes_of((state.params, state.frozen)),
        optimizer=paper.bytes_of(state.opt_state),
        state=paper.bytes_of((state.state, state.metrics)),
        batch=paper._replace(has_parts=True).bytes_of(batch),
        temporary=0,
        results=0,
        code=0,
        host=0,
    )
