"""What differs between two runs, as a table and a picture."""

import numpy as np
import pytest

import jkeras
from jkeras import layers, search, visualization
from jkeras.visualization.two_runs import of_values

X = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")


def fit(path=None, rate=0.1, epochs=2, seed=1):
    jkeras.utils.set_random_seed(seed)
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(1)], name="net")
    model.compile(jkeras.optimizers.SGD(rate), "mse", metrics=["mae"])
    return model.fit(X, X[:, :1], epochs=epochs, verbose=0, report=path)


@pytest.mark.promise("What differs between two runs, that of")
def test_reports_tell_what_the_runs_were_and_gave(tmp_path):
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    one, other = fit(first), fit(second, rate=0.2, epochs=3)
    found = visualization.compare_runs(first, second, names=("slow", "fast"))
    rows = {row.name: (row.first, row.second) for row in found.table}
    assert rows["epochs"] == (2, 3)
    assert rows["loss"] == (one.history["loss"][-1], other.history["loss"][-1])
    assert rows["lowest loss"] == (min(one.history["loss"]), min(other.history["loss"]))
    rates = [pair for name, pair in rows.items() if name.endswith("learning_rate")]
    assert rates and np.allclose(rates, (0.1, 0.2))
    assert not any("units" in name for name in rows)  # what is the same is not said
    assert "step 0 of epoch 1" in found.parting and found.parting in str(found)
    assert str(found).splitlines()[0].split() == ["slow", "fast"]
    alike = visualization.compare_runs(first, first)
    assert alike.table == [] and alike.parting is None


@pytest.mark.promise("What differs between two runs, that of")
def test_histories_and_trials():
    one, other = fit(), fit(rate=0.2)
    found = visualization.compare_runs(one, other.history)
    assert {row.name for row in found.table} >= {"loss", "mae", "lowest mae"}
    assert found.parting is None

    def make():
        model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    space = {"learning_rate": [0.1, 0.2], "seed": [4]}
    result = search.sweep(make, X, X[:, :1], space=space, epochs=2)
    found = result.compare(0, 1)
    rows = {row.name: (row.first, row.second) for row in found.table}
    assert rows["learning_rate"] == (0.1, 0.2) and "seed" not in rows
    assert rows["loss"] == tuple(row["loss"] for row in result.table)


def test_what_is_missing_or_no_number():
    found = of_values(
        ("a", "b"),
        [{"rate": np.nan, "width": 3}, {"rate": np.nan}],
        [{"loss": [np.nan, 2.0], "f1": [[1.0, 2.0]]}, {"loss": [2.0, 2.0], "f1": [[1.0, 3.0]]}],
    )
    rows = {row.name: (row.first, row.second) for row in found.table}
    assert rows == {"width": (3, "nothing"), "f1": ([1.0, 2.0], [1.0, 3.0])}


def test_a_report_may_be_of_anybody(tmp_path):
    row = visualization.RunComparison([("name\x1b[31m", "x" * 500, 1)], {"a": {}, "b": {}}, None)
    assert "\x1b" not in str(row) and max(map(len, str(row).splitlines())) < 100
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(ValueError, match="what `fit\\(report=…\\)` writes"):
        visualization.compare_runs(tmp_path / "a.json", {})


@pytest.mark.promise("What differs between two runs, that of")
def test_the_picture(tmp_path):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    before = pyplot.get_fignums()  # those of other tests
    found = visualization.compare_runs(fit(), fit(rate=0.2))
    found.plot(path=tmp_path / "runs.png")
    assert (tmp_path / "runs.png").stat().st_size > 1000
    many = of_values(("a", "b"), [{str(i): 0 for i in range(99)}, {}], [{}, {}])
    many.plot(path=tmp_path / "many.png")
    assert pyplot.get_fignums() == before


def test_wrong_runs():
    with pytest.raises(ValueError, match="a report's path"):
        visualization.compare_runs([1.0], {})
    with pytest.raises(ValueError, match="two different `names`"):
        visualization.compare_runs({}, {}, names=("a", "a"))
