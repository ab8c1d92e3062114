"""Trees of parameters: their leaves one beside another, facts about each, and paths."""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jkeras.optimizers.transform.pair import Tree

Path = tuple[Hashable, ...]


class Leaf(NamedTuple):
    """Facts about a parameter besides its value.

    Args:
        name: its own name, such as "bias".
        path: names from the root on, joined by "/".
        variable: its Keras variable, where there is one.

    >>> Leaf("bias", "dense/bias").overwritten
    False
    """

    name: str
    path: str
    variable: Any = None

    @property
    def overwritten(self) -> bool:
        """Whether the "gradient" is the new value itself, as for the scales of float8."""
        return getattr(self.variable, "overwrite_with_gradient", False)


def describe(params: Tree, variables: Tree = None) -> Tree:
    """A tree like params of a `Leaf` for each parameter.

    Args:
        variables: a tree like params of Keras variables, or of anything with `name` and `path`; by
            default names come from the tree's keys.

    >>> describe({"dense": {"bias": 0.0}})["dense"]["bias"].path
    'dense/bias'
    """
    if variables is None:
        names = [[str(key) for key in path] for path in paths(params)]
        leaves = [Leaf(path[-1] if path else "", "/".join(path)) for path in names]
    else:
        leaves = [Leaf(v.name, v.path, v) for v in jax.tree.leaves(variables)]
    return jax.tree.structure(params).unflatten(leaves)


def over(function: Callable, params: Tree, *others: Tree) -> Tree:
    """A tree like params of `function(leaf, *others' leaves)`.

    Args:
        others: trees like params, where None, or any tree, may stand for a leaf.
    """
    leaves, treedef = jax.tree.flatten(params)
    return treedef.unflatten(map(function, leaves, *map(treedef.flatten_up_to, others)))


def zeros_like(params: Tree) -> Tree:
    """Zeros of the shapes and dtypes of a tree, wherever that lies."""
    return jax.tree.map(lambda p: jnp.zeros(p.shape, p.dtype), params)


def keys_of(path: tuple) -> Path:
    """A path of JAX as a tuple of plain keys."""
    names = ("key", "idx", "name")
    return tuple(next(getattr(k, name) for name in names if hasattr(k, name)) for k in path)


def paths(tree: Tree) -> list[Path]:
    """The paths of all leaves."""
    return [keys_of(path) for path, _ in jax.tree_util.tree_flatten_with_path(tree)[0]]


def at(tree: Tree, path: Path) -> Any:
    """What stands at a path in dicts, lists and named tuples."""
    for key in path:
        if isinstance(key, str) and not isinstance(tree, dict):
            tree = getattr(tree, key)
        else:
            tree = tree[key]
    return tree
