"""The wheel and the sdist: built, installed in an environment of their own, used there as a new
user would.
"""

import os
import pathlib
import shutil
import subprocess
import tarfile
import venv
import zipfile

import pytest

import jkeras

ROOT = pathlib.Path(jkeras.__file__).parent.parent
ALONE = """
import jax.numpy as jnp
import numpy as np
import jkeras
from jkeras import layers

x = np.arange(6, dtype="int32").reshape(3, 2)
model = jkeras.Sequential([jkeras.Input((2,), dtype="int32"), layers.Embedding(9, 4)])
model.add(layers.GlobalAveragePooling1D())
model.export("model.stablehlo", verbose=False)
tokens = jkeras.Input((None,), dtype="int32")
writer = jkeras.Model(tokens, layers.Dense(9)(layers.GRU(4, return_sequences=True)(
    layers.Embedding(9, 4)(tokens))))
written = writer.generate(x, max_length=8)
print(jkeras.export.load("model.stablehlo")(x).shape, np.shape(written)[1])
"""
QUICK = ["tests/test_errors.py", "tests/shell/test_typos.py", "tests/shell/test_cloning.py"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="no sources here"),
]


def command(*arguments, cwd):
    """Runs a command without this process's import path; returns what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["SOURCE_DATE_EPOCH"] = str(2**30)
    done = subprocess.run(
        [str(part) for part in arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("packaging")


@pytest.fixture(scope="module")
def python(folder):
    """The interpreter of an environment with nothing in it but what builds and checks."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    done = subprocess.run(
        [python, "-m", "pip", "install", "-q", "build", "twine", "pytest", "pyright[nodejs]"],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"pip reaches no index: {done.stderr[-300:]}")
    return python


@pytest.fixture(scope="module")
def built(folder, python):
    """(wheel, sdist) of a copy of the sources, so that nothing is left behind in them."""
    left = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, folder / "sources", ignore=left)
    for name in ("dist", "again"):
        command(python, "-m", "build", "-o", folder / name, folder / "sources", cwd=folder)
        shutil.rmtree(folder / "sources" / "build", ignore_errors=True)
    return next((folder / "dist").glob("*.whl")), next((folder / "dist").glob("*.tar.gz"))


@pytest.fixture(scope="module")
def installed(folder, python, built):
    """The interpreter, with the wheel and what it requires."""
    command(python, "-m", "pip", "install", "-q", built[0], cwd=folder)
    return python


def test_the_wheel_is_small_and_has_all(built):
    assert (
        built[0].stat().st_size < 2_500_000
    )  # nine tenths are Python files, each compressed alone
    names = zipfile.ZipFile(built[0]).namelist()
    wanted = {
        "jkeras/py.typed",
        "jkeras/keras_src.txt",
        "jkeras/examples/digits_quickstart.py",
        "jkeras/applications/weights.json",
        "jkeras/datasets/data/digits.npz",
    }
    assert wanted <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "examples/"))]


def contents(path):
    """{name: its bytes} of a tar archive."""
    with tarfile.open(path) as file:
        members = [member for member in file.getmembers() if member.isfile()]
        return {member.name: file.extractfile(member).read() for member in members}


def test_twice_the_same_bytes(built, folder):
    """The wheel, and what is in the sdist, whose own gzip has the time."""
    again = [folder / "again" / path.name for path in built]
    assert built[0].read_bytes() == again[0].read_bytes()
    assert contents(built[1]) == contents(again[1])


def test_the_registry_would_take_it(built, python, folder):
    said = command(python, "-m", "twine", "check", "--strict", *built, cwd=folder)
    assert said.count("PASSED") == 2


def test_the_wheel_alone_exports_and_writes_texts(installed, folder):
    command(installed, "-m", "pip", "install", "-q", "flatbuffers", cwd=folder)
    (folder / "alone.py").write_text(ALONE)
    assert command(installed, "alone.py", cwd=folder).strip() == "(3, 4) 8"


@pytest.mark.promise("Keras need not be installed")
@pytest.mark.promise("Handwritten digits, 8 by")
@pytest.mark.promise("It needs JAX, numpy, optax")
@pytest.mark.promise("each needs nothing but Python >= 3.11")
@pytest.mark.promise("You need Python 3.11 or newer and nothing else")
def test_what_a_new_user_does_first(installed, folder):
    where = command(installed, "-c", "import jkeras; print(jkeras.__file__)", cwd=folder)
    assert "site-packages" in where
    assert "digits_quickstart" in command(installed, "-m", "jkeras", "examples", cwd=folder)
    assert "test accuracy: 0.9" in command(
        installed, "-m", "jkeras", "examples", "digits", cwd=folder
    )
    (folder / "program.py").write_text(
        "import keras\nprint(keras.__version__, keras.layers.Dense.__module__)\n"
    )
    assert (
        command(installed, "-m", "jkeras", "run", "program.py", cwd=folder).strip()
        == "3.15.1 jkeras.layers.dense"
    )


def test_help_is_for_people(installed, folder):
    text = command(installed, "-c", "import jkeras; help(jkeras.layers.Dense)", cwd=folder)
    assert (
        "Dense(units, activation=None, use_bias=True" in text
        and "units: size of the output's last axis" in text
    )
    shown = command(
        installed, "-c", "import jkeras; print(*dir(jkeras), *dir(jkeras.layers))", cwd=folder
    ).split()
    assert {"Dense", "Sequential"} <= set(shown) and not {
        "core",
        "exported",
        "as_keras",
        "dense",
    } & set(shown)


def test_a_type_checker_accepts_what_users_type(installed, folder):
    shutil.copy(ROOT / "tests" / "typed_program.py", folder)
    said = command(
        installed, "-m", "pyright", "--pythonpath", installed, "typed_program.py", cwd=folder
    )
    assert "0 errors" in said, said


def test_quick_tests_pass_from_the_sdist(installed, folder, built):
    with tarfile.open(built[1]) as file:
        file.extractall(folder, filter="data")
    sources = next(path for path in folder.glob("jkeras-*") if path.is_dir())
    shutil.rmtree(sources / "jkeras")  # what is tested is what was installed
    # the oracle, which conftest.py loads
    command(installed, "-m", "pip", "install", "-q", "keras==3.15.1", cwd=folder)
    said = command(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", *QUICK, cwd=sources)
    assert "passed" in said.splitlines()[-1]
