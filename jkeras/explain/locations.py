"""The locations in a model that are explained: outputs of layers, and inputs of a dict."""

from typing import TYPE_CHECKING, Any, TypeAlias

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.core.run.tap_changes import changes_of
from jkeras.core.run.tapping import run_tapped
from jkeras.core.run.taps import Taps
from jkeras.programs.walk import depends

if TYPE_CHECKING:
    from jkeras.training.types import Tree

Structure: TypeAlias = Any
Place: TypeAlias = Any  # a path, or a layer


def as_locations(at: Any) -> Any:
    """`at` as a value that can be a key: several locations as a tuple.

    Raises:
        ValueError: no location, one that is no path, or one twice.

    >>> as_locations("words"), as_locations(["price", "words"])
    ('words', ('price', 'words'))
    """
    if not isinstance(at, (list, tuple)):
        return at
    if not at or not all(isinstance(location, str) for location in at) or len(set(at)) < len(at):
        raise ValueError(explain("explain", "`at` of different paths of layers", f"{at!r}"))
    return tuple(at)


def values_at(
    model: Any, params: dict, state: dict, x: Structure, at: Any
) -> tuple[Structure, jax.Array | None]:
    """(what is explained, the mask beside it): the output of a layer, or of several locations a
    dict by location, without a mask.
    """
    several = isinstance(at, tuple)
    inputs, layers = split(x, at) if several else ([], [at])
    taps = _looked_at(model, params, state, x, layers)
    seen = taps.results()
    for location in layers:
        taps.check_single(location)
    if not several:
        return seen[at], taps.mask_at(at)
    if len(layers) + len(inputs) > 1:
        _check_independent(model, params, state, x, inputs, layers)
    return {**{location: x[location] for location in inputs}, **seen}, None


def outputs_with(
    model: Any, params: dict, state: dict, x: Structure, at: Any, now: Structure, start: Structure
) -> Structure:
    """The model's outputs where locations have other values than those of a start."""
    inputs, layers = [], [at]
    if isinstance(at, tuple):
        inputs, layers = split(x, at)
    else:
        now, start = {at: now}, {at: start}
    if inputs:
        x = {**x, **{location: now[location] for location in inputs}}
    changes = {p: jax.tree_util.tree_map(jnp.subtract, now[p], start[p]) for p in layers}
    return model.tap(params, state, x, add=changes, training=False)[0]


def split(x: Structure, at: tuple[Place, ...]) -> tuple[list[Place], list[Place]]:
    """(locations that are inputs of a dict, locations that are layers)."""
    names = set(x) if isinstance(x, dict) else set()
    inputs = [location for location in at if location in names]
    return inputs, [location for location in at if location not in inputs]


def _looked_at(model: Any, params: dict, state: dict, x: Structure, layers: list) -> Taps:
    return run_tapped(model, params, state, (x,), {}, list(layers), [], training=False)[2]


def _check_independent(
    model: Any, params: "Tree", state: "Tree", x: Structure, inputs: list[str], layers: list[str]
) -> None:
    """Raises ValueError where what is at one location follows from what is at another one: then
    they cannot be changed each by itself.
    """
    for location in [*inputs, *layers]:
        behind = _behind(model, params, state, x, location, location in inputs, layers)
        if behind:
            wanted = "locations of which none lies behind another one"
            advice = f"explain {location!r} and {behind!r} each by itself"
            raise ValueError(explain("explain", wanted, f"{behind!r} behind {location!r}", advice))


def _behind(
    model: Any,
    params: "Tree",
    state: "Tree",
    x: Structure,
    location: str,
    is_input: bool,
    layers: list[str],
) -> str | None:
    """One of the layers, but the location itself, whose output follows from what is at it."""
    others = [other for other in layers if other != location]

    def run(value: Structure) -> list:
        changed = {**x, location: value} if is_input else x
        add = {} if is_input else {location: value}
        _, _, taps = run_tapped(
            model, params, state, (changed,), {}, others, changes_of(add), training=False
        )
        seen = taps.results()
        return [seen[other] for other in others]

    if is_input:
        value = x[location]
    else:
        seen = _looked_at(model, params, state, x, [location]).results()[location]
        value = jax.tree_util.tree_map(jnp.zeros_like, seen)
    closed, shapes = jax.make_jaxpr(run, return_shape=True)(value)
    follow = depends(closed.jaxpr, [True] * len(closed.in_avals))
    for other, outputs in zip(others, shapes):
        count = len(jax.tree_util.tree_leaves(outputs))
        if any(follow[:count]):
            return other
        follow = follow[count:]
    return None
