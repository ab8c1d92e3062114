"""What users are told to install is what there is: nobody owns the name jkeras in an index."""

import pathlib
import re
import subprocess
import tomllib

import pytest

from jkeras.core.say.extras import PACKAGES, install_line

ROOT = pathlib.Path(__file__).parent.parent
TEXTS = {".py", ".md", ".toml", ".ipynb", ".txt", ".cfg", ".yaml", ".yml", ".sh", ".pyi", ""}
# `pip install jkeras`, `pip install -U "jkeras[x]"`, but not `jkeras @ git+https://…`
BY_NAME = re.compile(r"""install\s[^`\n]*?(?<![\w/.-])["']?jkeras(?!\s*@)(\[|["'`\s]|$)""", re.M)
WITH_EXTRA = re.compile(r"(?<![\w.])jkeras\[[a-z,]+\]")

pytestmark = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").exists(), reason="no sources beside it"
)


def extras():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project["optional-dependencies"]


@pytest.mark.parametrize("extra", PACKAGES)
def test_the_packages_are_those_of_the_extra(extra):
    assert list(PACKAGES[extra]) == extras()[extra]
    assert all(f"'{package}'" in install_line(extra) for package in PACKAGES[extra])


def files():
    """All texts of the repository but this one."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("no checkout")
    paths = (ROOT / name for name in done.stdout.split("\0") if name)
    this = pathlib.Path(__file__).name
    return [p for p in paths if p.suffix in TEXTS and p.is_file() and p.name != this]


def test_no_line_installs_by_a_name_that_a_stranger_may_take():
    found = []
    for path in files():
        text = path.read_text(errors="replace")
        if path.name != "pyproject.toml" and path.name != "extras.py":
            found += [(path.name, match[0]) for match in BY_NAME.finditer(text)]
        if path.name not in ("pyproject.toml", "test_benchmarks.py"):
            found += [(path.name, match[0]) for match in WITH_EXTRA.finditer(text)]
    assert not found


@pytest.mark.parametrize(
    "line, is_by_name",
    [
        ("pip install jkeras", True),
        ("pip install 'jkeras[export]'", True),
        ('pip install -U "jkeras"', True),
        ("pip install -e '.[export]'", False),
        ('%pip install -q "jkeras @ git+https://github.com/x/jkeras@main"', False),
        ("pip install jax2onnx", False),
    ],
)
def test_the_pattern(line, is_by_name):
    assert bool(BY_NAME.search(line)) == is_by_name


def test_extras_that_docs_name_are_there():
    for path in files():
        for names in re.findall(r"-e '\.\[([a-z,]+)\]'", path.read_text(errors="replace")):
            assert set(names.split(",")) <= extras().keys(), path
