"""Counters: what a server has done, as one value."""

import dataclasses

from jkeras.core.names.registry import public


@public("jkeras.generation.ServerCounters")
@dataclasses.dataclass(frozen=True)
class ServerCounters:
    """What a `Server` has done and does, as of `server.counters()`.

    Attributes:
        slots: how many texts are written at the same time.
        waiting, running: requests that wait for a slot, and that have one.
        submitted: requests that were taken.
        finished, failed, cancelled: how many of them ended so.
        refused: requests that were not taken since the queue was full.
        prompt_tokens, new_tokens: of all requests that had a slot.
        dispatches: how often the device was called to write.
        device_failures: how often it failed.
        preempted: how often a text gave its place in the cache to an older one, to go on later.
        busy_seconds: in which the device was called.
        occupancy: the mean share of the slots that were written in, from 0 to 1.
        first_token_seconds: from `submit` to the first token, the mean.
        last_first_token_seconds: of the last request that got one.
        cache_blocks, cache_blocks_used: of the paged cache, 0 without one.
        shared_tokens: tokens of prompts whose keys and values were in the cache already.

    >>> ServerCounters(slots=8, new_tokens=300, busy_seconds=2.0).tokens_per_second
    150.0
    """

    slots: int = 0
    waiting: int = 0
    running: int = 0
    submitted: int = 0
    finished: int = 0
    failed: int = 0
    cancelled: int = 0
    refused: int = 0
    prompt_tokens: int = 0
    new_tokens: int = 0
    dispatches: int = 0
    device_failures: int = 0
    preempted: int = 0
    busy_seconds: float = 0.0
    occupancy: float = 0.0
    first_token_seconds: float = 0.0
    last_first_token_seconds: float = 0.0
    cache_blocks: int = 0
    cache_blocks_used: int = 0
    shared_tokens: int = 0

    @property
    def tokens_per_second(self) -> float:
        """New tokens, while the device was busy."""
        if not self.busy_seconds:
            return 0.0
        return self.new_tokens / self.busy_seconds


@dataclasses.dataclass
class Tally:
    """What is counted, by the names of `ServerCounters`."""

    counts: dict[str, float] = dataclasses.field(default_factory=dict)
    slots_written: int = 0
    first_tokens: int = 0
    first_seconds: float = 0.0

    def add(self, name: str, number: float = 1) -> None:
        """Counts."""
        self.counts[name] = self.counts.get(name, 0) + number

    def first_token(self, seconds: float) -> None:
        """A request got its first token."""
        self.first_tokens += 1
        self.first_seconds += seconds
        self.counts["last_first_token_seconds"] = seconds

    def counters(self, slots: int, **now: int) -> ServerCounters:
        """The value."""
        dispatches = self.counts.get("dispatches", 0)
        occupancy = self.slots_written / (dispatches * slots) if dispatches else 0.0
        mean = self.first_seconds / self.first_tokens if self.first_tokens else 0.0
        rates = {"occupancy": occupancy, "first_token_seconds": mean}
        return ServerCounters(slots=slots, **self.counts, **rates, **now)
