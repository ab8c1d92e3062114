"""One forward pass: what all its layers share (`Flow`), and one layer's slice of it (`Scope`)."""

import collections
import contextvars
import copy
import dataclasses
import typing

import jax
import jax.numpy as jnp

from jkeras.kernel import losses, masks_on
from jkeras.kernel.keys import key_of_path
from jkeras.kernel.layer import LayerProtocol
from jkeras.kernel.observer import Observer, PassCache
from jkeras.kernel.spec import Weight
from jkeras.kernel.tree import flatten

Path = tuple[str, ...]

_current: contextvars.ContextVar["Flow | None"] = contextvars.ContextVar(
    "jkeras_flow", default=None
)


begin, end = _current.set, _current.reset  # what `with flow:` does, without its calls
# the forward pass that is going on in this thread, or None
current_flow: typing.Callable[[], "Flow | None"] = _current.get


def _begins(value: typing.Any) -> typing.Any:
    """A field that begins so."""
    return dataclasses.field(init=False, default=value)


def _begins_as(make: typing.Callable) -> typing.Any:
    """A field that begins as an empty one of its own."""
    return dataclasses.field(init=False, default_factory=make)


@dataclasses.dataclass(eq=False, repr=False)
class Flow:
    """What one forward pass shares from the root to the last layer.

    Args:
        params, state: nested dicts of arrays by path, as `init` gives them.
        rng: from which every random key follows by its path; None: there is no key.
        training: whether this is a training step.
        valid_rows: which rows of the batch are valid, booleans (batch,), where some are padding.
        microbatch: the `Microbatch` that is computed, where a batch is taken in several.
        shared: canonical paths of what is reached by several: `{path: canonical path}`.
        observer: who looks at the pass from outside, and may change it; None: nobody.
        cache: of attention, in a pass on new tokens; None: there are no tokens before.
        noise_alone: whether layers that in training do something other than to add noise do as
            outside of it; in a pass inside of such a one they do so, too.

    Attributes:
        declared: while a structure is found, `{layer path: {name: Weight}}`; otherwise None.
        abstract: whether only shapes count, as while a structure is found.
        is_built: whether it is of layers that are built for the inputs: what they ask of these
            since then counts, and their own weights say what they are.
        updates: new values by layer path and name.
        losses: (layer, value) pairs in the order in which they were added.
        masks: `{id(array): (array, mask)}`, since arrays are no keys.
        logits: `{id(probabilities): (probabilities, logits, axis)}`.
        loss_chunks: in how many chunks a loss over many classes is computed.
        heads: (logits, `beside.Head`) pairs, where there are several chunks.
        is_chunked: whether a loss was computed so.
        sigmoids: of the last few sigmoids (probabilities, log of the odds); None: they are not
            kept, since there are many, and some run in loops.
        counts: how many keys each path has asked for.
        stack: (layer, dtype that weights are cast to) of the layers that run now.
        casting: how many of these cast their weights.
    """

    params: dict | None = None
    state: dict | None = None
    _: dataclasses.KW_ONLY
    rng: jax.Array | None = None
    training: bool | None = None
    valid_rows: jax.Array | None = None
    microbatch: typing.Any = None
    shared: dict[Path, Path] | None = None
    observer: Observer | None = None
    cache: PassCache | None = None
    noise_alone: bool = False
    declared: dict[Path, dict[str, Weight]] | None = _begins(None)
    abstract: bool = _begins(False)
    is_built: bool = _begins(False)
    updates: dict[Path, dict[str, jax.Array]] = _begins_as(dict)
    losses: list = _begins_as(list)
    masks: dict = _begins_as(dict)
    logits: dict = _begins_as(dict)
    loss_chunks: int = _begins(1)
    heads: list = _begins_as(list)
    is_chunked: bool = _begins(False)
    sigmoids: collections.deque | None = _begins(None)
    counts: collections.Counter = _begins_as(collections.Counter)
    stack: list = _begins_as(list)
    casting: int = _begins(0)

    def __post_init__(self):
        outer = current_flow()
        if outer is not None:
            self.noise_alone = self.noise_alone or outer.noise_alone
        self.shared = self.shared or {}

    def __enter__(self):
        self._token = _current.set(self)
        return self

    def __exit__(self, *exc):
        _current.reset(self._token)

    def fork(self) -> "Flow":
        """A pass of its own inside this one: its losses, masks, changes and counts of keys are its
        own.
        """
        inner = copy.copy(self)
        inner.losses = []
        inner.masks = dict(self.masks)
        inner.counts = collections.Counter(self.counts)
        inner.updates = {path: dict(changed) for path, changed in self.updates.items()}
        inner.stack = list(self.stack)
        inner.observer = None if self.observer is None else self.observer.fork()
        inner.cache = None if self.cache is None else self.cache.fork()
        return inner

    def take(self) -> list:
        """What the observer saw and the cache took since the fork, as a pytree."""
        return [None if each is None else each.take() for each in (self.observer, self.cache)]

    def join(self, inner: "Flow", seen: list) -> None:
        """Takes what a fork saw, as it came out of a transformation."""
        pairs = (self.observer, inner.observer), (self.cache, inner.cache)
        for (outer, fork), each in zip(pairs, seen):
            if outer is not None:
                outer.join(fork, each)

    # ------------------------------------------------------------ values by path

    def canonical(self, path: Path) -> Path:
        """The canonical path of what is reached by a path."""
        if self.shared:
            for length in range(1, len(path) + 1):
                known = self.shared.get(path[:length])
                if known is not None:
                    return self.canonical((*known, *path[length:]))
        return path

    def value_at(self, path: Path) -> jax.Array | None:
        """The value of a weight now; None where there is none."""
        path = self.canonical(path)
        changed = self.updates.get(path[:-1], {})
        if path[-1] in changed:
            return changed[path[-1]]
        if self.declared is not None:
            spec = self.declared.get(path[:-1], {}).get(path[-1])
            return None if spec is None else jnp.zeros(spec.shape, spec.dtype)
        for tree in (self.params, self.state):
            value = _at(tree, path)
            if value is not None and not isinstance(value, dict):
                return value
        return None

    def put(self, values: dict[Path, jax.Array]) -> None:
        """Sets values by path."""
        for path, value in values.items():
            self.updates.setdefault(path[:-1], {})[path[-1]] = value

    def new_state(self) -> dict:
        """The state after the pass: what layers changed in it, and the losses they added."""
        state = dict(self.state)
        if losses.NAME in state:
            state, _ = losses.split(state)
        for layer_path, changed in self.updates.items():
            kept = _at(self.params, layer_path) or {}
            changed = {name: value for name, value in changed.items() if name not in kept}
            if changed:
                state = _with_values(state, layer_path, changed)
        if self.losses:
            state = losses.add_losses(state, [value for _, value in self.losses])
        return state

    # ------------------------------------------------------------ what travels beside arrays

    def next_key(self, path: str, layer: LayerProtocol | None = None) -> jax.Array:
        """The next random key of a path.

        Args:
            layer: whose key it is.
        """
        if self.abstract:
            return jnp.zeros((2,), "uint32")
        if self.rng is None:
            raise self.no_key(path)
        self.counts[path] += 1
        return key_of_path(self.rng, path, self.counts[path] - 1)

    def no_key(self, path: str) -> Exception:
        """The error for random numbers in a pass without a key."""
        return ValueError(f"'{path}' samples random numbers, and there is no key.")

    def mask_of(self, array: typing.Any) -> typing.Any:
        """The mask that travels beside an array, or None."""
        key = id(array)
        entry = self.masks.get(key) or masks_on.kept.get(key)
        return None if entry is None else entry[1]

    def set_mask(self, array: typing.Any, mask: typing.Any) -> None:
        """Lets a mask travel beside an array."""
        self.masks[id(array)] = (array, mask)

    def drop_masks(self, arrays: typing.Iterable) -> None:
        """Lets no mask travel on beside arrays."""
        for array in arrays:
            key = id(array)
            if key in self.masks or key in masks_on.kept:
                self.masks[key] = (array, None)


class Scope:
    """One layer's slice of a forward pass: its own weights, its children, its keys.

    Values are found by path; nothing is read of the layer and nothing is written to it.

    Attributes:
        is_built: whether the layer's own weights say what they are, as in `Flow`.

    >>> scope = Scope(Flow({"dense": {"kernel": 1.0}}, {}))
    >>> scope.child("dense").weights()
    {'kernel': 1.0}
    """

    __slots__ = ("flow", "is_built", "params", "path", "state")
    is_of_objects = False  # whether the values are those of the objects themselves

    def __init__(self, flow: Flow, path: Path = (), params=None, state=None):
        self.flow = flow
        self.is_built = flow.is_built
        self.path = path
        self.params = flow.params if params is None else params
        self.state = flow.state if state is None else state

    def path_of(self, layer: LayerProtocol) -> Path | None:
        """The canonical path of the layer."""
        return self.path

    def enter(self, layer: LayerProtocol, call: typing.Any) -> None:
        """Begins a layer's part of the pass: where a structure is found, its weights are declared.

        Args:
            call: the layer's inputs, of which its weights depend on the shapes.
        """
        input_spec = layer.input_spec if self.is_built else layer.declared_input_spec
        layer.check_input(call, input_spec)
        if self.flow.declared is not None:
            self.declare(layer.declaration(call))

    def leave(self) -> None:
        """Ends it."""

    def child(self, name: str) -> "Scope":
        """The slice of the child of this name."""
        flow = self.flow
        path = (*self.path, name)
        canonical = flow.shared.get(path)
        if canonical is not None:
            params, state = _at(flow.params, canonical), _at(flow.state, canonical)
            return Scope(flow, canonical, params or {}, state or {})
        return Scope(flow, path, self.params.get(name) or {}, self.state.get(name) or {})

    def weights(self) -> dict[str, jax.Array]:
        """The layer's own weights by name, as they are now."""
        flow = self.flow
        own = {}
        if flow.declared is not None:
            specs = flow.declared.get(self.path, {})
            own = {name: jnp.zeros(spec.shape, spec.dtype) for name, spec in specs.items()}
        for tree in (self.params, self.state):
            for name, value in tree.items():
                if not isinstance(value, dict):
                    own[name] = value
        if flow.updates:
            own.update(flow.updates.get(self.path, ()))
        if flow.shared:
            for name, value in self._shared_weights().items():
                own.setdefault(name, value)
        return own

    def _shared_weights(self):
        """Those of the own weights whose canonical paths are elsewhere."""
        paths = [path for path in self.flow.shared if path[:-1] == self.path]
        values = {path[-1]: self.flow.value_at(path) for path in paths}
        return {name: value for name, value in values.items() if value is not None}

    def update(self, changed: dict[str, jax.Array]) -> None:
        """Sets new values of own weights, in the dtype that they have."""
        flow = self.flow
        if flow.declared is not None:
            return
        for name, value in changed.items():
            *owner, key = flow.canonical((*self.path, name))
            dtype = flow.value_at((*owner, key)).dtype
            flow.updates.setdefault(tuple(owner), {})[key] = value.astype(dtype)

    def share(self, name: str, path: Path) -> None:
        """Lets the weight of this name be the one at another path."""
        own = (*self.path, name)
        if self.flow.canonical(own) == own:
            self.flow.shared[own] = path

    def declare(self, specs: dict[str, Weight]) -> None:
        """Says which weights the layer has, where a structure is found; those that are shared are
        declared where they belong.
        """
        if self.flow.shared:
            paths = {name: (*self.path, name) for name in specs}
            specs = {n: specs[n] for n, path in paths.items() if self.flow.canonical(path) == path}
        self.flow.declared.setdefault(self.path, specs)

    def next_key(self, layer: LayerProtocol) -> jax.Array:
        """The next random key of the layer, by the path of its seed generator."""
        path = self.flow.canonical((*self.path, layer.seed_generator_name()))
        return self.flow.next_key("/".join(path), layer)

    # ------------------------------------------------------------ a pass of its own

    def values_below(self) -> tuple[list, list]:
        """The values of the weights of the layer and of all below it now, (path, array) pairs:
        those that a gradient may reach, and the others.
        """
        params = self._values(self.params)
        state = self._values(self.state)
        return params, state

    def _values(self, tree):
        paths = [(*self.path, *path) for path, _ in flatten(tree)]
        return [(path, self.flow.value_at(path)) for path in paths if not losses.is_loss(path)]

    def on(self, values: list) -> "Scope":
        """The same slice in a pass of its own, on other values: (path, array) pairs."""
        inner = self.flow.fork()
        inner.put(dict(values))
        return Scope(inner, self.path, self.params, self.state)

    def alone(self) -> "Scope":
        """The same slice in a pass of its own, whose changes are not seen outside."""
        return Scope(self.flow.fork(), self.path, self.params, self.state)

    def take(self, values: list) -> None:
        """Sets values: (path, array) pairs."""
        self.flow.put(dict(values))


def _at(tree, path):
    for name in path:
        if not isinstance(tree, dict) or name not in tree:
            return None
        tree = tree[name]
    return tree


def _with_values(tree, path, values):
    """A copy of a nested dict with other values at one place; what did not change is shared."""
    if not path:
        return {**tree, **values}
    return {**tree, path[0]: _with_values(tree.get(path[0], {}), path[1:], values)}


def is_abstract() -> bool:
    """Whether layers are met in a pass on shapes alone.

    >>> is_abstract()
    False
    """
    flow = current_flow()
    return flow is not None and flow.abstract
