"""What is asked for within loops: in the blocks of a `Stack`, in the steps of a recurrent layer."""

import operator
import typing
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.core.run.tap_changes import Change
from jkeras.core.run.tap_places import Tap, block_and_place
from jkeras.kernel.scope import Path

if typing.TYPE_CHECKING:
    from jkeras.core.run.taps import Taps

STATES = "states"  # the place of the states after each step of a recurrent layer

Numbered = dict[int, tuple[Tap, Change]]


class Inside:
    """What is asked for within the blocks of one loop: the arguments of the blocks' own `tap`.

    A key such as "dense" stands for all blocks, along a first axis of their own; "3/dense" for one.

    Args:
        changes: (place, `Change`) by their number.

    Attributes:
        at: places in a block whose outputs are kept.
    """

    def __init__(self, taps: "Taps", at: list[Tap], changes: Numbered) -> None:
        self._taps = taps
        self._asked = at
        self._changes = changes
        self.at = sorted({block_and_place(tap)[1] for tap in at})

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
            changes: what of `changes()` is this block's.
            kwargs: of its call.
            options: of its pass.
        """
        own = []
        for number, (here, value) in changes.items():
            tap, change = self._changes[number]
            if value is not None:
                change = change._replace(value=value)
            own.append((block_and_place(tap)[1], change._replace(here=here)))
        return self._taps.run(layer, (*values, (x,), kwargs, self.at, own), **options)

    def output(
        self,
        layer: typing.Any,
        values: tuple[dict, dict],
        x: typing.Any,
        place: str,
        kwargs: dict,
        **options: typing.Any,
    ) -> typing.Any:
        """What one block gives at a place; arguments as of `run`."""
        given = (*values, (x,), kwargs, [place], [])
        return self._taps.run(layer, given, **options)[2][place]

    def changes(
        self, count: int, shape_of: Callable[[str], typing.Any]
    ) -> dict[int, tuple[jax.Array | None, typing.Any]]:
        """By the number of a change (whether it happens, its value), each of all blocks along the
        first axis, None where it is the same in all.

        Args:
            count: how many blocks there are.
            shape_of: the output of one block's layer at a place, as `jax.ShapeDtypeStruct`s.
        """
        for tap in (*self._asked, *(tap for tap, _ in self._changes.values())):
            _check_block(tap.key, block_and_place(tap)[0], count)
        changes: dict[int, tuple[jax.Array | None, typing.Any]] = {}
        for number, (tap, change) in self._changes.items():
            block, place = block_and_place(tap)
            self._taps.note_change(number)
            if block is not None:
                changes[number] = (jnp.arange(count) == block, None)
            elif change.kind == "edit":
                changes[number] = (None, None)
            else:
                changes[number] = (None, _of_all_blocks(tap, count, change.value, shape_of(place)))
        return changes

    def keep(self, seen: dict[str, typing.Any]) -> None:
        """Takes what the blocks' `tap` saw, of all blocks along the first axis."""
        for tap in self._asked:
            block, place = block_and_place(tap)
            value = seen[place]
            if block is not None:
                value = jax.tree_util.tree_map(operator.itemgetter(block), value)
            self._taps.seen_inside.setdefault(tap.key, []).append(value)


def _check_block(key: typing.Any, block: int | None, count: int) -> None:
    if block is not None and block >= count:
        raise ValueError(
            explain(f"tap at {key!r}", f"a block from 0 to {count - 1}", f"block {block}")
        )


def _of_all_blocks(tap: Tap, count: int, value: typing.Any, output: typing.Any) -> typing.Any:
    """A change of all blocks, with the blocks along the first axis."""

    def checked(value: typing.Any, output: jax.ShapeDtypeStruct) -> jax.Array:
        value = jnp.asarray(value)
        if value.ndim <= len(output.shape) or value.shape[0] != count:
            shape = (count, *output.shape)
            wanted = f"a change of shape {shape}, the blocks along the first axis"
            raise ValueError(explain(f"tap at {tap.key!r}", wanted, f"shape {value.shape}"))
        return value

    return jax.tree_util.tree_map(checked, value, output)


class Steps:
    """What is asked for of the states of one recurrent layer, after each of its steps.

    Args:
        path: the place of the states.
        changes: (place, `Change`) by their number; the call of a place is a step.
        gives_state: whether the output of a step is its first state, and follows it.
    """

    def __init__(self, taps: "Taps", path: Path, changes: Numbered, gives_state: bool) -> None:
        self._taps = taps
        self._path = path
        self._changes = changes
        self.gives_state = gives_state
        for number in changes:
            taps.note_change(number)

    def begin(self, count: int) -> None:
        """Sees that there are so many steps.

        Raises:
            ValueError: a place is of a step behind them.
        """
        of_this = [tap for tap in self._taps.at if tap.path == self._path]
        for tap in (*of_this, *(tap for tap, _ in self._changes.values())):
            if tap.call is not None and tap.call >= count:
                wanted = f"a step from 0 to {count - 1}"
                raise ValueError(explain(f"tap at {tap.key!r}", wanted, f"step {tap.call}"))

    def at_step(self, states: typing.Any, step: jax.Array | int) -> typing.Any:
        """The states after a step, changed where that is asked for."""
        for tap, change in self._changes.values():
            here = None if tap.call is None else jnp.asarray(step == tap.call)
            states = change._replace(here=here).of(tap.key, states)
        return states

    def keep(self, states: typing.Any) -> None:
        """Takes the states after each step, the steps along the first axis."""
        self._taps.stepped.add(self._path)
        self._taps.seen.setdefault(self._path, []).append(states)
