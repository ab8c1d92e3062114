"""Which versions of packages are installed, and which ones JAX asks for."""

import re
from importlib import metadata


def installed(package: str) -> str | None:
    """The version of a package that is installed now, which may be newer than the imported one."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def asked(package: str) -> str:
    """The versions of a package that the installed JAX asks for, as "==0.0.23"; "": any."""
    try:
        lines = metadata.requires("jax") or []
    except metadata.PackageNotFoundError:  # a checkout
        return ""
    found = (re.match(rf"{package}\s*\(?([^;)]*)", line) for line in lines)
    return next((match[1].strip() for match in found if match), "")


def numbers(version: str) -> tuple[int, ...]:
    """The numbers in a version, by which versions are compared.

    >>> numbers("0.0.42.*") < numbers("0.0.42.1") < numbers("0.0.50")
    True
    """
    return tuple(map(int, re.findall(r"\d+", version)))


def meets(version: str, specifier: str) -> bool:
    """Whether a version is one that a requirement allows.

    >>> meets("0.0.42.1", "==0.0.42.*"), meets("0.0.21.1", "==0.0.23")
    (True, False)
    >>> meets("0.10.2", "<=0.10.2,>=0.9"), meets("0.8.1", "<=0.10.2,>=0.9")
    (True, False)
    """
    return all(_is_in(numbers(version), part.strip()) for part in specifier.split(","))


def _is_in(have: tuple[int, ...], part: str) -> bool:
    """Whether a version is within one bound; any is within one of another form."""
    sign, bound = re.match(r"(\W*)(.*)", part).groups()
    wanted = numbers(bound)
    if bound.endswith(".*"):
        return have[: len(wanted)] == wanted
    if sign == "==":
        return have == wanted
    if sign == "<=":
        return have <= wanted
    return sign != ">=" or have >= wanted
