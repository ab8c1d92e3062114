"""ThroughputMonitor: how fast a training is, what its time goes into, what is out of the usual."""

import collections
import importlib.util
import math
import statistics
import sys
import time
from typing import Any, NamedTuple

import jax

from jkeras.callbacks.base import Callback
from jkeras.callbacks.timing import KINDS, OneStep, Timing
from jkeras.core.names.registry import public
from jkeras.core.say.warning import warn
from jkeras.core.session.processes import gathered_from_all
from jkeras.core.session.settings import settings
from jkeras.kernel import in_force

INTERVAL = 1.0  # seconds between two looks at the loss
FEWEST = 10  # of losses, and of times of a step, before one can be unusual
LOSSES, TIMES = 50, 64  # how many of the last ones count
BAND = 10.0  # times their median distance from their median: further up is out of the band
SLOW = 10.0  # times their median
SHORTEST = 0.05  # seconds that a dispatch takes at least to be called slow
LAG = 0.1  # share of its time that a process waits for data before it is said to lag


@public("jkeras.callbacks.ThroughputMonitor")
class ThroughputMonitor(Callback):
    """Adds to the results of each epoch how fast the training was, and warns of what is unusual.

    To be put before the callbacks that write results, such as `TensorBoard`; `fit` gives them in
    its history too. Rates are those of the time that the training takes for steps and their data,
    without compiling, checkpoints and validation.

    | result | is |
    | --- | --- |
    | rows_per_second | of all processes |
    | tokens_per_second | the same times the length of a row; of inputs (rows, length) of integers |
    | flops_per_second | products and convolutions that the model needs, of all devices |
    | mfu | their share of what the devices can do at most, where that is known |
    | time_data | share of the epoch's time that the loop waited for batches |
    | time_compile, time_checkpoint, time_validation | shares of the epoch's time |
    | goodput | share of the time since the run began that went into steps: of all starts of a run \
that goes on from checkpoints, what lies between them included |
    | peak_memory | bytes, of the first device; on a CPU of the process |

    Warns of a step that takes ten times as long as usual, of a loss that leaves the band of the
    last ones, and, with several processes, of one that waits for its data while the others wait for
    it. An epoch is what lies between two ends of epochs, so the first one has the time before its
    first step, too.

    Args:
        warns: whether to warn.

    >>> import jkeras, numpy as np
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x, y = np.ones((8, 3)), np.ones((8, 1))
    >>> history = model.fit(x, y, epochs=2, verbose=0, callbacks=ThroughputMonitor()).history
    >>> len(history["rows_per_second"]), 0 < history["goodput"][-1] < 1
    (2, True)
    """

    every_batch = False

    def __init__(self, warns: bool = True) -> None:
        super().__init__()
        self.warns = warns

    def set_model(self, model: Any) -> None:
        """Asks the training of the model for its times, from here on."""
        super().set_model(model)
        self._ask()
        self._mark = time.perf_counter()
        self._before = dict.fromkeys(KINDS, 0.0)
        self._begun = time.time()  # of the first start of the run
        self._useful = 0.0  # its seconds of steps

    def _ask(self) -> None:
        if self.model.fit_timing is None:
            self.model.set_untracked(fit_timing=Timing())
        self._timing = self.model.fit_timing

    def get_state(self) -> dict[str, Any]:
        """What a checkpoint must remember: when the run began, and its seconds of steps."""
        useful = self._useful + time.perf_counter() - self._mark - sum(self._spent().values())
        return {"begun": self._begun, "useful": max(useful, 0.0)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes back what `get_state` gave."""
        self._begun, self._useful = state["begun"], state["useful"]

    # ------------------------------------------------------------ the course of a training

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begins to look."""
        self._ask()  # again: the list of callbacks may have been made before `fit` began
        self._step: Step | None = None
        self._times = collections.deque(maxlen=TIMES)
        self._losses = collections.deque(maxlen=LOSSES)
        self._first = self._last = None

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Notes where the epoch begins."""
        if self._first is None:
            self._first, self._last = batch, batch - 1
            # steps of the epoch, and the sum of their losses, which of an epoch that goes on from a
            # checkpoint is not known yet
            self._seen = batch, None if batch else 0.0
            self._looked = self._dispatched = time.perf_counter()
            self._compiled = self.model.compile_seconds

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the time of a dispatch, now and then at the loss."""
        now = time.perf_counter()
        if self.warns:
            self._look_at_time(batch, now)
        self._last, self._dispatched = batch, now
        if self.warns and now - self._looked >= INTERVAL:
            self._look_at_loss(logs)
            self._looked = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds to the results."""
        if logs is None or self._first is None:
            return
        now, spent = time.perf_counter(), self._spent()
        whole = now - self._mark
        lost = sum(spent.values())
        self._useful += max(whole - lost, 0.0)
        logs.update(self._rates(whole - lost + spent["data"]))
        logs.update({f"time_{kind}": seconds / whole for kind, seconds in spent.items()})
        logs["goodput"] = min(self._useful / max(time.time() - self._begun, 1e-9), 1.0)
        peak = peak_memory()
        if peak is not None:
            logs["peak_memory"] = peak
        if self.warns:
            self._look_at_loss(logs)
            self._look_at_others(spent["data"] / whole)
        for kind, seconds in spent.items():
            self._before[kind] += seconds
        self._mark = time.perf_counter()
        self._first = None

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Asks no more."""
        self.model.set_untracked(fit_timing=None)

    # ------------------------------------------------------------ numbers

    def _spent(self) -> dict[str, float]:
        """The seconds since the last epoch by what they went into."""
        timing = self._timing
        total = timing.data, self.model.compile_seconds, timing.checkpoint, timing.validation
        return {kind: one - self._before[kind] for kind, one in zip(KINDS, total)}

    def _rates(self, seconds: float) -> dict[str, float]:
        """What went by in so many seconds of an epoch."""
        if self._timing.step is None:  # a loop of the user's own
            return {}
        if self._step is None:
            self._step = looked_into(self._timing.step())
        step, processes = self._step, jax.process_count()
        rows = (self._last - self._first + 1) * step.rows
        if self._timing.rows is not None and self._first == 0:
            rows = min(rows, self._timing.rows)
        per_second = 1 / max(seconds, 1e-9)
        rates = {"rows_per_second": processes * rows * per_second}
        if step.length is not None:
            rates["tokens_per_second"] = step.length * rates["rows_per_second"]
        of_steps = rows / step.rows * per_second
        rates["flops_per_second"] = of_steps * step.operations
        if step.at_peak is not None:
            rates["mfu"] = of_steps * step.at_peak
        return rates

    # ------------------------------------------------------------ what is unusual

    def _look_at_time(self, batch: int, now: float) -> None:
        """Warns of a slow dispatch."""
        seconds = now - self._dispatched
        of_step = seconds / max(batch - self._last, 1)
        if self.model.compile_seconds != self._compiled:
            self._compiled = self.model.compile_seconds
            return
        if len(self._times) >= FEWEST and seconds >= SHORTEST:
            usual = statistics.median(self._times)
            if of_step > SLOW * usual:
                warn(
                    f"Model '{self.model.name}': steps up to {batch} (from 0) took {of_step:.3g} s "
                    f"each, and those before {usual:.3g} s. They may have waited for data, for a "
                    "disk, or for another program on the machine."
                )
                return
        self._times.append(of_step)

    def _look_at_loss(self, logs: dict[str, Any] | None) -> None:
        """Warns where the loss of the steps since the last look is far above those before; logs
        have its mean over the epoch so far.
        """
        mean = (logs or {}).get("loss")
        steps, total = self._seen
        now = self._last + 1
        if not isinstance(mean, float) or now <= steps:
            return
        self._seen = now, mean * now
        if total is None or not math.isfinite(mean):
            return
        loss = (mean * now - total) / (now - steps)
        if len(self._losses) >= FEWEST:
            usual = statistics.median(self._losses)
            spread = statistics.median([abs(one - usual) for one in self._losses])
            if loss > usual + BAND * max(spread, 1e-3 * abs(usual)):
                warn(
                    f"Model '{self.model.name}': the loss is {loss:.4g} at step {self._last}, and "
                    f"was {usual:.4g} before, give or take {spread:.2g}. Look at the data of these "
                    "steps; clip gradients, or go on from a checkpoint with a lower learning rate."
                )
                self._losses.clear()
        self._losses.append(loss)

    def _look_at_others(self, share: float) -> None:
        """Warns of a process that waits for its data, while others wait for it."""
        if jax.process_count() == 1:
            return
        shares = gathered_from_all(share)
        most = max(shares)
        usual = statistics.median(shares)
        if jax.process_index() == 0 and most > max(LAG, 3 * usual):
            warn(
                f"Process {shares.index(most)} waited {most:.0%} of the epoch for its data, and "
                f"half of the processes at most {usual:.0%}: all wait for it."
            )


class Step(NamedTuple):
    """What is in a step.

    Attributes:
        rows: of a batch, of one process.
        length: of a row of integers; None: rows are no sequences of tokens.
        operations: in products and convolutions that the models need, on all devices.
        at_peak: the seconds that they take the devices at least; None: what these can do is
            unknown.
    """

    rows: int
    length: int | None
    operations: int
    at_peak: float | None


def looked_into(step: OneStep) -> Step:
    """What is in a step of a training; it is traced and not run."""
    from jkeras.core.run.remat import ALL_SAVED
    from jkeras.distribution.chips import chip_of
    from jkeras.programs.operations import operations_by_dtype
    from jkeras.programs.walk import trace

    processes = jax.process_count()
    first = jax.tree_util.tree_leaves(step.batch[0])[0]
    length = None
    if len(first.shape) == 2 and first.dtype.kind in "iu":
        length = first.shape[1]
    with in_force.having(ALL_SAVED, True):
        program, _ = trace(step.function, step.state, step.batch)
    counts = operations_by_dtype(program.jaxpr)
    times = processes * step.models  # each process has a part of the batch
    devices = 1
    if settings.distribution is not None:
        devices = settings.distribution.device_mesh.backend_mesh.devices.size
    chip, at_peak = chip_of(jax.local_devices()[0]), None
    if chip is not None:
        at_peak = times * chip.seconds(counts) / devices
    return Step(first.shape[0], length, times * counts.total(), at_peak)


def peak_memory() -> int | None:
    """The most bytes that the first device has held so far; on a CPU, that this process has; None
    where the system does not say.

    >>> peak_memory() > 2**20
    True
    """
    stats = jax.local_devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" in stats:
        return stats["peak_bytes_in_use"]
    if importlib.util.find_spec("resource") is None:  # Windows
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
