"""A running training: one `TrainState` owns the arrays, the model's variables read through it."""

import contextlib
import itertools
import operator
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

import jax
import numpy as np

from jkeras.core.weights.variable import Borrowed
from jkeras.training.data import placement
from jkeras.training.step.layout import StateLayout
from jkeras.training.step.state import TrainState, copied


class AnyOwner(Protocol):
    """Where the state is that steps are taken on."""

    def peek(self) -> TrainState:
        """The state as it is, for reading; it must not be consumed."""

    def replace(self, change: Callable[[TrainState], TrainState]) -> None:
        """Replaces the state by `change(state)`."""

    state: TrainState

    def stepping(self) -> contextlib.AbstractContextManager:
        """A block that takes a step: `owner.state, logs = function(owner.state, ...)`."""


class StateOwner:
    """Owns the `TrainState` of a model while it is trained.

    The variables hold a marker instead of arrays. Whoever looks at one pulls the whole state back
    into them; the next step takes copies of the arrays that are referenced then, so nothing that is
    referenced is ever consumed.
    """

    def __init__(self, layout: "StateLayout") -> None:
        self.layout, self.lock = layout, threading.RLock()
        self.busy = self.seen = False
        # other threads may look at variables while they are borrowed one after the other
        with self.lock:
            self._take_over()

    def _take_over(self) -> None:
        """Makes the arrays of the variables the state's; those that others reference
        stay theirs.
        """
        # first of all: whatever happens now, it can be pulled
        self.state = self.layout.gather(copies=False)
        self._borrow()  # from here on no one can get a reference to another one
        self.state = owned(self.state, keep=self.layout.model.compilation.has_own_opt_state)

    def _borrow(self) -> None:
        self.borrowed = Borrowed(self.pull, self.lock)
        self.variables = self.layout.variables()
        for variable in self.variables:
            variable.held = self.borrowed

    def pull(self) -> None:
        """Puts the state's arrays into the variables; while a step is traced, copies, since the
        step consumes them.
        """
        with self.lock:
            if self.state is None:
                return
            if self.busy:
                with jax.ensure_compile_time_eval():
                    self.layout.scatter(copied(self.state))
                self.seen = True
            else:
                self.pull_rest()

    def take(self) -> TrainState:
        """The state to go on from; what variables were set to in between counts."""
        held = map(operator.attrgetter("held"), self.variables)
        if self.state is None or not all(map(operator.is_, held, itertools.repeat(self.borrowed))):
            self.pull_rest()
            self._take_over()
        return self.state

    def pull_rest(self) -> None:
        """Puts the state's arrays into the variables, but for those that were assigned since the
        last step.
        """
        with self.lock:
            if self.state is not None:
                borrowed = self.borrowed
                assigned = [(v, v.held) for v in self.variables if v.held is not borrowed]
                self.layout.scatter(self.state)
                for variable, value in assigned:
                    variable.held = value
                self.state = None

    @contextlib.contextmanager
    def stepping(self) -> Iterator[None]:
        """A block that takes a step: `owner.state, logs = function(owner.state, ...)`."""
        with self.lock:
            self.take()
            self.busy, self.seen = True, False
            try:
                yield
            except Exception as error:
                if hasattr(error, "saved"):  # of a step that failed after it had consumed the state
                    (self.state,) = error.saved
                raise
            finally:
                self.busy = False
            if self.seen:  # a variable was read while the step was traced
                self._borrow()

    def replace(self, change: Callable[[TrainState], TrainState]) -> None:
        """Replaces the state by `change(state)`."""
        with self.lock:
            self.state = placement.replicate(change(self.take()))

    def peek(self) -> TrainState:
        """The state as it is, for reading; it must not be consumed."""
        with self.lock:
            return self.take()

    def close(self) -> None:
        """Gives the arrays back to the variables."""
        self.pull_rest()
        self.borrowed = None  # it refers to this owner


def owned(state: TrainState, keep: bool = False) -> TrainState:
    """The state in arrays that a step may consume: its own ones, and copies of those that others
    refer to.

    A numpy view of an array needs no copy: JAX does not consume what has one. The number of the
    step and the key are the model's: a step takes them from the host, which costs less than a copy
    on the device.

    Args:
        keep: the model refers to the optimizer's state.
    """
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return copied(state)  # references are not counted exactly
    if placement.is_on_one_device(state.rng):
        state = state.replace(step=np.array(state.step), rng=np.array(state.rng))
    alone = {"state": object()}
    leaves = jax.tree_util.tree_leaves(alone)
    count = sys.getrefcount(leaves[0])
    leaves, treedef = jax.tree_util.tree_flatten(state)
    for i in range(len(leaves)):
        if isinstance(leaves[i], jax.Array) and sys.getrefcount(leaves[i]) > count:
            leaves[i] = copied(leaves[i])
    state = treedef.unflatten(leaves)
    return state.replace(opt_state=copied(state.opt_state)) if keep else state


@contextlib.contextmanager
def state_owner(layout: "StateLayout") -> Iterator[StateOwner]:
    """A `StateOwner` for the length of a block; the arrays come back whatever happens."""
    owner = StateOwner(layout)
    try:
        yield owner
    finally:
        owner.close()


class Snapshot:
    """The `StateOwner` of an evaluation outside `fit`: the model keeps its arrays; metrics and
    state are written back.

    Args:
        copies: whether steps may consume the arrays.
    """

    def __init__(self, layout: StateLayout, copies: bool = False) -> None:
        self.layout, self.state = layout, layout.gather(copies)

    def replace(self, change: Callable[[TrainState], TrainState]) -> None:
        """Replaces the state by `change(state)`."""
        self.state = placement.replicate(change(self.state))

    def peek(self) -> TrainState:
        """The state."""
        return self.state

    def stepping(self) -> contextlib.AbstractContextManager:
        """A block that takes a step."""
        return contextlib.nullcontext()

    def store(self) -> None:
        """Writes metrics and state back into the variables."""
        self.layout.store(self.state)
