"""Trees of plain dicts: paths, partition, merge."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import jax

Path: TypeAlias = tuple[str, ...]
Tree: TypeAlias = dict[str, Any]  # a nested dict


def flatten(tree: Tree, prefix: Path = ()) -> Iterator[tuple[Path, Any]]:
    """(path, leaf) pairs of a nested dict, in its own order (JAX would sort the keys).

    >>> list(flatten({"b": {"x": 1}, "a": 2}))
    [(('b', 'x'), 1), (('a',), 2)]
    """
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flatten(value, (*prefix, key))
        else:
            yield (*prefix, key), value


def unflatten(pairs: Iterable[tuple[Path, Any]]) -> Tree:
    """The nested dict of (path, leaf) pairs.

    >>> unflatten([(("b", "x"), 1), (("a",), 2)])
    {'b': {'x': 1}, 'a': 2}
    """
    tree: Tree = {}
    for path, leaf in pairs:
        here = tree
        for key in path[:-1]:
            here = here.setdefault(key, {})
        here[path[-1]] = leaf
    return tree


def get(tree: Any, path: Path, default: Any = None) -> Any:
    """The leaf or subtree at a path."""
    for key in path:
        if not isinstance(tree, dict) or key not in tree:
            return default
        tree = tree[key]
    return tree


def get_all(tree: Any, paths: Iterable[Path]) -> list:
    """The leaves or subtrees at paths; None where there is none.

    >>> get_all({"a": {"x": 1}}, [("a", "x"), ("b",)])
    [1, None]
    """
    found = []
    for path in paths:
        here = tree
        for key in path:
            here = here.get(key) if isinstance(here, dict) else None
        found.append(here)
    return found


def merge(*trees: Tree) -> Tree:
    """One nested dict with the leaves of all; later ones win.

    >>> merge({"a": {"x": 1}}, {"a": {"y": 2}})
    {'a': {'x': 1, 'y': 2}}
    """
    return unflatten(pair for tree in trees for pair in flatten(tree))


def partition(tree: Tree, predicate: Callable[[Path], bool]) -> tuple[Tree, Tree]:
    """Two nested dicts: the leaves whose path satisfies the predicate, and the others.

    >>> partition({"a": 1, "b": {"c": 2}}, lambda path: path[0] == "a")
    ({'a': 1}, {'b': {'c': 2}})
    """
    chosen, others = [], []
    for path, leaf in flatten(tree):
        side = chosen if predicate(path) else others
        side.append((path, leaf))
    return unflatten(chosen), unflatten(others)


def leaves(structure: Any, is_leaf: Callable[[Any], bool] | None = None) -> list:
    """The leaves of any nested structure (lists, tuples, dicts in sorted key order), None left
    out.
    """
    return jax.tree_util.tree_leaves(structure, is_leaf=is_leaf)


def map(  # noqa: A001 - `tree.map` is what one looks for
    function: Callable, *structures: Any, is_leaf: Callable[[Any], bool] | None = None
) -> Any:
    """The structure with `function` applied to its leaves."""
    return jax.tree_util.tree_map(function, *structures, is_leaf=is_leaf)
