"""The counts of `benchmarks.structure` count what they say, and are taken of this checkout."""

import ast
import json
import math
import subprocess
import sys

import pytest

from benchmarks.structure import __main__ as structure
from benchmarks.structure import limits, places, runs, source
from benchmarks.structure.checkout import Checkout
from benchmarks.structure.counts import TABLE, Count

LAYER = '''"""Layers."""

from tiny.core import run  # the run


class Layer:
    """A layer."""

    def call(self, x: int, *args):
        return run.of(x)
'''
FILES = {
    "__init__.py": "from tiny.core import layer\n",
    "core/__init__.py": "",
    "core/layer.py": LAYER,
    "core/run.py": "def of(x):\n    from . import layer\n\n    return layer.Layer()._call(x)\n",
    "core/far.py": "import typing\n\nif typing.TYPE_CHECKING:\n    from tiny.core import run\n",
}


@pytest.fixture
def tiny(tmp_path):
    """The sources of a package of five files."""
    for path, text in FILES.items():
        (tmp_path / "tiny" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tiny" / path).write_text(text)
    return source.read(tmp_path / "tiny")


def sources_of(tmp_path, text):
    (tmp_path / "one.py").write_text(text)
    return source.read(tmp_path)


@pytest.fixture(scope="module")
def checkout():
    return Checkout(structure.ROOT)


@pytest.fixture(scope="module")
def report():
    """Of a process of its own: what other tests leave behind makes calls."""
    command = [sys.executable, "-m", "benchmarks.structure", "--json"]
    done = subprocess.run(command, cwd=structure.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_count_of_this_checkout_is_a_number(report):
    assert report["counts"].keys() == TABLE.keys()
    for row in [row for rows in report["counts"].values() for row in rows]:
        if row["now"] is not None:
            assert math.isfinite(row["now"]) and row["now"] >= 0, row


def test_no_count_is_worse_than_its_limit(report):
    """`python -m benchmarks.structure --tighten` writes what is better."""
    assert limits.broken(report, limits.read()) == []


def test_each_count_with_a_target_has_a_limit():
    assert list(limits.read()) == limits.limited()


def test_limits_only_shrink():
    row = {"at_least": False, "name": "and mixed with or"}
    assert limits.broken({"counts": {"": [row | {"now": 3}]}}, {row["name"]: 2}) == [
        "and mixed with or: 3, the limit is 2"
    ]
    rows = [
        {"name": name, "at_least": name.startswith("annotated"), "now": 7, "target": 8}
        for name in limits.limited()
    ]
    report = {"counts": {"": rows}}
    for before, after in ((5, 5), (9, 7)):
        new = limits.tightened(report, dict.fromkeys(limits.limited(), before))
        assert new["and mixed with or"] == after
    assert new["annotated in these five, %"] == 9
    assert new["code lines of the kernel"] == 8  # lines may grow, up to their target
    rows[-1]["now"] = 97.26
    assert limits.tightened(report, {})["annotated in these five, %"] == 97.2


def test_the_text_has_a_line_for_each_count(report):
    lines = structure.as_text(report).splitlines()
    for row in [row for rows in report["counts"].values() for row in rows]:
        assert sum(line.strip().startswith(row["name"]) for line in lines) >= 1
    assert lines[0].startswith("jkeras at ")


def test_the_way_to_the_loss_begins_with_fit(report):
    way = report["behind"]["Frames from fit to the loss"]
    assert way[:2] == ["core/run/tracebacks.py shown", "training/shell/trainer.py fit"]
    assert "training/step/batch_loss.py" in way[-1]


def test_listed_places_are_there(checkout):
    for paths in (places.AMBIENT_RUN, places.LAYER_BASE, places.OPTIMIZER_BASE, places.CORE):
        assert checkout.files(paths)
    with pytest.raises(LookupError, match="no such.py"):
        checkout.files(["such.py"])


@pytest.mark.parametrize(
    "value, at_least, expected",
    [(3, False, True), (4, False, False), (3, True, True), (2, True, False), (None, False, None)],
)
def test_targets_are_limits(value, at_least, expected):
    assert Count("", None, 0, 3, at_least).holds(value) is expected
    assert Count("", None, 0).holds(value) is None


def test_returns_to_a_file_are_counted():
    way = ["a.py f", "b.py g", "b.py h", "a.py k", "c.py l", "b.py m"]
    assert [runs.returns_to(way, [file]) for file in ("a.py", "b.py", "c.py", "d.py")] == [
        1,
        1,
        0,
        0,
    ]


def test_own_calls_are_those_of_jkeras_alone():
    assert runs.own_calls(lambda: ast.literal_eval("1")) == (0, 0)
    assert runs.own_calls(lambda: runs.jkeras.activations.linear(1)) == (1, 1)


# ---------------------------------------------------------------- sources


def test_code_is_what_is_left_without_comments_and_docstrings(tiny):
    layer = source.under(tiny, "core/layer.py")
    assert layer[0].code == [
        "from tiny.core import run",
        "class Layer:",
        "def call(self, x: int, *args):",
        "return run.of(x)",
    ]
    assert source.number_of_characters(layer) == sum(map(len, layer[0].code))


def test_imports_inside_functions_make_circles_and_those_for_types_do_not(tiny):
    assert source.circles(tiny) == [["tiny.core.layer", "tiny.core.run"]]
    assert source.importers(tiny, "tiny.core.run") == ["tiny.core.layer"]


def test_modules_that_are_loaded_by_name_make_circles(tmp_path):
    (tmp_path / "a.py").write_text(
        f"import importlib\nimportlib.import_module('{tmp_path.name}.b')\n"
    )
    (tmp_path / "b.py").write_text(f"from {tmp_path.name} import a\n")
    name = tmp_path.name
    assert source.circles(source.read(tmp_path)) == [[f"{name}.a", f"{name}.b"]]


def test_foreign_packages(tmp_path):
    sources = sources_of(
        tmp_path, "import numpy.linalg\nimport typing\nfrom jkeras.core import rng\n"
    )
    assert source.foreign_packages(sources, ["numpy"]) == ["jkeras.core.rng"]


def test_the_private_names_of_others(tmp_path):
    text = "import os\nos._exit, self._x, cls._x, super()._x, x.__len__, x._y, self.x._y, x[0]._y\n"
    text += "x._replace(a=1), x.y._asdict()\n"  # public ones of named tuples
    assert source.uses_of_private(sources_of(tmp_path, text)) == 3


def test_identities_of_variables(tmp_path):
    sources = sources_of(
        tmp_path, 'id(v), id(variable), id(node), id(cell._own["w"]), id(g.state)\n'
    )
    assert len(source.calls_of_id(sources)) == 5
    assert source.ids_of_variables(sources) == source.ids_of_held_variables(sources) == 2


@pytest.mark.parametrize(
    "text, expected",
    [
        ("values[v]", 1),
        ("values[id(v)]", 0),
        ("v in values or variable not in values", 2),
        ("values.get(v, 0), values.setdefault(v, 1), seen.add(v), seen.add(layer)", 3),
        ("{v: x for v, x in pairs}, {v for v in variables}, [v for v in variables]", 2),
    ],
)
def test_variables_as_keys(tmp_path, text, expected):
    assert source.variables_as_keys(sources_of(tmp_path, text + "\n")) == expected


def test_id_without_a_call(tmp_path):
    assert source.ids_passed_on(sources_of(tmp_path, "map(id, x), sorted(x, key=id), id(x)\n")) == 2


def test_annotations_make_no_characters(tmp_path):
    plain = sources_of(tmp_path, "def f(x):\n    return x\n")
    count = source.characters_without_types(plain)
    text = 'def f(\n    x: int,\n) -> int:\n    """F."""\n    return x\n'
    assert source.characters_without_types(sources_of(tmp_path, text)) == count == 17


@pytest.mark.parametrize(
    "body, expected",
    [
        ("return 1", 1),
        ("return 1 if x else 2", 2),
        ("return x and y or z and x", 4),
        ("return [a for a in x if a if y]", 4),
        ("return lambda: 1 if x else 2", 2),
        ("for a in x:\n  if a: pass\n  elif y: pass\n  else: pass", 4),
        ("while x:\n  try: pass\n  except KeyError: pass\n  finally: pass", 3),
        ("def inner():\n  if x: pass", 1),
    ],
)
def test_complexity(body, expected):
    text = "def f(x, y, z):\n" + "\n".join(f" {line}" for line in body.split("\n"))
    assert source.complexity(ast.parse(text).body[0]) == expected


def test_functions_are_named_with_the_classes_around_them(tmp_path):
    sources = sources_of(
        tmp_path, "class A:\n  def f(self):\n    def g(): return 1 if self else 2\n"
    )
    assert [str(f) for f in source.functions(sources)] == ["A.f.g (one.py) 2", "A.f (one.py) 1"]


def test_mixed_conditions_and_annotations(tmp_path):
    text = "def f(self, a: int, b, *c: int, d=1 if x or y and z else (x or y)): pass\n"
    sources = sources_of(tmp_path, text)
    assert source.mixed_conditions(sources) == source.conditional_expressions(sources) == 1
    assert source.annotated_percent(sources) == pytest.approx(100 / 3)
    assert source.annotated_percent([]) is None
