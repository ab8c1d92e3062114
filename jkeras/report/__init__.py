"""Reports of trainings: what a run was, and at which step two of them part.

`fit(report=path)` writes one (`run_report.py`), from `core/session/circumstances.py`, hashes
(`hashes.py`) and a fingerprint of each step (`trace.py`). `python -m jkeras reproduce`
(`command.py`) reads two (`reading.py`), compares them (`comparison.py`), and runs a recorded
program again (`rerun.py`).
"""
