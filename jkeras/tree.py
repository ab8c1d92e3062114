"""`keras.tree`: nested structures of lists, tuples, named tuples, dicts and deques.

The leaves of a dict come in the order of its sorted keys, those of an `OrderedDict` in its own
order. None is a leaf.
"""

from __future__ import annotations

import collections
import functools
import typing
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jkeras.core.weights.module import TrackedDict, TrackedList
from jkeras.core.names.registry import public
from jkeras.core.weights.types import Function, Structure

SEQUENCES = (list, tuple, collections.deque, TrackedList)
MAPPINGS = (dict, collections.OrderedDict, collections.defaultdict, TrackedDict)
MISMATCH = "Structures don't have the same nested structure"


@public("keras.tree.MAP_TO_NONE")
class MAP_TO_NONE:  # noqa: N801 - Keras's name
    """What the function of `traverse` returns to put None in the place of a part.

    >>> traverse(lambda part: MAP_TO_NONE if part == 2 else None, [1, 2])
    [1, None]
    """


class Parts(typing.NamedTuple):
    """One level of a structure: what kind it is, the keys of its parts, the parts, and how to make
    it again.
    """

    kind: typing.Any
    keys: tuple
    values: tuple
    remake: typing.Callable


def _parts(structure: Structure) -> Parts | None:
    """The parts of a structure; None for a leaf."""
    cls = type(structure)
    if cls in MAPPINGS:
        keys = _keys(structure)
        values = tuple(structure[key] for key in keys)
        return Parts(dict, keys, values, lambda values: _mapping(structure, keys, values))
    if cls in SEQUENCES:
        kind = list if cls is TrackedList else cls
        remake = kind
        if cls is collections.deque:
            remake = functools.partial(collections.deque, maxlen=structure.maxlen)
        return Parts(kind, tuple(range(len(structure))), tuple(structure), remake)
    if isinstance(structure, tuple) and hasattr(cls, "_fields"):
        places = tuple(range(len(structure)))
        return Parts(cls, places, tuple(structure), lambda values: cls(*values))
    return None


def _keys(mapping: Mapping[Any, Any]) -> tuple[Any, ...]:
    """The keys in the order of the leaves."""
    if type(mapping) is collections.OrderedDict:
        return tuple(mapping)
    try:
        return tuple(sorted(mapping))
    except TypeError:  # keys of several types
        pass
    try:
        return tuple(sorted(mapping, key=_by_type))
    except TypeError:
        return tuple(mapping)


def _by_type(key: Any) -> tuple[str, Any]:
    return f"{type(key).__module__}.{type(key).__qualname__}", key


def _mapping(like: Structure, keys: Sequence[Any], values: Sequence[Any]) -> Structure:
    """A dict of the class and order of `like`."""
    by_key = dict(zip(keys, values))
    ordered = {key: by_key[key] for key in like}
    if isinstance(like, collections.defaultdict):
        return collections.defaultdict(like.default_factory, ordered)
    if isinstance(like, collections.OrderedDict):
        return collections.OrderedDict(ordered)
    return ordered


@public("keras.tree.is_nested")
def is_nested(structure: Structure) -> bool:
    """Whether a value is a structure rather than a leaf.

    Args:
        structure: any object.
    Returns:
        bool; True for empty containers too.

    >>> is_nested({"a": 1}), is_nested("text"), is_nested([])
    (True, False, True)
    """
    return _parts(structure) is not None


@public("keras.tree.flatten")
def flatten(structure: Structure) -> list[Any]:
    """The leaves of a structure, a list.

    Args:
        structure: nested lists, tuples, named tuples, dicts and deques; anything else is a leaf.
    Returns:
        List of leaves.

    >>> flatten({"b": (1, None), "a": 3})
    [3, 1, None]
    """
    return [leaf for _, leaf in flatten_with_path(structure)]


@public("keras.tree.flatten_with_path")
def flatten_with_path(structure: Structure) -> list[tuple[tuple[Any, ...], Any]]:
    """(path, leaf) pairs of a structure; a path is a tuple of keys and positions.

    Args:
        structure: as for `flatten`.
    Returns:
        List of pairs, in the order of `flatten`.

    >>> flatten_with_path([{"a": 42}])
    [((0, 'a'), 42)]
    """
    return list(_leaves(structure, ()))


def _leaves(structure: Structure, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    parts = _parts(structure)
    if parts is None:
        yield path, structure
        return
    for key, value in zip(parts.keys, parts.values):
        yield from _leaves(value, (*path, key))


@public("keras.tree.map_structure")
def map_structure(func: Function, *structures: Structure, none_is_leaf: bool = True) -> Structure:
    """A structure with `func` applied to the leaves of one structure, or to those of several in the
    same places.

    Args:
        func: function of as many leaves as there are structures.
        structures: as for `flatten`, of one form.
        none_is_leaf: whether `func` gets to see None.
    Returns:
        Structure of the form of the first.
    Raises:
        TypeError: `func` is no function.
        ValueError: no structure, or structures that differ.

    >>> map_structure(lambda x, y: x + y, {"a": 1, "b": [2]}, {"a": 10, "b": [20]})
    {'a': 11, 'b': [22]}
    """
    _check(func, structures)
    return _map(func, structures[0], structures[1:], none_is_leaf)


def _check(func: Function, structures: Sequence[Structure]) -> None:
    if not callable(func):
        raise TypeError(f"`func` must be callable. Received: {func!r}")
    if not structures:
        raise ValueError("Must provide at least one structure.")


def _map(
    func: Function,
    structure: Structure,
    others: Sequence[Structure],
    none_is_leaf: bool = True,
    deeper: bool = False,
) -> Structure:
    """`func` of the leaves; with `deeper`, parts of the others below a leaf of the structure are
    handed over whole.
    """
    parts = _parts(structure)
    if parts is None:
        return _map_leaf(func, structure, others, none_is_leaf, deeper)
    columns = [_matching(parts, structure, other) for other in others]
    rows = zip(parts.values, *columns)
    return parts.remake([_map(func, value, row, none_is_leaf, deeper) for value, *row in rows])


def _map_leaf(
    func: Function, leaf: Any, others: Sequence[Structure], none_is_leaf: bool, deeper: bool
) -> Any:
    leaves = (leaf, *others)
    if not none_is_leaf and any(v is None for v in leaves):
        if any(v is not None for v in leaves):
            raise ValueError(f"{MISMATCH}: None beside something else in {leaves}.")
        return None
    if not deeper and any(map(is_nested, others)):
        raise ValueError(f"{MISMATCH}: the leaf {leaf!r} and {others}.")
    return func(*leaves)


def _matching(parts: Parts, structure: Structure, other: Structure) -> Sequence[Any]:
    """The parts of `other` in the order of those of `structure`."""
    theirs = _parts(other)
    if theirs is None or theirs.kind is not parts.kind or set(theirs.keys) != set(parts.keys):
        kind = type(structure).__name__
        raise ValueError(f"{MISMATCH}: expected a {kind} as {structure!r}, received {other!r}.")
    by_key = dict(zip(theirs.keys, theirs.values))
    return [by_key[key] for key in parts.keys]


@public("keras.tree.map_structure_up_to")
def map_structure_up_to(
    shallow_structure: Structure, func: Function, *structures: Structure
) -> Structure:
    """`map_structure` where what lies below the leaves of `shallow_structure` is handed to `func`
    whole.

    Args:
        shallow_structure: the structure whose form counts; its leaves do not.
        func: function of as many parts as there are structures.
        structures: structures that have at least that form.
    Returns:
        Structure of the form of `shallow_structure`.
    Raises:
        TypeError: `func` is no function.
        ValueError: no structure, or one that has another form above these leaves.

    >>> map_structure_up_to([1, 1], len, [[1, 2], [3, 4, 5]])
    [2, 3]
    """
    _check(func, structures)
    return _map(lambda _, *parts: func(*parts), shallow_structure, structures, deeper=True)


@public("keras.tree.assert_same_structure")
def assert_same_structure(a: Structure, b: Structure, check_types: bool | None = None) -> None:
    """Raises ValueError unless two structures have the same form and the same kinds of containers.

    Dicts of all kinds are the same where their keys are.

    Args:
        a, b: structures.
        check_types: has no effect any more, and warns.
    Returns:
        None.
    Raises:
        ValueError: they differ.

    >>> assert_same_structure([(0, 1)], [(2, 3)])
    >>> assert_same_structure([0], (0,))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: Structures don't have the same nested structure: expected a list as [0], received...
    """
    if check_types is not None:
        warnings.warn(
            "The `check_types` argument of `assert_same_structure` no longer has any effect. For "
            "a check that takes lists for tuples use `assert_same_paths`.",
            DeprecationWarning,
            stacklevel=2,
        )
    _map(lambda *leaves: None, a, (b,))


@public("keras.tree.assert_same_paths")
def assert_same_paths(a: Structure, b: Structure) -> None:
    """Raises ValueError unless two structures have leaves in the same places; lists and tuples
    count as the same.

    Args:
        a, b: structures.
    Returns:
        None.
    Raises:
        ValueError: they differ.

    >>> assert_same_paths([0, 1], (2, 3))
    """
    ours, theirs = ({path for path, _ in flatten_with_path(s)} for s in (a, b))
    if ours != theirs:
        raise ValueError(
            f"`a` and `b` don't have the same paths. Only in `a`: {ours - theirs}; only in `b`: "
            f"{theirs - ours}."
        )


@public("keras.tree.pack_sequence_as")
def pack_sequence_as(structure: Structure, flat_sequence: Sequence[Any]) -> Structure:
    """The leaves `flat_sequence`, in the order of `flatten`, in the form of `structure`.

    Args:
        structure: the form; its leaves do not count.
        flat_sequence: as many leaves.
    Returns:
        Structure of that form.
    Raises:
        ValueError: too few or too many leaves.

    >>> pack_sequence_as({"b": 0, "a": (0, 0)}, [1, 2, 3])
    {'b': 3, 'a': (1, 2)}
    """
    leaves = list(flat_sequence)
    count = len(flatten(structure))
    if len(leaves) != count:
        raise ValueError(
            f"The structure has {count} leaves, but `flat_sequence` has {len(leaves)}."
        )
    following = iter(leaves)
    return _map(lambda _: next(following), structure, ())


@public("keras.tree.lists_to_tuples")
def lists_to_tuples(structure: Structure) -> Structure:
    """The structure with tuples in place of lists.

    Args:
        structure: as for `flatten`.
    Returns:
        Structure with the same leaves.

    >>> lists_to_tuples([1, {"a": [2]}])
    (1, {'a': (2,)})
    """

    def replaced(value: Any) -> Any:
        if isinstance(value, list):
            return tuple(value)
        return None

    return traverse(replaced, structure, top_down=False)


@public("keras.tree.map_shape_structure")
def map_shape_structure(func: Function, structure: Structure) -> Structure:
    """The structure with `func` applied to its shapes: lists and tuples of ints and None.

    Args:
        func: function of a shape.
        structure: as for `flatten`, with shapes as leaves.
    Returns:
        Structure with what `func` returns in place of shapes.

    >>> map_shape_structure(len, {"x": (None, 3), "y": [(2,)]})
    {'x': 2, 'y': [1]}
    """
    parts = _parts(structure)
    if parts is None or _is_shape(structure):
        return func(structure)
    return parts.remake([map_shape_structure(func, v) for v in parts.values])


def _is_shape(value: Any) -> bool:
    if not isinstance(value, (list, tuple)):
        return False
    return all(isinstance(size, (int, type(None))) for size in value)


@public("keras.tree.traverse")
def traverse(func: Function, structure: Structure, top_down: bool = True) -> Structure:
    """A structure with the parts replaced for which `func` returns something, `MAP_TO_NONE`
    standing for None.

    Args:
        func: function of a part, a leaf or a structure, which returns None to leave it.
        structure: as for `flatten`.
        top_down: ask for a part before those inside it, and leave those alone when it was replaced;
            otherwise after.
    Returns:
        Structure.

    >>> def as_tuple(part):
    ...     return tuple(part) if isinstance(part, list) else None
    >>> traverse(as_tuple, [[1], 2], top_down=False)
    ((1,), 2)
    """
    if not top_down:
        structure = _traverse_parts(func, structure, top_down)
    replacement = func(structure)
    if replacement is MAP_TO_NONE:
        return None
    if replacement is not None:
        return replacement
    if not top_down:
        return structure
    return _traverse_parts(func, structure, top_down)


def _traverse_parts(func: Function, structure: Structure, top_down: bool) -> Structure:
    parts = _parts(structure)
    if parts is None:
        return structure
    return parts.remake([traverse(func, v, top_down) for v in parts.values])


__all__ = [
    "MAP_TO_NONE",
    "assert_same_paths",
    "assert_same_structure",
    "flatten",
    "flatten_with_path",
    "is_nested",
    "lists_to_tuples",
    "map_shape_structure",
    "map_structure",
    "map_structure_up_to",
    "pack_sequence_as",
    "traverse",
]
