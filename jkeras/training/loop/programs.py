"""The compiled programs of a loop: one step on a batch, or many on data that lies on the device."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from jkeras.ops.kernels import outside_loops
from jkeras.training.data import placement
from jkeras.training.data.source import Batch
from jkeras.training.step.overrides import has_own_logs
from jkeras.training.loop.pace import MOST
from jkeras.training.loop.program import Program, program_of
from jkeras.training.loop.recording import KEY, Recorder, recording
from jkeras.training.step.results import metric_logs
from jkeras.training.step.state import TrainState
from jkeras.training.step.step import eval_step_on, train_step_on
from jkeras.training.types import Logs

if TYPE_CHECKING:
    from jkeras.training.step.layout import StateLayout
    from jkeras.training.loop.ownership import AnyOwner
    from jkeras.training.shell.trainer import Trainer


class Programs:
    """The programs of a model's steps of a kind, by form.

    Args:
        kind: "train" or "test".
        in_a_loop: whether "many" runs several steps, in a loop, rather than one.
        recorder: of the steps, whose records are among the logs; None: there is none.
    """

    def __init__(
        self,
        model: "Trainer",
        layout: "StateLayout",
        kind: str,
        in_a_loop: bool,
        recorder: Recorder | None = None,
    ) -> None:
        self.model = model
        self.layout = layout
        self.kind = kind
        self.in_a_loop = in_a_loop
        self.recorder = recorder
        self.keeps = False  # whether the state before a dispatch is asked for after it
        self._cache = {}  # finding one costs as much as a small step

    def get(self, form: str, owner: "AnyOwner") -> Program:
        """The program of a form.

        "one": `(state, batch, valid_rows) -> (state, logs)`, one step on one batch; `valid_rows`
        is None where all are valid. "many": `(state, data, order, first, count) -> (state, logs)`,
        `count` steps on data that lies on the device; `order` has a row for each step, the numbers
        of the rows in its batch, numbers past the end being padding.

        Args:
            owner: of a state like the one that it will take.
        """
        if form not in self._cache:
            name = form
            if form == "many" and not self.in_a_loop:
                name = "straight"
            donate = (0,) if self.kind == "train" else ()
            key = self.layout.key
            account = self.model.privacy_account
            if account is not None and self.kind == "train":
                key = key, account.constants()
            if self.recorder is not None:
                key = key, self.recorder.of_step
            if self.keeps:
                donate, name = (), f"{name}_kept"
            self._cache[form] = program_of(
                self.model,
                f"{self.kind}_{name}",
                key,
                lambda: self.layout.mapped(self._made(form), self.kind, form),
                donate,
                owner.peek,
            )
        return self._cache[form]

    def _step(self) -> Callable:
        make = train_step_on if self.kind == "train" else eval_step_on
        return make(self.model, self.layout.of_step())

    def _single(self) -> Callable:
        step = outside_loops(self._step())

        def one(
            state: TrainState, batch: Batch, valid_rows: jax.Array | None
        ) -> tuple[TrainState, Logs]:
            if valid_rows is None:
                return step(state, batch)
            return step(state, batch, valid_rows)

        return self._recorded(one)

    def _recorded(self, step: Callable) -> Callable:
        """A function of one step that gives the record of it, too, where there is a recorder."""
        if self.recorder is None:
            return step
        return functools.wraps(step)(recording(self.recorder.of_step)(step))

    def _batch_of(self) -> Callable:
        may_pad = self.kind == "train" and self.model.compilation.privacy is not None
        return functools.partial(batch_of, may_pad=may_pad)

    def _made(self, form: str) -> Callable:
        """The function of a form."""
        if form != "many":
            return self._single()
        if not self.in_a_loop:
            return self._straight()
        if self.recorder is not None:
            return self._recorded_loop()
        if has_own_logs(self.model, self.kind):
            return self._loop_with_logs()
        return self._loop()

    def _straight(self) -> Callable:
        step = outside_loops(self._step())

        batch_of = self._batch_of()

        def straight(
            state: TrainState, data: Batch, order: jax.Array, first: jax.Array, count: jax.Array
        ) -> tuple[TrainState, Logs]:
            return step(state, *batch_of(data, order, first))

        return self._recorded(straight)

    def _loop(self) -> Callable:
        step = self._step()
        model, layout, batch_of = self.model, self.layout, self._batch_of()

        def many(
            state: TrainState, data: Batch, order: jax.Array, first: jax.Array, count: jax.Array
        ) -> tuple[TrainState, Logs]:
            def body(i: jax.Array, state: TrainState) -> TrainState:
                return step(state, *batch_of(data, order, i))[0]

            state = jax.lax.fori_loop(first, first + count, body, state)
            return state, metric_logs(model, layout, state)

        return many

    def _loop_with_logs(self) -> Callable:
        """The same where the logs are those of the last step, which may be no metrics."""
        step, batch_of = self._step(), self._batch_of()

        def many(
            state: TrainState, data: Batch, order: jax.Array, first: jax.Array, count: jax.Array
        ) -> tuple[TrainState, Logs]:
            def body(
                i: jax.Array, state_and_logs: tuple[TrainState, Logs | None]
            ) -> tuple[TrainState, Logs]:
                return step(state_and_logs[0], *batch_of(data, order, i))

            _, logs = jax.eval_shape(body, first, (state, None))
            logs = jax.tree_util.tree_map(lambda v: jnp.zeros(v.shape, v.dtype), logs)
            return jax.lax.fori_loop(first, first + count, body, (state, logs))

        return many

    def _recorded_loop(self) -> Callable:
        """The same whose logs have the records of the steps, in their order."""
        step, batch_of, of_step = self._step(), self._batch_of(), self.recorder.of_step
        room = max(MOST, self.model.steps_per_execution)

        def many(
            state: TrainState, data: Batch, order: jax.Array, first: jax.Array, count: jax.Array
        ) -> tuple[TrainState, Logs]:
            def body(
                i: jax.Array, carried: tuple[TrainState, Logs, jax.Array]
            ) -> tuple[TrainState, Logs, jax.Array]:
                state, _, records = carried
                state, logs = step(state, *batch_of(data, order, i))
                return state, logs, records.at[i - first].set(of_step(state, logs))

            def one(state: TrainState) -> tuple[Logs, jax.Array]:
                state, logs = step(state, *batch_of(data, order, first))
                return logs, of_step(state, logs)

            logs, record = jax.eval_shape(one, state)
            logs = jax.tree_util.tree_map(lambda v: jnp.zeros(v.shape, v.dtype), logs)
            records = jnp.zeros((room, *record.shape), record.dtype)
            carried = state, logs, records
            state, logs, records = jax.lax.fori_loop(first, first + count, body, carried)
            return state, {**logs, KEY: records}

        return many


def batch_of(data: Batch, order: jax.Array, i: jax.Array, may_pad: bool = False) -> tuple:
    """The arguments of the step number i of a feed: its batch, and which rows are valid where some
    are padding.

    Args:
        may_pad: any row may be padding, and not only those of a last batch.
    """
    size = jax.tree_util.tree_leaves(data)[0].shape[0]
    rows = jnp.minimum(order[i], size - 1)
    batch = placement.constrain(jax.tree_util.tree_map(lambda v: v[rows], data))
    if order.size <= size and not may_pad:
        return (batch,)
    return batch, placement.constrain(order[i] < size)
