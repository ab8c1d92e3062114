"""Engine: who has a slot and who waits, by hand or from a thread."""

import collections
import itertools
import threading
from collections.abc import Callable

import numpy as np

from jkeras.core.errors import explain
from jkeras.generation.serving.counters import ServerCounters, Tally
from jkeras.generation.serving.errors import (
    DeviceFailedError,
    RequestCancelledError,
    ServerClosedError,
    ServerFullError,
)
from jkeras.generation.serving.job import Job
from jkeras.generation.serving.progress import TokenLogs
from jkeras.generation.serving.programs import Written
from jkeras.generation.serving.slots import Slots

MOST_FAILURES = 3  # of the device, one after the other


class Engine:
    """Texts that come and go. `step` is one dispatch; all else may be called from any thread.

    Args:
        make_slots: new slots; they are made again after the device has failed.
        count: how many slots there are.
        capacity: how many requests may wait.
        clock: the time in seconds.
    """

    def __init__(
        self,
        make_slots: Callable[[], Slots],
        count: int,
        capacity: int,
        clock: Callable[[], float],
    ) -> None:
        self.make_slots, self.capacity, self.clock = make_slots, capacity, clock
        self.slots = make_slots()
        self.count = count
        self.changed = threading.Condition()
        self.waiting: collections.deque[Job] = collections.deque()
        self.running: dict[int, Job] = {}  # by slot, the oldest first
        self.tally = Tally()
        self.is_closing = False
        self.end: BaseException | None = None  # of the server
        self._turn = threading.Lock()
        self._failures = 0

    # ------------------------------------------------------------ from any thread

    def add(self, job: Job, timeout: float | None) -> None:
        """Takes a job.

        Args:
            timeout: so many seconds are waited for room in the queue; None: without an end.

        Raises:
            ServerFullError: there is no room.
            ServerClosedError: the server has ended.
        """
        with self.changed:
            has_room = lambda: self.is_closing or len(self.waiting) < self.capacity  # noqa: E731
            if not self.changed.wait_for(has_room, timeout):
                self.tally.add("refused")
                expected = f"at most {self.capacity} requests that wait"
                fix = "ask again later, or let `submit` wait by `timeout=`"
                raise ServerFullError(explain("Server", expected, "one more", fix))
            if self.is_closing:
                raise ServerClosedError("Server: it is closed.") from self.end
            self.tally.add("submitted")
            self.waiting.append(job)
            self.changed.notify_all()

    def reject(self, job: Job, error: BaseException) -> None:
        """Counts a job that is not taken, and tells it why."""
        with self.changed:
            self.tally.add("submitted")
            self.tally.add("failed")
        job.progress.fail(error)

    def finish_at_once(self, job: Job) -> None:
        """Counts a job that asks for no token."""
        with self.changed:
            self.tally.add("submitted")
            self.tally.add("finished")
            job.progress.finish("length")

    def cancel(self, job: Job) -> None:
        """Ends a job; its slot is free at the next step."""
        if not job.progress.cancel(RequestCancelledError("The request was cancelled.")):
            return
        with self.changed:
            self.tally.add("cancelled")
            if job in self.waiting:
                self.waiting.remove(job)
            self.changed.notify_all()

    def counters(self) -> ServerCounters:
        """What was done."""
        with self.changed:
            slots = self.slots
            return self.tally.counters(
                self.count,
                waiting=len(self.waiting),
                running=len(self.running),
                cache_blocks=slots.blocks,
                cache_blocks_used=slots.used_blocks,
                shared_tokens=slots.shared_tokens,
            )

    def close(self, cancels: bool) -> None:
        """Takes no jobs any more.

        Args:
            cancels: those that are there are cancelled.
        """
        with self.changed:
            self.is_closing = True
            jobs = [*self.running.values(), *self.waiting] if cancels else []
            self.changed.notify_all()
        for job in jobs:
            self.cancel(job)

    @property
    def has_work(self) -> bool:
        """Whether a job waits or runs."""
        return bool(self.waiting or self.running)

    # ------------------------------------------------------------ one dispatch

    def step(self) -> bool:
        """Those that have ended leave, those that wait join, and tokens are written; whether there
        is more to do.
        """
        with self._turn:
            self._leave_ended()
            self._admit()
            self._make_room()
            if self.running:
                self._write()
                self._leave_ended()
            return self.has_work

    def run(self) -> None:
        """Steps until the server is closed and nothing is left."""
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.is_closing or self.has_work)
                if not self.has_work:
                    return
            try:
                self.step()
            except BaseException as error:  # nobody would write any more, and all would wait
                self._end(error)
                raise

    def _leave_ended(self) -> None:
        for slot, job in list(self.running.items()):
            if job.progress.is_over:
                self._leave(slot)

    def _leave(self, slot: int) -> Job:
        with self.changed:
            job = self.running.pop(slot)
            self.slots.leave(slot, job)
            self.changed.notify_all()
        return job

    def _admit(self) -> None:
        """Gives free slots to those that wait, the oldest first."""
        free = [slot for slot in range(self.count) if slot not in self.running]
        while free:
            with self.changed:
                if not self.waiting or not self.slots.has_room(self.waiting[0]):
                    return
                job = self.waiting.popleft()
                self.changed.notify_all()
            if self._join(free[0], job):
                free.pop(0)

    def _join(self, slot: int, job: Job) -> bool:
        """Whether a job has the slot."""
        begin = self.clock()
        try:
            self.slots.join(slot, job)
        except Exception as error:
            self._fail([job], error)
            self.slots.leave(slot, job)
            if not self.slots.is_intact:
                self._device_failed(error)
            return False
        except BaseException as error:  # of the keyboard
            self._fail([job], error)
            self._device_failed(error)
            raise
        finally:
            self.tally.add("busy_seconds", self.clock() - begin)
        with self.changed:
            self.running[slot] = job
            if not job.written:
                self.tally.add("prompt_tokens", len(job.prompt))
        job.progress.begin()
        return True

    def _make_room(self) -> None:
        """Lets the youngest leave where the cache has no room for the tokens of all."""
        for slot in self.slots.reserve(self.running):
            states = self.slots.states_of(slot)
            job = self._leave(slot)
            job.states = states
            self.tally.add("preempted")
            with self.changed:
                self.waiting.appendleft(job)
            job.progress.wait_again()

    def _write(self) -> None:
        live = np.zeros(self.count, bool)
        live[list(self.running)] = True
        before, begin = self.slots.lengths.copy(), self.clock()
        try:
            written = self.slots.write(live)
        except BaseException as error:
            self._device_failed(error)
            if not isinstance(error, Exception):
                raise
            return
        self._failures = 0
        now = self.clock()
        with self.changed:
            self.tally.add("busy_seconds", now - begin)
            self.tally.add("dispatches")
            self.tally.slots_written += len(self.running)
        for slot, job in self.running.items():
            self._take(job, slot, written, int(written.lengths[slot] - before[slot]), now)

    def _take(self, job: Job, slot: int, written: Written, count: int, now: float) -> None:
        """Tells a job what was written for it."""
        tokens = written.tokens[slot, :count].tolist()
        is_done = bool(written.done[slot])
        is_stop = is_done and bool(set(tokens[-1:]) & set(job.params.stop))
        text, reason = "", None
        if is_done:
            reason = "stop" if is_stop else "length"
        if job.transcript is not None:
            text, needed = job.transcript.add(tokens[: count - is_stop])
            if needed is not None:
                tokens, reason = tokens[:needed], "stop"
            elif is_done:
                text += job.transcript.finish()
        if tokens and not job.written:
            self.tally.first_token(now - job.asked_at)
        job.written.extend(tokens)
        with self.changed:
            self.tally.add("new_tokens", len(tokens))
        job.progress.put(tokens, text, _logs_of(written, slot, len(tokens)))
        if reason is None:
            return
        with self.changed:  # who sees the end sees it counted
            if job.progress.finish(reason):
                self.tally.add("finished")

    # ------------------------------------------------------------ failures

    def _fail(self, jobs: list[Job], error: BaseException) -> None:
        for job in jobs:
            with self.changed:
                if job.progress.fail(error):
                    self.tally.add("failed")

    def _device_failed(self, cause: BaseException) -> None:
        """All running jobs fail; new slots are made, or the server ends."""
        self._failures += 1
        self.tally.add("device_failures")
        jobs = list(self.running.values())
        with self.changed:
            self.running.clear()
        self._fail(jobs, _failure(cause, "their texts are lost"))
        if self._failures >= MOST_FAILURES:
            self._end(cause)
            return
        try:
            self.slots = self.make_slots()
        except Exception as error:
            self._end(error)

    def _end(self, cause: BaseException) -> None:
        """No text is written any more."""
        self.end = _failure(cause, "and the server has ended")
        with self.changed:
            self.is_closing = True
            jobs = [*self.running.values(), *self.waiting]
            self.running.clear()
            self.waiting.clear()
            self.changed.notify_all()
        self._fail(jobs, self.end)


def _failure(cause: BaseException, consequence: str) -> DeviceFailedError:
    error = DeviceFailedError(f"Server: the device failed, {consequence}: {cause}")
    error.__cause__ = cause
    return error


def _logs_of(written: Written, slot: int, count: int) -> tuple[TokenLogs, ...]:
    if written.logs is None:
        return ()
    each = (values[slot] for values in written.logs)
    return tuple(itertools.starmap(TokenLogs, itertools.islice(zip(*each), count)))
