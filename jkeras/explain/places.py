"""The places inside of a model: what can be looked at and changed in a pass, as a table."""

import collections
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.core.run.adapting import built_for
from jkeras.core.run.scopes import at_place
from jkeras.core.run.tap_places import Names
from jkeras.core.run.tap_survey import Found, survey
from jkeras.explain.running import values_of
from jkeras.models.text_table import table_of
from jkeras.programs.operation_places import operations_of

MEANINGS = {
    "queries": "queries of attention (batch, target, heads, size)",
    "keys": "keys of attention (batch, source, heads, size)",
    "values": "values of attention (batch, source, heads, size)",
    "scores": "scores before the mask and the softmax (batch, heads, target, source)",
    "pattern": "weights of attention (batch, heads, target, source)",
    "heads": "what each head takes from its sources (batch, target, heads, size)",
    "results": "what each head adds to the output (batch, target, heads, features)",
    "states": "states after each step (steps, batch, ...)",
    "residual_mid": "the residual stream between attention and what follows in the block",
    "residual_mid_cross": "the residual stream behind attention to what an encoder gives",
    "neurons": "the feedforward network behind its activation",
}


@public("jkeras.explain.Place")
class Place(NamedTuple):
    """A place in a pass of a model.

    Attributes:
        path: for `at`, `add`, `set` and `edit` of `model.tap`.
        calls: how often it is reached in the pass; each time is a place, "path#1" the second one.
        shape, dtype: of what is there, in structures where it is more than one array.
        meaning: in words.

    >>> Place("block_0/mha/heads", 1, (2, 5, 2, 3), "float32", "").path
    'block_0/mha/heads'
    """

    path: str
    calls: int
    shape: Any
    dtype: Any
    meaning: str


@public("jkeras.explain.Places")
class Places(Sequence):
    """`Place`s in the order in which a pass reaches their end; printed, a table.

    Args:
        places: the `Place`s; one is looked up by its number or by its path.

    >>> import jkeras
    >>> found = Places([Place("dense", 1, (2, 3), "float32", "output of Dense")])
    >>> found["dense"].shape, len(found)
    ((2, 3), 1)
    """

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = list(places)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places)

    def __getitem__(self, key: Any) -> Any:
        """A place by its number or path; a slice of them."""
        if isinstance(key, slice):
            return Places(self._places[key])
        if not isinstance(key, str):
            return self._places[key]
        for place in self._places:
            if place.path == key:
                return place
        raise KeyError(key)

    @property
    def paths(self) -> list[str]:
        """The paths of all."""
        return [place.path for place in self._places]

    def __repr__(self) -> str:
        titles = ["Place", "Calls", "Shape", "What it is"]
        rows = [[p.path, str(p.calls), str(p.shape), p.meaning] for p in self._places]
        widths = [max(map(len, column)) for column in zip(titles, *rows)]
        total = sum(widths) + 3 * len(widths) + 1
        left = ["left"] * len(titles)
        return "\n".join(table_of(titles, rows, widths, total, left, str))


@public("jkeras.explain.places")
def places(
    model: Any,
    x: Any,
    pattern: str = "*",
    *,
    operations: bool = False,
    training: bool = False,
    params: Any = None,
    state: Any = None,
) -> Places:
    """All places inside of a model that a pass on `x` reaches: outputs of layers, and values that
    layers name on their way. Nothing is computed but shapes.

    Args:
        model: a layer or model.
        x: what the model is called with; shapes (`jax.ShapeDtypeStruct`) do.
        pattern: leaves those whose path ends like it, "block_*/mha/heads".
        operations: those of each layer's own code, too, such as "block_3/add" of
            `h = h + mlp(h)`.
        training: of the pass.
        params, state: by default those of the model.

    Returns:
        `Places`, in the order in which the pass reaches their end.

    Raises:
        ValueError: no place is like the pattern.

    >>> import jkeras, numpy as np
    >>> tokens = jkeras.Input((4, 6))
    >>> h = jkeras.layers.MultiHeadAttention(2, 3, name="mha")(tokens, tokens)
    >>> model = jkeras.Model(tokens, h)
    >>> places(model, np.ones((1, 4, 6)), "mha/heads")["mha/heads"].shape
    (1, 4, 2, 3)
    """
    values = values_of(model, x, params, state)
    options = {"training": training, "rng": jax.random.key(0) if training else None}
    found = survey(model, values, (x,), {}, **options)
    root = built_for(model, (x,), {})
    names = Names(root)
    rows = [row for path in found if path for row in _rows(names.of(path)[1], found[path])]
    if operations:
        rows += _operations(model, values, x, names, options)
    return Places(_matching(model, rows, names, pattern))


def _matching(model: Any, rows: list[Place], names: Names, pattern: str) -> list[Place]:
    parts = [part for part in pattern.split("/") if part]
    whole = [tuple(row.path.split("/")) for row in rows]
    apart = [tuple(row.path.partition("#")[0].split("/")) for row in rows]
    found = [
        row
        for row, *paths in zip(rows, whole, apart)
        if any(names.end(path, parts) for path in paths)
    ]
    if not found:
        known = ", ".join(row.path for row in rows[:20])
        raise ValueError(
            explain(f"places of '{model.name}'", f"a pattern of its places: {known}", repr(pattern))
        )
    return found


def _rows(path: tuple[str, ...], found: Found) -> Iterator[Place]:
    """A place for each call."""
    count = len(found.calls)
    meaning = f"output of {found.kind.__name__}" if found.kind else MEANINGS.get(path[-1], "")
    for number, value in enumerate(found.calls):
        shape = jax.tree_util.tree_map(lambda v: v.shape, value)
        dtype = jax.tree_util.tree_map(lambda v: str(v.dtype), value)
        call = f"#{number}" if count > 1 else ""
        yield Place("/".join(path) + call, count, shape, dtype, meaning)


def _operations(
    model: Any, values: tuple, x: Any, names: Names, options: dict[str, Any]
) -> list[Place]:
    rows, found = [], operations_of(model, values, (x,), {}, **options)
    counts = collections.Counter(one.path for one in found)
    for one in found:
        shape = jax.tree_util.tree_map(lambda v: v.shape, one.shapes)
        dtype = jax.tree_util.tree_map(lambda v: str(v.dtype), one.shapes)
        count = counts[one.path]
        path = "/".join(names.of(one.path)[1]) + (f"#{one.number}" if count > 1 else "")
        rows.append(Place(path, count, shape, dtype, "an operation of the layer"))
    return rows


@public("jkeras.explain.place")
def place(name: str, value: Any) -> Any:
    """Gives a value in the `call` of a layer of one's own a name, by which it is looked at and
    changed from outside: "block_3/residual_mid". It is given back as it is, or as `model.tap` sets
    it; where nobody looks, nothing happens.

    Args:
        name: of the place, behind the path of the layer.
        value: an array, or a structure of them.

    Returns:
        the value, or what takes its place.

    >>> import jkeras, numpy as np
    >>> class Block(jkeras.layers.Layer):
    ...     def call(self, x):
    ...         return jkeras.explain.place("squares", x * x).sum(-1)
    >>> model = jkeras.Sequential([jkeras.Input((2,)), Block(name="block")])
    >>> _, _, seen = model.tap({}, {}, np.ones((1, 2)), at="block/squares")
    >>> seen["block/squares"].tolist()
    [[1.0, 1.0]]
    """
    return at_place(name, value)
