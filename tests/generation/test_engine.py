"""Who has a slot, who waits, and what one failure costs the others, without a model."""

import asyncio
import threading

import numpy as np
import pytest

from jkeras.generation import (
    DeviceFailedError,
    RequestCancelledError,
    SamplingParams,
    ServerClosedError,
    ServerFullError,
)
from jkeras.generation.serving.engine import Engine
from jkeras.generation.serving.job import Job
from jkeras.generation.serving.progress import Progress
from jkeras.generation.serving.programs import Written
from jkeras.generation.serving.request import Request

LENGTH, STEPS = 12, 3


class Slots:
    """Counts on from the last token of each prompt."""

    blocks = used_blocks = shared_tokens = 0

    def __init__(self, count=2, fails_at=(), broken=()):
        self.lengths = np.zeros(count, int)
        self.jobs = [None] * count
        self.fails_at, self.broken = fails_at, broken  # dispatches, prompts
        self.is_intact = True
        self.dispatches = 0

    def has_room(self, job):
        return True

    def join(self, slot, job):
        if job.prompt[0] in self.broken:
            raise RuntimeError("no prefill")
        self.jobs[slot] = job
        self.lengths[slot] = len(job.prompt)

    def leave(self, slot, job):
        self.jobs[slot] = None

    def reserve(self, running):
        return []

    def write(self, live):
        self.dispatches += 1
        if self.dispatches in self.fails_at:
            raise RuntimeError("out of memory")
        count = len(live)
        tokens, done = np.zeros((count, STEPS), int), np.ones(count, bool)
        for slot in np.flatnonzero(live):
            job, length = self.jobs[slot], self.lengths[slot]
            new = min(STEPS, job.most(LENGTH) - length)
            tokens[slot, :new] = job.prompt[-1] + 1 + length - len(job.prompt) + np.arange(new)
            self.lengths[slot] += new
            done[slot] = self.lengths[slot] == job.most(LENGTH)
        return Written(done, self.lengths.copy(), tokens, None)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


def engine_of(*slots, capacity=3):
    made = iter(slots or [Slots()])
    return Engine(lambda: next(made), 2, capacity, Clock())


def ask(engine, first=10, new=4, timeout=0.0):
    params = SamplingParams(max_new_tokens=new)
    job = Job(np.array([first]), params, 0, 0, Progress(), None, engine.clock())
    engine.add(job, timeout)
    return Request(job.prompt, params, job.progress, lambda: engine.cancel(job), False)


def run(engine):
    while engine.step():
        pass


@pytest.mark.promise("joins at the next dispatch")
def test_joins_within_one_dispatch():
    engine = engine_of()
    first = ask(engine, 10, 9)
    engine.step()
    second = ask(engine, 20, 4)
    assert (first.status, second.status) == ("running", "waiting")
    engine.step()
    assert second.tokens == [21, 22, 23] and len(first.tokens) == 6
    third = ask(engine, 30, 1)  # of two slots none is free
    engine.step()
    assert second.status == first.status == "finished" and third.status == "waiting"
    engine.step()
    assert third.result(0).new_tokens.tolist() == [31]
    assert first.result(0).tokens.tolist() == list(range(10, 20))


@pytest.mark.promise("`request.cancel()` frees its slot")
def test_cancel():
    engine = engine_of()
    requests = [ask(engine, 10 * i, 9) for i in (1, 2, 3)]
    engine.step()
    requests[0].cancel()
    requests[0].cancel()
    assert requests[0].status == "cancelled" and requests[0].is_cancelled
    with pytest.raises(RequestCancelledError):
        requests[0].result(0)
    engine.step()
    assert requests[2].status == "running"  # in the slot that came free
    waiting = ask(engine, 50)
    waiting.cancel()
    run(engine)
    counters = engine.counters()
    assert (counters.cancelled, counters.finished, counters.waiting) == (2, 2, 0)
    with pytest.raises(RequestCancelledError):
        list(waiting)


@pytest.mark.promise("A full queue (`ServerOptions")
def test_a_full_queue():
    engine = engine_of(capacity=2)
    for _ in range(2):
        ask(engine)
    with pytest.raises(ServerFullError, match="at most 2 requests that wait"):
        ask(engine)
    with pytest.raises(ServerFullError):
        ask(engine, timeout=0.01)
    found = []
    thread = threading.Thread(target=lambda: found.append(ask(engine, timeout=None)))
    thread.start()
    run(engine)
    thread.join(30)
    run(engine)
    assert found[0].status == "finished" and engine.counters().refused == 2


@pytest.mark.promise("What is wrong with a request")
def test_a_failure_of_one_prompt():
    engine = engine_of(Slots(broken=[20]))
    good, bad, other = ask(engine, 10), ask(engine, 20), ask(engine, 30)
    run(engine)
    assert good.status == other.status == "finished" and bad.status == "failed"
    with pytest.raises(RuntimeError, match="no prefill"):
        bad.result(0)
    assert engine.counters().failed == 1 and engine.counters().device_failures == 0


@pytest.mark.promise("a failure of the device")
def test_a_failure_of_the_device():
    engine = engine_of(Slots(fails_at=[2]), Slots())
    lost = [ask(engine, 10, 9), ask(engine, 20, 9)]
    waiting = ask(engine, 30)
    run(engine)
    for request in lost:
        with pytest.raises(DeviceFailedError, match="their texts are lost: out of memory"):
            request.result(0)
    assert waiting.result(0).new_tokens.tolist() == [31, 32, 33, 34]
    assert engine.counters().device_failures == 1


@pytest.mark.promise("a failure of the device")
def test_a_device_that_is_gone():
    engine = engine_of(*[Slots(fails_at=[1]) for _ in range(4)], capacity=9)
    requests = [ask(engine) for _ in range(8)]
    run(engine)
    assert all(request.status == "failed" for request in requests)
    with pytest.raises(DeviceFailedError, match="and the server has ended: out of memory"):
        requests[-1].result(0)
    with pytest.raises(ServerClosedError):
        ask(engine)


@pytest.mark.promise("a failure of the device")
def test_slots_that_cannot_be_made_again():
    slots = iter([Slots(fails_at=[1])])
    engine = Engine(lambda: next(slots), 2, 3, Clock())
    requests = [ask(engine) for _ in range(3)]
    run(engine)
    assert {request.status for request in requests} == {"failed"} and engine.is_closing


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_leaves_nobody_waiting():
    class Broken(Slots):
        def has_room(self, job):
            raise RuntimeError("a bug")

    engine = engine_of(Broken())
    request = ask(engine)
    thread = threading.Thread(target=engine.run)
    thread.start()
    with pytest.raises(DeviceFailedError, match="a bug"):
        request.result(30)
    thread.join(30)
    with pytest.raises(ServerClosedError):
        ask(engine)


@pytest.mark.promise("`server.counters()` is one frozen value")
def test_counters():
    engine = engine_of()
    ask(engine, new=6), ask(engine, new=3)
    run(engine)
    counters = engine.counters()
    assert (counters.new_tokens, counters.dispatches, counters.prompt_tokens) == (9, 2, 2)
    assert counters.occupancy == 0.75  # two slots in the first dispatch, one in the second
    # the clock: asked at 1 and 2, two prefills 3-4 and 5-6, dispatches 7-8 and 9-10
    assert counters.first_token_seconds == ((8 - 1) + (8 - 2)) / 2
    assert counters.last_first_token_seconds == 6
    assert counters.busy_seconds == 4 and counters.tokens_per_second == 9 / 4
    with pytest.raises(AttributeError):
        counters.finished = 3


def test_closed():
    engine = engine_of()
    running, waiting = ask(engine, 10), [ask(engine, 20), ask(engine, 30)]
    engine.step()
    engine.close(cancels=True)
    assert {request.status for request in [running, *waiting]} == {"cancelled"}
    engine.run()  # nothing is left
    with pytest.raises(ServerClosedError):
        ask(engine)
    assert not engine.step()


def test_a_stop_token_and_no_time():
    engine = engine_of()
    request = ask(engine)
    with pytest.raises(TimeoutError):
        request.result(0.0)
    assert "waiting, 1 + 0 tokens" in repr(request)


@pytest.mark.promise("`async for token in request`")
def test_streams_of_threads_and_loops():
    engine = engine_of(capacity=40)
    thread = threading.Thread(target=engine.run)
    thread.start()
    found = {}

    def read(number):
        found[number] = list(ask(engine, number * 100, 5, timeout=None))

    async def read_all():
        async def one(number):
            return [token async for token in ask(engine, number * 100, 5)]

        return await asyncio.gather(*map(one, range(20, 30)))

    readers = [threading.Thread(target=read, args=(number,)) for number in range(20)]
    for reader in readers:
        reader.start()
    loops = asyncio.run(read_all())
    for reader in readers:
        reader.join(60)
    engine.close(cancels=False)
    thread.join(60)
    assert not thread.is_alive()
    for number, tokens in [*found.items(), *enumerate(loops, 20)]:
        assert tokens == [number * 100 + i for i in range(1, 6)]
    assert engine.counters().finished == 30


def test_a_loop_that_leaves():
    """A stream that is left early holds nothing back."""
    engine = engine_of()
    request = ask(engine, 10, 9)
    engine.step()

    async def first():
        async for token in request:
            return token

    assert asyncio.run(first()) == 11
    run(engine)
    assert len(request.result(0).new_tokens) == 9
