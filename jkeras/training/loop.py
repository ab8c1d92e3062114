"""The loop: a source's batches, several steps in one dispatch, no waiting for the device.

`Runner.epoch` is one epoch, in order. The data comes in a pass: `OnDevice`, where it lies on the device and steps take
rows by number, or `FromHost`, which hands over one batch after another.
"""

import time
import warnings

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.ops.kernels import outside_loops
from jkeras.training import keras_contract, placement
from jkeras.training.compilation import compiled
from jkeras.training.data import ArraySource, take
from jkeras.training.pace import Pace, fixed_steps
from jkeras.training.padding import may_pad
from jkeras.training.prefetch import Prefetched
from jkeras.training.results import metric_logs
from jkeras.training.rows import padded, size_of
from jkeras.training.step import make_eval_step, make_train_step


class Runner:
    """Runs one epoch after another of training or evaluation steps on a `Live` state.

    Args:
        kind: "train" or "test".
        every_batch: whether somebody wants to know of every single batch.
    """

    def __init__(self, model, plan, kind, every_batch):
        self.model, self.plan, self.kind = model, plan, kind
        self._met, self._smaller, self._told = set(), False, False
        steps = fixed_steps(model, kind, every_batch)
        self.in_a_loop = steps != 1  # several steps are one dispatch
        self.pace = Pace(steps) if steps else compiled(model, f"{kind}_pace", plan.key, Pace, jit=False)
        self._pads = self.full_size = None
        self._functions = {}  # found once, since finding them costs as much as a small step
        self._pass = None

    # ------------------------------------------------------------ one epoch

    def restart(self):
        """Lets the next epoch begin at the first batch, and stops what makes batches."""
        if self._pass is not None:
            self._pass.close()
        self._pass = None

    def epoch(self, live, source, seed, epoch, limit, before):
        """Yields (number of the last step, logs on the device) after each dispatch; calls `before(step)` ahead of it.

        With a `limit` below the source's length the next epoch goes on where this one stopped.
        """
        if self._pass is None or limit in (None, source.num_batches) or self._pass.at == source.num_batches:
            self.restart()
            self._pass = self._new_pass(live, source, seed, epoch)
        done = 0
        while (limit is None or done < limit) and self._pass.more():
            before(done)
            begin, compiling = time.perf_counter(), self.model.compile_seconds
            count, logs = self._pass.advance(live, min(self.pace.steps, (limit or done + self.pace.steps) - done))
            if not self.pace.settled:
                jax.block_until_ready(logs)
                if self.model.compile_seconds == compiling:
                    self.pace.took((time.perf_counter() - begin) / count)
            done += count
            yield done - 1, logs
        if limit is None or done < limit:
            self.restart()  # the data came to its end

    def _new_pass(self, live, source, seed, epoch):
        rows_stay = isinstance(source, ArraySource) and source.size % min(source.batch_size, source.size) == 0
        if self._pads is None:
            first = source.shapes()
            self._pads = not rows_stay and compiled(
                self.model, f"{self.kind}_pads", (self.plan.key, str(first)),
                lambda: may_pad(self.model, self.kind, live.peek(), first), jit=False)
            self.full_size = size_of(first[0]) if self._pads else None
        on_device = isinstance(source, ArraySource) and source.fits_on_device and jax.process_count() == 1
        make = OnDevice if on_device and self.model.jit_compile else FromHost
        return make(self, source, seed, epoch, self._pads)

    def dispatch(self, live, function, *arguments):
        """The logs of a compiled function of the state, which takes a step or more; a new trace is noticed."""
        traces, begin = function.traces, time.perf_counter()
        logs = live.advance(function, *arguments)
        if function.traces > traces:
            self.model.compile_seconds += time.perf_counter() - begin
            if function in self._met:
                self._explain(function)
        self._met.add(function)
        return logs

    def _explain(self, function):
        """Warns, once, of a step that is compiled once more; a smaller last batch is no news."""
        if self._told or function.only_fewer_rows() and not self._smaller:
            self._smaller = True
            return
        self._told = True
        warnings.warn(f"Model '{self.model.name}': its {self.kind} step is compiled once more, which takes time, "
                      f"because of {function.what_changed()}. Give all batches one shape, or few.", stacklevel=2)

    # ------------------------------------------------------------ compiled functions

    def single(self, live):
        """`(state, batch, rows) -> (state, logs)`: one step on one batch; `rows` are None where all are real."""
        def make():
            step = outside_loops(self._make_step())
            return lambda state, batch, rows: step(state, batch) if rows is None else step(state, batch, rows)
        return self._compiled("one", make, live)

    def many(self, live):
        """`(state, data, order, first, count) -> (state, logs)`: `count` steps on data that lies on the device.

        `order` has a row for each step, the numbers of the rows in its batch; numbers past the end are padding.
        """
        return self._compiled("many" if self.in_a_loop else "straight", self._make_many, live)

    def _compiled(self, form, make, live):
        if form not in self._functions:
            donate = (0,) if self.kind == "train" else ()
            self._functions[form] = compiled(self.model, f"{self.kind}_{form}", self.plan.key, make, donate,
                                             live.peek())
        return self._functions[form]

    def _make_step(self):
        return (make_train_step if self.kind == "train" else make_eval_step)(self.model)

    def _make_many(self):
        step, plan, model = self._make_step(), self.plan, self.model

        def one(state, data, order, i):
            """The step number i of the pass."""
            size = jax.tree_util.tree_leaves(data)[0].shape[0]
            batch = placement.constrain(jax.tree_util.tree_map(lambda v: v[jnp.minimum(order[i], size - 1)], data))
            if order.size <= size:
                return step(state, batch)
            return step(state, batch, placement.constrain(order[i] < size))

        def many(state, data, order, first, count):
            state = jax.lax.fori_loop(first, first + count, lambda i, state: one(state, data, order, i)[0], state)
            return state, metric_logs(model, plan, state)

        def many_own(state, data, order, first, count):
            """The logs are those of the last step, which may be no metrics."""
            logs = jax.tree_util.tree_map(lambda v: jnp.zeros(v.shape, v.dtype), jax.eval_shape(
                lambda: one(state, data, order, first)[1]))
            return jax.lax.fori_loop(first, first + count, lambda i, both: one(both[0], data, order, i), (state, logs))
        if not self.in_a_loop:
            straight = outside_loops(one)
            return lambda state, data, order, first, _: straight(state, data, order, first)
        return many_own if keras_contract.has_own_step(model, self.kind) else many

    def compile(self, live, source):
        """Compiles what an epoch on a source runs, by running it; `live` is to be thrown away."""
        rest = self._new_pass(live, source, 0, 0)
        if isinstance(rest, OnDevice):
            rest.at = max(rest.whole - 1, 0)
        while rest.more():
            rest.advance(live, 1)
            if not isinstance(rest, OnDevice):
                break
        rest.close()
        jax.block_until_ready(live.peek())


class OnDevice:
    """A pass over arrays that lie on the device, in an order of rows that is put there once.

    Attributes:
        at: number of the next step.
        whole: number of steps that `Runner.many` takes; a smaller batch behind them, if it may not be padded, is not
            among them.
    """

    def __init__(self, runner, source, seed, epoch, pads):
        self.runner, self.source, self.at = runner, source, 0
        rows, size = source.order(seed, epoch), min(source.batch_size, source.size)
        self.whole = -(-len(rows) // size) if pads else len(rows) // size
        self.rest = rows[self.whole * size:]
        rows = np.concatenate([rows, np.arange(len(rows), self.whole * size, dtype=rows.dtype)])
        self.order = placement.everywhere(rows[:self.whole * size].reshape(self.whole, size))

    def more(self):
        """Whether there is another batch."""
        return self.at < self.whole + bool(len(self.rest))

    def advance(self, live, most):
        """(number of steps taken, at most so many, their logs)."""
        if self.at < self.whole:
            count = min(most, self.whole - self.at)
            logs = self.runner.dispatch(live, self.runner.many(live), self.source.on_device(), self.order,
                                        np.int32(self.at), np.int32(count))
        else:
            count, batch = 1, placement.place(take(self.source.data, self.rest))
            logs = self.runner.dispatch(live, self.runner.single(live), batch, None)
        self.at += count
        return count, logs

    def close(self):
        """Nothing to release."""


class FromHost:
    """A pass over a source that gives one batch after another; smaller ones are padded where that is allowed.

    A thread makes batches ahead where the source says that it may.
    """

    def __init__(self, runner, source, seed, epoch, pads):
        self.runner, self.at, self.next = runner, 0, None
        self.size = runner.full_size if pads else None
        batches = source.batches(seed, epoch)
        ahead = source.from_any_thread and runner.model.jit_compile
        self.batches = Prefetched(batches, self._filled) if ahead else map(self._filled, batches)
        self._stop = self.batches.close if ahead else batches.close

    def more(self):
        """Whether there is another batch, which is taken from the source and kept."""
        if self.next is None:
            self.next = next(self.batches, None)
        return self.next is not None

    def advance(self, live, most):
        """(number of steps taken, at most so many, the logs of the last)."""
        count = 0
        while count < most and self.more():
            batch, self.next = self.next, None
            logs = self.runner.dispatch(live, self.runner.single(live), *batch)
            count += 1
        self.at += count
        return count, logs

    def _filled(self, batch):
        """A batch at its full size and which of its rows are real, on the devices as far as that can be done ahead."""
        if self.size is None:
            return placement.ahead((batch, None))
        rows = size_of(batch[0])
        full = batch if rows >= self.size else padded(batch, self.size)
        return placement.ahead((full, np.arange(max(rows, self.size)) < rows))

    def close(self):
        """Stops what makes batches."""
        self.next = None
        self._stop()
