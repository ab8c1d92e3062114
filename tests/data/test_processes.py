"""Data in a run of two processes: each takes its share of every batch, or brings rows of its
own.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest

from jkeras.training.data.placement import whole_shape
from tests.quick_xla import flags_for

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.promise("If each has rows of its")
def test_the_shape_of_a_batch_in_parts():
    """Each process brings a part; processes that hold parts of one replica bring the same rows."""
    assert whole_shape((4, 3), replicas=4, processes=2) == (8, 3)
    assert whole_shape((4,), replicas=2, processes=2) == (8,)
    assert whole_shape((4, 3), replicas=1, processes=8) == (4, 3)
    with pytest.raises(ValueError, match="gave 3 rows.*makes 6 rows.*multiple of 4"):
        whole_shape((3, 3), replicas=4, processes=2)


def start(*arguments):
    environment = {
        **os.environ,
        "XLA_FLAGS": flags_for(2 if arguments else 1),
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.data.processes", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result(process):
    out, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors[-3000:]
    return json.loads(out.splitlines()[-1])


@pytest.mark.promise("If each has rows of its")
@pytest.mark.promise("each takes its part of every batch, of whatever kind of data")
@pytest.mark.promise("the run is that of one process")
@pytest.mark.promise("Each process reads its own part of a batch alone")
@pytest.mark.slow
def test_two_processes_train_as_one():
    """With `auto_shard_dataset` both see the same batches, without it each has its half of each."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    processes = [start("0", address), start("1", address), start()]
    try:
        first, second, alone = map(result, processes)
    finally:
        for process in processes:
            process.kill()  # one that waits for another that failed
            process.communicate()
    assert first == second and first["rows read"] == 16  # of 32
    for kind, values in alone.items():
        np.testing.assert_allclose(first[kind], values, 1e-5, 1e-6, err_msg=kind)
