"""Wrong calls: what Keras refuses, jkeras refuses too, with an error of the same class."""

import collections
import contextlib
import io
import pathlib
import re
import warnings

import keras
import numpy as np
import pytest

import jkeras

TABLE = pathlib.Path(__file__).with_name("refusals.txt")
QUICK = ("constructors", "get, deserialize", "initializers", "models", "optimizers, schedules")
SYMBOLIC = ("calls with wrong ranks and shapes", "ops")
x2 = np.ones((2, 3), "float32")
x3 = np.ones((2, 3, 4), "float32")
x4 = np.ones((1, 4, 4, 3), "float32")
TENSORS = {"x2": "k.Input((3,))", "x3": "k.Input((3, 4))", "x4": "k.Input((4, 4, 3))"}
TAKEN = {  # calls that jkeras takes, and why
    "run(k, iter([(x2, np.ones((2, 1)))]), None, class_weight={0: 1.0})": "for all kinds of data",
    "ops.solve(k.Input((3,)), k.Input((3,)))": "(None, 3) may be square",
    "ops.solve_triangular(k.Input((3,)), k.Input((3,)))": "the same",
    "ops.lstsq(k.Input((3,)), np.ones((5, 5)))": "None may be 5",
}


class NoConfig:
    """A class that cannot be registered."""


def called(layer, x):
    """A layer that is built for x."""
    layer(x)
    return layer


def small(k):
    """A model of one layer for x2."""
    return k.Sequential([k.Input((3,)), k.layers.Dense(1)])


def two(k):
    """A model of two inputs."""
    a, b = k.Input((3,), name="a"), k.Input((3,), name="b")
    return k.Model([a, b], k.layers.Add()([a, b]))


def compiled(k, **options):
    """`small`, compiled."""
    model = small(k)
    model.compile(**{"optimizer": "sgd", "loss": "mse", **options})
    return model


def fit(k, **options):
    """Trains `small`, compiled with other options."""
    compiled(k, **options).fit(x2, np.ones((2, 1)), verbose=0)


def run(k, x, y, **options):
    """Trains `small` on other data."""
    compiled(k).fit(x, y, **{"verbose": 0, **options})


def built(optimizer, k):
    """An optimizer that is built for one variable."""
    optimizer.build([k.Variable(np.ones((2,)))])
    return optimizer


def named(k):
    """A graph of two layers with one name."""
    x = k.Input((2,))
    k.Model(x, k.layers.Dense(1, name="d")(k.layers.Dense(1, name="d")(x)))


def twice(k):
    """A graph of two inputs with one name."""
    a, b = k.Input((2,), name="a"), k.Input((2,), name="a")
    k.Model([a, b], k.layers.Add()([a, b]))


def groups():
    """{group: its calls} of the table."""
    rows = collections.defaultdict(list)
    for line in TABLE.read_text().splitlines():
        if line.startswith("## "):
            group = line.removeprefix("## ")
        elif line and not line.startswith("#"):
            rows[group].append(line)
    return rows


def on_tensors(row):
    """A call with KerasTensors in place of the arrays; None where it has none."""
    if not re.search(r"\bx[234]\b", row):
        return None
    return re.sub(r"\bx[234]\b", lambda match: TENSORS[match[0]], row)


def raised(k, row):
    """What a call raises in a library, None for nothing; the library's settings stay."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            eval(row, {**globals(), "k": k, "L": k.layers, "ops": k.ops})
    except Exception as error:
        return error
    finally:
        k.config.set_floatx("float32")
        k.config.set_dtype_policy("float32")
        k.distribution.set_distribution(None)
    return None


def differences(rows):
    """(the numbers of calls that Keras refuses by class, what jkeras does otherwise)."""
    counts, wrong = collections.Counter(), []
    for row in rows:
        theirs = raised(keras, row)
        wanted = next((c for c in (ValueError, TypeError) if isinstance(theirs, c)), None)
        if wanted is None:
            continue
        counts[wanted.__name__] += 1
        # a TypeError of Keras's is often an accident: that of an argument nobody looked at
        allowed = (ValueError,) if wanted is ValueError else (TypeError, ValueError)
        mine = raised(jkeras, row)
        if not isinstance(mine, allowed) and row not in TAKEN:
            wrong.append(f"{row}: {mine!r}, Keras raises {theirs!r}"[:300])
    return counts, wrong


def groups_as_parameters():
    """Each group; most are slow."""
    return [
        pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in groups()
    ]


@pytest.mark.promise("The one is `class_weight`")
@pytest.mark.promise("wrong calls that Keras refuses with")
@pytest.mark.parametrize("group", groups_as_parameters())
def test_what_keras_refuses_is_refused(group, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = groups()[group]
    counts, wrong = differences(rows)
    assert not wrong, "\n".join(wrong)
    assert counts.total() == len(rows)  # the table has no call that Keras takes


@pytest.mark.slow
@pytest.mark.parametrize("group", SYMBOLIC)
def test_what_keras_refuses_of_tensors_is_refused(group):
    rows = [row for row in map(on_tensors, groups()[group]) if row]
    counts, wrong = differences(rows)
    assert not wrong, "\n".join(wrong)
    assert counts.total() > 10


@pytest.mark.promise("wrong calls that Keras refuses with")
def test_the_figure_in_the_docs():
    """docs/from-keras.md says how many calls are compared."""
    page = pathlib.Path(__file__).parents[2] / "docs" / "from-keras.md"
    count = int(re.search(r"([\d,]+) wrong calls", page.read_text())[1].replace(",", ""))
    assert count == sum(map(len, groups().values()))
