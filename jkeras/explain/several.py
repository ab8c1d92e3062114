"""A method on several things at once: the members of an ensemble, places in a model."""

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from jkeras.explain.locations import as_locations
from jkeras.explain.running import as_array, is_traced
from jkeras.explain.score import Structure
from jkeras.kernel import tree


def is_ensemble(model: Any) -> bool:
    """Whether a model has members."""
    return getattr(model, "ensemble_members", None) is not None


def values_of_members(model: Any) -> Iterator[tuple[dict, dict]]:
    """(params, state) of each member of an ensemble."""
    members = model.ensemble_members
    layout = members.layout
    states = layout.gather(copies=False)
    for number in range(members.size):
        one = layout.single(states, number)
        yield tree.merge(one.params, one.frozen), one.state


def of_members(method: Callable) -> Callable:
    """A method of a `model` and `x`; of an ensemble the mean of what it gives for each member, of
    the class that the ensemble predicts where no target is given.
    """
    signature = inspect.signature(method)

    @functools.wraps(method)
    def run(*args: Any, **options: Any) -> Any:
        bound = signature.bind(*args, **options)
        model = bound.arguments["model"]
        if not is_ensemble(model) or options.get("params") is not None:
            return method(*args, **options)
        x = as_array(bound.arguments["x"])
        if "target" in signature.parameters and bound.arguments.get("target") is None:
            bound.arguments["target"] = _predicted(model, x)
        results = [
            method(*bound.args, **bound.kwargs, params=params, state=state)
            for params, state in values_of_members(model)
        ]
        return mean(results, is_traced(x))

    return run


def mean(results: list[Structure], is_pure: bool = False) -> Structure:
    """The mean of structures of arrays or numbers; of arrays as numpy's."""

    def of_leaves(*leaves: Any) -> Any:
        if isinstance(leaves[0], float):
            return float(np.mean(leaves))
        total = sum(leaves[1:], leaves[0]) / len(leaves)
        return total if is_pure else np.array(total)

    return jax.tree_util.tree_map(of_leaves, *results)


def _predicted(model: Any, x: Structure) -> np.ndarray | None:
    """The class of each row by the mean of the members; None: the method says what is missing."""
    if is_traced(x):
        outputs = [
            model.apply(params, state, x, training=False)[0]
            for params, state in values_of_members(model)
        ]
        y = mean(outputs, is_pure=True)
    else:
        y = model.predict(x, verbose=0)
    leaves = jax.tree_util.tree_leaves(y)
    if len(leaves) != 1 or leaves[0].ndim != 2:
        return None
    return leaves[0].argmax(-1)


def at_each(method: Callable) -> Callable:
    """A method of one place, `(model, x, …, at=…)`; of a list of places a dict by these."""

    @functools.wraps(method)
    def run(model: Any, *args: Any, **options: Any) -> Any:
        at = as_locations(options.get("at"))
        if not isinstance(at, tuple):
            return method(model, *args, **options)
        return {one: method(model, *args, **{**options, "at": one}) for one in at}

    return run
