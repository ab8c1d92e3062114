"""jkeras beside its peers, work for work: `python -m benchmarks`."""
