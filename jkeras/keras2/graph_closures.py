"""Functions of a program that use tensors of its graph which they were not given, as the loss of a
variational autoencoder does: Keras 3 runs none of them.
"""

import ast
from collections.abc import Iterator
from typing import NamedTuple

TAKES = ("compile", "Lambda")  # what is handed functions that run on arrays


class Use(NamedTuple):
    """A tensor that a function uses.

    Attributes:
        node: where.
        name: of the tensor.
        function: its name.
    """

    node: ast.Name
    name: str
    function: str


def uses_of_tensors(tree: ast.Module) -> list[Use]:
    """The tensors of a graph that losses, metrics and functions in a `Lambda` use, in order.

    >>> program = '''
    ... y = Dense(3)(Input((2,)))
    ... def loss(a, b):
    ...     return a - y
    ... Model(x, y).compile("sgd", loss=loss)
    ... '''
    >>> [(use.name, use.function, use.node.lineno) for use in uses_of_tensors(ast.parse(program))]
    [('y', 'loss', 4)]
    """
    tensors = set(_tensors(tree))
    handed_on = set(_handed_on(tree))
    return [
        Use(node, node.id, function.name)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef) and function.name in handed_on
        for node in _free(function)
        if node.id in tensors
    ]


def _tensors(tree: ast.Module) -> Iterator[str]:
    """Names of the program itself that are bound to what a layer gave: `y = Dense(3)(x)`."""
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        if isinstance(node.value.func, ast.Call):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _handed_on(tree: ast.Module) -> Iterator[str]:
    """Names that stand among the arguments of `compile` and `Lambda`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "attr", getattr(node.func, "id", None))
        if called in TAKES:
            values = [*node.args, *(keyword.value for keyword in node.keywords)]
            inside = (part for value in values for part in ast.walk(value))
            yield from (part.id for part in inside if isinstance(part, ast.Name))


def _free(function: ast.FunctionDef) -> list[ast.Name]:
    """The names that a function reads and does not bind."""
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    bound = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    bound |= {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
    return [node for node in names if node.id not in bound]
