"""What pyproject.toml cannot say: the examples lie beside the package, and in the wheel inside
it.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["jkeras*"]), "jkeras.examples"],
    package_dir={"jkeras.examples": "examples"},
)
