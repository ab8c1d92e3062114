"""The recipes of `docs/cluster.md`, as far as a machine without a cluster can check them."""

import itertools
import math
import os
import pathlib
import re
import runpy
import subprocess
import sys
import types

import numpy as np
import pytest

from tests.distribution.jobset import JOBSET, problems

ROOT = pathlib.Path(__file__).parents[2]
RECIPES = ROOT / "examples" / "cluster"
JOBSETS = ("jobset-gpu", "jobset-tpu")
# the long options of sbatch 25.05 that a recipe might have
SBATCH_OPTIONS = set(
    """
    account array begin chdir comment constraint cpus-per-gpu cpus-per-task deadline dependency
    distribution error exclude exclusive export gpu-bind gpus gpus-per-node gpus-per-socket
    gpus-per-task gres gres-flags hint hold job-name licenses mail-type mail-user mem mem-per-cpu
    mem-per-gpu mincpus network nice no-kill no-requeue nodefile nodelist nodes ntasks
    ntasks-per-core ntasks-per-gpu ntasks-per-node ntasks-per-socket open-mode output overcommit
    oversubscribe partition prefer priority profile propagate qos requeue reservation segment signal
    sockets-per-node switches threads-per-core time time-min tmp verbose wait wait-all-nodes wckey
    """.split()
)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.*")), ids=lambda path: path.name)
def test_the_page_leads_to_the_files(path):
    assert f"](../examples/cluster/{path.name})" in (ROOT / "docs" / "cluster.md").read_text()


# ---------------------------------------------------------------- SLURM

# starts two processes with the variables that SLURM gives, and ends as it does: with the largest
SRUN = f"""#!{sys.executable}
import os, subprocess, sys

command = [a for a in sys.argv[1:] if not a.startswith("--")]
codes = os.environ.get("CODES")
if codes:
    print("srun", *sys.argv[1:], flush=True)
    sys.exit(int(codes.split()[int(os.environ["JKERAS_RESTARTS"])]))
place = {{"SLURM_STEP_NODELIST": "localhost", "SLURM_STEP_NUM_NODES": "1", "SLURM_NTASKS": "2"}}
tasks = [
    subprocess.Popen(
        command, env={{**os.environ, **place, "SLURM_PROCID": str(i), "SLURM_LOCALID": str(i)}}
    )
    for i in range(2)
]
sys.exit(max(task.wait() for task in tasks))
"""
SCONTROL = '#!/bin/bash\necho scontrol "$@"\n'
PYTHON = f'#!/bin/bash\nexec {sys.executable} "$@"\n'


@pytest.fixture
def slurm(tmp_path):
    """Runs the script as the first machine of a job would, with commands that stand in for
    SLURM's.
    """
    commands = tmp_path / "commands"
    commands.mkdir()
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL), ("python", PYTHON)):
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)

    def run(folder, **variables):
        return subprocess.run(
            ["bash", "slurm.sbatch", folder],
            cwd=RECIPES,
            env={
                **os.environ,
                "PATH": f"{commands}:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "JAX_PLATFORMS": "cpu",
                "SLURM_JOB_ID": str(os.getpid()),
                **variables,
            },
            capture_output=True,
            text=True,
        )

    return run


@pytest.mark.promise("SLURM | the script with")
def test_sbatch_knows_the_options():
    subprocess.run(["bash", "-n", RECIPES / "slurm.sbatch"], check=True)
    text = (RECIPES / "slurm.sbatch").read_text()
    # sbatch looks at none behind a command
    comments = itertools.takewhile(lambda line: line.startswith("#"), text.splitlines())
    directives = [line for line in comments if line.startswith("#SBATCH")]
    options = [re.fullmatch(r"#SBATCH --([a-z-]+)(=\S+)?", line) for line in directives]
    assert all(options) and {option[1] for option in options} <= SBATCH_OPTIONS
    assert len(options) == text.count("#SBATCH") > 5


@pytest.mark.promise("SLURM | the script with")
@pytest.mark.promise("Two minutes before the")
@pytest.mark.promise("`srun` stops all tasks")
@pytest.mark.parametrize(
    ("codes", "status", "starts", "is_put_back"),
    [("0", 0, 1, False), ("1 137 0", 0, 3, False), ("143", 0, 1, True), ("1 1 1 2", 2, 4, False)],
)
def test_the_script_starts_again(slurm, codes, status, starts, is_put_back):
    done = slurm("somewhere", CODES=codes)
    assert done.returncode == status
    assert done.stdout.count("srun --kill-on-bad-exit=1 python train.py somewhere\n") == starts
    assert (f"scontrol requeue {os.getpid()}\n" in done.stdout) == is_put_back


@pytest.mark.promise("JAX knows SLURM's variables")
@pytest.mark.slow  # compiles a training in two processes
def test_processes_meet_by_slurms_variables(slurm, tmp_path):
    done = slurm(tmp_path / "run")
    assert done.returncode == 0, done.stderr[-3000:]
    assert {"process 0 of 2", "process 1 of 2"} == set(re.findall(r"process . of .", done.stdout))


# ---------------------------------------------------------------- JobSet


def jobset(name):
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((RECIPES / f"{name}.yaml").read_text())


def parts(recipe):
    """(replicated job, the job, its pod, its container); there is one of each."""
    (replicated,) = recipe["spec"]["replicatedJobs"]
    job = replicated["template"]["spec"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    return replicated, job, pod, container


@pytest.mark.promise("JobSet | no | fields and")
@pytest.mark.parametrize("name", JOBSETS)
def test_jobset_is_one(name):
    recipe = jobset(name)
    assert not problems(recipe, JOBSET)
    assert (recipe["apiVersion"], recipe["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    replicated, job, pod, container = parts(recipe)
    # the longest name of a pod is one of the domain name system
    pod_name = f"{recipe['metadata']['name']}-{replicated['name']}-0-{job['completions'] - 1}"
    assert re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", pod_name)
    assert job["completionMode"] == "Indexed" and job["completions"] == job["parallelism"]
    assert pod["restartPolicy"] in ("Never", "OnFailure")  # of a job
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


@pytest.mark.promise("(`jobset.x-k8s.io/v1alpha2`) makes the")
@pytest.mark.parametrize("name", JOBSETS)
def test_all_pods_are_made_anew_where_one_fails(name):
    recipe = jobset(name)
    _, job, pod, _ = parts(recipe)
    assert recipe["spec"]["failurePolicy"]["maxRestarts"] > 0
    assert job["backoffLimit"] == 0 and pod["restartPolicy"] == "Never"


@pytest.mark.promise("JobSet | no | fields and")
def test_gpu_processes_are_told_where_to_meet():
    recipe = jobset("jobset-gpu")
    replicated, job, _, container = parts(recipe)
    told = {each["name"]: each for each in container["env"]}
    name = recipe["metadata"]["name"]  # that of the subdomain too, where there is no other
    port = container["ports"][0]["containerPort"]
    first = f"{name}-{replicated['name']}-0-0.{name}:{port}"
    assert told["KERAS_DISTRIBUTION_JOB_ADDRESSES"]["value"] == first
    assert told["KERAS_DISTRIBUTION_NUM_PROCESSES"]["value"] == str(job["completions"])
    field = told["KERAS_DISTRIBUTION_PROCESS_ID"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert field == "metadata.annotations['batch.kubernetes.io/job-completion-index']"


def test_tpu_processes_are_a_slice():
    _, job, pod, container = parts(jobset("jobset-tpu"))
    chips = pod["nodeSelector"]["cloud.google.com/gke-tpu-topology"].split("x")
    of_machine = container["resources"]["limits"]["google.com/tpu"]
    assert math.prod(map(int, chips)) == job["completions"] * of_machine


def test_mistakes_in_a_jobset_are_found():
    recipe = jobset("jobset-gpu")
    recipe["spec"]["failurePolicy"] = {"maxRestart": 3}
    _, _, pod, container = parts(recipe)
    container["env"][1]["value"] = 2
    del pod["volumes"][0]["name"]
    pod["terminationGracePeriodSeconds"] = True
    pod["volumes"][0]["persistentVolumeClaim"] = "checkpoints"
    assert len(problems(recipe, JOBSET)) == 5


# ---------------------------------------------------------------- Ray Train, Kinetic


@pytest.mark.promise("Ray Train | Ray 2.60, two workers on a CPU")
@pytest.mark.slow  # starts Ray, and compiles a training in two processes
def test_ray_train(tmp_path):
    pytest.importorskip("ray.train.v2.jax")
    subprocess.run(
        [sys.executable, RECIPES / "ray_train.py", tmp_path, "--device", "cpu", "--epochs", "2"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"},
        check=True,
        timeout=300,
    )
    assert len(np.load(tmp_path / "end.npz")) == 4


@pytest.mark.promise("Kinetic | no: the function")
def test_kinetic_runs_the_function(monkeypatch):
    """In the place of Kinetic here."""
    asked = []

    def run(accelerator):
        asked.append(accelerator)
        return lambda function: function

    trained = types.SimpleNamespace(train=lambda folder: {"folder": folder})
    monkeypatch.setitem(sys.modules, "kinetic", types.SimpleNamespace(run=run))
    monkeypatch.setitem(sys.modules, "train", trained)
    names = runpy.run_path(str(RECIPES / "kinetic_train.py"))
    assert names["train_there"]() == {"folder": "/tmp/digits"} and asked == ["tpu-v5litepod-8"]
