"""Takes parts of a program away as long as what it makes still differs."""

from collections.abc import Iterator

from tests.random_programs.compare import Difference, difference
from tests.random_programs.program import Call, Node, Program

MOST = 40  # programs that are tried


def shrunk(program: Program, found: Difference) -> Program:
    """A smaller program with a difference of the same kind."""
    tried, smaller, section = 0, True, program.sections()[found.section]
    program = program.copy()
    del program.steps[max(found.section - 1, 0) :]
    while smaller:
        smaller = False
        for candidate in fewer(program):
            tried += 1
            if tried > MOST:
                return program
            again = difference(candidate)
            if (
                again
                and again.what == found.what
                and candidate.sections()[again.section] == section
            ):
                program, smaller = candidate, True
                break
    return program


def fewer(program: Program) -> Iterator[Program]:
    """Programs with one part less."""
    if program.before:
        candidate = program.copy()
        candidate.before = []
        yield candidate
    for place in reversed(range(len(program.steps) - 1)):
        candidate = program.copy()
        del candidate.steps[place]
        yield candidate
    for place in range(len(program.nodes)):
        yield without(program, place)
    for place, node in enumerate(program.nodes):
        if isinstance(node.layer, Call):
            for name in node.layer.given:
                candidate = program.copy()
                del candidate.nodes[place].layer.given[name]
                yield candidate


def without(program: Program, place: int) -> Program:
    """The program without a node: what took it takes what it took."""
    candidate = program.copy()
    gone: Node = candidate.nodes.pop(place)
    into = gone.on[0]
    for node in candidate.nodes:
        node.on = [into if name == gone.name else name for name in node.on]
        if node.layer == gone.name:
            node.layer = gone.layer
    candidate.outputs = [into if name == gone.name else name for name in candidate.outputs]
    return candidate
