"""Expressions of programs, as `ast` has them."""

import ast


def dotted(node: ast.AST | None) -> str | None:
    """ "a.b.c" for such an expression; None for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return f"{head}.{node.attr}" if head else None
    return None


def text_of(node: ast.AST | None) -> str | None:
    """The text that a constant is; None for any other expression.

    >>> text_of(ast.parse("'a'").body[0].value)
    'a'
    """
    value = getattr(node, "value", None)
    return value if isinstance(node, ast.Constant) and isinstance(value, str) else None
