"""The benchmarks run, report every work, and judge made-up numbers rightly."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from importlib.util import find_spec

import pytest

from benchmarks import report, runner, targets
from benchmarks.packages import __main__ as packages
from benchmarks.works import QUICK, WORKS


def rounds(*seconds, **more):
    return [{"cpu_s": s, "wall_s": 2 * s, "compiles": 0, **more} for s in seconds]


def found(works, what, against, of="time"):
    return next(
        one
        for one in targets.compare(works)
        if one.target[1:3] + one.target[4:] == (what, against, of)
    )


def test_ratios_are_medians_of_ratios_side_by_side():
    work = {
        "jkeras": {"rounds": rounds(1.0, 20.0, 3.0)},
        "keras": {"rounds": rounds(10.0, 100.0, 10.0)},
    }
    assert targets.ratio(work, "jkeras", "keras") == pytest.approx((0.2, 0.1, 0.3))
    assert targets.ratio(work, "jkeras", "torch") is None


@pytest.mark.parametrize("seconds, expected", [(0.10, True), (0.11, False)])
def test_a_ratio_is_reached_up_to_its_limit(seconds, expected):
    works = {"tiny": {"jkeras": {"rounds": rounds(seconds)}, "keras": {"rounds": rounds(1.0)}}}
    assert targets.reached(found(works, "tiny", "keras")) is expected
    assert targets.reached(found(works, "tiny", "jitted")) is None  # not measured


def test_ratios_without_a_limit_are_only_shown():
    works = {"resnet": {"jkeras": {"rounds": rounds(3.0)}, "torch": {"rounds": rounds(1.0)}}}
    one = found(works, "resnet", "torch")
    assert one.value == 3.0 and targets.reached(one) is None


@pytest.mark.parametrize("compiles, expected", [(4, True), (5, False)])
def test_compiles_count_the_worst_round(compiles, expected):
    works = {
        "sizes": {"jkeras": {"rounds": rounds(1.0, compiles=3) + rounds(1.0, compiles=compiles)}}
    }
    assert targets.reached(found(works, "sizes", None, "compiles")) is expected


def test_a_thousand_layers_count_build_and_first_step():
    works = {
        "depth1000": {
            "jkeras": {"build": {"cpu_s": 1.0}, "first": {"cpu_s": 2.0}},
            "keras": {"build": {"cpu_s": 4.0}, "first": {"cpu_s": 6.0}},
        }
    }
    assert found(works, "depth1000", "keras", "start").value == pytest.approx(0.3)


def test_every_target_is_about_a_work_that_measures_its_peers():
    for target in targets.TARGETS:
        if target.what in WORKS:
            assert target.against in (*WORKS[target.what].peers, None)


def test_a_peer_that_fails_has_a_row_that_says_so():
    results = {"tiny": {"jkeras": {"failed": "took over 300 s"}}}
    assert "failed: took over 300 s" in report.report(
        {"works": results, "imports": {}, "kernels": []}, "", 1
    )


def test_a_worker_that_dies_fails_alone():
    reports = runner.measure([WORKS["tiny"]], ["no such peer"], 1)
    assert reports == {"tiny": {}}  # it has no such work
    worker, kept = runner.Worker("no such peer"), {}
    worker.ask(WORKS["tiny"], kept)
    worker.ask(WORKS["tiny"], kept)
    worker.close()
    assert kept == {"failed": "ended with exit status 1"}


@pytest.mark.slow
def test_the_quick_run_reports_every_work():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick"],
        cwd=runner.ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for name in QUICK:
        assert WORKS[name].title in done.stdout
    for heading in ("## Targets", "## Import", "## Forms by platform"):
        assert heading in done.stdout
    assert "failed" not in done.stdout


@pytest.mark.slow
def test_peers_train_alike_and_compile_once():
    """On random labels the loss is near that of guessing, and falls when the rounds go on."""
    for one in runner.measure([WORKS["tiny"]], ["jkeras", "jitted", "scanned"], 3)["tiny"].values():
        losses = [r["loss"] for r in one["rounds"]]
        assert 2.1 < losses[-1] < losses[0] < 2.4
        assert [r["compiles"] for r in one["rounds"]] == [0, 0, 0]


def test_what_became_of_the_tests_of_a_package_is_counted():
    report = ElementTree.fromstring("""<testsuite>
        <testcase classname="a" name="one"/>
        <testcase classname="a" name="two"><failure/></testcase>
        <testcase classname="a" name="three"><skipped/></testcase></testsuite>""")
    found = dict(map(packages.outcome, report.iter("testcase")))
    assert found == {"a::one": "passed", "a::two": "failed", "a::three": "skipped"}
    line = packages.row("visualkeras", found, {**found, "a::two": "passed"})
    assert line == "| visualkeras==0.2.0 | 3 tests | 1 / 1 / 1 | 2 / 0 / 1 |"


def test_a_package_runs_under_both():
    package = packages.PACKAGES["bayesflow"]
    keras, jkeras = (packages.command_of(package, as_keras, "r.xml") for as_keras in (False, True))
    assert keras[:2] == ("-m", "pytest") and tuple(jkeras[-len(keras) :]) == keras
    assert jkeras[:4] == [
        "-m",
        "jkeras",
        "run",
        "--private=keras.src.callbacks.history=jkeras.callbacks",
    ]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("keras_hub") is None, reason="keras-hub is not installed")
def test_models_of_keras_hub_give_the_same(tmp_path):
    keras, jkeras = (
        packages.run_one("keras-hub", sys.executable, tmp_path, as_keras, 1800)
        for as_keras in (False, True)
    )
    assert keras == jkeras
    assert len(keras) == 33 and set(keras.values()) == {"passed"}
