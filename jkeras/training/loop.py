"""The loop: a source's batches in chunks of several steps, one dispatch for each chunk, no waiting for the device."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core import frame
from jkeras.core.graph import flatten
from jkeras.core.module import walk
from jkeras.ops.kernels import on_cpu
from jkeras.training import keras_contract, placement
from jkeras.training.data import ArraySource, take
from jkeras.training.live import compiled
from jkeras.training.step import flat_logs, make_eval_step, make_train_step

AUTO_CHUNK = 32  # steps in one dispatch, where nobody looks at single batches


def chunk_size(model, kind, every_batch):
    """How many steps go into one dispatch.

    One where callbacks look at every batch, the user's own step returns logs of its own, or convolutions would run
    inside a loop on a CPU, where XLA computes their weight gradient ten times slower.
    """
    if model.steps_per_execution > 1:
        return model.steps_per_execution
    custom = keras_contract.overrides(model, f"{kind}_step") or hasattr(model, "pure_train_step")
    if not model.jit_compile or every_batch or custom:
        return 1
    if on_cpu() and any("Conv" in type(part).__name__ for _, part in walk(model)):
        return 1
    return AUTO_CHUNK


class Runner:
    """Runs one epoch after another of training or evaluation steps on a `Live` state.

    Args:
        kind: "train" or "test".
        every_batch: whether somebody wants to know of every single batch.
    """

    def __init__(self, model, plan, kind, every_batch):
        self.model, self.plan, self.kind = model, plan, kind
        self.chunk = chunk_size(model, kind, every_batch)
        self.make_step = make_train_step if kind == "train" else make_eval_step
        self.donate = (0,) if kind == "train" else ()
        self._shapes = []  # that batches had; None: the user knows
        self.restart()

    # ------------------------------------------------------------ compiled functions

    def single(self, live):
        """One step on one batch."""
        return compiled(self.model, f"{self.kind}_one", self.plan.key, lambda: self.make_step(self.model), self.donate,
                        live.peek())

    def many(self, live):
        """`count` steps on rows of data that lie on the device."""
        return compiled(self.model, f"{self.kind}_many", self.plan.key, self._make_many, self.donate, live.peek())

    def _make_many(self):
        step, plan, model = self.make_step(self.model), self.plan, self.model

        def many(state, data, rows, count):
            def body(i, state):
                batch = placement.constrain(jax.tree_util.tree_map(lambda v: v[rows[i]], data))
                return step(state, batch)[0]
            state = jax.lax.fori_loop(0, count, body, state)
            return state, metric_logs(model, plan, state)
        return many

    # ------------------------------------------------------------ one epoch

    def epoch(self, live, source, seed, epoch, limit, before):
        """Yields (number of the last step, logs on the device) after each dispatch; calls `before(step)` ahead of it.

        With a `limit` below the source's length the next epoch goes on where this one stopped.
        """
        short = limit is not None and (source.num_batches is None or limit != source.num_batches)
        if not short and self._runs_on_device(source):
            yield from self._epoch_on_device(live, source, seed, epoch, before)
            return
        step, done = self.single(live), 0
        batches = self._resumed(source, seed, epoch) if short else source.batches(seed, epoch)
        while limit is None or done < limit:
            batch = next(batches, None)
            if batch is None:
                self._batches = None
                break
            if done % self.chunk == 0:
                before(done)
            self._notice(batch)
            logs = live.advance(step, placement.place(batch))
            done += 1
            if done % self.chunk == 0 or done == (limit or source.num_batches):
                yield done - 1, logs
        if done and done % self.chunk and done != (limit or source.num_batches):
            yield done - 1, logs

    def _runs_on_device(self, source):
        return self.chunk > 1 and isinstance(source, ArraySource) and source.fits_on_device and jax.process_count() == 1

    def compile(self, live, source):
        """Compiles what an epoch on a source runs, by running it; `live` is to be thrown away."""
        if self._runs_on_device(source) and source.size >= source.batch_size:
            rows = np.zeros((self.chunk, source.batch_size), "int32")
            live.advance(self.many(live), source.on_device(), rows, np.int32(0))
            first = source.size - source.size % source.batch_size  # the rows of the last batch, if it is another size
            batch = None if first == source.size else take(source.data, slice(first, None))
        else:
            batch = source.peek()
        if batch is not None:
            live.advance(self.single(live), placement.place(batch))
        jax.block_until_ready(live.peek())

    def _notice(self, batch):
        """Warns once where batches come in ever new shapes: two are one size and a smaller end."""
        if self._shapes is None:
            return
        shapes = tuple(v.shape for v in flatten(batch) if v is not None)
        if shapes not in self._shapes:
            self._shapes.append(shapes)
        if len(self._shapes) > 2:
            shapes = "; then ".join(map(str, self._shapes))
            warnings.warn(f"Model '{self.model.name}': its step is compiled anew for each new shape of a batch, which "
                          f"takes time. The shapes so far: {shapes}. Pad all batches to one shape, or to a few.",
                          stacklevel=2)
            self._shapes = None

    def restart(self):
        """Lets the next epoch begin at the first batch."""
        self._batches, self._seen = None, 0

    def _resumed(self, source, seed, epoch):
        """The batches that the last epoch left over, else all."""
        total = source.num_batches
        if self._batches is None or total is not None and self._seen >= total:
            self._batches, self._seen = self._counted(source, seed, epoch), 0
        return self._batches

    def _counted(self, source, seed, epoch):
        for batch in source.batches(seed, epoch):
            self._seen += 1
            yield batch

    def _epoch_on_device(self, live, source, seed, epoch, before):
        rows, size, data = source.order(seed, epoch), source.batch_size, source.on_device()
        whole = source.size // size
        many = self.many(live) if whole else None
        for start in range(0, whole, self.chunk):
            count = min(self.chunk, whole - start)
            mine = rows[start * size:(start + count) * size].reshape(count, size)
            if count < self.chunk:
                mine = np.concatenate([mine, np.zeros((self.chunk - count, size), "int32")])
            before(start)
            yield start + count - 1, live.advance(many, data, mine, np.int32(count))
        if source.num_batches > whole:
            rest = rows[whole * size:]
            before(whole)
            yield whole, live.advance(self.single(live), placement.place(take(source.data, rest)))


def metric_logs(model, plan, state):
    """The logs that a state's metrics give."""
    values = plan.values(state.params, state.frozen, state.state, state.metrics)
    with frame.Run(model, values):
        return flat_logs(model.get_metrics_result())


def as_numbers(logs):
    """Logs as Python numbers, in sorted order; arrays that are no scalars stay arrays."""
    def number(value):
        value = placement.to_host(value)
        return value.item() if value.ndim == 0 else value
    return {k: number(v) for k, v in flat_logs(logs).items()}


def concatenate(outputs):
    """The outputs of several batches as one structure of numpy arrays."""
    if len(outputs) == 1:
        return jax.tree_util.tree_map(placement.to_host, outputs[0])
    return jax.tree_util.tree_map(lambda *parts: np.concatenate([placement.to_host(p) for p in parts]), *outputs)


def first_shapes(batch):
    """A batch as shapes, for building."""
    return jax.tree_util.tree_map(lambda v: jax.ShapeDtypeStruct(jnp.shape(v), jax.dtypes.canonicalize_dtype(
        v.dtype)), batch)
