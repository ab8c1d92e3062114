"""How the code is built, in numbers: `python -m benchmarks.structure`."""
