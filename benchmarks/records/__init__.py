"""Numbers that others published, reached here: `python -m benchmarks.records`."""
