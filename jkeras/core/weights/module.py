"""Modules: objects that own variables and other modules, by attribute; paths and trees from
that.

Layers, metrics and seed generators are modules. An object has one canonical path in a tree, the
first on the way down, however often it is used: that is weight sharing.
"""

import copy
import weakref
from typing import Any, ClassVar, Self

import jax

from jkeras.core.say import shown
from jkeras.core.weights.variable import Variable


class Parts(dict):
    """The variables or modules of a module, by key. Changes are counted, over all modules.

    The result of walking over modules holds as long as `Parts.changes` stays the same number.

    >>> before = Parts.changes
    >>> parts = Parts(a=1)
    >>> parts["b"] = 2
    >>> Parts.changes - before
    2
    """

    changes = 0

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        Parts.changes += 1

    @classmethod
    def of_copy(cls, content):
        """The parts of a copy, over which nothing has walked yet: no change."""
        parts = cls.__new__(cls)
        dict.update(parts, content)
        return parts

    def __copy__(self):
        return Parts(dict(self))  # in one step: another thread may add to it meanwhile


def _counting(name):
    plain = getattr(dict, name)

    def changed(self, *args, **kwargs):
        Parts.changes += 1
        return plain(self, *args, **kwargs)

    changed.__name__ = name
    return changed


for _name in (
    "__setitem__",
    "__delitem__",
    "__ior__",
    "pop",
    "popitem",
    "clear",
    "update",
    "setdefault",
):
    setattr(Parts, _name, _counting(_name))


# {module: what follows from its attributes, cached until one is set}; beside the modules, since a
# forward pass, which asks, writes on none
derived: weakref.WeakKeyDictionary["Module", dict] = weakref.WeakKeyDictionary()


class Module:
    """Tracks the variables and modules set as attributes, also those in lists, tuples and dicts."""

    _internal, __dir__ = shown.MODULE, shown.public_dir
    private_runs: ClassVar = ()  # trainings with privacy that it had, see `jkeras.privacy`

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        object.__setattr__(self, "_own", Parts())  # key -> Variable
        object.__setattr__(self, "_children", Parts())  # key -> Module
        return self

    def __init__(self) -> None:
        pass

    def __setattr__(self, name: str, value: Any) -> None:
        if "_own" not in vars(self):
            raise RuntimeError(
                f"Call `super().__init__()` in the constructor of {type(self).__name__} before "
                f"setting the attribute `{name}`."
            )
        if derived.data and type(self).__hash__ is object.__hash__:
            derived.pop(self, None)
        if isinstance(value, HOLDERS) or isinstance(vars(self).get(name), HOLDERS):
            value = self._track(name, value)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        self._forget(name, ())
        object.__delattr__(self, name)

    def set_untracked(self, **values: Any) -> None:
        """Sets attributes as they are: their lists and dicts are not looked into nor observed."""
        vars(self).update(values)

    def _track(self, name, value):
        """Registers the modules and variables in an attribute's value; lists and dicts come back
        observed.
        """
        if name.startswith("_tracked_free") or name in UNTRACKED:
            return value
        members = list(_parts(name, value, set()))
        if isinstance(vars(self).get(name), HOLDERS):
            self._forget(name, {id(member) for _, member in members})
        if members:
            self._adopt(members)
        if type(value) in (list, dict) and not isinstance(value, (TrackedList, TrackedDict)):
            return (TrackedList if type(value) is list else TrackedDict)(value, self, name)
        return value

    def _adopt(self, members):
        for key, member in members:
            owned = self._children if isinstance(member, Module) else self._own
            if not any(member is other for other in owned.values()):
                owned[self._free_key(key)] = member
                self._on_adopt(member)

    def is_native(self) -> bool:
        """Whether the module runs on values by path, without variables and ambient state."""
        return True

    def _on_adopt(self, member):
        """Called when a variable or module becomes part of this one."""

    def _free_key(self, key):
        base, count = key, 1
        while key in self._own or key in self._children:
            key, count = f"{base}_{count}", count + 1
        return key

    def _forget(self, name, keep):
        """Drops what the attribute's old value held and `keep` does not."""
        for _, member in _parts(name, vars(self).get(name), set()):
            owned = self._children if isinstance(member, Module) else self._own
            if id(member) not in keep and not self._held_elsewhere(name, member):
                for key in [k for k, v in owned.items() if v is member]:
                    del owned[key]

    def _take_change(self, name, before, now):
        """Follows a change of the list or dict that an attribute has, given what it held before."""
        vars(self)[name] = before
        self._forget(name, {id(member) for _, member in _parts(name, now, set())})
        vars(self)[name] = now
        self._adopt(_parts(name, now, set()))

    def _held_elsewhere(self, name, member):
        return any(
            member is other
            for key, value in vars(self).items()
            if key not in (name, *UNTRACKED)
            for _, other in _parts(key, value, set())
        )

    def __deepcopy__(self, memo):
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        for key, value in Module.__getstate__(self).items():
            vars(twin)[key] = copy.deepcopy(value, memo)
        for key, value in list(vars(twin).items()):
            if type(value) in (list, dict) and not key.startswith("_"):
                # observed by the copy, not by the original
                object.__setattr__(twin, key, twin._track(key, value))
        return twin

    def __getstate__(self):
        return {k: v for k, v in vars(self).items() if k not in FLEETING} | {NODES: []}

    def __setstate__(self, state):
        vars(self).update(state)


Module.__copy__ = copy.deepcopy  # as in Keras, a copy has weights of its own

HOLDERS = (Module, Variable, list, tuple, dict)  # of which something may be part of a module
NODES = "_inbound_nodes"  # which a graph has that is copied, and not the layers in it
UNTRACKED = ("_own", "_children", "_before_build")
# compiled functions and the like, made again when needed
FLEETING = (
    "_explanations",
    "_functions",
    "_generators",
    "_is_fitting",
    "_last_layout",
    "_host_split",
    "_predictor",
    "_warned_of_training",
)


def _forget_derived(module):
    """Drops what is cached of a module. Of a class of the user's that compares by value, and might
    not yet have what it compares, nothing is.
    """
    if type(module).__hash__ is object.__hash__:
        derived.pop(module, None)


def _parts(key, value, seen):
    """(key, Module or Variable) pairs in a value; list items get "key_0", dict items "key_name"."""
    if isinstance(value, (Module, Variable)):
        yield key, value
    elif isinstance(value, (list, tuple, dict)) and id(value) not in seen:
        seen.add(id(value))
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, item in items:
            yield from _parts(f"{key}_{name}", item, seen)


def _observed(base, methods):
    """A list or dict class that tells its owner when its content changes."""

    class Tracked(base):
        def __init__(self, content, owner, name):
            super().__init__(content)
            self._owner, self._name = owner, name

        def __reduce__(self):
            return base, (base(self),)

    def watch(method):
        plain = getattr(base, method)

        def changed(self, *args, **kwargs):
            before = base(self)
            result = plain(self, *args, **kwargs)
            owner, name = self._owner, self._name
            if derived.data:
                _forget_derived(owner)
            if vars(owner).get(name) is self:
                owner._take_change(name, before, self)
            return result

        changed.__name__ = method
        return changed

    for method in methods:
        setattr(Tracked, method, watch(method))
    return Tracked


TrackedList = _observed(
    list,
    (
        "append",
        "extend",
        "insert",
        "remove",
        "pop",
        "clear",
        "__setitem__",
        "__delitem__",
        "__iadd__",
        "reverse",
        "sort",
    ),
)
TrackedDict = _observed(
    dict,
    ("update", "pop", "popitem", "clear", "setdefault", "__setitem__", "__delitem__", "__ior__"),
)
TrackedList.__name__ = TrackedList.__qualname__ = "TrackedList"
TrackedDict.__name__ = TrackedDict.__qualname__ = "TrackedDict"

jax.tree_util.register_pytree_node(TrackedList, lambda v: (tuple(v), None), lambda _, v: list(v))
jax.tree_util.register_pytree_with_keys(
    TrackedDict,
    lambda d: ([(jax.tree_util.DictKey(k), d[k]) for k in sorted(d)], tuple(sorted(d))),
    lambda keys, values: dict(zip(keys, values)),
)
