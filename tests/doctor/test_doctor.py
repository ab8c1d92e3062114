"""`python -m jkeras doctor`: what it says of a machine, and that it finds what is wrong."""

import argparse
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import jkeras
from jkeras import ops
from jkeras.doctor import command, numbers, works
from jkeras.doctor.machine import machine


def run(*arguments):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.doctor(parser.parse_args(arguments))


def started(*arguments, **environment):
    line = [sys.executable, "-m", "jkeras", "doctor", *arguments]
    environment = {**os.environ, **environment}
    return subprocess.run(line, capture_output=True, text=True, env=environment, timeout=300)


# ---------------------------------------------------------------- the machine


@pytest.mark.promise("prints what a bug report needs")
def test_the_command_prints_versions_devices_and_settings():
    found = started("--no-measure", JAX_PLATFORMS="cpu", SECRET_TOKEN="hunter2", XLA_FLAGS="")
    assert found.returncode == 0, found.stderr
    for word in (f"jkeras {jkeras.__version__}", f"numpy {np.__version__}", "platform cpu"):
        assert word in found.stdout
    assert "hunter2" not in found.stdout


def test_a_platform_that_is_not_there_is_said(tmp_path):
    """Where JAX finds no device, a report is needed most."""
    path = tmp_path / "report.json"
    found = started("--measure", "--into", str(path), JAX_PLATFORMS="never_seen")
    assert found.returncode == 1
    assert "trouble RuntimeError" in found.stdout and "never_seen" in found.stdout
    assert "never_seen" in json.loads(path.read_text())["machine"]["devices"]["trouble"]


def test_the_machine_is_json_and_names_the_chip(monkeypatch):
    from jkeras.doctor import machine as module

    monkeypatch.setattr(module, "chip_of", lambda device: jkeras.distribution.chips.CHIPS[3])
    monkeypatch.setattr(module, "memory_of", lambda device: 16 * 2**30)
    found = json.loads(json.dumps(machine()))
    assert (found["devices"]["chip"], found["devices"]["memory_gib"]) == ("v5e", 16.0)


# ---------------------------------------------------------------- numbers


@pytest.mark.promise("computes operations in each float type beside float64 of numpy")
@pytest.mark.parametrize("dtype", numbers.LIMITS)
@pytest.mark.parametrize("name", numbers.CASES)
def test_each_operation_is_fine_here(name, dtype):
    found = numbers.number_of(name, dtype)
    assert found.is_fine and found.error < found.limit


@pytest.mark.parametrize("dtype", numbers.LIMITS)
def test_what_is_wrong_is_found(monkeypatch, dtype):
    """A product in a dtype below, and one that cannot be compiled."""
    below = {"float32": "bfloat16", "bfloat16": "float8_e4m3fn", "float16": "float8_e4m3fn"}
    case = numbers.CASES["matmul"]

    def coarse(x, y):
        narrow = [ops.cast(ops.cast(v, below[dtype]), dtype) for v in (x, y)]
        return ops.matmul(*narrow)

    monkeypatch.setitem(numbers.CASES, "matmul", case._replace(run=coarse))
    found = numbers.number_of("matmul", dtype)
    assert found.error > found.limit and not found.is_fine

    def broken(x, y):
        raise RuntimeError("no such kernel\nand more")

    monkeypatch.setitem(numbers.CASES, "matmul", case._replace(run=broken))
    found = numbers.number_of("matmul", dtype)
    assert (found.trouble, found.is_fine) == ("RuntimeError: no such kernel", False)


def test_numbers_that_are_none_are_wrong(monkeypatch):
    case = numbers.CASES["sum"]._replace(run=lambda x: ops.sum(x, 0) * np.nan)
    monkeypatch.setitem(numbers.CASES, "sum", case)
    assert not numbers.number_of("sum", "float32").is_fine


# ---------------------------------------------------------------- works


@pytest.mark.parametrize("name", works.WORKS)
def test_works_train(name):
    found = works.measured(name, "float32", works.Size(2, 8, 1, 16))
    assert found["step_ms"] > 0 and np.isfinite(found["loss"])
    assert found["planned_mib"] > 0 and found["mfu"] is None
    json.dumps(found)


@pytest.mark.promise("Its status is 1 where something is off")
def test_a_work_that_fails_leaves_the_others_and_the_policy(monkeypatch, tmp_path, capsys):
    def broken(size):
        raise MemoryError("out of memory")

    only = {"dense": works.WORKS["dense"], "broken": works.Work(broken, lambda size: (3,))}
    monkeypatch.setattr(works, "WORKS", only)
    monkeypatch.setattr(numbers, "CASES", {"sum": numbers.CASES["sum"]})
    path = tmp_path / "report.json"
    assert run("--measure", "--into", str(path)) == command.OFF
    report = json.loads(path.read_text())
    troubles = [one.get("trouble") for one in report["works"]]
    assert troubles == [None, None] + ["MemoryError: out of memory"] * 2
    assert jkeras.config.dtype_policy().name == "float32"
    said = capsys.readouterr().out
    assert "ms a step, MFU unknown" in said and "OFF   MemoryError" in said


@pytest.mark.promise("On a CPU it prints the machine alone")
@pytest.mark.promise("where there is a GPU or TPU, it also computes, trains and measures")
def test_it_measures_where_there_is_an_accelerator(monkeypatch):
    monkeypatch.setattr(command, "_measured", lambda: {"numbers": [], "works": []})
    asked = []
    monkeypatch.setattr(command.jax, "default_backend", lambda: asked.append(1) or "tpu")
    assert run() == command.FINE and asked
    monkeypatch.setattr(command, "_measured", lambda: pytest.fail("not asked for"))
    assert run("--no-measure") == command.FINE


@pytest.mark.promise("It sends nothing anywhere")
def test_it_opens_no_connection(monkeypatch):
    import socket

    def refuse(*arguments):
        pytest.fail("a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(works, "WORKS", {"dense": works.WORKS["dense"]})
    monkeypatch.setattr(numbers, "CASES", {"sum": numbers.CASES["sum"]})
    assert run("--measure") == command.FINE


def test_a_report_that_cannot_be_written_is_said(tmp_path, capsys):
    assert run("--no-measure", "--into", str(tmp_path / "no" / "folder.json")) == 2
    assert "was not written" in capsys.readouterr().out
