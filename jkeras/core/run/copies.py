"""Copies of layers that may write on themselves, so that a pass on values writes on no object.

A layer of the user's may set attributes in `call` or `forward`, as Keras allows. In `init` and
`apply` it runs as a copy that ends with the pass. The copy has the same variables, and containers
of its own. jkeras's own layers write nothing and are not copied.
"""

import collections
import copy
import functools
import types

import jax
import numpy as np

from jkeras.core.errors import StateWriteError, place_of
from jkeras.core.graph.graph import Node, graph_of
from jkeras.core.weights.module import FLEETING, Module, Parts, TrackedDict, TrackedList
from jkeras.core.weights.paths import walk
from jkeras.core.run.tracebacks import is_built_in

# whose content stays as it is: it may name layers that are elsewhere
SHALLOW = frozenset({"_before_build", "_given", "_inbound_nodes", "_build_shapes", "_losses"})
CONTAINERS = (list, dict, set, collections.deque, bytearray)
# {what is copied item by item: the same without tracking}
PLAIN = {list: list, TrackedList: list, dict: dict, TrackedDict: dict}
SMALL_ARRAY = 2**16  # bytes
# most attributes are of these types, of which there is nothing to copy and nothing to look into
ATOMS = frozenset({type(None), bool, int, float, str})


def of_users(layer) -> list:
    """The layer and all modules below it whose classes are not jkeras's own."""
    return [module for _, module in walk(layer) if not is_built_in(module)]


def copied_for(flow, layer):
    """The copy of a built layer in a pass, the same one each time it is met there."""
    return _copied_module(layer, _Known(flow.copies))


def is_copy(flow, layer) -> bool:
    """Whether a layer is a copy that was made for a pass."""
    return flow.copies.get(id(layer), (None, None))[1] is layer


def unbuilt_copy(layer):
    """A copy of a layer as it was before it was built: each module and container below it copied,
    everything else shared. Graphs, and the layers in them, are copied as they are.
    """
    graphs = [module for _, module in walk(layer) if graph_of(module) is not None]
    built = {id(module) for graph in graphs for _, module in walk(graph)}
    return _copied_module(layer, _Known({}, lambda module: id(module) not in built))


class _Known:
    """The copies that were made, and which modules are to be as they were before built.

    Args:
        copies: `{id: (original, copy)}`; what is met twice, or in itself, is one thing in the copy.
    """

    def __init__(self, copies, begins_unbuilt=lambda module: False):
        self.copies = copies
        self.begins_unbuilt = begins_unbuilt

    def has(self, value):
        return id(value) in self.copies

    def get(self, value):
        return self.copies[id(value)][1]

    def add(self, value, twin):
        """Lets a copy stand for a value, and for itself."""
        self.copies[id(value)] = value, twin
        self.copies[id(twin)] = twin, twin
        return twin


def _copied(value, known, owner=None, name=None):
    """A copy of what is below a module, the value itself where there is nothing to copy.

    Args:
        owner, name: the copy that has it as an attribute of this name.
    """
    if type(value) in ATOMS:
        return value
    if isinstance(value, Module):
        return _copied_module(value, known)
    if known.has(value):
        return known.get(value)
    if isinstance(value, types.MethodType):
        return types.MethodType(value.__func__, _copied(value.__self__, known))
    if type(value) is functools.partial:
        parts = (value.func, value.args, dict(value.keywords))
        function, args, kwargs = (_copied(part, known) for part in parts)
        return functools.partial(function, *args, **kwargs)
    if isinstance(value, Node):
        twin = known.add(value, copy.copy(value))
        twin.operation = _copied(value.operation, known)
        return twin
    return _copied_container(value, known, owner, name)


def _copied_container(value, known, owner, name):
    kind = type(value)
    if kind is tuple:
        return tuple([_copied(item, known) for item in value])
    if kind is np.ndarray:
        return known.add(value, _own_array(value))
    if kind in PLAIN:
        twin = known.add(value, _empty(kind, owner, name))
        if PLAIN[kind] is list:
            list.extend(twin, [_copied(item, known) for item in value])
        else:
            dict.update(twin, {key: _copied(item, known) for key, item in dict(value).items()})
        return twin
    if isinstance(value, CONTAINERS):
        return known.add(value, copy.copy(value))
    return value


def _empty(kind, owner, name):
    """An empty list or dict; one that is tracked has to have an owner."""
    plain = PLAIN[kind]
    if kind is plain or not owner:
        return plain()
    return kind(plain(), owner, name)


def _own_array(array):
    """A small array that may be written into; a large one, which would take time, that may not."""
    if array.nbytes <= SMALL_ARRAY:
        return array.copy()
    array = array.view()
    array.flags.writeable = False
    return array


def _copied_module(module, known):
    if known.has(module):
        return known.get(module)
    twin = known.add(module, object.__new__(type(module)))
    if not known.begins_unbuilt(module):
        _fill(twin, dict(vars(module)), known)
        return twin
    before = vars(module).get("_before_build")
    _fill(twin, before or dict(vars(module)), known)
    if before is None and "_before_build" in vars(module):
        # another thread began to build it meanwhile: what was there before holds
        _fill(twin, vars(module)["_before_build"], known)
    return twin


def _fill(twin, attributes, known):
    """Gives a copy its attributes, and no others."""
    held = vars(twin)
    held.clear()
    for name, value in attributes.items():
        if name not in FLEETING:
            held[name] = _copied_attribute(twin, name, value, known)


def _copied_attribute(twin, name, value, known):
    if name in SHALLOW:
        return copy.copy(value)
    if name in ("_own", "_children"):
        return Parts.of_copy({k: _copied(member, known) for k, member in dict(value).items()})
    if isinstance(value, Module) and not known.has(value) and not hasattr(value, "run_on"):
        return value  # not below it, as a model's optimizer
    return _copied(value, known, twin, name)


# ---------------------------------------------------------------- what no copy is made of


class leaves_no_tracers:
    """Fails where a pass leaves tracers at what is not copied: an object itself, to which a
    function of the user's may hold on, its class, or an object that it holds.
    """

    def __init__(self, modules: list):
        self.modules = modules

    def __enter__(self) -> None:
        self.before = self._tracers()

    def __exit__(self, kind, *exc) -> None:
        if kind is not None:
            return
        for place, value in self._tracers().items():
            if self.before.get(place) is not value:
                raise StateWriteError(_left_message(self.modules[0], place[1]))

    def _tracers(self):
        """`{(owner, place): tracer}`."""
        found = {}
        for module in self.modules:
            _collect(found, module, "", vars(module), deep=True)
            for cls in _own_classes(type(module)):
                _collect(found, cls, f"{cls.__name__}.", vars(cls))
        return found


@functools.cache
def _own_classes(cls):
    """The classes of the user's that a class is made of."""
    return [base for base in cls.__mro__ if not base.__module__.startswith(("jkeras.", "builtins"))]


def _collect(found, owner, prefix, attributes, deep=False):
    for name, value in tuple(attributes.items()):
        if type(value) in ATOMS or name in SHALLOW:
            continue
        if isinstance(value, jax.core.Tracer):
            found[id(owner), prefix + name] = value
        elif isinstance(value, (list, dict, set)):
            items = tuple(value.values() if isinstance(value, dict) else value)
            tracers = [item for item in items if isinstance(item, jax.core.Tracer)]
            if tracers:
                found[id(owner), prefix + name] = tracers[-1]
        elif deep and _is_plain_object(value):
            _collect(found, value, f"{name}.", vars(value))


def _is_plain_object(value):
    """Whether a value is an object of the user's, or of Python's, with attributes."""
    if isinstance(value, (Module, type, types.FunctionType, types.ModuleType)):
        return False
    known = type(value).__module__.startswith(("jkeras.", "jax", "numpy", "optax", "flax"))
    return not known and hasattr(value, "__dict__")


def _left_message(layer, place):
    return (
        f"{place_of(layer)}: `{place}` was given a traced value in `init` or `apply`, where no "
        "copy can be made of it: it belongs to a class, to an object that the layer holds, or is "
        "set by a function that holds on to the layer. The value would be unusable afterwards. "
        "To fix it: set the attribute on `self` in `call`, or return the value as an output."
    )
