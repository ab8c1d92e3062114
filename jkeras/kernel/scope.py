"""One forward pass: what all its layers share (`Flow`), and one layer's slice of it (`Scope`)."""

import collections
import contextvars
import typing

import jax
import jax.numpy as jnp

from jkeras.kernel.keys import key_of_path
from jkeras.kernel.spec import Weight

Path = tuple[str, ...]

_current: contextvars.ContextVar["Flow | None"] = contextvars.ContextVar(
    "jkeras_flow", default=None
)


begin, end = _current.set, _current.reset  # what `with flow:` does, without its calls


def current_flow() -> "Flow | None":
    """The forward pass that is going on in this thread, or None."""
    return _current.get()


class Flow:
    """What one forward pass shares from the root to the last layer.

    Args:
        params, state: nested dicts of arrays by path, as `init` gives them.
        key: from which every random key follows by its path; None: there is no key.
        training: whether this is a training step.
        valid_rows: which rows of the batch are real, booleans (batch,), where some are padding.
        microbatch: the share of a microbatch in the loss of the whole batch.
        shared: canonical paths of what is reached by several: `{path: canonical path}`.

    Attributes:
        declared: while a structure is found, `{layer path: {name: Weight}}`; otherwise None.
        updates: new values by layer path and name.
        losses: (layer, value) pairs in the order in which they were added.
        masks: `{id(array): (array, mask)}`, since arrays are no keys.
        logits: `{id(probabilities): (probabilities, logits, axis)}`.
        counts: how many keys each path has asked for.
        stack: (layer, dtype that weights are cast to) of the layers that run now.
    """

    def __init__(
        self,
        params: dict | None = None,
        state: dict | None = None,
        *,
        key: jax.Array | None = None,
        training: bool | None = None,
        valid_rows: jax.Array | None = None,
        microbatch: typing.Any = None,
        shared: dict[Path, Path] | None = None,
    ):
        self.params = params
        self.state = state
        self.rng = key
        self.training = training
        self.valid_rows = valid_rows
        self.microbatch = microbatch
        self.shared = shared or {}
        self.declared: dict[Path, dict[str, Weight]] | None = None
        self.updates: dict[Path, dict[str, jax.Array]] = {}
        self.losses: list = []
        self.masks: dict = {}
        self.logits: dict = {}
        self.counts: collections.Counter = collections.Counter()
        self.stack: list = []
        self.casting = 0  # how many of these cast their weights

    def __enter__(self):
        self._token = _current.set(self)
        return self

    def __exit__(self, *exc):
        _current.reset(self._token)

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

    def new_state(self) -> dict:
        """The state after the pass: what layers changed in it, and the losses they added."""
        state = dict(self.state)
        state.pop("losses", None)
        for layer_path, changed in self.updates.items():
            kept = _at(self.params, layer_path) or {}
            changed = {name: value for name, value in changed.items() if name not in kept}
            if changed:
                state = _with_values(state, layer_path, changed)
        if self.losses:
            state["losses"] = {str(i): value for i, (_, value) in enumerate(self.losses)}
        return state

    # ------------------------------------------------------------ what travels beside arrays

    def key_at(self, path: str) -> jax.Array:
        """The next key of a path."""
        self.counts[path] += 1
        return key_of_path(self.rng, path, self.counts[path] - 1)

    def mask_of(self, array: typing.Any) -> typing.Any:
        """The mask that travels beside an array, or None."""
        entry = self.masks.get(id(array))
        return getattr(array, "_keras_mask", None) if entry is None else entry[1]

    def set_mask(self, array: typing.Any, mask: typing.Any) -> None:
        """Lets a mask travel beside an array."""
        self.masks[id(array)] = (array, mask)


class Scope:
    """One layer's slice of a forward pass: its own weights, its children, its keys.

    >>> scope = Scope(Flow({"dense": {"kernel": 1.0}}, {}))
    >>> scope.child("dense").weights()
    {'kernel': 1.0}
    """

    __slots__ = ("flow", "path", "params", "state")

    def __init__(self, flow: Flow, path: Path = (), params=None, state=None):
        self.flow = flow
        self.path = path
        self.params = flow.params if params is None else params
        self.state = flow.state if state is None else state

    def child(self, name: str) -> "Scope":
        """The slice of the child of this name."""
        flow = self.flow
        path = (*self.path, name)
        canonical = flow.shared.get(path)
        if canonical is not None:
            params, state = _at(flow.params, canonical), _at(flow.state, canonical)
            return Scope(flow, canonical, params or {}, state or {})
        return Scope(flow, path, self.params.get(name) or {}, self.state.get(name) or {})

    def within(self, flow: Flow) -> "Scope":
        """The same slice of another pass on the same values."""
        return Scope(flow, self.path, self.params, self.state)

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
        for path in flow.shared:
            if path[:-1] == self.path and path[-1] not in own:
                value = flow.value_at(path)
                if value is not None:
                    own[path[-1]] = value
        return own

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
