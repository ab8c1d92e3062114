"""The lowest versions that pyproject.toml declares, as constraints for pip: `jax==0.7.0`, ..."""

import pathlib
import tomllib

PROJECT = pathlib.Path(__file__).parent.parent / "pyproject.toml"


def lowest():
    """A line for each requirement at run time."""
    requirements = tomllib.loads(PROJECT.read_text())["project"]["dependencies"]
    unbounded = [line for line in requirements if line.count(">=") != 1]
    assert not unbounded, f"pyproject.toml: each requirement has one lower bound; not {unbounded}"
    return [line.replace(">=", "==") for line in requirements]


if __name__ == "__main__":
    print(*lowest(), sep="\n")
