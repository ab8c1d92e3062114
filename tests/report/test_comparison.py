"""Where two trainings part, found from their reports."""

import json
import os

import numpy as np
import pytest

from jkeras.report import comparison, reading, run_report
from tests.report import tools


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The path of a report, of a training in the order of the rows."""
    path = tmp_path_factory.mktemp("base") / "run.json"
    tools.fit(path, shuffle=False)
    return path


def compared(base, path):
    first, second = reading.read(base), reading.read(path)
    return comparison.parting(first, second), comparison.differences(first, second)


def edited(base, path, change):
    """A report with changes."""
    report = json.loads(base.read_text())
    change(report)
    path.write_text(json.dumps(report))
    return path


def test_the_same(base, tmp_path):
    tools.fit(tmp_path / "run.json", shuffle=False)
    assert compared(base, tmp_path / "run.json") == (None, [])


@pytest.mark.promise("So, where the loss of the")
@pytest.mark.promise("Whether a run gives the same numbers again")
@pytest.mark.parametrize("step", [0, 3, tools.STEPS - 1])
def test_the_first_step_with_other_data(base, tmp_path, step):
    x, y = tools.data()
    y[step * tools.BATCH + 2] += 0.001
    tools.fit(tmp_path / "run.json", (x, y), shuffle=False)
    parting, differences = compared(base, tmp_path / "run.json")
    assert (parting.epoch, parting.step) == (0, step) and "its loss differs" in str(parting)
    ends = {0: ["data.first.y.sha256"], tools.STEPS - 1: ["data.last.y.sha256"]}
    assert [one.name for one in differences] == ends.get(step, [])


@pytest.mark.promise("So, where the loss of the")
def test_another_optimizer_parts_in_the_update_of_the_first_step(base, tmp_path):
    trained = tools.model()
    trained.compile("sgd", "mse", metrics=["mae"])
    tools.fit(tmp_path / "run.json", trained=trained, shuffle=False)
    parting, differences = compared(base, tmp_path / "run.json")
    assert (parting.epoch, parting.step) == (0, 0) and "its update" in parting.why
    assert "compile.config.optimizer.class_name" in {one.name for one in differences}


def test_another_rate_in_the_second_epoch(base, tmp_path):
    from jkeras.callbacks import LearningRateScheduler

    slower = LearningRateScheduler(lambda epoch, rate: rate if epoch == 0 else rate / 2)
    tools.fit(tmp_path / "run.json", shuffle=False, callbacks=[slower])
    parting, _ = compared(base, tmp_path / "run.json")
    assert (parting.epoch, parting.step) == (1, 0) and "its update" in parting.why


def test_other_initial_weights(base, tmp_path):
    trained = tools.model()
    trained.set_weights([w + 1 for w in trained.get_weights()])
    tools.fit(tmp_path / "run.json", trained=trained, shuffle=False)
    parting, _ = compared(base, tmp_path / "run.json")
    assert parting.epoch is None and "before the first step" in str(parting)


def first_steps(epoch):
    """Three of them."""
    return {"steps": 3, "fingerprints": epoch["fingerprints"][:32]}


def set_weights(report):
    report["epochs"][1]["weights"] = "0"


def set_end(report):
    report["weights"]["after"] = "0"


def set_results(report):
    report["epochs"][2]["logs"]["mae"] += 1


def leave_out_steps(report):
    report["epochs"][1] |= first_steps(report["epochs"][1])


def leave_out_an_epoch(report):
    del report["epochs"][2]


@pytest.mark.parametrize(
    "change, expected",
    [
        (set_weights, "after the steps of epoch 2: the weights differ"),
        (set_end, "after the last epoch"),
        (set_results, "after the steps of epoch 3: the weights are the same, the results differ"),
        (leave_out_steps, "in step 3 of epoch 2 .*it has 8 steps | 3 steps"),
        (leave_out_an_epoch, "nowhere as far as both go: 3 epochs | 2 epochs"),
    ],
)
def test_what_is_between_the_steps(base, tmp_path, change, expected):
    parting, _ = compared(base, edited(base, tmp_path / "run.json", change))
    assert str(parting).startswith(expected.split(".*")[0])
    assert expected.split(".*")[-1] in str(parting)


def test_an_unfinished_epoch_counts(base, tmp_path):
    def cut(report):
        report["unfinished"] = first_steps(report["epochs"].pop())

    report = reading.read(edited(base, tmp_path / "run.json", cut))
    assert [len(epoch.rows) for epoch in report.epochs] == [tools.STEPS, tools.STEPS, 3]
    np.testing.assert_array_equal(report.epochs[2].rows, reading.read(base).epochs[2].rows[:3])
    parting = comparison.parting(reading.read(base), report)
    assert (parting.epoch, parting.step) == (2, 3)


@pytest.mark.promise("Before it stands what differs")
def test_versions_are_told(base, tmp_path):
    path = edited(base, tmp_path / "run.json", lambda report: report["versions"].update(jax="0"))
    parting, differences = compared(base, path)
    assert parting is None and [one.name for one in differences] == ["versions.jax"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 2}',
        '{"format": 1, "path": 3}',
        '{"format": NaN}',
        '{"format": 1, "format": 1}',
    ],
)
def test_what_is_no_report(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ValueError, match=r"run\.json"):
        reading.read(tmp_path / "run.json")


@pytest.mark.parametrize("step, span", [(1, "0 to 3"), (3, "0 to 3"), (4, "4 to 7")])
def test_a_long_training_parts_in_one_of_several_steps(base, tmp_path, monkeypatch, step, span):
    monkeypatch.setattr(run_report, "MOST_ROWS", 7)  # of 24: of four steps one is kept
    x, y = tools.data()
    y[step * tools.BATCH] += 0.001
    tools.fit(tmp_path / "run.json", (x, y), shuffle=False)
    parting, _ = compared(base, tmp_path / "run.json")
    assert f"in one of the steps {span} of epoch 1" in str(parting)
    assert tools.load(tmp_path / "run.json")["every"] == 4
    tools.fit(tmp_path / "run.json", shuffle=False)
    assert compared(base, tmp_path / "run.json")[0] is None


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "run.json")
    for path in (tmp_path, tmp_path / "run.json"):
        with pytest.raises(ValueError, match="Give the path of a report"):
            reading.read(path)


@pytest.mark.parametrize("steps", ["AAA=", "?", 7, "AAAA", ""])
def test_damaged_steps(base, tmp_path, steps):
    def damage(report):
        report["epochs"][0]["fingerprints"] = steps

    with pytest.raises(ValueError, match="what `fit.report=….` writes"):
        reading.read(edited(base, tmp_path / "run.json", damage))
