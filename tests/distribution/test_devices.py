"""Distributions on eight virtual devices and two processes: the same training as on one, with less
memory on each.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys

import numpy as np
import pytest

from tests.quick_xla import flags_for

pytestmark = pytest.mark.slow  # processes that compile everything anew
ROOT = pathlib.Path(__file__).parents[2]
COPIES = {
    "data": "one",
    "fsdp": "one",
    "slices": "one",
    "tensor": "one transformer",
    "fsdp transformer": "one transformer",
    "context": "one transformer",
    "pipeline": "one stack",
}


def start(devices, *arguments):
    """A process of `programs.py` with so many virtual devices."""
    environment = {
        **os.environ,
        "XLA_FLAGS": flags_for(devices),
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.distribution.programs", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result(process):
    out, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors[-3000:]
    return json.loads(out.splitlines()[-1])


@pytest.fixture(scope="module")
def eight():
    return result(start(8, "eight"))


def same(mine, other):
    for name in mine["history"]:
        np.testing.assert_allclose(
            mine["history"][name], other["history"][name], rtol=1e-5, atol=1e-6, err_msg=name
        )
    np.testing.assert_allclose(mine["prediction"], other["prediction"], rtol=1e-3, atol=2e-4)
    np.testing.assert_allclose(mine["losses"], other["losses"], rtol=1e-4, atol=1e-5)


@pytest.mark.promise("are those of the stack on one device")
@pytest.mark.promise("Losses, metrics and predictions are those of one device")
@pytest.mark.parametrize("name", COPIES)
def test_as_on_one_device(eight, name):
    mine, other = eight[name], eight[COPIES[name]]
    same(mine, other)
    np.testing.assert_allclose(mine["weights"], other["weights"], rtol=1e-3, atol=2e-4)
    assert mine["traces"] == other["traces"]


@pytest.mark.promise("the model and its optimizer | `jkeras.distribution.FSDP`")
def test_memory_falls_with_the_mesh(eight):
    """FSDP keeps an eighth of nearly everything on each device, data parallelism all."""
    share = {name: eight[name]["bytes"] / eight[of]["bytes"] for name, of in COPIES.items()}
    assert share["data"] == 1
    assert (
        0.125 < share["fsdp"] < 0.2
        and 0.25 < share["slices"] < 0.3
        and 0.125 < share["tensor"] < 0.6
        and share["fsdp transformer"] < 0.3
    )


@pytest.mark.promise("A sharded weight is all-gathered")
def test_collectives(eight):
    """Data parallelism sums gradients; FSDP gathers weights; cut layers sum what their parts
    give.
    """
    traffic = {name: eight[name]["traffic"] for name in [*COPIES, *COPIES.values()]}
    assert not any(traffic["one"].values()) and not any(traffic["one transformer"].values())
    assert traffic["data"]["all-reduce"] and not traffic["data"]["all-gather"]
    assert traffic["fsdp"]["all-gather"]
    assert traffic["tensor"]["all-reduce"]
    assert traffic["pipeline"]["collective-permute"]
    assert traffic["context"]["collective-permute"] and not traffic["fsdp"]["collective-permute"]


@pytest.mark.promise("Keys and values go round")
@pytest.mark.promise("Where one sequence does")
@pytest.mark.promise("`jkeras.ops.ring_attention` is the same as a function")
def test_attention_in_parts(eight):
    """By the kernel on each device, and in a ring: the numbers of the plain form on one."""
    assert len(eight["attention"]) == 15
    assert {name: far for name, far in eight["attention"].items() if far > 1e-5} == {}


def test_recurrent_kernels_take_the_rows_of_their_device(eight):
    found = eight["recurrent"]
    for size in (8, 12):
        for name in ("data", "fsdp"):
            same(found[f"{name}, {size}"], found[f"one, {size}"])


@pytest.mark.promise("With a causal mask each device takes one part of the beginning")
def test_a_causal_ring_leaves_out_what_is_hidden(eight):
    found = eight["rings"]
    assert max(one["far"] for one in found.values()) < 1e-5
    shares = [one["share"] for one in found.values()]
    assert shares == [3 / 4, 4 / 6, 9 / 16, 9 / 16, 1]  # parts of 3 positions have no halves


@pytest.mark.promise("Without a `capacity_factor` no token is moved")
def test_experts_that_take_all_tokens(eight):
    assert len(eight["dropless"]) == 25
    assert {name: far for name, far in eight["dropless"].items() if far > 1e-5} == {}


@pytest.mark.promise("each device trains its own members")
def test_each_device_trains_members_of_its_own(eight):
    one, *several = eight["members"]
    for mine in several:
        np.testing.assert_allclose(mine["losses"], one["losses"], rtol=1e-5)
        np.testing.assert_allclose(mine["predictions"], one["predictions"], rtol=1e-4, atol=1e-5)
        assert (mine["devices"], mine["bytes"], mine["traces"]) == (8, 1 / 8, 1)


def test_noise_is_the_same_on_all_devices(eight):
    """What differs in how numbers are added is far below the noise of a step, 0.0003."""
    one, *others = eight["private"]
    for other in others:
        np.testing.assert_allclose(other["weights"], one["weights"], atol=1e-6)
        for name, values in one["history"].items():
            np.testing.assert_allclose(other["history"][name], values, rtol=1e-5)


ROWS, COLUMNS = ["model", None], [None, "model"]
LAYOUTS = {
    "transformer": {
        "embedding/embeddings": ROWS,
        "attention/query/kernel": [None, "model", None],
        "attention/value/bias": ROWS,
        "attention/attention_output/kernel": ["model", None, None],
        "attention/attention_output/bias": [None],
        "layer_normalization/gamma": [None],
        "up/kernel": COLUMNS,
        "up/bias": ["model"],
        "down/kernel": ROWS,
        "down/bias": [None],
        "head/kernel": COLUMNS,
    },
    "gated": {
        "embedding/embeddings": COLUMNS,  # 4 does not divide the vocabulary
        "attention/query/kernel": [None, "model", None],
        "attention/key/kernel": ["model", None, None],  # nor the heads of keys
        "attention/attention_output/kernel": ["model", None, None],
        "gate/kernel": COLUMNS,
        "up/kernel": COLUMNS,
        "down/kernel": ROWS,
    },
    "stacked": {
        "stack/attention_query_dense_kernel": [None, None, "model", None],
        "stack/attention_output_dense_kernel": [None, "model", None, None],
        "stack/norm_gamma": [None, None],
        "stack/up_kernel": [None, None, "model"],
        "stack/up_bias": [None, "model"],
        "stack/down_kernel": [None, "model", None],
        "stack/down_bias": [None, None],
    },
}


LAYOUTS["experts"] = {
    "experts/router": ROWS,
    "experts/expert_up": ["model", None, None],
    "experts/expert_gate": ["model", None, None],
    "experts/expert_down": ["model", None, None],
    "experts/expert_down_bias": ["model", None],
}
LAYOUTS["dropless"] = LAYOUTS["experts"]


@pytest.fixture(scope="module")
def auto():
    return result(start(8, "auto"))


@pytest.mark.promise("The pairs of kernels are")
@pytest.mark.promise("Of a `Stack` the axis of")
@pytest.mark.parametrize("name", LAYOUTS)
def test_cuts_by_rules(auto, name):
    one, four, two = auto[name]
    for parts, cut in ((4, four), (2, two)):
        np.testing.assert_allclose(cut["losses"], one["losses"], rtol=1e-5)
        np.testing.assert_allclose(cut["prediction"], one["prediction"], atol=2e-4)
        np.testing.assert_allclose(cut["loaded"], cut["prediction"], atol=1e-6)
        assert cut["slots"] and cut["bytes"] < 1.15 * one["bytes"] / parts
        assert cut["planned"] == cut["parameters"] < 1.15 * one["parameters"] / parts
    assert {path: four["layouts"][path][0] for path in LAYOUTS[name]} == LAYOUTS[name]


@pytest.mark.promise("Files and checkpoints are")
@pytest.mark.promise("an argument of all distributions")
@pytest.mark.promise("The numbers are the same, bit for bit")
def test_an_optimizer_with_the_host(tmp_path):
    """The same numbers, bit for bit, wherever the optimizer's state lies between steps."""
    found = result(start(8, "offload", str(tmp_path)))
    digests = {name: one["digest"] for name, one in found.items()}
    assert digests["plain"] == digests["away"]
    assert digests["plain"] == digests["away resumed"] == digests["plain resumed"]
    assert digests["cut"] == digests["cut away"] != digests["plain"]
    for name, one in found.items():
        host = "away" in name
        memory = "pinned_host" if host else "device"
        assert one["kinds"] == ["False device", f"True {memory}"] and one["loaded"]
        assert one["host"] == (one["slots"] if host else 0)
        numbers = 8  # of iterations, and the learning rate
        assert one["optimizer"] == numbers + (0 if host else one["slots"])


def two_places():
    """(address, number) for two processes that meet."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    return [(address, "0"), (address, "1")]


@pytest.mark.promise("A checkpoint of one device")
@pytest.mark.promise("A file or checkpoint of")
def test_checkpoints_go_from_one_mesh_to_another(tmp_path):
    """Written on one device, on two, on eight, by two processes: the same numbers on one, two and
    eight.
    """
    folders = {str(devices): tmp_path / str(devices) for devices in (1, 2, 8)} | {
        "processes": tmp_path / "processes"
    }
    saving = {name: start(int(name), "checkpoints", str(folders[name])) for name in ("1", "2", "8")}
    written = {name: result(process)[0] for name, process in saving.items()}
    both = [
        start(2, "checkpoint_of_process", *place, str(folders["processes"]))
        for place in two_places()
    ]
    written["processes"], other = (result(process)[0] for process in both)
    assert written["processes"] == other and all(w["epochs"] == [0, 1] for w in written.values())
    for devices in (1, 2, 8):
        restored = result(start(devices, "checkpoints", *map(str, folders.values())))
        for name, found in zip(folders, restored, strict=True):
            assert found["digest"] == written[name]["digest"], (name, devices)
        # they lie as the live model's do, whoever wrote them
        sizes = {found["bytes"] for found in restored}
        assert len(sizes) == 1 and (devices == 1 or sizes.pop() < written["1"]["bytes"])


@pytest.mark.promise("Each process is given the")
def test_two_processes():
    """Two processes that pass batches and gradients through gloo end where one ends."""
    processes = [start(2, "process", *place) for place in two_places()] + [start(1, "alone")]
    first, second, alone = map(result, processes)
    same(first, alone)
    assert first["history"] == second["history"] and first["prediction"] == second["prediction"]


@pytest.mark.promise("another number of processes or")
@pytest.mark.promise("one of several processes has lost its local folder")
@pytest.mark.promise("waits for no other, and needs the same devices to read them")
def test_two_processes_with_local_folders(tmp_path):
    """Both restore the newest step that both have; where one has lost its folder, the durable one.
    Each iterator goes on where that of its process was.
    """

    def trained(name, steps=0):
        arguments = "tiers_of_process", str(tmp_path / name), str(tmp_path / name / "durable")
        program, *folders = arguments
        processes = [start(2, program, *place, *folders, str(steps)) for place in two_places()]
        return [result(process) for process in processes]

    whole = trained("whole")
    for name, step, damage in (
        ("kept", 6, lambda local: None),
        ("older", 4, lambda local: shutil.rmtree(local / "process_1" / "6")),
        ("lost", 4, lambda local: shutil.rmtree(local / "process_1")),
    ):
        for told in trained(name, 7):
            assert told["steps"] == [[4, 6], [0, 4]]
        damage(tmp_path / name)
        for told, expected in zip(trained(name), whole):
            assert told["from"] == step and told["digest"] == expected["digest"]
            # but for the two that are looked at before
            assert told["batches"][2:] == [4 * n for n in range(step, 10)]
