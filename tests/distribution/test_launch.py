"""`python -m jkeras launch` with programs of a few lines: what they are told, how they are stopped
and started again.
"""

import json
import os
import pathlib
import select
import signal
import subprocess
import sys

import pytest

from jkeras import __main__ as commands
from jkeras.distribution import launch as launching
from jkeras.distribution.launch import Job, launch

ROOT = pathlib.Path(__file__).parents[2]
BEGIN = """
import json, os, signal, subprocess, sys, time
number = int(os.environ["KERAS_DISTRIBUTION_PROCESS_ID"])
restarts = int(os.environ["JKERAS_RESTARTS"])
"""


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """A restart is not delayed."""
    monkeypatch.setattr(launching, "FIRST_DELAY", 0.01)


@pytest.fixture
def job(tmp_path):
    """Makes a job of a program."""

    def make(program, **options):
        path = tmp_path / "program.py"
        path.write_text(BEGIN + program)
        return Job([sys.executable, str(path)], **options)

    return make


# ---------------------------------------------------------------- what processes are told


def told(capfd):
    """{(number, restarts): variables} that processes printed as JSON."""
    lines = [line.split("] ", 1) for line in capfd.readouterr().out.splitlines()]
    found = [(int(number[1:]), json.loads(text)) for number, text in lines]
    return {(number, int(said["JKERAS_RESTARTS"])): said for number, said in found}


TELLS = "print(json.dumps(dict(os.environ)))\nsys.exit(restarts == 0)"


@pytest.mark.promise("`JKERAS_RESTARTS` tells the")
def test_processes_are_told_where_to_meet(job, capfd):
    assert launch(job(TELLS, processes=2, retries=1)) == 0
    said = told(capfd)
    assert {0, 1} == {number for number, restarts in said if restarts == 1}
    for (number, _), variables in said.items():
        assert variables["KERAS_DISTRIBUTION_PROCESS_ID"] == str(number)
        assert variables["KERAS_DISTRIBUTION_NUM_PROCESSES"] == "2"
    addresses = [
        {said[key]["KERAS_DISTRIBUTION_JOB_ADDRESSES"] for key in said if key[1] == restarts}
        for restarts in (0, 1)
    ]
    assert len(addresses[0]) == len(addresses[1]) == 1 and addresses[0] != addresses[1]


@pytest.mark.promise("`--port P` | of the first")
@pytest.mark.promise("each machine goes on to its next attempt, on the next port")
def test_several_machines_meet_at_the_first(job, capfd):
    place = dict(nodes=3, node_rank=1, host="node0", port=5000)
    assert launch(job(TELLS, processes=2, retries=1, **place)) == 0
    said = told(capfd)
    assert {2, 3} == {number for number, restarts in said if restarts == 1}
    for (number, restarts), variables in said.items():
        assert variables["JAX_LOCAL_DEVICE_IDS"] == str(number - 2)
        assert variables["KERAS_DISTRIBUTION_NUM_PROCESSES"] == "6"
        assert variables["KERAS_DISTRIBUTION_JOB_ADDRESSES"] == f"node0:{5000 + restarts}"


# ---------------------------------------------------------------- failures


@pytest.mark.promise("The exit status is 0 when")
@pytest.mark.promise("`python -m jkeras launch --processes 2 program.py`")
@pytest.mark.promise("`python -m jkeras launch`")
@pytest.mark.promise("all are started again, after 1, 2, 4")
def test_exit_status_of_the_first_failure(job, capfd):
    program = "print('here', flush=True)\nsys.exit(3) if number == 1 else time.sleep(600)"
    assert launch(job(program, processes=2, retries=2)) == 3
    out, errors = capfd.readouterr()
    assert out.count("[1] here\n") == 3
    assert errors.count("process 1 ended with exit status 3\n") == 3
    assert "(2 of 2 times)" in errors


@pytest.mark.promise("The exit status is 0 when")
@pytest.mark.promise("`--grace SECONDS` | from")
@pytest.mark.promise("the others are sent SIGTERM and killed 20 seconds later")
def test_what_does_not_stop_is_killed(job, capfd, tmp_path):
    """With the processes that it has started, one of which holds a pipe open."""
    child = f"""
import time
pipe = open({os.fspath(tmp_path / "held")!r}, "w")
open({os.fspath(tmp_path / "ready")!r}, "w").close()
time.sleep(600)
"""
    program = f"""
if number == 1:
    open({os.fspath(tmp_path / "ready")!r}).read()  # until the other one has started its own
    os.kill(os.getpid(), signal.SIGKILL)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.run([sys.executable, "-c", {child!r}])
"""
    for name in ("held", "ready"):
        os.mkfifo(tmp_path / name)
    held = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert launch(job(program, processes=2, grace=0.2)) == 137
        errors = capfd.readouterr().err
        assert "killing what has not stopped within 0.2 s: 0" in errors
        assert select.select([held], [], [], 30)[0] and os.read(held, 1) == b""
    finally:
        os.close(held)


@pytest.mark.promise("This starts two processes")
def test_lines_without_an_end_and_bytes_that_are_no_text(job, capfd):
    assert launch(job(r"sys.stdout.buffer.write(b'a\n\xff'); print('e', file=sys.stderr)")) == 0
    out, errors = capfd.readouterr()
    assert out == "[0] a\n[0] \ufffd\n" and errors == "[0] e\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")
def test_a_program_goes_on_where_its_lines_cannot_be_written(job, monkeypatch, tmp_path):
    program = f"print('x' * 100_000); open({str(tmp_path / 'end')!r}, 'w').close()"
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert launch(job(program)) == 0
        monkeypatch.undo()
    assert (tmp_path / "end").exists()


# ---------------------------------------------------------------- signals


def command(job, *options):
    """The job as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "jkeras", "launch", *options, *job.command[1:]],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.promise("nothing is started again after them")
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_passed_on(job, kind):
    program = """
kinds = {signal.SIGTERM, signal.SIGINT}
signal.pthread_sigmask(signal.SIG_BLOCK, kinds)
print("ready", flush=True)
print("saved after", signal.sigwait(kinds).name)
sys.exit(5)
"""
    running = command(job(program), "--processes", "2", "--retries", "3")
    with running:
        ready = [running.stdout.readline() for _ in range(2)]
        running.send_signal(kind)
        out, errors = running.communicate()
    assert sorted(ready) == ["[0] ready\n", "[1] ready\n"]
    assert sorted(out.splitlines()) == [f"[{n}] saved after {kind.name}" for n in range(2)]
    assert running.returncode == 5 and "starting all again" not in errors


@pytest.mark.promise("No process outlives the command")
@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a process that its parent ends"
)
def test_no_process_survives(job, tmp_path):
    """Each holds a pipe open, which is read to its end."""
    program = f"""
pipe = open({os.fspath(tmp_path / "fifo")!r}, "w")
pipe.write("x")
pipe.flush()
time.sleep(20)
pipe.write("survived")
"""
    os.mkfifo(tmp_path / "fifo")
    with command(job(program), "--processes", "2") as running, open(tmp_path / "fifo") as pipe:
        assert pipe.read(2) == "xx"
        running.kill()
        assert pipe.read() == ""


LEAVES = """
import ctypes
begin = open({fifo!r}, "w")
for how in ("plain", "session", "group", "twice"):
    if os.fork() == 0:
        if how == "session":
            os.setsid()
        if how == "group":
            os.setpgid(0, 0)
        if how == "twice":
            os.setsid()
            if os.fork():
                os._exit(0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        begin.write("x")
        begin.flush()
        time.sleep(60)
        os._exit(0)
{end}
"""


@pytest.mark.promise("one that the programs started, in whatever session")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows whose orphans they are")
@pytest.mark.parametrize(
    "end", ["sys.exit(0)", pytest.param("sys.exit(3)", marks=pytest.mark.slow), "time.sleep(60)"]
)
def test_what_processes_started_ends_with_them(job, tmp_path, end):
    """Also in sessions of their own: each holds a pipe open, which is read to its end."""
    fifo = os.fspath(tmp_path / "fifo")
    os.mkfifo(fifo)
    running = command(job(LEAVES.format(fifo=fifo, end=end)), "--processes", "1")
    with running, open(fifo) as pipe:
        begun = ""
        while len(begun) < 4:
            text = pipe.read(1)
            if not text:  # they were killed before they wrote
                break
            begun += text
        if end.startswith("time"):
            running.kill()
        assert pipe.read() == ""
        running.wait(timeout=20)
    assert running.returncode == {"sys.exit(0)": 0, "sys.exit(3)": 3}.get(end, -signal.SIGKILL)


# ---------------------------------------------------------------- the command


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--processes", "0"], "at least one process"),
        (["--processes", "99999999"], "at most 1024 processes"),
        (["--processes", "2", "--retries", "-1"], "retries=-1"),
        (["--processes", "2", "--nodes", "2", "--node-rank", "2"], "node_rank=2"),
        (["--processes", "2", "--nodes", "2"], "--coordinator HOST:PORT"),
        (["--processes", "2", "--nodes", "2", "--coordinator", "node0"], "HOST:PORT"),
        (["--processes", "1", "--grace", "nan"], "grace=nan"),
        (["--processes", "1", "--grace", "inf"], "grace=inf"),
        (["--processes", "1", "--port", "99999999"], "port=99999999"),
        (["--processes", "1", "--port", "0"], "port=0"),
        (["--processes", "1", "--port", "65535", "--retries", "1"], "retries=1"),
        (["--processes", "2", "--nodes", "2", "--coordinator", "node0:70000"], "port=70000"),
    ],
)
def test_wrong_options(options, message, capsys):
    with pytest.raises(SystemExit) as ended:
        commands.main(["launch", *options, "program.py"])
    told = capsys.readouterr().err
    assert ended.value.code == 2 and message in told and told.count("\n") == 1


@pytest.mark.promise("`--nodes K --node-rank I --coordinator HOST:PORT`")
@pytest.mark.promise("`-m` | the program is a")
def test_options_become_a_job(monkeypatch):
    jobs = []
    monkeypatch.setattr(launching, "launch", lambda job: jobs.append(job) or 7)
    place = ["--nodes", "2", "--node-rank", "1", "--coordinator", "node0:5000"]
    with pytest.raises(SystemExit) as ended:
        commands.main(["launch", "--processes", "4", *place, "-m", "package.train", "--x", "-m"])
    command = [sys.executable, "-m", "package.train", "--x", "-m"]
    assert jobs == [Job(command, 4, nodes=2, node_rank=1, host="node0", port=5000)]
    assert ended.value.code == 7
