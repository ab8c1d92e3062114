"""Several processes of one program, started again together where one of them fails."""

import contextlib
import dataclasses
import math
import os
import signal
import socket
import types
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue

from jkeras.distribution.attempt import Attempt, Signalled, tell

FIRST_DELAY = 1.0  # seconds before the first restart; twice as many before each of the next ones
LONGEST_DELAY = 30.0
LAST_PORT = 65535
MOST_PROCESSES = 1024  # of a machine; more are a slip that would take all its memory


@dataclasses.dataclass(frozen=True)
class Job:
    """A program, and the processes that run it.

    Attributes:
        command: what each process runs, the path of the program first.
        processes: how many there are on this machine.
        retries: how often all of them are started again, at most.
        grace: seconds that they have for stopping.
        nodes: how many machines there are, each with as many processes.
        node_rank: the number of this one, from 0.
        host: the name or address of the first machine.
        port: on which the first process of the first attempt listens; that of each other attempt is
            one higher. None: a free one, for one machine.

    Raises:
        ValueError: a number that makes no sense, or several machines without a port.

    >>> Job(["/usr/bin/python3", "train.py"], processes=0)
    Traceback (most recent call last):
    ValueError: Expected at least one process. Received: processes=0
    """

    command: Sequence[str]
    processes: int = 1
    retries: int = 0
    grace: float = 20.0
    nodes: int = 1
    node_rank: int = 0
    host: str = "localhost"
    port: int | None = None

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise ValueError(f"Expected at least one process. Received: processes={self.processes}")
        if self.processes > MOST_PROCESSES:
            raise ValueError(
                f"Expected at most {MOST_PROCESSES} processes on a machine. Received: "
                f"processes={self.processes}"
            )
        if self.retries < 0 or not 0 <= self.grace < math.inf:
            raise ValueError(
                "Expected retries and a grace period of at least 0. Received: "
                f"retries={self.retries}, grace={self.grace}"
            )
        if self.port is not None and not 1 <= self.port <= LAST_PORT - self.retries:
            raise ValueError(
                f"Expected a port from 1 to {LAST_PORT}, less one for each retry. Received: "
                f"port={self.port}, retries={self.retries}"
            )
        if not 0 <= self.node_rank < self.nodes:
            raise ValueError(
                "Expected a node rank from 0 to the number of nodes, less one. Received: "
                f"node_rank={self.node_rank}, nodes={self.nodes}"
            )
        if self.nodes > 1 and self.port is None:
            raise ValueError(
                f"{self.nodes} nodes meet at the first of them: give each the same "
                "--coordinator HOST:PORT."
            )


def launch(job: Job) -> int:
    """Runs a job until its processes end well, or there have been enough attempts.

    SIGTERM and SIGINT are passed on; there is no other attempt after them.

    Returns:
        0 if all processes of the last attempt ended with it, else the exit status of the one that
        failed first.
    """
    events = SimpleQueue()
    with _noted_signals(events):
        for restarts in range(job.retries + 1):
            environments = _environments(job, restarts)
            outcome = Attempt(job.command, environments, job.grace, events).run()
            if outcome.code == 0 or outcome.was_signalled:
                break
            if restarts < job.retries and not _delayed(restarts, job.retries, events):
                break
    return outcome.code


def _environments(job: Job, restarts: int) -> dict[int, dict[str, str]]:
    """{number of a process: its variables} for the processes of this machine."""
    address = f"{job.host}:{_port(job, restarts)}"
    first = job.node_rank * job.processes
    return {
        number: {
            **_own_gpu(job, number - first),
            "PYTHONUNBUFFERED": "1",  # what a process wrote is not lost when it is killed
            **os.environ,
            "KERAS_DISTRIBUTION_JOB_ADDRESSES": address,
            "KERAS_DISTRIBUTION_NUM_PROCESSES": str(job.nodes * job.processes),
            "KERAS_DISTRIBUTION_PROCESS_ID": str(number),
            "JKERAS_RESTARTS": str(restarts),
        }
        for number in range(first, first + job.processes)
    }


def _own_gpu(job: Job, local_number: int) -> dict[str, str]:
    """Gives each of several processes of a machine a GPU; one process takes all."""
    if job.processes == 1:
        return {}
    return {"JAX_LOCAL_DEVICE_IDS": str(local_number)}


def _port(job: Job, restarts: int) -> int:
    """Another one for each attempt: what is left of the one before may still listen."""
    if job.port is not None:
        return job.port + restarts
    with socket.socket() as free:
        free.bind((job.host, 0))
        return free.getsockname()[1]


def _delayed(restarts: int, retries: int, events: SimpleQueue) -> bool:
    """Waits before a restart; whether no signal came meanwhile."""
    delay = min(FIRST_DELAY * 2**restarts, LONGEST_DELAY)
    tell(f"starting all again in {delay:g} s ({restarts + 1} of {retries} times)")
    try:
        events.get(timeout=delay)
    except Empty:
        return True
    return False


@contextlib.contextmanager
def _noted_signals(events: SimpleQueue) -> Iterator[None]:
    """Puts SIGTERM and SIGINT into a queue."""

    def note(kind: int, frame: types.FrameType | None) -> None:
        events.put(Signalled(kind))

    before = {kind: signal.signal(kind, note) for kind in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
