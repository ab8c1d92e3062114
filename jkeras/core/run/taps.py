"""Taps: outputs of layers, by path, looked at and changed from outside of a forward pass."""

import collections
import functools
import operator
import typing
from collections.abc import Iterable

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain, suggestion
from jkeras.core.weights.paths import walk
from jkeras.core.system.traces import trace_state
from jkeras.kernel.observer import Observer
from jkeras.kernel import apply as kernel
from jkeras.kernel.scope import Path


def tap(
    self: typing.Any,
    params: dict,
    state: dict,
    *args: typing.Any,
    at: typing.Any = (),
    add: dict[typing.Any, typing.Any] | None = None,
    training: bool | None = None,
    rng: jax.Array | int | None = None,
    mask: jax.Array | None = None,
    **kwargs: typing.Any,
) -> tuple[typing.Any, dict, dict]:
    """The forward pass of `apply`, with a look at what layers in it give, and changes of that:
    `(y, new_state, seen)`.

    A place is a path of names, "base/conv": as in `params`, or as the layers are called. The
    end of a path is enough where only one layer has it. "conv#1" is the second call of a layer
    that is used more than once; "conv" alone gives the outputs of all calls along a new first
    axis. In a `Stack` called "stack", "stack/3/dense" is a layer in block 3;
    "stack/layer/dense" that of all blocks, along a first axis.

    Args:
        params, state, args, training, rng, mask, kwargs: as of `apply`.
        at: a place or several; `seen` has their outputs, a dict by place. A layer of the model
            is a place, too.
        add: what is added to the outputs at places; in the structure of the output, of its
            shape or one that broadcasts to it. The gradient by a change of zeros is that by the
            output of the layer.
    Raises:
        ValueError: no layer, or more than one, is at a place; it does not run in this pass; it
            runs in a loop other than that of `Stack`; a change has another shape.

    >>> import jkeras, jax.numpy as jnp
    >>> from jkeras.layers import Dense
    >>> model = jkeras.Sequential([Dense(3, name="hidden"), Dense(1)])
    >>> params, state = model.init(0, jnp.ones((2, 4)))
    >>> y, _, seen = model.tap(params, state, jnp.ones((2, 4)), at="hidden")
    >>> y.shape, seen["hidden"].shape
    ((2, 1), (2, 3))
    """
    rng = jax.random.key(rng) if isinstance(rng, int) else rng
    if mask is not None:
        kwargs["mask"] = mask
    at = list(at) if isinstance(at, (list, tuple, set, dict)) else [at]
    options = {"rng": rng, "training": training}
    y, new_state, taps = run_tapped(self, params, state, args, kwargs, at, add or {}, **options)
    return y, new_state, taps.results()


def run_tapped(
    layer: typing.Any,
    params: dict,
    state: dict,
    args: tuple,
    kwargs: dict,
    at: list,
    add: dict[typing.Any, typing.Any],
    **options: typing.Any,
) -> tuple[typing.Any, dict, "Taps"]:
    """`tap` with all that was seen: `(y, new state, taps)`."""
    from jkeras.core.run.adapting import built_for  # it needs this module

    root = built_for(layer, args, kwargs)
    taps = Taps(find(root, at, layer), list(zip(find(root, add, layer), add.values())))
    y, new_state = kernel.apply(layer, params, state, args, kwargs, observer=taps, **options)
    return y, new_state, taps


class Tap(typing.NamedTuple):
    """One place in a model.

    Attributes:
        key: as the caller writes it: a path, or the layer.
        path: of the layer, canonical.
        call: which of its calls; None: all of them.
        inside: what follows in the key where the layer is a loop over blocks: a block and a place
            in it.
    """

    key: typing.Any
    path: Path
    call: int | None = None
    inside: str = ""


class Taps(Observer):
    """What is looked at in a pass, and what is added.

    Args:
        at: places whose outputs are kept.
        add: (place, change) pairs.
    """

    def __init__(self, at: list[Tap], add: list[tuple[Tap, typing.Any]]) -> None:
        self.at = at
        self.add = add
        self.paths = {tap.path for tap in (*at, *(tap for tap, _ in add))}
        self.level = trace_state()
        self.counts: collections.Counter[Path] = collections.Counter()
        self.seen: dict[Path, list] = {}
        self.seen_inside: dict[str, list] = {}
        self.masks: dict[Path, typing.Any] = {}  # beside the last call's output
        self.changed: set[str] = set()

    # ------------------------------------------------------------ while the pass goes on

    def through(
        self, layer: typing.Any, scope: typing.Any, inputs: tuple[tuple, dict], outputs: typing.Any
    ) -> typing.Any:
        """The outputs of a layer's call, changed where that is asked for."""
        path = scope.path_of(layer)
        if path not in self.paths:
            return outputs
        if trace_state() != self.level:
            raise ValueError(
                explain(
                    f"tap at {'/'.join(path)!r}",
                    "a layer that runs once in a pass, or in a `Stack`",
                    "one that runs within a loop or another transformation of JAX, from where its "
                    "output cannot come out",
                    "tap the layer around it, such as the `RNN` of a cell",
                )
            )
        call = self.counts[path]
        self.counts[path] += 1
        for tap, change in self.add:
            if tap.path == path and not tap.inside and tap.call in (None, call):
                self.note_change(tap)
                outputs = _changed(scope.flow, tap.key, outputs, change)
        self.seen.setdefault(path, []).append(outputs)
        self.masks[path] = scope.flow.mask_of(outputs)
        return outputs

    def note_change(self, tap: Tap) -> None:
        """Remembers that a change was made, once."""
        if tap.key in self.changed:
            raise _several_calls(tap.key, "is called more than once")
        self.changed.add(tap.key)

    def asks_for(self, path: Path | None) -> bool:
        """Whether the output at a path is looked at or changed."""
        return path in self.paths

    def inside(self, path: Path) -> "Inside | None":
        """What is asked for within the blocks of a loop at a path; None: nothing."""
        call = self.counts[path]  # the one that is going on
        at = [tap for tap in self.at if _is_inside(tap, path, call)]
        add = [(tap, change) for tap, change in self.add if _is_inside(tap, path, call)]
        return Inside(self, at, add) if at or add else None

    def fork(self) -> "Taps":
        """Those of a pass within a transformation, whose outputs come out by `join`."""
        inner = Taps(self.at, self.add)
        inner.counts = self.counts.copy()
        inner.changed = set(self.changed)
        return inner

    def changes_below(self, path: Path | None, axis: int) -> dict[int, typing.Any]:
        """{number: change} of those at and below a path, to be mapped over an axis."""
        if path is None:
            return {}
        below = {
            i: change for i, (tap, change) in enumerate(self.add) if tap.path[: len(path)] == path
        }
        for i, change in below.items():
            if any(jnp.ndim(leaf) <= axis for leaf in jax.tree_util.tree_leaves(change)):
                wanted = f"a change as the output is: with the slices along axis {axis}"
                shape = jax.tree_util.tree_map(jnp.shape, change)
                raise ValueError(
                    explain(f"tap at {self.add[i][0].key!r}", wanted, f"shape {shape}")
                )
        return below

    def change(self, changes: dict[int, typing.Any]) -> None:
        """Sets other changes: slices of the ones there are, by their numbers."""
        self.add = [(tap, changes.get(i, change)) for i, (tap, change) in enumerate(self.add)]

    def take(self) -> tuple[dict, dict]:
        """What was seen since the fork."""
        return self.seen, self.seen_inside

    def join(self, inner: "Taps", seen: tuple[dict, dict]) -> None:
        """Takes what an inner pass saw, as it came out of the transformation."""
        for mine, values in zip((self.seen, self.seen_inside), seen):
            for key, calls in values.items():
                mine.setdefault(key, []).extend(calls)
        self.counts = inner.counts
        self.changed = inner.changed

    # ------------------------------------------------------------ after it

    def results(self) -> dict[str, typing.Any]:
        """The outputs by the keys of the caller; of several calls along a new first axis."""
        for tap, _ in self.add:
            if tap.key not in self.changed:
                raise _not_reached(tap, self.counts[tap.path])
        return {tap.key: self._result(tap) for tap in self.at}

    def check_single(self, key: typing.Any) -> None:
        """Raises ValueError where a place is more than one output of rows: of a layer that was
        called several times, or of all blocks of a loop.
        """
        tap = next(tap for tap in self.at if tap.key == key)
        if tap.inside and _place_in_block(tap)[0] is None:
            place = _place_in_block(tap)[1]
            advice = f"name the block, as in '{'/'.join(tap.path)}/0/{place}'"
            raise ValueError(explain(f"tap at {key!r}", "the output of one block", "all", advice))
        if tap.call is None and not tap.inside and self.counts[tap.path] > 1:
            raise _several_calls(key, "is called more than once")

    def mask_at(self, key: typing.Any) -> typing.Any:
        """The mask beside the output at a place, where it is of this very pass; else None."""
        return next(self.masks.get(tap.path) for tap in self.at if tap.key == key)

    def _result(self, tap):
        calls = self.seen_inside.get(tap.key, ()) if tap.inside else self.seen.get(tap.path, ())
        if len(calls) <= (tap.call or 0):
            raise _not_reached(tap, len(calls))
        if tap.call is not None:
            return calls[tap.call]
        if len(calls) == 1:
            return calls[0]
        shapes = {str(jax.tree_util.tree_map(jnp.shape, y)) for y in calls}
        if len(shapes) > 1:
            raise _several_calls(tap.key, f"is called {len(calls)} times, on different shapes")
        return jax.tree_util.tree_map(lambda *ys: jnp.stack(ys), *calls)


class Inside:
    """What is asked for within the blocks of one loop: the arguments of the blocks' own `tap`.

    A key such as "dense" stands for all blocks, along a first axis of their own; "3/dense" for one.

    Attributes:
        at: places in a block whose outputs are kept.
    """

    def __init__(self, taps: Taps, at: list[Tap], add: list[tuple[Tap, typing.Any]]) -> None:
        self._taps = taps
        self._asked = at
        self._add = add
        self.at = sorted({_place_in_block(tap)[1] for tap in at})

    def run(
        self,
        layer: typing.Any,
        values: tuple[dict, dict],
        x: typing.Any,
        changes: dict,
        kwargs: dict,
        **options: typing.Any,
    ) -> tuple[typing.Any, dict, dict]:
        """One block: `(y, state, what is seen in it)`.

        Args:
            values: its params and state.
            changes: those of this block.
            kwargs: of its call.
            options: of its pass.
        """
        places = self.at, changes
        y, state, taps = run_tapped(layer, *values, (x,), kwargs, *places, **options)
        return y, state, taps.results()

    def changes(
        self, count: int, shape_of: typing.Callable[[str], typing.Any]
    ) -> dict[str, typing.Any]:
        """{place in a block: what is added, of all blocks along the first axis}.

        Args:
            count: how many blocks there are.
            shape_of: the output of one block's layer at a place, as `jax.ShapeDtypeStruct`s.
        """
        for tap in (*self._asked, *(tap for tap, _ in self._add)):
            _check_block(tap.key, _place_in_block(tap)[0], count)
        changes: dict[str, typing.Any] = {}
        for tap, change in self._add:
            place = _place_in_block(tap)[1]
            self._taps.note_change(tap)
            of_all = functools.partial(_of_all_blocks, tap, count)
            whole = jax.tree_util.tree_map(of_all, change, shape_of(place))
            if place in changes:
                whole = jax.tree_util.tree_map(jnp.add, changes[place], whole)
            changes[place] = whole
        return changes

    def keep(self, seen: dict[str, typing.Any]) -> None:
        """Takes what the blocks' `tap` saw, of all blocks along the first axis."""
        for tap in self._asked:
            block, place = _place_in_block(tap)
            value = seen[place]
            if block is not None:
                value = jax.tree_util.tree_map(operator.itemgetter(block), value)
            self._taps.seen_inside.setdefault(tap.key, []).append(value)


ALL_BLOCKS = "layer"


def _place_in_block(tap):
    """(number of the block or None, place in it) of a key that goes into a loop."""
    block, _, place = tap.inside.partition("/")
    return (None if block == ALL_BLOCKS else int(block)), place


def _is_inside(tap, path, call):
    return bool(tap.inside) and tap.path == path and tap.call in (None, call)


def _check_block(key, block, count):
    if block is not None and block >= count:
        raise ValueError(
            explain(f"tap at {key!r}", f"a block from 0 to {count - 1}", f"block {block}")
        )


def _of_all_blocks(tap, count, change, output):
    """A change of one block or of all of them, with the blocks along the first axis."""
    block = _place_in_block(tap)[0]
    change = jnp.asarray(change)
    shape = (count, *output.shape)
    if block is None:
        if change.ndim <= len(output.shape):
            wanted = f"a change of shape {shape}, the blocks along the first axis"
            raise ValueError(explain(f"tap at {tap.key!r}", wanted, f"shape {change.shape}"))
        return change
    return jnp.zeros(shape, output.dtype).at[block].set(change.astype(output.dtype))


def _changed(flow, key, outputs, change):
    """Outputs with a change added, their masks beside them."""
    leaves, treedef = jax.tree_util.tree_flatten(outputs)
    if jax.tree_util.tree_structure(change) != treedef:
        wanted = f"a change for each of the layer's {len(leaves)} outputs, in their structure"
        received = str(jax.tree_util.tree_structure(change))
        raise ValueError(explain(f"tap at {key!r}", wanted, received))
    sums = []
    for y, d in zip(leaves, jax.tree_util.tree_leaves(change)):
        changed = _sum(key, y, d)
        mask = flow.mask_of(y)
        if mask is not None:
            flow.set_mask(changed, mask)
        sums.append(changed)
    return jax.tree_util.tree_unflatten(treedef, sums)


def _sum(key, output, change):
    shape = jnp.shape(change)
    fits = len(shape) <= output.ndim and all(
        size in (1, wanted) for size, wanted in zip(reversed(shape), reversed(output.shape))
    )
    if not fits:
        raise ValueError(
            explain(f"tap at {key!r}", f"a change of shape {output.shape}", f"shape {shape}")
        )
    return output + jnp.asarray(change).astype(output.dtype)


def _several_calls(key, what):
    name = key if isinstance(key, str) else key.name
    return ValueError(
        f"tap at {key!r}: the layer {what}. To fix it: name the call, as in '{name}#0'."
    )


def _not_reached(tap, calls):
    where = f"tap at {tap.key!r}"
    if calls:
        return ValueError(explain(where, f"call {tap.call or 0} of it", f"{calls} in this pass"))
    received = (
        "one that does not run in it, or that runs within a loop, such as the cell of an `RNN`, "
        "from where its output cannot come out"
    )
    return ValueError(explain(where, "a layer that runs in this pass", received))


# ---------------------------------------------------------------- places by name


def find(root: typing.Any, keys: Iterable[typing.Any], given: typing.Any = None) -> list[Tap]:
    """The places of a built model that keys stand for.

    A key is a path of names, as in `params` or as the layers are called: "base/conv". The end of a
    path is enough where only one layer has it. "conv#1" is the second call of a layer. A layer
    itself is a key, too.

    Args:
        given: the model of which `root` is a built copy.

    Raises:
        ValueError: no layer, or more than one, is there.
    """
    models = [root] if given is None else [given, root]
    canonical = {id(module): path for model in models for path, module in walk(model)}
    return [_find_one(root, key, canonical) for key in keys]


def _find_one(root, key, canonical):
    if id(key) in canonical:
        return Tap(key, canonical[id(key)])
    if not isinstance(key, str):
        wanted = "a layer of it or its path, as in 'base/conv'"
        raise ValueError(explain(f"tap of {root.name!r}", wanted, f"{key!r}"))
    name, _, call = key.partition("#")
    if call and not call.isdigit():
        raise ValueError(explain(f"tap at {key!r}", "the number of a call after '#'", f"{call!r}"))
    names = [part for part in name.split("/") if part]
    module, inside = _below(root, names) or _at_the_end(root, key, names)
    path = canonical[id(module)]
    if inside:
        return Tap(key, path, None, "/".join(inside) + key[len(name) :])
    return Tap(key, path, int(call) if call else None)


def _below(module, names):
    """(module, names inside of a loop) at a path below a module; None where there is none."""
    for i, name in enumerate(names):
        block = module.block_of_loop
        names_block = name == ALL_BLOCKS or name.isdigit()
        if block is not None and names_block:
            return module, names[i:]  # the block, a model of its own, is asked in the loop
        module = _child(module, name)
        if module is None:
            return None
    return module, []


def _child(module, name):
    """The child of this name, in `params` or as it is called."""
    children = _layers_in(module)
    found = {id(child): child for key, child in children.items() if name in (key, child.name)}
    if len(found) > 1:
        keys = [key for key, child in children.items() if id(child) in found]
        advice = "give the layer itself, `at=layer`, or layers names of your own"
        raise ValueError(
            explain(f"tap at {name!r}", "one layer", f"the name or the key of {keys}", advice)
        )
    return next(iter(found.values()), None)


def _layers_in(module):
    return {key: c for key, c in tuple(module._children.items()) if hasattr(c, "run_on")}


def _at_the_end(root, key, names):
    """What the only path with this end leads to."""
    layers = [(path, m) for path, m in walk(root) if path and hasattr(m, "run_on")]
    places = {
        "/".join(path): _below(module, names[1:])
        for path, module in layers
        if names[0] in (path[-1], module.name)
    }
    found = {path: place for path, place in places.items() if place is not None}
    if len(found) == 1:
        return found.popitem()[1]
    where = f"tap at {key!r} of {root.name!r}"
    if found:
        raise ValueError(explain(where, "the path of one layer", f"the end of {sorted(found)}"))
    known = ["/".join(path) for path, _ in layers]
    shown = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
    raise ValueError(
        explain(where, f"the path of a layer: {shown}", repr(key)) + suggestion(key, known)
    )
