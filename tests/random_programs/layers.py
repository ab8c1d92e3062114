"""Draws the layers of a random program: from inputs of some kind to outputs of one."""

from typing import Any

import numpy as np

from tests.random_programs.program import Call
from tests.random_programs.tables import (
    ANY_RANK,
    ATTENTIONS,
    BY_RANK,
    HEADS,
    LISTED_ATTENTIONS,
    MERGES,
    OF_TOKENS,
    UNITS,
    Choice,
)

SHAPES = [(4,), (6,), (5, 4), (6, 3), (7, 1), (6, 5, 2), (7, 7, 1), (3, 4, 4, 2)]
LARGEST = 400  # elements of an example
MAY = 0.25  # how often an argument is given that may be


def picked(rng: np.random.Generator, options: list) -> Any:
    """One of them, as it is."""
    return options[rng.integers(len(options))]


def layer(rng: np.random.Generator, choice: Choice) -> Call:
    """A layer with arguments."""
    given = {name: picked(rng, options) for name, options in choice.needs.items()}
    for name, options in choice.may.items():
        if rng.random() < MAY:
            given[name] = picked(rng, options)
    return Call(choice.name, given)


def network(drawing) -> list[str]:
    """Draws inputs and layers; gives the names of the outputs."""
    rng = drawing.rng
    begins = [begin(drawing) for _ in range(picked(rng, [1, 1, 1, 2]))]
    alive = list(begins)
    for _ in range(rng.integers(1, 6)):
        grow(drawing, alive)
    outputs = alive[-1:] if rng.random() < 0.8 else alive[-2:]
    lonely = [name for name in begins if not uses(drawing, name, outputs)]
    outputs += lonely  # an input that leads nowhere would be refused
    return list(dict.fromkeys(head(drawing, name) for name in outputs))


def uses(drawing, wanted: str, outputs: list[str]) -> bool:
    """Whether outputs depend on a node."""
    takes = {node.name: node.on for node in drawing.nodes}
    todo = list(outputs)
    while todo:
        name = todo.pop()
        if name == wanted:
            return True
        todo += takes.get(name, [])
    return False


def begin(drawing) -> str:
    """An input, and where it is one of tokens what makes numbers of it."""
    rng = drawing.rng
    if rng.random() < 0.25:
        name = drawing.add_input((picked(rng, [4, 6]),), "int32")
        while drawing.is_int(name):
            name = drawing.add(layer(rng, picked(rng, OF_TOKENS)), [name]) or name
        return name
    return drawing.add_input(picked(rng, SHAPES), "float32")


def grow(drawing, alive: list[str]) -> None:
    """A layer more, on what is there."""
    for _ in range(8):  # tries
        name = drawn(drawing, alive)
        if name is None:
            continue
        shape = drawing.shape(name)
        if None not in shape and np.prod(shape) <= LARGEST:
            alive.append(name)
            return
        drawing.nodes.pop()


def drawn(drawing, alive: list[str]) -> str | None:
    """One of the kinds of nodes."""
    rng = drawing.rng
    last = alive[-1] if rng.random() < 0.7 else picked(rng, alive)
    rank = len(drawing.shape(last)) + 1
    kind = rng.random()
    if kind < 0.12 and len(alive) > 1:
        others = [last, picked(rng, alive)]
        return drawing.add(layer(rng, picked(rng, MERGES)), others, listed=True)
    if kind < 0.2 and rank == 3:
        return attention(drawing, last, alive)
    if kind < 0.25:
        shared = [node.name for node in drawing.nodes if not node.listed and len(node.on) == 1]
        return drawing.add(picked(rng, shared), [last]) if shared else None
    of_rank = BY_RANK.get(rank, [])
    options = ANY_RANK if kind > 0.6 or not of_rank else of_rank
    return drawing.add(layer(rng, picked(rng, options)), [last])


def attention(drawing, last: str, alive: list[str]) -> str | None:
    """A layer of attention, from one to another or to itself."""
    rng = drawing.rng
    others = [name for name in alive if len(drawing.shape(name)) == 2]
    other = picked(rng, others) if rng.random() < 0.5 else last
    more = {"use_causal_mask": True} if rng.random() < 0.3 else {}
    if rng.random() < 0.6:
        return drawing.add(layer(rng, picked(rng, ATTENTIONS)), [last, other], **more)
    return drawing.add(layer(rng, picked(rng, LISTED_ATTENTIONS)), [last, other], True, **more)


def head(drawing, name: str) -> str:
    """What ends in numbers that a loss takes: a Dense layer, or as it is."""
    rng = drawing.rng
    if rng.random() < 0.15 and name not in drawing.inputs and not drawing.is_int(name):
        return name
    given = {"units": picked(rng, UNITS)}
    activation = picked(rng, HEADS)
    if activation:
        given["activation"] = activation
    return drawing.add(Call("layers.Dense", given), [name])
