"""How much `import jkeras` costs over importing jax and optax: medians of fresh processes that take turns.

    python benchmarks/import_time.py [ROUNDS]

Processor seconds are what the budget is about: other work on the machine moves them less than wall time.
"""

import os
import resource
import statistics
import subprocess
import sys
import time

BASE, JKERAS = "import jax, jax.numpy, optax", "import jkeras"
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # installed code is compiled once


def seconds(code):
    """(processor, wall) seconds of a new interpreter that runs the code."""
    used, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)
    wall, now = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime, wall


def main(rounds=15):
    """Prints the medians; returns how many times the base's processor time jkeras takes."""
    times = {BASE: [], JKERAS: []}
    for code in times:  # writes bytecode, warms the disk
        seconds(code)
    for i in range(rounds):
        for code in (BASE, JKERAS) if i % 2 else (JKERAS, BASE):
            times[code].append(seconds(code))
    medians = [[statistics.median(column) for column in zip(*rows)] for rows in times.values()]
    (base, base_wall), (ours, our_wall) = medians
    print(f"processor: jax and optax {base:.3f} s, jkeras {ours:.3f} s: {ours / base:.2f} times (budget 1.15)")
    print(f"wall:      jax and optax {base_wall:.3f} s, jkeras {our_wall:.3f} s: {our_wall / base_wall:.2f} times")
    return ours / base


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
