"""What lies below a layer: its weights by path, and abstract runs that find them."""

import collections
import re

from jkeras.core.weights.paths import variables_of, walk
from jkeras.core.weights.rng import SeedGenerator
from jkeras.core.session.settings import snake_case


def graph_keys(layers):
    """{key: layer} for the layers of a graph.

    The key is the name, but where that is the automatic one ("dense_17") it is the class and a
    number counted in this graph alone: keys and random samples do not depend on what was made
    before.
    """
    keys, counts = {}, collections.Counter()
    for layer in layers:
        base = snake_case(type(layer).__name__)
        key = stem = base if re.fullmatch(rf"{re.escape(base)}(_\d+)?", layer.name) else layer.name
        while key in keys:
            counts[stem] += 1
            key = f"{stem}_{counts[stem]}"
        keys[key] = layer
    return keys


def all_built(layer):
    """Whether a layer and all below it have their weights."""
    for _, module in walk(layer):  # noqa: SIM110 - a generator costs a call for each
        if not getattr(module, "built", True):
            return False
    return True


def named_weights(layer):
    """(path, Variable) of all weights and metric variables; the states of seed generators are not
    among them.
    """
    return variables_of([e for e in walk(layer) if not isinstance(e[1], SeedGenerator)])


def constant_initializer(variable):
    """An initializer for a variable that was made from a value: that value, whatever the key."""
    value = variable.own_value()
    return lambda shape, dtype=None: value
