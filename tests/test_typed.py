"""What a type checker says of constructors: it takes what they take and refuses what they refuse.

The checker is pyright, from this environment, or installed for the test.
"""

import importlib.util
import inspect
import json
import pathlib
import subprocess
import sys
import venv

import pytest

import jkeras
from jkeras.core import typed
from jkeras.core.record import BASE_ARGUMENTS, Record

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = (
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "initializers",
    "regularizers",
    "constraints",
)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pyright(tmp_path_factory):
    """The command that runs pyright."""
    if importlib.util.find_spec("pyright"):
        return [sys.executable, "-m", "pyright"]
    place = tmp_path_factory.mktemp("pyright")
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    done = subprocess.run(
        [python, "-m", "pip", "install", "-q", "pyright[nodejs]"], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"pip reaches no index: {done.stderr[-300:]}")
    return [python, "-m", "pyright"]


@pytest.fixture(scope="module")
def said(pyright, tmp_path_factory):
    """A function from a program's lines to `{line: what pyright says of it}`."""

    def check(lines):
        # beside the sources, so that they are what is checked
        folder = tmp_path_factory.mktemp("program")
        (folder / "program.py").write_text("\n".join(lines) + "\n")
        settings = dict(extraPaths=[str(ROOT)], include=["program.py"])
        (folder / "pyrightconfig.json").write_text(json.dumps(settings))
        command = [*pyright, "--pythonpath", sys.executable, "--outputjson"]
        done = subprocess.run([*command, "-p", folder], capture_output=True, text=True)
        found = json.loads(done.stdout)["generalDiagnostics"]
        return {lines[d["range"]["start"]["line"]]: d["message"] for d in found}

    return check


def records():
    """(package, class) of the public records."""
    for package in PACKAGES:
        namespace = getattr(jkeras, package)
        for name in namespace.__all__:
            cls = getattr(namespace, name)
            if inspect.isclass(cls) and issubclass(cls, Record) and "_record_init" in vars(cls):
                if cls.__name__ == name:
                    yield package, cls


def parameters(text):
    """(names by place, names by name alone, required names) of a signature as pyright shows it."""
    inner = text[text.index("(") + 1 : text.rindex(") ->")]
    depth, pieces = 0, [""]
    for letter in inner:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            pieces.append("")
        else:
            pieces[-1] += letter
    pieces = [piece.strip() for piece in pieces if not piece.strip().startswith("self")]
    names = [piece.split(":")[0] for piece in pieces]
    star = names.index("*") if "*" in names else len(names)
    if pieces and pieces[-1].endswith("**LayerArguments"):
        names[-1:] = typed.LayerArguments.__annotations__
    required = [
        piece.split(":")[0] for piece in pieces if "*" not in piece[:2] and " = " not in piece
    ]
    return names[:star], names[star + 1 :], required


def difference(package, cls, text):
    """What a checker believes of a constructor and is not so, as a text; empty if all is right."""
    places, keywords, required = parameters(text)
    real = [p for p in list(inspect.signature(cls.__init__).parameters.values())[1:]]
    names = [p.name for p in real if p.kind is p.POSITIONAL_OR_KEYWORD]
    if package == "layers":  # a layer's `name` and `dtype` are given by name
        names = [name for name in names if name not in BASE_ARGUMENTS]
        missing = {"dtype", "trainable", "activity_regularizer", "input_shape"} - {
            *places,
            *keywords,
        }
        if missing:
            return f"takes {missing}"
    if places[: len(names)] != names:
        return f"takes {names} by place, not {places}"
    if required != [p.name for p in real if p.default is p.empty and p.kind is not p.VAR_KEYWORD]:
        return f"requires {required}"
    missing = {p.name for p in real if p.kind is p.KEYWORD_ONLY} - {*places, *keywords}
    return f"takes {missing}" if missing else ""


def test_each_constructor_is_known(said):
    """Every public record: its arguments, in their order, and which are required."""
    classes = list(records())
    lines = [f"reveal_type(jkeras.{package}.{cls.__name__}.__init__)" for package, cls in classes]
    texts = said(["import jkeras", *lines])
    wrong = {}
    for (package, cls), line in zip(classes, lines):
        if difference(package, cls, texts[line]):
            wrong[cls.__name__] = difference(package, cls, texts[line])
    assert wrong == {}
