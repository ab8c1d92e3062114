"""`fit(report=path)`: what the file holds, also of a training that died or was resumed."""

import hashlib
import itertools
import json
import os
import sys
import types
import warnings

import jax
import numpy as np
import pytest

import jkeras
from jkeras.core.session import circumstances
from jkeras.saving import Checkpointer
from jkeras.training import init_train_state
from jkeras.report import hashes, run_report, trace
from tests.report import tools


class Every(jkeras.callbacks.Callback):
    """The mean loss after each single step; ends the training at one of them."""

    def __init__(self, last=None):
        super().__init__()
        self.losses, self.last = [], last

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(logs["loss"])
        if len(self.losses) == self.last:
            raise KeyboardInterrupt


def losses(report):
    """The mean losses of all epochs of a report, by step."""
    rows = [row for epoch in report["epochs"] for row in trace.from_text(epoch["fingerprints"])]
    return [trace.loss_of(row) for row in rows]


@pytest.mark.promise("Each step leaves eight")
@pytest.mark.promise("They are computed in the")
def test_steps_in_one_dispatch_leave_what_single_ones_do(tmp_path):
    every = Every()
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    tools.fit(one, callbacks=[every])
    tools.fit(other, trained=tools.model(steps_per_execution=5))
    assert losses(tools.load(one)) == every.losses and len(every.losses) == 3 * tools.STEPS
    assert losses(tools.load(other)) == pytest.approx(every.losses, rel=1e-5)


@pytest.mark.promise("`weights` | SHA-256 before")
@pytest.mark.promise("the same to the bit with a report and without")
def test_two_runs_have_the_same_hashes_and_a_report_changes_no_bit(tmp_path):
    paths = [tmp_path / "one.json", tmp_path / "other.json", None]
    one, other, plain = map(tools.fit, paths)
    reports = [tools.load(path) for path in paths[:2]]
    assert reports[0]["epochs"] == reports[1]["epochs"]
    assert reports[0]["weights"] == reports[1]["weights"]
    for weight, without in zip(tools.weights(other), tools.weights(plain), strict=True):
        np.testing.assert_array_equal(weight, without)


def test_all_members_of_an_ensemble_count(tmp_path):
    paths = [tmp_path / f"{name}.json" for name in ("one", "same", "other")]
    for path, seed in zip(paths, (1, 1, 2)):
        tools.fit(path, ensemble=3, epochs=1, seed=seed)
    one, same, other = (tools.load(path)["epochs"][0] for path in paths)
    assert one == same
    assert one["weights"] != other["weights"] and one["fingerprints"] != other["fingerprints"]
    # another last member alone
    trained = tools.fit(None, ensemble=3, epochs=1)
    before = hashes.of_weights(trained)
    changed = trained.ensemble_members.get_weights()
    changed[0][2] += 1
    trained.ensemble_members.set_weights(changed)
    assert hashes.of_weights(trained) != before


@pytest.mark.promise("The hash is a sum of mixed")
def test_the_hash_of_weights_is_that_of_their_bytes(tmp_path):
    path = tmp_path / "run.json"
    dense = jkeras.Sequential([jkeras.Input((4,)), jkeras.layers.Dense(1, use_bias=False)])
    dense.compile("sgd", "mse")
    kernel = dense.get_weights()[0]
    tools.fit(path, trained=dense, epochs=0)
    told = tools.load(path)["weights"]
    before = [
        hashlib.sha256(f"{name} float32[4, 1]\n".encode() + kernel.tobytes()).hexdigest()
        for name in ("layers/0/kernel", "dense/kernel", f"{dense.layers[0].name}/kernel")
    ]
    assert told["before"] == told["after"] and told["before"] in before


@pytest.mark.promise("`data` | shapes, dtypes")
def test_what_the_data_was(tmp_path):
    path = tmp_path / "run.json"
    x, y = tools.data()
    tools.fit(path, epochs=1)
    told = tools.load(path)["data"]
    assert told["batches"] == tools.STEPS
    assert told["first"]["x"]["shape"] == [8, 4] and told["last"]["y"]["shape"] == [4, 1]
    content = b" float32[4, 1]\n" + y[-4:].tobytes()
    assert told["last"]["y"]["sha256"] == hashlib.sha256(content).hexdigest()


def test_data_that_comes_once_is_not_used_up(tmp_path):
    path = tmp_path / "run.json"
    batches = ((np.full((2, 4), i, "float32"), np.ones((2, 1), "float32")) for i in range(5))
    tools.fit(path, [batches], epochs=1, steps_per_epoch=5, batch_size=None)
    report = tools.load(path)
    assert len(losses(report)) == 5 and "last" not in report["data"]


@pytest.mark.promise("`model`, `compile` | their configs")
@pytest.mark.promise("`seeds` | those of `set_random_seed`")
@pytest.mark.promise("`versions`, `devices` | of Python")
def test_circumstances(tmp_path):
    path = tmp_path / "run.json"
    jkeras.utils.set_random_seed(3)
    dense = jkeras.Sequential([jkeras.Input((4,)), jkeras.layers.Dense(1)])
    dense.compile("sgd", "mse")
    tools.fit(path, trained=dense, epochs=1)
    report = tools.load(path)
    assert report["status"] == "finished" and report["path"] == str(path)
    assert report["versions"]["jax"] == jax.__version__
    assert report["seeds"] == {"session": 3, "fit": 1}
    assert report["compile"]["config"]["loss"] == "mse"
    assert report["model"]["config"]["class_name"] == "Sequential"
    assert report["program"]["arguments"] == sys.argv[1:]


@pytest.mark.promise("Of the environment, only")
@pytest.mark.promise("none of the environment but a few settings")
def test_the_environment_is_not_told(tmp_path, monkeypatch):
    monkeypatch.setenv("A_TOKEN", "hidden-8d1f")
    tools.fit(tmp_path / "run.json", epochs=1)
    assert "hidden-8d1f" not in (tmp_path / "run.json").read_text()


@pytest.mark.promise('`status` | "finished",')
def test_one_that_an_error_ended_says_so(tmp_path):
    path = tmp_path / "run.json"
    with pytest.raises(KeyboardInterrupt):
        tools.fit(path, callbacks=[Every(last=tools.STEPS + 3)])
    report = tools.load(path)
    assert report["status"] == "ended by KeyboardInterrupt" and len(report["epochs"]) == 1
    assert report["unfinished"]["steps"] == 3
    assert len(trace.from_text(report["unfinished"]["fingerprints"])) == 3


@pytest.mark.promise("a run that was interrupted continues the same report")
@pytest.mark.promise("The file is written whole or not at all")
@pytest.mark.parametrize(
    "last",
    [tools.STEPS + 5, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, tools.STEPS))],
)
def test_goes_on_over_a_restart(tmp_path, last):
    whole, cut = tmp_path / "whole.json", tmp_path / "cut.json"
    tools.fit(whole, callbacks=[Every()])
    folder = Checkpointer(tmp_path / "kept", every=2)
    with pytest.raises(KeyboardInterrupt):
        tools.fit(cut, callbacks=[Every(last)], checkpoint=folder)
    folder.close()
    jkeras.utils.set_random_seed(5)
    tools.fit(cut, callbacks=[Every()], checkpoint=tmp_path / "kept")
    for name in ("epochs", "weights"):
        assert tools.load(cut)[name] == tools.load(whole)[name]


def test_a_place_without_a_folder_is_refused_before_training(tmp_path):
    trained = tools.model()
    with pytest.raises(FileNotFoundError, match="does not exist"):
        tools.fit(tmp_path / "none" / "run.json", trained=trained)
    assert int(trained.optimizer.iterations) == 0


@pytest.mark.promise("A report that cannot be")
def test_a_file_that_cannot_be_written_ends_no_training(tmp_path, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_report, "replacing", full)
    with pytest.warns(UserWarning, match="not up to date.*No space") as told:
        trained = tools.fit(tmp_path / "run.json")
    assert len(told) == 1 and int(trained.optimizer.iterations) == 3 * tools.STEPS


def test_results_that_are_no_numbers_are_json(tmp_path):
    path = tmp_path / "run.json"
    x, y = tools.data()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tools.fit(path, (x, y * np.inf), epochs=1)
    text = path.read_text()
    assert json.loads(text, parse_constant=pytest.fail)["epochs"][0]["logs"]["loss"] == "nan"


def test_a_list_of_callbacks_of_ones_own_stays_as_it_was(tmp_path):
    own = jkeras.callbacks.CallbackList([], add_history=True)
    trained = tools.model()
    own.set_model(trained)
    trained.history = own.callbacks[0]
    tools.fit(tmp_path / "run.json", trained=trained, callbacks=own)
    assert len(own.callbacks) == 1


# ---------------------------------------------------------------- fingerprints


def hash_of(*leaves):
    state = init_train_state(tools.model())
    return int(trace.weights_hash(state.replace(params=list(leaves), state={})))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "int8", "int4", "bool"])
def test_every_bit_of_the_weights_counts(dtype):
    zeros = np.zeros((3, 2), "int32")
    ones = zeros.copy()
    ones[1, 1] = 1
    hashes = [hash_of(jax.numpy.asarray(value, dtype)) for value in (zeros, ones, ones)]
    assert hashes[0] != hashes[1] == hashes[2]


@pytest.mark.promise("The hash is a sum of mixed")
def test_changes_that_cancel_in_a_sum_count_too():
    bits = np.full(64, 0x3F000000, "uint32")
    moved = bits.copy()
    moved[3], moved[7] = moved[3] + 1, moved[7] - 1
    assert hash_of(bits.view("float32")) != hash_of(moved.view("float32"))
    assert hash_of(np.zeros(2), np.ones(2)) != hash_of(np.ones(2), np.zeros(2))


def test_many_dispatches_are_kept_in_order():
    gathered = trace.Trace()
    for i in range(3 * trace.MOST_WAITING):
        gathered.take(jax.numpy.full((2, 2), i, "uint32"), 1)
    np.testing.assert_array_equal(gathered.rows()[:, 0], np.arange(3 * trace.MOST_WAITING))


@pytest.mark.promise("Above 524,288 steps every second fingerprint is left out")
@pytest.mark.parametrize("sizes", [[1] * 11, [3, 4, 4], [11], [2, 9]])
def test_of_many_steps_every_so_many_are_kept(sizes):
    gathered = trace.Trace()
    gathered.every = 2
    steps = np.arange(11, dtype="uint32")
    for part in np.split(steps, np.cumsum(sizes)[:-1]):
        gathered.take(np.stack([part, part], axis=1), len(part))
    assert gathered.rows()[:, 0].tolist() == [1, 3, 5, 7, 9] and gathered.steps == 11
    gathered.widen()
    gathered.take(np.full((1, 2), 11, "uint32"), 1)
    assert gathered.rows()[:, 0].tolist() == [3, 7, 11] and gathered.steps == 12


# ---------------------------------------------------------------- the program


@pytest.mark.promise("`program` | the script")
@pytest.mark.parametrize(
    "line, expected",
    [
        ("python train.py --rate 1", []),
        ("python -u -W error train.py", []),
        ("python -m jkeras run train.py", ["run"]),
        ("python -X dev -m jkeras run --keras2 train.py", ["run", "--keras2"]),
        ("python -m jkeras run --private a=b train.py", None),
        ("python -m jkeras launch --processes 2 train.py", None),
        ("python -m jkeras examples digits", []),
        ("python -c print()", None),
        ("python", None),
    ],
)
def test_how_a_program_was_started(line, expected):
    assert circumstances.launcher(line.split()) == expected


@pytest.mark.promise("The file is written whole or not at all")
def test_it_is_written_once_a_second_and_whole_or_not_at_all(tmp_path, monkeypatch):
    path, writes, dump = tmp_path / "run.json", [], json.dump

    def dumped(report, file, **options):
        writes.append(report["status"])
        dump(report, file, **options)

    monkeypatch.setattr(run_report.json, "dump", dumped)
    for pause, count in ((0.1, 1), (0.4, 2), (2.0, 4)):  # of the clock, each time it is looked at
        clock = types.SimpleNamespace(monotonic=itertools.count(0.0, pause).__next__)
        monkeypatch.setattr(run_report, "time", clock)
        writes.clear()
        tools.fit(path)
        assert writes == ["running"] * count + ["finished"]
    before = path.read_bytes()

    def breaks(report, file, **options):
        file.write("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_report.json, "dump", breaks)
    with pytest.warns(UserWarning, match="not up to date"):
        tools.fit(path, epochs=1)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["run.json"]


@pytest.mark.promise("the file has at most six megabytes of them")
@pytest.mark.promise("In the file a step takes eleven characters")
def test_what_a_step_takes_in_the_file():
    rows = np.arange(2 * 999, dtype="uint32").reshape(-1, 2)
    assert len(trace.as_text(rows)) == pytest.approx(11 * 999, rel=0.04)
    assert run_report.MOST_ROWS == 524_288
    assert len(trace.as_text(np.zeros((run_report.MOST_ROWS, 2), "uint32"))) < 6_000_000
