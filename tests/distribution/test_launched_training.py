"""Trainings under `python -m jkeras launch`: killed, stopped and started again they end with the
bits of one that never was.
"""

import os
import pathlib
import random
import signal
import subprocess
import sys

import numpy as np
import pytest

from tests.quick_xla import flags_for

pytestmark = pytest.mark.slow  # processes that compile everything anew
ROOT = pathlib.Path(__file__).parents[2]


def start(processes, *arguments, devices=1, retries=2, grace=5):
    """A job of `jobs.py`."""
    options = ("--processes", processes, "--retries", retries, "--grace", grace)
    program = ("-m", "tests.distribution.jobs", *arguments)
    return subprocess.Popen(
        [sys.executable, "-m", "jkeras", "launch", *map(str, (*options, *program))],
        cwd=ROOT,
        env={
            **os.environ,
            "XLA_FLAGS": flags_for(devices),
            "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": str(ROOT),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result(job, code=0):
    """(what it wrote, what its processes and it said of errors)"""
    try:
        out, errors = job.communicate(timeout=300)
    finally:
        job.kill()
    assert job.returncode == code, errors[-3000:]
    return out, errors


def weights(folder):
    return dict(np.load(folder / "end.npz"))


def assert_same(found, expected, **tolerance):
    assert found.keys() == expected.keys() and len(found) == 4
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, err_msg=name, **tolerance)


@pytest.fixture(scope="module")
def peaceful(tmp_path_factory):
    """The weights of a training of two processes that nothing happens to."""
    folder = tmp_path_factory.mktemp("peaceful")
    result(start(2, "whole", folder))
    return weights(folder)


@pytest.mark.promise("One program, started once")
@pytest.mark.promise("The checkpoint is what lets it resume")
@pytest.mark.promise("its result is bitwise identical to that of a training without a failure")
@pytest.mark.promise("takes the newest checkpoint that is whole")
@pytest.mark.promise("a process killed at a random step")
@pytest.mark.parametrize("number", [0, 1])  # the first one is the coordinator
def test_killed_and_started_again(tmp_path, peaceful, number):
    step = random.randint(1, 60)
    _, errors = result(start(2, "killed", tmp_path, number, step))
    assert f"process {number} ended with exit status 137 (SIGKILL)" in errors, (step, errors)
    assert "(1 of 2 times)" in errors and "(2 of 2 times)" not in errors, (step, errors)
    assert_same(weights(tmp_path), peaceful, rtol=0)


@pytest.mark.promise("where the number of processes changed, within 0.00001")
@pytest.mark.parametrize(("processes", "devices"), [(1, 2), (1, 1)])
def test_goes_on_with_fewer_processes(tmp_path, peaceful, processes, devices):
    result(start(2, "killed", tmp_path, 1, 35, retries=0), code=137)
    result(start(processes, "whole", tmp_path, devices=devices))
    assert_same(weights(tmp_path), peaceful, rtol=1e-5, atol=1e-6)


@pytest.mark.promise("Of several processes all")
@pytest.mark.promise("When one of the processes")
def test_sigterm_saves_the_step_of_the_moment(tmp_path, peaceful):
    job = start(2, "saves_at_the_end", tmp_path, grace=20)
    next(line for line in job.stdout if line == "[1] step 7\n")
    job.send_signal(signal.SIGTERM)
    out, errors = result(job, code=143)
    assert "starting all again" not in errors
    steps = [int(path.name) for path in (tmp_path / "checkpoints").glob("[0-9]*")]
    assert 7 < max(steps) < 69, (steps, out)
    result(start(2, "whole", tmp_path))
    assert_same(weights(tmp_path), peaceful, rtol=0)


@pytest.mark.promise("A process whose neighbour has died waits for it")
def test_a_collective_that_a_process_never_comes_to():
    out, errors = result(start(2, "waits_for_a_dead_one"))
    assert "process 1 ended with exit status 137 (SIGKILL)" in errors
    assert {"[0] sum 2.0", "[1] sum 2.0"} <= set(out.splitlines())
