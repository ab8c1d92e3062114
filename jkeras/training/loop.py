"""The loop: a source's batches, several steps in one dispatch, no waiting for the device.

`Runner.epoch` is one epoch, in order. The data comes from a feed: `DeviceFeed`, where it lies on
the device and steps take rows by number, or `HostFeed`, which hands over one batch after another;
both are in `feeds.py`.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from jkeras.ops.kernels import outside_loops
from jkeras.training import keras_contract, placement
from jkeras.training.batch_independence import size_of
from jkeras.training.data import ArraySource
from jkeras.training.data.source import Batch, Source
from jkeras.training.feeds import DeviceFeed, HostFeed
from jkeras.training.pace import Pace, fixed_steps
from jkeras.training.padding import may_pad
from jkeras.training.program import Program, cached, program_of
from jkeras.training.results import metric_logs
from jkeras.training.state import TrainState
from jkeras.training.step import make_eval_step, make_train_step
from jkeras.training.types import Logs

if TYPE_CHECKING:
    from jkeras.training.layout import StateLayout
    from jkeras.training.ownership import StateOwner
    from jkeras.training.trainer import Trainer


class Runner:
    """Runs one epoch after another of training or evaluation steps on the state of a `StateOwner`.

    Args:
        kind: "train" or "test".
        every_batch: whether somebody wants to know of every single batch.
    """

    def __init__(
        self, model: "Trainer", layout: "StateLayout", kind: str, every_batch: bool
    ) -> None:
        self.model, self.layout, self.kind = model, layout, kind
        self._met, self._smaller, self._told = set(), False, False
        steps = fixed_steps(model, kind, every_batch)
        self.in_a_loop = steps != 1  # several steps are one dispatch
        self.pace = Pace(steps) if steps else cached(model, f"{kind}_pace", layout.key, Pace)
        self._pads = self.full_size = None
        self._functions = {}  # found once, since finding them costs as much as a small step
        self._feed, self._begun, self._begin = None, 0, None
        self.taken = 0  # batches, over all epochs

    # ------------------------------------------------------------ one epoch

    def restart(self) -> None:
        """Lets the next epoch begin at the first batch, and stops what makes batches."""
        if self._feed is not None:
            self._feed.close()
        self._feed = None

    close = restart

    def position(self) -> tuple[int, int] | None:
        """(epoch in which the pass over the data began, batches of it that were taken), or None
        between passes.
        """
        return None if self._feed is None else (self._begun, self._feed.at)

    def go_to(self, position: tuple[int, int]) -> None:
        """Lets the first pass begin at a `position`."""
        self._begin = position

    def epoch(
        self,
        owner: "StateOwner",
        source: Source,
        seed: int,
        epoch: int,
        limit: int | None,
        before: Callable[[int], None],
        done: int = 0,
        left: Callable[[], int | None] = lambda: None,
    ) -> Iterator[tuple[int, Logs]]:
        """Yields (number of the last step, logs on the device) after each dispatch; calls
        `before(step)` ahead of it.

        With a `limit` below the source's length the next epoch goes on where this one stopped.

        Args:
            done: number of steps of this epoch that were done before.
            left: the number of steps until somebody wants to look at the state.
        """
        whole = limit in (None, source.num_batches)
        if self._feed is None or not done and (whole or self._feed.at == source.num_batches):
            self.restart()
            begin, self._begin = self._begin, None
            if begin is None or not done and (whole or begin[1] == source.num_batches):
                begin = epoch, 0
            self._begun = begin[0]
            self._feed = self._new_feed(owner, source, seed, *begin)
        while (limit is None or done < limit) and self._feed.more():
            before(done)
            begin, compiling = time.perf_counter(), self.model.compile_seconds
            most = min(
                self.pace.steps, left() or self.pace.steps, (limit or done + self.pace.steps) - done
            )
            count, logs = self._feed.advance(owner, most)
            self.taken += count
            if not self.pace.settled:
                jax.block_until_ready(logs)
                if self.model.compile_seconds == compiling:
                    self.pace.took((time.perf_counter() - begin) / count)
            done += count
            yield done - 1, logs
        if limit is None or done < limit:
            self.restart()  # the data came to its end

    def _new_feed(
        self, owner: "StateOwner", source: Source, seed: int, epoch: int, at: int = 0
    ) -> DeviceFeed | HostFeed:
        rows_stay = (
            isinstance(source, ArraySource)
            and source.size % min(source.batch_size, source.size) == 0
        )
        if self._pads is None:
            first = source.shapes()
            self._pads = not rows_stay and cached(
                self.model,
                f"{self.kind}_pads",
                (self.layout.key, str(first)),
                lambda: may_pad(self.model, self.kind, owner.peek(), first),
            )
            self.full_size = size_of(first[0]) if self._pads else None
        on_device = (
            isinstance(source, ArraySource) and source.fits_on_device and jax.process_count() == 1
        )
        make = DeviceFeed if on_device and self.model.jit_compile else HostFeed
        return make(self, source, seed, epoch, self._pads, at)

    def dispatch(self, owner: "StateOwner", function: Program, *arguments) -> Logs:
        """The logs of a compiled function of the state, which takes a step or more; a new trace is
        noticed.
        """
        traces, begin = function.traces, time.perf_counter()
        logs = owner.advance(function, *arguments)
        if function.traces > traces:
            self.model.compile_seconds += time.perf_counter() - begin
            if function in self._met:
                self._explain(function)
        self._met.add(function)
        return logs

    def _explain(self, function: Program) -> None:
        """Warns, once, of a step that is compiled once more; a smaller last batch is no news."""
        if self._told or function.only_fewer_rows() and not self._smaller:
            self._smaller = True
            return
        self._told = True
        warnings.warn(
            f"Model '{self.model.name}': its {self.kind} step is compiled once more, which takes "
            f"time, because of {function.what_changed()}. Give all batches one shape, or few.",
            stacklevel=2,
        )

    # ------------------------------------------------------------ compiled functions

    def single(self, owner: "StateOwner") -> Program:
        """`(state, batch, valid_rows) -> (state, logs)`: one step on one batch; `valid_rows`
        is None where all are valid.
        """

        def make() -> Callable:
            step = outside_loops(self._make_step())

            def one(
                state: TrainState, batch: Batch, valid_rows: jax.Array | None
            ) -> tuple[TrainState, Logs]:
                if valid_rows is None:
                    return step(state, batch)
                return step(state, batch, valid_rows)

            return one

        return self._compiled("one", make, owner)

    def many(self, owner: "StateOwner") -> Program:
        """`(state, data, order, first, count) -> (state, logs)`: `count` steps on data that lies on
        the device.

        `order` has a row for each step, the numbers of the rows in its batch; numbers past the end
        are padding.
        """
        return self._compiled("many" if self.in_a_loop else "straight", self._make_many, owner)

    def _compiled(self, form: str, make: Callable[[], Callable], owner: "StateOwner") -> Program:
        if form not in self._functions:
            donate = (0,) if self.kind == "train" else ()
            self._functions[form] = program_of(
                self.model, f"{self.kind}_{form}", self.layout.key, make, donate, owner.peek()
            )
        return self._functions[form]

    def _make_step(self) -> Callable:
        return (make_train_step if self.kind == "train" else make_eval_step)(self.model)

    def _make_many(self) -> Callable:
        step, layout, model = self._make_step(), self.layout, self.model

        def one(
            state: TrainState, data: Batch, order: jax.Array, i: jax.Array
        ) -> tuple[TrainState, Logs]:
            """The step number i of the feed."""
            size = jax.tree_util.tree_leaves(data)[0].shape[0]
            batch = placement.constrain(
                jax.tree_util.tree_map(lambda v: v[jnp.minimum(order[i], size - 1)], data)
            )
            if order.size <= size:
                return step(state, batch)
            return step(state, batch, placement.constrain(order[i] < size))

        def many(
            state: TrainState, data: Batch, order: jax.Array, first: jax.Array, count: jax.Array
        ) -> tuple[TrainState, Logs]:
            state = jax.lax.fori_loop(
                first, first + count, lambda i, state: one(state, data, order, i)[0], state
            )
            return state, metric_logs(model, layout, state)

        def many_own(
            state: TrainState, data: Batch, order: jax.Array, first: jax.Array, count: jax.Array
        ) -> tuple[TrainState, Logs]:
            """The logs are those of the last step, which may be no metrics."""
            logs = jax.tree_util.tree_map(
                lambda v: jnp.zeros(v.shape, v.dtype),
                jax.eval_shape(lambda: one(state, data, order, first)[1]),
            )
            return jax.lax.fori_loop(
                first, first + count, lambda i, both: one(both[0], data, order, i), (state, logs)
            )

        if not self.in_a_loop:
            straight = outside_loops(one)
            return lambda state, data, order, first, _: straight(state, data, order, first)
        return many_own if keras_contract.has_own_step(model, self.kind) else many

    def compile(self, owner: "StateOwner", source: Source) -> None:
        """Compiles what an epoch on a source runs, by running it; `owner` is to be thrown away."""
        rest = self._new_feed(owner, source, 0, 0)
        if isinstance(rest, DeviceFeed):
            rest.at = max(rest.whole - 1, 0)
        while rest.more():
            rest.advance(owner, 1)
            if not isinstance(rest, DeviceFeed):
                break
        rest.close()
        jax.block_until_ready(owner.peek())
