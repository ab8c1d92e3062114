"""What docs/policy.md, the changelog and the citation say of versions is what the package says."""

import pathlib
import re
import tomllib

import pytest

import jkeras

ROOT = pathlib.Path(__file__).parents[2]


def page(name):
    return (ROOT / name).read_text()


@pytest.mark.promise("| Python | 3.11 and later |")
@pytest.mark.promise("| Keras, whose numbers and files these are |")
@pytest.mark.parametrize("name", ["Python", "JAX", "numpy"])
def test_the_lowest_versions(name):
    project = tomllib.loads(page("pyproject.toml"))["project"]
    needed = [f"Python{project['requires-python']}", *project["dependencies"]]
    (lowest,) = (
        line.split(">=")[1] for line in needed if line.split(">=")[0].lower() == name.lower()
    )
    assert f"| {name} | {lowest} and later |" in page("docs/policy.md")


def test_the_version_of_keras():
    project = tomllib.loads(page("pyproject.toml"))["project"]
    oracle = next(line for line in project["optional-dependencies"]["test"] if "keras==" in line)
    assert f"| {oracle.partition('==')[2]} |" in page("docs/policy.md")


def test_the_changelog_has_the_version_or_what_is_not_released():
    versions = re.findall(r"^## \[(.+?)\](.*)$", page("CHANGELOG.md"), re.M)
    assert versions[0][0] == "Unreleased"
    for version, date in versions[1:]:
        assert re.fullmatch(r"\d+\.\d+\.\d+", version) and re.fullmatch(r" - \d{4}-\d\d-\d\d", date)
    sections = set(re.findall(r"^### (.+)$", page("CHANGELOG.md"), re.M))
    assert sections <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_citation_has_the_version():
    assert f"version: {jkeras.__version__}\n" in page("CITATION.cff")
