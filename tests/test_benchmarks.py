"""The benchmarks run, report every work, and judge made-up numbers rightly."""

import dataclasses
import importlib
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks import change, data_rate, growth, kept, limit, pages, report, runner, targets
from benchmarks.packages import __main__ as packages
from benchmarks.records.record import Record, Row
from benchmarks.work import Work
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


def test_files_count_wall_time_and_peaks_the_process():
    works = {
        "load .npz": {"jkeras": {"rounds": rounds(3.0)}, "numpy": {"rounds": rounds(2.0)}},
        "mlp": {"jkeras": {"peak_mb": 300.0}, "jitted": {"peak_mb": 200.0}},
    }
    assert found(works, "load .npz", "numpy", "wall").value == 1.5
    assert found(works, "mlp", "jitted", "peak").value == 1.5


def test_slopes_are_those_of_powers():
    sizes = np.array([10, 100, 1000])
    assert growth.slope(sizes, 3e-4 * sizes**1.5) == pytest.approx(1.5)
    assert growth.slope([10], [1.0]) is None


def test_growth_is_of_works_that_were_measured():
    def took(seconds, start):
        return {
            "count": 10,
            "build": {"cpu_s": start / 2},
            "first": {"cpu_s": start / 2},
            "rounds": rounds(seconds),
        }

    works = {
        "depth10": {"jkeras": took(1.0, 3.0), "keras": took(2.0, 3.0)},
        "depth1000": {"jkeras": took(10.0, 3.0), "keras": {"failed": "took over 300 s"}},
        "tiny": {"jkeras": took(1.0, 1.0)},
    }
    (row,) = growth.rows(works)
    assert row[:3] == ("layers", (10, 1000), "jkeras")
    assert row[3:5] == pytest.approx((0.5, 0.0))
    assert row[5] == pytest.approx((0.1, 1.0))


def test_a_work_goes_to_its_process_as_it_is():
    for work in WORKS.values():
        assert Work.read(json.dumps(dataclasses.asdict(work))) == work


def test_arithmetic_counts_every_step_of_a_loop():
    """Products of matrices are nearly all: forward, and twice as many backward."""
    work = dataclasses.replace(WORKS["lstm"], batch=8)
    products = 2 * 8 * 80 * (64 + 64) * 256 * 3
    assert products < limit.operations(work) < 1.1 * products
    one_epoch = dataclasses.replace(WORKS["mlp"], kind="epoch")
    assert limit.operations(one_epoch) == 20 * limit.operations(WORKS["mlp"])
    assert limit.operations(WORKS["ragged"]) is None


def test_results_of_runs_add_up(tmp_path):
    def run(name, seconds, peak):
        return {
            "about": [f"{name} "],
            "limit": {"peak": peak, "seconds": {name: seconds}},
            "works": {name: {"jkeras": {"rounds": rounds(seconds)}}},
            "others": [{"name": name, "title": name, "count": 1, "forms": {}}],
            "imports": {},
        }

    path = tmp_path / "results.json"
    kept.add(path, run("tiny", 1.0, 1.0) | {"imports": {"keras": {}}})
    kept.add(path, run("mlp", 1.0, 1.0))
    found = kept.add(path, run("tiny", 2.0, 3.0))
    assert list(found["works"]) == ["tiny", "mlp"]
    assert found["works"]["tiny"]["jkeras"]["rounds"][0]["cpu_s"] == 2.0
    assert found["limit"] == {"peak": 3.0, "seconds": {"tiny": 2.0, "mlp": 1.0}}
    assert [one["name"] for one in found["others"]] == ["tiny", "mlp"]
    assert found["imports"] == {"keras": {}} and found["about"] == ["tiny ", "mlp "]


def test_figures_of_a_part_take_the_place_of_its_older_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "FIGURES", tmp_path / "figures")
    for part, found in (("time", 1), ("memory", 2), ("time", 3)):
        kept.keep("script", part, {"value": found}, ("numpy",))
    parts = json.loads((tmp_path / "figures" / "script.json").read_text())
    assert {name: one["found"]["value"] for name, one in parts.items()} == {"time": 3, "memory": 2}
    assert f"numpy {np.__version__}" in parts["time"]["measured"]


def test_a_record_draws_what_was_kept_of_it(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    command = importlib.import_module("benchmarks.records.__main__")
    rows = [Row("one", np.float32(1.0), keras=np.float32(0.5), least=1)]
    made = Record(
        "papers",
        "title",
        "about",
        (),
        "licence",
        "source",
        measure=lambda: (rows, {"curve": [1, 3, 2]}),
        draw=lambda figure, data: figure.subplots().plot(data["curve"]),
    )
    monkeypatch.setattr(kept, "FIGURES", tmp_path / "figures")
    monkeypatch.setattr(command, "PICTURES", tmp_path / "pictures")
    monkeypatch.setattr(command, "record_of", lambda name: made)
    command.draw_picture("one")
    assert not (tmp_path / "pictures").exists()  # nothing was kept
    kept.keep("records", "one", command.measured("one"))
    command.draw_picture("one")
    header = (tmp_path / "pictures" / "one.png").read_bytes()[16:24]
    assert [int.from_bytes(part) for part in (header[:4], header[4:])] == [640, 400]


FIGURES = (
    "data_rate",
    "hub",
    "laplace",
    "privacy",
    "quantus_scores",
    "sanity",
    "scaling",
    "serving",
)


@pytest.mark.parametrize("name", FIGURES)
def test_scripts_of_figures_are_there(name):
    """What they import is there, or imported where it is used; what they measure is written."""
    module = importlib.import_module(f"benchmarks.{name}")
    written = json.loads((kept.FIGURES / f"{name}.json").read_text())
    assert hasattr(module, "main") or module.PARTS.keys() == written.keys()


def test_the_parts_that_a_command_asks_for_are_measured(monkeypatch, tmp_path):
    monkeypatch.setattr(kept, "FIGURES", tmp_path)
    monkeypatch.setattr("sys.argv", ["tiny", "--only", "b"])
    kept.command("tiny", "About.", {"a": (pytest.fail, ()), "b": (lambda: 3, ("numpy",))})
    assert json.loads((tmp_path / "tiny.json").read_text())["b"]["found"] == 3


def test_rates_are_medians_of_ratios_side_by_side():
    def seconds(*found):
        return [{"wall": wall, "cpu": wall / 2} for wall in found]

    found = {
        data_rate.BASE: seconds(1, 2, 3),
        data_rate.KEPT: seconds(2, 4, 6),
        "map, alone": seconds(1, 1, 1),
        "map, fed": seconds(2, 2, 4),
    }
    rates = data_rate.summary(found, size=100, rows=10)
    assert rates[data_rate.KEPT]["of_memmap"] == 0.5
    assert rates["map"]["of_memmap"] == rates["map"]["cpu_of_memmap"] == 0.75
    assert rates["map"]["bytes_per_second"] == 50 and rates["map"]["rows_per_second"] == 5


@pytest.mark.slow
def test_a_reader_makes_passes_in_each_way():
    if any(find_spec(name) is None for name in data_rate.LIBRARIES):
        pytest.skip("takes libraries of formats that are not here")
    found = data_rate.measure("images", rounds=1, divided_by=16, processes=(2,))["2"]
    assert all(one["bytes_per_second"] > 0 for one in found.values()) and len(found) > 10


@pytest.mark.slow
def test_launched_readers_make_passes_in_each_way():
    if any(find_spec(name) is None for name in ("grain", "h5py")):
        pytest.skip("takes libraries of formats that are not here")
    found = data_rate.measure_launched("images", rounds=1, processes=(2,))["2"]
    assert all(one["bytes_per_second"] > 0 for one in found.values())
    assert found["np.memmap"]["of_reader"] > 0 and data_rate.ONE_BATCH in found


def test_programs_of_a_page_share_their_names():
    first, *_ = pages.programs("laplace")
    assert "def confidence" in first
    assert pages.run("b = a + 1", pages.run("a = 1"))["b"] == 2


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
    for heading in ("## Targets", "## Other works", "## Import", "## Forms by platform"):
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
    line = packages.counted("visualkeras", found, {**found, "a::two": "passed"})
    assert line == {
        "package": "visualkeras 0.2.0",
        "what": "3 tests",
        "keras": [1, 1, 1],
        "jkeras": [2, 0, 1],
    }


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


SMALL = [name for name, package in packages.PACKAGES.items() if name in packages.IMPORTED]


@pytest.mark.promise("The numbers that they print are the same in both")
@pytest.mark.promise("Their programs print the same in both")
@pytest.mark.promise("A network of keras-tcn trains with the same losses in both")
@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_programs_for_packages_print_the_same(name, tmp_path):
    if any(find_spec(module) is None for module in packages.IMPORTED[name]):
        pytest.skip(f"{name} is not installed")
    keras, jkeras = (
        packages.run_one(name, sys.executable, tmp_path, as_keras, 600)
        for as_keras in (False, True)
    )
    assert keras == jkeras and "the program" not in keras


@pytest.mark.promise("write, greedily, the same tokens in both")
@pytest.mark.slow
@pytest.mark.skipif(find_spec("keras_hub") is None, reason="keras-hub is not installed")
def test_models_of_keras_hub_give_the_same(tmp_path):
    keras, jkeras = (
        packages.run_one("keras-hub", sys.executable, tmp_path, as_keras, 1800)
        for as_keras in (False, True)
    )
    assert keras == jkeras
    assert len(keras) == 33 and set(keras.values()) == {"passed"}


def test_a_change_is_worse_where_a_count_is_larger_or_all_rounds_are_slower():
    before = {"counts": {"compiled: a": 3, "bytes": 1000, "lines": 50}, "ratios": {"a": [0.9, 1.1]}}
    same = {"counts": {"compiled: a": 3, "bytes": 1015, "lines": 90}, "ratios": {"a": [1.4, 9.0]}}
    assert not any(is_worse for *_, is_worse in change.compared(before, same))
    other = {"counts": {"compiled: a": 4, "bytes": 1021, "lines": 1}, "ratios": {"a": [1.6, 1.7]}}
    assert [is_worse for *_, is_worse in change.compared(before, other)] == [
        True,
        True,
        False,
        True,
    ]
    new = {"counts": {"compiled: b": 2}, "ratios": {"b": [3.0]}}
    assert not any(is_worse for *_, is_worse in change.compared(before, new))


def test_sizes_of_a_package(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "a.py").write_text("x = 1\n" * 500)
    before = change.sizes(package)
    assert before["lines"] == 500 and before["bytes"] < 1000
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "a.pyc").write_bytes(bytes(range(256)) * 9)
    assert change.sizes(package) == before
