"""Taps: outputs of layers, by path, looked at and changed from outside of a forward pass."""

import collections
import operator
import typing
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.core.run.tap_changes import Change
from jkeras.core.run.tap_loops import STATES, Inside, Steps
from jkeras.core.run.tap_places import Tap, block_and_place, is_inside, several_calls
from jkeras.core.system.traces import trace_state
from jkeras.kernel.observer import Observer
from jkeras.kernel.scope import Path


class Taps(Observer):
    """What is looked at in a pass, and what is added.

    Args:
        at: places whose outputs are kept.
        add: (place, `Change`) pairs.
        run: runs a block of a loop with taps of its own, `tapping.tapped`.
    """

    def __init__(self, at: list[Tap], add: list[tuple[Tap, Change]], run: Callable) -> None:
        self.at = at
        self.add = add
        self.run = run
        self.paths = {tap.path for tap in (*at, *(tap for tap, _ in add))}
        self.level = trace_state()
        self.counts: collections.Counter[Path] = collections.Counter()
        self.seen: dict[Path, list] = {}
        self.seen_inside: dict[str, list] = {}
        self.masks: dict[Path, typing.Any] = {}  # beside the last call's output
        self.changed: set[int] = set()  # numbers of the changes that were made
        self.stepped: set[Path] = set()  # places whose calls are steps of a loop

    # ------------------------------------------------------------ while the pass goes on

    def through(
        self, layer: typing.Any, scope: typing.Any, inputs: tuple[tuple, dict], outputs: typing.Any
    ) -> typing.Any:
        """The outputs of a layer's call, changed where that is asked for."""
        return self.at_place(scope.path_of(layer), scope.flow, outputs)

    def at_place(self, path: Path, flow: typing.Any, value: typing.Any) -> typing.Any:
        """What is at a place, changed where that is asked for."""
        if path not in self.paths:
            return value
        if trace_state() != self.level:
            self.out_of_reach(path)
            return value
        call = self.counts[path]
        self.counts[path] += 1
        for number, (tap, change) in enumerate(self.add):
            if tap.path == path and not tap.inside and tap.call in (None, call):
                self.note_change(number)
                value = _with_masks(flow, value, change.of(tap.key, value))
        self.seen.setdefault(path, []).append(value)
        self.masks[path] = flow.mask_of(value)
        return value

    def out_of_reach(self, path: Path) -> None:
        """Raises the error for a place from where nothing comes out."""
        raise ValueError(
            explain(
                f"tap at {'/'.join(path)!r}",
                "a layer that runs once in a pass, or in a `Stack`",
                "one that runs within a loop or another transformation of JAX, from where its "
                "output cannot come out",
                "tap the layer around it, or the `states` of the `RNN` of a cell",
            )
        )

    def note_change(self, number: int) -> None:
        """Remembers that a change was made, once."""
        if number in self.changed:
            raise several_calls(self.add[number][0].key, "is called more than once")
        self.changed.add(number)

    def asks_for(self, path: Path | None) -> bool:
        """Whether the output at a path is looked at or changed."""
        return path in self.paths

    def inside(self, path: Path) -> "Inside | None":
        """What is asked for within the blocks of a loop at a path; None: nothing."""
        call = self.counts[path]  # the one that is going on
        at = [tap for tap in self.at if is_inside(tap, path, call)]
        add = {i: each for i, each in enumerate(self.add) if is_inside(each[0], path, call)}
        return Inside(self, at, add) if at or add else None

    def steps(self, path: Path, gives_state: bool) -> Steps | None:
        """What is asked for in the steps of a recurrent layer at a path; None: nothing."""
        place = (*path, STATES)
        if place not in self.paths or trace_state() != self.level:
            return None
        changes = {i: each for i, each in enumerate(self.add) if each[0].path == place}
        return Steps(self, place, changes, gives_state)

    def fork(self) -> "Taps":
        """Those of a pass within a transformation, whose outputs come out by `join`."""
        inner = type(self)(self.at, list(self.add), self.run)
        inner.counts = self.counts.copy()
        inner.changed = set(self.changed)
        return inner

    def changes_below(self, path: Path | None, axis: int) -> dict[int, typing.Any]:
        """{number: change} of those at and below a path, to be mapped over an axis."""
        if path is None:
            return {}
        below = {
            i: change.value
            for i, (tap, change) in enumerate(self.add)
            if tap.path[: len(path)] == path
        }
        for i, value in below.items():
            if any(jnp.ndim(leaf) <= axis for leaf in jax.tree_util.tree_leaves(value)):
                wanted = f"a change as the output is: with the slices along axis {axis}"
                shape = jax.tree_util.tree_map(jnp.shape, value)
                raise ValueError(
                    explain(f"tap at {self.add[i][0].key!r}", wanted, f"shape {shape}")
                )
        return below

    def change(self, changes: dict[int, typing.Any]) -> None:
        """Sets other changes: slices of the ones there are, by their numbers."""
        for number, value in changes.items():
            tap, change = self.add[number]
            self.add[number] = tap, change._replace(value=value)

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
        self.stepped |= inner.stepped

    # ------------------------------------------------------------ after it

    def results(self) -> dict[str, typing.Any]:
        """The outputs by the keys of the caller; of several calls along a new first axis."""
        for number, (tap, _) in enumerate(self.add):
            if number not in self.changed:
                raise _not_reached(tap, self.counts[tap.path])
        return {tap.key: self._result(tap) for tap in self.at}

    def check_single(self, key: typing.Any) -> None:
        """Raises ValueError where a place is more than one output of rows: of a layer that was
        called several times, or of all blocks of a loop.
        """
        tap = next(tap for tap in self.at if tap.key == key)
        if tap.inside and block_and_place(tap)[0] is None:
            place = block_and_place(tap)[1]
            advice = f"name the block, as in '{'/'.join(tap.path)}/0/{place}'"
            raise ValueError(explain(f"tap at {key!r}", "the output of one block", "all", advice))
        if tap.call is None and not tap.inside and self.counts[tap.path] > 1:
            raise several_calls(key, "is called more than once")

    def mask_at(self, key: typing.Any) -> typing.Any:
        """The mask beside the output at a place, where it is of this very pass; else None."""
        return next(self.masks.get(tap.path) for tap in self.at if tap.key == key)

    def _result(self, tap: Tap) -> typing.Any:
        calls = self.seen_inside.get(tap.key, ()) if tap.inside else self.seen.get(tap.path, ())
        if calls and tap.path in self.stepped:
            return _steps_of(tap, calls)
        if len(calls) <= (tap.call or 0):
            raise _not_reached(tap, len(calls))
        if tap.call is not None:
            return calls[tap.call]
        if len(calls) == 1:
            return calls[0]
        shapes = {str(jax.tree_util.tree_map(jnp.shape, y)) for y in calls}
        if len(shapes) > 1:
            raise several_calls(tap.key, f"is called {len(calls)} times, on different shapes")
        return jax.tree_util.tree_map(lambda *ys: jnp.stack(ys), *calls)


def _steps_of(tap: Tap, calls: list) -> typing.Any:
    """The values of all steps along a first axis, or of one."""
    if len(calls) > 1:
        raise several_calls(
            tap.key, f"runs its loop {len(calls)} times, and its steps are numbered"
        )
    if tap.call is None:
        return calls[0]
    return jax.tree_util.tree_map(operator.itemgetter(tap.call), calls[0])


def _with_masks(flow: typing.Any, outputs: typing.Any, changed: typing.Any) -> typing.Any:
    """What became of outputs, with their masks beside it."""
    pairs = zip(*map(jax.tree_util.tree_leaves, (outputs, changed)))
    for output, value in pairs:
        mask = flow.mask_of(output)
        if mask is not None:
            flow.set_mask(value, mask)
    return changed


def _not_reached(tap: Tap, calls: int) -> ValueError:
    where = f"tap at {tap.key!r}"
    if calls:
        return ValueError(explain(where, f"call {tap.call or 0} of it", f"{calls} in this pass"))
    received = (
        "one that does not run in it, or that runs within a loop, such as the cell of an `RNN`, "
        "from where its output cannot come out"
    )
    return ValueError(explain(where, "a layer that runs in this pass", received))
