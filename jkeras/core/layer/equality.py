"""What a layer is as a value: equal keys for what was made from equal arguments.

Automatic names ("dense_1"), weights and whatever building left on an object do not count. What
cannot be compared (arrays, functions made anew) counts as itself.
"""

import functools
import re

import jax
import numpy as np

from jkeras.core.graph.by_identity import ByIdentity
from jkeras.core.graph.graph import graph_of
from jkeras.core.weights.module import Module
from jkeras.core.record import Record
from jkeras.core.weights.rng import SeedGenerator
from jkeras.core.session.settings import snake_case
from jkeras.core.weights.variable import Variable

# what the shell keeps on an object besides its hyper-parameters
SHELL = frozenset(
    """
    _before_build _build_shapes _children _children_are_for _given
    _in_build _inbound_nodes _losses _own _scope _state_kept built input_spec name
    """.split()
)


class Identity:
    """The key of an object that is equal to itself alone. It keeps the object alive."""

    def __init__(self, thing):
        self.thing = thing

    def __eq__(self, other):
        return isinstance(other, Identity) and self.thing is other.thing

    def __hash__(self):
        return id(self.thing)


def value_key(thing):
    """A hashable key of what a layer, or a value among its arguments, is."""
    return _key(thing, ByIdentity())


def _key(thing, seen):
    if seen.has(thing):  # used twice: the same one at both paths
        return ("seen", seen.find(thing))
    if isinstance(thing, Module):
        seen.set(thing, len(seen))
        return _module_key(thing, seen)
    if isinstance(thing, Record):
        return _record_key(thing, seen)
    if isinstance(thing, (list, tuple)):
        return (type(thing).__name__, tuple(_key(item, seen) for item in thing))
    if isinstance(thing, dict):
        return ("dict", tuple((_key(k, seen), _key(v, seen)) for k, v in thing.items()))
    if isinstance(thing, functools.partial):
        return ("partial", thing.func, _key(thing.args, seen), _key(thing.keywords, seen))
    return _leaf_key(thing)


def _leaf_key(thing):
    """The key of what holds nothing that would have to be looked into."""
    if isinstance(thing, np.ndarray):
        content = tuple(thing.ravel().tolist()) if thing.dtype.hasobject else thing.tobytes()
        return ("array", thing.dtype.str, thing.shape, content)
    if isinstance(thing, (Variable, jax.Array)):
        return Identity(thing)
    if getattr(type(thing), "stands_for_none", False):
        return ("default",)
    if type(thing).__eq__ is object.__eq__ or type(thing).__hash__ is None:
        return Identity(thing)
    return (type(thing), thing)  # 1, 1.0 and True are not one


def _record_key(record, seen):
    fields = tuple((f.name, _key(getattr(record, f.name), seen)) for f in record._fields)
    return (type(record), fields)


def _module_key(module, seen):
    if isinstance(module, SeedGenerator):
        return (SeedGenerator, module._seed_argument)
    if graph_of(module) is not None:
        return (type(module), _graph_key(module, seen))
    attributes = getattr(module, "_before_build", None) or vars(module)
    # a field may have got another value since
    fields = {f.name: getattr(module, f.name) for f in getattr(module, "_fields", ())}
    attributes = {k: v for k, v in attributes.items() if k not in SHELL} | fields
    entries = tuple((name, _key(attributes[name], seen)) for name in sorted(attributes))
    return (type(module), _own_name(module), entries)


def _own_name(module):
    """The name, None where it is an automatic one."""
    name = getattr(module, "name", None)
    base = snake_case(type(module).__name__)
    if name is None or re.fullmatch(rf"((forward|backward)_)?{re.escape(base)}(_\d+)?", name):
        return None
    return name


def _graph_key(model, seen):
    """The nodes of a graph, with its tensors by number."""
    numbers = {}

    def number(tensor):
        return numbers.setdefault(tensor, len(numbers))

    def described(value):
        if hasattr(value, "_keras_history"):
            return ("tensor", number(value), value.shape, value.dtype)
        if isinstance(value, (list, tuple)):
            return (type(value).__name__, tuple(map(described, value)))
        if isinstance(value, dict):
            return ("dict", tuple((k, described(v)) for k, v in value.items()))
        return _key(value, seen)

    nodes, graph = [], graph_of(model)
    for node in graph.nodes:
        operation = node.operation
        config = getattr(operation, "config", None)
        if not isinstance(operation, Module) and config is not None:
            key = ("op", operation.op.class_name, _key(config, seen))
        else:
            key = _key(operation, seen)
        nodes.append((key, described(node.args), described(node.kwargs), described(node.outputs)))
    ends = described(graph.inputs), described(graph.outputs)
    return (model.trainable, tuple(nodes), ends)
