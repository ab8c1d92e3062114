"""The loop: a source's batches, several steps in one dispatch, no waiting for the device.

`Runner.epoch` is one epoch, in order. The data comes from a feed: `DeviceFeed`, where it lies on
the device and steps take rows by number, `ChunkFeed`, where it does so chunk by chunk, or
`HostFeed`, which hands over one batch after another. What the dispatches run is in `programs.py`.
"""

import functools
import math
import time
import typing
import warnings
from collections.abc import Callable, Iterator

import jax

from jkeras.core.errors import StepError
from jkeras.core.session import host_random
from jkeras.core.session.settings import settings
from jkeras.training.data import placement
from jkeras.training.data.sizes import size_of
from jkeras.training.data.chunk_feed import ChunkFeed, steps_of_chunk
from jkeras.training.data import ArraySource
from jkeras.training.data.iterator_state import IteratorState
from jkeras.training.data.source import Source
from jkeras.training.data.feeds import DeviceFeed, HostFeed, OrderedFeed, Seed, Work, batches_of
from jkeras.training.loop.careful import Looking, Place, located, with_place
from jkeras.training.loop.pace import Pace, fixed_steps, whole_executions
from jkeras.training.step.padding import may_pad
from jkeras.training.loop.program import Program, cached
from jkeras.training.loop.programs import Programs
from jkeras.training.loop.recording import KEY, Recorder
from jkeras.training.types import Logs

if typing.TYPE_CHECKING:
    from jkeras.training.step.layout import StateLayout
    from jkeras.training.loop.ownership import AnyOwner
    from jkeras.training.shell.trainer import Trainer


class Span(typing.NamedTuple):
    """The steps of an epoch that are to be taken.

    Attributes:
        epoch: its number.
        limit: at most so many steps; None: all.
        seed: of the order of the data; None: it is drawn as Keras does.
        done: number of steps that were taken before.
    """

    epoch: int = 0
    limit: int | None = None
    seed: int | None = 0
    done: int = 0

    def end(self, steps_per_execution: int) -> float:
        """After how many steps it ends."""
        if self.limit is None:
            return math.inf
        return whole_executions(self.limit, steps_per_execution)


class Moment(typing.NamedTuple):
    """Before a dispatch.

    Attributes:
        traces: how often its program was traced.
        seconds: of the clock.
    """

    traces: int
    seconds: float


class Runner:
    """Runs one epoch after another of training or evaluation steps on the state of a `StateOwner`.

    Args:
        kind: "train" or "test".
        every_batch: whether a callback is called for every single batch.
        recorder: takes a record of each step; None: there is none.

    Attributes:
        taken: how many batches were taken, over all epochs.
        keeps_state: whether a caller asks for the state of the data's iterator.
        looking: looks at what each dispatch gives; None: nobody does.
        generators: where those of Python and numpy were before the order of the feed was drawn,
            where it was and a caller asks for state; None between feeds.
    """

    def __init__(
        self,
        model: "Trainer",
        layout: "StateLayout",
        kind: str,
        every_batch: bool,
        recorder: Recorder | None = None,
    ) -> None:
        self.model = model
        self.layout = layout
        self.kind = kind
        self.recorder = recorder
        steps = fixed_steps(layout, kind, every_batch)
        self.programs = Programs(model, layout, kind, steps != 1, recorder)
        if steps:
            self.pace = Pace(steps)
        else:
            self.pace = cached(model, f"{kind}_pace", layout.key, Pace)
        self.taken = 0
        self._waited = 0.0
        self.keeps_state = False
        self.looking: Looking | None = None
        self._retraces = Retraces(model, kind)
        self._feed = None
        self._epoch_of_feed = 0
        self._start = None
        self.generators = self._generators_to_come = None
        self._padded_size = None
        self._knows_padding = False

    # ------------------------------------------------------------ where it is

    def restart(self) -> None:
        """Lets the next epoch begin at the first batch, and stops what makes batches."""
        if self._feed is not None:
            self._waited += self._feed.waited
            self._feed.close()
        self._feed = self.generators = None

    close = restart

    def waited(self) -> float:
        """The seconds that it waited for data, over all epochs."""
        return self._waited + getattr(self._feed, "waited", 0.0)

    def position(self) -> tuple[int, int] | None:
        """(epoch in which the feed began, batches of it that were taken), or None between feeds."""
        return self._start if self._feed is None else (self._epoch_of_feed, self._feed.at)

    def state(self, source: Source) -> IteratorState | None:
        """The state of the source's iterator after the last batch that was taken, if it has one."""
        return source.state() if self._feed is None else self._feed.state

    def go_to(
        self,
        position: tuple[int, int] | None,
        generators: tuple[dict | None, dict] | None = None,
    ) -> None:
        """Lets the first feed begin at a `position`.

        Args:
            generators: where they were when its order was drawn, and are to be afterwards.
        """
        self._start = position
        has_order = position is not None and generators is not None and generators[0] is not None
        self._generators_to_come = generators if has_order else None

    # ------------------------------------------------------------ one epoch

    def epoch(
        self,
        owner: "AnyOwner",
        source: Source,
        span: Span,
        before: Callable[[int], None],
        left: Callable[[], int | None] = lambda: None,
    ) -> Iterator[tuple[int, int, dict]]:
        """Yields (steps that are done, number of the last one as callbacks are given it, logs on
        the device) after each dispatch; calls `before(step)` ahead of it.

        With `steps_per_execution` callbacks are given, as by Keras, the number that a whole
        execution ends with, also where the data end within it.

        With a limit below the source's length the next epoch goes on where this one stopped.

        Args:
            left: the number of steps until a caller looks at the state.
        """
        done = span.done
        execution = self.model.steps_per_execution
        limit = span.end(execution)
        self._begin_feed(owner, source, span)
        while done < limit and self._has_more(owner, source, span):
            before(done)
            if self._feed is None:
                self._open_feed(owner, source, span)
            most = min(self.pace.steps, left() or self.pace.steps, limit - done)
            start = time.perf_counter(), self.model.compile_seconds
            steps = 0
            for work in self._feed.take(most):
                program = self.programs.get(work.form, owner)
                moment = Moment(len(program.signatures), time.perf_counter())
                run = program.run
                if self.looking is not None:
                    run = functools.partial(self.looking.run, program)
                try:
                    with owner.stepping():
                        owner.state, logs = run(owner.state, *work.arguments)
                except StepError as error:
                    place = Place(self.kind, span.epoch, done)
                    raise self._located(error, owner, work, program, place) from None
                self._look(program, moment)
                if self.recorder is not None:
                    self.recorder.take(logs.pop(KEY), work.steps)
                self._feed.dispatched(logs)
                steps += work.steps
            if not steps:
                break
            self.taken += steps
            self._measure(steps, start, logs)
            last = done + (steps if execution == 1 else most) - 1
            done += steps
            yield done, last, logs
        if done < limit:
            self.restart()  # the data came to its end
        source.end_epoch()

    def _located(
        self, error: StepError, owner: "AnyOwner", work: Work, program: Program, place: Place
    ) -> StepError:
        """The error of a dispatch, which says at which step it is; the state is that before it."""
        order = None
        if isinstance(self._feed, OrderedFeed) and self._feed.order.ndim == 2:
            order = self._feed.order[self._feed.at :]
        run: Callable = program
        if self.looking is not None:
            run = functools.partial(self.looking.run, program)
        error, work, place = located(error, owner, work, run, place, order)
        if self.looking is not None:
            error = self.looking.explained(error, owner.peek(), work.arguments, work.form)
        return with_place(error, place)

    def _measure(self, steps: int, start: tuple[float, float], logs: Logs) -> None:
        """Tells the pace how long a dispatch took, unless it was compiled.

        Args:
            start: when it began, and what compiling had taken until then, in seconds.
        """
        if self.pace.settled:
            return
        jax.block_until_ready(logs)
        begin, compile_seconds = start
        if self.model.compile_seconds == compile_seconds:
            self.pace.took((time.perf_counter() - begin) / steps)

    def _look(self, program: Program, before: "Moment") -> None:
        """Notices whether a program was traced anew since a moment before its dispatch."""
        is_traced = len(program.signatures) > before.traces
        if is_traced:
            self.model.compile_seconds += time.perf_counter() - before.seconds
            placement.check_layouts()
        self._retraces.look(program, is_traced)

    # ------------------------------------------------------------ feeds

    def _begin_feed(self, owner: "AnyOwner", source: Source, span: Span) -> None:
        """Closes the feed, unless the epoch goes on in the middle of the data."""
        self._retraces.shapes = getattr(source, "num_shapes", 1)
        if self._feed is not None and _is_at_end(source, span, self._feed.at):
            self.restart()
        if self._start is not None and _is_at_end(source, span, self._start[1]):
            self._start = None
            self._put_back_generators(1)
        source.begin_epoch()
        if self._start is not None and span.limit is not None and span.done >= span.limit:
            self._open_feed(owner, source, span)  # a checkpoint was made before the epoch's end

    def _has_more(self, owner: "AnyOwner", source: Source, span: Span) -> bool:
        """Whether there is another batch, as far as is known: one that is expected is taken, and
        its order drawn, after the callers of `before`, as in Keras.
        """
        expected = source.num_batches or (math.inf if span.limit else None)
        if self._feed is None:
            if expected and self._start is None:
                return True
            self._open_feed(owner, source, span)
        return self._feed.more(expected)

    def _open_feed(self, owner: "AnyOwner", source: Source, span: Span) -> None:
        """A feed that begins at an epoch's first batch, or where a checkpoint was."""
        self._epoch_of_feed, at = self._start or (span.epoch, 0)
        self._start = None
        goes_on = self._generators_to_come is not None
        if goes_on:
            self._put_back_generators(0)
        seeds = self._seeds(span.seed)
        self._feed = self._new_feed(owner, source, seeds, self._epoch_of_feed, at)
        if goes_on:
            self._put_back_generators(1)

    def _put_back_generators(self, moment: int) -> None:
        """Puts Python's and numpy's where they were before the order of a pass that goes on was
        drawn (0), or when it was saved (1), which is the end of it.
        """
        if self._generators_to_come is None:
            return
        host_random.put_back(self._generators_to_come[moment])
        if moment:
            self._generators_to_come = None

    def _seeds(self, seed: int | None) -> Seed:
        """Of the order of a new feed; where it is drawn, it is noted where the generators are."""
        if seed is not None:
            return self.layout.seeds(seed, self.kind)
        if self.keeps_state:
            self.generators = host_random.state()
        return None

    def _new_feed(
        self,
        owner: "AnyOwner",
        source: Source,
        seeds: Seed,
        epoch: int,
        at: int,
    ) -> DeviceFeed | ChunkFeed | HostFeed:
        if not self._knows_padding:
            self._padded_size = self._size_to_pad_to(owner, source)
            self._knows_padding = True
        if self.model.jit_compile and jax.process_count() == 1 and isinstance(source, ArraySource):
            if source.fits_on_device:
                return DeviceFeed(source, seeds, epoch, at, self._padded_size)
            is_alone = settings.distribution is None and not isinstance(seeds, tuple)
            if is_alone and steps_of_chunk(source) > 1:
                return ChunkFeed(source, seeds, epoch, at, self._padded_size)
        ahead = self.model.jit_compile
        batches = functools.partial(batches_of, source, seeds, epoch, at)
        return HostFeed(source, batches, at, self._padded_size, ahead, self.keeps_state)

    def _size_to_pad_to(self, owner: "AnyOwner", source: Source) -> int | None:
        """The rows that smaller batches are padded to; None: there are none, or they may not be."""
        if source.full_size is not None:
            return source.full_size
        if isinstance(source, ArraySource):
            if source.size % min(source.batch_size, source.size) == 0:
                return None
        shapes = source.shapes()
        key = self.layout.key, str(shapes)
        is_allowed = cached(
            self.model,
            f"{self.kind}_pads",
            key,
            lambda: may_pad(
                self.layout.of_step(), self.kind, self.layout.single(owner.peek()), shapes
            ),
        )
        return size_of(shapes[0]) if is_allowed else None

    def compile(self, owner: "AnyOwner", source: Source) -> None:
        """Compiles what an epoch on a source runs, by running it; `owner` is to be thrown away."""
        feed = self._new_feed(owner, source, self.layout.seeds(0, self.kind), 0, 0)
        batches = 1
        if isinstance(feed, OrderedFeed):
            feed.at = max(feed.whole - 1, 0)
            batches = 2
        for _ in range(batches):
            for work in feed.take(1) if feed.more(None) else ():
                program = self.programs.get(work.form, owner)
                with owner.stepping():
                    owner.state, _ = program.run(owner.state, *work.arguments)
        feed.close()
        jax.block_until_ready(owner.peek())


def _is_at_end(source: Source, span: Span, batches_taken: int) -> bool:
    """Whether an epoch begins with the first batch, after so many were taken of a pass."""
    if span.done:
        return False
    is_whole = span.limit in (None, source.num_batches)
    return is_whole or batches_taken == source.num_batches


class Retraces:
    """Notices programs that are traced once more, and warns of it once.

    Attributes:
        shapes: how many shapes of batches the data has.
    """

    def __init__(self, model: "Trainer", kind: str) -> None:
        self.shapes = 1
        self._again = 0
        self.model = model
        self.kind = kind
        self._met = set()
        self._has_warned = False
        self._was_smaller = False

    def look(self, program: Program, is_new: bool) -> None:
        """Takes note of a dispatch; a smaller last batch is no news."""
        if is_new and program in self._met:
            self._again += 1
            is_last_batch = program.only_fewer_rows() and not self._was_smaller
            is_news = self._again >= self.shapes and not is_last_batch
            if is_news and not self._has_warned:
                self._has_warned = True
                warnings.warn(
                    f"Model '{self.model.name}': its {self.kind} step is compiled once more, which "
                    f"takes time, because of {program.what_changed()}. Give all batches one shape, "
                    "or few.",
                    stacklevel=4,
                )
            self._was_smaller = True
        self._met.add(program)
