"""Counters of a server as lines of text, as Prometheus reads them."""

import dataclasses

from jkeras.generation.serving.counters import ServerCounters

NOW = (  # gauges; all others only grow
    "slots",
    "waiting",
    "running",
    "occupancy",
    "first_token_seconds",
    "last_first_token_seconds",
    "cache_blocks",
    "cache_blocks_used",
)


def metrics(counters: ServerCounters) -> str:
    """The lines.

    >>> metrics(ServerCounters(finished=3)).splitlines()[8:10]
    ['# TYPE jkeras_finished_total counter', 'jkeras_finished_total 3']
    """
    lines = []
    values = dataclasses.asdict(counters) | {"tokens_per_second": counters.tokens_per_second}
    for name, value in values.items():
        is_gauge = name in (*NOW, "tokens_per_second")
        full = f"jkeras_{name}" if is_gauge else f"jkeras_{name}_total"
        kind = "gauge" if is_gauge else "counter"
        lines += [f"# TYPE {full} {kind}", f"{full} {value}"]
    return "\n".join(lines) + "\n"
